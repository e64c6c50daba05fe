"""The same events at several points: bins whose contents and errors are equal, to the last digit, in several runs.

One generator run of e+e- events, copied to all points that differ in a parameter of hadron collisions alone, is one
measurement with one noise. An observable (all its bins together) is copied if half of the runs or more share their
contents and errors with others that differ in some parameters and agree in the rest: these, those that vary within most
groups of equal runs, are what it does not depend on. Runs that are equal and agree in the rest of the parameters are
one measurement. Observables with the same measurements form a block; those of different blocks stem from different
events. Runs at one and the same point are copies of each other wherever an observable is equal in them.

Not copied are empty observables and those that never change. Small counts are equal by chance: an observable in which
fewer than `TELLING` bins are filled is copied only if it is equal in all runs at a point of the parameters on which it
depends, or within every measurement of a block that others told.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from sbitune.data.errors import InputError

#: digits of a coordinate of the box to which two points are the same
DIGITS = 9
#: part of the runs with content that must be copies of others, and of the copied runs for which a parameter must vary
_MOST = 0.5
#: filled bins that are not equal by chance all together
TELLING = 5
#: measurements at one point differ by far more than their errors if chi2 exceeds its expectation by so many standard
#: deviations and by this factor
_DEVIATIONS, _FACTOR = 6.0, 4.0


@dataclass(frozen=True, eq=False)
class Copies:
    """A block of bins that several runs have from one measurement."""

    bins: np.ndarray  #: (k,) which
    depends: np.ndarray  #: (n_parameters,) True for parameters on which they may depend
    measurement: np.ndarray  #: (n_runs,) number of the measurement that a run has them from
    left_out: np.ndarray  #: (n_runs,) True where that is not to be learnt from: it belongs to a run that is held out

    def take_runs(self, rows: np.ndarray) -> "Copies":
        """The same of some of the runs (n,)."""
        return replace(self, measurement=self.measurement[rows], left_out=self.left_out[rows])

    def take_bins(self, indices: np.ndarray) -> "Copies":
        """The same among some of the scan's bins (n,), which may be none of this block."""
        return replace(self, bins=np.flatnonzero(np.isin(indices, self.bins)))

    def hold_out(self, rows: np.ndarray) -> "Copies":
        """The same, with the measurements of runs (n,) left out wherever they are."""
        return replace(self, left_out=self.left_out | np.isin(self.measurement, self.measurement[rows]))

    def firsts(self) -> np.ndarray:
        """(n,) one run of every measurement that can be learnt from, in the order of the runs."""
        rows = np.flatnonzero(~self.left_out)
        return rows[np.sort(np.unique(self.measurement[rows], return_index=True)[1])]

    def check(self, values: np.ndarray, errors: np.ndarray, n_parameters: int) -> None:
        """Raise `InputError` unless runs (n_runs, n_bins) of one measurement are equal."""
        n_runs = len(values)
        if self.measurement.shape != (n_runs,) or self.left_out.shape != (n_runs,):
            raise InputError(f"scan: copies of {len(self.measurement)} runs for a scan of {n_runs}")
        if self.depends.shape != (n_parameters,):
            raise InputError(f"scan: copies know {len(self.depends)} parameters, the scan has {n_parameters}")
        first, place = np.unique(self.measurement, return_index=True, return_inverse=True)[1:]
        for array in (values, errors):
            if not np.array_equal(array[:, self.bins], array[np.ix_(first[place.reshape(-1)], self.bins)]):
                raise InputError("scan: runs that are said to have bins from one measurement differ in them")


def find_copies(
    unit: np.ndarray, values: np.ndarray, errors: np.ndarray, paths: Sequence[str] | np.ndarray
) -> tuple[Copies, ...]:
    """Find the blocks of bins that runs have from measurements that they share.

    Args:
        unit: (n_runs, n_parameters) points, the box being [-1, 1].
        values: (n_runs, n_bins) contents.
        errors: (n_runs, n_bins) Monte Carlo errors.
        paths: (n_bins,) the observable of every bin.
    """
    codes = np.stack([np.unique(x, return_inverse=True)[1].reshape(-1) for x in np.round(unit, DIGITS).T], axis=1)
    found: list[tuple[np.ndarray, np.ndarray, list[np.ndarray]]] = []
    coarse = []
    for bins in _observables(np.asarray(paths)):
        content = np.concatenate([values[:, bins], errors[:, bins]], axis=1) + 0.0  # -0 is 0
        labels = _numbers([row.tobytes() for row in content])
        if len(np.unique(labels)) in (1, len(labels)):
            continue
        shared = _shared(codes, labels, values[:, bins], errors[:, bins])
        if shared is None:
            coarse.append((bins, labels))
            continue
        same = next((block for block in found if all(map(np.array_equal, block, shared))), None)
        if same is None:
            found.append((*shared, [bins]))
        else:
            same[2].append(bins)
    fewest = sorted(found, key=lambda block: block[1].max())
    for bins, labels in coarse:
        block = next((block for block in fewest if _equal_within(block[1], labels)), None)
        if block is not None:
            block[2].append(bins)
    none = np.zeros(len(unit), bool)
    return tuple(Copies(np.sort(np.concatenate(bins)), depends, number, none) for depends, number, bins in found)


