"""Monte Carlo errors without the fluctuation of the run they belong to.

The error that a run quotes is estimated from the same events as its value: a bin that came out low has a small
error. Weights 1/error^2 then favour low values and bias every fit (for n Poisson counts with errors sqrt(n) the
weighted mean estimates 1 / mean(1/n), about mu - 1), and an empty bin has error 0 and infinite weight. So the
variance is first regressed on the parameters over all runs of the scan, which leaves it nearly free of the single
run's fluctuation.
"""

from weakref import WeakKeyDictionary

import numpy as np

from sbitune.data.scan import Scan
from sbitune.tuning.surrogates.basis import MOST_STEPS, count_terms, evaluate_basis, in_blocks, list_exponents

#: runs needed per term of the regression, and the highest order that is tried
RUNS_PER_TERM, HIGHEST_ORDER = 4, 2
ITERATIONS = 30
#: strength of the pull of all non-constant terms to zero; keeps regions in which all bins are empty finite
RIDGE = 1e-5
#: the smoothed variance stays above this fraction of the smallest one that any run quotes
FLOOR = 0.1
#: bins are regressed in blocks whose weighted designs take about this many numbers
BLOCK_NUMBERS = 16_000_000
#: what was found for scans that are still in use: it is asked for again and again
_KNOWN: WeakKeyDictionary[Scan, np.ndarray] = WeakKeyDictionary()


def smooth_errors(scan: Scan) -> np.ndarray:
    """Return errors (n_runs, n_bins) as a smooth function of the parameters.

    Positive everywhere, except for bins in which no run quotes an error: these stay 0.
    """
    if scan not in _KNOWN:
        found = np.sqrt(smooth_variance(scan.unit(), scan.errors**2))
        found.setflags(write=False)
        _KNOWN[scan] = found
    return _KNOWN[scan]


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
    n_runs, n_parameters = unit.shape
    order = _choose_order(n_runs, n_parameters, variance.shape[1])
    design = evaluate_basis(unit, list_exponents(n_parameters, order))
    smooth = np.zeros_like(variance)
    used = variance.max(axis=0) > 0
    if not used.any():
        return smooth
    scale = variance[:, used].mean(axis=0)
    relative = variance[:, used] / scale
    if np.allclose(relative, relative[:, :1], rtol=1e-12, atol=0):  # as those of components are: once is enough
        relative = relative[:, :1]
    smooth[:, used] = _fit_log_link(design, relative) * scale
    positive = np.where(variance[:, used] > 0, variance[:, used], np.inf)
    smooth[:, used] = np.clip(smooth[:, used], FLOOR * positive.min(axis=0), variance[:, used].max(axis=0))
    return smooth


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
