"""Finished histograms as Rivet 4 writes them: estimates, which hold values and errors and can no longer be filled.

A bin becomes a row: the height or mean with its error as the source `stats`. An empty bin of a histogram is 0 without
an error; outflows and empty bins of a profile are not a number.
"""

import numpy as np

from sbitune.data.yoda.convert import axis_through
from sbitune.data.yoda.estimates import Estimate, Scatter
from sbitune.data.yoda.model import Histo1D, Profile1D
from sbitune.data.yoda.points import points

#: the source of errors that Rivet names
STATS = "stats"


def to_estimate(obj: Histo1D | Profile1D | Scatter) -> Estimate:
    """The estimate of a histogram, profile, two-dimensional scatter with bins side by side, or single value.

    Raises:
        InputError: its bins overlap or are not sorted, or it is a scatter of more dimensions.
    """
    if isinstance(obj, Scatter) and obj.dimension == 1:
        shifts = np.stack([-obj.minus[:, 0], obj.plus[:, 0]], axis=1)
        return Estimate(obj.path, (), obj.values[:, 0].copy(), {"": shifts}, (), obj.annotations)
    found = points(obj)
    axis, places, masked = axis_through(obj.path, found.low, found.high)
    values, shifts = np.full(axis.rows, np.nan), np.full((axis.rows, 2), np.nan)
    values[places + 1] = found.value
    shifts[places + 1] = np.stack([-found.minus, found.plus], axis=1)
    if isinstance(obj, Histo1D | Profile1D):
        shifts[places[obj.sums[:, -1] == 0] + 1] = np.nan  # no fill, no error
    return Estimate(obj.path, (axis,), values, {STATS: shifts}, masked, obj.annotations)
