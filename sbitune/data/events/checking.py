"""What arrays of a table of events have to be like."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.events.ragged import Ragged, frozen
from sbitune.data.events.roles import GROUP, weight_name
from sbitune.data.text.names import check_name, list_names, repeated


def check_weights(where: str, weights: Any, variations: Sequence[str]) -> np.ndarray:
    """Weights (n_events, n_variations) as float64. Raises `InputError` for another shape or type, and with the row for
    a weight that is not finite.
    """
    weights = np.asarray(weights)
    if weights.dtype.kind not in "fiu":
        raise InputError(f"{where}: the weights are {weights.dtype}, expected numbers")
    if weights.ndim != 2 or weights.shape[1] != len(variations):
        raise InputError(
            f"{where}: the weights have the shape {weights.shape}, expected (n_events, {len(variations)}), a column "
            f"for each of {list_names(name or 'nominal' for name in variations)}"
        )
    if not variations or variations[0]:
        raise InputError(
            f"{where}: the first weight must be the nominal one, whose name is empty; it is {variations[:1]}"
        )
    weights = weights.astype(np.float64, copy=False)
    for column, variation in enumerate(variations):
        check_finite(where, weight_name(variation), weights[:, column] if any(weights.strides) else weights[:1, column])
    return weights


def check_finite(where: str, name: str, numbers: np.ndarray, first: int = 0, remedy: str = "") -> None:
    """Raise `InputError` with the row, counted from `first`, for a number (n, ...) that is not finite."""
    if numbers.dtype.kind != "f":
        return
    with np.errstate(over="ignore", invalid="ignore"):
        total = numbers.sum()
    if np.isfinite(total):  # a sum is finite only if all numbers are, and costs a fraction of looking at each
        return
    bad = ~np.isfinite(numbers)
    if bad.any():
        row = first_row(bad)
        value = np.atleast_1d(numbers[row])[np.atleast_1d(bad[row])][0]
        raise InputError(f"{where}: {name!r} is {value} at row {first + row}, not a finite number{remedy}")


def first_row(bad: np.ndarray) -> int:
    """The first row of (n, ...) in which something is true."""
    return int(np.unravel_index(int(np.argmax(bad)), bad.shape)[0])


def check_columns(where: str, columns: Mapping[str, Any], n_events: int) -> dict[str, "np.ndarray | Ragged"]:
    """Columns of numbers or truths with `n_events` rows each, which cannot be written to."""
    checked: dict[str, np.ndarray | Ragged] = {}
    for name, column in columns.items():
        column = column if isinstance(column, Ragged) else np.asarray(column)
        if column.dtype.kind not in "biuf":
            raise InputError(f"{where}: column {name!r} holds {column.dtype}, expected numbers or truths")
        length = f"the shape {column.shape}" if isinstance(column, np.ndarray) else f"{len(column)} rows"
        if (isinstance(column, np.ndarray) and column.ndim == 0) or len(column) != n_events:
            raise InputError(f"{where}: column {name!r} has {length}, expected {n_events} events")
        checked[name] = column if isinstance(column, Ragged) else frozen(column)
    return checked


def check_flags(where: str, flags: Mapping[str, Any], n_events: int) -> dict[str, np.ndarray]:
    """Flags (n_events,), which cannot be written to."""
    checked = {}
    for name, flag in flags.items():
        flag = np.asarray(flag)
        if flag.dtype.kind != "b" or flag.shape != (n_events,):
            raise InputError(
                f"{where}: flag {name!r} is {flag.dtype} of the shape {flag.shape}, expected truths ({n_events},)"
            )
        checked[name] = frozen(flag)
    return checked


def check_groups(where: str, groups: Any, n_events: int) -> np.ndarray:
    """Group ids (n_events,) as int64, which cannot be written to."""
    groups = np.asarray(groups)
    if groups.dtype.kind not in "iu" or groups.shape != (n_events,):
        raise InputError(
            f"{where}: the groups are {groups.dtype} of the shape {groups.shape}, expected whole numbers ({n_events},)"
        )
    if groups.dtype == np.uint64 and groups.size and groups.max() > np.iinfo(np.int64).max:
        raise InputError(f"{where}: a group is {groups.max()}, beyond {np.iinfo(np.int64).max}; number the groups anew")
    return frozen(groups.astype(np.int64, copy=False))


def check_names(
    where: str, columns: Collection[str], flags: Collection[str], variations: Sequence[str], has_groups: bool
) -> None:
    """Refuse names that are none, and one that is there twice: all can be used in one expression."""
    for what, names in (("column", columns), ("flag", flags), ("weight", [v for v in variations if v])):
        for name in names:
            try:
                check_name(name, what)
            except InputError as error:
                raise InputError(f"{where}: {error}") from error
    weights = [weight_name(variation) for variation in variations]
    twice = repeated([*columns, *flags, *weights, *([GROUP] if has_groups else [])])
    if twice:
        raise InputError(f"{where}: two of columns, flags, weights and groups are called {twice[0]!r}; rename one")
