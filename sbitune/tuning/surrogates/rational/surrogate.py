r"""Rational surrogates: a ratio of polynomials for every bin, without a pole in the box.

A bin follows f = p/q with q(x) = 1 + sum_k b_k psi_k(x), x in [-1, 1]^p and psi_k products of Legendre polynomials:
poles outside the box describe what rises steeply towards one of its faces, for which polynomials need many terms
(A. Austin et al., arXiv:1912.02272; M. Krishnamoorthy et al., arXiv:2103.05748, who exclude poles by a constraint at
each point at which one is found). Here all Bernstein coefficients of q over the box are at least delta, which proves
that q is (see `positive`); the fit, with priors that take away what the runs do not ask for, is in
`minimum`. The error of the prediction is

    error^2 = max(1, chi2/ndf) g^T C g + tau^2,    g = (phi, -f psi) / q,

with C the covariance of the coefficients of p and q, ndf the runs less the terms that they determine, and tau what the
function misses, as for polynomials.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from sbitune.data.bins import Bins
from sbitune.data.parameter import Parameter
from sbitune.data.scan import Scan
from sbitune.data.storage.layout import ArraySpec, Layout, whole_number
from sbitune.fitting.likelihood.protocols import Prediction
from sbitune.tuning.surrogates.forms.independent import Outputs, every_bin
from sbitune.tuning.surrogates.protocols import Arrays, Meta, Packed, Unpacked
from sbitune.tuning.surrogates.rational.positive import DELTA, bernstein_rows, least
from sbitune.tuning.surrogates.regression.basis import count_terms, evaluate_basis, list_exponents
from sbitune.tuning.surrogates.regression.binbybin import BinByBin
from sbitune.tuning.surrogates.regression.inputs import make_features
from sbitune.tuning.surrogates.regression.outputs import root, to_contents
from sbitune.tuning.surrogates.wording import OF_BINS

_NUMBER, _NOT_NEGATIVE = ArraySpec(("n_bins",)), ArraySpec(("n_bins",), low=0)
_LAYOUT = {
    "log_inputs": ArraySpec(("n_parameters",), np.bool_),
    "numerators": ArraySpec(("n_above", "n_bins")),
    "denominators": ArraySpec(("n_below", "n_bins")),
    "factor": ArraySpec(("n_bins", "n_both", "n_both")),
    "shift": _NUMBER,
    "unit": _NOT_NEGATIVE,
    "tau": _NOT_NEGATIVE,
    "chi2": _NOT_NEGATIVE,
    "ndf": _NUMBER,
    "log": ArraySpec(("n_bins",), np.bool_),
}


@dataclass(frozen=True, eq=False)
class RationalSurrogate(BinByBin):
    """A rational function for every bin. Satisfies `TrainedSurrogate`."""

    tag: ClassVar[str] = "rational"

    parameters: tuple[Parameter, ...]  #: with the box that is scaled to [-1, 1]
    bins: Bins  #: (n_bins,)
    log_inputs: np.ndarray  #: (n_parameters,) True for parameters in whose place stands their logarithm
    order: tuple[int, int]  #: highest total degree of numerator and denominator
    numerators: np.ndarray  #: (n_terms, n_bins) in units of `unit`
    denominators: np.ndarray  #: (n_terms - 1, n_bins) behind the constant, which is 1
    factor: np.ndarray  #: (n_bins, n, n) with C = factor @ factor.T of numerator and denominator, inflation included
    shift: np.ndarray  #: (n_bins,) added to p/q times `unit`, on the fitted scale
    unit: np.ndarray  #: (n_bins,) spread of the runs on the fitted scale, 0 for a bin that never changes
    tau: np.ndarray  #: (n_bins,) lack of fit, on the fitted scale
    chi2: np.ndarray  #: (n_bins,) without tau: how well the function describes the runs
    ndf: np.ndarray  #: (n_bins,) runs - terms that they determine
    log: np.ndarray  #: (n_bins,) True where the logarithm of the content is fitted
    correlation: np.ndarray | None = None  #: (n_bins, n_bins) of the errors; None: independent

    def directions(self, theta: Any) -> np.ndarray:
        """(n_bins, n, n_terms) g F at `theta` (n, n_parameters), F F^T = C: the errors of two points covary as the
        product of theirs over the terms, on the fitted scale and without tau.
        """
        return np.moveaxis(self._project(np.asarray(theta, dtype=np.float64), np)[1], -2, 0)

    def least_denominators(self) -> np.ndarray:
        """(n_bins,) below which no denominator falls in the box: its smallest Bernstein coefficient there."""
        return least(bernstein_rows(len(self.parameters), self.order[1]), self.denominators)

    def _evaluate(self, theta: Any, xp: Any) -> Prediction:
        mean, projected = self._project(theta, xp)
        variance = xp.sum(projected**2, axis=-1) + xp.asarray(self.tau, dtype=theta.dtype) ** 2
        return Prediction(*to_contents(mean, root(variance, xp), self.log, xp))

    def _project(self, theta: Any, xp: Any) -> tuple[Any, Any]:
        """Means (..., n_bins) on the fitted scale and g F (..., n_bins, n_terms)."""
        numerators, denominators, factor, shift, unit = (
            xp.asarray(array, dtype=theta.dtype)
            for array in (self.numerators, self.denominators, self.factor, self.shift, self.unit)
        )
        x, (above, below) = make_inputs(theta, self.parameters, self.log_inputs, xp), self.order
        phi = evaluate_basis(x, list_exponents(x.shape[-1], above), xp)
        psi = evaluate_basis(x, list_exponents(x.shape[-1], below), xp)[..., 1:]
        q = _keep_positive(1 + psi @ denominators, xp)
        f = phi @ numerators / q
        n_a = len(numerators)
        projected = xp.tensordot(phi, factor[:, :n_a], axes=(-1, 1))
        projected = projected - f[..., None] * xp.tensordot(psi, factor[:, n_a:], axes=(-1, 1))
        return shift + unit * f, projected * (unit / q)[..., None]

    def wider(self, factor: float) -> Self:
        """The same with all errors multiplied."""
        return replace(self, factor=self.factor * factor, tau=self.tau * factor)

    def describe(self) -> dict[str, Any]:
        """Orders, how far denominators stay from 0, and how well it describes the runs."""
        about = {"kind": self.tag, "numerator": self.order[0], "denominator": self.order[1]}
        about["least_denominator"] = float(self.least_denominators().min())
        return about | {OF_BINS: float(np.median(self.chi2 / self.ndf))}

    @classmethod
    def phrase(cls, about: Mapping[str, Any]) -> str:
        """What is learnt of bins or components."""
        return (
            f"rational functions of orders {about['numerator']}/{about['denominator']}, which have no pole in the box "
            f"(every denominator is at least {about['least_denominator']:.2g} there)"
        )

    def independent_outputs(self, scan: Scan) -> tuple[Outputs, ...]:
        """Every bin is one."""
        return (every_bin(self, scan),)

    @property
    def unexplained(self) -> np.ndarray:
        """(n_bins,) variance of what no run lowers, on the fitted scale."""
        return self.tau**2

    def covariance_of_points(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """(n_bins, n_a, n_b) of what is learnt, between points (n_a, n_parameters) and (n_b, n_parameters)."""
        return self.directions(a) @ self.directions(b).transpose(0, 2, 1)

    def pack(self) -> Packed:
        """See `TrainedSurrogate`."""
        return Packed({"order": list(self.order)}, {name: getattr(self, name) for name in _LAYOUT}, self.correlation)

    @classmethod
    def layout(cls, meta: Meta) -> Layout:
        """See `TrainedSurrogate`."""
        return _LAYOUT

    @classmethod
    def sizes(cls, meta: Meta, arrays: Arrays) -> dict[str, int]:
        """See `TrainedSurrogate`."""
        n = len(meta["parameters"])
        above, below = (count_terms(n, whole_number("order", order)) for order in meta["order"])
        return {"n_above": above, "n_below": below - 1, "n_both": above + below - 1}

    @classmethod
    def unpack(cls, stored: Unpacked) -> Self:
        """See `TrainedSurrogate`."""
        above, below = stored.meta["order"]
        numbers = {name: stored.arrays[name] for name in _LAYOUT}
        return cls(stored.parameters, stored.bins, order=(above, below), correlation=stored.correlation, **numbers)


def make_inputs(theta: Any, parameters: tuple[Parameter, ...], log_inputs: np.ndarray, xp: Any) -> Any:
    """Points (..., n_parameters), the box being [-1, 1]: theta or, in the place of some parameters, its logarithm."""
    place = np.arange(len(parameters))
    place[log_inputs] = len(parameters) + np.arange(log_inputs.sum())
    return make_features(theta, parameters, log_inputs, xp)[..., place]


def _keep_positive(q: Any, xp: Any) -> Any:
    """Go on smoothly below delta, which q reaches outside the box only: no point whatever has a pole."""
    low = xp.minimum(q, DELTA)
    return xp.where(q >= DELTA, q, DELTA**2 / (2 * DELTA - low))
