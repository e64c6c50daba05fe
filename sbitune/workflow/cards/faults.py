"""What is wrong with the content of a YAML file, in words for its author: file, line, key and what may stand there."""

import difflib
import re
from collections.abc import Iterator
from typing import Any

import msgspec
import yaml
from msgspec import inspect as types

from sbitune.data.errors import InputError
from sbitune.data.text.names import shorten
from sbitune.data.text.numbers import quoted
from sbitune.workflow.cards.keytypes import plain

#: what msgspec calls types -> what a card's author does
_WORDS = {
    "object": "section",
    "array": "list",
    "str": "text",
    "float": "number",
    "int": "whole number",
    "bool": "true or false",
    "null": "nothing",
}
#: a key that belongs to more places than these is suggested for none
_MOST_PLACES = 4
#: stands for a dot inside a key while a place is spelt with dots
_DOT = "\N{ONE DOT LEADER}"


def explain(error: msgspec.ValidationError, content: Any, root: yaml.Node, path: str, kind: type) -> InputError:
    """The error that says in one line, with its place, what msgspec found wrong with `content`, the value of `root`."""
    message = _name_entries(str(error), content, kind)
    place = re.search(r" - at `(?P<key>key` in `)?(?:key in )?\$(?P<path>[^`]*)`", message)
    words = message[: place.start()] if place else message
    node, steps = _follow(root, place["path"] if place else "")
    key = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).lstrip(".")
    unknown = re.search(r"unknown field `(.*)`", words)
    if unknown:
        return InputError(_explain_unknown(unknown[1], node, path, key, kind, steps), code="yaml-unknown-key")
    code = _code(words)
    words = _in_words(words, kind, steps)
    if isinstance(node, yaml.ScalarNode) and words.startswith("Expected"):
        words += f": {quoted(node.value)}"
        if re.fullmatch(r"[+-]?[0-9]+,[0-9]+", node.value):
            words += f"; write {node.value.replace(',', '.')}, with a point"
    if place and place["key"]:
        words, code = _decimal_comma(node) or f"a key in this section: {words}; put it into quotes", "yaml-bad-key"
    return InputError(f"{path}:{node.start_mark.line + 1}: {shorten(key) or 'card'}: {words}", code=code)


def _decimal_comma(node: yaml.Node) -> str:
    """What to write for `{low: 0,12, high: 0,15}`, in which the comma divides entries; empty if there is none."""
    before = None
    for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
        if before is not None and re.fullmatch(r"[0-9]+", key.value) and value.value == "":
            name, whole = before
            return (
                f"a comma divides entries here, and no number has one: write {name}: {whole}.{key.value}, with a point"
            )
        whole = value.value if isinstance(value, yaml.ScalarNode) else ""
        before = (key.value, whole) if re.fullmatch(r"[+-]?[0-9]+", whole) else None
    return ""


def _code(words: str) -> str:
    """What kind of fault msgspec speaks of."""
    if words.startswith("Object missing required field"):
        return "yaml-missing-key"
    if re.match(r"Invalid (?:enum )?value", words):
        return "yaml-unknown-value"
    return "yaml-wrong-type" if ", got `" in words else "yaml-outside-range"


def _follow(root: yaml.Node, place: str) -> tuple[yaml.Node, list[str | int]]:
    """The node at a place that msgspec names, such as `.scan.runs`, and the steps to it."""
    node, steps = root, []
    for name, index in re.findall(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]", place):
        step: str | int = int(index) if index.isdigit() else name.replace(_DOT, ".")
        below = _child(node, step)
        if below is None:
            break
        node = below
        steps.append(step)
    return node, steps


def _child(node: yaml.Node, step: str | int) -> yaml.Node | None:
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int):
        return node.value[step]
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == step), None)
    return None


def _in_words(words: str, kind: type, steps: list[str | int]) -> str:
    """Say `list` for what msgspec calls `array`, and so on: the words of `sbitune ls card`."""
    if re.match(r"Invalid (?:enum )?value", words):
        allowed = dict.fromkeys(str(value) for value in _values_at(types.type_info(kind), steps))
        return f"{_cut(words.replace(' enum', ''))}; choose {' or '.join(allowed)}"
    words = re.sub(r"Object missing required field (`[^`]*`)", r"the key \1 is missing", words)
    return re.sub(r"`([\w |]+)`", lambda m: f"`{' | '.join(_WORDS.get(w, w) for w in m[1].split(' | '))}`", words)


