"""Events of several tables as one, and one table in parts for folds."""

from collections.abc import Mapping, Sequence

import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.events.events import Column, Events
from sbitune.data.events.groups import middles, number_groups
from sbitune.data.events.ragged import Ragged, join_ragged
from sbitune.data.text.names import list_names


def concatenate(tables: Sequence[Events]) -> Events:
    """Put tables after one another.

    Raises `InputError` if there is none, or if they have other columns, shapes, weights, flags or groups.
    """
    if not tables:
        raise InputError("there are no tables of events to put together")
    first = tables[0]
    for other in tables[1:]:
        _check_alike(first, other)
    groups = [table.groups for table in tables if table.groups is not None]
    return Events.of(
        {name: _join([table.columns[name] for table in tables]) for name in first.columns},
        _join_weights(tables),
        first.variations,
        np.concatenate(groups) if groups else None,
        {name: np.concatenate([table.flags[name] for table in tables]) for name in first.flags},
        tuple(dict.fromkeys(origin for table in tables for origin in table.origins)),
    )


def assign_folds(events: Events, n_folds: int, seed: int) -> np.ndarray:
    """Give every event one of `n_folds` parts of nearly equal size, at random; events of a group get the same.

    A group's part depends on the ids of all groups, their sizes and the seed, not on the order of events. Without
    groups every event is one of its own, and its row is its id.

    Returns:
        (n_events,) int64 from 0 to n_folds - 1.

    Raises:
        InputError: there are fewer groups than folds, or groups so large that a fold would be empty.
    """
    if n_folds < 1:
        raise InputError(f"{events.where}: {n_folds} folds asked for, expected at least 1")
    n = len(events)
    group, sizes = number_groups(events.groups, n)
    if len(sizes) < n_folds:
        raise InputError(f"{events.where}: {len(sizes)} groups of events cannot be dealt to {n_folds} folds")
    order = np.random.default_rng(seed).permutation(len(sizes))
    # by their middles no fold is off by more than half of a group at either end
    fold_of_group = (middles(sizes, order) * n_folds / n).astype(np.int64)
    folds = fold_of_group[group]
    empty = np.flatnonzero(np.bincount(folds, minlength=n_folds) == 0)
    if len(empty):
        raise InputError(
            f"{events.where}: fold {empty[0]} of {n_folds} would be empty, as the largest group has {sizes.max()} of "
            f"{n} events; ask for fewer folds"
        )
    return folds


def split_folds(events: Events, n_folds: int, seed: int) -> list[Events]:
    """The parts of `assign_folds`, each in the order of the events."""
    folds = assign_folds(events, n_folds, seed)
    return [events.take(np.flatnonzero(folds == fold)) for fold in range(n_folds)]


def _check_alike(first: Events, other: Events) -> None:
    for what, mine, its in (
        ("columns", _shapes(first.columns), _shapes(other.columns)),
        ("flags", dict.fromkeys(first.flags), dict.fromkeys(other.flags)),
        ("weights", _order(first.variations), _order(other.variations)),
    ):
        if mine != its:
            odd = next((name for name in [*mine, *its] if mine.get(name, -1) != its.get(name, -1)), "")
            raise InputError(
                f"{other.where}: cannot be put behind {first.where}: they differ in the {what}, first in {odd!r}: "
                f"{list_names(its)} and {list_names(mine)}"
            )
    if (first.groups is None) != (other.groups is None):
        raise InputError(f"{other.where}: cannot be put behind {first.where}: one of them has groups, the other not")


def _shapes(columns: Mapping[str, Column]) -> dict[str, object]:
    return {name: "ragged" if isinstance(c, Ragged) else c.shape[1:] for name, c in sorted(columns.items())}


def _order(names: Sequence[str]) -> dict[str, int]:
    return {name: place for place, name in enumerate(names)}


def _join(parts: Sequence[Column]) -> Column:
    ragged = [part for part in parts if isinstance(part, Ragged)]
    return join_ragged(ragged) if ragged else np.concatenate(parts)  # pyright: ignore[reportArgumentType, reportCallIssue]


def _join_weights(tables: Sequence[Events]) -> np.ndarray:
    """Weights that are all 1 without being stored stay so."""
    if not any(any(table.weights.strides) or (table.weights[:1] != 1).any() for table in tables):
        return np.broadcast_to(1.0, (sum(map(len, tables)), len(tables[0].variations)))
    return np.concatenate([table.weights for table in tables])
