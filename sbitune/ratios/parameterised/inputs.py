"""x of events: numbers in columns, and sets of particles beside them, out of tables of events."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.events import Events, Ragged
from sbitune.data.text.names import list_names, shorten
from sbitune.learning.sets.ragged import RaggedRows, pick_rows, ragged_rows
from sbitune.learning.sets.scaling import SetEvents

#: names of columns of every kind of particles
SetNames = tuple[tuple[str, ...], ...]
#: (n_events, n_columns), or these beside sets of particles
X = np.ndarray | SetEvents


def name_inputs(events: Events, columns: Sequence[str], sets: SetNames = ()) -> tuple[str, ...]:
    """Name the numbers that columns hold, `p[0]` and so on where one holds several, and behind them those of sets."""
    found = []
    for name in columns:
        column = events[name]
        size = 1 if isinstance(column, Ragged) else int(np.prod(column.shape[1:]))
        found += [name] if size == 1 else [f"{name}[{i}]" for i in range(size)]
    return (*found, *(name for kind in sets for name in kind))


def table_of(events: Events, names: Sequence[str], kind: Any, needed: bool = True) -> np.ndarray:
    """Columns side by side (n_events, n), all finite. Raises `InputError` for others, and for none if any is needed."""
    parts = [np.empty((len(events), 0), kind)]
    for name in names:
        column = events[name]
        if isinstance(column, Ragged):
            raise InputError(
                f"{events.where}: {shorten(name)!r} has another number of entries in every event; name it among the "
                "columns of a set of particles"
            )
        parts.append(np.asarray(column, kind).reshape(len(events), -1))
        if not np.isfinite(parts[-1]).all():
            row = int(np.argmin(np.isfinite(parts[-1]).all(axis=1)))
            raise InputError(f"{events.where}: {shorten(name)!r} is not finite at row {row}")
    if needed and not names:
        raise InputError(f"{events.where}: no columns were named; there are {list_names(events.columns)}")
    return np.concatenate(parts, axis=1)


def sets_of(events: Events, sets: SetNames) -> tuple[RaggedRows, ...]:
    """Sets of particles of the named ragged columns. Raises `InputError` for others, and as `ragged_rows`."""
    found = []
    for kind in sets:
        columns = [events[name] for name in kind]
        flat = next((name for name, column in zip(kind, columns, strict=True) if not isinstance(column, Ragged)), None)
        if flat is not None:
            raise InputError(
                f"{events.where}: {shorten(flat)!r} has one entry for every event, a set of particles has another "
                "number in each; name it among the columns",
                code="ratio-other-columns",
            )
        found.append(ragged_rows([column for column in columns if isinstance(column, Ragged)]))
    return tuple(found)


def join_inputs(x: np.ndarray, sets: tuple[RaggedRows, ...]) -> X:
    """What networks are given: x (n, n_columns), beside sets if there are any."""
    return SetEvents(sets, x) if sets else x


def count_events(x: X) -> int:
    """Number of events."""
    return len(x.flat) if isinstance(x, SetEvents) else len(x)


def pick_events(x: X, rows: Any) -> X:
    """Some events, by numbers (n,) or a slice; particles stay where they are."""
    return pick_rows(x, rows)


def content_of(x: X) -> list[np.ndarray]:
    """Arrays (n_events or n_particles, n) of the numbers that `name_inputs` names, in their order."""
    if not isinstance(x, SetEvents):
        return [x]
    return [x.flat, *(np.asarray(rows.content) for rows in x.sets)]


def read_inputs(
    events: Events | Mapping[str, Any] | X, columns: Sequence[str], sets: SetNames, inputs: Sequence[str]
) -> X:
    """X of events by the names of columns, or of an array (n, n_inputs) in their order, if there are no sets; what is X
    already is given back.

    Raises `InputError` for other columns, or a number that is not finite.
    """
    if isinstance(events, Mapping):
        events = Events.of(dict(events))
    if isinstance(events, SetEvents) and len(events.sets) == len(sets):
        return events
    if not isinstance(events, Events):
        x = np.asarray(events, np.float32)
        if sets or x.ndim != 2 or x.shape[1] != len(inputs) or not np.isfinite(x).all():
            wanted = "a table of events with" if sets else f"finite numbers (n, {len(inputs)}):"
            raise InputError(
                f"events have the shape {x.shape}; expected {wanted} {list_names(dict.fromkeys(inputs))}",
                code="ratio-other-columns",
            )
        return x
    every = [*columns, *(name for kind in sets for name in kind)]
    lost = [name for name in every if name not in events.columns]
    if lost or name_inputs(events, columns, sets) != tuple(inputs):
        raise InputError(
            f"{events.where}: the ratio was learned from {list_names(dict.fromkeys(inputs))}, and these events have "
            f"{list_names(events.columns)}",
            code="ratio-other-columns",
        )
    return join_inputs(table_of(events, columns, np.float32, not sets), sets_of(events, sets))


def single_numbers(x: X, inputs: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """Names, and numbers (n_events, n) that can be drawn of every event: the columns, and of every set of particles how
    many there are and the mean of each of their columns, 0 where there are none.
    """
    if not isinstance(x, SetEvents):
        return list(inputs), x
    names, found = list(inputs[: x.flat.shape[1]]), [x.flat]
    begin = len(names)
    for number, rows in enumerate(x.sets):
        of_set = list(inputs[begin : begin + rows.n_features])
        begin += rows.n_features
        names += [
            f"number of particles{'' if len(x.sets) == 1 else f' of set {number}'}",
            *(f"mean {n}" for n in of_set),
        ]
        content, starts, counts = (np.asarray(part) for part in (rows.content, rows.starts, rows.counts))
        places = np.repeat(starts - (np.cumsum(counts) - counts), counts) + np.arange(counts.sum())
        event = np.repeat(np.arange(len(counts)), counts)
        sums = [np.bincount(event, content[places, i], len(counts)) for i in range(rows.n_features)]
        found.append(np.stack([counts, *(one / np.maximum(counts, 1) for one in sums)], axis=1))
    return names, np.concatenate(found, axis=1)
