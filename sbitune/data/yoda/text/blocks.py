"""The container of YODA text: blocks from `BEGIN YODA_<TYPE>_V<n> <path>` to `END`, found without reading rows.

The libraries fill short rows up with zeros and do not look at the type behind END. Here a block is what its writer
meant, or it is refused with its line: a number is missing where a row is short. What is wrong inside of one object is
the fault of that object (`FaultyObjectError`), so that others can be read without it.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import NoReturn

import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.text.names import shorten
from sbitune.data.text.numbers import number, numbers, quoted
from sbitune.data.yoda.text import annotations

_FENCE = re.compile(r"^[# \t]*(BEGIN|END)[ \t]+YODA_(\S+)[ \t]*(.*)$", re.MULTILINE)
_TYPE = re.compile(r"(.+?)(?:_V([0-9]{1,3}))?")
_RULE = re.compile(r"^---[ \t]*$", re.MULTILINE)
_PATH = re.compile(r"^Path[ \t]*[:=](.*)$", re.MULTILINE)
_HEADER = re.compile(r"\s*([A-Za-z]\w*(?:\([^)]*\))?):\s*(\[.*\])\s*")
#: no line of numbers has these: Python would take some of them for blanks
_ODD = re.compile(r"[^\t\n\r\x20-\x7e]")
#: longer paths are damage
_LONGEST_PATH = 1000


class FaultyObjectError(InputError):
    """One object of a file cannot be read; `paths` are those that it may have: as in its first line, as annotated."""

    def __init__(self, message: str, paths: Sequence[str] = (), *, code: str | None = None):
        super().__init__(message, code=code)
        self.paths = tuple(paths)


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

    def fail(self, message: str, position: int | None = None, *, code: str) -> NoReturn:
        """Raise `FaultyObjectError` with file and line, and the kind of fault."""
        line = line_number(self.text, self.begin if position is None else position)
        raise FaultyObjectError(
            f"{self.source}:{line}: {shorten(self.kind)} {shorten(self.path)}: {message}", (self.path,), code=code
        )

    @cached_property
    def annotations(self) -> dict[str, str]:
        """All annotations, as text."""
        if self.version > 1:
            parsed = annotations.parse(self.text[self.start : self.rule], self._fail_at)
            if parsed.get("Path", self.path) not in ("", self.path):
                self.fail(
                    f"the annotation says Path: {shorten(parsed['Path'])}", self.place("Path"), code="yoda-other-path"
                )
            return parsed
        found: dict[str, str] = {}
        for key, value in map(annotations.parse_old, filter(_is_old_annotation, self._old_lines())):
            if key in found or not key:
                self.fail(
                    f"the annotation {shorten(key)!r} is given twice, or has no name; keep one of the two",
                    code="yoda-repeated-annotation",
                )
            found[key] = value
        return found

    def place(self, key: str) -> int:
        """Where the line of an annotation or of a header stands; the start of the block if there is none."""
        found = re.compile(rf"^{re.escape(key)}[ \t]*:", re.MULTILINE).search(self.text, self.start, self.end)
        return found.start() if found else self.begin

    def _fail_at(self, message: str, offset: int, code: str) -> NoReturn:
        self.fail(message, self.start + offset, code=code)

    def _old_lines(self) -> Iterator[str]:
        lines = self.text[self.start : self.end].split("\n")
        return (line for line in lines if line.strip() and line.lstrip()[0] != "#" and line.strip() != "---")

    @cached_property
    def _data(self) -> tuple[dict[str, str], list[list[str]]]:
        self._check_characters()
        if self.version == 1:
            return {}, [line.split() for line in self._old_lines() if not _is_old_annotation(line)]
        header, rows = {}, []
        for line in self.text[self.rule : self.end].split("\n")[1:]:
            words = line.split()
            if not words or words[0][0] == "#":
                continue
            match = _HEADER.fullmatch(line) if self.version == 3 else None
            if not match:
                rows.append(words)
            elif match[1] in header or rows:
                self.fail(
                    f"{match[1]} is given twice, or behind rows",
                    self.text.rfind(line, self.rule, self.end),
                    code="yoda-repeated-line",
                )
            else:
                header[match[1]] = match[2]
        return header, rows

    def _check_characters(self) -> None:
        """Refuse rows with characters that no number has."""
        at = self.rule
        while odd := _ODD.search(self.text, at, self.end):
            start, stop = self.text.rfind("\n", 0, odd.start()) + 1, self.text.find("\n", odd.start())
            line = self.text[start : stop if stop >= 0 else self.end]
            named = _is_old_annotation(line) if self.version == 1 else self.version == 3 and _HEADER.fullmatch(line)
            if not named and line.lstrip()[:1] != "#":
                self.fail(
                    f"a row has the character {odd[0]!r}; correct the row", odd.start(), code="yoda-odd-character"
                )
            at = start + len(line) + 1

    @property
    def header(self) -> dict[str, str]:
        """Lines `Word: [...]` in front of the rows (version 3): edges, error labels, masked bins."""
        return self._data[0]

    @property
    def rows(self) -> list[list[str]]:
        """The rows of data, split into words."""
        return self._data[1]

    def numbers(self, rows: list[list[str]], columns: int) -> np.ndarray:
        """Rows of words as an array (n_rows, columns).

        Raises:
            FaultyObjectError: A word is not a number, or a row has more or fewer columns.
        """
        for row in rows:
            if len(row) != columns:
                self.fail(
                    f"a row has {len(row)} columns instead of {columns}; is it whole?",
                    self.position(row),
                    code="yoda-row-length",
                )
        words = list(chain.from_iterable(rows))
        try:
            return numbers(words).reshape(len(rows), columns)
        except ValueError:
            self._find_bad_number(rows)

    def _find_bad_number(self, rows: list[list[str]]) -> NoReturn:
        for row in rows:
            for word in row:
                try:
                    number(word)
                except ValueError as error:
                    self.fail(f"{error}; correct the row", self.position(row, word), code="yoda-bad-number")
        raise AssertionError("every word is a number")

    def position(self, row: list[str], word: str | None = None) -> int:
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
    """Whether a line of version 1 is an annotation: a row begins with a number, or with the name of a special row."""
    first = line.split(maxsplit=1)[0]
    return ("=" in line or ":" in line) and not (first[0] in "+-.0123456789" or first in SPECIAL)


#: rows that are no bins
SPECIAL = ("Total", "Underflow", "Overflow")


def line_number(text: str, position: int) -> int:
    """Line, counted from 1, of a position in a text."""
    return text.count("\n", 0, position) + 1


def find(
    text: str,
    source: str,
    select: Callable[[str], bool] | None = None,
    fault: Callable[[FaultyObjectError], None] | None = None,
) -> Iterator[Block]:
    """Blocks of a file in order.

    Args:
        text: The file, lines ending in newlines.
        source: Its name, for messages.
        select: Only blocks whose path satisfies it.
        fault: Receives the error of a block that does not end, or ends as another; by default it is raised.

    Raises:
        InputError: An END has no BEGIN, a block has no path, or there is text between blocks.
        FaultyObjectError: Without `fault`.
    """
    begin: re.Match[str] | None = None
    behind = 0
    for fence in _FENCE.finditer(text):
        if fence[1] == "BEGIN":
            if begin:
                _report(_unfinished(text, source, begin, fence.start()), fault)
            else:
                _check_between(text, source, behind, fence.start())
            begin = fence
        elif begin is None:
            at = line_number(text, fence.start())
            raise InputError(
                f"{source}:{at}: END YODA_{shorten(fence[2])} has no BEGIN; is the start of the file missing?",
                code="yoda-begin-missing",
            )
        else:
            try:
                block = _block(text, source, begin, fence)
                if select is None or select(block.path):
                    yield block
            except FaultyObjectError as error:
                _report(error, fault)
            begin, behind = None, fence.end()
    if begin:
        _report(_unfinished(text, source, begin, len(text)), fault)
    else:
        _check_between(text, source, behind, len(text))


def _report(error: FaultyObjectError, fault: Callable[[FaultyObjectError], None] | None) -> None:
    if fault is None:
        raise error
    fault(error)


def _block(text: str, source: str, begin: re.Match[str], end: re.Match[str]) -> Block:
    match = _TYPE.fullmatch(begin[2])
    assert match is not None
    start = begin.end() + 1
    version = int(match[2] or 1)
    rule = _RULE.search(text, start, end.start())
    head = rule.start() if rule and version > 1 else end.start()
    paths = _paths(text, source, begin, head)
    inside = rule.start() if rule and version > 1 else start
    block = Block(source, text, match[1], version, begin.start(), start, inside, end.start(), paths[-1])
    if len(paths) == 2 and paths[0] not in (paths[1], paths[1].split()[0]):
        at = line_number(text, begin.start())
        told = f"{match[1]} {shorten(paths[0])}: the annotation says Path: {shorten(paths[1])}"
        raise FaultyObjectError(f"{source}:{at}: {told}; which of the two is it?", paths, code="yoda-other-path")
    if version > 3:
        block.fail(f"version {version} of the format is not known; known are 1, 2 and 3", code="yoda-unknown-version")
    if end[2] != begin[2] or end[3].strip():
        ending = shorten(f"{end[2]} {end[3]}".strip())
        block.fail(
            f"it ends as YODA_{ending}, which is no end of YODA_{shorten(begin[2])}", end.start(), code="yoda-other-end"
        )
    if version > 1 and not rule:
        block.fail(
            "the line '---' between annotations and rows is missing; is the file damaged?", code="yoda-rule-missing"
        )
    return block


def _paths(text: str, source: str, begin: re.Match[str], head: int) -> list[str]:
    """The path in the line BEGIN, which the library cuts at blanks, and the annotated one, as far as they are given."""
    given = _PATH.search(text, begin.end(), head)
    paths = [path for path in (begin[3].strip(), annotations.scalar(given[1]) if given else "") if path]
    if not paths or max(map(len, paths)) > _LONGEST_PATH:
        found = f"{quoted(max(paths, key=len))} is too long for a path" if paths else "this block has no path"
        at = line_number(text, begin.start())
        raise InputError(f"{source}:{at}: {found}; expected BEGIN YODA_{shorten(begin[2])} /PATH", code="yoda-bad-path")
    return paths


def _unfinished(text: str, source: str, begin: re.Match[str], end: int) -> FaultyObjectError:
    at = line_number(text, begin.start())
    paths = _paths(text, source, begin, end)
    told = shorten(f"YODA_{begin[2]} {paths[0]}")
    return FaultyObjectError(
        f"{source}:{at}: the block of {told} has no END; the file is cut short", paths, code="yoda-cut-short"
    )


def _check_between(text: str, source: str, start: int, end: int) -> None:
    if not text[start:end].strip():
        return
    for line in text[start:end].split("\n"):
        if line.strip() and line.strip()[0] != "#":
            at = line_number(text, start)
            raise InputError(
                f"{source}:{at}: '{line.strip()[:60]}' stands outside of any YODA block; is this a YODA file?",
                code="yoda-outside-blocks",
            )
        start += len(line) + 1
