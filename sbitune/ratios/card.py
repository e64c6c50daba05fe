"""The card of a fit of events: samples of simulated events, how they depend on parameters, and the data."""

from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from sbitune.data.errors import InputError
from sbitune.data.parameter import Parameter
from sbitune.data.text.names import nearest
from sbitune.fitting.config import FitConfig
from sbitune.ratios.parameters import (
    EventsCardFile,
    ParameterConfig,
    check_known,
    check_parameters,
    measured_by_others,
)
from sbitune.ratios.regions.config import EventsRegionConfig, RegionConfig
from sbitune.ratios.regions.counted import Counted, read_counted
from sbitune.ratios.sections import LearnedConfig, NetworkConfig, SampleConfig, SplitConfig
from sbitune.workflow.cards.cardfile import read_card_file
from sbitune.workflow.cards.yamlfile import Parsed

FAMILY = "ratios"
#: the region that the card itself describes
EVENTS = "events"


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
    weighted_data: Annotated[
        bool,
        msgspec.Meta(
            description="Whether weights of measured events count: of what was subtracted, negative ones too, or of 1 "
            "over an efficiency. Errors are then those of weighted events; there are no toys, limits and posteriors."
        ),
    ] = False
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
    regions: Annotated[
        dict[str, RegionConfig],
        msgspec.Meta(
            description="Further regions by name that are fitted together with these events, and share parameters with "
            "them by name: events, counts in bins, workspaces of pyhf."
        ),
    ] = {}
    calibration: Annotated[
        Literal["none", "isotonic", "histogram"],
        msgspec.Meta(
            description="What mends ratios of samples on events that nothing else uses, `split.calibration` of them: a "
            "rising function of the log odds of a sample and the rest, or corrections in bins of them."
        ),
    ] = "none"
    ratio_error: Annotated[
        Literal["propagated", "nuisances"],
        msgspec.Meta(
            description="How the ratios' own error enters: carried to the fitted values and told apart from that of "
            "the data, or as nuisance parameters, along which ratios float in the fit, normalised wherever it goes."
        ),
    ] = "propagated"
    network: Annotated[NetworkConfig, msgspec.Meta(description="The classifiers.")] = NetworkConfig()
    split: Annotated[SplitConfig, msgspec.Meta(description="What simulated events are used for.")] = SplitConfig()
    fit: Annotated[FitConfig, msgspec.Meta(description="How the parameters are fitted.")] = FitConfig()
    seed: Annotated[
        int, msgspec.Meta(ge=0, le=2**63 - 1, description="Seed of the split, the networks and the toys.")
    ] = 1


class RatiosCardFile(EventsCardFile[Card], frozen=True, dict=True):
    """A card of a fit of events, and the file that it stands in."""

    region: str = EVENTS
    """Of which events it tells: those of the card itself, or of one of its regions, see `event_regions`."""

    @property
    def fractions(self) -> dict[str, float]:
        """Sample -> its part in the reference."""
        given = self.card.reference or dict.fromkeys(self.card.samples, 1.0)
        total = sum(given.values())
        return {name: given.get(name, 0.0) / total for name in self.card.samples}

    @property
    def usual(self) -> dict[str, float]:
        """1 for what scales a sample."""
        scales = {sample.scale for sample in self.card.samples.values()} | self.counted.scales
        return {name: 1.0 for name in scales if name is not None}

    @property
    def nominal(self) -> dict[str, float]:
        """Parameter -> where the expectation before data is taken; of the card, then those of counted regions."""
        return super().nominal | {p.name: float(p.default or 0.0) for p in self.counted.further}

    def own_parameters(self) -> tuple[Parameter, ...]:
        """Those that stand in the card."""
        return super().parameters()

    def parameters(self) -> tuple[Parameter, ...]:
        """Of the fit: of the card, then those that only counted regions have."""
        return (*super().parameters(), *self.counted.further)

    @property
    def measured(self) -> dict[str, tuple[float, float]]:
        """Parameter -> value and error of its auxiliary measurement."""
        return measured_by_others(self.card.parameters) | self.counted.measured

    @cached_property
    def counted(self) -> Counted:
        """The regions that are counted. Raises `InputError` as `read_counted`."""
        card = self.card
        return read_counted(card.regions, self.file, self.place, card.parameters, card.data is not None)

    @cached_property
    def event_regions(self) -> dict[str, "RatiosCardFile"]:
        """Region -> a card of its events: this one, and what it is for each further region of events."""
        found: dict[str, RatiosCardFile] = {EVENTS: self}
        for name, region in self.card.regions.items():
            if isinstance(region, EventsRegionConfig):
                card = _card_of(self.card, region, self.nominal)
                found[name] = RatiosCardFile(card, self.path, self.lines, name)
        return found


