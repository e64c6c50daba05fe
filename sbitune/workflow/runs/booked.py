"""Which bins the analyses of a card will fill, found without an event."""

import contextlib
import warnings
from dataclasses import dataclass

import numpy as np

from sbitune.data.bins import Bins
from sbitune.data.errors import InputError
from sbitune.data.histograms import flatten
from sbitune.data.text.paths import is_final, reference_key
from sbitune.data.yoda import Counter
from sbitune.generators.pythia8.catalogue import Beams


@dataclass(frozen=True, eq=False)
class Booked:
    """The histograms that analyses book for given beams."""

    beams: Beams
    bins: Bins  #: of all final histograms, paths as the reference has them
    later: frozenset[str]  #: paths of objects whose bins are known only when events were filled

    @classmethod
    def nothing(cls, beams: Beams) -> "Booked":
        """No histogram."""
        return cls(beams, Bins.concatenate(()), frozenset())

    def joined(self, other: "Booked") -> "Booked":
        """The histograms of both."""
        return Booked(self.beams, Bins.concatenate((self.bins, other.bins)), self.later | other.later)

    def paths(self) -> list[str]:
        """Paths of all histograms."""
        return [*self.bins.paths(), *sorted(self.later)]


def book(name: str, beams: Beams) -> Booked:
    """Book one analysis and finish it without an event, as finishing may change bins.

    An analysis that cannot be finished from nothing (by dividing by a number of events, say) counts with the bins that
    it books; objects that only finishing makes are then left open.

    Raises:
        InputError: if the analysis does not apply to the beams, or booking fails.
    """
    from sbitune.generators.observables import AnalysisRun

    run = AnalysisRun([name], energy=beams.energy, beams=beams.codes)
    objects = {path.removeprefix("/RAW"): item for path, item in run.raw().items()}
    with np.errstate(all="ignore"), warnings.catch_warnings(), contextlib.suppress(InputError):
        warnings.simplefilter("ignore")
        objects |= {item.path: item for item in run.finalize()}
    parts, later = [], set()
    for path in sorted(filter(is_final, objects)):
        if isinstance(objects[path], Counter):
            continue
        key, bins = reference_key(path), flatten([objects[path]]).bins
        parts.append(Bins(np.repeat(key, len(bins)), bins.index, bins.low, bins.high, bins.name))
        if not len(bins):
            later.add(key)
    return Booked(beams, Bins.concatenate(parts), frozenset(later))
