"""From sums of fills to finished histograms. Everything here works from raw objects alone, so runs can be merged."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.yoda import Counter, Estimate, Histo1D, Object, Profile1D, Scatter, to_estimate

YodaObject = Counter | Histo1D | Profile1D | Scatter

RAW = "/RAW"
EVENT_COUNT = "/_EVTCOUNT"
CROSS_SECTION = "/_XSEC"
#: prefix of names that only finalising reads
INTERNAL = "TMP/"


def as_rivet4(objects: Iterable[Object]) -> list[Object]:
    """The same as Rivet 4 writes it: finished histograms and cross-sections are estimates, raw objects stay."""
    return [_as_rivet4(obj) for obj in objects]


def _as_rivet4(obj: Object) -> Object:
    raw = obj.path.startswith(f"{RAW}/")
    if isinstance(obj, Scatter):
        section = obj.path.removeprefix(RAW) == CROSS_SECTION
        turned = section or (obj.dimension == 2 and len(obj.values) > 0 and not raw)
        return to_estimate(obj) if turned else obj
    return to_estimate(obj) if isinstance(obj, Histo1D | Profile1D) and not raw else obj


def cross_section_of(obj: Object) -> tuple[float, float]:
    """Value and error in pb of a cross-section: a scatter of one point (Rivet 3) or an estimate (Rivet 4).

    Raises:
        InputError: it is something else.
    """
    if isinstance(obj, Scatter) and obj.dimension == 1 and len(obj.values) == 1:
        return float(obj.values[0, 0]), float(obj.plus[0, 0])
    if isinstance(obj, Estimate) and not obj.axes:
        return float(obj.values[0]), float(obj.total()[0, 1])
    raise InputError(f"{obj.path}: a {type(obj).__name__} that is no single value is no cross-section")


class RawResults(Mapping[str, Any]):
    """The raw histograms of one analysis by name, with the sum of weights of all events and the cross-section."""

    def __init__(self, objects: Mapping[str, YodaObject], sum_of_weights: float, cross_section: float):
        self._objects = objects
        self.sum_of_weights = sum_of_weights  #: of all events, selected or not
        self.cross_section = cross_section  #: pb

    def __getitem__(self, name: str) -> Any:
        return self._objects[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._objects)

    def __len__(self) -> int:
        return len(self._objects)

    def present(self, names: Iterable[str]) -> list[str]:
        """Return those of the names that were booked at the energy of the run, in their order."""
        return [name for name in names if name in self._objects]

    def scaled(self, names: Iterable[str], factor: float) -> dict[str, YodaObject]:
        """Return the booked ones of the names, multiplied by `factor`."""
        return {name: scale(self[name], factor) for name in self.present(names)}

    def normalized(self, names: Iterable[str], area: float = 1.0) -> dict[str, YodaObject]:
        """Return the booked ones of the names, scaled so that all their fills sum to `area`."""
        return {name: normalize(self[name], area) for name in self.present(names)}


def ratio(numerator: float, denominator: float) -> float:
    """Return the ratio, or nan where nothing was counted; `scale` leaves a histogram alone then."""
    return numerator / denominator if denominator else np.nan


def scale(histogram: Histo1D, factor: float) -> Histo1D:
    """Return the histogram times `factor`; unchanged where the factor is not finite (no event was selected)."""
    return histogram.scaled(factor) if np.isfinite(factor) else histogram


def normalize(histogram: Histo1D, area: float = 1.0) -> Histo1D:
    """Return the histogram with all its fills, also those outside of bins, summing to `area`; an empty one as it is."""
    return scale(histogram, ratio(area, float(histogram.total[0])))
