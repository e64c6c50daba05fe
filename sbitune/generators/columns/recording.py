"""One run of the generator, or stored events, as a table of columns."""

import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from sbitune.data.errors import InputError, SbituneError, naming_file
from sbitune.data.events.checking import check_finite
from sbitune.data.events.events import Column, Events
from sbitune.data.events.origins import Origin
from sbitune.data.events.ragged import Ragged, from_counts
from sbitune.data.events.tables.parquet_table import writing_parquet
from sbitune.data.text.names import list_names
from sbitune.generators.batch import EventBatch
from sbitune.generators.columns.declaration import EventColumns
from sbitune.generators.columns.registry import load_columns
from sbitune.generators.observables.framework.projections import Projections


class ColumnsRun:
    """Sets of columns of one set of events; a batch in, a table of as many events out.

    Args:
        names: of sets of columns.
        origin: where the events come from.

    Raises:
        InputError: for an unknown set, or two that have a column of one name.
    """

    def __init__(self, names: Sequence[str], origin: Origin):
        self.sets = [load_columns(name) for name in dict.fromkeys(names)]
        self._origins = (origin,)
        owners: dict[str, str] = {}
        for a_set in self.sets:
            for column in a_set.columns:
                if column in owners:
                    raise InputError(
                        f"columns {owners[column]} and {a_set.name} both have {column!r}; take one of them"
                    )
                owners[column] = a_set.name

    def check_beams(self, beams: tuple[int, int]) -> None:
        """Raise `InputError` if some set is not for these beams (PDG codes)."""
        for a_set in self.sets:
            a_set.check_beams(beams)

    def table(self, batch: EventBatch) -> Events:
        """Compute the columns of a batch, in its order, with all its weights.

        Raises `InputError` for events of other beams, and naming the set for one that fails, or gives other columns
        than it declares, or a number that is not finite.
        """
        events = Projections(batch)
        if any(a_set.beams is not None for a_set in self.sets):
            for first, second in np.unique(np.sort(events.beam_codes, axis=1), axis=0).tolist():
                self.check_beams((first, second))
        columns: dict[str, Column] = {}
        flags: dict[str, np.ndarray] = {}
        for a_set in self.sets:
            with _naming(a_set):
                found, flag = _compute(a_set, events)
            columns |= found
            flags |= flag
        if batch.other_weights is None:
            raise InputError("the events have not all the same weights: no columns can be kept of these")
        weights = np.column_stack([batch.weight, *batch.other_weights.values()])
        with naming_file(self._origins[0].file or self._origins[0].run or "events"):
            return Events.of(columns, weights, ("", *batch.other_weights), None, flags, self._origins)


@contextmanager
def keeping_columns(
    path: Path, names: Sequence[str], origin: Origin, beams: tuple[int, int] | None = None
) -> Iterator[Callable[[EventBatch], None]]:
    """Give a function that takes batch after batch; their columns are in a Parquet file, whole, when the block ends.

    Raises `InputError` as `ColumnsRun` does, for other `beams` (PDG codes) before the first event.
    """
    columns = ColumnsRun(names, origin)
    if beams is not None:
        columns.check_beams(beams)
    with writing_parquet(path) as write:
        yield lambda batch: write(columns.table(batch))


def _compute(a_set: EventColumns, events: Projections) -> tuple[dict[str, Column], dict[str, np.ndarray]]:
    """Columns of all events, and the flag of those for which they are defined."""
    if a_set.subset is None:
        return _checked(a_set, a_set.compute(events), len(events)), {}
    chosen, subset = a_set.subset.choose(events)
    found = _checked(a_set, a_set.compute(subset), len(subset))
    return {name: _spread(column, chosen) for name, column in found.items()}, {a_set.subset.flag: chosen}


def _checked(a_set: EventColumns, found: Mapping[str, Column], n_events: int) -> dict[str, Column]:
    if list(found) != list(a_set.columns):
        raise InputError(
            f"columns {a_set.name}: computed are {list_names(found)}, declared {list_names(a_set.columns)}; expected "
            "the same, in one order"
        )
    for name, column in found.items():
        if len(column) != n_events:
            raise InputError(f"columns {a_set.name}: {name!r} has {len(column)} rows for {n_events} events")
        check_finite(f"columns {a_set.name}", name, column.content if isinstance(column, Ragged) else column)
    return dict(found)


def _spread(column: Column, chosen: np.ndarray) -> Column:
    """A column of the chosen events as one of all, zero or without entries where there is none."""
    if chosen.all():
        return column
    if isinstance(column, Ragged):
        counts = np.zeros(len(chosen), np.int64)
        counts[chosen] = column.counts
        return from_counts(column.content, counts)
    every = np.zeros((len(chosen), *column.shape[1:]), column.dtype)
    every[chosen] = column
    return every


@contextmanager
def _naming(a_set: EventColumns) -> Iterator[None]:
    """Turn a fault inside somebody's function into one message with its place."""
    try:
        yield
    except SbituneError:
        raise
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in frames if frame.filename == a_set.compute.__code__.co_filename] or frames
        where = f"{own[-1].filename}:{own[-1].lineno}"
        raise InputError(f"columns {a_set.name}: {where}: {type(error).__name__}: {error}") from error
