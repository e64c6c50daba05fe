"""What a YODA file holds, as plain NumPy: counters, histograms and profiles of one variable.

One representation for both generations of the format. Sums are the raw moments of the fills, so that files of
several runs can be added; values and errors are derived from them. Annotations are kept as text, except
`ScaledBy`, a float; `Path`, `Type` and `ErrorBreakdown` are fields of the objects and not in `annotations`.
"""

from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.yoda.plottable import PlottableAxis, PlottableMixin

#: columns of the sums of a Histo1D: sum of w, w^2, w x, w x^2, number of fills
HISTO_COLUMNS = 5
#: columns of the sums of a Profile1D: w, w^2, w x, w x^2, w y, w y^2, number of fills
PROFILE_COLUMNS = 7
#: an effective number of entries this close to 1 is one fill: seven digits of a file do not tell them apart
ONE_FILL = 1 + 1e-6


def scale_sums(sums: np.ndarray, factor: float) -> np.ndarray:
    """Multiply every weight behind raw moments `(..., n_columns)` by `factor`.

    The second column, the sum of w^2, scales with the square; the last, the number of fills, not at all.
    """
    return sums * _factors(sums.shape[-1], factor)


def _factors(columns: int, factor: float) -> np.ndarray:
    factors = np.full(columns, factor)
    factors[1], factors[-1] = factor**2, 1.0
    return factors


def add_up(sums: np.ndarray) -> np.ndarray:
    """Sum of rows of raw moments (n_rows, n_columns); damaged ones may hold infinities, which is not our affair."""
    with np.errstate(invalid="ignore", over="ignore"):
        return sums.sum(axis=0)


def scaled_annotations(annotations: dict[str, Any], factor: float) -> dict[str, Any]:
    """Annotations of a scaled copy: `ScaledBy` is the product of all factors so far."""
    return {**annotations, "ScaledBy": float(annotations.get("ScaledBy", 1.0)) * factor}


def error_of_moments(sumw2: np.ndarray, width: np.ndarray) -> np.ndarray:
    """Statistical error of a height, sqrt(sumw2) over the width; nan where damaged sums are negative."""
    with np.errstate(invalid="ignore"):
        return np.sqrt(sumw2) / width


def mean_of_moments(sumw: np.ndarray, sumwy: np.ndarray) -> np.ndarray:
    """Weighted mean; nan where the sum of weights is zero."""
    sumw = np.asarray(sumw, float)
    return np.divide(sumwy, sumw, out=np.full_like(sumw, np.nan), where=sumw != 0)


def mean_error_of_moments(sumw: np.ndarray, sumw2: np.ndarray, sumwy: np.ndarray, sumwy2: np.ndarray):
    """Standard error of a weighted mean, as the YODA library defines it; nan where it cannot be known.

    variance = |(sumwy2 sumw - sumwy^2) / (sumw^2 - sumw2)|, error = sqrt(variance / n_eff) with
    n_eff = sumw^2 / sumw2. It takes n_eff > 1; a bin of one fill has no error.
    """
    with np.errstate(all="ignore"):
        effective = np.where(sumw2 != 0, sumw**2 / sumw2, 0.0)
        variance = np.abs((sumwy2 * sumw - sumwy**2) / (sumw**2 - sumw2))
        error = np.sqrt(variance / effective)
    return np.where(effective > ONE_FILL, error, np.nan)


@dataclass(frozen=True, eq=False)
class Counter:
    """Sum of weights without any binning."""

    path: str
    sumw: float
    sumw2: float
    entries: float
    annotations: dict[str, Any] = field(default_factory=dict)

    def scaled(self, factor: float) -> Self:
        """Return a copy with every weight multiplied by `factor`, which `ScaledBy` remembers."""
        annotations = scaled_annotations(self.annotations, factor)
        return replace(self, sumw=self.sumw * factor, sumw2=self.sumw2 * factor**2, annotations=annotations)


