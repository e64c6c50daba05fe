"""Columns with another number of entries in every event, as particles have: one flat array and where events begin."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sbitune.data.errors import InputError


@dataclass(frozen=True, eq=False)
class Ragged:
    """Entries of all events, one event after the other. Columns of the same particles share their offsets."""

    content: np.ndarray  #: (n_entries,) numbers or truths
    offsets: np.ndarray  #: (n_events + 1,) int64, from 0 to n_entries: event i has content[offsets[i]:offsets[i + 1]]

    def __post_init__(self) -> None:
        content, offsets = np.asarray(self.content), np.asarray(self.offsets)
        if content.ndim != 1:
            raise InputError(f"the entries of a ragged column have the shape {content.shape}, expected (n_entries,)")
        if offsets.ndim != 1 or len(offsets) < 1 or offsets.dtype.kind not in "iu":
            raise InputError(
                f"the offsets of a ragged column are {offsets.dtype} of the shape {offsets.shape}, expected whole "
                "numbers (n_events + 1,)"
            )
        offsets = offsets.astype(np.int64, copy=False)
        if offsets[0] != 0 or offsets[-1] != len(content):
            raise InputError(
                f"the offsets of a ragged column go from {offsets[0]} to {offsets[-1]}, expected 0 to the number of "
                f"its entries, {len(content)}"
            )
        steps = offsets[1:] < offsets[:-1]
        if steps.any():
            raise InputError(f"the offsets of a ragged column fall at row {int(np.argmax(steps))}; they must rise")
        object.__setattr__(self, "content", frozen(content))
        object.__setattr__(self, "offsets", frozen(offsets))

    def __len__(self) -> int:
        """Return the number of events."""
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> np.ndarray:
        """Return the entries of an event (n,)."""
        row = range(len(self))[row]
        return self.content[self.offsets[row] : self.offsets[row + 1]]

    @property
    def dtype(self) -> np.dtype:
        """Type of the entries."""
        return self.content.dtype

    @property
    def counts(self) -> np.ndarray:
        """Numbers of entries of the events (n_events,)."""
        return np.diff(self.offsets)

    @property
    def nbytes(self) -> int:
        """Bytes of entries and offsets."""
        return self.content.nbytes + self.offsets.nbytes


def frozen(array: np.ndarray) -> np.ndarray:
    """The array, or a view of it, that cannot be written to."""
    if not array.flags.writeable:
        return array
    view = array.view()
    view.flags.writeable = False
    return view


def from_counts(content: np.ndarray, counts: np.ndarray) -> Ragged:
    """Make a ragged column of entries (n_entries,) and their numbers in the events (n_events,)."""
    return Ragged(content, offsets_of(counts))


def offsets_of(counts: np.ndarray) -> np.ndarray:
    """Where events with so many entries (n_events,) begin (n_events + 1,)."""
    offsets = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=offsets[1:])
    return offsets


def take_ragged(columns: Sequence[Ragged], rows: "slice | np.ndarray") -> list[Ragged]:
    """Rows of several columns: entries of a slice are views. Those that share offsets do so afterwards."""
    plans: dict[int, tuple[np.ndarray, slice | np.ndarray]] = {}
    taken = []
    for column in columns:
        key = id(column.offsets)
        if key not in plans:
            plans[key] = _plan(column.offsets, rows)
        offsets, entries = plans[key]
        taken.append(Ragged(column.content[entries], offsets))
    return taken


def share_offsets(columns: Sequence[Ragged]) -> list[Ragged]:
    """The same columns; those with equal offsets have them in common."""
    kept: list[np.ndarray] = []
    shared = []
    for column in columns:
        same = next((o for o in kept if o is column.offsets or np.array_equal(o, column.offsets)), None)
        if same is None:
            kept.append(column.offsets)
        shared.append(column if same is None else Ragged(column.content, same))
    return shared


def join_ragged(parts: Sequence[Ragged]) -> Ragged:
    """Put columns of one kind after one another."""
    content = np.concatenate([part.content for part in parts])
    return from_counts(content, np.concatenate([part.counts for part in parts]))


def _plan(offsets: np.ndarray, rows: "slice | np.ndarray") -> tuple[np.ndarray, "slice | np.ndarray"]:
    """Offsets of the rows, and which entries they have."""
    if isinstance(rows, slice):
        first, last, step = rows.indices(len(offsets) - 1)
        if step == 1:
            last = max(first, last)
            entries = slice(int(offsets[first]), int(offsets[last]))
            return frozen(offsets[first : last + 1] - offsets[first]), entries
    starts, counts = offsets[:-1][rows], np.diff(offsets)[rows]
    taken = offsets_of(counts)
    return frozen(taken), np.repeat(starts - taken[:-1], counts) + np.arange(taken[-1])
