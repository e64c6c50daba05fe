"""Runs that are unlike their neighbours: of another point than their parameters say, of few events, cut short.

Every bin is fitted by a polynomial of second order (of first, where runs are few), and every run judged by what it is
away from the fit: e / sqrt(1 - h) with its residual e and leverage h has the same variance for all runs (R. Cook, S.
Weisberg, Residuals and Influence in Regression, Chapman and Hall 1982, ch. 2). In units of what is usual for the bin
(from the median over the runs) its rms over the bins is d. Polynomials need not describe the bins: corners of the box
are off by more than the middle. So d is compared with the spread of log d over the runs, which knows that.
"""

from typing import NamedTuple

import numpy as np

from sbitune.data.scan import Scan

#: standard deviations of log d beyond which a run is unlike the others, and how many times the usual d it must be
_FAR, _TIMES = 7.0, 4.0
#: runs per term of the polynomial, and the fewest runs that are looked at
_RUNS_PER_TERM, _FEWEST = 3, 20
#: part of the runs that may be unlike the others: more, and it is the others
_MOST = 0.1
#: of a bin's spread over the runs: less is nothing that harms
_SMALL = 1e-3
#: normal distribution: standard deviation / median of the absolute value
_NORMAL = 1.4826


class Outlying(NamedTuple):
    """A run unlike its neighbours."""

    row: int  #: which
    times: float  #: d in units of what is usual


def find_outlying(scan: Scan) -> tuple[Outlying, ...]:
    """The runs that are unlike their neighbours, the worst first; none if the runs are too few to tell.

    One after the other: the worst pulls the fit, and with it its neighbours, so these are judged without it.
    """
    unit = scan.unit()
    n, p = unit.shape
    terms = [np.ones(n), *unit.T]
    if n >= _RUNS_PER_TERM * (1 + p + p * (p + 1) // 2):
        terms += [unit[:, i] * unit[:, j] for i in range(p) for j in range(i, p)]
    basis = np.array(terms).T
    kept, found = np.arange(n), []
    while len(kept) >= max(_FEWEST, _RUNS_PER_TERM * basis.shape[1]) and len(found) < _MOST * n:
        d = _distances(basis[kept], scan.values[kept], scan.errors[kept])
        logs = np.log(np.maximum(d, 1e-12))
        middle = float(np.median(logs))
        spread = max(_NORMAL * float(np.median(np.abs(logs - middle))), 1e-12)
        worst, typical = int(np.argmax(d)), float(np.exp(middle))
        if logs[worst] - middle < _FAR * spread or d[worst] < _TIMES * max(typical, 1.0):
            break
        found.append(Outlying(int(kept[worst]), float(d[worst] / typical)))
        kept = np.delete(kept, worst)
    return tuple(found)


def _distances(basis: np.ndarray, values: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """The distance d (n,) of runs with the contents (n, n_bins), from a fit by the terms (n, n_terms)."""
    q = np.linalg.qr(basis)[0]
    free = np.maximum(1 - np.sum(q**2, axis=1), 1e-3)
    away = (values - q @ (q.T @ values)) / np.sqrt(free)[:, None]
    spread = values.std(axis=0)
    usual = np.hypot(_NORMAL * np.median(np.abs(away), axis=0), _SMALL * spread)
    told = spread > 0
    if not told.any():
        return np.zeros(len(values))
    # few events explain a distance
    return np.sqrt(np.mean((away[:, told] / np.maximum(usual[told], errors[:, told])) ** 2, axis=1))
