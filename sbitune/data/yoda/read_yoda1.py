"""Blocks of YODA 1 (versions 1 and 2 of the format) to objects."""

from collections.abc import Callable
from typing import Any

import numpy as np

from sbitune.data.yoda import breakdown
from sbitune.data.yoda.blocks import Block
from sbitune.data.yoda.estimates import Scatter
from sbitune.data.yoda.grids import HISTO2D_COLUMNS, PROFILE2D_COLUMNS, Histo2D, Profile2D
from sbitune.data.yoda.model import HISTO_COLUMNS, PROFILE_COLUMNS, Counter, Histo1D, Profile1D, add_up

_SPECIAL = ("Total", "Underflow", "Overflow")


def user_annotations(block: Block) -> dict[str, Any]:
    """Annotations that are not fields of the object; `ScaledBy` as a float."""
    kept: dict[str, Any] = {k: v for k, v in block.annotations.items() if k not in ("Path", "Type")}
    if "ScaledBy" in kept:
        try:
            kept["ScaledBy"] = float(kept["ScaledBy"])
        except ValueError:
            block.fail(f"ScaledBy: '{kept['ScaledBy']}' is not a number; correct or remove it")
    return kept


def counter(block: Block) -> Counter:
    """A counter; versions 2 and 3 are the same."""
    if len(block.rows) != 1:
        block.fail(f"a counter has one row, not {len(block.rows)}")
    sumw, sumw2, entries = block.numbers(block.rows, 3)[0].tolist()
    return Counter(block.path, sumw, sumw2, entries, user_annotations(block))


def _special_rows(block: Block, columns: int) -> tuple[dict[str, np.ndarray], list[list[str]]]:
    """Rows of the total and the outflows, and the rows of bins."""
    named = {row[0]: row for row in block.rows if row[0] in _SPECIAL}
    sums = {name: block.numbers([row[2:]], columns)[0] for name, row in named.items()}
    return sums, [row for row in block.rows if row[0] not in _SPECIAL]


def _check_edges(block: Block, low: np.ndarray, high: np.ndarray) -> None:
    if not np.all(right := high > low):
        index = np.argwhere(~right)[0]
        edges = f"[{low[tuple(index)]:g}, {high[tuple(index)]:g})"
        block.fail(f"bin {index[0]} (counted from 0) has the edges {edges}; the high edge must be above the low one")


def _binned1d(block: Block, kind: type[Histo1D] | type[Profile1D], columns: int) -> Histo1D | Profile1D:
    special, rows = _special_rows(block, columns)
    table = block.numbers(rows, 2 + columns)
    low, high, sums = table[:, 0].copy(), table[:, 1].copy(), table[:, 2:].copy()
    _check_edges(block, low, high)
    under, over = (special.get(name, np.zeros(columns)) for name in _SPECIAL[1:])
    total = special["Total"] if "Total" in special else add_up(np.vstack([sums, under, over]))
    return kind(block.path, low, high, sums, total, under, over, user_annotations(block))


def _binned2d(block: Block, kind: type[Histo2D] | type[Profile2D], columns: int) -> Histo2D | Profile2D:
    special, rows = _special_rows(block, columns)
    table = block.numbers(rows, 4 + columns)
    edges, sums = table[:, :4], table[:, 4:].copy()
    low, high = edges[:, [0, 2]], edges[:, [1, 3]]
    _check_edges(block, low, high)
    total = special["Total"] if "Total" in special else add_up(sums)
    return kind(block.path, low, high, sums, total, np.zeros((0, columns)), user_annotations(block))


def scatter(block: Block) -> Scatter:
    """A scatter; versions 2 and 3 have the same columns. Columns behind the last (old variations) are ignored.

    A breakdown with more entries than points, and not adding up to their errors, stays a mere annotation.
    """
    dimension = int(block.kind[len("SCATTER")])
    table = block.numbers(block.rows, 3 * dimension, extra=True)
    kept = user_annotations(block)
    text = kept.pop("ErrorBreakdown", "")
    try:
        sources, beyond = breakdown.parse(text, len(table)) if text else ({}, False)
    except ValueError as error:
        block.fail(f"ErrorBreakdown {error}")
    values, minus, plus = (table[:, offset::3].copy() for offset in range(3))
    if beyond and not breakdown.fits(sources, minus[:, -1], plus[:, -1]):
        sources, kept["ErrorBreakdown"] = {}, text
    return Scatter(block.path, values, minus, plus, sources, kept)


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
