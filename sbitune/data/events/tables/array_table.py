"""Tables of events as named arrays: npz files, and datasets of HDF5 files, plain or as pandas lays them out."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.events.events import Column, Events
from sbitune.data.events.origins import Origin
from sbitune.data.events.ragged import Ragged
from sbitune.data.events.tables.named import columns_of, flat_arrays, origins_from, origins_text
from sbitune.data.events.tables.table import ORIGINS, Form, common_length
from sbitune.data.storage.arrays import read_arrays, write_arrays

KIND = "table of events"


class ArrayTable:
    """Arrays that are in memory already, as a table of one block."""

    def __init__(self, columns: Mapping[str, Column], origins: tuple[Origin, ...] = (), table: str = "") -> None:
        self._columns, self.origins, self.table = columns, origins, table
        self.forms = {name: form_of(column) for name, column in columns.items()}
        self._lengths = {name: len(c) if isinstance(c, Ragged) or c.ndim else 0 for name, c in columns.items()}

    def count(self, names: Iterable[str]) -> int:
        """Number of rows of these columns."""
        return common_length(self._lengths, names)

    def blocks(self, names: Sequence[str]) -> Iterator[dict[str, Column]]:
        """Yield all at once."""
        yield {name: self._columns[name] for name in names}

    pieces = blocks


def form_of(column: Column) -> Form:
    """What a row of a column is like."""
    if isinstance(column, np.ndarray) and column.ndim == 0:
        return Form(column.dtype, (), "a single value")
    fault = "" if column.dtype.kind in "biuf" else "text" if column.dtype.kind in "SUO" else str(column.dtype)
    return Form(column.dtype, None if isinstance(column, Ragged) else column.shape[1:], fault)


@contextlib.contextmanager
def open_npz(path: Path, table: str = "") -> Iterator[ArrayTable]:
    """Read an .npz file: an array for each column, `NAME` and `NAME.offsets` for a ragged one."""
    if table:
        raise InputError(f"an .npz file has one table without a name, not {table!r}")
    arrays = read_arrays(path, KIND)
    stored = arrays.pop(ORIGINS, None)
    if stored is not None and (stored.shape != () or stored.dtype.kind != "U"):
        raise InputError(f"the array {ORIGINS!r} is no text")
    yield ArrayTable(columns_of(arrays), () if stored is None else origins_from(str(stored)))


def write_npz(path: str | Path, events: Events) -> None:
    """Write events to an .npz file whole or not at all."""
    write_arrays(path, {**flat_arrays(events), ORIGINS: np.array(origins_text(events.origins))})
