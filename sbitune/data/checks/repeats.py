"""Runs of a scan at the same point: two measurements of it, or one run that is there twice."""

from collections.abc import Container
from typing import NamedTuple

import numpy as np

from sbitune.data.checks.copies import DIGITS, TELLING, scatter
from sbitune.data.scan import Scan

Rows = tuple[int, ...]


class Same(NamedTuple):
    """Groups of runs whose values and errors are the same in every bin, to the last digit."""

    repeated: tuple[Rows, ...]  #: at one point
    elsewhere: tuple[Rows, ...]  #: at different points, one run of each


class Point(NamedTuple):
    """A point with several runs."""

    rows: Rows
    chi2: float  #: of the runs around their mean, over all bins that have errors
    ndf: int
    far: bool  #: whether they differ by far more than their Monte Carlo errors


def same_content(scan: Scan) -> Same:
    """Find runs with the same contents; runs with few bins filled are not compared."""
    keys = np.concatenate([scan.values, scan.errors], axis=1)
    rows = [i for i in range(len(keys)) if np.count_nonzero(scan.values[i]) >= TELLING]
    points = _point_numbers(scan)
    repeated, elsewhere = [], []
    for group in _groups([keys[i].tobytes() for i in rows]):
        mine = [rows[i] for i in group]
        at = [tuple(i for i in mine if points[i] == point) for point in dict.fromkeys(points[i] for i in mine)]
        repeated += [some for some in at if len(some) > 1]
        if len(at) > 1:
            elsewhere.append(tuple(some[0] for some in at))
    return Same(tuple(repeated), tuple(elsewhere))


def repeated_points(scan: Scan, without: Container[int] = ()) -> tuple[Point, ...]:
    """Find points with more than one run, those in `without` not counted."""
    numbers = _point_numbers(scan)
    groups = [tuple(i for i in group if i not in without) for group in _groups(numbers.tolist())]
    # sum over i, j of R_ij^2 makes the variance of chi2 where bins fluctuate together
    pairs = len(scan.bins) if scan.correlation is None else float(np.sum(scan.correlation**2))
    return tuple(_point(scan, rows, pairs) for rows in groups if len(rows) > 1)


def _point(scan: Scan, rows: Rows, pairs: float) -> Point:
    return Point(rows, *scatter(scan.values[list(rows)], scan.errors[list(rows)], pairs))


def _point_numbers(scan: Scan) -> np.ndarray:
    """(n_runs,) number of the point that each run is at."""
    return np.unique(np.round(scan.unit(), DIGITS), axis=0, return_inverse=True)[1].reshape(-1)


def _groups(keys: list) -> list[Rows]:
    """Places of equal keys, where there are several, in the order of the first."""
    places: dict = {}
    for i, key in enumerate(keys):
        places.setdefault(key, []).append(i)
    return [tuple(group) for group in places.values() if len(group) > 1]
