"""YAML cards: read into typed records, every fault with its file, line and key."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec
import yaml

from sbitune.data.errors import InputError
from sbitune.data.files import read_text
from sbitune.generators.config import spell_key
from sbitune.tuning.yamlfaults import explain

T = TypeVar("T")


class _Loader(yaml.SafeLoader):
    """Safe loader that reads `1e-3` as a number (YAML 1.1 takes it for text) and dates as text: no card has any."""


_TIMESTAMP = "tag:yaml.org,2002:timestamp"
_Loader.yaml_implicit_resolvers = {
    key: [rule for rule in rules if rule[0] != _TIMESTAMP]
    for key, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)


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


def read_with_places(path: str | Path, kind: type[T], what: str = "card") -> tuple[T, Places]:
    """Read a YAML file as `read_card` does, and remember where its keys stand."""
    text = read_text(path, what)
    try:
        root = yaml.compose(text, Loader=_Loader)
        if root is None:
            raise InputError(f"{path}: the {what} is empty")
        _refuse_faulty_keys(root, str(path))
        content = _construct(root)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        raise InputError(f"{path}:{line}: not valid YAML: {getattr(error, 'problem', error)}") from error
    try:
        return msgspec.convert(content, kind), Places(Path(path), dict(_lines(root)))
    except msgspec.ValidationError as error:
        raise InputError(explain(error, content, root, str(path), kind)) from error


def _construct(root: yaml.Node) -> Any:
    loader = _Loader("")
    try:
        return loader.construct_document(root)
    finally:
        loader.dispose()


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


def _refuse_faulty_keys(node: yaml.Node, path: str, above: tuple[yaml.Node, ...] = ()) -> None:
    """Refuse a key given twice, one that is no word, and an alias that stands for what it is in."""
    line = node.start_mark.line + 1
    if any(node is other for other in above):
        raise InputError(f"{path}:{line}: an alias (*) refers to the section that it stands in")
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise InputError(f"{path}:{line}: a key must be a word; put text with braces or brackets into quotes")
            if key.value in seen:
                raise InputError(f"{path}:{line}: {key.value!r} is given twice, first in line {seen[key.value]}")
            seen[key.value] = line
            _refuse_faulty_keys(value, path, (*above, node))
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _refuse_faulty_keys(item, path, (*above, node))
