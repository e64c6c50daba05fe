"""The plotting protocol of scikit-hep (UHI), so that other libraries can draw our histograms as they are."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np


class Traits(NamedTuple):
    """What a plotting library asks of an axis."""

    circular: bool = False
    discrete: bool = False


class PlottableAxis:
    """An axis as the protocol wants it: a sequence of (low, high). Bins need not touch."""

    traits = Traits()

    def __init__(self, low: np.ndarray, high: np.ndarray):
        self.low, self.high = low, high

    def __len__(self) -> int:
        return len(self.low)

    def __getitem__(self, index: int) -> tuple[float, float]:
        return float(self.low[index]), float(self.high[index])

    def __iter__(self) -> Iterator[tuple[float, float]]:
        return (self[index] for index in range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PlottableAxis):
            return NotImplemented
        return np.array_equal(self.low, other.low) and np.array_equal(self.high, other.high)

    __hash__ = None  # type: ignore[assignment]


class PlottableMixin:
    """Members of the protocol that histograms and profiles share. `sums` (n_bins, n_columns) starts with w, w^2."""

    sums: np.ndarray

    def counts(self) -> np.ndarray:
        """Effective number of entries, (sum of w)^2 / sum of w^2, in every bin (n_bins,)."""
        sumw, sumw2 = self.sums[:, 0], self.sums[:, 1]
        with np.errstate(all="ignore"):
            return np.divide(sumw**2, sumw2, out=np.zeros_like(sumw), where=sumw2 != 0)
