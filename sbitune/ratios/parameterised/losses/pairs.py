"""Events in rows, as the losses take them: an event of some theta beside one of the reference.

A row has an event x of p(x | theta) with its theta, and an event x' of the reference. Theta of other rows of the same
batch are as good for x' as any: batches are shuffled at every epoch, so x' meets others at every step.
"""

from typing import Any

from sbitune.ratios.parameterised.kinds.kind import all_pairs


def block_size(n: int, most: int) -> int:
    """The largest divisor of n that is not above `most`."""
    return next(size for size in range(min(n, most), 0, -1) if n % size == 0)


def in_blocks(array: Any, size: int) -> Any:
    """(n, ...) as (n / size, size, ...)."""
    return array.reshape(-1, size, *array.shape[1:])


def pairs_in_blocks(network: Any, embedded: Any, prepared: Any, size: int) -> Any:
    """Log r (n / size, x, theta) of all pairs in blocks of `size` rows."""
    return all_pairs(network, in_blocks(embedded, size), in_blocks(prepared, size))
