"""Channels together: their parameters with ranges, the constraints that belong to their modifiers, and the product.

Parameters of `NormSys` and `HistoSys` are measured elsewhere as 0 +- 1; those of `StatError` as 1 with the error that
the samples have; those of `ShapeSys` by a count of (nominal / error)^2; the luminosity by what `settings` say. Other
measurements of the same parameters may be given there, too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from sbitune.data.errors import InputError, naming
from sbitune.data.parameter import Parameter
from sbitune.data.text.names import nearest
from sbitune.fitting.likelihood.histfactory.channel import Channel, all_names
from sbitune.fitting.likelihood.histfactory.modifiers import (
    VECTORS,
    HistoSys,
    Lumi,
    Modifier,
    NormFactor,
    NormSys,
    ShapeFactor,
    ShapeSys,
    StatError,
)
from sbitune.fitting.likelihood.product import Product
from sbitune.fitting.likelihood.terms.constraints import GaussianConstraints, PoissonConstraints
from sbitune.fitting.likelihood.terms.counts import CountedBins
from sbitune.fitting.likelihood.terms.term import Term

#: what the terms of constraints are called
GAUSSIAN, POISSON = "auxiliary measurements", "auxiliary counts"
#: a factor of a bin is looked for within so many of its errors around 1, and at least at this
_REACH, _LEAST = 8.0, 1e-10
_PULLS, _FACTORS = (-5.0, 5.0), (0.0, 10.0)


@dataclass(frozen=True)
class Setting:
    """What a measurement says of a parameter, or of all that belong to one modifier; None: what is usual."""

    start: tuple[float, ...] | None = None
    bounds: tuple[tuple[float, float], ...] | None = None
    measured: tuple[float, ...] | None = None  #: auxiliary measurement
    errors: tuple[float, ...] | None = None  #: of it, if it is Gaussian
    scales: tuple[float, ...] | None = None  #: auxiliary counts that are expected at 1, if it is a count
    fixed: bool = False


class Described(NamedTuple):
    """A parameter with its measurement."""

    parameter: Parameter
    kind: str  #: `GAUSSIAN`, `POISSON`, or empty for a parameter that nothing constrains
    measured: float
    error: float  #: or the count that is expected at 1
    fixed: bool

    @property
    def start(self) -> float:
        """Where it begins, and stays if it is fixed."""
        assert self.parameter.default is not None
        return self.parameter.default


class _Usual(NamedTuple):
    kind: str
    start: Any  #: (n,)
    bounds: list[tuple[float, float]]
    measured: Any  #: (n,), NaN if nothing is usual
    error: Any  #: (n,)


@dataclass(frozen=True, eq=False)
class HistFactory:
    """Channels that share parameters by name.

    Raises:
        InputError: if a name has two meanings, a setting is of no parameter or has another length than it, or a
            luminosity is not measured.
    """

    channels: Sequence[Channel]
    settings: Mapping[str, Setting] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in self.settings:
            if name not in self._modifiers:
                raise InputError(
                    f"settings: {name} is no parameter{nearest(name, self._modifiers)}", code="setting-name"
                )
        _ = self.described

    @property
    def modifiers(self) -> dict[str, Modifier]:
        """Name -> the first modifier that has it."""
        return {name: modifier for name, (_, modifier) in self._modifiers.items()}

    @cached_property
    def _modifiers(self) -> dict[str, tuple[Channel, Modifier]]:
        """Name -> the first channel and modifier that have it."""
        found: dict[str, tuple[Channel, Modifier]] = {}
        for channel in self.channels:
            for sample in channel.samples:
                for m in sample.modifiers:
                    where, other = found.setdefault(m.name, (channel, m))
                    apart = isinstance(m, ShapeFactor) and where.n_bins != channel.n_bins
                    if _kind(m) != _kind(other) or apart or (isinstance(m, ShapeSys) and m is not other):
                        raise InputError(
                            f"channel {channel.name}, sample {sample.name}: {m.name} is the name of another modifier, "
                            f"{type(other).__name__.lower()}, too, which cannot share its parameter; rename one",
                            code="modifier-name-shared",
                        )
        return found

    @cached_property
    def described(self) -> tuple[Described, ...]:
        """All parameters, in the order of the channels."""
        rows: dict[str, Described] = {}
        for name, (_, modifier) in self._modifiers.items():
            for channel in self.channels:
                if any(m.name == name for sample in channel.samples for m in sample.modifiers):
                    new = {row.parameter.name: row for row in self._describe(channel, modifier)}
                    if isinstance(modifier, StatError) and set(new) & set(rows):
                        raise InputError(
                            f"channel {channel.name}: the staterror {name} is that of another channel, too; rename one",
                            code="modifier-name-shared",
                        )
                    rows |= new
        return tuple(rows[name] for name in all_names(self.channels))

    def _describe(self, channel: Channel, modifier: Modifier) -> list[Described]:
        name, usual = modifier.name, _usual(channel, modifier)
        given, first = self.settings.get(name, Setting()), channel.first_bin.get(name, 0)
        names = channel.vector_names(modifier) if isinstance(modifier, VECTORS) else (name,)
        wanted = self.size_of(name)
        if given.measured is not None and not usual.kind:
            raise InputError(f"{name}: nothing measures a {type(modifier).__name__.lower()}", code="setting-name")
        error = given.scales if usual.kind == POISSON else given.errors
        rows: list[Described] = []
        for i, one in enumerate(names):
            if not one:
                continue
            picked = [
                _pick(name, chosen, common[i], first + i, wanted)
                for chosen, common in zip(
                    (given.start, given.bounds, given.measured, error),
                    (usual.start, usual.bounds, usual.measured, usual.error),
                    strict=True,
                )
            ]
            start, (low, high), measured, spread = picked
            if usual.kind and not (np.isfinite(measured) and np.isfinite(spread) and spread > 0):
                raise InputError(
                    f"{one}: the {type(modifier).__name__.lower()} has no auxiliary measurement; give `measured` and "
                    "`errors` (`auxdata` and `sigmas` in a workspace)",
                    code="constraint-without-measurement",
                )
            if np.isnan(start):  # that of a luminosity: around what was measured
                start, (low, high) = measured, (max(_LEAST, measured - _REACH * spread), measured + _REACH * spread)
            with naming(f"settings of {name}"):
                parameter = Parameter(one, float(low), float(high), default=float(start))
            rows.append(Described(parameter, usual.kind, measured, spread, given.fixed))
        return rows

    def size_of(self, name: str) -> int:
        """How many parameters a modifier has, those that stay 1 among them."""
        if not isinstance(self._modifiers[name][1], VECTORS):
            return 1
        return max(c.first_bin.get(name, 0) + c.n_bins for c in self.channels if _has(c, name))

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """With ranges; the default is where they begin."""
        return tuple(row.parameter for row in self.described)

    @property
    def fixed(self) -> dict[str, float]:
        """Parameters that the settings hold, with their values."""
        return {row.parameter.name: row.start for row in self.described if row.fixed}

    def constraints(self, without: Sequence[str] = ()) -> list[Term]:
        """The terms of the constraints, but for parameters that a term of somebody else constrains."""
        terms: list[Term] = []
        for kind, make in ((GAUSSIAN, GaussianConstraints), (POISSON, PoissonConstraints)):
            rows = [row for row in self.described if row.kind == kind and row.parameter.name not in without]
            if rows:
                names = tuple(row.parameter.name for row in rows)
                errors, values = (np.array([getattr(row, what) for row in rows]) for what in ("error", "measured"))
                terms.append(make(kind, names, *((values, errors) if kind == GAUSSIAN else (errors, values))))
        return terms

    def counted(self, counts: Mapping[str, Any]) -> list[Term]:
        """A term for each channel. Raises `InputError` for a channel without counts, or with others than its bins."""
        terms: list[Term] = []
        for channel in self.channels:
            if channel.name not in counts or np.size(counts[channel.name]) != channel.n_bins:
                n = np.size(counts.get(channel.name, ()))
                raise InputError(
                    f"channel {channel.name}: {n} observed counts for {channel.n_bins} bins", code="channel-counts"
                )
            terms.append(CountedBins(channel.name, np.asarray(counts[channel.name], float), channel.expected))
        return terms

    def product(
        self,
        counts: Mapping[str, Any],
        terms: Sequence[Term] = (),
        parameters: Sequence[Parameter] = (),
        without: Sequence[str] = (),
    ) -> Product:
        """The fit of observed counts (n_bins,) of every channel, with other terms and their further parameters.

        Raises `InputError` as `counted` and `Product` do.
        """
        known = {p.name for p in parameters}
        ours = [p for p in self.parameters if p.name not in known]
        every = [*self.counted(counts), *self.constraints(without), *terms]
        return Product(every, [*ours, *parameters], fixed=self.fixed)


def _has(channel: Channel, name: str) -> bool:
    return any(m.name == name for sample in channel.samples for m in sample.modifiers)


def _kind(modifier: Modifier) -> str:
    """Modifiers of the same kind may share a parameter."""
    if isinstance(modifier, NormSys | HistoSys):
        return "pull"
    return {NormFactor: "scalar", Lumi: "lumi"}.get(type(modifier), type(modifier).__name__)


def _usual(channel: Channel, modifier: Modifier) -> _Usual:
    n = channel.n_bins
    if isinstance(modifier, NormSys | HistoSys):
        return _Usual(GAUSSIAN, [0.0], [_PULLS], [0.0], [1.0])
    if isinstance(modifier, NormFactor):
        return _Usual("", [1.0], [_FACTORS], [np.nan], [np.nan])
    if isinstance(modifier, Lumi):
        return _Usual(GAUSSIAN, [np.nan], [(np.nan, np.nan)], [np.nan], [np.nan])
    if isinstance(modifier, StatError):
        errors = channel.relative_errors[modifier.name]
        return _Usual(GAUSSIAN, [1.0] * n, _around(errors), [1.0] * n, errors)
    if isinstance(modifier, ShapeSys):
        nominal = next(s.bins for s in channel.samples for m in s.modifiers if m is modifier)
        still = channel.still[modifier.name]
        errors = np.where(still, 1.0, np.asarray(modifier.errors, float) / np.where(still, 1.0, nominal))
        return _Usual(POISSON, [1.0] * n, _around(errors), errors**-2.0, errors**-2.0)
    return _Usual("", [1.0] * n, [_FACTORS] * n, [np.nan] * n, [np.nan] * n)


def _around(errors: np.ndarray) -> list[tuple[float, float]]:
    return [(max(_LEAST, 1 - _REACH * e), 1 + _REACH * e) for e in errors.tolist()]


def _pick(name: str, given: Any, usual: Any, i: int, n: int) -> Any:
    if given is None:
        return usual
    if len(given) != n:
        raise InputError(f"settings of {name}: {len(given)} values for {n} parameters", code="setting-length")
    return given[i]
