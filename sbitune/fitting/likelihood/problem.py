"""A fit to be made: the model of every bin, the measured bins, and what ties their errors together.

The model's prediction f_b(theta) of a bin has an error s_b(theta) of its own. What is known of the true response given
the scan is f, spread by s with the correlation R between bins; given theta the data are therefore distributed as

    d ~ N(f(theta), V(theta)),   V = V_d + S R S,   S = diag(s(theta)),
    V_d = diag(s_d^2) + sum_k c_k c_k^T + S_n R S_n,

with s_d the part of the measured errors that is independent from bin to bin, c_k the shifts of the correlated sources,
and s_n the Monte Carlo errors of data that come from a generator themselves (0 for measurements). What is minimised is

    -2 log L = r^T V^-1 r + log det V,   r = f(theta) - d,

so that a region where the model knows little is neither preferred for its large errors nor avoided. For models that are
posterior means (shrunk polynomials, Gaussian processes, calibrated ensembles) this is all: their errors are independent
of the mean that is quoted (J. Berkson, J. Am. Stat. Assoc. 45 (1950) 164), and noise in slopes is not information.

With weights w (which enter squared, as in Professor) there is no likelihood; then, and for very many bins, V is held
at a point and brought up to date between minimisations, and r^T W V^-1 W r is minimised.
"""

from contextlib import AbstractContextManager
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self

import jax.numpy as jnp
import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.parameter import Parameter
from sbitune.fitting.likelihood.frame import Frame
from sbitune.fitting.likelihood.gaussian import GaussianObjective, GaussianPoint
from sbitune.fitting.likelihood.measured import Measured
from sbitune.fitting.likelihood.precision import double_precision
from sbitune.fitting.likelihood.protocols import BinnedModel
from sbitune.fitting.results import BinnedFit, Fit, ObservableChi2

#: for more bins than this V is held: each value of the likelihood costs n_bins^3
MOST_BINS = 600


@dataclass(frozen=True, eq=False)
class BinnedProblem:
    """A fit to be made: model, measurement, limits and fixed values."""

    model: BinnedModel
    measured: Measured
    limits: dict[str, tuple[float, float]] = field(default_factory=dict)  #: name -> range; the box if not given
    fixed: dict[str, float] = field(default_factory=dict)
    model_error: bool = True  #: whether the model's own error enters V
    correlation: np.ndarray | None = None  #: (n_bins, n_bins) R in the measured bins; None: the unit matrix

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The model's parameters, fixed ones included."""
        return self.model.parameters

    @property
    def many_bins(self) -> bool:
        """Whether matrices are so large that they are inverted as rarely as possible."""
        return len(self.measured.bins) > MOST_BINS

    @property
    def is_likelihood(self) -> bool:
        """Whether there is a likelihood to minimise: unit weights, a model with errors, not too many bins."""
        return bool(np.all(self.measured.weights == 1.0)) and self.model_error and not self.many_bins

    @property
    def ndf(self) -> int:
        """Bins less free parameters, 1 at least."""
        return max(1, len(self.measured.bins) - sum(p.name not in self.fixed for p in self.parameters))

    def frame(self) -> Frame:
        """Its coordinates. Raises `InputError` as `Frame` does, and for fewer bins than free parameters."""
        frame, bins = Frame(self.parameters, self.limits, self.fixed), len(self.measured.bins)
        if bins < len(frame.free):
            raise InputError(
                f"{bins} bins cannot determine {len(frame.free)} parameters: select more, or fix parameters"
            )
        return frame

    def computing(self) -> AbstractContextManager[None]:
        """The context in which its objective computes."""
        return double_precision(small=not self.many_bins)

    def objective(self) -> GaussianObjective:
        """What is minimised. Use it inside `computing`."""
        return GaussianObjective(self)

    def need_posterior(self) -> None:
        """Raise `InputError` for weights other than 1: a weighted chi2 is not the logarithm of any density of the data,
        whatever factor it is multiplied by.
        """
        if not np.all(self.measured.weights == 1.0):
            raise InputError(
                "with weights other than 1 there is no likelihood to sample: give every observable the weight 1, or "
                "use the errors of the fit, which hold for any weights"
            )

    def with_data(self, data: np.ndarray) -> Self:
        """The same fit of other measured values (n_bins,)."""
        return replace(self, measured=replace(self.measured, values=np.asarray(data, float)))

    def data_sets(self, data: Any) -> np.ndarray:
        """Measured values (n, n_bins) of toys. Raises `InputError` for another shape or what is not finite."""
        data = np.asarray(data, float)
        if data.ndim != 2 or data.shape[1] != len(self.measured.bins) or not np.isfinite(data).all():
            raise InputError(f"toys of shape {data.shape}: they need finite numbers (n, {len(self.measured.bins)})")
        return data

    def describe_fit(self, fit: Fit, point: GaussianPoint) -> BinnedFit:
        """The fit with chi2 at its minimum, and of every observable."""
        terms, bins, weights = point.terms(), self.measured.bins, self.measured.weights
        rows = []
        for path in bins.paths():
            mine = bins.of(path)
            rows.append(ObservableChi2(path, float(terms[mine].sum()), len(mine), float(weights[mine].mean())))
        return BinnedFit(
            **{f.name: getattr(fit, f.name) for f in fields(Fit)},
            chi2=float(point.terms(weights).sum()),
            chi2_unit=float(terms.sum()),
            ndf=len(bins) - len(fit.free),
            observables=tuple(rows),
        )


def total_covariance(problem: BinnedProblem, theta: np.ndarray) -> np.ndarray:
    """V (n_bins, n_bins) at theta (n_parameters,) in the generator's units."""
    v = problem.measured.covariance(problem.correlation)
    if not problem.model_error:
        return v
    with double_precision():
        return v + np.asarray(problem.model.covariance(jnp.asarray(theta), jnp.asarray(problem.measured.indices)))
