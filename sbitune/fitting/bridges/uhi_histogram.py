"""Histograms as Scikit-HEP's libraries exchange them: UHI's `PlottableHistogram`, without any of these.

What plots such histograms (mplhep, histoprint) takes one as it is; `hist.Hist(h)` and `boost_histogram.Histogram(h)`
turn it into theirs.
"""

import importlib
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from sbitune.data.errors import InputError


class Traits(NamedTuple):
    """What kind of axis it is."""

    circular: bool = False
    discrete: bool = False


@dataclass(frozen=True, eq=False)
class Axis:
    """Bins side by side."""

    edges: np.ndarray  #: (n_bins + 1,) rising
    label: str = ""

    def __len__(self) -> int:
        return len(self.edges) - 1

    def __getitem__(self, index: int) -> tuple[float, float]:
        """Both edges of a bin."""
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        i = index % len(self)
        return float(self.edges[i]), float(self.edges[i + 1])

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Axis) and np.array_equal(self.edges, other.edges)

    __hash__ = None  # pyright: ignore[reportAssignmentType]

    @property
    def traits(self) -> Traits:
        """Neither circular nor of whole numbers."""
        return Traits()

    @property
    def centers(self) -> np.ndarray:
        """(n_bins,)"""
        return 0.5 * (self.edges[1:] + self.edges[:-1])


@dataclass(frozen=True, eq=False)
class CountHistogram:
    """Sums of weights in bins, with the sums of their squares."""

    axes: tuple[Axis, ...]
    sums: np.ndarray  #: (n_bins,)
    squares: np.ndarray  #: (n_bins,)
    kind: str = "COUNT"

    def values(self) -> np.ndarray:
        """(n_bins,) sums of weights."""
        return self.sums

    def variances(self) -> np.ndarray:
        """(n_bins,) of these."""
        return self.squares

    def counts(self) -> np.ndarray:
        """(n_bins,) effective numbers of entries, 0 in bins without any."""
        filled = self.squares > 0
        return np.where(filled, self.sums**2, 0.0) / np.where(filled, self.squares, 1.0)

    def _to_boost_histogram_(self) -> Any:
        """What boost_histogram and hist ask for."""
        bh = importlib.import_module("boost_histogram")
        axes = [
            bh.axis.Variable(axis.edges, underflow=False, overflow=False, metadata=axis.label) for axis in self.axes
        ]
        found = bh.Histogram(*axes, storage=bh.storage.Weight())
        found.view()["value"], found.view()["variance"] = self.sums, self.squares
        return found


def count_histogram(values: Any, weights: Any, bins: Any, label: str = "") -> CountHistogram:
    """Weights (n,) of values (n,) in bins: their edges, or so many equal ones between the smallest and largest value.

    Raises `InputError` for edges that do not rise, and values or weights that are no numbers.
    """
    values, weights = np.asarray(values, float), np.asarray(weights, float)
    if not (np.isfinite(values).all() and np.isfinite(weights).all()):
        raise InputError(f"{label or 'values'}: a histogram is made of finite numbers")
    edges = np.histogram_bin_edges(values, int(bins)) if np.ndim(bins) == 0 else np.asarray(bins, float)
    if edges.ndim != 1 or len(edges) < 2 or not np.all(np.diff(edges) > 0):
        raise InputError(f"{label or 'bins'}: edges of bins are two numbers or more, each above the one before")
    sums, squares = (np.histogram(values, edges, weights=w)[0] for w in (weights, weights**2))
    return CountHistogram((Axis(edges, label),), sums, squares)
