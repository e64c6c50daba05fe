"""Every key of every card has a description, in the type of its field."""

from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import inspect as types

from sbitune.fitting.checks.toys import ToyConfig
from sbitune.fitting.sampling.sampling import PosteriorConfig
from sbitune.learning.training import TrainingConfig
from sbitune.tuning.inverse.config import InverseConfig
from sbitune.workflow.cards.documentation import card_sections
from sbitune.workflow.cards.keytypes import described, plain
from sbitune.workflow.families import FAMILIES


def missing(kind: type) -> list[str]:
    """The keys of a card that nobody describes."""
    sections = card_sections(kind)
    return [f"{section}.{key.name}" for section, keys in sections.items() for key in keys if not key.text]


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_every_key_of_a_card_is_described(family):
    assert missing(FAMILIES[family].card_type) == []


@pytest.mark.parametrize("config", [InverseConfig, PosteriorConfig, ToyConfig, TrainingConfig])
def test_so_is_what_stands_in_no_card(config):
    assert missing(config) == []


class Part(msgspec.Struct, frozen=True, tag_field="kind", tag="part"):
    """A part."""

    size: Annotated[Annotated[int, msgspec.Meta(ge=1, le=9)], msgspec.Meta(description="How large.")] = 3
    colour: Annotated[Literal["red", "blue"] | None, msgspec.Meta(description="Its colour.")] = None


class LongPart(Part, frozen=True, tag="long"):
    """A part that is long."""

    length: Annotated[float, msgspec.Meta(gt=0, description="From end to end.")] = 2.5
    lost: int = 0


class Whole(msgspec.Struct, frozen=True):
    parts: Annotated[dict[str, Part | LongPart], msgspec.Meta(description="What it is made of.")] = {}
    first: Annotated[Part, msgspec.Meta(description="The first.")] = Part(size=2)


def test_descriptions_are_found_through_unions_inheritance_and_limits_of_their_own():
    sections = card_sections(Whole)
    said = {name: [str(key) for key in keys] for name, keys in sections.items()}
    assert said == {
        "card": [
            "NAME: section of kind `part` or `long`, default none. What it is made of.",
            "section, default {kind: part}. The first.",
        ],
        "parts.NAME (kind: part)": [
            "`part`, required. A part.",
            "whole number >= 1, <= 9, default 3. How large.",
            "`blue` or `red`, default none. Its colour.",
        ],
        "parts.NAME (kind: long)": [
            "`long`, required. A part that is long.",
            "whole number >= 1, <= 9, default 3. How large.",
            "`blue` or `red`, default none. Its colour.",
            "number > 0, default 2.5. From end to end.",
            "whole number, default 0. ",
        ],
    }
    assert missing(Whole) == ["parts.NAME (kind: long).lost"]


def test_a_type_is_told_from_what_is_said_of_it():
    twice: Any = Annotated[Annotated[int, msgspec.Meta(description="first")], msgspec.Meta(description="then")]
    info = types.type_info(twice)
    assert isinstance(plain(info), types.IntType)
    assert described(info) == "then"
    assert described(types.type_info(int)) == ""
    assert described(types.Metadata(types.type_info(twice), extra={"x": 1})) == "then"
