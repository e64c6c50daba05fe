"""Histograms as flat arrays: the form in which runs and measurements meet."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from sbitune.data import yoda
from sbitune.data.bins import Bins
from sbitune.data.errors import InputError


@dataclass(frozen=True, eq=False)
class Histograms:
    """The bins of several one-dimensional objects, one after the other."""

    bins: Bins
    values: np.ndarray  #: (n_bins,) heights, means or measured values
    minus: np.ndarray  #: (n_bins,) size of the downward error, >= 0
    plus: np.ndarray  #: (n_bins,) size of the upward error, >= 0

    @property
    def errors(self) -> np.ndarray:
        """(n_bins,) mean of the downward and the upward error, as Professor takes it."""
        return 0.5 * (self.minus + self.plus)

    def take(self, indices: np.ndarray) -> "Histograms":
        """Return the chosen bins (a mask or indices), in their order."""
        return Histograms(self.bins.take(indices), self.values[indices], self.minus[indices], self.plus[indices])


def flatten(objects: Iterable[Any], name: Callable[[str], str] = lambda path: path) -> Histograms:
    """Put the bins of histograms, profiles, scatters and 1D estimates side by side, in the order given.

    Objects of other dimensions and counters are passed over: they have no bins on one axis. `name` maps an object's
    path to the path that its bins carry.
    """
    rows = [(name(item.path), points) for item in objects if (points := _points(item)) is not None]
    if not rows:
        return Histograms(Bins(np.zeros(0, str), np.zeros(0, int), np.zeros(0), np.zeros(0)), *np.zeros((3, 0)))
    counts = [len(points.value) for _, points in rows]
    bins = Bins(
        path=np.repeat(np.array([path for path, _ in rows]), counts),
        index=np.concatenate([np.arange(count) for count in counts]),
        low=np.concatenate([points.low for _, points in rows]),
        high=np.concatenate([points.high for _, points in rows]),
        name=np.concatenate([_names(points) for _, points in rows]),
    )
    columns = [np.concatenate([np.asarray(getattr(points, name)) for _, points in rows]) for name in _COLUMNS]
    return Histograms(bins, columns[0], np.abs(columns[1]), np.abs(columns[2]))


_COLUMNS = ("value", "minus", "plus")


def _names(points: yoda.Points) -> np.ndarray:
    return np.full(len(points.value), "") if points.names is None else points.names


def _points(item: Any) -> yoda.Points | None:
    if isinstance(item, yoda.Counter):
        return None
    try:
        return yoda.points(item)
    except InputError:
        return None
