"""Kinds of networks of sets, one line each, and their settings."""

from collections.abc import Callable
from typing import Annotated, Any

import jax
import msgspec

from sbitune.data.errors import InputError
from sbitune.data.text.names import list_names, shorten
from sbitune.learning.keys import Keys
from sbitune.learning.sets.attention import build_set_attention
from sbitune.learning.sets.deepsets import build_deep_sets
from sbitune.learning.sets.network import SetNetwork
from sbitune.learning.sets.scaling import SetScaling


class SetConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of networks of sets of particles."""

    kind: Annotated[str, msgspec.Meta(description="`deep sets` or `attention`.")] = "deep sets"
    width: Annotated[int, msgspec.Meta(ge=1, description="Numbers of an event that are sums over its particles.")] = 32
    hidden: Annotated[
        tuple[int, ...], msgspec.Meta(description="Layers of the network of a particle, for deep sets.")
    ] = (64, 64)
    heads: Annotated[int, msgspec.Meta(ge=1, description="Heads of every attention; must divide the width.")] = 4
    blocks: Annotated[int, msgspec.Meta(ge=0, description="Blocks of attention among the particles.")] = 2


#: (keys, scaling, n_out, layers of the network of the event, activation, settings) -> network
Build = Callable[[Any, SetScaling, int, tuple[int, ...], str, SetConfig], SetNetwork]


def _deep_sets(
    keys: Any, scaling: SetScaling, n_out: int, head: tuple[int, ...], activation: str, config: SetConfig
) -> SetNetwork:
    return build_deep_sets(
        keys, scaling, n_out, width=config.width, hidden=config.hidden, head=head, activation=activation
    )


def _attention(
    keys: Any, scaling: SetScaling, n_out: int, head: tuple[int, ...], activation: str, config: SetConfig
) -> SetNetwork:
    width, heads, blocks = config.width, config.heads, config.blocks
    return build_set_attention(
        keys, scaling, n_out, width=width, heads=heads, blocks=blocks, head=head, activation=activation
    )


KINDS: dict[str, Build] = {"deep sets": _deep_sets, "attention": _attention}


def build_set_network(
    keys: jax.Array | Keys, scaling: SetScaling, n_out: int, head: tuple[int, ...], activation: str, config: SetConfig
) -> SetNetwork:
    """Build a network of sets, or for a row of keys a stack, as the config says.

    Raises `InputError` with all kinds for one that there is not.
    """
    if config.kind not in KINDS:
        raise InputError(
            f"there is no kind {shorten(repr(config.kind))} of networks of sets; there are {list_names(KINDS)}"
        )
    return KINDS[config.kind](keys, scaling, n_out, head, activation, config)
