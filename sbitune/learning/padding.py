"""Sizes up to which arrays are filled, so that one compiled program serves many numbers of members and events.

What is filled in repeats what is there and has weight 0: it changes no number, and costs what it takes to compute. So
arrays that only take memory go up to the next power of two, and those that are computed with by an eighth or a quarter
at most.
"""

from typing import Any

import numpy as np

from sbitune.learning.keys import is_key

#: rows up to which twice the memory is of no account
MANY = 1 << 16


def padded_size(n: int, parts: int = 1, least: int = 1) -> int:
    """The smallest size that is not below `n`, of `parts` sizes between a power of two and the next.

    >>> [padded_size(n) for n in (1, 3, 64, 65)], [padded_size(n, parts=4) for n in (5, 33, 41, 200)]
    ([1, 4, 64, 128], [5, 40, 48, 224])
    """
    n = max(n, least)
    step = max(1, (1 << max(n - 1, 0).bit_length() >> 1) // parts)
    return -(-n // step) * step


def pad_members(n: int) -> int:
    """The number of members for `n`: the same up to 16, and at most an eighth more."""
    return padded_size(n, parts=8)


def pad_rows(n: int) -> int:
    """The number of rows for `n` that are only looked up: a power of two, or at most an eighth more of very many."""
    return padded_size(n, parts=1 if n <= MANY else 8, least=64)


def pad_first(array: Any, size: int) -> Any:
    """Fill the first axis up to `size` with the last entry. Nothing is compiled, but for random keys."""
    if len(array) == size:
        return array
    places = np.minimum(np.arange(size), len(array) - 1)
    return array[places] if is_key(array) else np.asarray(array)[places]
