"""The chi2 between a model of every bin and the measured bins, in float64 and with derivatives.

    chi2(theta) = r^T V^-1 r,   r_b = w_b (f_b(theta) - d_b),
    V = diag(s_d^2) + sum_k c_k c_k^T + S_f R S_f + S_n R S_n,   S = diag(s)

d and s_d are the measured values and the part of their errors that is independent from bin to bin, c_k the shifts of
the correlated sources, f and s_f the model's mean and error, w the weights. Weights enter squared, as in Professor. R
is the correlation of Monte Carlo fluctuations between bins, which the model inherits from the runs it was trained on
(the unit matrix if it is not known), s_n the Monte Carlo errors of data that come from a generator themselves (0 for
measurements).

V is held at a given point while theta moves and brought up to date between minimisations: were it to move with theta,
chi2 alone could fall by moving to where the model knows least.

The model's noise does more than widen V. Its slopes are noisy, too, and chi2 takes noise in slopes for information: for
a noisy model the expectation of chi2 is that of the true one plus

    T(theta) = tr(V^-1 W S_f(theta) R S_f(theta) W),

which depends on theta. What is minimised is chi2 - T, whose expectation is the true chi2: the corrected score of
T. Nakamura, Biometrika 77 (1990) 127, here for a known error covariance of the regressors.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg

from sbitune.data.bins import Bins
from sbitune.data.errors import ComputationError
from sbitune.data.scan import Parameter
from sbitune.fitting.protocols import BinnedModel


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
        """(n_bins,) independent and correlated errors in quadrature."""
        return np.sqrt(self.errors**2 + np.sum(self.shifts**2, axis=0))


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

    def numbers_at(self, theta: np.ndarray) -> "Numbers":
        """The numbers of chi2 with the model's error taken at `theta`.

        Raises `ComputationError` naming the bin if the model is not finite there.
        """
        with jax.enable_x64(True):
            prediction = self.model.predict(jnp.asarray(theta, jnp.float64))
            mean, error = (np.asarray(part)[self.measured.indices] for part in prediction)
        bad = ~(np.isfinite(mean) & np.isfinite(error))
        if bad.any():
            label = self.measured.bins.take(np.flatnonzero(bad)).labels()[0]
            raise ComputationError(f"the surrogate is not finite at {label} for {self.describe(theta)}")
        noise = np.broadcast_to(self.measured.noise, error.shape)
        monte_carlo = (error if self.model_error else np.zeros_like(error), noise)
        return numbers_of(self.measured, monte_carlo, self.correlation)

    def describe(self, theta: np.ndarray) -> str:
        """The parameters as `NAME = value, ...`, for messages."""
        return ", ".join(f"{p.name} = {x:.6g}" for p, x in zip(self.parameters, theta, strict=True))


class Numbers(NamedTuple):
    """The numbers of a chi2, all arrays, so that one compiled function serves every data set of a model."""

    indices: Any  #: (n_bins,) of the model's bins
    values: Any  #: (n_bins,) measured
    variance: Any  #: (n_bins,) independent, of data and model
    shifts: Any  #: (n_sources, n_bins)
    weights: Any  #: (n_bins,)
    overlap: Any  #: (n_bins,) diagonal of V^-1, or (n_bins, n_bins) V^-1 * R: sums the model's errors in T
    model_noise: Any  #: 1 if the model's error counts, else 0
    covariance: Any = (
        None  #: (n_bins, n_bins) V if Monte Carlo errors are correlated; None: variance and shifts are all
    )
    inverse: Any = None  #: (n_bins, n_bins) V^-1 likewise


def numbers_of(measured: Measured, monte_carlo: Sequence[np.ndarray], correlation: np.ndarray | None = None) -> Numbers:
    """Collect the numbers of a chi2 in float64.

    Args:
        measured: the data.
        monte_carlo: errors (n_bins,) that share the correlation: of the model first, then of pseudo-data.
        correlation: (n_bins, n_bins) of Monte Carlo errors, or None.
    """
    variance = measured.errors**2 + sum(error**2 for error in monte_carlo)
    inverse = v = None
    if correlation is not None:
        v = np.diag(measured.errors**2) + measured.shifts.T @ measured.shifts
        v += sum(np.outer(error, error) for error in monte_carlo) * correlation
        inverse = jnp.asarray(_inverse(v, measured.bins), jnp.result_type(float))
    parts = (measured.values, variance, measured.shifts, measured.weights)
    values, variance, shifts, weights = (jnp.asarray(part, jnp.result_type(float)) for part in parts)
    if inverse is not None and correlation is not None:
        overlap = inverse * jnp.asarray(correlation, jnp.result_type(float))
    else:
        overlap = jnp.asarray(_inverse_diagonal(parts[1], measured.shifts), jnp.result_type(float))
    covariance = None if v is None else jnp.asarray(v, jnp.result_type(float))
    noisy = jnp.asarray(float(np.any(monte_carlo[0] != 0)))
    return Numbers(
        jnp.asarray(measured.indices), values, variance, shifts, weights, overlap, noisy, covariance, inverse
    )


def _inverse_diagonal(variance: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """Diagonal of (diag(variance) + shifts^T shifts)^-1, by Woodbury's identity."""
    scaled = shifts / variance
    small = np.eye(len(shifts)) + scaled @ shifts.T
    return 1 / variance - np.sum(scaled * np.linalg.solve(small, scaled), axis=0)


