"""YAML cards: read into typed records, every fault with its file, line and key."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec
import yaml

from sbitune.data.errors import InputError, naming_file
from sbitune.data.storage.files import read_text
from sbitune.data.text.names import check_seen
from sbitune.data.text.numbers import quoted
from sbitune.generators.config import spell_key
from sbitune.workflow.cards.faults import explain
from sbitune.workflow.cards.strictyaml import RefusedError, StrictLoader

T = TypeVar("T")
#: of a file whose entries are counted, bytes for each: a line of a card has some 40
_BYTES_OF_AN_ENTRY = 40


class Places(NamedTuple):
    """Where the keys of a YAML file stand. Called with the steps to a key it gives its place, for messages."""

    path: Path
    lines: Mapping[tuple[str | int, ...], int] = {}  #: steps to a key or item -> its line, from 1

    def __call__(self, *steps: str | int) -> str:
        """Spell a place, `card.yaml:9: generator.settings[2]`; a key that is not there has the line of its section."""
        above = next((steps[:n] for n in range(len(steps), 0, -1) if steps[:n] in self.lines), ())
        line = f":{self.lines[above]}" if above else ""
        return f"{self.path}{line}: {spell_key(*steps)}" if steps else str(self.path)


def read_card(path: str | Path, kind: type[T], what: str = "card") -> T:
    """Read a YAML file into a msgspec Struct.

    Raises:
        InputError: with file, line and key, for what is not YAML, an unknown or missing key, or a wrong value.
    """
    return read_with_places(path, kind, what)[0]


class Parsed(NamedTuple):
    """A YAML file before its content has a type."""

    content: Any
    root: yaml.Node
    places: Places

    def convert(self, kind: type[T]) -> T:
        """The content as a record. Raises `InputError` for an unknown or missing key, or a wrong value."""
        try:
            return msgspec.convert(self.content, kind)
        except msgspec.ValidationError as error:
            raise explain(error, self.content, self.root, str(self.places.path), kind) from error


def read_with_places(path: str | Path, kind: type[T], what: str = "card", most: int | None = None) -> tuple[T, Places]:
    """Read a YAML file as `read_card` does, and remember where its keys stand; arguments as `parse`."""
    parsed = parse(path, what, most)
    return parsed.convert(kind), parsed.places


def parse(path: str | Path, what: str = "card", most: int | None = None) -> Parsed:
    """Read a YAML file strictly.

    Args:
        path: the file.
        what: what it holds in words, for messages.
        most: entries that it may have, with those that aliases stand for, if they are counted; its size is limited too.

    Raises:
        InputError: with file and line, for what is not YAML, a key given twice, or too much of it.
    """
    if most is not None and Path(path).stat().st_size > most * _BYTES_OF_AN_ENTRY:
        raise InputError(
            f"{path}: {Path(path).stat().st_size / 1e6:.3g} MB are too much for a {what} that a person writes; at most "
            f"{most * _BYTES_OF_AN_ENTRY / 1e6:g} MB are read",
            code="yaml-too-large",
        )
    text = read_text(path, what)
    loader = None
    try:
        loader = StrictLoader(text, most)
        root = loader.get_single_node()
        if root is None:
            raise InputError(f"{path}: the {what} is empty", code="yaml-empty")
        _refuse_faulty_keys(root, str(path), _Counted(most))
        content = loader.construct_document(root)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else text.count("\n", 0, getattr(error, "position", 0)) + 1
        words = getattr(error, "problem", None) or getattr(error, "reason", error)
        code = error.code if isinstance(error, RefusedError) else "yaml-syntax"
        raise InputError(f"{path}:{line}: not valid YAML: {words}", code=code) from error
    finally:
        if loader is not None:
            loader.dispose()
    return Parsed(content, root, Places(Path(path), dict(_lines(root))))


def _lines(node: yaml.Node, above: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], int]]:
    """Steps to every key and item below a node, with their lines."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield (*above, key.value), key.start_mark.line + 1
            yield from _lines(value, (*above, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            yield (*above, number), item.start_mark.line + 1
            yield from _lines(item, (*above, number))


class _Counted:
    """Counts entries, those that aliases stand for every time that they do."""

    def __init__(self, most: int | None) -> None:
        self._most, self._seen = most, 0

    def add(self, path: str, line: int) -> None:
        """Count one. Raises `InputError` if these are more than a file may have."""
        self._seen += 1
        if self._most is not None and self._seen > self._most:
            raise InputError(
                f"{path}:{line}: more than {self._most} entries, with what its aliases (*) stand for",
                code="yaml-too-large",
            )


def _refuse_faulty_keys(node: yaml.Node, path: str, counted: _Counted, above: tuple[yaml.Node, ...] = ()) -> None:
    """Refuse a key given twice, one that is no word, and an alias that stands for what it is in."""
    line = node.start_mark.line + 1
    counted.add(path, line)
    if any(node is other for other in above):
        raise InputError(
            f"{path}:{line}: an alias (*) refers to the section that it stands in", code="yaml-recursive-alias"
        )
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise InputError(
                    f"{path}:{line}: a key must be a word; put text with braces or brackets into quotes",
                    code="yaml-bad-key",
                )
            with naming_file(f"{path}:{line}"):
                check_seen(key.value, "key")
            if key.value in seen:
                raise InputError(
                    f"{path}:{line}: {quoted(key.value)} is given twice, first in line {seen[key.value]}",
                    code="yaml-repeated-key",
                )
            seen[key.value] = line
            _refuse_faulty_keys(value, path, counted, (*above, node))
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _refuse_faulty_keys(item, path, counted, (*above, node))
