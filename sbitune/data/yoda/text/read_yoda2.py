"""Blocks of YODA 2 (version 3 of the format) to objects.

A row stands for every bin and outflow of the product of the axes, the first axis running fastest.
"""

import json
import math
import re
from typing import Any

import numpy as np

from sbitune.data.text.names import shorten
from sbitune.data.text.numbers import finite, natural
from sbitune.data.yoda.estimates import Estimate
from sbitune.data.yoda.grids import Axis, BinnedFillable, Histo2D, Profile2D, bin_rows, moment_columns
from sbitune.data.yoda.model import Histo1D, Profile1D, add_up
from sbitune.data.yoda.text.blocks import Block
from sbitune.data.yoda.text.read_yoda1 import counter, scatter, user_annotations

_KIND = re.compile(r"(?:(HISTO|PROFILE|ESTIMATE)([0-9])D|BINNED(HISTO|PROFILE|ESTIMATE)<([dis](?:,[dis])*)>)", re.I)
_EDGE_WORDS = {"d": "numbers", "i": "integers", "s": "strings"}
_KINDS = {"d": float, "i": np.int64}
_EDGES = re.compile(r"Edges\(A[0-9]+\)")
_STRINGS = re.compile(r"\[\s*(?:\"(?:[^\"\\]|\\.)*\"\s*(?:,\s*(?!\])|(?=\])))*\]")
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
#: places of a profile's columns in YODA 1 (without the products of x and y with the profiled variable)
PROFILE1D_PICK = (0, 1, 2, 3, 4, 5, 7)
PROFILE2D_PICK = (0, 1, 2, 3, 4, 5, 6, 7, 8, 11)


def read_block(block: Block) -> Any:
    """The object of a block of version 3."""
    if block.kind == "COUNTER":
        return counter(block)
    if re.fullmatch(r"SCATTER[123]D", block.kind):
        return scatter(block)
    match = _KIND.fullmatch(block.kind)
    if not match:
        block.fail(f"the type {shorten(block.kind)} is not known; leave it out with `select`", code="yoda-unknown-type")
    kinds = ["d"] * int(match[2]) if match[1] else match[4].lower().split(",")
    axes = tuple(_axis(block, index + 1, kind) for index, kind in enumerate(kinds))
    family = (match[1] or match[3]).upper()
    if family == "ESTIMATE":
        return _estimate(block, axes)
    return _fillable(block, axes, family == "PROFILE")


def _axis(block: Block, number: int, kind: str) -> Axis:
    name = f"Edges(A{number})"
    words = _listed(block, name, strings=kind == "s")
    if kind == "s":
        edges: Any = tuple(words)
    else:
        try:
            edges = np.array([finite(word) if kind == "d" else _integer(word) for word in words], _KINDS[kind])
        except ValueError as error:
            block.fail(
                f"{name} {block.header[name][:60]} is not a list of {_EDGE_WORDS[kind]}: {error}",
                block.place(name),
                code="yoda-bad-edges",
            )
    if kind == "d" and not np.all(edges[1:] > edges[:-1]):
        block.fail(f"{name} {block.header[name][:60]} must increase", block.place(name), code="yoda-bad-edges")
    if kind != "d" and len(set(words)) < len(words):
        block.fail(f"{name} {block.header[name][:60]} has a value twice", block.place(name), code="yoda-bad-edges")
    return Axis(kind, edges)


def _integer(word: str) -> int:
    return -natural(word[1:]) if word.startswith("-") else natural(word)


def _listed(block: Block, name: str, strings: bool) -> list[str]:
    """The words of a line `Name: [...]`, none where there is no such line."""
    text = block.header.get(name, "[]")
    inside = text.strip()[1:-1].strip()
    if strings and not _STRINGS.fullmatch(text.strip()):
        block.fail(f"{name} {text[:60]} is not a list of {_EDGE_WORDS['s']}", block.place(name), code="yoda-bad-list")
    if strings:
        return [_string(word) for word in _STRING.findall(text)]
    return [word.strip() for word in inside.split(",")] if inside else []


def _string(inside: str) -> str:
    """What stands in quotes; LaTeX has backslashes that are no escapes."""
    try:
        return json.loads(f'"{inside}"')
    except ValueError:
        return inside


def _masked(block: Block, n_rows: int) -> tuple[int, ...]:
    place = block.place("MaskedBins")
    try:
        masked = tuple(natural(word) for word in _listed(block, "MaskedBins", strings=False))
    except ValueError as error:
        block.fail(
            f"MaskedBins {block.header['MaskedBins'][:60]} is not a list of integers: {error}",
            place,
            code="yoda-bad-mask",
        )
    if len(set(masked)) < len(masked) or max(masked, default=-1) >= n_rows:
        told = "a number is given twice, or there is no such row"
        block.fail(f"MaskedBins {block.header['MaskedBins'][:60]}: {told}", place, code="yoda-bad-mask")
    return masked


