"""Networks: described with flax.nnx, split once into a graph and arrays, from then on plain pytrees.

A model for `train` is any pytree: a `Network`, a dictionary of them, a dataclass of your own. Its floating-point
arrays are trained, except those wrapped in `Fixed`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from sbitune.learning.initial import WeightKeys, host_keys, kernel_init, zeros_init
from sbitune.learning.keys import Keys

ACTIVATIONS: dict[str, Callable[[jax.Array], jax.Array]] = {
    "gelu": jax.nn.gelu,
    "relu": jax.nn.relu,
    "silu": jax.nn.silu,
    "tanh": jnp.tanh,
}


@partial(jax.tree_util.register_dataclass, data_fields=["value"], meta_fields=[])
@dataclass(frozen=True)
class Fixed:
    """Arrays that belong to a model but are not trained: scales, masks, indices."""

    value: Any  #: any pytree of arrays


@partial(jax.tree_util.register_dataclass, data_fields=["weights", "constants"], meta_fields=["graph"])
@dataclass(frozen=True)
class Network:
    """A flax module as a pytree: call it as the module. Made by `wrap_module`."""

    graph: Any  #: the module without its arrays, as `flax.nnx.split` returns it
    weights: Any  #: trained arrays, nested dictionaries by name
    constants: Fixed  #: the module's other arrays

    def __call__(self, *arguments: Any) -> Any:
        """Evaluate the module, for example on x (n_events, n_in)."""
        return nnx.merge(self.graph, nnx.State(self.weights), nnx.State(self.constants.value))(*arguments)


def wrap_module(module: nnx.Module) -> Network:
    """Split a flax module into graph and arrays, once; nothing of nnx is needed afterwards."""
    graph, weights, constants = nnx.split(module, nnx.Param, ...)
    return Network(graph, nnx.to_pure_dict(weights), Fixed(nnx.to_pure_dict(constants)))


def build_mlp(
    key: jax.Array | Keys, n_in: int, n_out: int, hidden: Sequence[int] = (64, 64), activation: str = "silu"
) -> Network:
    """Build a fully connected network x (..., n_in) -> (..., n_out) in float32.

    Args:
        key: draws the initial weights (LeCun normal). A row of keys (n_members,) gives a stack of networks: the same
            pytree with a first axis of members on every array.
        n_in: number of inputs.
        n_out: number of outputs; the last layer is linear.
        hidden: width of every hidden layer.
        activation: a name in `ACTIVATIONS`.
    """
    keys: Any = WeightKeys(host_keys(key))
    linear = partial(nnx.Linear, kernel_init=kernel_init, bias_init=zeros_init, rngs=keys)
    layers, width = hidden_layers(linear, n_in, hidden, activation)
    return wrap_module(nnx.Sequential(*layers, linear(width, n_out)))


def with_zero_output(network: Network) -> Network:
    """A network of `build_mlp` whose output starts as 0: with a last layer of zeros."""
    layers = dict(network.weights["layers"])
    last = max(layers)
    layers[last] = jax.tree.map(jnp.zeros_like, layers[last])
    return replace(network, weights={**network.weights, "layers": layers})


def hidden_layers(
    linear: Callable[[int, int], Any], n_in: int, hidden: Sequence[int], activation: str
) -> tuple[list[Callable[..., Any]], int]:
    """Layers of these widths, each `linear(n_in, n_out)` and an activation, and the width of the last."""
    layers: list[Callable[..., Any]] = []
    for width in hidden:
        layers += [linear(n_in, width), ACTIVATIONS[activation]]
        n_in = width
    return layers, n_in


def split_trained(model: Any) -> tuple[list[jax.Array], Callable[[list[Any]], Any]]:
    """Return the trained arrays of a model, and the function that puts others in their place."""
    leaves, structure = jax.tree.flatten(model, is_leaf=lambda node: isinstance(node, Fixed))
    places = [
        i for i, leaf in enumerate(leaves) if not isinstance(leaf, Fixed) and jnp.issubdtype(leaf.dtype, jnp.inexact)
    ]

    def merge(trained: list[Any]) -> Any:
        merged = list(leaves)
        for place, array in zip(places, trained, strict=True):
            merged[place] = array
        return jax.tree.unflatten(structure, merged)

    return [leaves[place] for place in places], merge
