"""Reading and writing tables of events, whatever their format; the file's name or its first bytes say which."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Literal, NamedTuple

from sbitune.data.errors import InputError, naming_file
from sbitune.data.events.events import Events
from sbitune.data.events.joining import concatenate
from sbitune.data.events.origins import Origin
from sbitune.data.events.tables.array_table import KIND, open_npz, write_npz
from sbitune.data.events.tables.csv_table import open_csv, write_csv
from sbitune.data.events.tables.filling import Filler, fill
from sbitune.data.events.tables.hdf5_table import open_hdf5_table, write_hdf5_table
from sbitune.data.events.tables.parquet_table import open_parquet, write_parquet
from sbitune.data.events.tables.plan import TableRequest, make_plan
from sbitune.data.events.tables.root_table import open_root
from sbitune.data.events.tables.table import Form, Table
from sbitune.data.storage.arrays import reading_stored
from sbitune.data.storage.files import hash_file

TableFormat = Literal["npz", "csv", "parquet", "hdf5", "root"]
#: how names of files end
SUFFIXES: dict[str, TableFormat] = {
    ".npz": "npz",
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".dat": "csv",
    ".csv.gz": "csv",
    ".tsv.gz": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".h5": "hdf5",
    ".hdf5": "hdf5",
    ".hdf": "hdf5",
    ".root": "root",
}
#: how files begin
_MAGIC: dict[bytes, TableFormat] = {
    b"PAR1": "parquet",
    b"\x89HDF\r\n\x1a\n": "hdf5",
    b"root": "root",
    b"PK\x03\x04": "npz",
}
_OPENERS: dict[TableFormat, Callable[[Path, str], AbstractContextManager[Any]]] = {
    "npz": open_npz,
    "csv": open_csv,
    "parquet": open_parquet,
    "hdf5": open_hdf5_table,
    "root": open_root,
}
_WRITERS: dict[TableFormat, Callable[[Path, Events], None]] = {
    "parquet": write_parquet,
    "npz": write_npz,
    "hdf5": write_hdf5_table,
    "csv": write_csv,
}
#: how names of files end that are written; `.txt` and `.dat` are files of many kinds
WRITTEN = (".parquet", ".pq", ".npz", ".h5", ".hdf5", ".hdf", ".csv", ".tsv", ".csv.gz", ".tsv.gz")


class TableInfo(NamedTuple):
    """What a file holds."""

    table: str  #: name of the table in it, if it has one
    n_events: int | None  #: None: its columns have not all the same number of rows
    columns: dict[str, Form]  #: in the file's order
    origins: tuple[Origin, ...]  #: where the events come from, if the file says so


def read_events(paths: str | Path | Sequence[str | Path], request: TableRequest = TableRequest()) -> Events:
    """Read the events of a file, or of several one after the other.

    Columns keep their types; no more is in memory than the table and a block of some 32 MB (of CSV and npz a second
    copy of some columns). Parquet needs the extra `parquet`, HDF5 `hdf5`, ROOT `root`.

    Raises:
        InputError: with the file, and row and column where there is one: it is not there, no table of events, damaged
            or cut; a column is missing (with those most like it), of another type than its use asks for or has places
            without a value; a weight is not finite, or a number of a column, unless `not_finite` is `keep`; a package
            is not installed.
    """
    if not isinstance(paths, str | Path):
        return concatenate([read_events(path, request) for path in paths])
    with _opened(paths, request.table) as table:
        plan = make_plan(table.forms, request)
        keep, origins = request.not_finite == "keep", _origins(paths, table, request)
        return fill(str(paths), table, plan, keep, origins, str(paths) if table.origins else "")


def iterate_events(path: str | Path, request: TableRequest = TableRequest()) -> Iterator[Events]:
    """Yield the events of a file in order, a block of some 32 MB at a time, at least one; CSV and npz are one block.

    Raises `InputError` as `read_events`, for a block when it comes to it.
    """
    with _opened(path, request.table) as table:
        plan = make_plan(table.forms, request)
        origins = _origins(path, table, request)
        row, keep, read_from = 0, request.not_finite == "keep", str(path) if table.origins else ""
        for block in table.blocks(plan.names):
            rows = len(next(iter(block.values())))
            filler = Filler(str(path), plan, table.forms, rows, keep, row)
            filler.add(block)
            yield filler.finish(origins, read_from)
            row += rows
        if row == 0:
            yield Filler(str(path), plan, table.forms, 0, keep).finish(origins, read_from)


def describe_table(path: str | Path, table: str = "") -> TableInfo:
    """Say what a file holds, without reading the columns (of CSV and npz with). Raises `InputError` as `read_events`
    does for a file that is none.
    """
    with _opened(path, table) as opened:
        rows = {opened.count([name]) for name, form in opened.forms.items() if not form.fault}
        return TableInfo(opened.table, rows.pop() if len(rows) == 1 else None, dict(opened.forms), opened.origins)


def write_events(path: str | Path, events: Events) -> None:
    """Write a table to a file of the format that its name says, whole or not at all.

    Weights are called `weight` and `weight[NAME]`, groups `group`; read again they are what they were. Text has no
    types but truths, whole and other numbers, and does not say where events come from.

    Raises:
        InputError: for another suffix, and for what the format cannot hold (columns with several numbers for an event
            in text, names with a slash in HDF5).
    """
    path = Path(path)
    if not path.name.endswith(WRITTEN):
        raise InputError(
            f"{path}: events are written to files whose names end in {', '.join(WRITTEN)}", code="table-not-in-format"
        )
    kind: TableFormat = next(SUFFIXES[end] for end in WRITTEN if path.name.endswith(end))
    _WRITERS[kind](path, events)


def format_of(path: str | Path) -> TableFormat:
    """The format of a file by the end of its name, or by how it begins. Raises `InputError` for another."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: {'it is no plain file' if path.exists() else 'there is no such file'}")
    for suffix, known in SUFFIXES.items():
        if path.name.endswith(suffix):
            return known
    with path.open("rb") as stream:
        begin = stream.read(8)
    for magic, known in _MAGIC.items():
        if begin.startswith(magic):
            return known
    raise InputError(f"{path}: no table of events that sbitune reads; names end in {', '.join(SUFFIXES)}")


@contextlib.contextmanager
def _opened(path: str | Path, table: str) -> Iterator[Table]:
    kind = format_of(path)
    with reading_stored(path, KIND), naming_file(path), _OPENERS[kind](Path(path), table) as opened:
        yield opened


def _origins(path: str | Path, table: Table, request: TableRequest) -> tuple[Origin, ...]:
    if table.origins:
        return table.origins
    return (Origin(str(path), table.table, hash=hash_file(path) if request.hashed else ""),)
