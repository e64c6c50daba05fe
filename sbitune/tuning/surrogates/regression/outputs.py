"""The scale on which a surrogate is fitted: the bin contents, or their logarithm.

Multiplicities often vary by factors over the box and stay positive: their logarithm is easier to learn and cannot
be predicted negative. The logarithm is used only for bins that are positive in every run.
"""

from typing import Any, NamedTuple

import numpy as np

from sbitune.data.scan import Scan
from sbitune.tuning.surrogates.kindconfig import Scale
from sbitune.tuning.surrogates.regression.noise import smooth_errors, smooth_variance


class Targets(NamedTuple):
    """What a surrogate is fitted to."""

    values: np.ndarray  #: (n_runs, n_bins) contents or their logarithm
    errors: np.ndarray  #: (n_runs, n_bins) smoothed Monte Carlo errors of `values`; 0 where a bin has none
    log: np.ndarray  #: (n_bins,) True for the bins whose logarithm is fitted


def make_targets(scan: Scan, scale: Scale) -> Targets:
    """Return values and smoothed errors on the wanted scale; bins that are not positive stay linear.

    The logarithm of a fluctuating value is too low by half its squared relative error on average, which is added.
    """
    log = np.asarray((scan.values > 0).all(axis=0)) & (scale == "log")
    if not log.any():
        return Targets(scan.values, smooth_errors(scan), log)
    positive = np.where(log, scan.values, 1.0)
    variance = smooth_variance(scan.unit(), (scan.errors / positive) ** 2)
    values = np.where(log, np.log(positive) + variance / 2, scan.values)
    return Targets(values, np.sqrt(variance), log)


def root(variance: Any, xp: Any = np) -> Any:
    """Square root; 0 where the variance is not positive."""
    # the gradient of a square root at zero is infinite, also in the branch that `where` does not take
    return xp.where(variance > 0, xp.sqrt(xp.where(variance > 0, variance, 1.0)), 0.0)


def to_contents(mean: Any, error: Any, log: np.ndarray, xp: Any = np) -> tuple[Any, Any]:
    """Turn means and errors (..., n_bins) on the fitted scale into contents and their errors."""
    if not log.any():  # spares a trace from exponentials that nothing uses
        return mean, error
    # exp of a linear bin's content may overflow, and a NaN gradient would get through the `where`
    contents = xp.where(log, xp.exp(xp.where(log, mean, 0.0)), mean)
    return contents, xp.where(log, contents * error, error)


def slope_to_contents(mean: Any, log: Any, xp: Any = np) -> Any:
    """Derivative (..., n_bins) of the contents with respect to the fitted scale."""
    return xp.where(log, xp.exp(xp.where(log, mean, 0.0)), 1.0)
