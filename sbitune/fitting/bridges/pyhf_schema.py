"""What a workspace of pyhf holds, version 1.0.0 of its schema, as typed records."""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from sbitune.data.errors import InputError
from sbitune.data.text.names import shorten


class _Strict(msgspec.Struct, forbid_unknown_fields=True):
    pass


class Factors(_Strict):
    """Of a normsys."""

    hi: float
    lo: float


class Bins(_Strict):
    """Of a histosys."""

    hi_data: list[float]
    lo_data: list[float]


class _Modifier(_Strict, tag_field="type"):
    name: str


class HistoSysSpec(_Modifier, tag="histosys"):
    """Bins up and down."""

    data: Bins


class NormSysSpec(_Modifier, tag="normsys"):
    """Factors up and down."""

    data: Factors


class LumiSpec(_Modifier, tag="lumi"):
    """The luminosity."""

    name: Literal["lumi"]  # pyright: ignore[reportIncompatibleVariableOverride]
    data: None


class NormFactorSpec(_Modifier, tag="normfactor"):
    """A free factor."""

    data: None


class ShapeFactorSpec(_Modifier, tag="shapefactor"):
    """A free factor for each bin."""

    data: None


class ShapeSysSpec(_Modifier, tag="shapesys"):
    """Errors of the bins of one sample."""

    data: list[float]


class StatErrorSpec(_Modifier, tag="staterror"):
    """Errors of the bins that samples share."""

    data: list[float]


ModifierSpec = (
    HistoSysSpec | NormSysSpec | LumiSpec | NormFactorSpec | ShapeFactorSpec | ShapeSysSpec | StatErrorSpec
)  # fmt: skip


class SampleSpec(_Strict):
    """A sample."""

    name: str
    data: list[float]
    modifiers: list[ModifierSpec]


class ChannelSpec(_Strict):
    """A channel."""

    name: str
    samples: list[SampleSpec]


class ObservationSpec(_Strict):
    """Counts of a channel."""

    name: str
    data: list[float]


class ParameterSpec(_Strict):
    """What a measurement says of a parameter."""

    name: str
    inits: list[float] | None = None
    bounds: list[tuple[float, float]] | None = None
    auxdata: list[float] | None = None
    factors: list[float] | None = None
    sigmas: list[float] | None = None
    fixed: bool = False


class ConfigSpec(_Strict):
    """The parameter of interest, and what is known of others."""

    poi: str
    parameters: list[ParameterSpec]


class MeasurementSpec(_Strict):
    """A measurement."""

    name: str
    config: ConfigSpec


class WorkspaceSpec(_Strict):
    """A workspace."""

    channels: list[ChannelSpec]
    measurements: list[MeasurementSpec]
    observations: list[ObservationSpec]
    version: Literal["1.0.0"]


def convert(content: Mapping[str, Any]) -> WorkspaceSpec:
    """A workspace from JSON. Raises `InputError` with the place of what is wrong."""
    try:
        return msgspec.convert(content, WorkspaceSpec)
    except msgspec.ValidationError as error:
        words, _, place = str(error).partition(" - at ")
        where = place.strip("`$").lstrip(".") or "the workspace"
        raise InputError(
            f"{shorten(where)}: {shorten(words, 200)}; a workspace is as version 1.0.0 of pyhf's schema has it: "
            "`pyhf xml2json` makes one of files of HistFactory",
            code="workspace-schema",
        ) from error