@dataclass(frozen=True, eq=False)
class _Binned1D(PlottableMixin):
    path: str
    low: np.ndarray  #: (n_bins,) low edges; bins are [low, high) and need not touch
    high: np.ndarray  #: (n_bins,) high edges
    sums: np.ndarray  #: (n_bins, n_columns) raw moments
    total: np.ndarray  #: (n_columns,) all fills: bins, under- and overflow, and fills in gaps
    underflow: np.ndarray  #: (n_columns,)
    overflow: np.ndarray  #: (n_columns,)
    annotations: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def _empty(cls, columns: int, path: str, low: Any, high: Any, annotations: dict[str, Any] | None) -> Self:
        low, high = np.array(low, float), np.array(high, float)
        if low.ndim != 1 or low.shape != high.shape:
            raise InputError(f"{path}: low {low.shape} and high {high.shape} must be two lists of equal length")
        sums = np.zeros((len(low), columns))
        total, under, over = np.zeros((3, columns))
        return cls(path, low, high, sums, total, under, over, dict(annotations or {}))

    def width(self) -> np.ndarray:
        """Bin widths (n_bins,)."""
        return self.high - self.low

    def scaled(self, factor: float) -> Self:
        """Return a copy with every weight multiplied by `factor`, which `ScaledBy` remembers."""
        by = _factors(len(self.total), factor)
        names = ("sums", "total", "underflow", "overflow")
        scaled = {name: getattr(self, name) * by for name in names}
        return replace(self, annotations=scaled_annotations(self.annotations, factor), **scaled)

    @property
    def axes(self) -> tuple[PlottableAxis, ...]:
        """The one axis, for plotting libraries: a sequence of (low, high)."""
        return (PlottableAxis(self.low, self.high),)


class Histo1D(_Binned1D):
    """Histogram of one variable: `sums` has the columns w, w^2, w x, w x^2 and number of fills."""

    kind = "COUNT"

    @classmethod
    def zeros(cls, path: str, low: Any, high: Any, annotations: dict[str, Any] | None = None) -> Self:
        """An empty histogram with bins `[low, high)`, two arrays (n_bins,)."""
        return cls._empty(HISTO_COLUMNS, path, low, high, annotations)

    def area(self) -> np.ndarray:
        """Sum of weights in every bin (n_bins,)."""
        return self.sums[:, 0]

    def integral(self, overflows: bool = True) -> float:
        """Sum of weights of all fills, or only of those in bins."""
        return float(self.total[0] if overflows else self.sums[:, 0].sum())

    def height(self) -> np.ndarray:
        """Sum of weights over bin width (n_bins,)."""
        return self.sums[:, 0] / self.width()

    def height_error(self) -> np.ndarray:
        """Statistical error of the height: sqrt(sum of w^2) over bin width (n_bins,)."""
        return error_of_moments(self.sums[:, 1], self.width())

    def values(self) -> np.ndarray:
        """Sum of weights in every bin (n_bins,), what plotting libraries draw."""
        return self.sums[:, 0]

    def variances(self) -> np.ndarray:
        """Variance of `values()` (n_bins,): the sum of squared weights."""
        return self.sums[:, 1]


class Profile1D(_Binned1D):
    """Mean of y in bins of x: `sums` has the columns w, w^2, w x, w x^2, w y, w y^2 and number of fills."""

    kind = "MEAN"

    @classmethod
    def zeros(cls, path: str, low: Any, high: Any, annotations: dict[str, Any] | None = None) -> Self:
        """An empty profile with bins `[low, high)`, two arrays (n_bins,)."""
        return cls._empty(PROFILE_COLUMNS, path, low, high, annotations)

    def mean(self) -> np.ndarray:
        """Weighted mean of y in every bin (n_bins,); nan where the sum of weights is zero."""
        return mean_of_moments(self.sums[:, 0], self.sums[:, 4])

    def mean_error(self) -> np.ndarray:
        """Standard error of the mean (n_bins,); nan for bins of one fill or none (see `mean_error_of_moments`)."""
        return mean_error_of_moments(self.sums[:, 0], self.sums[:, 1], self.sums[:, 4], self.sums[:, 5])

    def values(self) -> np.ndarray:
        """The means (n_bins,), what plotting libraries draw."""
        return self.mean()

    def variances(self) -> np.ndarray:
        """Variance of `values()` (n_bins,): the squared standard error of the mean."""
        return self.mean_error() ** 2
