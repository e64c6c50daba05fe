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
from sbitune.fitting.likelihood.problem import BinnedProblem
from sbitune.fitting.sampling.chains import Posterior

#: added to the diagonal of a correlation matrix, which rounding may leave with eigenvalues below 0
_ROUNDING = 1e-10


class Predictive(NamedTuple):
    """Draws from the posterior predictive distribution, in the order of the chains."""

    theta: np.ndarray  #: (chains, n, n_parameters) the parameters of each draw
    values: (
        np.ndarray
    )  #: (chains, n, n_bins) expected contents of the measured bins, which the model knows up to its own errors
    repeated: np.ndarray  #: (chains, n, n_bins) such contents measured again, with the errors of the data
    log_likelihood: np.ndarray  #: (chains, n, n_bins) log density of each bin's datum given those of all other bins
    chi2: np.ndarray  #: (chains, n) of the data at the parameters of each draw
    p_value: float  #: of the data


def predictive(key: jax.Array, posterior: Posterior, problem: BinnedProblem, n: int | None = None) -> Predictive:
    """Draw predictions of the measured bins: parameters from their posterior, contents with the model's errors.

    The data are one correlated measurement. What each bin adds given all others, by which models are compared without
    one bin after the other, has the mean d_i - g_i / P_ii and the variance 1 / P_ii with P = V^-1 and g = P (d - f)
    (P.-C. Buerkner, J. Gabry, A. Vehtari, arXiv:1810.10559, eq. 12).

    Args:
        key: draws the errors.
        posterior: of the problem.
        problem: what was fitted.
        n: draws of every chain, spread evenly over it; None: all.

    Raises:
        InputError: if the posterior is of other parameters, or fewer than one draw is asked for.
        ComputationError: if a prediction is not finite.
    """
    if posterior.parameters != problem.parameters:
        raise InputError("the posterior and the problem have different parameters or ranges")
    length = posterior.samples.shape[1]
    if n is not None and n < 1:
        raise InputError(f"at least one prediction must be drawn, not {n}")
    kept = length if n is None else min(n, length)
    theta = posterior.samples[:, np.arange(kept) * length // kept]
    chosen = theta.reshape(-1, theta.shape[-1])
    with problem.computing():
        measured = problem.measured
        indices, data = jnp.asarray(measured.indices), jnp.asarray(measured.values)
        base = jnp.asarray(measured.covariance(problem.correlation))

        def draw(given: tuple[Any, Any]) -> tuple[Any, ...]:
            theta, (own_normal, data_normal) = given
            mean, own = problem.model.predict(theta).mean[indices], jnp.zeros_like(base)
            if problem.model_error:
                own = problem.model.covariance(theta, indices)
            values = mean + _root(own) @ own_normal
            chi2, each = _likelihood(data - mean, base + own)
            return values, values + _root(base) @ data_normal, each, chi2

        normals = jax.random.normal(key, (len(chosen), 2, len(data)))
        drawn = jax.jit(lambda *given: jax.lax.map(draw, given))(jnp.asarray(chosen), normals)
    values, repeated, each, chi2 = (np.asarray(x).reshape(*theta.shape[:2], *x.shape[1:]) for x in drawn)
    bad = ~np.isfinite(values).all(axis=(0, 1)) | ~np.isfinite(chi2).all()
    if bad.any():
        raise ComputationError(
            f"a prediction of {measured.bins.take(np.flatnonzero(bad)[:1]).labels()[0]} is not finite"
        )
    p_value = float(np.mean(stats.chi2.sf(chi2, len(data))))
    return Predictive(theta, values, repeated, each, chi2, p_value)


def _root(covariance: Any) -> Any:
    """Lower triangle whose square is the covariance (n_bins, n_bins), which may have bins without an error."""
    error = jnp.sqrt(jnp.diag(covariance))
    scale = jnp.where(error > 0, error, 1.0)
    correlation = covariance / jnp.outer(scale, scale)
    return error[:, None] * jnp.linalg.cholesky(correlation + (_ROUNDING + (error == 0)) * jnp.eye(len(error)))


def _likelihood(r: Any, v: Any) -> tuple[Any, Any]:
    """chi2 of the residuals (n_bins,) with their covariance, and what each bin adds given all others (n_bins,)."""
    scale = jnp.sqrt(jnp.diag(v))
    triangle = jnp.linalg.cholesky(v / jnp.outer(scale, scale))
    white = jax.scipy.linalg.solve_triangular(triangle, r / scale, lower=True)
    roots = jax.scipy.linalg.solve_triangular(triangle, jnp.diag(1 / scale), lower=True)
    g, p = roots.T @ white, jnp.sum(roots**2, axis=0)
    return white @ white, 0.5 * (jnp.log(p / (2 * jnp.pi)) - g**2 / p)
