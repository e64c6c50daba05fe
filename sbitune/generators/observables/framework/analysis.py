"""What an analysis is: its facts and three functions, one to book, one to fill and one to finish histograms."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from sbitune.data import measured
from sbitune.data.errors import InputError
from sbitune.data.yoda import Scatter
from sbitune.generators.observables.framework.accumulators import (
    Accumulator,
    Derived,
    Histogram,
    Profile,
    Tally,
)
from sbitune.generators.observables.framework.finalise import RawResults, YodaObject
from sbitune.generators.observables.framework.projections import Projections

_A = TypeVar("_A", bound=Accumulator)

ELECTRON_POSITRON = (-11, 11)
PROTON_PROTON = (2212, 2212)


@dataclass(frozen=True)
class Energy:
    """A centre-of-mass energy at which an analysis exists, and the window of run energies it stands for; GeV."""

    nominal: float
    low: float
    high: float

    @classmethod
    def near(cls, nominal: float) -> "Energy":
        """Return the window of 1 % or 1 GeV, whichever is wider, as Rivet has it."""
        tolerance = max(0.01 * nominal, 1.0)
        return cls(nominal, nominal - tolerance, nominal + tolerance)

    def __str__(self) -> str:
        return f"{self.nominal:g}"


class Booking(Mapping[str, Any]):
    """The histograms of one analysis in one run, by name inside the analysis ("d01-x01-y01", "_TotalPartNum").

    Bins come from the measured points: [x - ex, x + ex], gaps stay gaps.
    """

    def __init__(self, analysis: str, energy: Energy):
        self.analysis = analysis
        self.energy = energy
        self._reference: dict[str, Scatter] = measured.load(analysis) if analysis in measured.names() else {}
        self._booked: dict[str, Accumulator] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._booked:
            # a KeyError, as a mapping's `in` and `get` expect; the run adds the analysis and the line
            raise KeyError(f"{name} is not booked; booked are {', '.join(self._booked)}")
        return self._booked[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._booked)

    def __len__(self) -> int:
        return len(self._booked)

    def measured_names(self) -> list[str]:
        """Return the names of all measured histograms of the analysis."""
        return [path.rsplit("/", 1)[1] for path in self._reference]

    def edges(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Return low and high edges (n,), (n,) of the measured histogram `name`."""
        if f"/REF/{self.analysis}/{name}" not in self._reference:
            raise InputError(f"analysis {self.analysis}: there is no measured {name} to take bins from; give its edges")
        scatter = self._reference[f"/REF/{self.analysis}/{name}"]
        x = scatter.values[:, 0]
        return x - scatter.minus[:, 0], x + scatter.plus[:, 0]

    def histogram(self, name: str, edges: Sequence[float] | None = None) -> Histogram:
        """Book a histogram with the bins of the measured one, or between the given `edges` (n + 1,)."""
        return self._add(name, Histogram(self._path(name), *self._bins(name, edges)))

    def profile(self, name: str, like: str | None = None, edges: Sequence[float] | None = None) -> Profile:
        """Book a profile with the bins of the measured histogram of that name, or of `like`, or with given edges."""
        return self._add(name, Profile(self._path(name), *self._bins(like or name, edges)))

    def counter(self, name: str) -> Tally:
        """Book a counter."""
        return self._add(name, Tally(self._path(name)))

    def derived(self, name: str) -> Derived:
        """Book a scatter that `finalize` computes."""
        return self._add(name, Derived(self._path(name)))

    def _bins(self, name: str, edges: Sequence[float] | None) -> tuple[np.ndarray, np.ndarray]:
        if edges is None:
            return self.edges(name)
        limits = np.asarray(edges, float)
        if limits.ndim != 1 or len(limits) < 2 or not (np.diff(limits) > 0).all():
            raise InputError(f"analysis {self.analysis}: the edges of {name} must be two or more rising numbers")
        return limits[:-1], limits[1:]

    def _path(self, name: str) -> str:
        return f"/{self.analysis}/{name}"

    def _add(self, name: str, accumulator: _A) -> _A:
        self._booked[name] = accumulator
        return accumulator


@dataclass(frozen=True)
class Analysis:
    """A published measurement as a program: what to book, how to fill it, how to finish it.

    `finalize` gets the raw histograms (sums of fills) and returns the finished ones by name; what it leaves out is
    taken over as it is, except names that start with "TMP/", which stay internal.
    """

    name: str
    description: str
    inspire: int | None  #: record number in INSPIRE
    beams: tuple[int, int]  #: PDG codes, in any order
    energies: tuple[Energy, ...]
    book: Callable[[Booking], None]
    fill: Callable[[Projections, Booking], None]
    finalize: Callable[[RawResults], dict[str, YodaObject]]

    def window(self, beams: tuple[int, int], energy: float) -> Energy:
        """Return the energy window of a run, or raise `InputError` if the analysis does not apply to it."""
        if sorted(beams) != sorted(self.beams):
            raise InputError(
                f"analysis {self.name} needs beams {_names(self.beams)}, the events have {_names(beams)}",
                code="analysis-other-beams",
            )
        for window in self.energies:
            if window.low <= energy <= window.high:
                return window
        known = ", ".join(str(window) for window in self.energies)
        raise InputError(
            f"analysis {self.name} exists at {known} GeV, the events have {energy:g} GeV", code="analysis-other-beams"
        )


def _names(beams: tuple[int, int]) -> str:
    known = {11: "e-", -11: "e+", 2212: "p", -2212: "pbar"}
    return " ".join(known.get(code, str(code)) for code in beams)
