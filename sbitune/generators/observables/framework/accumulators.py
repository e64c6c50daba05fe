"""Histograms, profiles and counters while they are filled. `result()` freezes one into its YODA type."""

from dataclasses import dataclass, field

import numpy as np

from sbitune.data.yoda import Counter, Histo1D, Profile1D, Scatter
from sbitune.generators.observables.kernels import filling

#: neighbouring bins whose edges differ by less than this part of the bin width touch (as in YODA)
_TOUCHING = 1e-3


@dataclass(eq=False)
class _Binned:
    path: str
    low: np.ndarray  #: (n,) low edges
    high: np.ndarray  #: (n,) high edges
    sums: np.ndarray = field(init=False)  #: (n + 3, columns): bins, gaps, underflow, overflow

    _columns = 0

    def __post_init__(self):
        self.low, self.high = _without_slivers(self.low, self.high)
        self.sums = np.zeros((len(self.low) + 3, self._columns))
        self._start = filling.lookup(self.low, self.high)

    def clear(self) -> None:
        """Forget all fills."""
        self.sums[:] = 0.0

    @property
    def centre(self) -> np.ndarray:
        """Centres of the bins (n,)."""
        return 0.5 * (self.low + self.high)

    def _parts(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return low and high edges, sums of the bins, of all fills, of the underflow and of the overflow."""
        _, underflow, overflow = self.sums[-3:].copy()
        return self.low.copy(), self.high.copy(), self.sums[:-3].copy(), self.sums.sum(axis=0), underflow, overflow


class Histogram(_Binned):
    """A one-dimensional histogram."""

    _columns = 5

    def fill(self, x: np.ndarray | float, weight: np.ndarray) -> None:
        """Add fills at x (k,), or all at one place, with weights (k,)."""
        if np.ndim(x) == 0:
            x = np.full(len(weight), float(x))
        filling.fill_histogram(
            np.ascontiguousarray(x, dtype=float),
            np.ascontiguousarray(weight, dtype=float),
            self.low,
            self.high,
            self._start,
            self.sums,
        )

    def fill_bins(self, chosen: np.ndarray, weight: np.ndarray, factor: np.ndarray) -> None:
        """Fill, for each event, the centre of every chosen bin (k, n) with weight (k,) times the bin's factor (n,)."""
        counts = chosen.sum(axis=0)
        w = factor * (weight @ chosen)
        w2 = factor**2 * (weight**2 @ chosen)
        self.sums[:-3] += np.stack([w, w2, w * self.centre, w * self.centre**2, counts], axis=1)

    def result(self) -> Histo1D:
        """Return what was filled."""
        return Histo1D(self.path, *self._parts())


class Profile(_Binned):
    """The mean of y in bins of x."""

    _columns = 7

    def fill(self, x: np.ndarray, y: np.ndarray, weight: np.ndarray) -> None:
        """Add values y (k,) at x (k,) with weights (k,)."""
        filling.fill_profile(
            np.ascontiguousarray(x, dtype=float),
            np.ascontiguousarray(y, dtype=float),
            np.ascontiguousarray(weight, dtype=float),
            self.low,
            self.high,
            self._start,
            self.sums,
        )

    def result(self) -> Profile1D:
        """Return what was filled."""
        return Profile1D(self.path, *self._parts())


@dataclass(eq=False)
class Tally:
    """A sum of weights."""

    path: str
    sums: np.ndarray = field(default_factory=lambda: np.zeros(3))  #: w, w^2, number of fills

    def fill(self, weight: np.ndarray) -> None:
        """Add weights (k,)."""
        self.sums += (weight.sum(), (weight**2).sum(), len(weight))

    def clear(self) -> None:
        """Forget all fills."""
        self.sums = np.zeros(3)

    def result(self) -> Counter:
        """Return what was filled."""
        sumw, sumw2, entries = (float(value) for value in self.sums)
        return Counter(path=self.path, sumw=sumw, sumw2=sumw2, entries=entries)


@dataclass(eq=False)
class Derived:
    """A place for a scatter that only finalising computes: empty while events are filled."""

    path: str

    def clear(self) -> None:
        """There is nothing to forget."""

    def result(self) -> Scatter:
        """Return a scatter without points."""
        nothing = np.zeros((0, 2))
        return Scatter(path=self.path, values=nothing, minus=nothing, plus=nothing)


Accumulator = Histogram | Profile | Tally | Derived


def _without_slivers(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return edges of sorted bins in which nearly touching neighbours share one edge, that of the lower bin."""
    order = np.argsort(low)
    low, high = low[order].copy(), high[order].copy()
    touching = np.abs(low[1:] - high[:-1]) < _TOUCHING * np.diff(low)
    low[1:][touching] = high[:-1][touching]
    return low, high
