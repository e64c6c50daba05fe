"""Fillable objects with several axes, or with axes of integers or names (YODA 2)."""

from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np

from sbitune.data.yoda.model import (
    error_of_moments,
    mean_error_of_moments,
    mean_of_moments,
    scale_sums,
    scaled_annotations,
)

#: columns of the sums of a Histo2D: w, w^2, w x, w x^2, w y, w y^2, w x y, number of fills
HISTO2D_COLUMNS = 8
#: columns of the sums of a Profile2D: w, w^2, w x, w x^2, w y, w y^2, w z, w z^2, w x y, number of fills
PROFILE2D_COLUMNS = 10
#: bins whose distance is less than this part of the width touch; the YODA library uses the same number
TOUCHING = 1e-3
#: cells of the grid through all edges, beyond which overlaps of bins that form no grid are not looked for
_MOST_CELLS = 4_000_000


@dataclass(frozen=True, eq=False)
class Axis:
    """One axis of a YODA 2 object.

    A continuous axis (`kind` "d") has edges (n + 1,) and the rows underflow, n bins, overflow. A discrete axis of
    integers ("i") or names ("s") lists its values, in any order; its first row collects every other value.
    """

    kind: str  #: "d", "i" or "s"
    edges: Any  #: float array of edges, integer array of values, or tuple of names

    @property
    def rows(self) -> int:
        """Number of rows along this axis, outflows included. An axis without edges has none (discrete: one)."""
        if self.kind != "d":
            return len(self.edges) + 1
        return len(self.edges) + 1 if len(self.edges) else 0

    @property
    def bins(self) -> int:
        """Number of rows that are bins."""
        return max(len(self.edges) - 1, 0) if self.kind == "d" else len(self.edges)

    def low(self) -> np.ndarray:
        """Low edges (bins,): of an integer its value - 1/2, of a name its position (from 1) - 1/2."""
        return self.edges[:-1] if self.kind == "d" else self._centres() - 0.5

    def high(self) -> np.ndarray:
        """High edges (bins,): of an integer its value + 1/2, of a name its position (from 1) + 1/2."""
        return self.edges[1:] if self.kind == "d" else self._centres() + 0.5

    def names(self) -> np.ndarray:
        """Values (bins,) of a discrete axis in words, "" for the bins of a continuous one."""
        return np.full(self.bins, "") if self.kind == "d" else np.array([str(value) for value in self.edges], np.str_)

    def _centres(self) -> np.ndarray:
        return np.arange(1.0, self.bins + 1) if self.kind == "s" else np.asarray(self.edges, float)

    def same(self, other: "Axis") -> bool:
        """Whether two axes have the same bins: edges may differ by 1e-5 of a width, names not at all."""
        if self.kind != other.kind or len(self.edges) != len(other.edges):
            return False
        if self.kind != "d":
            return list(self.edges) == list(other.edges)
        return same_bins(self.low(), self.high(), other.low(), other.high())


def same_bins(low: np.ndarray, high: np.ndarray, other_low: np.ndarray, other_high: np.ndarray) -> bool:
    """Whether two lists of bins agree within 1e-5 of their widths, and within the seven digits of a file."""
    if low.shape != other_low.shape or high.shape != other_high.shape:
        return False
    width = 1e-5 * np.abs(high - low)
    pairs = ((low, other_low), (high, other_high))
    return all(bool(np.all(np.abs(mine - other) <= width + 1e-6 * np.abs(mine))) for mine, other in pairs)


def first_overlap(low: np.ndarray, high: np.ndarray) -> int | None:
    """The second of two bins of the plane that overlap, None if no two do; low and high edges (n_bins, 2).

    Bins are made smaller by what touching ones may share, a part of the smallest width, and painted on the grid through
    all of their edges.
    """
    if not len(low):
        return None
    shrink = 0.5 * TOUCHING * (high - low).min(axis=0)
    first, last, shape = [], [], []
    for axis in range(2):
        edges, places = np.unique(
            np.concatenate([low[:, axis] + shrink[axis], high[:, axis] - shrink[axis]]), return_inverse=True
        )
        first.append(places[: len(low)])
        last.append(places[len(low) :])
        shape.append(len(edges))
    if np.prod(shape, dtype=float) > _MOST_CELLS + 16.0 * len(low):
        _, where = np.unique(np.hstack([low, high]), axis=0, return_index=True)
        again = np.setdiff1d(np.arange(len(low)), where)
        return int(again[0]) if len(again) else None
    painted = np.zeros(shape, bool)
    for bin_, (x, y, x_end, y_end) in enumerate(zip(*first, *last, strict=True)):
        cells = painted[x:x_end, y:y_end]
        if cells.any():
            return bin_
        cells[...] = True
    return None


