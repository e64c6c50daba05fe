"""Objects to blocks of YODA 2 (version 3 of the format)."""

import json

import numpy as np

from sbitune.data.yoda.convert import general_1d, general_2d
from sbitune.data.yoda.estimates import Estimate, Scatter
from sbitune.data.yoda.grids import Axis, BinnedFillable, Histo2D, Profile2D
from sbitune.data.yoda.model import Counter, Histo1D, Profile1D, add_up
from sbitune.data.yoda.objects import Object
from sbitune.data.yoda.text import breakdown
from sbitune.data.yoda.text.annotations import Raw, dump
from sbitune.data.yoda.text.tables import Numbers
from sbitune.data.yoda.text.write_yoda1 import scatter_table


def block(obj: Object, numbers: Numbers) -> str:
    """The block of one object, from BEGIN to END."""
    if isinstance(obj, Histo1D | Profile1D):
        obj = general_1d(obj)
    elif isinstance(obj, Histo2D | Profile2D):
        obj = general_2d(obj)
    kind, letters = _kind(obj)
    notes = {**obj.annotations, "Path": obj.path, "Type": kind + letters}
    if isinstance(obj, Scatter) and obj.sources:
        notes["ErrorBreakdown"] = Raw(breakdown.dump(obj.sources))
    tag = f"YODA_{kind.upper()}{letters.upper()}_V3"
    return f"BEGIN {tag} {obj.path}\n{dump(notes)}---\n{_content(obj, numbers)}END {tag}\n\n"


def _kind(obj: Counter | Scatter | Estimate | BinnedFillable) -> tuple[str, str]:
    """Name of the type, and the letters of its axes if the name does not tell them."""
    if isinstance(obj, Counter):
        return "Counter", ""
    if isinstance(obj, Scatter):
        return f"Scatter{obj.dimension}D", ""
    family = "Estimate" if isinstance(obj, Estimate) else "Profile" if obj.profile else "Histo"
    kinds = [axis.kind for axis in obj.axes]
    if len(kinds) <= 3 and set(kinds) <= {"d"}:
        return f"{family}{len(kinds)}D", ""
    return f"Binned{family}", f"<{','.join(kinds)}>"


def _content(obj: Counter | Scatter | Estimate | BinnedFillable, numbers: Numbers) -> str:
    if isinstance(obj, Counter):
        row = np.array([[obj.sumw, obj.sumw2, obj.entries]])
        return numbers.heading(["sumW", "sumW2", "numEntries"]) + numbers.padded_rows(row)
    if isinstance(obj, Scatter):
        sides = ("val{}", "err{}-", "err{}+")
        names = [side.format(k + 1) for k in range(obj.dimension) for side in sides]
        return numbers.heading(names) + numbers.padded_rows(scatter_table(obj))
    if isinstance(obj, Estimate):
        return _edges(obj.axes, obj.masked, numbers) + _estimate_rows(obj, numbers)
    heading = numbers.heading(_moment_names(len(obj.axes) + obj.profile))
    rows = numbers.padded_rows(obj.sums)
    return _summary(obj, numbers) + _edges(obj.axes, obj.masked, numbers) + heading + rows


def _edges(axes: tuple[Axis, ...], masked: tuple[int, ...], numbers: Numbers) -> str:
    lines = [f"Edges(A{k + 1}): [{_edge_list(axis, numbers)}]\n" for k, axis in enumerate(axes) if len(axis.edges)]
    if masked:
        lines.append(f"MaskedBins: [{', '.join(map(str, masked))}]\n")
    return "".join(lines)


def _edge_list(axis: Axis, numbers: Numbers) -> str:
    write = {"d": numbers.one, "i": str, "s": lambda name: json.dumps(name, ensure_ascii=False)}[axis.kind]
    return ", ".join(write(edge) for edge in axis.edges)


def _summary(obj: BinnedFillable, numbers: Numbers) -> str:
    """Comments with means and integral, outflows included; nothing for profiles, discrete axes and no content."""
    sums = add_up(obj.sums)
    if obj.profile or any(axis.kind != "d" for axis in obj.axes) or sums[0] == 0:
        return ""
    mean = numbers.mean(sums[0], sums[2 : 2 + 2 * len(obj.axes) : 2])
    return f"# Mean: {mean}\n# Integral: {numbers.one(sums[0])}\n"


def _moment_names(dimensions: int) -> list[str]:
    axes = [f"A{k + 1}" for k in range(dimensions)]
    single = [name for axis in axes for name in (f"sumW({axis})", f"sumW2({axis})")]
    pairs = [f"sumW({a},{b})" for k, a in enumerate(axes) for b in axes[k + 1 :]]
    return ["sumW", "sumW2", *single, *pairs, "numEntries"]


def _estimate_rows(obj: Estimate, numbers: Numbers) -> str:
    labels = list(obj.sources)
    text = f"ErrorLabels: {json.dumps(labels, ensure_ascii=False)}\n" if labels else ""
    names = ["value"]
    for k, label in enumerate(labels):
        names += [f"errDn({k + 1})", f"errUp({k + 1})"] if label else ["totalDn", "totalUp"]
    text += "\t".join(numbers.cell(name) for name in ["# value", *names[1:]]) + "\t\n"
    table = np.column_stack([obj.values[:, None], *obj.sources.values()])
    undefined = np.column_stack([np.zeros(len(table), bool), *(_undefined(s) for s in obj.sources.values())])
    for row, dashes in zip(table.tolist(), undefined.tolist(), strict=True):
        words = ["---" if dash else numbers.one(value) for value, dash in zip(row, dashes, strict=True)]
        text += "\t".join(map(numbers.cell, words)) + "\t\n"
    return text


def _undefined(shifts: np.ndarray) -> np.ndarray:
    """Where both sides of a source are nan (n_rows, 2)."""
    missing = np.isnan(shifts).all(axis=1)
    return np.stack([missing, missing], axis=1)
