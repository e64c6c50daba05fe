"""What arrays in files have to be like: shapes, types, ranges. One check for reading and writing.

NumPy broadcasts an array of length 1, casts 5.7 and 2^40 to another particle, and reads "7" as a number: what a file
does not say must not be made of it, so that nothing is computed from stored arrays before they were compared with
a layout.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from sbitune.data.errors import InputError, SbituneError
from sbitune.data.text.names import is_unseen, list_names, shorten

#: of ASCII what is drawn; NumPy pads with NUL, and does not tell it from an end
_FIRST_PRINTABLE, _LAST_PRINTABLE, _LAST_LETTER = 0x20, 0x7E, 0x10FFFF
#: by how much rounding may take a correlation matrix off its diagonal of 1, its symmetry and its range
_ROUNDING = 1e-6


class ArraySpec(NamedTuple):
    """What one array has to be like."""

    shape: tuple[int | str, ...]
    """Lengths; a name stands for a length that is the same wherever it occurs, or is given by the caller."""
    dtype: Any = np.float64
    """What it is given as: `np.float64`, `np.floating` (any kind of float, kept), an integer type, bool, `np.str_`."""
    low: float = -np.inf
    """Smallest value."""
    high: float = np.inf
    """Largest value."""
    finite: bool = True
    """Whether every number must be finite."""
    needed: bool = True
    """Whether the array must be there."""


Layout = Mapping[str, ArraySpec]


def check_arrays(
    where: str,
    arrays: Mapping[str, np.ndarray],
    layout: Layout,
    sizes: Mapping[str, int] | None = None,
    error: type[SbituneError] = InputError,
) -> dict[str, np.ndarray]:
    """Compare arrays with a layout.

    Args:
        where: begins a message: the file.
        arrays: by name; what the layout does not know is passed over.
        layout: what they have to be like.
        sizes: lengths that are known before.
        error: what is raised; `ComputationError` when numbers of one's own are about to be written.

    Returns:
        Those of the layout that there are, of the type that it asks for.

    Raises:
        InputError: (or `error`) an array is missing, or has another shape or type, a value out of range or one that is
            not finite; the message names the array and the place.
    """
    known = dict(sizes or {})
    for name, spec in layout.items():
        if spec.needed and name not in arrays:
            raise error(f"{where}: the array {name!r} is missing; it has {list_names(arrays)}")
    found = {}
    try:
        for name, spec in layout.items():
            if name in arrays:
                found[name] = _check(name, np.asarray(arrays[name]), spec, known)
    except InputError as fault:
        raise error(f"{where}: {fault}") from fault
    return found


def check_correlation(where: str, matrix: np.ndarray | None, name: str = "correlation") -> None:
    """Raise `InputError` unless a matrix (n, n) of finite numbers is symmetric, in [-1, 1], with a diagonal of 1."""
    if matrix is None:
        return
    if np.abs(np.diag(matrix) - 1).max(initial=0) > _ROUNDING:
        at = int(np.argmax(np.abs(np.diag(matrix) - 1)))
        raise InputError(f"{where}: {name!r} is {matrix[at, at]:g} on its diagonal, at {at}; expected 1")
    away = np.maximum(np.abs(matrix - matrix.T), np.abs(matrix) - 1)
    if away.max(initial=0) > _ROUNDING:
        row, column = np.unravel_index(np.argmax(away), away.shape)
        raise InputError(
            f"{where}: {name!r} is {matrix[row, column]:g} at {row}, {column} and {matrix[column, row]:g} at {column}, "
            f"{row}; expected the same number, of -1 to 1"
        )


def _check(name: str, array: np.ndarray, spec: ArraySpec, known: dict[str, int]) -> np.ndarray:
    _check_shape(name, array, spec, known)
    if spec.dtype is np.str_:
        return _check_text(name, array)
    if np.issubdtype(spec.dtype, np.bool_):
        _expect(name, array, "b", "true or false")
        return array
    if np.issubdtype(spec.dtype, np.integer):
        return _whole_numbers(name, array, spec)
    return _numbers(name, array, spec)


def _check_shape(name: str, array: np.ndarray, spec: ArraySpec, known: dict[str, int]) -> None:
    """Compare with the lengths that are known, and learn those that are not."""
    if array.ndim == len(spec.shape):
        for length, symbol in zip(array.shape, spec.shape, strict=True):
            if isinstance(symbol, str):
                known.setdefault(symbol, length)
    expected = tuple(known.get(part, part) if isinstance(part, str) else part for part in spec.shape)
    if array.shape != expected:
        words = ", ".join(map(str, spec.shape)) + ("," if len(spec.shape) == 1 else "")
        shape = ", ".join(map(str, expected)) + ("," if len(expected) == 1 else "")
        meaning = f", that is ({words})" if words != shape else ""
        raise InputError(f"{name!r} has the shape {array.shape}, expected ({shape}){meaning}")


def _expect(name: str, array: np.ndarray, kinds: str, what: str) -> None:
    if array.dtype.kind not in kinds:
        raise InputError(f"{name!r} does not hold {what}, but {array.dtype}")


def _check_text(name: str, array: np.ndarray) -> np.ndarray:
    _expect(name, array, "U", "text")
    if array.size and array.dtype.itemsize:
        letters = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("="), copy=False).view(np.uint32)
        rare = letters[(letters != 0) & ((letters < _FIRST_PRINTABLE) | (letters > _LAST_PRINTABLE))]
        code = next((int(code) for code in np.unique(rare) if code > _LAST_LETTER or is_unseen(chr(code))), None)
        if code is not None:
            raise InputError(f"{name!r} holds the character {code:#x}, which is none of a name")
    return array


def _whole_numbers(name: str, array: np.ndarray, spec: ArraySpec) -> np.ndarray:
    _expect(name, array, "iuf", "whole numbers")
    if array.dtype.kind == "f" and array.dtype.itemsize < 8:  # which cannot hold the limits
        array = array.astype(np.float64)
    limits = np.iinfo(spec.dtype)
    low, high = max(spec.low, limits.min), min(spec.high, limits.max)
    bad = ~((array >= low) & (array <= high))  # also true for NaN
    # 2^63 - 1 is no float: a float that is equal to the float nearest to it is beyond
    bad |= (array >= 2.0**63) if array.dtype.kind == "f" else False
    if array.dtype.kind == "f":
        bad |= array != np.floor(array)
    if bad.any():
        raise InputError(f"{name!r} is {_first(array, bad)}; expected whole numbers of {int(low)} to {int(high)}")
    return array.astype(spec.dtype, copy=False)


def _numbers(name: str, array: np.ndarray, spec: ArraySpec) -> np.ndarray:
    _expect(name, array, "fiu", "numbers")
    kind = array.dtype if spec.dtype is np.floating else np.dtype(spec.dtype)
    if array.dtype.kind != "f" and spec.dtype is np.floating:
        raise InputError(f"{name!r} does not hold floating-point numbers, but {array.dtype}")
    if kind.itemsize < array.dtype.itemsize and array.dtype.itemsize <= 8:
        raise InputError(f"{name!r} holds {array.dtype}, expected {kind}")
    with np.errstate(over="ignore"):  # beyond the range becomes infinite, and is refused
        numbers = array.astype(kind.newbyteorder("="), copy=False)
    if spec.finite and not np.isfinite(numbers).all():
        raise InputError(f"{name!r} is {_first(numbers, ~np.isfinite(numbers))}, not a finite number")
    if spec.low > -np.inf or spec.high < np.inf:
        bad = (numbers < spec.low) | (numbers > spec.high)
        if bad.any():
            raise InputError(f"{name!r} is {_first(numbers, bad)}; expected {_range(spec)}")
    return numbers


def _range(spec: ArraySpec) -> str:
    if spec.high == np.inf:
        return f"at least {spec.low:g}"
    return f"at most {spec.high:g}" if spec.low == -np.inf else f"numbers of {spec.low:g} to {spec.high:g}"


def _first(array: np.ndarray, bad: np.ndarray) -> str:
    """The first bad number and its place."""
    place = np.unravel_index(int(np.argmax(bad)), array.shape)
    number = str(array[place]) if array.dtype.kind in "iu" else f"{array[place]:.12g}"
    return number + (f" at {', '.join(map(str, place))}" if place else "")


def whole_number(name: str, number: Any) -> int:
    """A number of a header that counts something. Raises `InputError` for anything else."""
    if type(number) is not int or number < 0:
        raise InputError(f"{name} is {shorten(repr(number))}, expected a whole number, 0 or more")
    return number