def bin_rows(axes: tuple[Axis, ...]) -> np.ndarray:
    """Global indices of the rows that are bins, not outflows; the first axis runs fastest."""
    inside = np.zeros(tuple(axis.rows for axis in axes), bool, order="F")
    inside[tuple(slice(1, axis.bins + 1) for axis in axes)] = True
    return np.flatnonzero(inside.ravel(order="F"))


@dataclass(frozen=True, eq=False)
class _Binned2D:
    path: str
    low: np.ndarray  #: (n_bins, 2) low edges in x and y
    high: np.ndarray  #: (n_bins, 2) high edges in x and y
    sums: np.ndarray  #: (n_bins, n_columns) raw moments
    total: np.ndarray  #: (n_columns,) all fills
    #: (n_outflows, n_columns) rows around the grid, in the order of a YODA 2 file; YODA 1 does not store them
    outflows: np.ndarray
    annotations: dict[str, Any] = field(default_factory=dict)

    def area(self) -> np.ndarray:
        """Sum of weights in every bin (n_bins,)."""
        return self.sums[:, 0]

    def scaled(self, factor: float) -> Self:
        """Return a copy with every weight multiplied by `factor`, which `ScaledBy` remembers."""
        scaled = {name: scale_sums(getattr(self, name), factor) for name in ("sums", "total", "outflows")}
        return replace(self, annotations=scaled_annotations(self.annotations, factor), **scaled)


class Histo2D(_Binned2D):
    """Histogram of two variables as a flat list of bins; columns as in `HISTO2D_COLUMNS`."""

    def height(self) -> np.ndarray:
        """Sum of weights over bin area (n_bins,)."""
        return self.sums[:, 0] / np.prod(self.high - self.low, axis=1)

    def height_error(self) -> np.ndarray:
        """Statistical error of the height (n_bins,)."""
        return error_of_moments(self.sums[:, 1], np.prod(self.high - self.low, axis=1))


class Profile2D(_Binned2D):
    """Mean of z in bins of x and y as a flat list of bins; columns as in `PROFILE2D_COLUMNS`."""

    def mean(self) -> np.ndarray:
        """Weighted mean of z (n_bins,); nan where the sum of weights is zero."""
        return mean_of_moments(self.sums[:, 0], self.sums[:, 6])

    def mean_error(self) -> np.ndarray:
        """Standard error of the mean (n_bins,); nan for bins of one fill or none."""
        return mean_error_of_moments(self.sums[:, 0], self.sums[:, 1], self.sums[:, 6], self.sums[:, 7])


@dataclass(frozen=True, eq=False)
class BinnedFillable:
    """Histogram or profile of YODA 2 with any axes: discrete, mixed or more than two.

    Columns of `sums`: w, w^2, then w a and w a^2 for every axis a (and the profiled variable last), then the
    products w a b of every pair, then the number of fills.
    """

    path: str
    axes: tuple[Axis, ...]
    sums: np.ndarray  #: (n_rows, n_columns) with all outflows, the first axis running fastest
    profile: bool = False  #: whether the last moment axis is a profiled variable and not a binned one
    masked: tuple[int, ...] = ()  #: global indices of rows that are no bins
    annotations: dict[str, Any] = field(default_factory=dict)

    def bins(self) -> np.ndarray:
        """Global indices of the rows that are bins: neither outflow nor masked."""
        return np.setdiff1d(bin_rows(self.axes), self.masked)

    def scaled(self, factor: float) -> Self:
        """Return a copy with every weight multiplied by `factor`, which `ScaledBy` remembers."""
        annotations = scaled_annotations(self.annotations, factor)
        return replace(self, sums=scale_sums(self.sums, factor), annotations=annotations)


def moment_columns(dimensions: int) -> int:
    """Number of columns of moments of `dimensions` variables (the profiled one counts)."""
    return 3 + 2 * dimensions + dimensions * (dimensions - 1) // 2
