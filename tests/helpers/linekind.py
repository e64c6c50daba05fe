"""A kind of surrogate that sbitune does not know: a constant and a line for every bin, by plain least squares."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Self

import msgspec
import numpy as np

from sbitune.data.bins import Bins
from sbitune.data.errors import InputError
from sbitune.data.parameter import Parameter, parameter_box
from sbitune.data.scan import Scan
from sbitune.data.storage.layout import ArraySpec, Layout
from sbitune.fitting.likelihood.protocols import Prediction
from sbitune.tuning.surrogates import registry
from sbitune.tuning.surrogates.kindconfig import KindConfig, Scale
from sbitune.tuning.surrogates.protocols import Candidate, Meta, Packed, Turn, Unpacked
from sbitune.tuning.surrogates.regression.binbybin import BinByBin

LAYOUT = {
    "coefficients": ArraySpec(("n_terms", "n_bins")),
    "root": ArraySpec(("n_terms", "n_terms")),
    "sigma": ArraySpec(("n_bins",), low=0),
}


class LineConfig(KindConfig, frozen=True, forbid_unknown_fields=True, tag="line"):
    """Straight lines."""

    least_runs: Annotated[int, msgspec.Meta(description="With fewer runs nothing is learnt.")] = 5


@dataclass(frozen=True, eq=False)
class LineSurrogate(BinByBin):
    """A constant and a slope for every parameter and bin."""

    tag: ClassVar[str] = "line"

    parameters: tuple[Parameter, ...]
    bins: Bins
    coefficients: np.ndarray  #: (n_terms, n_bins)
    root: np.ndarray  #: (n_terms, n_terms) with root @ root.T their covariance in units of sigma^2
    sigma: np.ndarray  #: (n_bins,) scatter of the runs around the line
    correlation: np.ndarray | None = None

    def _evaluate(self, theta: Any, xp: Any) -> Prediction:
        centre, half = parameter_box(self.parameters)
        unit = (theta - xp.asarray(centre, theta.dtype)) / xp.asarray(half, theta.dtype)
        terms = xp.concatenate([xp.ones_like(unit[..., :1]), unit], axis=-1)
        size = xp.sqrt(xp.sum((terms @ xp.asarray(self.root, theta.dtype)) ** 2, axis=-1))
        mean = terms @ xp.asarray(self.coefficients, theta.dtype)
        return Prediction(mean, size[..., None] * xp.asarray(self.sigma, theta.dtype))

    @property
    def log(self) -> np.ndarray:
        return np.zeros(len(self.bins), bool)

    def wider(self, factor: float) -> Self:
        return replace(self, sigma=self.sigma * factor)

    def describe(self) -> dict[str, Any]:
        return {"kind": self.tag, "details": {"terms": len(self.coefficients)}}

    @classmethod
    def phrase(cls, about: Mapping[str, Any]) -> str:
        return f"straight lines of {about['details']['terms']} terms"

    def pack(self) -> Packed:
        return Packed({}, {name: getattr(self, name) for name in LAYOUT}, self.correlation)

    @classmethod
    def layout(cls, meta: Meta) -> Layout:
        return LAYOUT

    @classmethod
    def unpack(cls, stored: Unpacked) -> Self:
        numbers = (stored.arrays[name] for name in LAYOUT)
        return cls(stored.parameters, stored.bins, *numbers, correlation=stored.correlation)


class LineKind:
    """Least squares."""

    config = LineConfig
    surrogate = LineSurrogate

    def train(self, key: Any, scan: Scan, config: LineConfig, progress: Any = None) -> LineSurrogate:
        if len(scan.runs) < config.least_runs:
            raise InputError(f"a line needs {config.least_runs} runs, the scan has {len(scan.runs)}")
        terms = np.concatenate([np.ones((len(scan.runs), 1)), scan.unit()], axis=1)
        coefficients = np.linalg.lstsq(terms, scan.values, rcond=None)[0]
        left = scan.values - terms @ coefficients
        sigma = np.sqrt(np.sum(left**2, axis=0) / (len(terms) - terms.shape[1]))
        root = np.linalg.cholesky(np.linalg.inv(terms.T @ terms))
        return LineSurrogate(scan.parameters, scan.bins, coefficients, root, sigma)

    def candidate(self, config: LineConfig, turn: Turn, scale: Scale) -> Candidate | None:
        return Candidate("straight lines", config, 5) if (turn, scale) == ("first", "linear") else None


@contextmanager
def registered() -> Iterator[LineKind]:
    """The kind, known as long as this is open."""
    kind = LineKind()
    registry.register(kind)
    try:
        yield kind
    finally:
        registry.forget(kind)
