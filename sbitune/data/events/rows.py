"""Rows of a table of events: a slice, a mask or numbers."""

import numpy as np

from sbitune.data.errors import InputError

Rows = slice | np.ndarray


def as_rows(where: str, rows: Rows, n_events: int) -> Rows:
    """Check rows of a table of so many events: a slice, a mask (n_events,), or numbers (k,) from 0 to n_events - 1.

    Raises `InputError` for a mask of another length and numbers out of range; no number counts from the end.
    """
    if isinstance(rows, slice):
        return rows
    rows = np.asarray(rows)
    if rows.ndim != 1:
        raise InputError(f"{where}: rows are chosen by an array of the shape {rows.shape}, expected (n,)")
    if rows.dtype.kind == "b":
        if len(rows) != n_events:
            raise InputError(f"{where}: a mask of {len(rows)} rows, expected one for each of {n_events} events")
        return rows
    if rows.size and rows.dtype.kind not in "iu":
        raise InputError(f"{where}: rows are chosen by {rows.dtype}, expected whole numbers, truths or a slice")
    bad = (rows < 0) | (rows >= n_events)
    if bad.any():
        raise InputError(f"{where}: there is no row {rows[bad][0]}; there are {n_events} events")
    return rows.astype(np.intp)
