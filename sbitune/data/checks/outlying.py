"""Runs that are unlike their neighbours: of another point than their parameters say, of few events, cut short, spoilt.

Every bin is fitted by a polynomial in the parameters, of third order at most (lower where runs are few), as it is, its
logarithm or something between (`scales`): steep bins need that. The fit starts robustly: runs have weights that fall
with the square of their distance from a fit to the others, over and over, so that a run that is wildly off cannot pull
the fit to itself and hide. Then the fit is one of equal weights to the runs that are like each other, and every run is
judged by what it is away from it: e / sqrt(1 - h) with its residual e and leverage h has the same variance for all runs
(R. Cook, S. Weisberg, Residuals and Influence in Regression, Chapman and Hall 1982, ch. 2), for a run that took no part
e / sqrt(1 + h). In units of what is usual for the bin (from the median over the runs) its rms over the bins is d.

Polynomials need not describe the bins: at the ends of the box they are off by more than in the middle. What the next
lower order predicts differs there by more, too, and is counted as an error; and d is compared with the spread of log d
over the runs, which knows the rest.
"""

import itertools
from typing import NamedTuple

import numpy as np

from sbitune.data.checks.scales import NORMAL, Scaled, scale_bins
from sbitune.data.scan import Scan

#: standard deviations of log d beyond which a run is unlike the others, and how many times the usual d it must be: at
#: 5 and 1.5 edges of steep scans are named, at 8 runs of doubled contents there are not
_FAR, _TIMES = 6.0, 1.5
#: part of the difference between two orders that is an error of the higher one; without it sound edges are named
_BEND = 0.5
#: the same of lines, which differ from a constant by all that the bins depend on the parameters
_BEND_OF_LINES = 0.1
#: highest order, runs per term of the polynomial, and how many more runs than parameters there are at least
_ORDER, _RUNS_PER_TERM, _FREEDOM = 3, 3, 6
#: part of the runs that may be unlike the others: more, and it is the others
_MOST = 0.31
#: runs of less weight in the robust fit have no say in what is usual, if they are not too many
_LIGHT = 0.05
#: of a bin's spread over the runs: less is nothing that harms
_SMALL = 1e-3
#: a run that is less far off than so many times must be so without the worst fifth of its bins, too: a few steep bins
#: alone are off at the edges of sound scans
_BEYOND_DOUBT, _FEW = 10.0, 0.2
#: rounds of weights, and of runs that take part
_ROUNDS = 30
#: 1 - h is at least this
_FREE = 1e-3


class Outlying(NamedTuple):
    """A run unlike its neighbours."""

    row: int  #: which
    times: float  #: d in units of what is usual


class Comparison(NamedTuple):
    """What a comparison of the runs says."""

    outlying: tuple[Outlying, ...]  #: the worst first
    unmade: str  #: why nothing can be said; empty where something can


class _Fit(NamedTuple):
    """A fit with weights."""

    residuals: np.ndarray  #: (n, n_bins)
    leverage: np.ndarray  #: (n,) x^T (X^T W X)^-1 x


def compare_runs(scan: Scan) -> Comparison:
    """Compare every run with a fit to the others."""
    n, p = scan.theta.shape
    if n < p + _FREEDOM:
        return Comparison((), f"{n} runs of {p} parameter{'s' * (p != 1)} are too few, {p + _FREEDOM} are enough")
    told = np.flatnonzero(np.ptp(scan.values, axis=0) > 0)
    if not len(told):
        return Comparison((), "")
    orders = _terms(scan.unit())
    scaled = _best_scale(orders[-1], scan.values[:, told])
    d, like = _judge(orders, scaled, scan.values[:, told], scan.errors[:, told])
    rows = np.flatnonzero(~like)
    if len(rows) > _MOST * n:
        return Comparison((), f"{len(rows)} of {n} runs are off a fit to the others: more than can be told apart")
    typical = float(np.median(d[like]))
    worst = rows[np.argsort(-d[rows], kind="stable")]
    return Comparison(tuple(Outlying(int(row), float(d[row] / max(typical, 1e-12))) for row in worst), "")


def _terms(unit: np.ndarray) -> list[np.ndarray]:
    """The polynomials' terms (n, n_terms) at the runs, of every order that the runs allow, from 0."""
    n, p = unit.shape
    orders = [np.ones((n, 1)), np.column_stack([np.ones(n), unit])]
    for order in range(2, _ORDER + 1):
        products = itertools.combinations_with_replacement(range(p), order)
        terms = np.column_stack([orders[-1], *(unit[:, list(chosen)].prod(axis=1) for chosen in products)])
        if n < _RUNS_PER_TERM * terms.shape[1]:
            break
        orders.append(terms)
    return orders


