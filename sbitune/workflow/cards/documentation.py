"""What may stand in a card: every key with its type, default and description.

The description is part of the type of a Struct's field: `Annotated[int, msgspec.Meta(ge=1, description="...")]`.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
from msgspec import inspect as types

from sbitune.workflow.cards.keytypes import described, plain


class Key(NamedTuple):
    """A key of a card."""

    name: str
    type: str  #: in words
    default: str | None  #: as in YAML; None: the key is required, or its section says what is taken
    text: str  #: its description
    required: bool = False
    value: Any = None  #: the default as numbers, words, lists of them
    low: float | None = None  #: smallest number that may stand there, if there is one
    high: float | None = None  #: and the largest
    excluded: tuple[str, ...] = ()  #: which of `low` and `high` may not stand there themselves

    def __str__(self) -> str:
        default = "" if self.default is None else f", default {self.default}"
        return f"{self.type}{default}. {self.text}"


def card_sections(kind: type) -> dict[str, list[Key]]:
    """Give the keys of every section: "card" is the top, below it are "scan", "generator (kind: pythia)" and so on."""
    return dict(_sections("card", types.type_info(kind), set()))


def _sections(name: str, info: Any, seen: set[type]) -> Iterator[tuple[str, list[Key]]]:
    """A section and all below it, each kind of section once."""
    if info.cls in seen:
        return
    seen.add(info.cls)
    keys = []
    if info.tag is not None:
        text = " ".join((info.cls.__doc__ or "").split())
        keys.append(Key(info.tag_field, f"`{info.tag}`, required", None, text, True))
    yield name, keys + [_key(field) for field in info.fields]
    for field in info.fields:
        below = field.encode_name if name == "card" else f"{name}.{field.encode_name}"
        for label, struct in _structs(below, field.type):
            yield from _sections(label, struct, seen)


def _structs(name: str, info: Any) -> list[tuple[str, Any]]:
    """The Structs that may stand in a field, with the names of their sections."""
    info = plain(info)
    if isinstance(info, types.StructType):
        return [(name if info.tag is None else f"{name} (kind: {info.tag})", info)]
    if isinstance(info, types.DictType):
        return _structs(f"{name}.NAME", info.value_type)
    if isinstance(info, types.VarTupleType):
        return _structs(name, info.item_type)
    if isinstance(info, types.UnionType):
        return [pair for part in info.types for pair in _structs(name, part)]
    return []


def _key(field: types.Field) -> Key:
    kind, text, limits = _words(field.type), described(field.type), _numbers(field.type)
    if field.required:
        return Key(field.encode_name, f"{kind}, required", None, text, True, None, *limits)
    value = _value(field)
    tag = value.__struct_config__.tag if isinstance(value, msgspec.Struct) else None
    plain = {"kind": tag} if tag is not None else None if isinstance(value, msgspec.Struct) else value
    return Key(field.encode_name, kind, _default(value), text, False, msgspec.to_builtins(plain), *limits)


def _numbers(info: Any) -> tuple[float | None, float | None, tuple[str, ...]]:
    """`low`, `high` and `excluded` of the number that may stand in a field."""
    info = plain(info)
    for part in info.types if isinstance(info, types.UnionType) else (info,):
        if isinstance(part, types.IntType | types.FloatType):
            excluded = tuple(end for end, value in (("low", part.gt), ("high", part.lt)) if value is not None)
            return part.ge if part.gt is None else part.gt, part.le if part.lt is None else part.lt, excluded
    return None, None, ()


def _value(field: types.Field) -> Any:
    return field.default if field.default is not msgspec.NODEFAULT else field.default_factory()


def _default(value: Any) -> str | None:
    if isinstance(value, msgspec.Struct):
        tag = value.__struct_config__.tag
        return f"{{kind: {tag}}}" if tag is not None else None
    if value is None or value == "" or value == () or value == {}:
        return "none"
    return msgspec.json.encode(value).decode().replace(",", ", ").replace('"', "")


def _words(info: Any) -> str:
    """A type in words."""
    info = plain(info)
    if isinstance(info, types.UnionType):
        parts = [part for part in info.types if not isinstance(part, types.NoneType)]
        tags = [f"`{part.tag}`" for part in parts if isinstance(part, types.StructType)]
        if len(tags) == len(parts) > 1:
            return f"section of kind {' or '.join(tags)}"
        return " or ".join(_words(part) for part in parts)
    if isinstance(info, types.LiteralType):
        return " or ".join(f"`{value}`" for value in info.values)
    if isinstance(info, types.DictType):
        return f"NAME: {_words(info.value_type)}"
    if isinstance(info, types.VarTupleType | types.ListType):
        return f"list of {_words(info.item_type)}"
    if isinstance(info, types.TupleType):
        return f"[{', '.join(_words(part) for part in info.item_types)}]"
    if isinstance(info, types.StructType):
        return "section"
    if isinstance(info, types.IntType | types.FloatType):
        return ("whole number" if isinstance(info, types.IntType) else "number") + _limits(info)
    return "true or false" if isinstance(info, types.BoolType) else "text"


def _limits(info: types.IntType | types.FloatType) -> str:
    signs = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
    given = [f" {sign} {getattr(info, key):g}" for key, sign in signs.items() if getattr(info, key) is not None]
    return ",".join(given)