def _cut(words: str) -> str:
    """Shorten what a message quotes."""
    return re.sub(r"'(.{61,})'", lambda m: quoted(m[1]), words, flags=re.DOTALL)


def _values_at(info: Any, steps: list[str | int]) -> Iterator[Any]:
    """What may stand at a place where some word may not."""
    info = plain(info)
    if isinstance(info, types.UnionType):
        for part in info.types:
            yield from _values_at(part, steps)
    elif not steps:
        yield from info.values if isinstance(info, types.LiteralType) else ()
        yield from ("a whole number",) if isinstance(info, types.IntType) else ()
    elif isinstance(info, types.StructType | types.TypedDictType):
        if isinstance(info, types.StructType) and steps == [info.tag_field]:
            yield info.tag
        for field in info.fields:
            if field.encode_name == steps[0]:
                yield from _values_at(field.type, steps[1:])
    else:
        for part in _inside(info):
            yield from _values_at(part, steps[1:])


def _inside(info: Any) -> tuple[Any, ...]:
    """The types of what stands in a section or list."""
    info = plain(info)
    if isinstance(info, types.StructType | types.TypedDictType):
        return tuple(field.type for field in info.fields)
    if isinstance(info, types.UnionType):
        return info.types
    if isinstance(info, types.DictType):
        return (info.value_type,)
    if isinstance(info, types.VarTupleType | types.ListType):
        return (info.item_type,)
    return info.item_types if isinstance(info, types.TupleType) else ()


def _explain_unknown(name: str, node: yaml.Node, path: str, key: str, kind: type, steps: list[str | int]) -> str:
    line = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        line = next((k.start_mark.line + 1 for k, _ in node.value if k.value == name), line)
    return f"{path}:{line}: unknown key {quoted(f'{key}.{name}'.lstrip('.'))}{_hint(name, kind, steps)}"


def _hint(name: str, kind: type, steps: list[str | int]) -> str:
    """The key of the same section that is spelt most like an unknown one; else where the key of such a name belongs."""
    info = types.type_info(kind)
    own = {key for part in _at(info, steps) for key in _own_fields(part)}
    near = difflib.get_close_matches(name, sorted(own), n=1)
    if near:
        return f"; did you mean {near[0]!r}?"
    places = list(dict.fromkeys(_all_fields(info)))
    near = difflib.get_close_matches(name, sorted({place.rpartition(".")[2] for place in places}), n=1)
    found = [place for place in places if near and place.rpartition(".")[2] == near[0]]
    if not found or len(found) > _MOST_PLACES:
        return ""
    return f"; did you mean {' or '.join(repr(place) for place in found)}?"


def _at(info: Any, steps: list[str | int]) -> Iterator[Any]:
    """The types of what may stand at a place."""
    info = plain(info)
    if isinstance(info, types.UnionType):
        for part in info.types:
            yield from _at(part, steps)
    elif not steps:
        yield info
    elif isinstance(info, types.StructType | types.TypedDictType):
        for field in info.fields:
            if field.encode_name == steps[0]:
                yield from _at(field.type, steps[1:])
    else:
        for part in _inside(info):
            yield from _at(part, steps[1:])


def _own_fields(info: Any) -> Iterator[str]:
    if isinstance(info, types.StructType):
        yield from (field.encode_name for field in info.fields)


def _all_fields(info: Any, above: str = "") -> Iterator[str]:
    """Places of all fields in a tree of Structs, `scan.seed` say, for suggestions."""
    info = plain(info)
    if isinstance(info, types.StructType):
        for field in info.fields:
            yield f"{above}{field.encode_name}"
            yield from _all_fields(field.type, f"{above}{field.encode_name}.")
        return
    entry = "NAME." if isinstance(info, types.DictType) else ""
    for part in _inside(info):
        yield from _all_fields(part, f"{above}{entry}")


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
