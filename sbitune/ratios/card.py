"""The card of a fit of events: samples of simulated events, how they depend on parameters, and the data."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec

from sbitune.data.errors import InputError
from sbitune.data.text.names import nearest
from sbitune.fitting.config import FitConfig
from sbitune.ratios.parameters import EventsCardFile, ParameterConfig, check_known, check_parameters
from sbitune.workflow.cards.cardfile import read_card_file
from sbitune.workflow.cards.yamlfile import Parsed

FAMILY = "ratios"
Positive = Annotated[float, msgspec.Meta(gt=0)]


class VariedConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Events of a sample simulated at another value of a nuisance parameter."""

    events: Annotated[str, msgspec.Meta(description="Table of events, relative to the card.")]
    value: Annotated[float, msgspec.Meta(description="Value of the nuisance parameter; the sample itself is at 0.")]


class LearnedConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True, tag_field="kind", tag="learned"):
    """log p(x | nu) / p(x | 0) = sum over k of nu^k g_k(x), with networks g_k learned from events at any values."""

    samples: Annotated[
        tuple[VariedConfig, ...], msgspec.Meta(min_length=1, description="Events at values of the nuisance parameter.")
    ]
    order: Annotated[int, msgspec.Meta(ge=1, le=4, description="The highest power of nu.")] = 2
    rate: Annotated[
        tuple[Positive, Positive],
        msgspec.Meta(description="Expected number at nu = -1 and +1 over that at 0; log-quadratic between and beyond."),
    ] = (1.0, 1.0)
    extrapolate: Annotated[
        bool, msgspec.Meta(description="Whether the response may be used beyond the values of the samples.")
    ] = False


class InterpolatedConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True, tag_field="kind", tag="interpolated"):
    """The response between events at nu = -1 and +1, interpolated event by event and normalised at every nu."""

    down: Annotated[str, msgspec.Meta(description="Table of events at nu = -1, relative to the card.")]
    up: Annotated[str, msgspec.Meta(description="The same at nu = +1.")]
    code: Annotated[
        Literal["log_quadratic", "code4", "code4p"],
        msgspec.Meta(description="How: log r quadratic in nu, or as codes 4 and 4p of HistFactory."),
    ] = "log_quadratic"
    rate: Annotated[
        tuple[Positive, Positive],
        msgspec.Meta(description="Expected number at nu = -1 and +1 over that at 0; log-quadratic between and beyond."),
    ] = (1.0, 1.0)
    extrapolate: Annotated[
        bool, msgspec.Meta(description="Whether the response may be used beyond nu = -1 and +1.")
    ] = True


ResponseConfig = LearnedConfig | InterpolatedConfig


class SampleConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Simulated events of one process."""

    events: Annotated[str, msgspec.Meta(description="Table of events, relative to the card; a column `weight` counts.")]
    expected: Annotated[float, msgspec.Meta(gt=0, description="Number expected in the data.")]
    scale: Annotated[str | None, msgspec.Meta(description="A parameter that multiplies the expected number.")] = None
    responses: Annotated[
        dict[str, ResponseConfig], msgspec.Meta(description="Nuisance parameter -> what it does to these events.")
    ] = {}


class NetworkConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The classifiers that the ratios are learned with."""

    hidden: Annotated[
        tuple[Annotated[int, msgspec.Meta(ge=1, le=4096)], ...],
        msgspec.Meta(max_length=20, description="Width of every hidden layer; a linear classifier stands beside them."),
    ] = (64, 64)
    members: Annotated[
        int, msgspec.Meta(ge=1, le=100, description="Networks whose ratios are averaged; all see the same events.")
    ] = 3
    epochs: Annotated[
        Annotated[int, msgspec.Meta(ge=1, le=100_000)] | None,
        msgspec.Meta(
            description="Passes over the training events; by default as many as make 3,000 steps, from 20 to 200."
        ),
    ] = None
    batch_size: Annotated[int, msgspec.Meta(ge=1, le=1_000_000, description="Events of a step.")] = 1024
    learning_rate: Annotated[float, msgspec.Meta(gt=0, le=1, description="Step size of Adam at the start.")] = 2e-3
    patience: Annotated[
        Annotated[int, msgspec.Meta(ge=1)] | None,
        msgspec.Meta(
            description="A network is finished after so many epochs without a better loss; by default none is, as the "
            "last epochs, with the smallest steps, are the quietest.",
        ),
    ] = None


class SplitConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What simulated events are used for; events of one group are never parted."""

    validation: Annotated[
        float, msgspec.Meta(gt=0, lt=1, description="Part on which the best epoch is chosen, of all members the same.")
    ] = 0.15
    held: Annotated[
        float,
        msgspec.Meta(
            gt=0, lt=1, description="Part that no network sees: it normalises and judges the ratios, and makes toys."
        ),
    ] = 0.35

    def __post_init__(self) -> None:
        if self.validation + self.held > 0.95:
            raise ValueError("validation and held leave less than 5 % of the events to train on")


class Card(msgspec.Struct, forbid_unknown_fields=True, frozen=True, tag_field="family", tag=FAMILY):
    """A fit of events by learned likelihood ratios."""

    title: Annotated[str, msgspec.Meta(description="What is fitted to which data, in one line.")]
    columns: Annotated[
        tuple[str, ...],
        msgspec.Meta(min_length=1, description="Columns of the events that the ratios see, in this order."),
    ]
    parameters: Annotated[
        dict[str, ParameterConfig], msgspec.Meta(min_length=1, description="Parameters of the fit, by name.")
    ]
    samples: Annotated[
        dict[str, SampleConfig], msgspec.Meta(min_length=1, description="Simulated events of every process, by name.")
    ]
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
    reference: Annotated[
        dict[str, float],
        msgspec.Meta(
            description="Sample -> its part in the mixture that all ratios are relative to; by default equal parts, in "
            "which a small signal is enriched."
        ),
    ] = {}
    network: Annotated[NetworkConfig, msgspec.Meta(description="The classifiers.")] = NetworkConfig()
    split: Annotated[SplitConfig, msgspec.Meta(description="What simulated events are used for.")] = SplitConfig()
    fit: Annotated[FitConfig, msgspec.Meta(description="How the parameters are fitted.")] = FitConfig()
    seed: Annotated[
        int, msgspec.Meta(ge=0, le=2**63 - 1, description="Seed of the split, the networks and the toys.")
    ] = 1


class RatiosCardFile(EventsCardFile[Card], frozen=True):
    """A card of a fit of events, and the file that it stands in."""

    @property
    def fractions(self) -> dict[str, float]:
        """Sample -> its part in the reference."""
        given = self.card.reference or dict.fromkeys(self.card.samples, 1.0)
        total = sum(given.values())
        return {name: given.get(name, 0.0) / total for name in self.card.samples}

    @property
    def usual(self) -> dict[str, float]:
        """1 for what scales a sample."""
        return {sample.scale: 1.0 for sample in self.card.samples.values() if sample.scale is not None}


def load_card(place: str | Path | Parsed) -> RatiosCardFile:
    """Read a card, given as a file or as the directory that holds `card.yaml`, or as what was parsed of it.

    Raises:
        InputError: naming file, line and key of whatever is wrong with it.
    """
    loaded = read_card_file(place, Card, RatiosCardFile, FAMILY)
    check_parameters(loaded)
    for name, sample in loaded.card.samples.items():
        _check_sample(loaded, name, sample)
    _check_used(loaded)
    _check_reference(loaded)
    return loaded


def _check_sample(loaded: RatiosCardFile, name: str, sample: SampleConfig) -> None:
    known = loaded.card.parameters
    if sample.scale is not None:
        where = loaded.place("samples", name, "scale")
        check_known(where, sample.scale, known)
        if known[sample.scale].low < 0:
            raise InputError(
                f"{where}: {sample.scale} may be {known[sample.scale].low:g}; a negative number of events has no "
                "likelihood: begin its range at 0",
                code="ratios-scale-negative",
            )
    for nuisance, response in sample.responses.items():
        where = loaded.place("samples", name, "responses", nuisance)
        check_known(where, nuisance, known)
        p = known[nuisance]
        if p.measured is None:
            raise InputError(
                f"{loaded.place('parameters', nuisance)}: {nuisance} moves events of {name}; say what others have "
                "measured of it: `measured: {value: 0, error: 1}`",
                code="ratios-unmeasured",
            )
        values = [s.value for s in response.samples] if isinstance(response, LearnedConfig) else [-1.0, 1.0]
        if 0.0 in values:
            raise InputError(
                f"{where}: a sample at {nuisance} = 0 is the nominal one, `samples.{name}.events`; leave it out",
                code="ratios-response-alike",
            )
        low, high = min(0.0, *values), max(0.0, *values)
        if not response.extrapolate and not (low <= p.low and p.high <= high):
            raise InputError(
                f"{loaded.place('parameters', nuisance)}: {nuisance} is looked for between {p.low:g} and {p.high:g}, "
                f"and the events of {name} are simulated between {low:g} and {high:g}; narrow the range, simulate "
                "further, or say `extrapolate: true` beside the response",
                code="ratios-range-untrained",
            )


def _check_used(loaded: RatiosCardFile) -> None:
    samples = loaded.card.samples.values()
    used = {sample.scale for sample in samples} | {name for sample in samples for name in sample.responses}
    for name in loaded.card.parameters:
        if name not in used:
            raise InputError(
                f"{loaded.place('parameters', name)}: no sample is scaled or moved by {name}; name it under `scale` or "
                "`responses` of a sample, or take it away",
                code="ratios-parameter-unused",
            )


def _check_reference(loaded: RatiosCardFile) -> None:
    where = loaded.place("reference")
    for name, part in loaded.card.reference.items():
        if name not in loaded.card.samples:
            near = nearest(name, loaded.card.samples)
            raise InputError(f"{where}: {name}: no such sample{near}", code="ratios-reference")
        if not 0 <= part < float("inf"):
            raise InputError(f"{where}: {name}: {part:g} is no part of a mixture", code="ratios-reference")
    if loaded.card.reference and not sum(loaded.card.reference.values()) > 0:
        raise InputError(f"{where}: the parts add up to nothing", code="ratios-reference")
