"""Which events train and which validate: at random, by folds, by folds of groups, drawn with replacement.

Here every member has its own; one split for all members, which knows groups, is in `splits.py`.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np

from sbitune.data.errors import InputError
from sbitune.learning.keys import Keys, check_key
from sbitune.learning.loop.shuffles import permute
from sbitune.learning.padding import pad_first, pad_members, pad_rows


class Rows(NamedTuple):
    """Which events train and which validate, for every member of a stack."""

    train: Any  #: (n_members, n_train) indices; repeated ones weigh more (bootstrap)
    validation: Any  #: (n_members, n_validation) indices


def split_rows(keys: Keys, n_events: int, validation_fraction: float) -> Rows:
    """Split the events at random, anew for every key (n_members,). At least one event is on either side.

    Raises `InputError` for less than two events.
    """
    if n_events < 2:
        raise InputError(f"{n_events} events cannot be split into training and validation")
    n_validation = min(max(1, round(validation_fraction * n_events)), n_events - 1)
    order = permute(keys, n_events)
    return Rows(order[:, n_validation:], order[:, :n_validation])


def bootstrap_rows(keys: jax.Array, rows: Rows) -> Rows:
    """Draw every member's training events with replacement from its own; validation events stay as they are.

    The spread of members trained on these estimates the statistical error of one of them.
    """
    given = Keys.of(check_key(keys, ndim=1))
    if len(rows.train) != len(given.words):
        raise InputError(f"{len(given.words)} keys for the rows of {len(rows.train)} members")
    n_train = rows.train.shape[1]
    size = pad_rows(n_train)
    drawn = np.asarray(
        _draw(pad_first(given.words, pad_members(len(given.words))), n_train, size=size, kind=given.kind)
    )
    drawn = drawn[: len(given.words), :n_train]
    return Rows(np.take_along_axis(np.asarray(rows.train), drawn, axis=1), rows.validation)


def fold_rows(key: jax.Array, n_events: int, n_members: int) -> Rows:
    """Deal the events into `n_members` equal parts: member i validates on part i and trains on all others.

    With `n_members` parts of floor(n_events / n_members) events; the few left over train everywhere.
    """
    size = n_events // n_members
    if n_members < 2 or size == 0:
        raise InputError(f"{n_events} events cannot be dealt to {n_members} members: need 2 to {n_events} members")
    order = permute(Keys.of(check_key(key)), n_events)
    held = [np.arange(i * size, (i + 1) * size) for i in range(n_members)]
    return Rows(
        np.stack([order[np.delete(np.arange(n_events), part)] for part in held]),
        np.stack([order[part] for part in held]),
    )


def fold_groups(key: jax.Array, groups: np.ndarray, n_members: int) -> Rows:
    """The same of events (n,) of which those with the same number are not independent: they go to one part.

    Parts need not be of one size then; the shorter ones begin again until they are as long as the longest.
    """
    numbers, place = np.unique(groups, return_inverse=True)
    if not 2 <= n_members <= len(numbers):
        raise InputError(f"{len(numbers)} groups cannot be dealt to {n_members} members: need 2 to as many members")
    order = permute(Keys.of(check_key(key)), len(numbers))
    part = (order % n_members)[place.reshape(-1)]
    held = [np.flatnonzero(part == i) for i in range(n_members)]
    others = [np.flatnonzero(part != i) for i in range(n_members)]
    return Rows(*(np.stack([np.resize(rows, max(map(len, parts))) for rows in parts]) for parts in (others, held)))


def check_rows(rows: Rows, n_members: int, n_events: int) -> Rows:
    """Return them as int32. Raises `InputError` if they are not of so many members, or point elsewhere."""
    for name, index in zip(Rows._fields, rows, strict=True):
        if index.ndim != 2 or index.shape[0] != n_members or index.shape[1] == 0:
            raise InputError(f"{name} rows have shape {index.shape}, expected ({n_members}, at least 1)")
        if index.min() < 0 or index.max() >= n_events:
            raise InputError(f"{name} rows point outside the {n_events} events")
    return Rows(*(np.asarray(index, np.int32) for index in rows))


@partial(jax.jit, static_argnames=("size", "kind"))
def _draw(words: Any, below: Any, *, size: int, kind: Any) -> Any:
    """Draw (n_members, size) integers below a number: `size` changes none of them."""
    keys = jax.random.wrap_key_data(words, impl=kind)
    return jax.vmap(lambda key: jax.random.randint(key, (size,), 0, below))(keys)
