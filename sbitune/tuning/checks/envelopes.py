"""Can the runs reach the data? For every bin the span of the runs, and whether the measured value lies in it.

A bin whose measured value no run reaches is either one that the generator cannot describe, or one for which the ranges
of the parameters are too narrow: Professor's `prof-envelopes`. The span includes the Monte Carlo fluctuations of the
runs; it says nothing about several bins at once.
"""

from typing import NamedTuple

import numpy as np

from sbitune.data.bins import Bins
from sbitune.data.scan import Scan
from sbitune.fitting.likelihood.measured import Measured


class Envelopes(NamedTuple):
    """The runs around the data."""

    bins: Bins  #: (n_bins,) the measured ones
    values: np.ndarray  #: (n_bins,) measured
    errors: np.ndarray  #: (n_bins,) of the measurement, all of them
    low: np.ndarray  #: (n_bins,) least of all runs
    high: np.ndarray  #: (n_bins,) greatest of all runs

    @property
    def inside(self) -> np.ndarray:
        """(n_bins,) True where some runs lie below and some above the measured value, or on it."""
        return (self.low <= self.values) & (self.values <= self.high)

    @property
    def gap(self) -> np.ndarray:
        """(n_bins,) how far the measured value is outside, in units of its error: > 0 above all runs, < 0 below."""
        above, below = np.maximum(self.values - self.high, 0.0), np.maximum(self.low - self.values, 0.0)
        return (above - below) / self.errors

    def outside(self) -> list[int]:
        """Which bins are outside, the farthest first."""
        return sorted(np.flatnonzero(~self.inside).tolist(), key=lambda i: -abs(self.gap[i]))


class Reach(NamedTuple):
    """How much of an observable the runs reach."""

    path: str
    bins: int
    inside: int
    within_error: int  #: bins inside, or outside by less than the measured error
    farthest: float  #: greatest |gap|, in units of the measured error


def find_envelopes(scan: Scan, measured: Measured) -> Envelopes:
    """Compare the span of a scan's runs with the measured values of `matching.match`."""
    values = scan.values[:, measured.indices]
    return Envelopes(measured.bins, measured.values, measured.total_errors, values.min(axis=0), values.max(axis=0))


def reach_of_observables(found: Envelopes) -> tuple[Reach, ...]:
    """A row for every observable, in the order of the bins."""
    rows = []
    for path in found.bins.paths():
        mine = found.bins.of(path)
        gap = np.abs(found.gap[mine])
        rows.append(
            Reach(path, len(mine), int(found.inside[mine].sum()), int((gap <= 1).sum()), float(gap.max(initial=0.0)))
        )
    return tuple(rows)
