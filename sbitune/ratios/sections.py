"""Sections of the card of a fit of events: samples and their responses, networks, splits."""

from typing import Annotated, Literal

import msgspec

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

    calibration: Annotated[
        float,
        msgspec.Meta(
            gt=0,
            lt=1,
            description="Part that calibrates ratios, and is used for nothing else, if `calibration` asks for it.",
        ),
    ] = 0.15

    def __post_init__(self) -> None:
        if self.validation + self.held > 0.95:
            raise ValueError("validation and held leave less than 5 % of the events to train on")
