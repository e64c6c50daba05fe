r"""Errors of fits of weighted events, which have no likelihood: the asymptotically correct form.

Events that stand for others (1 over an efficiency), or are subtracted (negative weights of a sideband, sWeights), are
fitted by the minimum of 2 [nu(p) - sum_i w_i log lambda(x_i | p)], the weighted form of the extended likelihood, or of
-2 sum_i w_i log f(x_i | p). The minimum is where it should be, but a rise by 1 is no error: with

    H = nu'' - sum_i w_i (log lambda_i)'',      D = sum_i w_i^2 (log lambda_i)' (log lambda_i)'^T

the covariance of the parameters is H^-1 D H^-1 (C. Langenbruch, "Parameter uncertainties in weighted unbinned maximum
likelihood fits", Eur. Phys. J. C 82 (2022) 393, arXiv:1911.01303; the extended form is that of a compound Poisson
number of events, of which a yield sum w_i has the error sqrt(sum w_i^2)). Weights are taken as they are: what they owe
to parameters that were fitted to the same events, as sWeights do to their shapes, is not in D. Other terms of a product
add their information to both.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

#: events whose slopes are kept at once
_SLICE = 1 << 13


def score_scatter(log_intensity: Callable[[Any, Any], Any], u: Any, prepared: Any, weights: Any) -> Any:
    """D (n_parameters, n_parameters) of a sample at coordinates u (n_parameters,). Can be traced by JAX.

    Args:
        log_intensity: from u and prepared events (n, ...) to (n,).
        u: (n_parameters,).
        prepared: arrays (n_events, ...).
        weights: (n_events,) of both signs; events of weight 0 do not count.
    """
    n, size = len(weights), min(len(weights), _SLICE)
    starts = jnp.arange(-(-n // size)) * size

    def add(total: Any, start: Any) -> tuple[Any, None]:
        rows = start + jnp.arange(size)
        inside = jnp.minimum(rows, n - 1)
        part = jax.tree.map(lambda leaf: jnp.asarray(leaf)[inside], prepared)
        w = jnp.where(rows < n, jnp.asarray(weights)[inside], 0.0)
        slopes = jax.jacfwd(lambda u: log_intensity(u, part))(u)
        slopes = jnp.where(w[:, None] != 0, slopes, 0.0)
        return total + (slopes * w[:, None] ** 2).T @ slopes, None

    return jax.lax.scan(add, jnp.zeros((len(u), len(u))), starts)[0]
