"""Sections of the card for further regions, which share parameters by name with all others."""

from typing import Annotated

import msgspec

from sbitune.ratios.sections import Positive

_Count = Annotated[float, msgspec.Meta(ge=0)]
_Bins = Annotated[tuple[_Count, ...], msgspec.Meta(min_length=1)]
_Rate = tuple[Positive, Positive]


class EventsRegionConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True, tag_field="kind", tag="events"):
    """Events that are not binned, of the same samples, with ratios of their own."""

    expected: Annotated[
        dict[str, Positive],
        msgspec.Meta(
            min_length=1, description="Sample -> number expected in the data of this region; others have none in it."
        ),
    ]
    select: Annotated[
        str | None, msgspec.Meta(description="Condition on columns, of all its events; by default that of the card.")
    ] = None
    columns: Annotated[
        Annotated[tuple[str, ...], msgspec.Meta(min_length=1)] | None,
        msgspec.Meta(description="Columns that its ratios see; by default those of the card."),
    ] = None
    data: Annotated[
        str | None, msgspec.Meta(description="Table of its measured events; by default that of the card.")
    ] = None
    rates: Annotated[
        dict[str, dict[str, _Rate]],
        msgspec.Meta(
            description="Sample -> nuisance parameter -> expected number at -1 and +1 over that at 0 in this region; "
            "by default the `rate` of the sample's response."
        ),
    ] = {}


class BinsResponseConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What a nuisance parameter does to the bins of a sample."""

    rate: Annotated[
        _Rate,
        msgspec.Meta(description="Expected number at nu = -1 and +1 over that at 0, interpolated as code 4 (normsys)."),
    ] = (1.0, 1.0)
    down: Annotated[
        tuple[float, ...] | None,
        msgspec.Meta(description="(n_bins,) expected counts at nu = -1, interpolated as code 4p (histosys)."),
    ] = None
    up: Annotated[tuple[float, ...] | None, msgspec.Meta(description="(n_bins,) the same at nu = +1.")] = None


class BinsSampleConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The bins of a process."""

    expected: Annotated[_Bins, msgspec.Meta(description="(n_bins,) counts expected of it.")]
    scale: Annotated[str | None, msgspec.Meta(description="A parameter that multiplies them (normfactor).")] = None
    responses: Annotated[
        dict[str, BinsResponseConfig], msgspec.Meta(description="Nuisance parameter -> what it does to the bins.")
    ] = {}
    errors: Annotated[
        _Bins | None,
        msgspec.Meta(
            description="(n_bins,) errors from the number of simulated events: a factor for each bin, which samples "
            "share (staterror)."
        ),
    ] = None
    uncorrelated: Annotated[
        _Bins | None,
        msgspec.Meta(
            description="(n_bins,) errors of bins that were estimated by counts elsewhere, a factor each (shapesys)."
        ),
    ] = None


class CountsRegionConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True, tag_field="kind", tag="counts"):
    """Counts in bins."""

    samples: Annotated[
        dict[str, BinsSampleConfig],
        msgspec.Meta(min_length=1, description="What is expected of every process, by name."),
    ]
    observed: Annotated[
        _Bins | None,
        msgspec.Meta(description="(n_bins,) observed counts; needed where the card names data."),
    ] = None


class WorkspaceRegionConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True, tag_field="kind", tag="workspace"):
    """All channels of a workspace of pyhf, with its modifiers and observations."""

    file: Annotated[str, msgspec.Meta(description="The workspace, JSON, relative to the card.")]
    measurement: Annotated[
        str | None, msgspec.Meta(description="Which of its measurements counts; by default the first.")
    ] = None


RegionConfig = EventsRegionConfig | CountsRegionConfig | WorkspaceRegionConfig
