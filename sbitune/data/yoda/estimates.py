"""Values with errors: the scatters of YODA 1 and the estimates of YODA 2."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sbitune.data.yoda.grids import Axis, bin_rows


@dataclass(frozen=True, eq=False)
class Scatter:
    """Points in one, two or three dimensions with errors in each; the last coordinate is the measured one.

    The columns `minus` and `plus` are the total errors. `sources` splits those of the measured coordinate; its
    numbers stand as the file gives them: HEPData writes signed shifts (down negative), YODA 1 itself magnitudes.
    The source named "" is the total once more.
    """

    path: str
    values: np.ndarray  #: (n_points, d) coordinates
    minus: np.ndarray  #: (n_points, d) errors downwards, positive
    plus: np.ndarray  #: (n_points, d) errors upwards, positive
    #: source -> (n_points, 2) down, up; nan where a point does not have the source
    sources: dict[str, np.ndarray] = field(default_factory=dict)
    annotations: dict[str, Any] = field(default_factory=dict)

    @property
    def dimension(self) -> int:
        """Number of coordinates of a point."""
        return self.values.shape[1]


@dataclass(frozen=True, eq=False)
class Estimate:
    """Values in bins with signed errors by source, YODA 2's form of measured and of finalised data.

    Rows include the outflows, the first axis running fastest; no axes means one value. A masked row is no bin.
    The source named "" is the total error and goes before the sum of the others.
    """

    path: str
    axes: tuple[Axis, ...]
    values: np.ndarray  #: (n_rows,) nan where nothing was measured
    #: source -> (n_rows, 2) signed shifts down, up; nan where a row does not have the source
    sources: dict[str, np.ndarray] = field(default_factory=dict)
    masked: tuple[int, ...] = ()  #: global indices of rows that are no bins
    annotations: dict[str, Any] = field(default_factory=dict)

    def bins(self) -> np.ndarray:
        """Global indices of the rows that are bins: neither outflow nor masked."""
        if not self.axes:
            return np.arange(len(self.values))
        return np.setdiff1d(bin_rows(self.axes), self.masked)

    def total(self) -> np.ndarray:
        """Total error (n_rows, 2) down and up, both positive; 0 for a row without any source."""
        return total_error(self.sources, len(self.values))


def faulty_point(values: np.ndarray, minus: np.ndarray, plus: np.ndarray) -> tuple[int, str] | None:
    """The number of the first point that no scatter can have, and what is wrong with it; arrays as in `Scatter`.

    Bins may overlap, as they do in measurements of several ranges; but no point is there twice.
    """
    places = np.hstack([array[:, :-1] for array in (values, minus, plus)])
    wrong = ~np.isfinite(places).all(axis=1) | (np.hstack([minus, plus]) < 0).any(axis=1)
    if wrong.any():
        return int(np.argmax(wrong)), "has an error below 0, or no finite place"
    if values.shape[1] == 1 or len(set(values[:, 0].tolist())) == len(values):
        return None
    seen: set[bytes] = set()
    for number, row in enumerate(np.hstack([values, minus, plus])):
        if row.tobytes() in seen:
            return number, "is there twice"
        seen.add(row.tobytes())
    return None


def total_error(sources: Mapping[str, np.ndarray], n_rows: int) -> np.ndarray:
    """Total of signed shifts by source: the source "" where a row has it, else the sum in quadrature.

    Shifts of a source are first sorted by their sign, since a source may move a value up on both sides.

    Returns:
        (n_rows, 2) errors down and up, both positive.
    """
    squares = np.zeros((n_rows, 2))
    for name, shifts in sources.items():
        if name:
            squares += _sides(shifts) ** 2
    total = np.sqrt(squares)
    if "" in sources:
        given = ~np.isnan(sources[""]).all(axis=1)
        total[given] = _sides(sources[""])[given]
    return total


def _sides(shifts: np.ndarray) -> np.ndarray:
    shifts = np.nan_to_num(shifts, nan=0.0, posinf=np.inf, neginf=-np.inf)
    down = -np.minimum(shifts.min(axis=1, initial=0.0), 0.0)
    up = np.maximum(shifts.max(axis=1, initial=0.0), 0.0)
    return np.stack([np.abs(down), up], axis=1)
