"""What is minimised, compiled, in float64, with exact derivatives. See `problem` for the formulas."""

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import jax.scipy.linalg as jsl
import numpy as np
from scipy.linalg.lapack import dpotrf, dpotri  # pyright: ignore[reportAttributeAccessIssue]
from threadpoolctl import threadpool_limits

from sbitune.data.bins import Bins
from sbitune.data.errors import ComputationError
from sbitune.fitting.likelihood.frame import Frame
from sbitune.fitting.likelihood.problem import Measured, Problem
from sbitune.fitting.likelihood.protocols import BinnedModel

#: for more bins than this V is held: each value of the likelihood costs n_bins^3
MOST_BINS = 600
#: for second derivatives, in half widths of the box: small beside any error, large beside rounding
_STEP = 1e-4
#: rows and columns that are mirrored at once
_MIRRORED = 512


class Numbers(NamedTuple):
    """The numbers of a likelihood, all arrays, so that one compiled function serves every data set of a model."""

    indices: Any  #: (n_bins,) of the model's bins
    values: Any  #: (n_bins,) measured
    base: Any  #: (n_bins, n_bins) V_d
    model_error: Any  #: 1 if the model's error counts, else 0
    scale: Any  #: (n_bins,) square roots of the diagonal of V where it is held
    log_determinant: Any  #: of V where it is held; -2 log L is counted from there


