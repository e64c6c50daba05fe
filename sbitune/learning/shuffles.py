"""Random orders and keys for many members, without a program compiled for every number of members or events.

`jax.random.permutation(key, n)` compiles anew for every n, and its sort takes a fifth of an epoch of small networks.
Here numbers are drawn in blocks of one size and NumPy sorts them. The orders are those of `jax.random.permutation`.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np

#: numbers that are drawn by one call: with half as many ensembles take longer, with twice as many single networks
_BLOCK = 8192
#: events that are shuffled at once, of several epochs where they have few: so a call's own time does not count
_AT_ONCE = 65536


class Keys(NamedTuple):
    """A row of random keys in the memory of the host."""

    words: np.ndarray  #: (n_keys, n_words) uint32
    kind: Any  #: what `jax.random.key_impl` says of them

    @classmethod
    def of(cls, keys: jax.Array) -> "Keys":
        """Take typed keys (n_keys,), or one."""
        words = np.asarray(jax.random.key_data(keys))
        return cls(words.reshape(-1, words.shape[-1]), jax.random.key_impl(keys))

    def fold(self, numbers: np.ndarray | int) -> "Keys":
        """`jax.random.fold_in` of every key with its number of `numbers` (n_keys,).

        Of a key that `jax.random.split` would split, those of 0, 1, ... are the parts, however many there are.
        """
        words, n = self.words, len(self.words)
        numbers = np.broadcast_to(np.asarray(numbers, np.uint32), n)
        folded = np.empty_like(words)
        for start in range(0, n, _BLOCK):
            block, counts = words[start : start + _BLOCK], numbers[start : start + _BLOCK]
            k = len(block)
            if k < _BLOCK:
                block, counts = np.resize(block, (_BLOCK, words.shape[1])), np.resize(counts, _BLOCK)
            folded[start : start + k] = np.asarray(_fold(block, counts, kind=self.kind))[:k]
        return Keys(folded, self.kind)

    def repeat(self, n: int) -> "Keys":
        """Every key `n` times."""
        return Keys(np.repeat(self.words, n, axis=0), self.kind)

    def __len__(self) -> int:
        return len(self.words)


@partial(jax.jit, static_argnames="kind")
def _fold(words: jax.Array, numbers: jax.Array, *, kind: Any) -> jax.Array:
    keys = jax.random.wrap_key_data(words, impl=kind)
    return jax.random.key_data(jax.vmap(jax.random.fold_in)(keys, numbers))


def permute(keys: Keys, n: int) -> np.ndarray:
    """Return what `jax.random.permutation(key, n)` is of every key: (n_keys, n) int32."""
    order = None
    # more than one round of sorting where 32 bits often give two of n events the same number
    for _ in range(int(np.ceil(3 * np.log(max(n, 2)) / np.log(np.iinfo(np.uint32).max)))):
        places = _sort_randomly(keys.fold(1), n)
        keys = keys.fold(0)
        order = places if order is None else np.take_along_axis(order, places, axis=1)
    assert order is not None
    return order


def _sort_randomly(keys: Keys, n: int) -> np.ndarray:
    """Sort the numbers from 0 to n by random ones of every key: (n_keys, n) int32."""
    words = keys.repeat(n).fold(np.tile(np.arange(n, dtype=np.uint32), len(keys))).words
    drawn = np.bitwise_xor.reduce(words, axis=1).reshape(len(keys), n)  # these are `jax.random.bits`
    # equal numbers stay in their order, as the place stands behind the number
    packed = (drawn.astype(np.uint64) << np.uint64(32)) | np.arange(n, dtype=np.uint64)
    packed.sort(axis=1)
    return packed.astype(np.uint32).astype(np.int32)


def shuffle_epochs(keys: Keys, rows: np.ndarray, n_epochs: int) -> Iterator[np.ndarray]:
    """Shuffle the rows (n_members, n) of every member anew for each epoch, by its key of `keys` (n_members,).

    The order of an epoch depends on nothing but the key, the number of the epoch and n.
    """
    n_members, n = rows.shape
    at_once = max(1, _AT_ONCE // rows.size)
    for start in range(0, n_epochs, at_once):
        numbers = np.arange(start, min(start + at_once, n_epochs))
        of_epochs = Keys(np.tile(keys.words, (len(numbers), 1)), keys.kind).fold(np.repeat(numbers, n_members))
        for order in permute(of_epochs.fold(0), n).reshape(-1, n_members, n):
            yield np.take_along_axis(rows, order, axis=1)
