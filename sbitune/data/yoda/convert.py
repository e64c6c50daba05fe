"""From one generation's objects to the other's, where the format to write does not have them.

Towards YODA 1: estimates become scatters of their bins (outflows and masked bins are given up), histograms and
profiles with one discrete axis become scatters too. Towards YODA 2: gaps between bins
become masked bins, and what a total has beyond its bins is put into the first of them (or, in two dimensions,
into the first outflow), so that integrals stay the same.
"""

import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.yoda.estimates import Estimate, Scatter
from sbitune.data.yoda.grids import TOUCHING, Axis, BinnedFillable, Histo2D, Profile2D, bin_rows, moment_columns
from sbitune.data.yoda.model import Histo1D, Profile1D, add_up
from sbitune.data.yoda.points import points
from sbitune.data.yoda.text.read_yoda2 import PROFILE1D_PICK, PROFILE2D_PICK

#: totals carry seven digits: a smaller part of the content than this is rounding and no fill
ROUNDING = 1e-5


def to_scatter(obj: Estimate | BinnedFillable) -> Scatter:
    """The scatter with the points of an estimate (up to two axes) or of a general fillable (one axis).

    Raises:
        InputError: The object has too many axes.
    """
    if isinstance(obj, Estimate) and len(obj.axes) != 1:
        return _grid_scatter(obj)
    low, high, value, minus, plus, sources, _ = points(obj)
    values = np.stack([(low + high) / 2, value], axis=1)
    half = (high - low) / 2
    return Scatter(
        obj.path,
        values,
        np.stack([half, minus], axis=1),
        np.stack([half, plus], axis=1),
        sources,
        obj.annotations,
    )


def _grid_scatter(estimate: Estimate) -> Scatter:
    """Scatter1D of a single value, Scatter3D of two axes (the first running fastest)."""
    if len(estimate.axes) > 2:
        raise InputError(
            f"{estimate.path}: {len(estimate.axes)} axes do not fit into a scatter; write it with version=2"
        )
    kept = estimate.bins()
    inside = np.isin(bin_rows(estimate.axes), kept) if estimate.axes else np.ones(len(kept), bool)
    lows = np.meshgrid(*(axis.low() for axis in estimate.axes), indexing="ij")
    highs = np.meshgrid(*(axis.high() for axis in estimate.axes), indexing="ij")
    centres = [((low + high) / 2).ravel(order="F")[inside] for low, high in zip(lows, highs, strict=True)]
    halves = [((high - low) / 2).ravel(order="F")[inside] for low, high in zip(lows, highs, strict=True)]
    total = estimate.total()[kept]
    sources = {name: shifts[kept] for name, shifts in estimate.sources.items() if name}
    return Scatter(
        estimate.path,
        np.stack([*centres, estimate.values[kept]], axis=1),
        np.stack([*halves, total[:, 0]], axis=1),
        np.stack([*halves, total[:, 1]], axis=1),
        sources,
        estimate.annotations,
    )