def residual_terms(values: Any, measured: Measured, v: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """(n_bins,) contributions r_b (V^-1 r)_b of predicted contents `values` (n_bins,); their sum is chi2."""
    r = (1.0 if weights is None else weights) * (np.asarray(values) - measured.values)
    return r * (invert(v, measured.bins)[0] @ r)


def invert(v: np.ndarray, bins: Bins) -> tuple[np.ndarray, float]:
    """Inverse and log determinant of a covariance matrix, through its correlation matrix, which has no units.

    Raises `ComputationError` naming a bin without error, or if the matrix is not positive definite.
    """
    scale = np.sqrt(np.diag(v))
    if not (np.isfinite(scale).all() and (scale > 0).all()):
        label = bins.take(np.flatnonzero(~(scale > 0) | ~np.isfinite(scale))[:1]).labels()[0]
        raise ComputationError(f"bin {label} has no error: leave it out or give it one")
    # in place, as there may be thousands of bins; Fortran's order, in which LAPACK copies nothing
    matrix = np.divide(v, scale, order="F")
    matrix /= scale[:, None]
    lower, failed = dpotrf(matrix, lower=1, overwrite_a=1, clean=0)
    if not failed:
        log_determinant = float(2 * np.sum(np.log(np.diag(lower) * scale)))
        lower, failed = dpotri(lower, lower=1, overwrite_c=1)
    if failed:
        raise ComputationError("the covariance matrix of the bins is not positive definite")
    lower /= scale
    lower /= scale[:, None]
    _mirror(lower)
    return lower, log_determinant


def _mirror(matrix: np.ndarray) -> None:
    """Make a matrix symmetric in place from what stands below its diagonal."""
    for start in range(0, len(matrix), _MIRRORED):
        stop = min(start + _MIRRORED, len(matrix))
        matrix[start:stop, stop:] = matrix[stop:, start:stop].T
        corner = np.tril(matrix[start:stop, start:stop])
        matrix[start:stop, start:stop] = corner + np.tril(corner, -1).T


def minus_two_log_likelihood(model: BinnedModel, theta: Any, numbers: Numbers) -> Any:
    """-2 log L (weights are not used), counted from log det V where V is held. Can be traced by JAX."""
    prediction = model.predict(theta)
    r = (prediction.mean[numbers.indices] - numbers.values) / numbers.scale
    v = numbers.base + numbers.model_error * model.covariance(theta, numbers.indices)
    triangle = jnp.linalg.cholesky(v / jnp.outer(numbers.scale, numbers.scale))
    solved = jsl.solve_triangular(triangle, r, lower=True)
    log_determinant = 2 * jnp.sum(jnp.log(jnp.diag(triangle) * numbers.scale))
    return solved @ solved + log_determinant - numbers.log_determinant


def few_threads(problem: Problem) -> AbstractContextManager[Any]:
    """Keep LAPACK to one thread where the matrices are small: threads that wait for each other cost more."""
    small = len(problem.measured.bins) <= MOST_BINS
    return threadpool_limits(1) if small else nullcontext()


def total_covariance(problem: Problem, theta: np.ndarray) -> np.ndarray:
    """V (n_bins, n_bins) at theta (n_parameters,) in the generator's units."""
    v = problem.measured.covariance(problem.correlation)
    if not problem.model_error:
        return v
    with jax.enable_x64(True):
        return v + np.asarray(problem.model.covariance(jnp.asarray(theta), jnp.asarray(problem.measured.indices)))


class Compiled(NamedTuple):
    """What is asked of a model, as functions of (u, low, half, indices)."""

    mean: Callable[..., Any]  #: (n_bins,)
    slopes: Callable[..., Any]  #: (n_bins, n_parameters)
    covariance: Callable[..., Any]  #: (n_bins, n_bins)
    covariance_slopes: Callable[..., Any]  #: (n_bins, n_bins, n_parameters)


@functools.lru_cache(maxsize=8)
def compile_model(model: BinnedModel) -> Compiled:
    """Compile the predictions of a model and their derivatives once; toys then only change the numbers.

    Linear algebra stays with LAPACK, whose calls need no compilation: derivatives through a Cholesky decomposition
    take JAX longer to compile than a fit takes.
    """

    def mean(u: Any, low: Any, half: Any, indices: Any) -> Any:
        return model.predict(low + (u + 1) * half).mean[indices]

    def covariance(u: Any, low: Any, half: Any, indices: Any) -> Any:
        return model.covariance(low + (u + 1) * half, indices)

    return Compiled(*(jax.jit(f) for f in (mean, jax.jacfwd(mean), covariance, jax.jacfwd(covariance))))


def is_likelihood(problem: Problem) -> bool:
    """Whether there is a likelihood to minimise: unit weights, a model with errors, not too many bins."""
    one = bool(np.all(problem.measured.weights == 1.0))
    return one and problem.model_error and len(problem.measured.bins) <= MOST_BINS


class Objective:
    """A problem's objective as a function of u (n_parameters,), with derivatives. Use it inside `jax.enable_x64`.

    `hold(u)` takes V at u. `moving` says whether the likelihood is what `value`, `gradient` and `hessian` answer for,
    or the weighted chi2 with V held.
    """

    def __init__(self, problem: Problem, frame: Frame) -> None:
        self.problem = problem
        self.frame = frame
        self.moving = False
        self._compiled = compile_model(problem.model)
        self._place = jnp.asarray(frame.low), jnp.asarray(frame.half), jnp.asarray(problem.measured.indices)
        self._base = problem.measured.covariance(problem.correlation)
        self.covariance: np.ndarray  #: V (n_bins, n_bins) where it is held
        self.inverse: np.ndarray  #: its inverse
        self.log_determinant: float  #: of V where it is held; the likelihood is counted from there
        self.hold(frame.centre)

    @property
    def is_likelihood(self) -> bool:
        """Whether `moving` may be set."""
        return is_likelihood(self.problem)

    def numbers(self) -> Numbers:
        """For `minus_two_log_likelihood`, with V held where it is."""
        measured, scale = self.problem.measured, np.sqrt(np.diag(self.covariance))
        parts = (measured.indices, measured.values, self._base, float(self.problem.model_error), scale)
        return Numbers(*(jnp.asarray(part) for part in (*parts, self.log_determinant)))

    def mean(self, u: Any) -> np.ndarray:
        """(n_bins,) the model's prediction."""
        return np.asarray(self._compiled.mean(jnp.asarray(u), *self._place))

    def slopes(self, u: Any) -> np.ndarray:
        """(n_bins, n_parameters) derivatives of the prediction with respect to u."""
        return np.asarray(self._compiled.slopes(jnp.asarray(u), *self._place))

    def hold(self, u: np.ndarray) -> None:
        """Take V at u. Raises `ComputationError` naming the bin if the model is not finite there."""
        measured = self.problem.measured
        mean, v = self.mean(u), self._total(u)
        bad = ~(np.isfinite(mean) & np.isfinite(v).all(axis=0))
        if bad.any():
            label = measured.bins.take(np.flatnonzero(bad)).labels()[0]
            raise ComputationError(
                f"the surrogate is not finite at {label} for {self.problem.describe(self.frame.to_theta(u))}"
            )
        self.covariance = v
        self.inverse, self.log_determinant = invert(v, measured.bins)

    def _total(self, u: Any) -> np.ndarray:
        if not self.problem.model_error:
            return self._base
        return np.asarray(self._compiled.covariance(jnp.asarray(u), *self._place)) + self._base

    def value(self, u: Any) -> float:
        """The objective; infinite where the model is not finite."""
        if not self.moving:
            return float(self.terms(u, weighted=True).sum())
        try:
            inverse, log_determinant = invert(self._total(u), self.problem.measured.bins)
        except ComputationError:
            return np.inf
        r = self.mean(u) - self.problem.measured.values
        return float(r @ inverse @ r) + log_determinant - self.log_determinant

    def gradient(self, u: Any) -> np.ndarray:
        """(n_parameters,) first derivatives."""
        measured, slopes = self.problem.measured, self.slopes(u)
        r = self.mean(u) - measured.values
        if not self.moving:
            w = measured.weights
            return 2 * (w[:, None] * slopes).T @ (self.inverse @ (w * r))
        inverse, _ = invert(self._total(u), measured.bins)
        q = inverse @ r
        change = np.asarray(self._compiled.covariance_slopes(jnp.asarray(u), *self._place))
        return 2 * slopes.T @ q + np.tensordot(inverse - np.outer(q, q), change, axes=2)

    def hessian(self, u: Any) -> np.ndarray:
        """(n_parameters, n_parameters) second derivatives: central differences of the exact first ones."""
        u = np.asarray(u, float)
        rows = []
        for i in range(len(u)):
            step = _STEP * np.eye(len(u))[i]
            rows.append((self.gradient(u + step) - self.gradient(u - step)) / (2 * _STEP))
        return 0.5 * (np.array(rows) + np.array(rows).T)

    def terms(self, u: Any, weighted: bool) -> np.ndarray:
        """(n_bins,) contributions to chi2 with V where it is held; their sum is chi2."""
        r = self.mean(u) - self.problem.measured.values
        if weighted:
            r = r * self.problem.measured.weights
        return r * (self.inverse @ r)

    def scatter(self, u: Any) -> np.ndarray:
        """Covariance of half the score of the weighted chi2: J^T W P W V W P W J."""
        w = self.problem.measured.weights[:, None]
        lever = w * (self.inverse @ (w * self.slopes(u)))
        return lever.T @ self.covariance @ lever
