"""Tables of events in HDF5 files: datasets of equal length in a group, one dataset with named fields, or a frame of
pandas.

Pandas writes a frame as blocks of columns of one type (`format="fixed"`), or as one dataset with fields
(`format="table"`); of the latter the names of columns that are not `data_columns` are pickled, and are not read.
"""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.events.events import Column, Events
from sbitune.data.events.origins import Origin
from sbitune.data.events.ragged import Ragged
from sbitune.data.events.roles import OFFSETS
from sbitune.data.events.tables.array_table import form_of
from sbitune.data.events.tables.named import flat_arrays, origins_from, origins_text
from sbitune.data.events.tables.table import BLOCK_BYTES, ORIGINS, Form, common_length, one_table
from sbitune.data.storage.arrays import check_size, decoded, hdf5_array, import_h5py, open_hdf5
from sbitune.data.storage.files import replacing
from sbitune.data.text.names import repeated

#: fields of pandas' dataset that are no columns, and what the pickled ones begin with
_INDEX, _PICKLED = "index", "values_block_"


class _Source(NamedTuple):
    """Where a column lies."""

    dataset: Any  #: None: it cannot be read, as its form says
    pick: str | int | None  #: a field, a column of a block, or all
    form: Form

    def read(self, rows: slice) -> np.ndarray:
        if isinstance(self.pick, str):
            return self.dataset.fields(self.pick)[rows]
        return self.dataset[rows] if self.pick is None else self.dataset[rows, self.pick]

    @property
    def rows(self) -> int:
        return len(self.dataset) if self.dataset is not None and self.dataset.ndim else 0


