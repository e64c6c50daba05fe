"""Random orders of events for many members, those of `jax.random.permutation`.

That compiles anew for every number of events, and its sort takes a fifth of an epoch of small networks. Here the host
draws the numbers, see `keys`, and NumPy sorts them.
"""

from collections.abc import Iterator

import numpy as np

from sbitune.learning.keys import Keys

#: events that are shuffled at once, of several epochs where they have few: so a call's own time does not count
_AT_ONCE = 65536


def permute(keys: Keys, n: int) -> np.ndarray:
    """Return what `jax.random.permutation(key, n)` is of every key (...,): (..., n) int32."""
    order = None
    # more than one round of sorting where 32 bits often give two of n events the same number
    for _ in range(int(np.ceil(3 * np.log(max(n, 2)) / np.log(np.iinfo(np.uint32).max)))):
        places = _sort(keys.fold(1).bits(n))
        keys = keys.fold(0)
        order = places if order is None else np.take_along_axis(order, places, axis=-1)
    assert order is not None
    return order


def shuffle_epochs(keys: Keys, rows: np.ndarray, n_epochs: int) -> Iterator[np.ndarray]:
    """Shuffle the rows (n_members, n) of every member anew for each epoch, by its key of `keys` (n_members,).

    The order of an epoch depends on nothing but the key, the number of the epoch and n.
    """
    at_once = max(1, _AT_ONCE // rows.size)
    for start in range(0, n_epochs, at_once):
        epochs = np.arange(start, min(start + at_once, n_epochs))
        for order in permute(keys.fold(epochs[:, None]).fold(0), rows.shape[1]):
            yield np.take_along_axis(rows, order, axis=1)


def _sort(drawn: np.ndarray) -> np.ndarray:
    """Return the places of uint32 numbers (..., n) in rising order; equal ones stay in theirs."""
    # the place stands behind the number: one sort of 64 bits is faster than a stable one of places
    packed = (drawn.astype(np.uint64) << np.uint64(32)) | np.arange(drawn.shape[-1], dtype=np.uint64)
    packed.sort(axis=-1)
    return packed.astype(np.uint32).astype(np.int32)
