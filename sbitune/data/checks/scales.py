"""Scales in which bins of a scan depend more smoothly on the parameters: as they are, in between, and logarithms."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

#: normal distribution: standard deviation / median of the absolute value
NORMAL = 1.4826
#: part of the runs in which a bin must be positive for its logarithm
_POSITIVE = 0.69
#: what is not positive is this part of the least that is
_FLOOR = 0.1
#: numbers whose exponential is one
_LARGEST = 600.0


@dataclass(frozen=True, eq=False)
class Scaled:
    """Contents in a scale, bin by bin: y, asinh((y - centre) / width) or log y. Monotonic, so that none is lost."""

    values: np.ndarray  #: (n_runs, n_bins)
    spread: np.ndarray  #: (n_bins,) of most of the runs, in the scale
    usable: np.ndarray  #: (n_bins,) False where the scale is none for the bin
    kind: np.ndarray  #: (n_bins,) 0: as it is, 1: asinh, 2: logarithm
    centre: np.ndarray  #: (n_bins,)
    width: np.ndarray  #: (n_bins,)

    @classmethod
    def choose(cls, candidates: Sequence["Scaled"], which: np.ndarray) -> "Scaled":
        """Put every bin into the scale of one of the candidates: `which` (n_bins,)."""
        columns = np.arange(len(which))
        values = np.stack([one.values for one in candidates])[which, :, columns].T
        parts = [np.stack([getattr(one, name) for one in candidates])[which, columns] for name in _OF_BINS]
        return cls(values, *parts)

    def back(self, scaled: np.ndarray) -> np.ndarray:
        """The contents (n_runs, n_bins) of which these are the scaled ones."""
        small = np.clip(scaled, -_LARGEST, _LARGEST)
        bent = self.centre + self.width * np.sinh(small)
        return np.where(self.kind == 0, scaled, np.where(self.kind == 1, bent, np.exp(small)))


_OF_BINS = ("spread", "usable", "kind", "centre", "width")


def scale_bins(values: np.ndarray) -> tuple[Scaled, Scaled, Scaled]:
    """Contents (n_runs, n_bins) as they are, in between, and in logarithms.

    Centre and width are those of most of the runs: a run that is wildly off moves neither, and is bounded by the
    logarithm of how far it is off.
    """
    centre = np.median(values, axis=0)
    spread = NORMAL * np.median(np.abs(values - centre), axis=0)
    # a bin that most runs have at one value still has runs that differ
    spread = np.where(spread > 0, spread, np.maximum(values.std(axis=0), np.finfo(float).tiny))
    some = np.ones(values.shape[1], bool)
    positive = values > 0
    told = positive.mean(axis=0) >= _POSITIVE
    least = np.where(positive, values, np.inf).min(axis=0)
    logs = np.log(np.maximum(values, np.where(told, _FLOOR * least, 1.0)))

    def scaled(kind: int, contents: np.ndarray, usable: np.ndarray) -> Scaled:
        middle = np.median(contents, axis=0)
        most = NORMAL * np.median(np.abs(contents - middle), axis=0)
        most = np.where(most > 0, most, np.maximum(contents.std(axis=0), np.finfo(float).tiny))
        return Scaled(contents, most, usable, np.full(len(usable), kind), centre, spread)

    return (
        scaled(0, values, some),
        scaled(1, np.arcsinh((values - centre) / spread), some),
        scaled(2, logs, told),
    )
