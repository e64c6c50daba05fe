"""Tables of events as text: a line of names, then one event a line, divided by commas, semicolons, tabs or blanks.

Numbers are read as everywhere (`text.numbers`); a column of `true` and `false` is a flag, one of whole numbers
stays whole. Numbers are written with all their digits.
"""

import contextlib
import csv
import gzip
import io
import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.events.events import Column, Events
from sbitune.data.events.ragged import Ragged
from sbitune.data.events.tables.array_table import ArrayTable
from sbitune.data.events.tables.named import named_arrays
from sbitune.data.storage.files import replacing
from sbitune.data.text.names import check_name, repeated, shorten
from sbitune.data.text.numbers import number, numbers, quoted

#: lines read at once
_LINES = 20_000
_TRUTHS = {"true": True, "false": False, "True": True, "False": False, "TRUE": True, "FALSE": False}
#: whole numbers that may fit into 64 bits; a longer one is read as any other number
_WHOLE = re.compile(r"[+-]?(?:0|[1-9][0-9]{0,19})")
#: kinds of whole numbers, the wider one where the first is too small
_WHOLE_KINDS = (np.dtype(np.int64), np.dtype(np.uint64))


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
    if all(map(_WHOLE.fullmatch, words)) and (whole := _whole(list(map(int, words)))) is not None:
        return whole
    try:
        return numbers(words)
    except ValueError:
        for row, word in enumerate(words):
            try:
                number(word)
            except ValueError as error:
                raise _fault(path, first + row, name, str(error) if word else "there is no value") from error
        raise


def _whole(values: list[int]) -> np.ndarray | None:
    """Whole numbers as an array; None if there is no kind that holds all of them."""
    low, high = min(values), max(values)
    kind = next((k for k in _WHOLE_KINDS if np.iinfo(k).min <= low and high <= np.iinfo(k).max), None)
    return None if kind is None else np.array(values, kind)


def _fault(path: Path, line: int, name: str, words: str) -> InputError:
    return InputError(f"{path}:{line}: column {quoted(name)}: {words}")


def _joined(path: Path, name: str, parts: list[np.ndarray]) -> np.ndarray:
    """All of a column: whole numbers only if all are."""
    kinds = {part.dtype.kind for part in parts}
    if "b" in kinds and len(kinds) > 1:
        raise InputError(f"{path}: column {quoted(name)} has truths and numbers; expected one of these")
    if kinds == {"i", "u"}:  # NumPy makes floats of both, which have not all digits
        whole = _whole([value for part in parts for value in part.tolist()])
        return np.concatenate([part.astype(float) for part in parts]) if whole is None else whole
    return np.concatenate(parts) if parts else np.zeros(0)


def write_csv(path: str | Path, events: Events) -> None:
    """Write events as text, whole or not at all: with tabs between fields if the name has `.tsv` at its end, else with
    commas; packed if it ends in `.gz`.

    Raises `InputError` for what text cannot hold: columns with several numbers for an event, no event at all, and names
    that would be read as others.
    """
    columns = named_arrays(events)
    separator = "\t" if str(path).endswith((".tsv", ".tsv.gz")) else ","
    for name, column in columns.items():
        _check_single(path, name, column)
    if not len(events):
        raise InputError(
            f"{path}: a text file cannot hold a table without events; write it as .parquet, .npz or .h5",
            code="table-not-in-format",
        )
    head = _spell_row(list(columns), separator)
    try:
        read = _split([head.lstrip("# ")], _separator(head), Path(path), 1)[0]
    except InputError:
        read = []
    if read != list(columns):
        odd = next((name for name, other in itertools.zip_longest(columns, read) if name != other), "")
        raise InputError(
            f"{path}: a column cannot be called {quoted(str(odd))} in a text file; write .parquet, .npz or .h5",
            code="table-not-in-format",
        )
    opened = gzip.open if str(path).endswith(".gz") else open
    with replacing(path) as temporary, opened(temporary, "wt", encoding="utf-8", newline="") as stream:
        stream.write(head)
        for first in range(0, len(events), _LINES):
            part = [_spell(column[first : first + _LINES]) for column in columns.values()]  # pyright: ignore
            stream.writelines(separator.join(row) + "\n" for row in zip(*part, strict=True))


def _check_single(path: str | Path, name: str, column: Column) -> None:
    """Refuse a column that has not one number for each event."""
    if isinstance(column, Ragged) or column.ndim > 1:
        many = (
            "another number of entries in every event" if isinstance(column, Ragged) else f"{column.shape[1:]} numbers"
        )
        raise InputError(
            f"{path}: the column {shorten(name)!r} has {many}, a text file one number for each event; name the columns "
            "that are wanted without it, or write .parquet, .npz or .h5",
            code="table-not-in-format",
        )


def _spell_row(names: list[str], separator: str) -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=separator, lineterminator="\n").writerow(names)
    return text.getvalue()


def _spell(column: np.ndarray) -> list[str]:
    if column.dtype.kind == "b":
        return ["true" if value else "false" for value in column.tolist()]
    return list(map(repr, column.tolist()))
