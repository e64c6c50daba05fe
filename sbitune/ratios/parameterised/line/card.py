"""The card of a fit by a ratio p(x | theta) / p(x | reference) that depends on the parameters, learned from events each
of which has parameters of its own.
"""

from pathlib import Path
from typing import Annotated

import msgspec

from sbitune.data.errors import InputError, naming
from sbitune.fitting.config import FitConfig
from sbitune.ratios.parameterised.config import RatioConfig
from sbitune.ratios.parameterised.kinds.registry import builder_of
from sbitune.ratios.parameterised.line.number import check_number
from sbitune.ratios.parameterised.losses.registry import loss_of
from sbitune.ratios.parameters import EventsCardFile, ParameterConfig, check_known, check_parameters
from sbitune.workflow.cards.cardfile import read_card_file
from sbitune.workflow.cards.yamlfile import Parsed

FAMILY = "parameterised"
#: kinds of networks that count from the parameters of the reference
_NEED_POINT = ("components", "local")


class TruthConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Columns in which the simulator tells what it knows of an event and its history, for losses that learn from it."""

    log_ratio: Annotated[
        str,
        msgspec.Meta(
            description="Column with log p(x, z | theta) - log p(x, z | reference), z being the history of the event."
        ),
    ] = ""
    score: Annotated[
        dict[str, str],
        msgspec.Meta(
            description="Parameter -> column with the derivative of log p(x, z | theta) by it; of parameters that are "
            "left out the simulator does not tell it."
        ),
    ] = {}


class HeldConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What is not trained on; events of one group are never parted."""

    held: Annotated[
        float,
        msgspec.Meta(
            ge=0.05,
            le=0.8,
            description="Part of the events that no network sees: they normalise and judge the ratio, and make toys. "
            "`ratio.training.validation_fraction` is a part of the others.",
        ),
    ] = 0.3


class Card(msgspec.Struct, forbid_unknown_fields=True, frozen=True, tag_field="family", tag=FAMILY):
    """A fit of events by a ratio that depends on the parameters."""

    title: Annotated[str, msgspec.Meta(description="What is fitted to which data, in one line.")]
    parameters: Annotated[
        dict[str, ParameterConfig],
        msgspec.Meta(min_length=1, description="Parameters, by the names of their columns in the tables of `events`."),
    ]
    events: Annotated[
        str | tuple[str, ...],
        msgspec.Meta(
            description="Tables of simulated events, relative to the card, with the parameters of each in columns; a "
            "column `weight` counts."
        ),
    ]
    columns: Annotated[
        tuple[str, ...], msgspec.Meta(description="Columns of the events that the ratio sees, in this order.")
    ] = ()
    sets: Annotated[
        dict[str, Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]],
        msgspec.Meta(
            description="Sets of particles that the ratio sees: a name -> ragged columns with an entry for every "
            "particle."
        ),
    ] = {}
    reference: Annotated[
        str | tuple[str, ...] | None,
        msgspec.Meta(
            description="Tables of events of the density that the ratio is relative to; by default that of all "
            "`events` together."
        ),
    ] = None
    point: Annotated[
        dict[str, float],
        msgspec.Meta(description="The parameters of the reference, if it was simulated at a point of the ranges."),
    ] = {}
    expected: Annotated[
        float | str | None,
        msgspec.Meta(
            description="Number of events expected in the data: a number, or a formula of parameters, `1200 * mu` say; "
            "without it their number says nothing."
        ),
    ] = None
    truth: Annotated[TruthConfig, msgspec.Meta(description="What the simulator knows of every event.")] = TruthConfig()
    data: Annotated[
        str | None,
        msgspec.Meta(
            description="Table of measured events, relative to the card; without it the errors that are expected are "
            "found, of an Asimov data set at the nominal parameters."
        ),
    ] = None
    derive: Annotated[
        dict[str, str], msgspec.Meta(description="Further columns by formulas of columns, `pt: hypot(px, py)` say.")
    ] = {}
    select: Annotated[
        str, msgspec.Meta(description="Condition on columns, of all events that are used: `mass > 60 & ~veto` say.")
    ] = ""
    ratio: Annotated[RatioConfig, msgspec.Meta(description="How the ratio is learned.")] = RatioConfig()
    split: Annotated[HeldConfig, msgspec.Meta(description="What simulated events are used for.")] = HeldConfig()
    fit: Annotated[FitConfig, msgspec.Meta(description="How the parameters are fitted.")] = FitConfig()
    seed: Annotated[
        int, msgspec.Meta(ge=0, le=2**63 - 1, description="Seed of the split, the networks and the toys.")
    ] = 1


