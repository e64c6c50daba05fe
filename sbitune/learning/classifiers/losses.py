"""Losses of classifiers of several classes, and of the response to a nuisance."""

from typing import Any

import jax
import jax.numpy as jnp


def class_cross_entropy(model: Any, batch: dict[str, jax.Array], key: jax.Array) -> jax.Array:
    """Cross entropy of several classes, from logits: (n_events,).

    With weights of events, the function that minimises its mean has differences of logits log(w_j p_j(x) / (w_k
    p_k(x))), with the summed weights of the classes. A label is one of 0 to n_classes - 1: others are for the caller to
    refuse.

    Args:
        model: callable, x -> logits (n_events, n_classes).
        batch: `x` (n_events, n_in) and `label` (n_events,) integers.
        key: not used.
    """
    logits = model(batch["x"])
    own = jnp.take_along_axis(logits, batch["label"][:, None], axis=1)[:, 0]
    return jax.nn.logsumexp(logits, axis=1) - own


#: each nominal event is compared at its own value of the nuisance and at so many of other events
_PAIRED = 4


def response_cross_entropy(model: Any, batch: dict[str, jax.Array], key: jax.Array) -> jax.Array:
    r"""Cross entropy of varied and nominal events with the logit sum_k nu^k g_k(x), k = 1, 2, ...: (n_events,).

    Nominal events have no nu: each is compared at several values, those of the varied events of the batch in turn. So
    both classes have one distribution of nu, and the function that minimises the mean is log p(x | nu) / p(x | 0); the
    networks g_k run once for all of them.

    Args:
        model: callable, x -> (n_events, order).
        batch: `varied` (n_events, n_in) with their `nu` (n_events,) and `varied_weight` (n_events,), `nominal`
            (n_events, n_in) with `nominal_weight` (n_events,).
        key: not used.
    """
    nu = batch["nu"]
    varied, nominal = model(batch["varied"]).T, model(batch["nominal"]).T
    loss = batch["varied_weight"] * jax.nn.softplus(-polynomial(varied, nu))
    for shift in range(_PAIRED):
        there = jnp.roll(nu, shift)
        loss += batch["nominal_weight"] * jax.nn.softplus(polynomial(nominal, there)) / _PAIRED
    return loss


def polynomial(coefficients: Any, nu: Any) -> Any:
    """sum_k nu^k c_k, k from 1, of coefficients c (order, ...) and nu (...)."""
    total = 0.0
    for c in coefficients[::-1]:
        total = nu * (total + c)
    return total
