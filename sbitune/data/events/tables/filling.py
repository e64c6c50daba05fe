"""Arrays of a whole table, filled piece by piece: no more is in memory than the table and one piece."""

from collections.abc import Mapping, Sequence

import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.events.checking import check_finite, first_row
from sbitune.data.events.events import Column, Events
from sbitune.data.events.origins import Origin
from sbitune.data.events.ragged import Ragged, from_counts
from sbitune.data.events.tables.plan import Plan
from sbitune.data.events.tables.table import Form, Table
from sbitune.data.text.names import shorten

_KEEP = "; select the events for which it is defined, or read with not_finite='keep'"
_MEND = "; mend the file, or name other weights"


class Filler:
    """Receives pieces of a table, checks them, and makes `Events` of them.

    Args:
        where: begins messages: the file.
        plan: what the columns are.
        forms: what they are like.
        n_events: how many rows there will be.
        keep_not_finite: whether numbers of columns may be nan or infinite.
        first_row: number in messages of the first row.
    """

    def __init__(
        self,
        where: str,
        plan: Plan,
        forms: Mapping[str, Form],
        n_events: int,
        keep_not_finite: bool,
        first_row: int = 0,
    ) -> None:
        self._where, self._plan, self._forms, self._n = where, plan, forms, n_events
        self._keep, self._first = keep_not_finite, first_row
        self._rows = dict.fromkeys(plan.names, 0)
        # a variation after the other in memory, as they lie in files
        self._weights = np.empty((n_events, len(plan.weights)), order="F")
        self._flags = {name: np.empty(n_events, bool) for name in plan.flags}
        self._groups = None if plan.groups is None else np.empty(n_events, np.int64)
        self._ragged: dict[str, list[Ragged]] = {name: [] for name in plan.columns if forms[name].shape is None}
        self._plain = {
            name: np.empty((n_events, *(forms[name].shape or ())), forms[name].dtype.newbyteorder("="))
            for name in plan.columns
            if name not in self._ragged
        }

    def add(self, part: Mapping[str, Column]) -> None:
        """Take the next rows of some columns. Raises `InputError` with file and row for a number that may not be."""
        for name, column in part.items():
            rows = slice(self._rows[name], self._rows[name] + len(column))
            if rows.stop > self._n:
                raise InputError(f"it has more rows than the {self._n} that it declares")
            if isinstance(column, Ragged):
                self._add_ragged(name, column)
            else:
                self._add_plain(name, rows, column)
            self._rows[name] = rows.stop

    def finish(self, origins: Sequence[Origin], table: str = "") -> Events:
        """The whole table. Raises `InputError` if rows are missing."""
        short = next((name for name, rows in self._rows.items() if rows != self._n), None)
        if short is not None:
            raise InputError(f"it declares {self._n} rows and has {self._rows[short]} of {shorten(short)!r}")
        columns: dict[str, Column] = {}
        for name in self._plan.columns:
            ragged = self._ragged.pop(name, None)
            columns[name] = self._plain[name] if ragged is None else _joined(ragged, self._forms[name].dtype)
        weights = self._weights if self._plan.weights else None
        variations = tuple(self._plan.weights.values()) or ("",)
        return Events.of(columns, weights, variations, self._groups, self._flags, origins, table)

    def _add_plain(self, name: str, rows: slice, part: np.ndarray) -> None:
        first = self._first + rows.start
        if name in self._plain:
            if not self._keep:
                check_finite(self._where, name, part, first, _KEEP)
            if len(part) == self._n and part.dtype == self._plain[name].dtype:
                self._plain[name] = part  # the whole column: nothing to copy
            else:
                self._plain[name][rows] = part
        if name in self._plan.weights:
            check_finite(self._where, name, part, first, _MEND)
            self._weights[rows, list(self._plan.weights).index(name)] = part
        if name in self._flags:
            self._check(
                name, "flag", part, (part != 0) & (part != 1) if part.dtype.kind != "b" else None, first, "0 or 1"
            )
            self._flags[name][rows] = part
        if self._groups is not None and name == self._plan.groups:
            large = part > np.iinfo(np.int64).max if part.dtype == np.uint64 else None
            self._check(name, "group", part, large, first, "less than 2^63")
            self._groups[rows] = part

    def _add_ragged(self, name: str, part: Ragged) -> None:
        if not self._keep and part.dtype.kind == "f" and not np.isfinite(part.content).all():
            entry = int(np.argmin(np.isfinite(part.content)))
            row = int(np.searchsorted(part.offsets, entry, side="right")) - 1
            number, place = self._first + self._rows[name] + row, entry - part.offsets[row]
            raise InputError(
                f"{self._where}: {shorten(name)!r} is {part.content[entry]} at row {number}, entry {place}, not a "
                f"finite number{_KEEP}"
            )
        self._ragged[name].append(part)

    def _check(self, name: str, what: str, part: np.ndarray, bad: np.ndarray | None, first: int, expected: str) -> None:
        if bad is not None and bad.any():
            row = first_row(bad)
            raise InputError(
                f"{self._where}: {what} {shorten(name)!r} is {part[row]} at row {first + row}; expected {expected}"
            )


def fill(
    where: str, table: Table, plan: Plan, keep_not_finite: bool, origins: Sequence[Origin], read_from: str = ""
) -> Events:
    """Read the whole of a table."""
    filler = Filler(where, plan, table.forms, table.count(plan.names), keep_not_finite)
    for part in table.pieces(plan.names):
        filler.add(part)
        del part  # before the next is made
    return filler.finish(origins, read_from)


def _joined(parts: list[Ragged], dtype: np.dtype) -> Ragged:
    """Put the blocks of a column together; they are let go of one by one."""
    if len(parts) == 1:
        return parts[0]
    counts = np.concatenate([part.counts for part in parts]) if parts else np.zeros(0, np.int64)
    content = np.empty(int(counts.sum()), dtype.newbyteorder("="))
    first = 0
    for i, part in enumerate(parts):
        content[first : first + len(part.content)] = part.content
        first += len(part.content)
        parts[i] = Ragged(np.zeros(0), np.zeros(1, np.int64))  # a view of it would keep all of it in memory
    return from_counts(content, counts)
