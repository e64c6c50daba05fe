"""Parameter files of the field: `params.dat` of a run, ranges, limits; and tables of points."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sbitune.data.errors import InputError, naming_file
from sbitune.data.storage.files import read_lines, write_text
from sbitune.data.text.names import check_word, repeated, shorten, split_words
from sbitune.data.text.numbers import finite, is_number


def read_values(path: str | Path) -> dict[str, float]:
    """Read a run's parameters: one `NAME value` a line, `#` comments; a lone number is called PARAMn, as in Professor.

    Raises `InputError` naming the file and the line.
    """
    values: dict[str, float] = {}
    lines = _lines(path, "parameter file")
    for number, words in lines:
        if len(words) != len(lines[0][1]) or len(words) > 2:
            raise InputError(f"{path}:{number}: expected 'NAME value' in every line, found {len(words)} words")
        name = f"PARAM{len(values)}" if len(words) == 1 else _name(words[0], f"{path}:{number}")
        if name in values:
            raise InputError(f"{path}:{number}: parameter {shorten(name)} is given twice")
        values[name] = _number(words[-1], f"{path}:{number}")
    if not values:
        raise InputError(f"{path}: no parameter in this file; write lines such as 'TimeShower:alphaSvalue 0.1365'")
    return values


def write_values(path: str | Path, values: Mapping[str, float]) -> None:
    """Write a run's parameters; the numbers are read back exactly."""
    for name in values:
        check_word(name)
    width = max(len(name) for name in values)
    write_text(path, "".join(f"{name:<{width}} {float(value)!r}\n" for name, value in values.items()))


def read_limits(path: str | Path) -> tuple[dict[str, tuple[float, float]], dict[str, float]]:
    """Read a limits file, `NAME low high` or `NAME value`: gives the ranges and the fixed values."""
    ranges: dict[str, tuple[float, float]] = {}
    fixed: dict[str, float] = {}
    for number, words in _lines(path, "limits file"):
        where = f"{path}:{number}"
        if _name(words[0], where) in ranges or words[0] in fixed:
            raise InputError(f"{where}: parameter {shorten(words[0])} is given twice")
        if len(words) == 2:
            fixed[words[0]] = _number(words[1], where)
        elif len(words) == 3:
            ranges[words[0]] = (_number(words[1], where), _number(words[2], where))
            if not ranges[words[0]][0] < ranges[words[0]][1]:
                raise InputError(f"{where}: the limits of {shorten(words[0])} are not in order")
        else:
            raise InputError(f"{where}: expected 'NAME low high' or 'NAME value'")
    return ranges, fixed


def write_limits(
    path: str | Path, ranges: Mapping[str, tuple[float, float]], fixed: Mapping[str, float] | None = None
) -> None:
    """Write a limits file of ranges and fixed values; the numbers are read back exactly.

    Raises `InputError` for a parameter that is in both, a range that is empty, or a name that the format cannot hold.
    """
    table: dict[str, tuple[float, ...]] = {name: tuple(ends) for name, ends in ranges.items()}
    for name, (low, high) in ranges.items():
        if not low < high:
            raise InputError(f"limits file: the limits of {name}, {low} and {high}, are not in order")
    for name, value in (fixed or {}).items():
        if name in table:
            raise InputError(f"limits file: {name} has limits and is fixed; keep one of the two")
        table[name] = (value,)
    for name, numbers in table.items():
        with naming_file("limits file"):
            check_word(name)
        if not all(math.isfinite(number) for number in numbers):
            raise InputError(f"limits file: {name} {numbers} cannot be written: not finite")
    width = max((len(name) for name in table), default=0)
    rows = (f"{name:<{width}} {' '.join(repr(float(n)) for n in numbers)}\n" for name, numbers in table.items())
    write_text(path, "".join(rows))


class Table(NamedTuple):
    """Points of the parameters, as `read_points` finds them."""

    names: tuple[str, ...]  #: (n_parameters,) in the order of the columns
    points: np.ndarray  #: (n_points, n_parameters) in the generator's units
    lines: tuple[int, ...]  #: (n_points,) where each stands in the file, from 1


def read_points(path: str | Path) -> Table:
    """Read a table of points: a line with the parameters' names, then one point a line; `#` begins a comment.

    Raises `InputError` naming the file and the line.
    """
    lines = _lines(path, "table of points")
    if len(lines) < 2:
        raise InputError(f"{path}: expected a line with the names of the parameters, then one point a line")
    head, names = lines[0]
    twice = repeated(names)
    if twice:
        raise InputError(f"{path}:{head}: parameter {shorten(twice[0])} is named twice")
    for name in names:
        _name(name, f"{path}:{head}")
    rows = []
    for number, words in lines[1:]:
        if len(words) != len(names):
            raise InputError(f"{path}:{number}: {len(words)} numbers for {len(names)} parameters (line {head})")
        rows.append([_number(word, f"{path}:{number}") for word in words])
    return Table(tuple(names), np.array(rows), tuple(number for number, _ in lines[1:]))


def is_table(path: str | Path) -> bool:
    """Whether a file is a table of points and no limits file: its first line names parameters alone."""
    lines = _lines(path, "limits file or table of points")
    return bool(lines) and not any(is_number(word) for word in lines[0][1])


def write_points(path: str | Path, names: Sequence[str], points: np.ndarray, comments: Sequence[str] = ()) -> None:
    """Write a table of points (n_points, n_parameters) whole or not at all; the numbers are read back exactly."""
    for name in names:
        check_word(name)
    rows = [" ".join(names), *(" ".join(repr(float(x)) for x in point) for point in points)]
    write_text(path, "".join([*(f"# {line}\n" for line in comments), *(f"{row}\n" for row in rows)]))


def _lines(path: str | Path, what: str) -> list[tuple[int, list[str]]]:
    lines = read_lines(path, what)
    found = []
    for number, line in lines:
        with naming_file(f"{path}:{number}"):
            words = split_words(line.split("#", 1)[0])
        found += [(number, words)] if words else []
    return found


def _name(word: str, where: str) -> str:
    with naming_file(where):
        check_word(word)
    return word


def _number(text: str, where: str) -> float:
    try:
        return finite(text)
    except ValueError as error:
        raise InputError(f"{where}: {error}") from None
