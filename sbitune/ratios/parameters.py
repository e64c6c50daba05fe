"""What cards of fits of events have in common: their parameters, and where tables of events lie."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec

from sbitune.data.errors import InputError
from sbitune.data.parameter import Parameter
from sbitune.data.text.names import nearest
from sbitune.workflow.cards.cardfile import CardFile

C = TypeVar("C", bound=msgspec.Struct)


class MeasuredConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A measurement of a parameter by others, an auxiliary measurement."""

    error: Annotated[float, msgspec.Meta(gt=0, description="One standard deviation.")]
    value: Annotated[float, msgspec.Meta(description="What was measured.")] = 0.0


class ParameterConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A parameter of the fit."""

    low: Annotated[float, msgspec.Meta(description="Lower end of the range in which it is looked for.")]
    high: Annotated[float, msgspec.Meta(description="Upper end.")]
    nominal: Annotated[
        float | None,
        msgspec.Meta(
            description="Where the expectation before data is taken; by default what was measured by others, 1 for a "
            "parameter that scales a sample, the middle of the range for others."
        ),
    ] = None
    measured: Annotated[
        MeasuredConfig | None, msgspec.Meta(description="A nuisance parameter: what others have measured of it.")
    ] = None
    unit: Annotated[str, msgspec.Meta(description="Unit for axes and tables.")] = ""


class EventsCardFile(CardFile[C], frozen=True):
    """A card of a fit of events with `parameters`, and the file that it stands in."""

    def file(self, name: str) -> Path:
        """A table of events, relative to the card."""
        return self.directory / name

    @property
    def usual(self) -> dict[str, float]:
        """Parameter -> what it is if nobody says otherwise."""
        return {}

    @property
    def nominal(self) -> dict[str, float]:
        """Parameter -> where the expectation before data is taken: what the card says, else what was measured by
        others, else what is usual, else the middle of the range.
        """
        card: Any = self.card
        found = {}
        for name, p in card.parameters.items():
            default = self.usual.get(name, p.low - 1)
            default = default if p.low <= default <= p.high else (p.low + p.high) / 2
            default = p.measured.value if p.measured is not None else default
            found[name] = default if p.nominal is None else p.nominal
        return found

    @property
    def measured(self) -> dict[str, tuple[float, float]]:
        """Value and error of every auxiliary measurement, by parameter."""
        card: Any = self.card
        return measured_by_others(card.parameters)

    def parameters(self) -> tuple[Parameter, ...]:
        """Of the fit."""
        card: Any = self.card
        nominal = self.nominal
        return tuple(Parameter(name, p.low, p.high, nominal[name], p.unit) for name, p in card.parameters.items())


def check_parameters(loaded: EventsCardFile[Any]) -> None:
    """Raise `InputError` for an empty range, a nominal value outside, or settings of unknown parameters."""
    for name, p in loaded.card.parameters.items():
        where = loaded.place("parameters", name)
        if not p.low < p.high:
            raise InputError(f"{where}: low {p.low:g} is not below high {p.high:g}", code="card-empty-range")
        value = loaded.nominal[name]
        if not p.low <= value <= p.high:
            raise InputError(
                f"{where}: nominal {value:g} is not inside the range [{p.low:g}, {p.high:g}]", code="card-outside-range"
            )
    loaded.parameters()
    for key in ("limits", "fixed"):
        for name in getattr(loaded.card.fit, key):
            check_known(loaded.place("fit", key, name), name, {p.name: p for p in loaded.parameters()})


def check_known(where: str, name: str, known: Mapping[str, object]) -> None:
    """Raise `InputError` for a parameter that is not there."""
    if name not in known:
        raise InputError(f"{where}: {name}: no such parameter{nearest(name, known)}", code="card-parameter-unknown")


def measured_by_others(parameters: Mapping[str, ParameterConfig]) -> dict[str, tuple[float, float]]:
    """Value and error of every auxiliary measurement, by parameter."""
    return {name: (p.measured.value, p.measured.error) for name, p in parameters.items() if p.measured is not None}
