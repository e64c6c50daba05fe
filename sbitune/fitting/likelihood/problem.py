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

from dataclasses import dataclass, field

import numpy as np

from sbitune.data.bins import Bins
from sbitune.data.scan import Parameter
from sbitune.fitting.likelihood.protocols import BinnedModel


@dataclass(frozen=True, eq=False)
class Measured:
    """The measured side of a fit, bin by bin in the order of the model's bins `indices`."""

    indices: np.ndarray  #: (n_bins,) which of the model's bins these are
    bins: Bins
    values: np.ndarray  #: (n_bins,)
    errors: np.ndarray  #: (n_bins,) the independent part of the error
    shifts: np.ndarray  #: (n_sources, n_bins) correlated shifts
    weights: np.ndarray  #: (n_bins,) > 0
    noise: np.ndarray | float = 0.0  #: (n_bins,) Monte Carlo errors of pseudo-data, which fluctuate as the scan's do
    names: tuple[str, ...] = ()  #: (n_sources,) what shifts them

    @property
    def total_errors(self) -> np.ndarray:
        """(n_bins,) all errors in quadrature."""
        return np.sqrt(self.errors**2 + np.sum(self.shifts**2, axis=0) + self.noise**2)

    def covariance(self, correlation: np.ndarray | None = None) -> np.ndarray:
        """V_d (n_bins, n_bins), with the correlation R (n_bins, n_bins) of Monte Carlo errors, or None for 1."""
        noise = np.broadcast_to(self.noise, self.errors.shape)
        v = noise_covariance(noise, correlation)
        if len(self.shifts):
            v += self.shifts.T @ self.shifts
        v[np.diag_indices_from(v)] += self.errors**2
        return v


def noise_covariance(noise: np.ndarray, correlation: np.ndarray | None) -> np.ndarray:
    """Covariance (n_bins, n_bins) of Monte Carlo errors (n_bins,) with their correlation; None: independent."""
    return np.diag(noise**2) if correlation is None else np.outer(noise, noise) * correlation


@dataclass(frozen=True, eq=False)
class Problem:
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

    def describe(self, theta: np.ndarray) -> str:
        """The parameters as `NAME = value, ...`, for messages."""
        return ", ".join(f"{p.name} = {x:.6g}" for p, x in zip(self.parameters, theta, strict=True))
