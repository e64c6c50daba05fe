"""Tables of events in Parquet, by pyarrow: columns of numbers, lists of fixed length, and lists for ragged columns."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.events.events import Column, Events
from sbitune.data.events.joining import concatenate
from sbitune.data.events.origins import Origin
from sbitune.data.events.ragged import Ragged
from sbitune.data.events.tables.named import named_arrays, origins_from, origins_text
from sbitune.data.events.tables.table import BLOCK_BYTES, ORIGINS, Form
from sbitune.data.storage.arrays import check_size
from sbitune.data.storage.files import replacing

#: rows of a column that are unpacked at once: with more memory grows, with fewer calls cost as much as the copying
_PIECE_ROWS = 1 << 18
#: rows of a group in files that are written
_GROUP_ROWS = 1 << 18
#: a column of equal numbers takes next to nothing: a file may unfold to this many times its size
_MOST_TIMES = 1000


def import_pyarrow() -> ModuleType:
    """Import pyarrow with its Parquet. Raises `InputError` telling how to install it."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise InputError('Parquet files need pyarrow: pip install "sbitune[parquet]"') from error
    return pyarrow


class ParquetTable:
    """A Parquet file."""

    table = ""

    def __init__(self, pa: ModuleType, file: Any) -> None:
        self._pa, self._file = pa, file
        self._rows: int = file.metadata.num_rows
        schema = file.schema_arrow
        names = list(schema.names)
        twice = next((name for i, name in enumerate(names) if name in names[:i]), None)
        if twice is not None:
            raise InputError(f"the column {twice!r} is there twice")
        self.forms: Mapping[str, Form] = {field.name: _form(pa, field.type) for field in schema}
        stored = (schema.metadata or {}).get(ORIGINS.encode())
        self.origins: tuple[Origin, ...] = () if stored is None else origins_from(stored.decode())

    def count(self, names: Iterable[str]) -> int:
        """Number of rows."""
        return self._rows

    def blocks(self, names: Sequence[str]) -> Iterator[dict[str, Column]]:
        """Yield columns some rows at a time."""
        wide = sum(self._row_bytes(self.forms[name]) for name in names)
        rows = max(1, BLOCK_BYTES // max(1, wide))
        for batch in self._file.iter_batches(batch_size=rows, columns=list(names), use_threads=True):
            yield {name: _column(self._pa, name, batch.column(name), self.forms[name]) for name in names}

    def pieces(self, names: Sequence[str]) -> Iterator[dict[str, Column]]:
        """Yield one column after the other, some rows at a time: little more is unpacked at once than is copied."""
        for name in names:
            for batch in self._file.iter_batches(batch_size=_PIECE_ROWS, columns=[name], use_threads=True):
                yield {name: _column(self._pa, name, batch.column(name), self.forms[name])}

    def declared(self) -> int:
        """Bytes of the columns of fixed shape."""
        return sum(self._rows * self._row_bytes(form) for form in self.forms.values() if not form.fault)

    @staticmethod
    def _row_bytes(form: Form) -> int:
        return form.dtype.itemsize * int(np.prod(form.shape or (), dtype=np.int64))


@contextlib.contextmanager
def open_parquet(path: Path, table: str = "") -> Iterator[ParquetTable]:
    """Open a Parquet file."""
    pa = import_pyarrow()
    if table:
        raise InputError(f"a Parquet file has one table without a name, not {table!r}")
    # not mapped into memory: pages of the file would count as memory beside the table
    with pa.parquet.ParquetFile(path, page_checksum_verification=True) as file:
        opened = ParquetTable(pa, file)
        check_size(path, opened.declared(), _MOST_TIMES)
        yield opened


@contextlib.contextmanager
def writing_parquet(path: str | Path) -> Iterator[Callable[[Events], None]]:
    """Give a function that adds events to a Parquet file, as many times as wanted; the file is there, whole, when the
    block ends. Origins are those of the first events.

    The function raises `InputError` for events that have other columns than those before; so does the end of the block
    if there were none.
    """
    pa = import_pyarrow()
    waiting: list[Events] = []
    with contextlib.ExitStack() as stack:
        temporary = stack.enter_context(replacing(path))
        writer: Any = None

        def flush() -> None:
            nonlocal writer
            events = concatenate(waiting)
            waiting.clear()
            if writer is None:
                options = {"compression": "zstd", "write_page_checksum": True}
                writer = stack.enter_context(pa.parquet.ParquetWriter(temporary, _schema(pa, events), **options))
            _write_rows(pa, writer, events)

        def write(events: Events) -> None:
            waiting.append(events)
            if sum(map(len, waiting)) >= _GROUP_ROWS:
                flush()

        yield write
        if waiting or writer is None:
            flush()


def write_parquet(path: str | Path, events: Events) -> None:
    """Write events whole or not at all; ragged columns are lists, others of several numbers lists of fixed length."""
    with writing_parquet(path) as write:
        write(events)


def _schema(pa: ModuleType, events: Events) -> Any:
    fields = [pa.field(name, _type(pa, array), nullable=False) for name, array in named_arrays(events).items()]
    return pa.schema(fields, metadata={ORIGINS: origins_text(events.origins)})


def _write_rows(pa: ModuleType, writer: Any, events: Events) -> None:
    """Write events, a group of rows at a time."""
    if [field.name for field in writer.schema] != list(named_arrays(events)):
        raise InputError(f"{events.where}: it has other columns than the events written before")
    for first in range(0, len(events), _GROUP_ROWS):
        rows = named_arrays(events.take(slice(first, min(first + _GROUP_ROWS, len(events)))))
        arrow = [_array(pa, array, writer.schema.field(name).type) for name, array in rows.items()]
        writer.write_table(pa.Table.from_arrays(arrow, schema=writer.schema))


def _form(pa: ModuleType, kind: Any) -> Form:
    """What a type of Arrow is for us."""
    types = pa.types
    shape: tuple[int, ...] | None = ()
    while types.is_fixed_size_list(kind):
        shape, kind = (*shape, kind.list_size), kind.value_type
    if not shape and (types.is_list(kind) or types.is_large_list(kind)):
        shape, kind = None, kind.value_type
    if types.is_boolean(kind) or types.is_integer(kind) or types.is_floating(kind):
        return Form(np.dtype(kind.to_pandas_dtype()), shape)
    return Form(np.dtype("V"), shape, "text" if types.is_string(kind) or types.is_large_string(kind) else str(kind))


def _column(pa: ModuleType, name: str, array: Any, form: Form) -> Column:
    _refuse_nulls(name, array)
    if form.shape is None:
        offsets = np.asarray(array.offsets).astype(np.int64)
        return Ragged(_numbers(name, array.flatten()), offsets - offsets[0])
    n = len(array)
    for _ in form.shape:
        array = array.flatten()
        _refuse_nulls(name, array)
    return _numbers(name, array).reshape(n, *form.shape)


def _numbers(name: str, array: Any) -> np.ndarray:
    _refuse_nulls(name, array)
    return array.to_numpy(zero_copy_only=False)


def _refuse_nulls(name: str, array: Any) -> None:
    if array.null_count:
        raise InputError(f"column {name!r} has {array.null_count} places without a value; fill or drop these rows")


def _type(pa: ModuleType, column: Column) -> Any:
    kind = pa.from_numpy_dtype(column.dtype)
    if isinstance(column, Ragged):
        return pa.large_list(pa.field("item", kind, nullable=False))
    for length in reversed(column.shape[1:]):
        kind = pa.list_(pa.field("item", kind, nullable=False), length)
    return kind


def _array(pa: ModuleType, column: Column, kind: Any) -> Any:
    if isinstance(column, Ragged):
        return pa.LargeListArray.from_arrays(column.offsets, pa.array(column.content), type=kind)
    kinds = [kind]
    while pa.types.is_fixed_size_list(kinds[-1]):
        kinds.append(kinds[-1].value_type)
    array = pa.array(np.ascontiguousarray(column).ravel(), kinds[-1])
    for outer in reversed(kinds[:-1]):
        array = pa.FixedSizeListArray.from_arrays(array, type=outer)
    return array
