"""Blocks of YODA 1 (versions 1 and 2 of the format) to objects."""

from collections.abc import Callable
from typing import Any

import numpy as np

from sbitune.data.text.names import shorten
from sbitune.data.text.numbers import finite
from sbitune.data.yoda.estimates import Scatter, faulty_point
from sbitune.data.yoda.grids import (
    HISTO2D_COLUMNS,
    PROFILE2D_COLUMNS,
    TOUCHING,
    Histo2D,
    Profile2D,
    first_overlap,
)
from sbitune.data.yoda.model import HISTO_COLUMNS, PROFILE_COLUMNS, Counter, Histo1D, Profile1D
from sbitune.data.yoda.text import breakdown
from sbitune.data.yoda.text.blocks import SPECIAL, Block


def user_annotations(block: Block) -> dict[str, Any]:
    """Annotations that are not fields of the object; `ScaledBy` as a float."""
    kept: dict[str, Any] = {k: v for k, v in block.annotations.items() if k not in ("Path", "Type")}
    _check_type(block)
    if "ScaledBy" in kept:
        try:
            kept["ScaledBy"] = finite(kept["ScaledBy"])
        except ValueError as error:
            block.fail(f"ScaledBy: {error}; correct or remove it", block.place("ScaledBy"), code="yoda-bad-number")
    return kept


def _check_type(block: Block) -> None:
    """Refuse an object that is annotated as another; a scatter may say what it was made of, and old files nothing."""
    told = block.annotations.get("Type", "")
    if told and told.upper() != block.kind.upper() and not block.kind.startswith("SCATTER"):
        block.fail(
            f"the annotation says Type: {shorten(told)}; which of the two is it?",
            block.place("Type"),
            code="yoda-other-type",
        )


def counter(block: Block) -> Counter:
    """A counter; versions 2 and 3 are the same."""
    if len(block.rows) != 1:
        block.fail(f"a counter has one row, not {len(block.rows)}", code="yoda-row-count")
    sumw, sumw2, entries = block.numbers(block.rows, 3)[0].tolist()
    return Counter(block.path, sumw, sumw2, entries, user_annotations(block))


def _special_rows(block: Block, columns: int, names: tuple[str, ...]) -> tuple[list[np.ndarray], list[list[str]]]:
    """Rows of the total and the outflows, in the order of `names`, and the rows of bins."""
    found: dict[str, list[str]] = {}
    for row in block.rows:
        if row[0] in SPECIAL:
            if row[0] in found or row[1:2] != row[:1] or row[0] not in names:
                block.fail(
                    f"the row {row[0]} is given twice, or does not belong here",
                    block.position(row),
                    code="yoda-repeated-row",
                )
            found[row[0]] = row
    missing = [name for name in names if name not in found]
    if missing:
        block.fail(f"the row {missing[0]} is missing; is the file whole?", code="yoda-row-missing")
    sums = [block.numbers([found[name][2:]], columns)[0] for name in names]
    return sums, [row for row in block.rows if row[0] not in SPECIAL]


def _check_edges(block: Block, rows: list[list[str]], low: np.ndarray, high: np.ndarray) -> None:
    """Refuse bins that are none, given their edges (n_bins,) or (n_bins, 2)."""
    right = (high > low) & np.isfinite(low) & np.isfinite(high)
    if not np.all(right):
        index = np.argwhere(~right)[0]
        edges = f"[{low[tuple(index)]:g}, {high[tuple(index)]:g})"
        what = f"bin {index[0]} (counted from 0) has the edges {edges}"
        block.fail(
            f"{what}; both must be finite, the high edge above the low one",
            block.position(rows[index[0]]),
            code="yoda-bad-edges",
        )


