"""What a posterior is sampled from: the likelihood in coordinates without limits, with its derivatives.

The prior is uniform between the limits of the fit. With z = logit((u - low) / (high - low)), numpyro's own transform,
the density of z is L(u(z)) |du/dz|; its negative logarithm is the potential of Hamiltonian Monte Carlo.

Derivatives of a Gaussian likelihood need no derivative of a Cholesky decomposition: with P = V^-1 and q = P r,

    d(r^T P r + log det V) = 2 q^T dr + tr[(P - q q^T) dV],

which compiles and runs in about half the time.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import jax.scipy.linalg as jsl
import numpy as np

from sbitune.fitting.objective import Numbers, Objective


@jax.custom_vjp
def gaussian(r: Any, v: Any) -> Any:
    """r^T V^-1 r + log det V for residuals r (n,) and their covariance V (n, n)."""
    return _gaussian_forward(r, v)[0]


def _gaussian_forward(r: Any, v: Any) -> tuple[Any, tuple[Any, Any]]:
    triangle = jnp.linalg.cholesky(v)
    inverse = jsl.solve_triangular(triangle, jnp.eye(len(r), dtype=v.dtype), lower=True)
    white = inverse @ r
    value = white @ white + 2 * jnp.sum(jnp.log(jnp.diag(triangle)))
    return value, (white @ inverse, inverse.T @ inverse)


def _gaussian_backward(kept: tuple[Any, Any], change: Any) -> tuple[Any, Any]:
    q, p = kept
    return 2 * change * q, change * (p - jnp.outer(q, q))


gaussian.defvjp(_gaussian_forward, _gaussian_backward)


def minus_two_log_density(objective: Objective, numbers: Numbers) -> Callable[[Any], Any]:
    """-2 log L as a function of u (n_parameters,), counted from log det V where V is held, which JAX can trace.

    The same number as `minus_two_log_likelihood` where the objective is a likelihood; with V held otherwise.
    """
    model, frame = objective.problem.model, objective.frame
    low, half = jnp.asarray(frame.low), jnp.asarray(frame.half)
    inverse = jnp.asarray(objective.inverse)
    constant = 2 * jnp.sum(jnp.log(numbers.scale)) - numbers.log_determinant

    def moving(u: Any) -> Any:
        theta = low + (u + 1) * half
        r = (model.predict(theta).mean[numbers.indices] - numbers.values) / numbers.scale
        v = numbers.base + model.covariance(theta, numbers.indices)
        return gaussian(r, v / jnp.outer(numbers.scale, numbers.scale)) + constant

    def held(u: Any) -> Any:
        r = model.predict(low + (u + 1) * half).mean[numbers.indices] - numbers.values
        return r @ inverse @ r

    return moving if objective.is_likelihood else held


@dataclass(frozen=True, eq=False)
class Target:
    """A posterior in coordinates z (n_free,) without limits. Use it inside `jax.enable_x64`."""

    potential: Callable[[Any], Any]  #: z -> -log density of z
    to_unit: Callable[[Any], Any]  #: z -> u (n_parameters,), fixed parameters at their values
    from_free: Callable[[Any], Any]  #: u (..., n_free) of the free parameters, inside the limits -> z (..., n_free)
    log_slopes: Callable[[Any], Any]  #: z -> log du/dz (n_free,); -2 log L is twice the potential and their sum


def make_target(objective: Objective) -> Target:
    """The posterior of a problem, with V held where the objective holds it, if it is held at all."""
    biject = import_numpyro().distributions.biject_to
    interval = import_numpyro().distributions.constraints.interval
    frame = objective.frame
    free = np.flatnonzero(~frame.fixed)
    low, high = (jnp.asarray(end) for end in frame.limits[free].T)
    transform, centre = biject(interval(low, high)), jnp.asarray(frame.centre)
    density = minus_two_log_density(objective, objective.numbers())

    def to_unit(z: Any) -> Any:
        return centre.at[free].set(transform(z))

    def log_slopes(z: Any) -> Any:
        return transform.log_abs_det_jacobian(z, transform(z))

    return Target(
        potential=lambda z: 0.5 * density(to_unit(z)) - jnp.sum(log_slopes(z)),
        to_unit=to_unit,
        from_free=lambda u: transform.inv(jnp.asarray(u)),
        log_slopes=log_slopes,
    )


def import_numpyro() -> Any:
    """Import numpyro; the warnings filter that it adds on import is taken away again."""
    with warnings.catch_warnings():
        import numpyro
        import numpyro.diagnostics
        import numpyro.infer
    return numpyro
