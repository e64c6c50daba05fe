"""Losses: functions `(model, batch, key) -> (n_events,)`, of every event of a batch by itself.

`train` weights them and takes the mean over the events, which is what is minimised. A batch is a dictionary of arrays
with the events along the first axis. A family of methods writes its own loss beside its method; here are those that
several share.
"""

from typing import Any

import jax
import jax.numpy as jnp


def chi2_loss(model: Any, batch: dict[str, jax.Array], key: jax.Array) -> jax.Array:
    """((y - model(x)) / error)^2, its mean over the numbers of an event: (n_events,).

    For Gaussian errors this is the negative log likelihood up to constants; the function that minimises its mean over
    events is the conditional mean of y, weighted with 1/error^2.

    Args:
        model: callable, x -> (n_events, ...) as y.
        batch: `x` (n_events, n_in), `y` (n_events, ...) and `error` like y, positive.
        key: not used.
    """
    pulls = (batch["y"] - model(batch["x"])) / batch["error"]
    return jnp.mean(pulls.reshape(len(pulls), -1) ** 2, axis=1)


def binary_cross_entropy(model: Any, batch: dict[str, jax.Array], key: jax.Array) -> jax.Array:
    """Cross entropy of two classes, from logits: (n_events,).

    With weights of events, the function that minimises its mean is the logit log(w1 p(x|1) / (w0 p(x|0))), with the
    summed weights of the classes.

    Args:
        model: callable, x -> logits (n_events,) or (n_events, 1).
        batch: `x` (n_events, n_in) and `label` (n_events,) 0 or 1.
        key: not used.
    """
    logits = model(batch["x"]).reshape(batch["label"].shape)
    # log(1 + exp(-logit)) for label 1 and log(1 + exp(logit)) for label 0, without overflow
    return jax.nn.softplus(jnp.where(batch["label"] > 0.5, -logits, logits))


def negative_log_likelihood(model: Any, batch: dict[str, jax.Array], key: jax.Array) -> jax.Array:
    """-log q(y | x), the density that a model such as a flow assigns: (n_events,).

    The density that minimises its mean is the conditional density p(y | x) of the events: the difference to it is the
    mean Kullback-Leibler divergence.

    Args:
        model: with `log_prob(y, x) -> (n_events,)`.
        batch: `x` (n_events, n_in) and `y` (n_events, n_out).
        key: not used.
    """
    return -model.log_prob(batch["y"], batch["x"])
