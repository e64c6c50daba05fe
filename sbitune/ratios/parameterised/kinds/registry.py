"""The kinds of networks, one line each."""

from sbitune.data.errors import InputError
from sbitune.data.text.names import list_names, shorten
from sbitune.ratios.parameterised.kinds.components import build_components
from sbitune.ratios.parameterised.kinds.factorised import build_factorised
from sbitune.ratios.parameterised.kinds.joint import build_joint
from sbitune.ratios.parameterised.kinds.kind import Build
from sbitune.ratios.parameterised.kinds.local import build_local

KINDS: dict[str, Build] = {
    "factorised": build_factorised,
    "joint": build_joint,
    "components": build_components,
    "local": build_local,
}


def builder_of(kind: str) -> Build:
    """What builds networks of a kind. Raises `InputError` with all kinds for one that there is not."""
    if kind not in KINDS:
        raise InputError(f"there is no kind {shorten(repr(kind))} of networks; there are {list_names(KINDS)}")
    return KINDS[kind]
