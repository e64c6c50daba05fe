"""Random keys: typed, explicit, first argument; and rows of them, from which the host draws numbers.

What JAX draws compiles anew for every shape, half a second for each. Here numbers are drawn in blocks of one size,
whatever they are for: the same numbers, as JAX draws every one from its key and its place alone.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

#: numbers that are drawn by one call: with half as many ensembles take longer, with twice as many single networks
_BLOCK = 8192


class Keys(NamedTuple):
    """Random keys in the memory of the host, of any shape (...,)."""

    words: np.ndarray  #: (..., n_words) uint32
    kind: Any  #: what `jax.random.key_impl` says of them; None: nothing is drawn, see `for_shapes`

    @classmethod
    def of(cls, keys: jax.Array) -> "Keys":
        """Take typed keys."""
        return cls(np.asarray(jax.random.key_data(keys)), jax.random.key_impl(keys))

    @classmethod
    def for_shapes(cls, n: int) -> "Keys":
        """Return `n` that draw nothing: a model that is built with them says the shapes of its arrays, and takes no
        memory.
        """
        return cls(np.zeros((n, 0), np.uint32), None)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the keys."""
        return self.words.shape[:-1]

    def row(self) -> "Keys":
        """Return them along one axis."""
        return Keys(self.words.reshape(-1, self.words.shape[-1]), self.kind)

    def take(self, i: int) -> "Keys":
        """Return number `i` of the last axis."""
        return Keys(self.words[..., i, :], self.kind)

    def fold(self, numbers: np.ndarray | int) -> "Keys":
        """Return `jax.random.fold_in` of every key with its number of `numbers`, which may have more axes in front."""
        n_words = self.words.shape[-1]
        shape = np.broadcast_shapes(self.shape, np.shape(numbers))
        words = np.broadcast_to(self.words, (*shape, n_words))
        if self.kind is None:
            return Keys(words, None)
        words = words.reshape(-1, n_words)
        numbers = np.broadcast_to(np.asarray(numbers, np.uint32), shape).reshape(-1)
        folded = np.empty_like(words)
        for start in range(0, len(words), _BLOCK):
            part = slice(start, min(start + _BLOCK, len(words)))
            n = part.stop - start
            block, counts = np.zeros((_BLOCK, n_words), np.uint32), np.zeros(_BLOCK, np.uint32)
            block[:n], counts[:n] = words[part], numbers[part]
            folded[part] = np.asarray(_fold(block, counts, kind=self.kind))[:n]
        return Keys(folded.reshape(*shape, n_words), self.kind)

    def split(self, n: int) -> "Keys":
        """Return `jax.random.split(key, n)` of every key: (..., n)."""
        return Keys(self.words[..., None, :], self.kind).fold(np.arange(n))

    def bits(self, n: int) -> np.ndarray:
        """Return `jax.random.bits(key, (n,))` of every key: (..., n) uint32."""
        words = self.split(n).words  # of which keys of other kinds than JAX's usual have more, the same once more
        return words[..., 0] ^ words[..., 1]


@partial(jax.jit, static_argnames="kind")
def _fold(words: jax.Array, numbers: jax.Array, *, kind: Any) -> jax.Array:
    keys = jax.random.wrap_key_data(words, impl=kind)
    return jax.random.key_data(jax.vmap(jax.random.fold_in)(keys, numbers))


def check_key(key: Any, ndim: int = 0) -> jax.Array:
    """Return `key` if it is a typed key with `ndim` axes; raise TypeError with the remedy otherwise."""
    if not is_key(key):
        raise TypeError(f"need a typed random key such as jax.random.key(1), got {type(key).__name__}")
    if key.ndim != ndim:
        wanted = "one key" if ndim == 0 else "a row of keys, such as jax.random.split(key, n)"
        raise TypeError(f"need {wanted}, got keys of shape {key.shape}")
    return key


def is_key(array: Any) -> bool:
    """Whether it is an array of typed keys."""
    return isinstance(array, jax.Array) and jnp.issubdtype(array.dtype, jax.dtypes.prng_key)
