"""Losses: functions `(model, batch, key) -> scalar`, a mean over the events of the batch.

A batch is a dictionary of arrays with the events along the first axis. A family of methods writes its own loss beside
its method; here are those that several share.
"""

from typing import Any

import jax
import jax.numpy as jnp


def chi2_loss(model: Any, batch: dict[str, jax.Array], key: jax.Array) -> jax.Array:
    """Mean of ((y - model(x)) / error)^2.

    For Gaussian errors this is the negative log likelihood up to constants; its minimum over all functions is the
    conditional mean of y, weighted with 1/error^2.

    Args:
        model: callable, x -> (n_events, ...) as y.
        batch: `x` (n_events, n_in), `y` (n_events, ...) and `error` like y, positive.
        key: not used.
    """
    return jnp.mean(((batch["y"] - model(batch["x"])) / batch["error"]) ** 2)


def binary_cross_entropy(model: Any, batch: dict[str, jax.Array], key: jax.Array) -> jax.Array:
    """Weighted cross entropy of two classes, from logits.

    Its minimum over all functions is the logit log(w1 p(x|1) / (w0 p(x|0))), with the summed weights of the classes.

    Args:
        model: callable, x -> logits (n_events,) or (n_events, 1).
        batch: `x` (n_events, n_in), `label` (n_events,) 0 or 1 and optionally `weight` (n_events,), which may be
            negative. The mean divides by the number of events and not by the sum of the weights, which fluctuates
            from batch to batch.
        key: not used.
    """
    logits = model(batch["x"]).reshape(batch["label"].shape)
    # log(1 + exp(-logit)) for label 1 and log(1 + exp(logit)) for label 0, without overflow
    loss = jax.nn.softplus(jnp.where(batch["label"] > 0.5, -logits, logits))
    return jnp.mean(batch["weight"] * loss if "weight" in batch else loss)


def negative_log_likelihood(model: Any, batch: dict[str, jax.Array], key: jax.Array) -> jax.Array:
    """Mean of -log q(y | x), the density that a model such as a flow assigns.

    Its minimum over all densities is the conditional density p(y | x) of the events: the difference to it is the mean
    Kullback-Leibler divergence.

    Args:
        model: with `log_prob(y, x) -> (n_events,)`.
        batch: `x` (n_events, n_in) and `y` (n_events, n_out).
        key: not used.
    """
    return -jnp.mean(model.log_prob(batch["y"], batch["x"]))