def _card_of(card: Card, region: EventsRegionConfig, nominal: dict[str, float]) -> Card:
    """The card as it would be for a region of events alone; parameters begin where they do for all."""
    samples = {}
    for name, expected in region.expected.items():
        sample, rates = card.samples[name], region.rates.get(name, {})
        responses = {
            nuisance: msgspec.structs.replace(one, rate=rates.get(nuisance, one.rate))
            for nuisance, one in sample.responses.items()
        }
        samples[name] = msgspec.structs.replace(sample, expected=expected, responses=responses)
    return msgspec.structs.replace(
        card,
        samples=samples,
        parameters={n: msgspec.structs.replace(p, nominal=nominal[n]) for n, p in card.parameters.items()},
        columns=region.columns or card.columns,
        select=card.select if region.select is None else region.select,
        data=card.data if region.data is None else region.data,
        reference={name: part for name, part in card.reference.items() if name in samples},
        regions={},
    )


def load_card(place: str | Path | Parsed) -> RatiosCardFile:
    """Read a card, given as a file or as the directory that holds `card.yaml`, or as what was parsed of it.

    Raises:
        InputError: naming file, line and key of whatever is wrong with it.
    """
    loaded = read_card_file(place, Card, RatiosCardFile, FAMILY)
    check_parameters(loaded)
    for name, sample in loaded.card.samples.items():
        _check_sample(loaded, name, sample)
    for name, region in loaded.card.regions.items():
        _check_region(loaded, name, region)
    _check_used(loaded)
    _check_reference(loaded)
    if loaded.card.calibration != "none" and loaded.card.ratio_error == "nuisances":
        raise InputError(
            f"{loaded.place('ratio_error')}: ratios float before they are calibrated; say `calibration: none`, or let "
            "their error be `propagated`",
            code="ratios-calibration-floating",
        )
    return loaded


def _check_region(loaded: RatiosCardFile, name: str, region: RegionConfig) -> None:
    """What a region names must be there."""
    where = loaded.place("regions", name)
    if name == EVENTS:
        raise InputError(
            f"{where}: {EVENTS} is what the card's own events are called; rename the region", code="ratios-region-name"
        )
    if not isinstance(region, EventsRegionConfig):
        return
    for names, known in ((region.expected, loaded.card.samples), (region.rates, region.expected)):
        for sample in names:
            if sample not in known:
                near = nearest(sample, known)
                raise InputError(f"{where}: {sample}: no such sample{near}", code="ratios-region-sample")
    for sample, rates in region.rates.items():
        for nuisance in rates:
            check_known(loaded.place("regions", name, "rates", sample), nuisance, loaded.card.samples[sample].responses)
    if region.data is not None and loaded.card.data is None:
        raise InputError(
            f"{where}: the region names data, and the card none; name data for both, or for neither",
            code="ratios-region-data",
        )
    reference = loaded.card.reference
    if reference and not sum(reference.get(sample, 0.0) for sample in region.expected) > 0:
        raise InputError(f"{loaded.place('reference')}: no sample of region {name} has a part", code="ratios-reference")


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
    used |= set(loaded.counted.names)
    for name in loaded.card.parameters:
        if name not in used:
            raise InputError(
                f"{loaded.place('parameters', name)}: no sample is scaled or moved by {name}, in no region; name it "
                "under `scale` or `responses` of a sample, or take it away",
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