def _inverse(v: np.ndarray, bins: Bins) -> np.ndarray:
    """Invert a covariance matrix through its correlation matrix, which has no units."""
    scale = np.sqrt(np.diag(v))
    if not (np.isfinite(scale).all() and (scale > 0).all()):
        label = bins.take(np.flatnonzero(~(scale > 0) | ~np.isfinite(scale))[:1]).labels()[0]
        raise ComputationError(f"bin {label} has no error: leave it out or give it one")
    try:
        factor = scipy.linalg.cho_factor(v / np.outer(scale, scale))
    except np.linalg.LinAlgError as error:
        raise ComputationError("the covariance matrix of the bins is not positive definite") from error
    inverse = scipy.linalg.cho_solve(factor, np.eye(len(v)))
    return inverse / np.outer(scale, scale)


def chi2_terms(model: BinnedModel, theta: Any, numbers: Numbers) -> Any:
    """(n_bins,) contribution of every bin, r_b (V^-1 r)_b; their sum is chi2. Can be traced by JAX.

    Without correlated Monte Carlo errors Woodbury's identity keeps the cost linear in the number of bins: only a matrix
    of the sources' size is solved.
    """
    return residual_terms(model.predict(theta).mean[numbers.indices], numbers)


def model_noise(model: BinnedModel, theta: Any, numbers: Numbers) -> Any:
    """T(theta): the part of chi2 that is noise of the model. Can be traced by JAX."""
    error = numbers.weights * model.predict(theta).error[numbers.indices]
    weighed = numbers.overlap @ error if numbers.overlap.ndim == 2 else numbers.overlap * error
    return numbers.model_noise * jnp.sum(error * weighed)


def residual_terms(values: Any, numbers: Numbers) -> Any:
    """(n_bins,) contributions to chi2 of predicted contents `values` (n_bins,)."""
    r = numbers.weights * (values - numbers.values)
    return r * solve(r, numbers)


def solve(r: Any, numbers: Numbers) -> Any:
    """V^-1 r for r (n_bins,) or (n_bins, m)."""
    if numbers.inverse is not None:
        return numbers.inverse @ r
    variance = numbers.variance if r.ndim == 1 else numbers.variance[:, None]
    solved = r / variance
    if numbers.shifts.shape[0]:
        scaled = numbers.shifts / numbers.variance
        small = jnp.eye(numbers.shifts.shape[0]) + scaled @ numbers.shifts.T
        solved = solved - scaled.T @ jnp.linalg.solve(small, numbers.shifts @ solved)
    return solved


def apply_covariance(x: Any, numbers: Numbers) -> Any:
    """V x for x (n_bins, m)."""
    if numbers.covariance is not None:
        return numbers.covariance @ x
    return numbers.variance[:, None] * x + numbers.shifts.T @ (numbers.shifts @ x)
