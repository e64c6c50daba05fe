"""The kinds of surrogates, each with one line: whoever needs one asks here, by its config or by the tag of its files.

A kind that comes with sbitune is a folder with `config`, which says what may stand in a card (and is free of JAX), and
`kind`, which trains it; modules are imported when they are asked for. A kind from elsewhere is registered; it cannot be
named in a card, which is read by what is known when sbitune starts, but everything else takes it.
"""

from collections.abc import Iterator
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from sbitune.data.errors import InputError

if TYPE_CHECKING:
    from sbitune.tuning.surrogates.kindconfig import KindConfig, SurrogateSection
    from sbitune.tuning.surrogates.protocols import Kind, TrainedSurrogate

_HERE = __name__.rpartition(".")[0]
#: kinds in the order in which cards are documented, and tried by the automatic choice
BUILT_IN = ("polynomial", "gaussian", "rational", "network")
#: surrogates that no kind trains: those that hold others, and what another program left
_OTHERS = (
    "components.compound:ComponentSurrogate",
    "components.joined:JoinedSurrogate",
    "ipol.surrogate:IpolSurrogate",
)
#: kinds from elsewhere
_REGISTERED: "list[Kind]" = []


def kinds() -> "tuple[Kind, ...]":
    """All kinds: those of sbitune, then those that were registered."""
    return (*_built_in(), *_REGISTERED)


def kind_of(config: "SurrogateSection") -> "Kind":
    """The kind that a config describes. Raises `InputError` naming a config that is of none, and all kinds."""
    for kind in kinds():
        if type(config) is kind.config:
            return kind
    name = getattr(config, "kind", type(config).__name__)
    raise InputError(f"unknown kind of surrogate {_quoted(name)}; known are {', '.join(map(name_of, kinds()))}")


def surrogate_of(tag: object) -> "type[TrainedSurrogate]":
    """The class of surrogates with this tag. Raises `InputError` naming a tag that none has, and all tags."""
    known = _tags()
    if not isinstance(tag, str) or tag not in known:
        there = ", ".join(known)
        raise InputError(f"unknown kind of surrogate {_quoted(tag)}; known are {there}; update sbitune")
    return known[tag]


def register(kind: "Kind") -> None:
    """Make a kind from elsewhere known. Raises `InputError` if its name or its surrogates' tag is taken."""
    if name_of(kind) in map(name_of, kinds()) or kind.surrogate.tag in _tags():
        raise InputError(f"a kind of surrogate {_quoted(name_of(kind))} is known already; choose another name")
    _REGISTERED.append(kind)


def forget(kind: "Kind") -> None:
    """Undo `register`."""
    _REGISTERED.remove(kind)


def name_of(kind: "Kind") -> str:
    """The name of a kind in cards."""
    return str(kind.config.__struct_config__.tag)


def built_in_configs() -> "Iterator[type[KindConfig]]":
    """What may stand in a card for each kind that comes with sbitune."""
    for folder in BUILT_IN:
        yield import_module(f"{_HERE}.{folder}.config").CONFIG


def _quoted(name: object) -> str:
    from sbitune.data.text.names import shorten  # commands ask for the names of kinds before they need NumPy

    return shorten(repr(name))


def _tags() -> "dict[str, type[TrainedSurrogate]]":
    return {one.tag: one for one in (*(kind.surrogate for kind in kinds()), *_others())}


@cache
def _built_in() -> "tuple[Kind, ...]":
    return tuple(import_module(f"{_HERE}.{folder}.kind").KIND for folder in BUILT_IN)


@cache
def _others() -> "tuple[type[TrainedSurrogate], ...]":
    pairs = (place.split(":") for place in _OTHERS)
    return tuple(getattr(import_module(f"{_HERE}.{module}"), name) for module, name in pairs)
