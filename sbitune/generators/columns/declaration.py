"""What a set of columns is: names, units and meanings, and the function that computes them for a batch of events."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.events.events import Column
from sbitune.generators.observables.framework.projections import Projections


class ColumnInfo(NamedTuple):
    """What a column is."""

    unit: str  #: empty: a pure number
    description: str


class Subset(NamedTuple):
    """Events for which a set of columns is defined: the others have zeros, and a flag that is false."""

    flag: str
    description: str
    choose: Callable[[Projections], tuple[np.ndarray, Projections]]  #: which events (n_events,), and these events


@dataclass(frozen=True)
class EventColumns:
    """A set of columns. `compute` gives for every declared one an array (n_events, ...), or a `Ragged`."""

    name: str
    description: str
    columns: Mapping[str, ColumnInfo]
    compute: Callable[[Projections], Mapping[str, Column]]
    beams: tuple[int, int] | None = None  #: PDG codes, in any order; None: any
    subset: Subset | None = None  #: events for which it is computed; None: all

    def check_beams(self, beams: tuple[int, int]) -> None:
        """Raise `InputError` if events of these beams have no such columns."""
        if self.beams is not None and sorted(beams) != sorted(self.beams):
            raise InputError(
                f"columns {self.name} need the beams {_spell(self.beams)} (PDG codes), the events have {_spell(beams)}"
            )


#: hadronic events at LEP, as its analyses take them
HADRONIC = Subset(
    "hadronic", "at least two charged particles", lambda events: (events.charged.count >= 2, events.hadronic)
)


def _spell(beams: tuple[int, int]) -> str:
    return " ".join(map(str, beams))
