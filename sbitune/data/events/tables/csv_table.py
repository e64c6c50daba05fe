"""Tables of events as text: a line of names, then one event a line, divided by commas, semicolons, tabs or blanks.

Numbers are read as everywhere (`text.numbers`); a column of `true` and `false` is a flag, one of whole numbers
stays whole.
"""

import contextlib
import csv
import gzip
import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.events.tables.array_table import ArrayTable
from sbitune.data.text.names import check_name, repeated
from sbitune.data.text.numbers import number, numbers, quoted

#: lines read at once
_LINES = 20_000
_TRUTHS = {"true": True, "false": False, "True": True, "False": False, "TRUE": True, "FALSE": False}
#: whole numbers that fit into 64 bits; a longer one is read as any other number
_WHOLE = re.compile(r"[+-]?(?:0|[1-9][0-9]{0,17})")


@contextlib.contextmanager
def open_csv(path: Path, table: str = "") -> Iterator[ArrayTable]:
    """Read a text file of a table; one whose name ends in .gz is unpacked."""
    if table:
        raise InputError(f"a text file has one table without a name, not {table!r}")
    opened = gzip.open if path.name.endswith(".gz") else open
    with opened(path, "rt", encoding="utf-8-sig", newline="") as lines:
        yield ArrayTable(_read(path, lines))


def _read(path: Path, lines: TextIO) -> dict[str, np.ndarray]:
    head = lines.readline()
    if not head.strip("# \r\n"):
        raise InputError(f"{path}:1: there are no names of columns")
    separator = _separator(head)
    names = _split([head.lstrip("# ")], separator, path, 1)[0]
    if twice := repeated(names):
        raise InputError(f"{path}:1: the column {quoted(twice[0])} is there twice")
    for name in names:
        try:
            check_name(name, "column")
        except InputError as error:
            raise InputError(f"{path}:1: {error}") from error
    parts: list[list[np.ndarray]] = [[] for _ in names]
    first = 2
    while block := list(itertools.islice(lines, _LINES)):
        rows = _split(block, separator, path, first)
        for i, row in enumerate(rows):
            if len(row) != len(names):
                raise InputError(f"{path}:{first + i}: {len(row)} fields, expected {len(names)}, one for each column")
        for part, name, words in zip(parts, names, zip(*rows, strict=True), strict=True):
            part.append(_parse(path, first, name, words))
        first += len(block)
    return {name: _joined(path, name, part) for name, part in zip(names, parts, strict=True)}


def _separator(head: str) -> str:
    return next((mark for mark in ",;\t" if mark in head), " ")


def _split(lines: Sequence[str], separator: str, path: Path, first: int) -> list[list[str]]:
    """Words of lines, without blanks around them."""
    if separator == " ":
        return [line.split() for line in lines]
    if not any('"' in line for line in lines):
        return [[word.strip() for word in line.split(separator)] for line in lines]
    try:
        rows = [row for line in lines for row in csv.reader([line], delimiter=separator, strict=True)]
    except csv.Error as error:
        raise InputError(f"{path}:{first}: in this line or one of the next {len(lines)}: {error}") from error
    return [[word.strip() for word in row] for row in rows]


def _parse(path: Path, first: int, name: str, words: Sequence[str]) -> np.ndarray:
    if words[0] in _TRUTHS:
        truths = [_TRUTHS.get(word) for word in words]
        if None in truths:
            raise _fault(
                path, first + truths.index(None), name, f"{quoted(words[truths.index(None)])} is neither true nor false"
            )
        return np.array(truths, bool)
    if all(map(_WHOLE.fullmatch, words)):
        return np.array(list(map(int, words)), np.int64)
    try:
        return numbers(words)
    except ValueError:
        for row, word in enumerate(words):
            try:
                number(word)
            except ValueError as error:
                raise _fault(path, first + row, name, str(error) if word else "there is no value") from error
        raise


def _fault(path: Path, line: int, name: str, words: str) -> InputError:
    return InputError(f"{path}:{line}: column {quoted(name)}: {words}")


def _joined(path: Path, name: str, parts: list[np.ndarray]) -> np.ndarray:
    """All of a column: whole numbers only if all are."""
    kinds = {part.dtype.kind for part in parts}
    if "b" in kinds and len(kinds) > 1:
        raise InputError(f"{path}: column {quoted(name)} has truths and numbers; expected one of these")
    return np.concatenate(parts) if parts else np.zeros(0)
