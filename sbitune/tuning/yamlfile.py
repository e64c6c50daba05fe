"""YAML cards: read into typed records, every fault with its file, line and key."""

import difflib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec
import yaml

from sbitune.data.errors import InputError
from sbitune.data.files import read_text
from sbitune.generators.config import spell_key

T = TypeVar("T")
#: stands for a dot inside a key while a place is spelt with dots
_DOT = "\N{ONE DOT LEADER}"


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
        message = _name_entries(str(error), content, kind)
        raise InputError(_explain(message, root, str(path), kind)) from error


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


def _name_entries(message: str, content: Any, kind: type) -> str:
    """Put the key in place of `[...]`, which is how msgspec speaks of a mapping's entry."""
    head, found, rest = message.partition("[...]")
    steps = re.findall(r"\.([^.\[\]]+)|\[(\d+)\]", head.partition("`$")[2]) if found else []
    place = content
    for name, index in steps:
        place = place[name] if name else place[int(index)]
    if not found or not isinstance(place, dict):
        return message
    for key in list(place):
        others = dict(place)
        place.clear()
        place[key] = others[key]  # alone, the faulty entry gives the same message
        try:
            msgspec.convert(content, kind)
        except msgspec.ValidationError as error:
            if str(error) == message:
                return _name_entries(f"{head}.{_mask(str(key))}{rest}", content, kind)
        finally:
            place.clear()
            place.update(others)
    return message


def _mask(key: str) -> str:
    """Protect a key's own dots from being read as steps."""
    return key.replace(".", _DOT)


def _explain(message: str, root: yaml.Node, path: str, kind: type) -> str:
    place = re.search(r" - at `(key in )?\$(?P<path>[^`]*)`", message)
    words = message[: place.start()] if place else message
    steps = re.findall(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]", place["path"]) if place else []
    node, key = root, ""
    for name, index in steps:
        step = _step(node, name.replace(_DOT, "."), index)
        if step is None:
            break
        label, node = step
        key += f"[{label}]" if index and index != "..." else f".{label}"
    unknown = re.search(r"unknown field `(.*)`", words)
    if unknown:
        return _explain_unknown(unknown[1], node, path, key, kind)
    return f"{path}:{node.start_mark.line + 1}: {key.lstrip('.') or 'card'}: {words}"


def _step(node: yaml.Node, name: str, index: str) -> tuple[str, yaml.Node] | None:
    if isinstance(node, yaml.SequenceNode) and index.isdigit():
        return index, node.value[int(index)]
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == name:
                return name, value
    return None


def _explain_unknown(name: str, node: yaml.Node, path: str, key: str, kind: type) -> str:
    line = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        line = next((k.start_mark.line + 1 for k, _ in node.value if k.value == name), line)
    near = difflib.get_close_matches(name, sorted(_all_fields(kind)), n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"{path}:{line}: unknown key {(key + '.' + name).lstrip('.')!r}{hint}"


def _all_fields(kind: Any) -> set[str]:
    """Names of all fields in a tree of Structs, for suggestions."""
    info = msgspec.inspect.type_info(kind)
    names: set[str] = set()
    waiting: list[Any] = [info]
    seen: set[int] = set()
    while waiting:
        item = waiting.pop()
        if isinstance(item, msgspec.inspect.StructType) and id(item.cls) not in seen:
            seen.add(id(item.cls))
            names |= {field.name for field in item.fields}
            waiting += [field.type for field in item.fields]
        elif isinstance(item, msgspec.inspect.UnionType):
            waiting += item.types
        elif isinstance(item, msgspec.inspect.DictType):
            waiting.append(item.value_type)
        elif isinstance(item, msgspec.inspect.VarTupleType | msgspec.inspect.ListType):
            waiting.append(item.item_type)
    return names
