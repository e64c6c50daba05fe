"""Monte Carlo errors without the fluctuation of the run they belong to.

The error that a run quotes is estimated from the same events as its value: a bin that came out low has a small
error. Weights 1/error^2 then favour low values and bias every fit (for n Poisson counts with errors sqrt(n) the
weighted mean estimates 1 / mean(1/n), about mu - 1), and an empty bin has error 0 and infinite weight. So the
variance is first regressed on the parameters over all runs of the scan, which leaves it nearly free of the single
run's fluctuation. A run with more or fewer events than its neighbours says so in all bins alike: then it has a factor
of its own, which hundreds of bins know better than they know their contents.
"""

from weakref import WeakKeyDictionary

import numpy as np

from sbitune.data.blocks import split_blocks
from sbitune.data.scan import Scan
from sbitune.tuning.surrogates.regression.basis import (
    MOST_STEPS,
    count_terms,
    evaluate_basis,
    in_blocks,
    list_exponents,
)

#: runs needed per term of the regression, and the highest order that is tried
RUNS_PER_TERM, HIGHEST_ORDER = 4, 2
ITERATIONS = 30
#: strength of the pull of all non-constant terms to zero; keeps regions in which all bins are empty finite
RIDGE = 1e-5
#: the smoothed variance stays above this fraction of the smallest one that any run quotes
FLOOR = 0.1
#: a run's variances have a factor of their own if it is beyond this, and certain by so many standard errors
FACTOR, CERTAIN = 1.5, 6.0
#: runs differ by no more than this from the middle one: beyond it matrices are not resolved
LOUDEST = 100.0
#: of finding the level of the others, and the difference of logarithms below which squares are minimised
_TURNS, _NEAR = 30, 0.02
#: bins are regressed in blocks whose weighted designs take about this many numbers
BLOCK_NUMBERS = 16_000_000
#: what was found for scans that are still in use: it is asked for again and again
_KNOWN: WeakKeyDictionary[Scan, np.ndarray] = WeakKeyDictionary()


def smooth_errors(scan: Scan) -> np.ndarray:
    """Return errors (n_runs, n_bins) as a smooth function of the parameters.

    Positive everywhere, except for bins in which no run quotes an error: these stay 0.
    """
    if scan not in _KNOWN:
        found = _by_blocks(scan) if scan.copies else np.sqrt(smooth_variance(scan.unit(), scan.errors**2))
        found.setflags(write=False)
        _KNOWN[scan] = found
    return _KNOWN[scan]


def _by_blocks(scan: Scan) -> np.ndarray:
    """The same of a scan whose runs share measurements, each of which counts once."""
    errors = np.empty_like(scan.errors)
    for block in split_blocks(scan, everything=True):
        errors[:, block.bins] = smooth_errors(block.scan)[block.measurement]
    return errors


