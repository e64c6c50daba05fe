"""What the posterior says of every bin, and whether the data look like it.

A. Gelman, X.-L. Meng, H. Stern, Statistica Sinica 6 (1996) 733: the p-value is the probability that data made by the
model, with parameters from their posterior, have a larger chi2 than the measured data, both at the same parameters.
Here chi2 of repeated data is distributed as chi2 with n_bins degrees of freedom, exactly, so that none need be made.
Small values say that the model fails. As the parameters were fitted to the same data, values near 0 and 1 are rarer
than a uniform distribution would have them.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from sbitune.data.errors import ComputationError, InputError
from sbitune.fitting.chains import Posterior
from sbitune.fitting.objective import few_threads
from sbitune.fitting.problem import Problem

#: added to the diagonal of a correlation matrix, which rounding may leave with eigenvalues below 0
_ROUNDING = 1e-10


class Predictive(NamedTuple):
    """Draws from the posterior predictive distribution."""

    theta: np.ndarray  #: (n, n_parameters) the parameters of each draw
    values: (
        np.ndarray
    )  #: (n, n_bins) expected contents of the measured bins, which the model knows up to its own errors
    chi2: np.ndarray  #: (n,) of the data at the parameters of each draw
    p_value: float  #: of the data


def predictive(key: jax.Array, posterior: Posterior, problem: Problem, n: int) -> Predictive:
    """Draw `n` predictions of the measured bins: parameters from their posterior, contents with the model's errors.

    Raises:
        InputError: if the posterior is of other parameters, or fewer than one draw is asked for.
        ComputationError: if a prediction is not finite.
    """
    if posterior.parameters != problem.parameters:
        raise InputError("the posterior and the problem have different parameters or ranges")
    if n < 1:
        raise InputError(f"at least one prediction must be drawn, not {n}")
    choice, noise = jax.random.split(key)
    draws = posterior.draws
    chosen = draws[np.asarray(jax.random.choice(choice, len(draws), (n,), replace=n > len(draws)))]
    with jax.enable_x64(True), few_threads(problem):
        measured = problem.measured
        indices, data = jnp.asarray(measured.indices), jnp.asarray(measured.values)
        base = jnp.asarray(measured.covariance(problem.correlation))

        def draw(given: tuple[Any, Any]) -> tuple[Any, Any]:
            theta, normal = given
            mean, own = problem.model.predict(theta).mean[indices], jnp.zeros_like(base)
            if problem.model_error:
                own = problem.model.covariance(theta, indices)
            return mean + _root(own) @ normal, _chi2(mean - data, base + own)

        normals = jax.random.normal(noise, (n, len(data)))
        values, chi2 = jax.jit(lambda *given: jax.lax.map(draw, given))(jnp.asarray(chosen), normals)
    values, chi2 = np.asarray(values), np.asarray(chi2)
    bad = ~np.isfinite(values).all(axis=0) | ~np.isfinite(chi2).all()
    if bad.any():
        raise ComputationError(
            f"a prediction of {measured.bins.take(np.flatnonzero(bad)[:1]).labels()[0]} is not finite"
        )
    p_value = float(np.mean(stats.chi2.sf(chi2, len(data))))
    return Predictive(chosen, values, chi2, p_value)


def _root(covariance: Any) -> Any:
    """Lower triangle whose square is the covariance (n_bins, n_bins), which may have bins without an error."""
    error = jnp.sqrt(jnp.diag(covariance))
    scale = jnp.where(error > 0, error, 1.0)
    correlation = covariance / jnp.outer(scale, scale)
    return error[:, None] * jnp.linalg.cholesky(correlation + (_ROUNDING + (error == 0)) * jnp.eye(len(error)))


def _chi2(r: Any, v: Any) -> Any:
    scale = jnp.sqrt(jnp.diag(v))
    triangle = jnp.linalg.cholesky(v / jnp.outer(scale, scale))
    white = jax.scipy.linalg.solve_triangular(triangle, r / scale, lower=True)
    return white @ white
