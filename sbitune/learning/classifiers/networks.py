"""Networks of classifiers: logistic regression and what is not linear, on scaled inputs.

The output is A x + b + f(x) with a fully connected network f, on scaled inputs. What a ratio has of the inputs
themselves is the larger part of many, and all of it for two normal distributions of one width; the network need not
learn it: A and b begin as those of `logistic`, f as 0. The scaling is part of the model.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from sbitune.learning.initial import WeightKeys, host_keys, kernel_init, repeat_constant, zeros_init
from sbitune.learning.keys import Keys
from sbitune.learning.networks import Fixed, Network, hidden_layers, wrap_module


@partial(jax.tree_util.register_dataclass, data_fields=["scaling", "network"], meta_fields=[])
@dataclass(frozen=True)
class Classifier:
    """Logits of x (..., n_in): (..., n_out). A pytree; made by `build_classifier`."""

    scaling: Fixed  #: (2, n_in) middle and width of the inputs
    network: Network

    def __call__(self, x: jax.Array) -> jax.Array:
        """Evaluate."""
        middle, width = self.scaling.value
        return self.network((x - middle) / width)


class LinearAndNetwork(nnx.Module):
    """A x + f(x)."""

    def __init__(self, keys: Keys, n_in: int, n_out: int, hidden: Sequence[int], activation: str) -> None:
        rngs: Any = WeightKeys(keys)
        linear = partial(nnx.Linear, kernel_init=kernel_init, bias_init=zeros_init, rngs=rngs)
        layers, width = hidden_layers(linear, n_in, hidden, activation)
        self.hidden = nnx.Sequential(*layers)
        self.last = linear(width, n_out, kernel_init=zeros_init)
        self.direct = linear(n_in, n_out, use_bias=False, kernel_init=zeros_init)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Evaluate x (..., n_in)."""
        return self.direct(x) + self.last(self.hidden(x))


def build_classifier(
    key: jax.Array | Keys,
    scaling: Any,
    n_out: int,
    hidden: Sequence[int] = (64, 64),
    activation: str = "silu",
    linear: np.ndarray | None = None,
) -> Classifier:
    """Build a classifier that says what the linear one does.

    Args:
        key: draws the initial weights. A row of keys (n_members,) gives a stack of classifiers.
        scaling: (2, n_in) middle and width of the inputs, a `Scaling`.
        n_out: number of outputs.
        hidden: width of every hidden layer.
        activation: a name in `ACTIVATIONS`.
        linear: (n_in + 1, n_out) A of scaled inputs and, last, b, as `fit_logistic` gives them; by default 0.
    """
    keys = host_keys(key)
    scaling = np.stack(scaling)
    module = LinearAndNetwork(keys, scaling.shape[1], n_out, hidden, activation)
    network = wrap_module(module)
    if linear is not None:
        weights = dict(network.weights)
        kernel, bias = np.asarray(linear[:-1], np.float32), np.asarray(linear[-1], np.float32)
        weights["direct"] = weights["direct"] | {"kernel": repeat_constant(keys, kernel)}
        weights["last"] = weights["last"] | {"bias": repeat_constant(keys, bias)}
        network = replace(network, weights=weights)
    return Classifier(Fixed(repeat_constant(keys, np.asarray(scaling, np.float32))), network)


def evaluate_members(members: Any, x: np.ndarray, at_once: int = 1 << 15) -> np.ndarray:
    """Outputs (n_members, n_events, n_out) of a stack of classifiers at x (n_events, n_in), over slices of events."""
    parts = [
        np.asarray(_evaluate(members, jnp.asarray(_fill(x[i : i + at_once], at_once))))[:, : len(x) - i]
        for i in range(0, len(x), at_once)
    ]
    return np.concatenate(parts, axis=1)


def _fill(x: np.ndarray, size: int) -> np.ndarray:
    """Up to the size of a slice, or to a power of two below it."""
    size = min(size, 1 << max(len(x) - 1, 63).bit_length())
    return np.concatenate([x, np.repeat(x[-1:], size - len(x), axis=0)]).astype(np.float32)


@jax.jit
def _evaluate(members: Any, x: jax.Array) -> jax.Array:
    return jax.vmap(lambda member: member(x))(members)
