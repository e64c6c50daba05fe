"""Attention among the particles of an event: the set transformer, and the particle transformer in small.

J. Lee et al., Set Transformer, arXiv:1810.00825; H. Qu, C. Li, S. Qian, Particle Transformer for Jet Tagging,
arXiv:2202.03772. Particles are embedded, look at each other in blocks, and are pooled twice: by the attention of a
learned seed, and by a sum, since a weighted mean cannot count.

The softmax runs over particles that there are. A set without any has no mean; what a softmax over nothing gives
elsewhere, the mean of the padding, is 0 here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sbitune.data.errors import InputError
from sbitune.learning.initial import WeightKeys, host_keys, kernel_init, repeat_constant, zeros_init
from sbitune.learning.keys import Keys
from sbitune.learning.networks import Network, build_mlp
from sbitune.learning.sets.network import SetNetwork, join_encoders
from sbitune.learning.sets.scaling import SetScaling

#: numbers of pairs of particles (n, longest, n_features) -> (n, longest, longest, n_pairs), a function of a module
Pairs = Callable[[Any], Any]


#: larger than any product of queries and keys, far from the largest number
_FAR = 1e30


def attend(query: Any, key: Any, value: Any, mask: Any, bias: Any = None) -> Any:
    """Return the mean of values with the weights of a softmax over the elements that there are; 0 where none is.

    Args:
        query: (n, n_queries, n_heads, size).
        key: (n, longest, n_heads, size).
        value: (n, longest, n_heads, size).
        mask: (n, longest).
        bias: (n, n_queries, longest, n_heads), added to the products of queries and keys.

    Returns:
        (n, n_queries, n_heads, size).
    """
    query, key, value = (jnp.swapaxes(part, 1, 2) for part in (query, key, value))
    products = query @ jnp.swapaxes(key, -1, -2) / np.sqrt(query.shape[-1])
    if bias is not None:
        products = products + jnp.moveaxis(bias, -1, 1)
    # exp of what is not there is 0, but for events in which nothing is: twice as fast as choosing with `where`
    products = products + jnp.where(mask, 0, -_FAR).astype(products.dtype)[:, None, None, :]
    weights = jnp.exp(products - jax.lax.stop_gradient(products.max(axis=-1, keepdims=True)))
    mean = (weights @ value) / weights.sum(axis=-1, keepdims=True)
    return jnp.swapaxes(jnp.where(mask.any(axis=-1)[:, None, None, None], mean, 0), 1, 2)


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["before", "to_query", "to_key_value", "back", "behind", "network"],
    meta_fields=["heads"],
)
@dataclass(frozen=True)
class Block:
    """h + attention(norm h), then that + MLP(norm of it). It starts as the identity."""

    before: tuple[Any, Any]  #: scale and shift (width,) of the normalisation before the attention
    to_query: Any  #: (width, width)
    to_key_value: Any  #: (width, 2 width)
    back: Any  #: (width, width), at first 0
    behind: tuple[Any, Any]  #: before the network
    network: Network
    heads: int

    def __call__(self, asking: Any, h: Any, mask: Any, bias: Any = None) -> Any:
        """Return (n, n_queries, width): `asking` of this shape with what it finds in h (n, longest, width)."""
        looked = normalise(h, self.before)
        query = self._heads(normalise(asking, self.before) @ self.to_query)
        key, value = (self._heads(part) for part in jnp.split(looked @ self.to_key_value, 2, axis=-1))
        mean = attend(query, key, value, mask, bias)
        asking = asking + mean.reshape(asking.shape) @ self.back
        return asking + self.network(normalise(asking, self.behind))

    def _heads(self, h: Any) -> Any:
        return h.reshape(*h.shape[:-1], self.heads, -1)


def normalise(h: Any, scale_and_shift: tuple[Any, Any]) -> Any:
    """Normalise every vector h (..., width) to mean 0 and standard deviation 1, then scale and shift it."""
    scale, shift = scale_and_shift
    mean = h.mean(axis=-1, keepdims=True)
    variance = jnp.square(h - mean).mean(axis=-1, keepdims=True)
    return (h - mean) * jax.lax.rsqrt(variance + 1e-5) * scale + shift


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["embedding", "blocks", "seed", "pool", "summed", "pair_network"],
    meta_fields=["pairs"],
)
@dataclass(frozen=True)
class AttentionEncoder:
    """Blocks of attention among particles, and their pooling: (n, 2 width)."""

    embedding: Network
    blocks: tuple[Block, ...]
    seed: Any  #: (width,) what asks at the end
    pool: Block  #: whose query the seed is
    summed: Network  #: of a particle at the end, summed
    pair_network: Network | None  #: numbers of a pair -> bias of every head
    pairs: Pairs | None

    def __call__(self, particles: Any, raw: Any, mask: Any, typical: Any) -> jax.Array:
        """Return (n, 2 width). See `SumEncoder`; pairs are made of particles as they came."""
        h = self.embedding(particles)
        bias = None
        if self.pairs is not None and self.pair_network is not None:
            both = mask[:, :, None] & mask[:, None, :]
            # of pairs with what is filled up nothing is asked, and they may be infinite
            bias = self.pair_network(jnp.where(both[..., None], self.pairs(raw), 0))
        for block in self.blocks:
            h = block(h, h, mask, bias)
        seed = jnp.broadcast_to(self.seed, (len(h), 1, self.seed.shape[-1]))
        asked = self.pool(seed, h, mask)[:, 0]
        summed = jnp.where(mask[..., None], self.summed(h), 0).sum(axis=-2) / jnp.sqrt(typical)
        # without particles there is nothing but the seed
        return jnp.concatenate([jnp.where(mask.any(axis=-1, keepdims=True), asked, 0), summed], axis=-1)


def build_set_attention(
    key: jax.Array | Keys,
    scaling: SetScaling,
    n_out: int = 1,
    *,
    width: int = 32,
    heads: int = 4,
    blocks: int = 2,
    head: Sequence[int] = (64, 64),
    activation: str = "silu",
    pairs: Pairs | None = None,
    n_pairs: int = 0,
) -> SetNetwork:
    """Build a network of attention among particles, in float32. What it takes grows as longest^2.

    Args:
        key: draws the initial weights. A row of keys (n_members,) gives a stack of networks.
        scaling: of `set_scaling`; says the numbers of features, flat columns and parameters.
        n_out: numbers of an event, the last layer is linear.
        width: numbers of a particle between layers.
        heads: of every attention; must divide the width.
        blocks: of attention among the particles.
        head: layers of the network of the event.
        activation: a name in `networks.ACTIVATIONS`.
        pairs: makes `n_pairs` numbers of every pair of particles, angles and masses say, from which a network makes
            what is added to the products of queries and keys. It is compiled in: a function of a module.
        n_pairs: see `pairs`.

    Raises:
        InputError: heads that do not divide the width.
    """
    if width % heads:
        raise InputError(f"a width of {width} cannot be dealt to {heads} heads: take a multiple of {heads}")
    keys = host_keys(key)
    given = keys.split(len(scaling.particles) + 1)
    bias = (pairs, n_pairs)
    encoders = tuple(
        _encoder(given.take(i + 1), len(scale.shift), width, heads, blocks, activation, bias)
        for i, scale in enumerate(scaling.particles)
    )
    widths = tuple(2 * width for _ in encoders)
    return join_encoders(given.take(0), scaling, encoders, widths, n_out, tuple(head), activation, True)


def _encoder(
    keys: Keys, n_features: int, width: int, heads: int, n_blocks: int, activation: str, bias: tuple[Pairs | None, int]
) -> AttentionEncoder:
    given = keys.split(n_blocks + 5)
    pairs, n_pairs = bias
    return AttentionEncoder(
        embedding=build_mlp(given.take(0), n_features, width, (width,), activation),
        blocks=tuple(_block(given.take(5 + i), width, heads, activation) for i in range(n_blocks)),
        seed=kernel_init(given.take(1), (width,), jnp.float32),
        pool=_block(given.take(2), width, heads, activation),
        summed=build_mlp(given.take(3), width, width, (), activation),
        pair_network=None if pairs is None else build_mlp(given.take(4), n_pairs, heads, (width,), activation),
        pairs=pairs,
    )


def _block(keys: Keys, width: int, heads: int, activation: str) -> Block:
    draw = WeightKeys(keys)

    def norm() -> tuple[Any, Any]:
        return repeat_constant(keys, np.ones(width, np.float32)), zeros_init(keys, (width,), np.float32)

    return Block(
        before=norm(),
        to_query=kernel_init(draw.params(), (width, width), np.float32),
        to_key_value=kernel_init(draw.params(), (width, 2 * width), np.float32),
        back=zeros_init(keys, (width, width), np.float32),
        behind=norm(),
        network=build_mlp(draw.params(), width, width, (2 * width,), activation),
        heads=heads,
    )