def _solve(terms: np.ndarray, values: np.ndarray, weights: np.ndarray) -> _Fit:
    root = np.sqrt(weights)[:, None]
    q, r = np.linalg.qr(root * terms)
    lever = np.linalg.lstsq(r.T, terms.T)[0]  # of (n_terms, n): r may have lost a direction to weights near 0
    fitted = lever.T @ (q.T @ (root * values))
    return _Fit(values - fitted, np.sum(lever**2, axis=0))


def _robust_weights(terms: np.ndarray, scaled: Scaled) -> np.ndarray:
    """(n,) weights of runs that let none pull the fit."""
    weights = np.ones(len(terms))
    for _ in range(_ROUNDS):
        fit = _solve(terms, scaled.values, weights)
        away = fit.residuals / np.maximum(1 - weights * fit.leverage, _FREE)[:, None]  # from a fit to the others
        d = _rms(away / np.hypot(_usual(away), _SMALL * scaled.spread))
        new = 1 / np.maximum(d / max(float(np.median(d)), 1e-12), 1.0) ** 2
        if np.allclose(new, weights, atol=0.01):
            break
        weights = new
    return weights


def _best_scale(terms: np.ndarray, values: np.ndarray) -> Scaled:
    """Every bin in the scale in which a polynomial leaves least of its spread."""
    candidates = scale_bins(values)
    left = []
    for scaled in candidates:
        weights = _robust_weights(terms, scaled)
        fit = _solve(terms, scaled.values, weights)
        away = fit.residuals / np.sqrt(np.maximum(1 - weights * fit.leverage, _FREE))[:, None]
        left.append(np.where(scaled.usable, _usual(away) / scaled.spread, np.inf))
    return Scaled.choose(candidates, np.argmin(left, axis=0))


def _judge(
    orders: list[np.ndarray], scaled: Scaled, values: np.ndarray, errors: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Distances d (n,) of the runs, and which runs (n,) are like the others."""
    terms, lower = orders[-1], orders[-2]
    weights = _robust_weights(terms, scaled)
    like = weights > min(_LIGHT, float(np.quantile(weights, _MOST)))
    bend = _BEND if len(orders) > 2 else _BEND_OF_LINES
    fewest = min(_RUNS_PER_TERM * terms.shape[1] / 2, (1 - _MOST) * len(terms))
    for _ in range(_ROUNDS):
        fit = _solve(terms, scaled.values, weights)
        bent = np.abs(fit.residuals - _solve(lower, scaled.values, weights).residuals)
        inside = weights > 0
        variance = np.where(inside, np.maximum(1 - weights * fit.leverage, _FREE), 1 + fit.leverage)
        away = fit.residuals / np.sqrt(variance)[:, None]
        usual = np.hypot(_usual(away[like]), _SMALL * scaled.spread)
        with np.errstate(all="ignore"):  # without errors, and predictions beyond all numbers
            pull = np.where(errors > 0, np.abs(values - scaled.back(scaled.values - away)) / errors, np.inf)
        # few events explain a distance
        z = np.minimum(np.abs(away) / np.hypot(usual, bend * bent), np.nan_to_num(pull, nan=np.inf))
        d = _rms(z)
        most = _rms(np.sort(z, axis=1)[:, : max(1, int((1 - _FEW) * z.shape[1]))])
        doubtful = d < _BEYOND_DOUBT * max(float(np.median(d[like])), 1.0)
        now = ~_is_far(d, like, _TIMES) | (doubtful & ~_is_far(most, like, 1.0))
        if (now == like).all() and weights.min() in (0, 1):
            break
        if now.sum() < fewest:
            return d, now
        like, weights = now, now.astype(float)
    return d, like


def _is_far(d: np.ndarray, like: np.ndarray, times: float) -> np.ndarray:
    """(n,) which runs are farther than those that are like each other, and so many times what is usual."""
    logs = np.log(np.maximum(d, 1e-12))
    middle = float(np.median(logs[like]))
    spread = max(float(_usual(logs[like] - middle)), 1e-12)
    return (logs - middle >= _FAR * spread) & (d >= times * max(float(np.exp(middle)), 1.0))


def _usual(away: np.ndarray) -> np.ndarray:
    """The standard deviation of most of the rows."""
    return NORMAL * np.median(np.abs(away), axis=0)


def _rms(away: np.ndarray) -> np.ndarray:
    return np.sqrt(np.mean(away**2, axis=1))