def smooth_variance(unit: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Regress variances on the parameters with a log link, all bins at once.

    The model is variance = exp(polynomial of order 0, 1 or 2, as the number of runs allows), fitted by
    quasi-likelihood with variances proportional to the mean, as for the sum of squared weights of Poisson counts
    (McCullagh & Nelder, Generalized Linear Models, chapter 9). Unlike a regression of the logarithm it needs no
    special case for zeros, and it conserves the sum over the runs.

    Args:
        unit: (n_runs, n_parameters) points, the box being [-1, 1].
        variance: (n_runs, n_bins) squared errors, not negative.

    Returns:
        (n_runs, n_bins) smoothed variances.
    """
    smooth = np.zeros_like(variance)
    used = variance.max(axis=0) > 0
    if not used.any():
        return smooth
    order = _choose_order(len(unit), unit.shape[1], variance.shape[1])
    design = evaluate_basis(unit, list_exponents(unit.shape[1], order))
    given = variance[:, used]
    own = _of_their_own(design, given)
    if not own.any():
        smooth[:, used] = _regress(design, given)
        return smooth
    alike = given.copy()
    alike[own] /= _level(given, own)
    found = _regress(design, alike)
    found[own] *= np.mean(given[own] / found[own], axis=1, keepdims=True)
    smooth[:, used] = found
    return smooth


def _level(variance: np.ndarray, own: np.ndarray) -> np.ndarray:
    """(n, 1) variances of runs with a factor of their own, in units of what is typical of the others."""
    others = variance[~own] if not own.all() else variance
    typical = others.mean(axis=0)
    told = typical > 0
    return np.mean(variance[own][:, told] / typical[told], axis=1, keepdims=True)


def _of_their_own(design: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """(n_runs,) True for runs whose variances differ from those of their neighbours by a factor beyond chance.

    Runs are compared with a fit to the level of all runs that a few of them cannot move: the sum of |differences| of
    the logarithms is least.
    """
    n_runs, n_bins = variance.shape
    positive = (variance > 0).sum(axis=1) > n_bins / 2
    if n_bins < 2 or not positive.all():
        return np.zeros(n_runs, bool)
    typical = np.median(variance, axis=0)
    relative = variance[:, typical > 0] / typical[typical > 0]
    mean = relative.mean(axis=1)
    if relative.shape[1] < 2 or not (mean > 0).all():
        return np.zeros(n_runs, bool)
    level = np.log(mean)
    left = level - np.median(level)
    for _ in range(_TURNS):
        root = 1 / np.sqrt(np.maximum(np.abs(left), _NEAR))
        beta = np.linalg.lstsq(design * root[:, None], level * root, rcond=None)[0]
        left = level - design @ beta
    error = relative.std(axis=1, ddof=1) / np.sqrt(relative.shape[1]) / mean
    return (np.abs(left) > np.log(FACTOR)) & (np.abs(left) > CERTAIN * error)


def _regress(design: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Smoothed variances (n_runs, n_bins) of bins in which some run quotes an error."""
    scale = variance.mean(axis=0)
    relative = variance / scale
    if np.allclose(relative, relative[:, :1], rtol=1e-12, atol=0):  # as those of components are: once is enough
        relative = relative[:, :1]
    positive = np.where(variance > 0, variance, np.inf)
    return np.clip(_fit_log_link(design, relative) * scale, FLOOR * positive.min(axis=0), variance.max(axis=0))


def loudness(errors: np.ndarray) -> np.ndarray:
    """(n_runs,) errors (n_runs, n_bins) of a run in units of what is typical of their bins.

    The mean of 1/p^2 is 1: typical is what runs with small errors have, from which most is learnt.
    """
    typical = np.mean(errors**2, axis=0)
    known = typical > 0
    if not known.any():
        return np.ones(len(errors))
    square = np.mean(errors[:, known] ** 2 / typical[known], axis=1)
    square = np.clip(square, LOUDEST**-2 * np.median(square), LOUDEST**2 * np.median(square))
    return np.sqrt(square * np.mean(1 / square))


def _choose_order(n_runs: int, n_parameters: int, n_bins: int) -> int:
    for order in range(HIGHEST_ORDER, 0, -1):
        n_terms = count_terms(n_parameters, order)
        if n_runs >= RUNS_PER_TERM * n_terms and (order == 1 or n_bins * n_runs * n_terms**2 <= MOST_STEPS):
            return order
    return 0


def _fit_log_link(design: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Return exp(design @ beta) that maximises sum(v log mu - mu) - penalty, per bin, by damped Newton steps."""
    blocks = in_blocks(variance.shape[1], design.size, BLOCK_NUMBERS)
    return np.concatenate([_fit_block(design, variance[:, block]) for block in blocks], axis=1)


def _fit_block(design: np.ndarray, variance: np.ndarray) -> np.ndarray:
    penalty = np.full(design.shape[1], RIDGE * len(design))
    penalty[0] = 0.0
    beta = np.zeros((design.shape[1], variance.shape[1]))
    active = np.arange(variance.shape[1])  # bins that still move
    for _ in range(ITERATIONS):
        if not len(active):
            break
        mean = np.exp(design @ beta[:, active])
        gradient = design.T @ (variance[:, active] - mean) - penalty[:, None] * beta[:, active]
        hessian = (design.T * mean.T[:, None, :]) @ design + np.diag(penalty)
        step = np.linalg.solve(hessian, gradient.T[:, :, None])[:, :, 0].T
        # a full step may leave the region where the quadratic model holds: no point moves by more than e
        longest = np.abs(design @ step).max(axis=0)
        beta[:, active] += step / np.maximum(1.0, longest)
        active = active[longest >= 1e-6]
    return np.exp(design @ beta)
