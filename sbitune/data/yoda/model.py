"""What a YODA file holds, as plain NumPy: counters, histograms, profiles, scatters and estimates.

One representation for both generations of the format. Sums are the raw moments of the fills, so that files of
several runs can be added; values and errors are derived from them.
"""

from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np

#: columns of the sums of a Histo1D: sum of w, w^2, w x, w x^2, number of fills
HISTO_COLUMNS = 5
#: columns of the sums of a Profile1D: w, w^2, w x, w x^2, w y, w y^2, number of fills
PROFILE_COLUMNS = 7


@dataclass(frozen=True, eq=False)
class Counter:
    """Sum of weights without any binning."""

    path: str
    sumw: float
    sumw2: float
    entries: float
    annotations: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class _Binned1D:
    path: str
    low: np.ndarray  #: (n_bins,) low edges; bins are [low, high) and need not touch
    high: np.ndarray  #: (n_bins,) high edges
    sums: np.ndarray  #: (n_bins, n_columns) raw moments
    total: np.ndarray  #: (n_columns,) all fills: bins, under- and overflow, and fills in gaps
    underflow: np.ndarray  #: (n_columns,)
    overflow: np.ndarray  #: (n_columns,)
    annotations: dict[str, Any] = field(default_factory=dict)

    def _scaled_sums(self, factor: float) -> dict[str, np.ndarray]:
        powers = np.ones(self.sums.shape[1])
        powers[1], powers[-1] = 2, 0  # sum of w^2 scales with the square, the number of fills not at all
        scale = factor**powers
        names = ("sums", "total", "underflow", "overflow")
        return {name: getattr(self, name) * scale for name in names}

    def scaled(self, factor: float) -> Self:
        """Return a copy with every weight multiplied by `factor`, which `ScaledBy` remembers."""
        annotations = dict(self.annotations)
        annotations["ScaledBy"] = float(annotations.get("ScaledBy", 1.0)) * factor
        return replace(self, annotations=annotations, **self._scaled_sums(factor))
