"""The chi2 between a model of every bin and the measured bins, in float64 and with derivatives.

    chi2(theta) = r^T V^-1 r,   r_b = w_b (f_b(theta) - d_b),
    V = diag(s_d^2 + s_f^2) + sum_k c_k c_k^T

d and s_d are the measured values and the part of their errors that is independent from bin to bin, c_k the shifts of
the correlated sources, f and s_f the model's mean and error, w the weights. Weights enter squared, as in Professor.

s_f is held at a given point while theta moves and brought up to date between minimisations: were it to move with theta,
chi2 alone could fall by moving to where the model knows least.
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

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

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The model's parameters, fixed ones included."""
        return self.model.parameters

    def variance_at(self, theta: np.ndarray) -> np.ndarray:
        """(n_bins,) independent variance of data and model, the model's taken at `theta`.

        Raises `ComputationError` naming the bin if the model is not finite there.
        """
        with jax.enable_x64(True):
            prediction = self.model.predict(jnp.asarray(theta, jnp.float64))
            mean, error = (np.asarray(part)[self.measured.indices] for part in prediction)
        bad = ~(np.isfinite(mean) & np.isfinite(error))
        if bad.any():
            label = self.measured.bins.take(np.flatnonzero(bad)).labels()[0]
            raise ComputationError(f"the surrogate is not finite at {label} for {self.describe(theta)}")
        return self.measured.errors**2 + (error**2 if self.model_error else 0.0)

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


def numbers_of(measured: Measured, variance: np.ndarray, unit_weights: bool = False) -> Numbers:
    """Collect the numbers of a chi2, in the precision that is switched on."""
    weights = np.ones(len(measured.values)) if unit_weights else measured.weights
    parts = (measured.values, variance, measured.shifts, weights)
    return Numbers(jnp.asarray(measured.indices), *(jnp.asarray(part, jnp.result_type(float)) for part in parts))


def chi2_terms(model: BinnedModel, theta: Any, numbers: Numbers) -> Any:
    """(n_bins,) contribution of every bin, r_b (V^-1 r)_b; their sum is chi2. Can be traced by JAX.

    Woodbury's identity keeps the cost linear in the number of bins: only a matrix of the sources' size is solved.
    """
    r = numbers.weights * (model.predict(theta).mean[numbers.indices] - numbers.values)
    return r * solve_covariance(r, numbers.variance, numbers.shifts, jnp)


def solve_covariance(r: Any, variance: Any, shifts: Any, xp: Any) -> Any:
    """V^-1 r for V = diag(variance) + shifts^T shifts, with `xp` either numpy or jax.numpy."""
    solved = r / variance
    if shifts.shape[0]:
        scaled = shifts / variance
        small = xp.eye(shifts.shape[0]) + scaled @ shifts.T
        solved = solved - scaled.T @ xp.linalg.solve(small, shifts @ solved)
    return solved
