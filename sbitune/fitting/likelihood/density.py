"""The Gaussian likelihood as JAX traces it: for samplers, for many points at once, and as a term of a product.

The derivatives need none of a Cholesky decomposition: with P = V^-1 and q = P r,

    d(r^T P r + log det V) = 2 q^T dr + tr[(P - q q^T) dV],

which compiles and runs in about half the time. `gaussian.GaussianObjective` has the same numbers by LAPACK.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import jax.scipy.linalg as jsl

from sbitune.fitting.likelihood.protocols import BinnedModel


class Numbers(NamedTuple):
    """The numbers of a likelihood, all arrays, so that one compiled function serves every data set of a model."""

    indices: Any  #: (n_bins,) of the model's bins
    values: Any  #: (n_bins,) measured
    base: Any  #: (n_bins, n_bins) V_d
    model_error: Any  #: 1 if the model's error counts, else 0
    scale: Any  #: (n_bins,) in whose units V is decomposed: square roots of its diagonal somewhere
    log_determinant: Any  #: -2 log L is counted from there


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


def minus_two_log_likelihood(model: BinnedModel, theta: Any, numbers: Numbers) -> Any:
    """-2 log L of unit weights at theta (n_parameters,), counted from `numbers.log_determinant`, traceable."""
    r = (model.predict(theta).mean[numbers.indices] - numbers.values) / numbers.scale
    v = numbers.base + numbers.model_error * model.covariance(theta, numbers.indices)
    constant = 2 * jnp.sum(jnp.log(numbers.scale)) - numbers.log_determinant
    return gaussian(r, v / jnp.outer(numbers.scale, numbers.scale)) + constant


@functools.lru_cache(maxsize=8)
def at_unit(model: BinnedModel) -> Callable[..., Any]:
    """-2 log L of a model at scaled coordinates, data and box before: one function for all its data sets."""

    def moving(low: Any, half: Any, numbers: Numbers, u: Any) -> Any:
        return minus_two_log_likelihood(model, low + (u + 1) * half, numbers)

    return moving


@functools.lru_cache(maxsize=8)
def chi2_at_unit(model: BinnedModel) -> Callable[..., Any]:
    """The same for the chi2 of unit weights with V^-1 (n_bins, n_bins) held."""

    def standing(low: Any, half: Any, numbers: Numbers, inverse: Any, u: Any) -> Any:
        r = model.predict(low + (u + 1) * half).mean[numbers.indices] - numbers.values
        return r @ inverse @ r

    return standing


@functools.lru_cache(maxsize=8)
def many_points(model: BinnedModel) -> Callable[..., Any]:
    """(n,) -2 log L at scaled points (n, n_parameters), after box and data, compiled once for a model."""
    return jax.jit(jax.vmap(at_unit(model), in_axes=(None, None, None, 0)))