def scatter(values: np.ndarray, errors: np.ndarray, pairs: float) -> tuple[float, int, bool]:
    """How far measurements (n, n_bins) at one point are from their mean: chi2, its degrees of freedom, and whether that
    is far more than their errors allow; `pairs`: sum of the squared correlations between all bins.
    """
    variance = np.mean(errors**2, axis=0)
    known = variance > 0
    square = np.sum((values - values.mean(axis=0))[:, known] ** 2, axis=0)
    chi2, freedom = float(np.sum(square / variance[known])), len(values) - 1
    ndf = freedom * int(known.sum())
    far = chi2 > _FACTOR * ndf and chi2 > ndf + _DEVIATIONS * np.sqrt(2 * freedom * pairs)
    return chi2, ndf, bool(far)


def _observables(paths: np.ndarray) -> list[np.ndarray]:
    """Bins of every path, in the order of the paths."""
    numbers = _numbers(paths.tolist())
    order = np.argsort(numbers, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(numbers[order])) + 1)


def _numbers(keys: list) -> np.ndarray:
    """(n,) equal keys get equal numbers, counted from 0 in the order of the first."""
    known: dict = {}
    return np.array([known.setdefault(key, len(known)) for key in keys])


def _shared(
    codes: np.ndarray, labels: np.ndarray, values: np.ndarray, errors: np.ndarray
) -> tuple[np.ndarray, np.ndarray] | None:
    """On which parameters an observable may depend (n_parameters,), and the measurement of every run (n_runs,); None if
    it is not copied.

    Args:
        codes: (n_runs, n_parameters) integers that are equal where parameters are.
        labels: (n_runs,) integers that are equal where the observable is.
        values: (n_runs, k) its contents.
        errors: (n_runs, k) its errors.
    """
    filled = values.any(axis=1)
    telling = filled.any() and np.median(np.count_nonzero(values[filled], axis=1)) >= TELLING
    depends = _may_depend(codes, np.where(filled, labels, -1)) if _mostly_copied(labels[filled]) else None
    if depends is None:
        depends = np.ones(codes.shape[1], bool)
    if not depends.any():
        return None
    points = _numbers([row.tobytes() for row in codes[:, depends]])
    # where an observable is empty it tells nothing, and agrees with all that is empty at this point
    measurement = _numbers(list(zip(points.tolist(), np.where(filled, labels, -1).tolist(), strict=True)))
    if len(np.unique(measurement[filled])) == filled.sum():
        return None
    mostly, complete = _mostly_copied(measurement[filled]), measurement.max() == points.max()
    if depends.all():
        return (depends, measurement) if telling or (mostly and complete) else None
    if not mostly or not (telling or complete) or _disagree(points, measurement, values, errors):
        return None
    return depends, measurement


def _may_depend(codes: np.ndarray, labels: np.ndarray) -> np.ndarray | None:
    """(n_parameters,) False for parameters that vary within most groups of equal runs, those labelled -1 apart; None
    for less than two groups.
    """
    groups = [np.flatnonzero(labels == label) for label in _several(labels[labels >= 0])]
    if len(groups) < 2:
        return None
    sizes = np.array([len(group) for group in groups])
    varies = np.array([np.ptp(codes[group], axis=0) > 0 for group in groups])
    return sizes @ varies < _MOST * sizes.sum()


def _mostly_copied(labels: np.ndarray) -> bool:
    counts = np.unique(labels, return_counts=True)[1]
    return len(counts) > 1 and counts[counts > 1].sum() >= _MOST * counts.sum()


def _several(labels: np.ndarray) -> np.ndarray:
    found, counts = np.unique(labels, return_counts=True)
    return found[counts > 1]


def _disagree(points: np.ndarray, measurement: np.ndarray, values: np.ndarray, errors: np.ndarray) -> bool:
    """Whether measurements at points that differ in other parameters alone contradict that these do not matter."""
    firsts = np.unique(measurement, return_index=True)[1]
    for point in _several(points[firsts]):
        rows = firsts[points[firsts] == point]
        if scatter(values[rows], errors[rows], float(values.shape[1] ** 2))[2]:
            return True
    return False


def _equal_within(measurement: np.ndarray, labels: np.ndarray) -> bool:
    first = np.unique(measurement, return_index=True)[1]
    return bool(np.array_equal(labels[first][measurement], labels))
