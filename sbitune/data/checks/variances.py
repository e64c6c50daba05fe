"""Variances that are negative: what no filling of a histogram gives, in files that were damaged or put together badly.

A histogram's is the sum of w^2. A profile's is that of the mean of y: sum w y^2 sum w - (sum w y)^2 and sum w^2 are not
negative unless weights of both signs nearly cancel, where its error is not known either (YODA takes the magnitude). A
scatter has errors, which are magnitudes.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np

from sbitune.data import yoda
from sbitune.data.errors import InputError

#: seven digits of a file: of two equal terms the difference is below this part of them
_ROUNDING = 1e-6


def negative_variances(objects: Iterable[Any]) -> np.ndarray:
    """(n_bins,) True where a bin has a negative variance, for the bins of `histograms.flatten` in its order."""
    found = [_of(item) for item in objects if not isinstance(item, yoda.Counter)]
    return np.concatenate([np.zeros(0, bool), *(part for part in found if part is not None)])


def _of(item: Any) -> np.ndarray | None:
    if isinstance(item, yoda.Histo1D):
        return item.sums[:, 1] < 0
    if isinstance(item, yoda.Profile1D):
        return _of_profile(*item.sums[:, [0, 1, 4, 5]].T)
    try:
        points = yoda.points(item)
    except InputError:
        return None
    if isinstance(item, yoda.Scatter):
        return (points.minus < 0) | (points.plus < 0)
    if isinstance(item, yoda.BinnedFillable):
        sums = item.sums[item.bins()]
        return _of_profile(*sums[:, [0, 1, 4, 5]].T) if item.profile else sums[:, 1] < 0
    return np.zeros(len(points.value), bool)


def _of_profile(sumw: np.ndarray, sumw2: np.ndarray, sumwy: np.ndarray, sumwy2: np.ndarray) -> np.ndarray:
    product, square = sumwy2 * sumw, sumwy**2
    return (sumw2 < 0) | (product - square < -_ROUNDING * (np.abs(product) + square))