def _check_order(block: Block, rows: list[list[str]], low: np.ndarray, high: np.ndarray) -> None:
    """Refuse bins (n_bins,) that are out of order or overlap, as the YODA library does."""
    wrong = np.flatnonzero((low[1:] - high[:-1]) / (high[1:] - low[1:]) < -TOUCHING)
    if len(wrong):
        at = int(wrong[0]) + 1
        edges = f"[{low[at]:g}, {high[at]:g})"
        block.fail(
            f"bin {at} (counted from 0), {edges}, overlaps the one before it, or stands behind a later one",
            block.position(rows[at]),
            code="yoda-overlap",
        )


def _binned1d(block: Block, kind: type[Histo1D] | type[Profile1D], columns: int) -> Histo1D | Profile1D:
    (total, under, over), rows = _special_rows(block, columns, SPECIAL)
    table = block.numbers(rows, 2 + columns)
    low, high, sums = table[:, 0].copy(), table[:, 1].copy(), table[:, 2:].copy()
    _check_edges(block, rows, low, high)
    _check_order(block, rows, low, high)
    return kind(block.path, low, high, sums, total, under, over, user_annotations(block))


def _binned2d(block: Block, kind: type[Histo2D] | type[Profile2D], columns: int) -> Histo2D | Profile2D:
    (total,), rows = _special_rows(block, columns, SPECIAL[:1])
    table = block.numbers(rows, 4 + columns)
    edges, sums = table[:, :4], table[:, 4:].copy()
    low, high = edges[:, [0, 2]], edges[:, [1, 3]]
    _check_edges(block, rows, low, high)
    both = first_overlap(low, high)
    if both is not None:
        block.fail(f"bin {both} (counted from 0) overlaps another", block.position(rows[both]), code="yoda-overlap")
    return kind(block.path, low, high, sums, total, np.zeros((0, columns)), user_annotations(block))


def scatter(block: Block) -> Scatter:
    """A scatter; versions 2 and 3 have the same columns. Two more columns per name in `Variations`, as YODA 1.7 had
    them, are ignored.

    A breakdown with more entries than points, and not adding up to their errors, stays a mere annotation.
    """
    dimension = int(block.kind[len("SCATTER")])
    kept = user_annotations(block)
    columns = 3 * dimension
    table = block.numbers(block.rows, columns + 2 * _variations(block, kept.get("Variations", "")))[:, :columns]
    values, minus, plus = (table[:, offset::3].copy() for offset in range(3))
    fault = faulty_point(values, minus, plus)
    if fault:
        block.fail(
            f"point {fault[0]} (counted from 0) {fault[1]}; correct it",
            block.position(block.rows[fault[0]]),
            code="yoda-bad-point",
        )
    text = kept.pop("ErrorBreakdown", "")
    try:
        sources, beyond = breakdown.parse(text, len(table)) if text else ({}, False)
    except ValueError as error:
        block.fail(f"ErrorBreakdown {error}", block.place("ErrorBreakdown"), code="yoda-bad-breakdown")
    if beyond and not breakdown.fits(sources, minus[:, -1], plus[:, -1]):
        sources, kept["ErrorBreakdown"] = {}, text
    return Scatter(block.path, values, minus, plus, sources, kept)


def _variations(block: Block, text: str) -> int:
    """How many names the annotation lists; `""`, the nominal one, is none of them."""
    if not text:
        return 0
    words = [word.strip().strip("\"'") for word in text.strip().strip("[]").split(",")]
    return len([word for word in words if word])


#: type in the BEGIN line -> function from the block to the object
READERS: dict[str, Callable[[Block], Any]] = {
    "COUNTER": counter,
    "HISTO1D": lambda block: _binned1d(block, Histo1D, HISTO_COLUMNS),
    "PROFILE1D": lambda block: _binned1d(block, Profile1D, PROFILE_COLUMNS),
    "HISTO2D": lambda block: _binned2d(block, Histo2D, HISTO2D_COLUMNS),
    "PROFILE2D": lambda block: _binned2d(block, Profile2D, PROFILE2D_COLUMNS),
    "SCATTER1D": scatter,
    "SCATTER2D": scatter,
    "SCATTER3D": scatter,
}