def joined_edges(path: str, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Edges of an axis through sorted bins that need not touch.

    Returns:
        Edges (n_edges,), and for every bin its place (n_bins,) among the intervals between them.

    Raises:
        InputError: Bins overlap.
    """
    if not len(low):
        return np.zeros(0), np.zeros(0, int)
    if np.any(low[1:] < low[:-1]):
        raise InputError(f"{path}: bins are not sorted; sort them by their low edges")
    distance = (low[1:] - high[:-1]) / (high[1:] - low[1:])
    if np.any(distance < -TOUCHING):
        raise InputError(f"{path}: bin {int(np.argmin(distance)) + 1} overlaps the one before it")
    gap = distance > TOUCHING
    edges = [low[0]]
    for index, separate in enumerate(gap):
        edges += [high[index], low[index + 1]] if separate else [low[index + 1]]
    places = np.arange(len(low)) + np.concatenate([[0], np.cumsum(gap)])
    return np.array([*edges, high[-1]]), places


def axis_through(path: str, low: np.ndarray, high: np.ndarray) -> tuple[Axis, np.ndarray, tuple[int, ...]]:
    """The axis through bins as `joined_edges` has it, their places (n_bins,) in it, and the rows of the gaps, which are
    to be masked. Raises `InputError` as that does.
    """
    edges, places = joined_edges(path, low, high)
    axis = Axis("d", edges)
    return axis, places, tuple((np.setdiff1d(np.arange(axis.bins), places) + 1).tolist())


def general_1d(histogram: Histo1D | Profile1D) -> BinnedFillable:
    """A Histo1D or Profile1D in the rows and columns of YODA 2; gaps become masked rows."""
    axis, places, masked = axis_through(histogram.path, histogram.low, histogram.high)
    rows = np.zeros((axis.rows, histogram.sums.shape[1]))
    if axis.rows:
        rows[places + 1] = histogram.sums
        rows[0], rows[-1] = histogram.underflow, histogram.overflow
    if masked:
        rows[masked[0]] = _remainder(histogram.total, rows)
    profile = isinstance(histogram, Profile1D)
    rows = _spread(rows, PROFILE1D_PICK, 2) if profile else rows
    return BinnedFillable(histogram.path, (axis,), rows, profile, masked, histogram.annotations)


def general_2d(histogram: Histo2D | Profile2D) -> BinnedFillable:
    """A Histo2D or Profile2D in the rows and columns of YODA 2; cells that are no bins become masked rows.

    Outflows that are not known are zero, except that the first holds what the total has beyond the bins.
    """
    columns = [_axis_of_cells(histogram, k) for k in range(2)]
    axes = tuple(axis for axis, _ in columns)
    (first, x), (second, y) = columns
    cells = (x + 1) + first.rows * (y + 1)
    rows = np.zeros((first.rows * second.rows, histogram.sums.shape[1]))
    inside = bin_rows(axes)
    around = np.setdiff1d(np.arange(len(rows)), inside)
    if len(np.unique(cells)) != len(cells):
        raise InputError(f"{histogram.path}: bins overlap")
    rows[cells] = histogram.sums
    if len(histogram.outflows) == len(around):
        rows[around] = histogram.outflows
    masked = tuple(np.setdiff1d(inside, cells).tolist())
    if len(rows):
        rows[masked[0] if masked else 0] += _remainder(histogram.total, rows)
    profile = isinstance(histogram, Profile2D)
    rows = _spread(rows, PROFILE2D_PICK, 3) if profile else rows
    return BinnedFillable(histogram.path, axes, rows, profile, masked, histogram.annotations)


def _axis_of_cells(histogram: Histo2D | Profile2D, k: int) -> tuple[Axis, np.ndarray]:
    """Axis through the cells' edges in one coordinate, and the place of every cell on it (n_bins,)."""
    low, which = np.unique(histogram.low[:, k], return_inverse=True)
    high = np.full(len(low), np.nan)
    high[which] = histogram.high[:, k]
    if not np.allclose(high[which], histogram.high[:, k], rtol=1e-6, atol=0):
        raise InputError(f"{histogram.path}: bins do not lie on a grid; only version=1 can hold them")
    edges, places = joined_edges(histogram.path, low, high)
    return Axis("d", edges), places[which]


def _remainder(total: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """What a total has beyond the rows: zero if that is rounding."""
    with np.errstate(invalid="ignore", over="ignore"):
        rest = total - add_up(rows)
        scale = add_up(np.abs(rows)) + np.abs(total)
        return np.where(np.abs(rest) > ROUNDING * scale, rest, 0.0)


def _spread(rows: np.ndarray, pick: tuple[int, ...], dimensions: int) -> np.ndarray:
    """Columns of a YODA 1 profile at their YODA 2 places; products that YODA 1 does not store are 0."""
    full = np.zeros((len(rows), moment_columns(dimensions)))
    full[:, list(pick)] = rows
    return full
