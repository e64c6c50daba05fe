"""What a file's format has to say of a table of events: which columns there are, and their rows block by block."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.events.events import Column
from sbitune.data.events.origins import Origin
from sbitune.data.text.names import list_names, nearest, shorten

#: how many bytes of a block are read at once, of formats that are read in blocks
BLOCK_BYTES = 32 << 20
#: name of an array, or key of a file's metadata, with where the events come from
ORIGINS = "sbitune.origins"


class Form(NamedTuple):
    """What one row of a column is like."""

    dtype: np.dtype  #: of the numbers
    shape: tuple[int, ...] | None = ()  #: None: another number of entries in every event
    fault: str = ""  #: why it cannot be read, `text` say; only asking for it is an error

    @property
    def is_flag(self) -> bool:
        """Whether it holds one truth for each event."""
        return self.dtype.kind == "b" and self.shape == ()


class Table(Protocol):
    """An opened table. Numbers of rows in messages count from 0 at its first event."""

    @property
    def table(self) -> str:
        """Its name in the file, where files can have several."""
        ...

    @property
    def forms(self) -> Mapping[str, Form]:
        """Columns by name, in the file's order."""
        ...

    @property
    def origins(self) -> tuple[Origin, ...]:
        """Where the events come from, if the file says so."""
        ...

    def count(self, names: Iterable[str]) -> int:
        """Number of rows of these columns. Raises `InputError` if they have not all the same."""
        ...

    def blocks(self, names: Sequence[str]) -> Iterator[dict[str, Column]]:
        """Yield these columns of all rows in order, some rows at a time; each block has all of them."""
        ...

    def pieces(self, names: Sequence[str]) -> Iterator[dict[str, Column]]:
        """Yield the same in whatever pieces are read fastest: some rows of some columns, those of each in order."""
        ...


def common_length(lengths: Mapping[str, int], names: Iterable[str]) -> int:
    """The number of rows that some columns have. Raises `InputError` naming two that have not the same."""
    found = {name: lengths[name] for name in names}
    first = next(iter(found), "")
    other = next((name for name, length in found.items() if length != found[first]), None)
    if other is not None:
        raise InputError(
            f"column {shorten(first)!r} has {found[first]} rows and {shorten(other)!r} has {found[other]}; name "
            "columns that have the same number of events"
        )
    return found.get(first, 0)


def one_table(asked: str, known: Sequence[str], what: str) -> str:
    """The table that is asked for, or the only one of a file; `what` it is called there."""
    if asked:
        if asked not in known:
            raise InputError(f"there is no {what} {shorten(asked)!r}{nearest(asked, known)}")
        return asked
    if len(known) != 1:
        found = f"{len(known)} of them: {list_names(known)}; say which one to read" if known else "none"
        raise InputError(f"expected one {what}, found {found}")
    return known[0]