class ParameterisedCardFile(EventsCardFile[Card], frozen=True):
    """A card of a fit by a ratio that depends on the parameters, and the file that it stands in."""

    @property
    def usual(self) -> dict[str, float]:
        """The parameters of the reference."""
        return self.card.point

    def files(self, which: str) -> tuple[str, ...]:
        """Names of the tables of `events` or `reference`."""
        given = getattr(self.card, which)
        return () if given is None else (given,) if isinstance(given, str) else given


def load_card(place: str | Path | Parsed) -> ParameterisedCardFile:
    """Read a card, given as a file or as the directory that holds `card.yaml`, or as what was parsed of it.

    Raises:
        InputError: naming file, line and key of whatever is wrong with it.
    """
    loaded = read_card_file(place, Card, ParameterisedCardFile, FAMILY)
    check_parameters(loaded)
    if not (loaded.card.columns or loaded.card.sets):
        raise InputError(
            f"{loaded.path}: a ratio sees `columns` of the events, or `sets` of particles; name some",
            code="ratio-other-columns",
        )
    _check_point(loaded)
    _check_ratio(loaded)
    with naming(loaded.place("expected")):
        check_number(loaded.card.expected, loaded.parameters())
    if loaded.card.data is None and loaded.card.expected is None:
        raise InputError(
            f"{loaded.path}: without `data` errors are those of as many events as are `expected`; say one of both",
            code="ratio-no-number",
        )
    return loaded


def _check_point(loaded: ParameterisedCardFile) -> None:
    card = loaded.card
    for name, value in card.point.items():
        where = loaded.place("point", name)
        check_known(where, name, card.parameters)
        low, high = card.parameters[name].low, card.parameters[name].high
        if not low <= value <= high:
            raise InputError(f"{where}: {value:g} is outside the range [{low:g}, {high:g}]", code="card-outside-range")
    lost = [name for name in card.parameters if card.point and name not in card.point]
    if lost:
        raise InputError(
            f"{loaded.place('point')}: where is {lost[0]}? A point has a value of every parameter", code="ratio-point"
        )
    if card.point and card.reference is None and card.ratio.kind != "local":
        raise InputError(
            f"{loaded.place('point')}: these are the parameters of a `reference`, and none is named; without one the "
            "reference is all events together, which are at no point",
            code="ratio-point",
        )


def _check_ratio(loaded: ParameterisedCardFile) -> None:
    card = loaded.card
    with naming(loaded.place("ratio", "kind")):
        builder_of(card.ratio.kind)
    if card.ratio.kind in _NEED_POINT and not card.point:
        raise InputError(
            f"{loaded.place('ratio', 'kind')}: networks of the kind {card.ratio.kind} need the `point` at which the "
            "reference is",
            code="ratio-point",
        )
    with naming(loaded.place("ratio", "loss")):
        loss = loss_of(card.ratio.loss)
    told = {"log_ratio": card.truth.log_ratio, "log_ratio_ref": card.truth.log_ratio, "score": card.truth.score}
    for need in loss.needs:
        if not told[need]:
            raise InputError(
                f"{loaded.place('ratio', 'loss')}: {card.ratio.loss} learns from what the simulator knows of its "
                f"events; name the columns: `truth: {{{need.removesuffix('_ref')}: ...}}`",
                code="ratio-lacks-truth",
            )
    for name in card.truth.score:
        check_known(loaded.place("truth", "score", name), name, card.parameters)
