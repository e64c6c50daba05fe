"""Objects to blocks of YODA 1 (version 2 of the format)."""

import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.yoda.convert import to_scatter
from sbitune.data.yoda.estimates import Estimate, Scatter, faulty_point
from sbitune.data.yoda.grids import BinnedFillable, Histo2D, Profile2D
from sbitune.data.yoda.model import Counter, Histo1D, Profile1D
from sbitune.data.yoda.objects import Object
from sbitune.data.yoda.text import breakdown
from sbitune.data.yoda.text.annotations import Raw, dump
from sbitune.data.yoda.text.read_yoda2 import simplest
from sbitune.data.yoda.text.tables import Numbers

_X = ["sumw", "sumw2", "sumwx", "sumwx2"]
_Y = ["sumwy", "sumwy2"]
_COLUMNS = {
    Histo1D: [*_X, "numEntries"],
    Profile1D: [*_X, *_Y, "numEntries"],
    Histo2D: [*_X, *_Y, "sumwxy", "numEntries"],
    Profile2D: [*_X, *_Y, "sumwz", "sumwz2", "sumwxy", "numEntries"],
}
_NO_OUTFLOWS = "# 2D outflow persistency not currently supported until API is stable\n"


def block(obj: Object, numbers: Numbers) -> str:
    """The block of one object, from BEGIN to END."""
    obj = simplest(obj) if isinstance(obj, BinnedFillable) else obj
    if isinstance(obj, BinnedFillable) and len(obj.axes) != 1:
        raise InputError(
            f"{obj.path}: YODA 1 has no histogram with these axes; write it with version=2", code="yoda-axes"
        )
    if isinstance(obj, Estimate | BinnedFillable):
        obj = to_scatter(obj)
    kind = f"Scatter{obj.dimension}D" if isinstance(obj, Scatter) else type(obj).__name__
    notes = {**obj.annotations, "Path": obj.path, "Type": kind}
    if isinstance(obj, Scatter) and obj.sources:
        notes["ErrorBreakdown"] = Raw(breakdown.dump(obj.sources))
    tag = f"YODA_{kind.upper()}_V2"
    return f"BEGIN {tag} {obj.path}\n{dump(notes)}---\n{_content(obj, numbers)}END {tag}\n\n"


def _content(obj: Object, numbers: Numbers) -> str:
    if isinstance(obj, Counter):
        row = np.array([[obj.sumw, obj.sumw2, obj.entries]])
        return _names(["sumW", "sumW2", "numEntries"]) + numbers.rows(row)
    if isinstance(obj, Scatter):
        return _scatter(obj, numbers)
    if isinstance(obj, Histo2D | Profile2D):
        return _binned2d(obj, numbers)
    assert isinstance(obj, Histo1D | Profile1D)
    return _binned1d(obj, numbers)


def _names(names: list[str]) -> str:
    return "# " + "\t ".join(names) + "\n"


def _binned1d(obj: Histo1D | Profile1D, numbers: Numbers) -> str:
    columns = _COLUMNS[type(obj)]
    text = _summary(obj, numbers) if isinstance(obj, Histo1D) else ""
    text += _names(["ID", "ID", *columns])
    text += numbers.rows(obj.total[None], "Total   \tTotal   \t")
    text += numbers.rows(obj.underflow[None], "Underflow\tUnderflow\t")
    text += numbers.rows(obj.overflow[None], "Overflow\tOverflow\t")
    table = np.column_stack([obj.low, obj.high, obj.sums])
    return text + _names(["xlow", "xhigh", *columns]) + numbers.rows(table)


def _summary(obj: Histo1D | Histo2D, numbers: Numbers) -> str:
    """Comments with mean and area; like the library's own, the mean of an empty histogram ends in no newline."""
    sumw = obj.total[0]
    places = (2,) if isinstance(obj, Histo1D) else (2, 4)
    if sumw == 0:
        return "# Mean: "
    area = "Area" if len(places) == 1 else "Volume"
    return f"# Mean: {numbers.mean(sumw, obj.total[list(places)])}\n# {area}: {numbers.one(sumw)}\n"


def _binned2d(obj: Histo2D | Profile2D, numbers: Numbers) -> str:
    columns = _COLUMNS[type(obj)]
    text = _summary(obj, numbers) + _names(["ID", "ID", *columns]) if isinstance(obj, Histo2D) else _names(columns)
    text += numbers.rows(obj.total[None], "Total   \tTotal   \t") + _NO_OUTFLOWS
    edges = [obj.low[:, 0], obj.high[:, 0], obj.low[:, 1], obj.high[:, 1]]
    return (
        text + _names(["xlow", "xhigh", "ylow", "yhigh", *columns]) + numbers.rows(np.column_stack([*edges, obj.sums]))
    )


def _scatter(obj: Scatter, numbers: Numbers) -> str:
    names = [name for axis in "xyz"[: obj.dimension] for name in (f"{axis}val", f"{axis}err-", f"{axis}err+")]
    return "# " + "".join(f"{name}\t " for name in names).rstrip(" ") + "\n" + numbers.rows(scatter_table(obj))


def scatter_table(obj: Scatter) -> np.ndarray:
    """Columns value, minus, plus of every coordinate (n_points, 3 d). Raises `InputError` for what is not read back."""
    fault = faulty_point(obj.values, obj.minus, obj.plus)
    if fault:
        raise InputError(
            f"{obj.path}: point {fault[0]} (counted from 0) {fault[1]}; it cannot be written", code="yoda-bad-point"
        )
    return np.stack([obj.values, obj.minus, obj.plus], axis=2).reshape(len(obj.values), 3 * obj.dimension)