def _check_rows(block: Block, axes: tuple[Axis, ...], labelled: bool) -> None:
    known = [f"Edges(A{k + 1})" for k in range(len(axes))] + ["MaskedBins"] + ["ErrorLabels"] * labelled
    unknown = [name for name in block.header if name not in known]
    unknown += [name for name in block.annotations if name in ("MaskedBins", "ErrorLabels") or _EDGES.fullmatch(name)]
    if unknown:
        block.fail(
            f"the line {unknown[0]}: [...] is not known here; known are {', '.join(known)}, behind '---'",
            block.place(unknown[0]),
            code="yoda-unknown-line",
        )
    wanted = math.prod(axis.rows for axis in axes)
    if len(block.rows) != wanted and not any(len(axis.edges) for axis in axes) and axes:
        block.fail(
            f"{len(block.rows)} rows and no line Edges(A1): [...]; are the edges missing?", code="yoda-edges-missing"
        )
    if len(block.rows) != wanted and axes:
        block.fail(
            f"{len(block.rows)} rows do not fit the edges, which make {wanted} with outflows; is a row missing?",
            code="yoda-row-count",
        )
    if not axes and len(block.rows) != 1:
        block.fail(f"a value without axes has one row, not {len(block.rows)}", code="yoda-row-count")


def _estimate(block: Block, axes: tuple[Axis, ...]) -> Estimate:
    _check_rows(block, axes, labelled=True)
    labels = _listed(block, "ErrorLabels", strings=True)
    if len(set(labels)) < len(labels):
        block.fail(
            f"ErrorLabels {block.header['ErrorLabels'][:60]} has a label twice",
            block.place("ErrorLabels"),
            code="yoda-repeated-label",
        )
    rows = [["nan" if word == "---" else word for word in row] for row in block.rows]
    table = block.numbers(rows, 1 + 2 * len(labels))
    sources = {label: table[:, 1 + 2 * k : 3 + 2 * k].copy() for k, label in enumerate(labels)}
    masked = _masked(block, len(rows))
    return Estimate(block.path, axes, table[:, 0].copy(), sources, masked, user_annotations(block))


def _fillable(block: Block, axes: tuple[Axis, ...], profile: bool) -> Any:
    _check_rows(block, axes, labelled=False)
    table = block.numbers(block.rows, moment_columns(len(axes) + profile))
    masked = _masked(block, len(table))
    return simplest(BinnedFillable(block.path, axes, table, profile, masked, user_annotations(block)))


def simplest(general: BinnedFillable) -> BinnedFillable | Histo1D | Profile1D | Histo2D | Profile2D:
    """The one- or two-dimensional histogram or profile that a general object is, if its axes are continuous."""
    if any(axis.kind != "d" for axis in general.axes) or len(general.axes) > 2:
        return general
    return as_1d(general) if len(general.axes) == 1 else as_2d(general)


def as_1d(general: BinnedFillable) -> Histo1D | Profile1D:
    """The Histo1D or Profile1D of a general object with one continuous axis.

    Masked rows count in the total, like the fills in gaps of YODA 1; the moment sum of w x y is dropped.
    """
    axis = general.axes[0]
    sums = general.sums[:, PROFILE1D_PICK] if general.profile else general.sums
    inside = general.bins()
    low, high = axis.low()[inside - 1], axis.high()[inside - 1]
    edge = sums[[0, -1]] if axis.rows else np.zeros((2, sums.shape[1]))
    kind = Profile1D if general.profile else Histo1D
    total = add_up(sums)
    return kind(general.path, low, high, sums[inside], total, edge[0], edge[1], general.annotations)


def as_2d(general: BinnedFillable) -> Histo2D | Profile2D:
    """The Histo2D or Profile2D of a general object with two continuous axes; bins in the order of YODA 1.

    The moments sum of w x z and w y z of a profile are dropped.
    """
    sums = general.sums[:, PROFILE2D_PICK] if general.profile else general.sums
    first, second = general.axes
    grid = bin_rows(general.axes).reshape(second.bins, first.bins).T.ravel()  # y runs fastest
    x, y = np.divmod(np.arange(grid.size), max(second.bins, 1))
    kept = ~np.isin(grid, general.masked)
    low = np.stack([first.low()[x], second.low()[y]], axis=1)[kept]
    high = np.stack([first.high()[x], second.high()[y]], axis=1)[kept]
    around = np.setdiff1d(np.arange(len(sums)), grid)
    kind = Profile2D if general.profile else Histo2D
    total = add_up(sums)
    return kind(general.path, low, high, sums[grid[kept]], total, sums[around], general.annotations)