class Hdf5Table:
    """A table in an HDF5 file."""

    def __init__(self, path: Path, table: str, sources: dict[str, _Source], origins: tuple[Origin, ...] = ()) -> None:
        self._path, self.table, self._sources, self.origins = path, table, sources, origins
        self._offsets = {name.removesuffix(OFFSETS): s for name, s in sources.items() if name.endswith(OFFSETS)}
        plain = {name: source for name, source in sources.items() if not name.endswith(OFFSETS)}
        if odd := next((name for name in self._offsets if name not in plain), None):
            raise InputError(f"there are offsets {odd + OFFSETS!r}, but no dataset {odd!r}")
        self._lengths = {n: self._offsets[n].rows - 1 if n in self._offsets else s.rows for n, s in plain.items()}
        self.forms = {
            name: Form(source.form.dtype, None, source.form.fault) if name in self._offsets else source.form
            for name, source in plain.items()
        }

    def count(self, names: Iterable[str]) -> int:
        """Number of rows of these columns."""
        return common_length(self._lengths, names)

    def blocks(self, names: Sequence[str]) -> Iterator[dict[str, Column]]:
        """Yield columns some rows at a time; ragged ones are read at once."""
        wanted = {id(self._sources[name].dataset): self._sources[name].dataset for name in names}
        check_size(self._path, sum(dataset.nbytes for dataset in wanted.values()))
        ragged = {name: self._ragged(name) for name in names if name in self._offsets}
        n_events = self.count(names)
        wide = sum(dataset.nbytes for dataset in wanted.values()) // max(1, n_events)
        rows = max(1, n_events if ragged else BLOCK_BYTES // max(1, wide))
        for first in range(0, max(1, n_events), rows):
            part = slice(first, min(first + rows, n_events))
            yield {name: ragged[name] if name in ragged else self._sources[name].read(part) for name in names}

    pieces = blocks

    def _ragged(self, name: str) -> Ragged:
        every = slice(None)
        try:
            return Ragged(self._sources[name].read(every), self._offsets[name].read(every))
        except InputError as error:
            raise InputError(f"column {name!r}: {error}") from error


@contextlib.contextmanager
def open_hdf5_table(path: Path, table: str = "") -> Iterator[Hdf5Table]:
    """Open a table in an HDF5 file: the group or dataset `table`, or the only one there is."""
    with open_hdf5(path) as file:
        place, name = _place(file, table)
        sources = _sources(place)
        stored = sources.pop(ORIGINS, None)
        yield Hdf5Table(path, name, sources, () if stored is None else _origins(stored))


def write_hdf5_table(path: str | Path, events: Events) -> None:
    """Write events to an HDF5 file, whole or not at all: a dataset for each column, `NAME` and `NAME.offsets` for a
    ragged one. Raises `InputError` for a name that is none in such a file.
    """
    h5py = import_h5py()
    arrays = flat_arrays(events)
    odd = next((name for name in arrays if "/" in name or name in (".", "..")), None)
    if odd is not None:
        raise InputError(
            f"{path}: a column cannot be called {odd!r} in an HDF5 file, where it is a path; write .parquet or .npz",
            code="table-not-in-format",
        )
    with replacing(path) as temporary, h5py.File(temporary, "w", track_order=True) as file:
        for name, array in arrays.items():
            file.create_dataset(name, data=array, **({"compression": "gzip", "shuffle": True} if array.size else {}))
        file.create_dataset(ORIGINS, data=origins_text(events.origins), dtype=h5py.string_dtype())


def _origins(stored: _Source) -> tuple[Origin, ...]:
    """Origins as `write_hdf5_table` keeps them."""
    text = None if stored.dataset is None or stored.dataset.shape != () else stored.dataset[()]
    if not isinstance(text, bytes):
        raise InputError(f"the dataset {ORIGINS!r} is no text")
    return origins_from(text.decode())


def _place(file: Any, asked: str) -> tuple[Any, str]:
    """The group or dataset with the table, and its name."""
    h5py = import_h5py()
    groups = [name for name in file if _is_group(file, name)]
    arrays = [name for name in file if name not in groups]
    if not asked and arrays:
        only = _plain(file, arrays[0]) if len(arrays) == 1 and not groups else None
        has_fields = only is not None and only.dataset is not None and only.dataset.dtype.names
        return (only.dataset, arrays[0]) if only is not None and has_fields else (file, "")
    first, *deeper = asked.strip("/").split("/") if asked else [one_table("", groups, "group of datasets")]
    place, at = file, ""
    for part in (first, *deeper):
        at = f"{at}/{part}".lstrip("/")
        if not isinstance(place, h5py.Group):
            raise InputError(f"there is nothing inside the dataset on the way to {at!r}")
        one_table(part, list(place), "group or dataset")
        if not isinstance(place.get(part, getlink=True), h5py.HardLink):
            raise InputError(f"{at} is a link to another place; write the numbers themselves")
        place = place[part]
    return place, at


def _sources(place: Any) -> dict[str, _Source]:
    h5py = import_h5py()
    if isinstance(place, h5py.Dataset):
        return _fields(hdf5_array(place.parent, place.name.rsplit("/", 1)[1]))
    kind = str(decoded("pandas_type", place.attrs.get("pandas_type", "")))
    if kind == "frame":
        return _frame(place)
    if kind.endswith("frame_table"):
        return _fields(hdf5_array(place, "table"))
    return {name: _plain(place, name) for name in place if not _is_group(place, name)}


def _is_group(place: Any, name: str) -> bool:
    h5py = import_h5py()
    return isinstance(place.get(name, getlink=True), h5py.HardLink) and isinstance(place[name], h5py.Group)


def _plain(place: Any, name: str) -> _Source:
    """A dataset, or why it cannot be read: it may be one that nobody asks for."""
    try:
        dataset = hdf5_array(place, name)
    except InputError as error:
        return _Source(None, None, Form(np.dtype("V"), (), f"nothing that can be read: {error}"))
    return _Source(dataset, None, _form(dataset.dtype, dataset.shape))


def _form(dtype: np.dtype, shape: tuple[int, ...]) -> Form:
    if not shape:
        return Form(dtype, (), "a single value")
    if dtype.names:
        return Form(dtype, shape[1:], "named fields, a table of its own that can be asked for as `table`")
    return form_of(np.empty((0, *shape[1:]), dtype))


def _fields(dataset: Any) -> dict[str, _Source]:
    """Columns of a dataset with named fields."""
    if not dataset.dtype.names:
        raise InputError(f"{dataset.name} is one array without named fields; name the group that it is in")
    sources = {}
    for name in dataset.dtype.names:
        kind = dataset.dtype[name]
        form = _form(kind.base, (0, *kind.shape))
        if name.startswith(_PICKLED):
            pickled = "columns whose names pandas has pickled: write the frame with data_columns=True or format='fixed'"
            form = form._replace(fault=pickled)
        if name != _INDEX or "pandas_type" not in dataset.parent.attrs:
            sources[name] = _Source(dataset, name, form)
    return sources


def _frame(group: Any) -> dict[str, _Source]:
    """Columns of a frame of pandas, block by block."""
    sources: dict[str, _Source] = {}
    blocks = sorted(
        name.removesuffix("_values") for name in group if name.startswith("block") and name.endswith("_values")
    )
    for block in blocks:
        values, items = hdf5_array(group, f"{block}_values"), hdf5_array(group, f"{block}_items")
        names = [str(name) for name in decoded(items.name, items[()]).ravel()]
        if values.ndim != 2 or values.shape[1] != len(names):
            raise InputError(
                f"{values.name} has the shape {values.shape}, expected a column for each of {len(names)} names"
            )
        if twice := repeated([*sources, *names]):
            raise InputError(f"the column {twice[0]!r} is there twice")
        sources |= {name: _Source(values, i, _form(values.dtype, values.shape[:1])) for i, name in enumerate(names)}
    return sources
