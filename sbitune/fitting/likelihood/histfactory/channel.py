r"""A channel: bins of several samples, each with its modifiers.

    expected_b = sum_samples prod_k f_kb(p) [nominal_b + sum_l delta_lb(p)]

with the factors f of all modifiers but `HistoSys`, whose delta are added (CERN-OPEN-2012-016).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, NamedTuple

import jax.numpy as jnp
import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.text.names import repeated
from sbitune.fitting.likelihood.histfactory.modifiers import (
    SCALARS,
    VECTORS,
    HistoSys,
    Modifier,
    NormSys,
    ShapeSys,
    StatError,
    bins_of,
    in_bin,
)
from sbitune.fitting.likelihood.terms.constraints import stacked
from sbitune.fitting.likelihood.terms.interpolation import code0, code1, code4, code4_between, code4p
from sbitune.fitting.likelihood.terms.term import Named

NormCode = Literal["code1", "code4"]
HistoCode = Literal["code0", "code4p"]
_NORM, _HISTO = ("code1", "code4"), {"code0": code0, "code4p": code4p}


@dataclass(frozen=True, eq=False)
class Sample:
    """The bins of one process."""

    name: str
    nominal: np.ndarray  #: (n_bins,) expected counts
    modifiers: Sequence[Modifier] = ()

    def __post_init__(self) -> None:
        n = len(bins_of(f"sample {self.name}", self.nominal))
        for modifier in self.modifiers:
            given = (
                getattr(modifier, "up", None) if isinstance(modifier, HistoSys) else getattr(modifier, "errors", None)
            )
            if given is not None and len(given) != n:
                raise InputError(
                    f"sample {self.name}: {modifier.name} has {len(given)} bins, the sample {n}", code="modifier-bins"
                )

    @property
    def bins(self) -> np.ndarray:
        """(n_bins,) as an array."""
        return np.asarray(self.nominal, float)


class _Tables(NamedTuple):
    """The modifiers of all samples, filled up to the same number for each by what does nothing."""

    nominal: np.ndarray  #: (n_samples, n_bins)
    log_up: np.ndarray  #: (n_samples, n) of norms
    log_down: np.ndarray  #: (n_samples, n)
    between: np.ndarray  #: (6, n_samples, n) their polynomials of code 4
    norm: np.ndarray  #: (n_samples, n) which parameter
    up: np.ndarray  #: (n_samples, m, n_bins) differences to the nominal
    down: np.ndarray  #: (n_samples, m, n_bins)
    histo: np.ndarray  #: (n_samples, m)
    scalar: np.ndarray  #: (n_samples, k)
    vector: np.ndarray  #: (n_samples, l, n_bins)


@dataclass(frozen=True, eq=False)
class Channel:
    """Bins of several samples. `expected` is what `CountedBins` takes."""

    name: str
    samples: Sequence[Sample]
    first_bin: dict[str, int] = field(default_factory=dict)  #: of the parameters NAME[i]; 0 if not given
    normsys: NormCode = "code4"
    histosys: HistoCode = "code4p"

    def __post_init__(self) -> None:
        where = f"channel {self.name}"
        if not self.samples:
            raise InputError(f"{where}: there are no samples", code="channel-samples")
        twice = repeated([sample.name for sample in self.samples])
        if twice:
            raise InputError(f"{where}: the sample {twice[0]} is there twice", code="channel-samples")
        for sample in self.samples:
            if len(sample.nominal) != self.n_bins:
                raise InputError(
                    f"{where}: {sample.name} has {len(sample.nominal)} bins, {self.samples[0].name} {self.n_bins}",
                    code="channel-samples",
                )
        if self.normsys not in _NORM or self.histosys not in _HISTO:
            raise InputError(
                f"{where}: interpolation of normsys is {' or '.join(_NORM)}, of histosys {' or '.join(_HISTO)}, not "
                f"{self.normsys} and {self.histosys}",
                code="modifier-interpolation",
            )

    @property
    def n_bins(self) -> int:
        """Number of bins."""
        return len(self.samples[0].nominal)

    @cached_property
    def still(self) -> dict[str, np.ndarray]:
        """Name of a modifier -> (n_bins,) True where nothing is known of its parameter, which therefore stays 1."""
        found = {name: errors == 0 for name, errors in self.relative_errors.items()}
        for sample in self.samples:
            for m in sample.modifiers:
                if isinstance(m, ShapeSys):
                    found[m.name] = ~((np.asarray(m.errors) > 0) & (sample.bins > 0))
        return found

    @cached_property
    def relative_errors(self) -> dict[str, np.ndarray]:
        """Name of a `StatError` -> (n_bins,) error of its parameters, of all samples that have it."""
        squares: dict[str, np.ndarray] = {}
        totals: dict[str, np.ndarray] = {}
        for sample in self.samples:
            for m in sample.modifiers:
                if isinstance(m, StatError):
                    squares[m.name] = squares.get(m.name, 0) + np.asarray(m.errors, float) ** 2
                    totals[m.name] = totals.get(m.name, 0) + sample.bins
        with np.errstate(divide="ignore", invalid="ignore"):
            return {name: np.where(totals[name] > 0, np.sqrt(squares[name]) / totals[name], 0.0) for name in squares}

    def vector_names(self, modifier: Modifier) -> tuple[str, ...]:
        """(n_bins,) parameters of a modifier that has one for each bin; empty where it stays 1."""
        first, still = self.first_bin.get(modifier.name, 0), self.still.get(modifier.name, np.zeros(self.n_bins, bool))
        return tuple("" if stays else in_bin(modifier.name, first + i) for i, stays in enumerate(still))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Parameters that move its bins."""
        found: dict[str, None] = {}
        for sample in self.samples:
            for m in sample.modifiers:
                names = self.vector_names(m) if isinstance(m, VECTORS) else (m.name,)
                found |= dict.fromkeys(name for name in names if name)
        return tuple(found)

    @cached_property
    def _tables(self) -> _Tables:
        places = {"": len(self.names)} | {name: i for i, name in enumerate(self.names)}  # behind all, a 1
        nominal = np.stack([sample.bins for sample in self.samples])

        def table(kind: Any, row: Any, filler: Any) -> np.ndarray:
            rows = [[row(m, sample) for m in sample.modifiers if isinstance(m, kind)] for sample in self.samples]
            most = max(map(len, rows))
            filled = [[*r, *[filler] * (most - len(r))] for r in rows]
            return np.array(filled).reshape(len(rows), most, *np.shape(filler))

        def place(m: Modifier, sample: Sample) -> int:
            return places[m.name]

        nothing = np.zeros(self.n_bins)
        up, down = (table(NormSys, lambda m, _, s=s: np.log(getattr(m, s)), 0.0) for s in ("up", "down"))
        return _Tables(
            nominal,
            up,
            down,
            code4_between(up, down),
            table(NormSys, place, places[""]),
            table(HistoSys, lambda m, sample: np.asarray(m.up) - sample.bins, nothing),
            table(HistoSys, lambda m, sample: np.asarray(m.down) - sample.bins, nothing),
            table(HistoSys, place, places[""]),
            table(SCALARS, place, places[""]),
            table(
                VECTORS,
                lambda m, _: np.array([places[name] for name in self.vector_names(m)]),
                np.full(self.n_bins, places[""]),
            ),
        )

    def expected_samples(self, given: Named) -> Any:
        """(n_samples, n_bins) expected counts of every sample."""
        t = self._tables
        p = jnp.concatenate([stacked(given, self.names), jnp.ones(1)]) if self.names else jnp.ones(1)
        bins = t.nominal + jnp.sum(_HISTO[self.histosys](p[t.histo.astype(int)][..., None], t.up, t.down), axis=1)
        norms = p[t.norm.astype(int)]
        if self.normsys == "code4":
            factors = jnp.prod(code4(norms, t.log_up, t.log_down, t.between), axis=1)
        else:
            factors = jnp.prod(code1(norms, t.log_up, t.log_down), axis=1)
        factors = factors * jnp.prod(p[t.scalar.astype(int)], axis=1)
        return bins * factors[:, None] * jnp.prod(p[t.vector.astype(int)], axis=1)

    def expected(self, given: Named) -> Any:
        """(n_bins,) expected counts."""
        return jnp.sum(self.expected_samples(given), axis=0)


def all_names(channels: Iterable[Channel]) -> tuple[str, ...]:
    """Parameters of channels, each once, in their order."""
    return tuple(dict.fromkeys(name for channel in channels for name in channel.names))
