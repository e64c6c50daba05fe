"""Polynomial surrogates: weighted least squares per bin, with an error that counts what the polynomial misses.

For one bin let phi(theta) be the basis, y_i the content in run i and s_i its smoothed Monte Carlo error. The model is

    y_i = phi(theta_i) . c + d_i + e_i,    e_i ~ N(0, s_i^2),    d_i ~ N(0, tau^2),

where d is what the polynomial cannot describe. The coefficients minimise chi2 = sum r_i^2 / (s_i^2 + tau^2); their
covariance C is the inverse of the weighted normal matrix. tau is 0 unless chi2 without it exceeds its number of degrees
of freedom by more than z0 = 1.5 standard deviations s = sqrt(2 ndf). If it does by z of them, tau makes chi2 = ndf +
s z0^2 / z: the method of Mandel & Paule, Analytical Chemistry 42 (1970) 1194, here for a regression, less what chance
would give (every sixth polynomial that misses nothing has z > 1, and tau of few runs would be their noise). The error
of the prediction is

    error(theta)^2 = phi^T C phi + tau^2.

Coefficients that the runs cannot tell from zero are shrunk, with their covariance (see `shrinkage`). Without tau^2 the
error of a polynomial that misses the truth would vanish as the number of runs grows.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from sbitune.data.bins import Bins
from sbitune.data.parameter import Parameter, parameter_box
from sbitune.data.scan import Scan
from sbitune.data.storage.layout import ArraySpec, Layout, whole_number
from sbitune.fitting.likelihood.protocols import Prediction
from sbitune.tuning.surrogates.forms.independent import Outputs, every_bin
from sbitune.tuning.surrogates.protocols import Arrays, Meta, Packed, Unpacked
from sbitune.tuning.surrogates.regression.basis import count_terms, evaluate_basis, list_exponents
from sbitune.tuning.surrogates.regression.binbybin import BinByBin
from sbitune.tuning.surrogates.regression.outputs import root, to_contents
from sbitune.tuning.surrogates.wording import OF_BINS

_NOT_NEGATIVE = ArraySpec(("n_bins",), low=0)
_LAYOUT = {
    "coefficients": ArraySpec(("n_terms", "n_bins")),
    "factor": ArraySpec(("n_bins", "n_terms", "n_terms")),
    "tau": _NOT_NEGATIVE,
    "chi2": _NOT_NEGATIVE,
    "log": ArraySpec(("n_bins",), np.bool_),
}


@dataclass(frozen=True, eq=False)
class PolynomialSurrogate(BinByBin):
    """A polynomial for every bin. Satisfies `TrainedSurrogate`."""

    tag: ClassVar[str] = "polynomial"

    parameters: tuple[Parameter, ...]  #: with the box that is scaled to [-1, 1]
    bins: Bins  #: (n_bins,)
    order: int  #: highest total degree
    coefficients: np.ndarray  #: (n_terms, n_bins) on the fitted scale
    factor: np.ndarray  #: (n_bins, n_terms, n_terms) with C = factor @ factor.T, inflation included
    tau: np.ndarray  #: (n_bins,) lack of fit, on the fitted scale
    chi2: np.ndarray  #: (n_bins,) without tau: how well the polynomial describes the runs
    ndf: int  #: runs - terms
    log: np.ndarray  #: (n_bins,) True where the logarithm of the content is fitted
    correlation: np.ndarray | None = None  #: (n_bins, n_bins) of the errors; None: independent

    def _evaluate(self, theta: Any, xp: Any) -> Prediction:
        centre, half, coefficients, factor, tau = (
            xp.asarray(array, dtype=theta.dtype)
            for array in (*parameter_box(self.parameters), self.coefficients, self.factor, self.tau)
        )
        terms = evaluate_basis((theta - centre) / half, list_exponents(len(centre), self.order), xp)
        projected = xp.tensordot(terms, factor, axes=((-1,), (1,)))  # faster than einsum
        variance = xp.sum(projected**2, axis=-1) + tau**2
        return Prediction(*to_contents(terms @ coefficients, root(variance, xp), self.log, xp))

    def wider(self, factor: float) -> Self:
        """The same with all errors multiplied."""
        return replace(self, factor=self.factor * factor, tau=self.tau * factor)

    def describe(self) -> dict[str, Any]:
        """Order, and how well it describes the runs."""
        return {"kind": self.tag, "order": self.order, OF_BINS: float(np.median(self.chi2) / self.ndf)}

    @classmethod
    def phrase(cls, about: Mapping[str, Any]) -> str:
        """What is learnt of bins or components."""
        return f"polynomials of order {about['order']}"

    def legendre(self) -> tuple[int, np.ndarray] | None:
        """Order and coefficients (n_terms, n_bins); None if logarithms are fitted."""
        return None if self.log.any() else (self.order, self.coefficients)

    def independent_outputs(self, scan: Scan) -> tuple[Outputs, ...]:
        """Every bin is one."""
        return (every_bin(self, scan),)

    @property
    def unexplained(self) -> np.ndarray:
        """(n_bins,) variance of what no run lowers, on the fitted scale."""
        return self.tau**2

    def covariance_of_points(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """(n_bins, n_a, n_b) of what is learnt, between points (n_a, n_parameters) and (n_b, n_parameters)."""
        centre, half = parameter_box(self.parameters)
        exponents = list_exponents(len(centre), self.order)
        p, q = (evaluate_basis((theta - centre) / half, exponents) @ self.factor for theta in (a, b))
        return p @ q.transpose(0, 2, 1)

    def pack(self) -> Packed:
        """See `TrainedSurrogate`."""
        arrays = {name: getattr(self, name) for name in _LAYOUT}
        return Packed({"order": self.order, "ndf": self.ndf}, arrays, self.correlation)

    @classmethod
    def layout(cls, meta: Meta) -> Layout:
        """See `TrainedSurrogate`."""
        return _LAYOUT

    @classmethod
    def sizes(cls, meta: Meta, arrays: Arrays) -> dict[str, int]:
        """See `TrainedSurrogate`."""
        return {"n_terms": count_terms(len(meta["parameters"]), whole_number("order", meta["order"]))}

    @classmethod
    def unpack(cls, stored: Unpacked) -> Self:
        """See `TrainedSurrogate`."""
        numbers = {name: stored.arrays[name] for name in _LAYOUT}
        order, ndf = stored.meta["order"], whole_number("ndf", stored.meta["ndf"])
        return cls(stored.parameters, stored.bins, order=order, ndf=ndf, correlation=stored.correlation, **numbers)
