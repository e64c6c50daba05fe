"""Runs that stand alone in a parameter: a run without neighbours fits itself, and no distance from a fit shows it.

A digit too many in one `params.dat` puts a run far from all others. What is fitted passes through it, wherever its
contents lie, and believes to know how the bins depend on the parameter over all the range that is empty.
"""

from typing import NamedTuple

import numpy as np

from sbitune.data.scan import Scan

#: how many times the span of the others a run must be away from them, at least
_TIMES = 2.0
#: one in so many scans of points that are drawn evenly, at most, has such a run at one of its ends by chance
_SCANS = 1e4
#: part of the runs that may stand alone
_MOST = 0.1


class Solitary(NamedTuple):
    """A run that is far from all others in a parameter."""

    row: int  #: which
    parameter: int  #: which
    low: float  #: of the others
    high: float


def find_solitary(scan: Scan) -> tuple[Solitary, ...]:
    """The runs that stand alone, by parameter; one in ten runs may."""
    found = []
    for k in range(len(scan.parameters)):
        values = scan.theta[:, k]
        rows = _alone(values, _TIMES)
        if len(rows) and ((values > 0).all() or (values < 0).all()):  # values drawn evenly over decades are none
            rows = rows[np.isin(rows, _alone(np.log(np.abs(values)), 0.0))]
        others = np.delete(values, rows)
        found += [Solitary(int(row), k, float(others.min()), float(others.max())) for row in rows]
    return tuple(found)


def _alone(values: np.ndarray, times: float) -> np.ndarray:
    """Rows whose values (n,) are farther from all others than so many times the span of these, and than by chance."""
    order = np.argsort(values, kind="stable")
    x, n = values[order], len(values)
    gaps = np.concatenate([[np.inf], np.diff(x), [np.inf]])  # below each, and above the last
    for k in range(min(max(1, int(_MOST * n)), n - 2), 0, -1):
        for below in range(k + 1):
            others = x[below : n - k + below]
            far = max(times, _by_chance(others)) * (others[-1] - others[0])
            if far > 0 and min(gaps[below], gaps[n - k + below]) > far:
                return np.sort(np.concatenate([order[:below], order[n - k + below :]]))
    return np.array([], dtype=int)


def _by_chance(others: np.ndarray) -> float:
    """How many times the span of these sorted values another is away from them by chance, at most.

    Of m values drawn evenly the first m - 1 lie in the first 1 / (1 + t) of the range with a probability of
    (1 + t)^-(m - 2): few values tell nothing, as those of a design that varies one parameter at a time.
    """
    different = 1 + np.count_nonzero(np.diff(others))
    return (2 * _SCANS) ** (1 / max(different - 1, 1)) - 1
