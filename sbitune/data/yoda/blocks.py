"""The container of YODA text: blocks from `BEGIN YODA_<TYPE>_V<n> <path>` to `END`, found without reading rows."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import NoReturn

import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.yoda import annotations

_FENCE = re.compile(r"^[# \t]*(BEGIN|END)[ \t]+YODA_(\S+)[ \t]*(.*)$", re.MULTILINE)
_TYPE = re.compile(r"(.+?)(?:_V(\d+))?")
_RULE = re.compile(r"^---[ \t]*$", re.MULTILINE)
_PATH = re.compile(r"^Path[ \t]*[:=](.*)$", re.MULTILINE)
_HEADER = re.compile(r"\s*([A-Za-z]\w*(?:\([^)]*\))?):\s*(\[.*\])\s*")


@dataclass(frozen=True, eq=False)
class Block:
    """One block of a file, not parsed yet."""

    source: str  #: name of the file, for messages
    text: str  #: the whole file
    kind: str  #: type as in the BEGIN line, without prefix and version: HISTO1D, BINNEDESTIMATE<I>
    version: int  #: 1, 2 (YODA 1) or 3 (YODA 2)
    begin: int  #: position of the BEGIN line
    start: int  #: position of the first line inside
    rule: int  #: position of the line `---`; `start` where version 1 has none
    end: int  #: position of the END line
    path: str

    def fail(self, message: str, position: int | None = None) -> NoReturn:
        """Raise `InputError` with file and line."""
        line = line_number(self.text, self.begin if position is None else position)
        raise InputError(f"{self.source}:{line}: {self.kind} {self.path}: {message}")

    @cached_property
    def annotations(self) -> dict[str, str]:
        """All annotations, as text."""
        if self.version > 1:
            return annotations.parse(self.text[self.start : self.rule])
        pairs = (annotations.parse_old(line) for line in self._old_lines() if _is_old_annotation(line))
        return dict(pair for pair in pairs if pair)

    def _old_lines(self) -> Iterator[str]:
        lines = self.text[self.start : self.end].split("\n")
        return (line for line in lines if line.strip() and line.lstrip()[0] != "#" and line.strip() != "---")

    @cached_property
    def _data(self) -> tuple[dict[str, str], list[list[str]]]:
        if self.version == 1:
            return {}, [line.split() for line in self._old_lines() if not _is_old_annotation(line)]
        header, rows = {}, []
        for line in self.text[self.rule : self.end].split("\n")[1:]:
            words = line.split()
            if not words or words[0][0] == "#":
                continue
            match = _HEADER.fullmatch(line) if self.version == 3 else None
            if match:
                header[match[1]] = match[2]
            else:
                rows.append(words)
        return header, rows

    @property
    def header(self) -> dict[str, str]:
        """Lines `Word: [...]` in front of the rows (version 3): edges, error labels, masked bins."""
        return self._data[0]

    @property
    def rows(self) -> list[list[str]]:
        """The rows of data, split into words."""
        return self._data[1]

    def numbers(self, rows: list[list[str]], columns: int, extra: bool = False) -> np.ndarray:
        """Rows of words as an array (n_rows, columns). Columns missing at the end of a row are 0.

        Args:
            rows: Words of the rows.
            columns: Number of columns.
            extra: Whether to ignore columns behind the last; otherwise they are an error.

        Raises:
            InputError: A word is not a number, or a row is too long.
        """
        if any(len(row) != columns for row in rows):
            rows = [self._fitted(row, columns, extra) for row in rows]
        try:
            values = np.array(list(map(float, chain.from_iterable(rows))))
        except ValueError:
            self._find_bad_number(rows)
        return values.reshape(len(rows), columns)

    def _fitted(self, row: list[str], columns: int, extra: bool) -> list[str]:
        if len(row) > columns and not extra:
            self.fail(f"a row has {len(row)} columns instead of {columns}", self._position(row))
        return row[:columns] + ["0"] * (columns - len(row))

    def _find_bad_number(self, rows: list[list[str]]) -> NoReturn:
        for row in rows:
            for word in row:
                try:
                    float(word)
                except ValueError:
                    self.fail(f"'{word}' is not a number; correct the row", self._position(row, word))
        raise AssertionError("every word is a number")

    def _position(self, row: list[str], word: str | None = None) -> int:
        """Where a row of words stands: the first line inside that has those words (behind its edges or ids)."""
        wanted = row if word is None else [word]
        offset = self.rule
        for line in self.text[self.rule : self.end].split("\n"):
            words = line.split()
            if word in words if word is not None else words[-len(wanted) :] == wanted:
                return offset
            offset += len(line) + 1
        return self.begin


def _is_old_annotation(line: str) -> bool:
    return "=" in line or ":" in line


def line_number(text: str, position: int) -> int:
    """Line, counted from 1, of a position in a text."""
    return text.count("\n", 0, position) + 1


def find(text: str, source: str, select: Callable[[str], bool] | None = None) -> Iterator[Block]:
    """Blocks of a file in order.

    Args:
        text: The file, lines ending in newlines.
        source: Its name, for messages.
        select: Only blocks whose path satisfies it.

    Raises:
        InputError: A block does not end, an END has no BEGIN, or there is text between blocks.
    """
    begin: re.Match[str] | None = None
    behind = 0
    for fence in _FENCE.finditer(text):
        if fence[1] == "BEGIN":
            if begin:
                _unfinished(text, source, begin)
            _check_between(text, source, behind, fence.start())
            begin = fence
        elif begin is None:
            at = line_number(text, fence.start())
            raise InputError(f"{source}:{at}: END YODA_{fence[2]} has no BEGIN; is the start of the file missing?")
        else:
            block = _block(text, source, begin, fence)
            if select is None or select(block.path):
                yield block
            begin, behind = None, fence.end()
    if begin:
        _unfinished(text, source, begin)
    _check_between(text, source, behind, len(text))


def _block(text: str, source: str, begin: re.Match[str], end: re.Match[str]) -> Block:
    match = _TYPE.fullmatch(begin[2])
    assert match is not None
    start = begin.end() + 1
    version = int(match[2] or 1)
    rule = _RULE.search(text, start, end.start())
    head = rule.start() if rule and version > 1 else end.start()
    given = _PATH.search(text, start, head)
    path = annotations.scalar(given[1]) if given else ""
    path = path or begin[3].strip()
    inside = rule.start() if rule and version > 1 else start
    block = Block(source, text, match[1], version, begin.start(), start, inside, end.start(), path)
    if version > 3:
        block.fail(f"version {version} of the format is not known; known are 1, 2 and 3")
    if version > 1 and not rule:
        block.fail("the line '---' between annotations and rows is missing; is the file damaged?")
    return block


def _unfinished(text: str, source: str, begin: re.Match[str]) -> NoReturn:
    at = line_number(text, begin.start())
    raise InputError(
        f"{source}:{at}: the block of YODA_{begin[2]} {begin[3].strip()} has no END; the file is cut short"
    )


def _check_between(text: str, source: str, start: int, end: int) -> None:
    if not text[start:end].strip():
        return
    for line in text[start:end].split("\n"):
        if line.strip() and line.strip()[0] != "#":
            at = line_number(text, start)
            raise InputError(
                f"{source}:{at}: '{line.strip()[:60]}' stands outside of any YODA block; is this a YODA file?"
            )
        start += len(line) + 1
