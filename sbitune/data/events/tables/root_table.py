"""Tables of events in ROOT files, by uproot: trees and RNTuples with numbers, arrays of fixed shape and jagged ones."""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.events.events import Column
from sbitune.data.events.origins import Origin
from sbitune.data.events.ragged import Ragged
from sbitune.data.events.tables.table import BLOCK_BYTES, Form, one_table
from sbitune.data.storage.arrays import check_size
from sbitune.data.text.names import shorten

#: branches of equal numbers take next to nothing
_MOST_TIMES = 1000
#: kinds of tables
_TREES, _TUPLE = ("TTree", "TNtuple", "TNtupleD"), "ROOT::RNTuple"
#: entries of an event that a block is laid out for; with many more blocks are larger
_PARTICLES = 50


def import_uproot() -> ModuleType:
    """Import uproot. Raises `InputError` telling how to install it."""
    try:
        import uproot
    except ImportError as error:
        raise InputError('ROOT files need uproot: pip install "sbitune[root]"') from error
    return uproot


class TreeTable:
    """A tree of a ROOT file."""

    origins: tuple[Origin, ...] = ()

    def __init__(self, uproot: ModuleType, tree: Any, table: str) -> None:
        self.table = table
        self._rows = int(tree.num_entries)
        named = {name: tree[name] for name in tree.keys(recursive=True, full_paths=True)}
        self._branches = {name: branch for name, branch in named.items() if not branch.branches}
        self.forms = {name: _branch_form(uproot, branch) for name, branch in self._branches.items()}

    def count(self, names: Iterable[str]) -> int:
        """Number of rows."""
        return self._rows

    def blocks(self, names: Sequence[str]) -> Iterator[dict[str, Column]]:
        """Yield branches some rows at a time."""
        size = sum(self._branches[name].uncompressed_bytes for name in names)
        for first, last in _ranges(self._rows, size):
            yield {name: self._read(name, first, last) for name in names}

    pieces = blocks

    def declared(self) -> int:
        """Bytes of all baskets, unpacked."""
        return sum(branch.uncompressed_bytes for branch in self._branches.values())

    def _read(self, name: str, first: int, last: int) -> Column:
        branch, form = self._branches[name], self.forms[name]
        if form.shape is not None:  # without a way through awkward
            return branch.array(entry_start=first, entry_stop=last, library="np")
        return _from_awkward(branch.array(entry_start=first, entry_stop=last, library="ak").layout, form)


class TupleTable:
    """An RNTuple of a ROOT file."""

    origins: tuple[Origin, ...] = ()

    def __init__(self, ntuple: Any, table: str) -> None:
        self._ntuple, self.table = ntuple, table
        self._rows = int(ntuple.num_entries)
        record = ntuple.to_akform()[0]
        self.forms = {name: _awkward_form(part) for name, part in zip(record.fields, record.contents, strict=True)}

    def count(self, names: Iterable[str]) -> int:
        """Number of rows."""
        return self._rows

    def blocks(self, names: Sequence[str]) -> Iterator[dict[str, Column]]:
        """Yield fields some rows at a time."""
        for first, last in _ranges(self._rows, sum(self._rows * self._width(name) for name in names)):
            found = self._ntuple.arrays(list(names), entry_start=first, entry_stop=last, library="ak").layout
            yield {name: _from_awkward(found.content(name), self.forms[name]) for name in names}

    pieces = blocks

    def declared(self) -> int:
        """Bytes of the fields of fixed shape."""
        return sum(self._rows * self._width(name) for name, form in self.forms.items() if form.shape is not None)

    def _width(self, name: str) -> int:
        """Bytes of a row; of a ragged field a guess."""
        form = self.forms[name]
        return form.dtype.itemsize * (_PARTICLES if form.shape is None else int(np.prod(form.shape, dtype=np.int64)))


@contextlib.contextmanager
def open_root(path: Path, table: str = "") -> Iterator[TreeTable | TupleTable]:
    """Open a tree or RNTuple of a ROOT file: that of the name `table`, or the only one there is."""
    uproot = import_uproot()
    with uproot.open({str(path): None}, handler=uproot.MemmapSource) as file:
        kinds = {name: kind for name, kind in file.classnames(cycle=False).items() if kind in (*_TREES, _TUPLE)}
        name = one_table(table, list(kinds), "tree or RNTuple")
        opened = TupleTable(file[name], name) if kinds[name] == _TUPLE else TreeTable(uproot, file[name], name)
        check_size(path, opened.declared(), _MOST_TIMES)
        yield opened


def _ranges(n_events: int, size: int) -> Iterator[tuple[int, int]]:
    """First and last row of blocks of a table of so many bytes; at least one."""
    rows = max(1, BLOCK_BYTES * max(1, n_events) // max(1, size))
    for first in range(0, max(1, n_events), rows):
        yield first, min(first + rows, n_events)


def _branch_form(uproot: ModuleType, branch: Any) -> Form:
    """What uproot makes of a branch."""
    kind, jagged = branch.interpretation, False
    if isinstance(kind, uproot.AsJagged):
        kind, jagged = kind.content, True
    if type(kind) is uproot.AsDtype and kind.to_dtype.names is None:
        dtype, shape = kind.to_dtype.base.newbyteorder("="), kind.to_dtype.shape
        if jagged and shape:
            return Form(dtype, None, f"lists of arrays of the shape {shape}")
        return Form(dtype, None if jagged else shape)
    return Form(np.dtype("V"), (), shorten(f"{branch.typename} of ROOT"))


def _awkward_form(form: Any) -> Form:
    """What a form of awkward is for us."""
    shape: tuple[int, ...] | None = ()
    plain = form
    while plain.is_regular and shape is not None:
        shape, plain = (*shape, plain.size), plain.content
    if plain.is_list and not shape and not plain.is_regular:
        shape, plain = None, plain.content
    if plain.is_numpy and not plain.inner_shape and not plain.parameters:
        return Form(np.dtype(plain.primitive), shape)
    return Form(np.dtype("V"), shape, shorten(str(form.type)))


def _from_awkward(layout: Any, form: Form) -> Column:
    if form.shape is not None:
        return np.asarray(layout.to_backend_array())
    lists = layout.to_ListOffsetArray64(True)
    offsets = np.asarray(lists.offsets.data)
    return Ragged(np.asarray(lists.content.to_backend_array())[: offsets[-1]], offsets)
