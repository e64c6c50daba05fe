"""The points of anything with one axis: what fits and plots use."""

from typing import NamedTuple

import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.yoda.estimates import Estimate, Scatter
from sbitune.data.yoda.grids import BinnedFillable
from sbitune.data.yoda.model import Histo1D, Profile1D, error_of_moments, mean_error_of_moments, mean_of_moments
from sbitune.data.yoda.objects import Object


class Points(NamedTuple):
    """Bins of an object with their values and errors, in its own order; without outflows and masked bins."""

    low: np.ndarray  #: (n_points,) low edges
    high: np.ndarray  #: (n_points,) high edges; equal to `low` for points without a width
    value: np.ndarray  #: (n_points,) nan where nothing was measured
    minus: np.ndarray  #: (n_points,) total error downwards, positive; nan where it is not known
    plus: np.ndarray  #: (n_points,) total error upwards, positive
    sources: dict[str, np.ndarray]  #: source -> (n_points, 2) down, up as in the file; nan where undefined
    names: np.ndarray | None = None  #: (n_points,) values of a discrete axis in words; None: it is continuous


def points(obj: Object) -> Points:
    """Points of a histogram (heights), profile (means), two-dimensional scatter or estimate with one axis.

    An axis of integers gives bins of width 1 around them; an axis of names gives bins of width 1 around the
    positions 1, 2, ... in the list of names.

    Raises:
        InputError: The object does not have exactly one axis.
    """
    if isinstance(obj, Histo1D):
        error = obj.height_error()
        return Points(obj.low, obj.high, obj.height(), error, error, {})
    if isinstance(obj, Profile1D):
        error = obj.mean_error()
        return Points(obj.low, obj.high, obj.mean(), error, error, {})
    if isinstance(obj, Scatter) and obj.dimension == 2:
        return _scatter_points(obj)
    if isinstance(obj, Estimate) and len(obj.axes) == 1:
        return _estimate_points(obj)
    if isinstance(obj, BinnedFillable) and len(obj.axes) == 1:
        return _fillable_points(obj)
    raise InputError(f"{obj.path}: a {type(obj).__name__} that does not have exactly one axis has no list of points")


def _scatter_points(scatter: Scatter) -> Points:
    (x, y), (x_minus, minus), (x_plus, plus) = scatter.values.T, scatter.minus.T, scatter.plus.T
    sources = {name: shifts for name, shifts in scatter.sources.items() if name}
    return Points(x - x_minus, x + x_plus, y, minus, plus, sources)


def _estimate_points(estimate: Estimate) -> Points:
    axis, kept = estimate.axes[0], estimate.bins()
    minus, plus = estimate.total()[kept].T
    sources = {name: shifts[kept] for name, shifts in estimate.sources.items() if name}
    return Points(
        axis.low()[kept - 1], axis.high()[kept - 1], estimate.values[kept], minus, plus, sources, axis.names()[kept - 1]
    )


def _fillable_points(fillable: BinnedFillable) -> Points:
    axis, kept = fillable.axes[0], fillable.bins()
    low, high = axis.low()[kept - 1], axis.high()[kept - 1]
    sumw, sumw2, *_ = columns = fillable.sums[kept].T
    if fillable.profile:
        error = mean_error_of_moments(sumw, sumw2, columns[4], columns[5])
        return Points(low, high, mean_of_moments(sumw, columns[4]), error, error, {}, axis.names()[kept - 1])
    error = error_of_moments(sumw2, high - low)
    return Points(low, high, sumw / (high - low), error, error, {}, axis.names()[kept - 1])
