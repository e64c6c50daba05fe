"""`Bins`: the flat list of histogram bins that every binned thing in sbitune carries along."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.storage.layout import ArraySpec
from sbitune.data.text.names import repeated, shorten

#: edges are the same if they differ by less than this fraction of the bin's width: files print six digits
EDGE_TOLERANCE = 1e-5
#: the arrays by which files store bins
BINS = {
    "bin_path": ArraySpec(("n_bins",), np.str_),
    "bin_index": ArraySpec(("n_bins",), np.int64, low=0),
    "bin_low": ArraySpec(("n_bins",), finite=False),
    "bin_high": ArraySpec(("n_bins",), finite=False),
    "bin_name": ArraySpec(("n_bins",), np.str_, needed=False),
}
#: what a list of bins has of every bin
_KINDS: dict[str, Any] = {"path": np.str_, "index": np.int64, "low": np.float64, "high": np.float64, "name": np.str_}


@dataclass(frozen=True, eq=False)
class Bins:
    """One-dimensional bins of many histograms, one after the other. The arrays cannot be written to."""

    path: np.ndarray  #: (n,) str, path of the histogram, such as /ALEPH_1996_S3486095/d01-x01-y01
    index: np.ndarray  #: (n,) int, number of the bin inside its histogram, from 0
    low: np.ndarray  #: (n,) low edges, in the unit of the histogram's axis
    high: np.ndarray  #: (n,) high edges; low == high for a point without a width; -inf to inf: edges nobody told
    name: Any = None  #: (n,) str, the value of a discrete axis, "" of a continuous one; None: all are continuous

    def __post_init__(self) -> None:
        if self.name is None:
            object.__setattr__(self, "name", np.full(np.shape(self.path), "", np.str_))
        for name, kind in _KINDS.items():
            object.__setattr__(self, name, _read_only(getattr(self, name), kind))
        shapes = {name: getattr(self, name).shape for name in _KINDS}
        if len(set(shapes.values())) != 1 or self.path.ndim != 1:
            raise InputError(f"bins: path, index, low and high need one and the same length, got {shapes}")
        wrong = ~(self.low <= self.high)  # also true for NaN
        if wrong.any():
            at = int(np.flatnonzero(wrong)[0])
            raise InputError(f"bin {self._label(at)}: edges {self.low[at]} and {self.high[at]} are not a bin")

    @classmethod
    def concatenate(cls, parts: Iterable["Bins"]) -> "Bins":
        """Join lists of bins, in order. Nothing at all gives empty bins."""
        parts = [cls([], [], [], []), *parts]  # type: ignore[arg-type]  # converted on construction
        return cls(*(np.concatenate([getattr(p, n) for p in parts]) for n in _KINDS))

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays under the names by which files store them."""
        return {f"bin_{name}": getattr(self, name) for name in _KINDS if name != "name" or np.any(self.name != "")}

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> "Bins":
        """Rebuild bins from `to_arrays` among other arrays, which were compared with `BINS`.

        Raises `InputError` for a bin that is there twice, or has one finite edge.
        """
        path, index, low, high = (arrays[f"bin_{name}"] for name in _KINDS if name != "name")
        bins = cls(path, index, low, high, arrays.get("bin_name"))
        half = ~((np.isfinite(bins.low) & np.isfinite(bins.high)) | (np.isneginf(bins.low) & np.isposinf(bins.high)))
        if half.any():
            at = int(np.argmax(half))
            raise InputError(f"bin {bins._label(at)}: the edges {bins.low[at]} and {bins.high[at]} are not finite")
        twice = repeated(bins.labels())
        if twice:
            raise InputError(f"bin {shorten(twice[0])} is there twice")
        return bins

    def __len__(self) -> int:
        return len(self.path)

    def take(self, chosen: Any) -> Self:
        """Return the bins of a boolean mask (n,) or of a list of indices, in its order."""
        chosen = np.asarray(chosen, dtype=None if len(chosen) else np.int64)
        return type(self)(*(getattr(self, name)[chosen] for name in _KINDS))

    def labels(self) -> list[str]:
        """Return `path#index` of every bin: how a bin is called in messages and files."""
        return [self._label(i) for i in range(len(self))]

    def paths(self) -> list[str]:
        """Return the paths of the histograms, each once, in order of appearance."""
        return list(dict.fromkeys(str(path) for path in self.path))

    def of(self, path: str) -> np.ndarray:
        """Return where the bins of one histogram are: indices (n_of_path,), empty for an unknown path."""
        return np.flatnonzero(self.path == path)

    def widths(self) -> np.ndarray:
        """Return the widths (n,)."""
        return self.high - self.low

    def matches(self, other: "Bins") -> np.ndarray:
        """Compare bin by bin with as many other bins: (n,) True where path and edges agree.

        Edges agree within `EDGE_TOLERANCE` of this bin's width. Raises `InputError` for another number of
        bins.
        """
        if len(self) != len(other):
            raise InputError(f"cannot compare {len(self)} bins with {len(other)}, one by one")
        same = _same_edges(self.low, self.high, other.low, other.high)
        return (self.path == other.path) & np.where(_both_named(self.name, other.name), self.name == other.name, same)

    def locate(self, other: "Bins") -> np.ndarray:
        """Find other bins among these by path and edges: indices (len(other),), -1 where a bin is absent.

        Values of discrete axes are found by name, whatever their places, if both have names. Where several bins of a
        histogram have the same edges, the nearest bin number wins. Where these bins reach from
        -inf to inf, the file had numbers only (Apprentice's JSON), and the same number is the same bin.
        """
        places = {path: self.of(path) for path in self.paths()}
        untold = np.isneginf(self.low) & np.isposinf(self.high)
        found = np.full(len(other), -1)
        for i, path in enumerate(other.path):
            where = places.get(str(path), np.zeros(0, int))
            same = _same_edges(self.low[where], self.high[where], other.low[i], other.high[i])
            same = np.where(_both_named(self.name[where], other.name[i]), self.name[where] == other.name[i], same)
            same = np.where(untold[where], self.index[where] == other.index[i], same)
            if same.any():
                candidates = where[same]
                found[i] = candidates[np.argmin(np.abs(self.index[candidates] - other.index[i]))]
        return found

    def _label(self, i: int) -> str:
        return f"{self.path[i]}#{self.index[i]}"


def _both_named(one: Any, other: Any) -> Any:
    return (one != "") & (other != "")


def _read_only(array: Any, kind: Any) -> np.ndarray:
    copy = np.array(array, dtype=kind)
    copy.setflags(write=False)
    return copy


def _same_edges(low: Any, high: Any, other_low: Any, other_high: Any) -> np.ndarray:
    with np.errstate(invalid="ignore"):  # inf - inf, of two overflow bins; the exact comparison covers these
        slack = EDGE_TOLERANCE * (high - low)
        same_low = (low == other_low) | (np.abs(low - other_low) <= slack)
        same_high = (high == other_high) | (np.abs(high - other_high) <= slack)
    # an infinite width would forgive any finite edge
    finite = np.isfinite(high - low)
    return np.where(finite, same_low & same_high, (low == other_low) & (high == other_high))
