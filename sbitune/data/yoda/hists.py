"""To and from `hist.Hist` (the extra `hist`), for those who plot or analyse with scikit-hep."""

import importlib
from typing import Any

import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.yoda.convert import joined_edges
from sbitune.data.yoda.model import Histo1D, Profile1D
from sbitune.data.yoda.objects import Object


def _hist_module() -> Any:
    try:
        hist = importlib.import_module("hist")
    except ImportError as error:
        raise InputError("the package `hist` is not installed: pip install 'sbitune[hist]'") from error
    return hist


def to_hist(obj: Object) -> Any:
    """A `hist.Hist` of a Histo1D (storage Weight) or Profile1D (storage WeightedMean), with under- and overflow.

    A gap between bins becomes a bin without content. Moments of x and the number of fills have no place there.

    Raises:
        InputError: The object is something else, or `hist` is not installed.
    """
    if not isinstance(obj, Histo1D | Profile1D):
        raise InputError(f"{obj.path}: only a Histo1D or Profile1D can become a hist.Hist, not a {type(obj).__name__}")
    hist = _hist_module()
    edges, places = joined_edges(obj.path, obj.low, obj.high)
    if not len(places):
        raise InputError(f"{obj.path}: a histogram without bins cannot become a hist.Hist")
    storage = hist.storage.Weight() if isinstance(obj, Histo1D) else hist.storage.WeightedMean()
    result = hist.Hist(hist.axis.Variable(edges), storage=storage, name=obj.path)
    rows = np.zeros((len(edges) + 1, obj.sums.shape[1]))
    rows[places + 1], rows[0], rows[-1] = obj.sums, obj.underflow, obj.overflow
    view = result.view(flow=True)
    if isinstance(obj, Histo1D):
        view["value"], view["variance"] = rows[:, 0], rows[:, 1]
        return result
    sumw, sumwy = rows[:, 0], rows[:, 4]
    mean = np.divide(sumwy, sumw, out=np.zeros_like(sumw), where=sumw != 0)
    view["sum_of_weights"], view["sum_of_weights_squared"], view["value"] = sumw, rows[:, 1], mean
    view["_sum_of_weighted_deltas_squared"] = rows[:, 5] - mean * sumwy
    return result


def from_hist(histogram: Any, path: str) -> Histo1D | Profile1D:
    """A Histo1D or Profile1D of a one-dimensional `hist.Hist`.

    What the histogram does not hold is filled in: moments of x from the bin centres (none for the outflows), the
    number of fills as the effective number, (sum of w)^2 / sum of w^2.

    Args:
        histogram: With storage Double, Int64, Weight, Mean or WeightedMean.
        path: Path of the new object.

    Raises:
        InputError: The histogram has more than one axis, its storage does not have the sums that errors need (Double or
            Mean filled with weights; Mean and WeightedMean that came through UHI's JSON), or a number is not finite.
    """
    if len(histogram.axes) != 1:
        raise InputError(f"{path}: a histogram with {len(histogram.axes)} axes is not supported, only with one")
    edges = np.asarray(histogram.axes[0].edges, float)
    profile = "MEAN" in str(histogram.kind)
    found = _profile_rows(histogram) if profile else _histo_rows(histogram)
    _check_finite(found, path, profile)
    _check_weights(histogram, found, path)
    rows = _with_flow(histogram, found)
    centres = np.concatenate([[0.0], (edges[1:] + edges[:-1]) / 2, [0.0]])
    rows[:, 2], rows[:, 3] = rows[:, 0] * centres, rows[:, 0] * centres**2
    squares = rows[:, 1]
    rows[:, -1] = np.divide(rows[:, 0] ** 2, squares, out=np.zeros(len(rows)), where=squares != 0)
    kind = Profile1D if rows.shape[1] == 7 else Histo1D
    return kind(path, edges[:-1].copy(), edges[1:].copy(), rows[1:-1].copy(), rows.sum(axis=0), rows[0], rows[-1], {})


def _with_flow(histogram: Any, rows: np.ndarray) -> np.ndarray:
    """Rows with an outflow at either end, also if the axis has none."""
    traits = histogram.axes[0].traits
    ends = (int(not traits.underflow), int(not traits.overflow))
    return np.pad(rows, (ends, (0, 0)))


def _histo_rows(histogram: Any) -> np.ndarray:
    values = np.asarray(histogram.values(flow=True), float)
    variances = histogram.variances(flow=True)
    rows = np.zeros((len(values), 5))
    rows[:, 0], rows[:, 1] = values, values if variances is None else variances
    return rows


def _check_weights(histogram: Any, rows: np.ndarray, path: str) -> None:
    """Refuse weights in a storage that does not keep the sum of their squares: contents are no counts then, also where
    UHI's JSON has taken them for such.
    """
    storage = histogram.storage_type.__name__
    if storage in ("Weight", "WeightedMean"):
        return
    if histogram.variances(flow=True) is None or np.any(rows[:, 0] != np.round(rows[:, 0])):
        raise InputError(
            f"{path}: a histogram of {storage} storage that was filled with weights does not know the sum of their "
            "squares, and so no errors; fill one with hist.storage.Weight() or WeightedMean()"
        )


def _check_finite(rows: np.ndarray, path: str, profile: bool) -> None:
    """Refuse sums that are lost: rows (n_rows, n_columns) with the underflow first where there is one."""
    bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if len(bad):
        why = (
            "a profile loses its sums on the way through UHI's JSON, and where weights add up to 0; fill it again, or "
            "keep a histogram of w and one of w y"
            if profile
            else "fill it again"
        )
        raise InputError(f"{path}: row {bad[0]} of the {len(rows)} with outflows is not finite: {why}")


def _profile_rows(histogram: Any) -> np.ndarray:
    view = histogram.view(flow=True)
    if "sum_of_weights" in view.dtype.names:
        sumw, sumw2, spread = (
            view[name] for name in ("sum_of_weights", "sum_of_weights_squared", "_sum_of_weighted_deltas_squared")
        )
    else:
        sumw = sumw2 = view["count"]
        spread = view["_sum_of_deltas_squared"]
    mean = view["value"]
    rows = np.zeros((len(mean), 7))
    rows[:, 0], rows[:, 1], rows[:, 4], rows[:, 5] = sumw, sumw2, sumw * mean, spread + sumw * mean**2
    return rows
