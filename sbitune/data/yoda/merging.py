"""Adding up runs of the same process.

Counters, histograms and profiles hold raw moments, so that runs are added exactly. If the objects were scaled
(`ScaledBy`, say for a normalisation), each run's scale s_i is taken off, the moments are added, and the sum is
scaled by 1 / sum_i(1/s_i), as `yodamerge` does: the result is the average weighted with the size of the runs.
Beware of `/_EVTCOUNT`: Rivet scales the finalised counter by 1, so that it is averaged; `/RAW/_EVTCOUNT` is summed.

Scatters and estimates have lost the moments. Averages of ratios or asymmetries are wrong, so none are made.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.yoda.estimates import Estimate, Scatter
from sbitune.data.yoda.grids import Axis, BinnedFillable, same_bins
from sbitune.data.yoda.model import Counter
from sbitune.data.yoda.objects import Object

#: arrays of raw moments, whichever of them an object has
_MOMENTS = ("sums", "total", "underflow", "overflow", "outflows", "sumw", "sumw2", "entries")


def merge(runs: Sequence[Mapping[str, Object] | Iterable[Object]], drop_unmergeable: bool = False) -> dict[str, Object]:
    """Add runs of the same process, object by object.

    Args:
        runs: The objects of every run; all runs must have the same paths.
        drop_unmergeable: Whether to leave out scatters and estimates that differ between runs. Otherwise they are
            an error. Those that are the same in all runs, such as measured data, are kept.

    Returns:
        Objects by path, in the order of the first run and with its annotations; `ScaledBy` is the new scale.

    Raises:
        InputError: Runs differ in paths, types or bins, only some are scaled, or a scatter or estimate differs.
    """
    listed = [_by_path(run) for run in runs]
    if not listed:
        raise InputError("there are no runs to merge")
    _check_paths(listed)
    merged: dict[str, Object] = {}
    for path, first in listed[0].items():
        objects = [run[path] for run in listed]
        if not isinstance(first, Scatter | Estimate):
            merged[path] = _sum(objects)
        elif all(identical(first, other) for other in objects[1:]):
            merged[path] = first
        elif not drop_unmergeable:
            raise InputError(
                f"{path}: a {type(first).__name__} cannot be merged: its errors and values do not tell how runs "
                "add up. Merge histograms (/RAW objects) and derive it anew, or leave it out"
            )
    return merged


def _by_path(run: Mapping[str, Object] | Iterable[Object]) -> dict[str, Object]:
    return {obj.path: obj for obj in (run.values() if isinstance(run, Mapping) else run)}


def _check_paths(runs: list[dict[str, Object]]) -> None:
    for number, run in enumerate(runs[1:], 2):
        for path in runs[0].keys() ^ run.keys():
            missing = number if path in runs[0] else 1
            raise InputError(f"{path} is missing in run {missing} of those to merge; leave it out of all or of none")


def _sum(objects: list[Any]) -> Any:
    first = objects[0]
    for other in objects[1:]:
        _check_bins(first, other)
    scales = [obj.annotations.get("ScaledBy") for obj in objects]
    if all(scale is None for scale in scales):
        return _added(objects)
    if any(not scale for scale in scales):
        raise InputError(f"{first.path}: some runs are scaled and some are not (ScaledBy {scales}); scale all alike")
    total = _added([obj.scaled(1 / scale) for obj, scale in zip(objects, scales, strict=True)])
    scale = 1 / sum(1 / scale for scale in scales)
    scaled = total.scaled(scale)
    return replace(scaled, annotations={**first.annotations, "ScaledBy": scale})


def _added(objects: list[Any]) -> Any:
    names = [name for name in _MOMENTS if hasattr(objects[0], name)]
    return replace(objects[0], **{name: sum(getattr(obj, name) for obj in objects) for name in names})


def _check_bins(first: Any, other: Any) -> None:
    if type(first) is not type(other):
        raise InputError(f"{first.path} is a {type(first).__name__} in one run and a {type(other).__name__} in another")
    if isinstance(first, Counter):
        return
    if isinstance(first, BinnedFillable):
        same = len(first.axes) == len(other.axes) and first.masked == other.masked and first.profile == other.profile
        same = same and all(map(Axis.same, first.axes, other.axes))
    else:
        same = same_bins(first.low, first.high, other.low, other.high)
        same = same and getattr(first, "outflows", first.low).shape == getattr(other, "outflows", other.low).shape
    if not same:
        raise InputError(f"{first.path}: the bins differ between runs; only runs of the same analysis can be merged")


def identical(first: Any, other: Any) -> bool:
    """Whether two objects have the same type, path, bins, numbers (nan equals nan) and annotations."""
    if type(first) is not type(other):
        return False
    if is_dataclass(first):
        return all(identical(getattr(first, field.name), getattr(other, field.name)) for field in fields(first))
    if isinstance(first, np.ndarray):
        return first.shape == other.shape and np.array_equal(first, other, equal_nan=first.dtype.kind == "f")
    if isinstance(first, tuple):
        return len(first) == len(other) and all(map(identical, first, other))
    if isinstance(first, dict):
        return first.keys() == other.keys() and all(identical(first[key], other[key]) for key in first)
    return bool(first == other or (first != first and other != other))
