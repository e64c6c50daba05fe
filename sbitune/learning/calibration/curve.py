"""The calibration curve: how often events are of class 1 among those that are said to be so with probability p.

With both classes normalised, p = r / (1 + r) of the learned ratio r. In a bin, the residual

    R = sum_1 w (1 - p) - sum_0 w p

over events of either class is 0 on average if the ratio is exact. Its covariance over bins is that of sums of weights
whose total is fixed. Where a bin has fewer than ten effective events of a class, the squared weights that the ratio
itself predicts there take the place of those that are seen: none seen has no error otherwise.
"""

from typing import Any, NamedTuple

import numpy as np
from scipy import stats
from scipy.special import expit

from sbitune.data.errors import InputError
from sbitune.learning.calibration.labelled import LEAST_IN_BIN, Labelled, effective, labelled, refuse_few, sums


class CalibrationCurve(NamedTuple):
    """Learned and seen fractions of class 1, both classes normalised, in bins of like weight."""

    predicted: np.ndarray  #: (n_bins,) mean of p
    observed: np.ndarray  #: (n_bins,) fraction of class 1
    error: np.ndarray  #: (n_bins,) standard error of observed - predicted
    edges: np.ndarray  #: (n_bins + 1,) log ratios
    effective: np.ndarray  #: (n_bins, 2) effective events of classes 1 and 0
    chi2: float  #: of the residuals, with their covariance
    ndf: int
    p_value: float  #: of the chi2
    mean_ratio: float  #: of r over class 0, 1 if exact
    mean_ratio_error: float  #: its Monte Carlo error

    @property
    def pulls(self) -> np.ndarray:
        """(n_bins,) standard normal if the ratio is exact."""
        return (self.observed - self.predicted) / self.error


def calibration_curve(log_ratio: Any, label: Any, weights: Any = None, n_bins: int = 20) -> CalibrationCurve:
    """Compare learned ratios with labels.

    Args:
        log_ratio: (n_events,) log p(x|1) / p(x|0).
        label: (n_events,) 1 or 0.
        weights: (n_events,) of both signs; None: all 1.
        n_bins: bins of like weight of both classes together.

    Raises:
        InputError: numbers that are not finite; fewer than ten effective events a bin; a class whose weights sum to
            less than nothing in a bin.
    """
    events = labelled(log_ratio, label, weights)
    needed = 0.5 * LEAST_IN_BIN * n_bins  # of either class: where one is rare the other need not be
    refuse_few("calibration curve", events, needed, "give more events, or ask for fewer bins")
    starts = _bins(events, n_bins)
    signed = [sums(w, starts) for w in events.classes]
    counts = np.stack([_effective(w, starts) for w in events.classes], axis=1)
    _refuse_negative(events, starts, signed)
    p = expit(events.log_ratio)
    mass = signed[0] + signed[1]
    predicted = sums(events.weight * p, starts) / mass
    residual = signed[0] - sums(events.weight * p, starts)
    covariance = _covariance(events, p, starts, counts)
    chi2 = float(residual @ np.linalg.solve(covariance, residual))
    ratio = np.exp(events.log_ratio)
    mean = float(np.sum(events.zero * ratio))
    places = np.append(starts, len(p) - 1)
    return CalibrationCurve(
        predicted=predicted,
        observed=signed[0] / mass,
        error=np.sqrt(np.diag(covariance)) / mass,
        edges=events.log_ratio[places],
        effective=counts,
        chi2=chi2,
        ndf=len(starts),
        p_value=float(stats.chi2.sf(chi2, len(starts))),
        mean_ratio=mean,
        mean_ratio_error=float(np.sqrt(np.sum((events.zero * (ratio - mean)) ** 2))),
    )


def _bins(events: Labelled, n_bins: int) -> np.ndarray:
    """Where bins of like absolute weight begin; equal log ratios are not divided."""
    share = np.cumsum(np.abs(events.weight))
    places = np.searchsorted(share, share[-1] * np.arange(n_bins) / n_bins, side="right")
    first = np.searchsorted(events.log_ratio, events.log_ratio[places], side="left")
    return np.unique(first)


def _effective(weights: np.ndarray, starts: np.ndarray) -> np.ndarray:
    squares = sums(weights**2, starts)
    return np.divide(sums(weights, starts) ** 2, squares, out=np.zeros(len(starts)), where=squares > 0)


def _refuse_negative(events: Labelled, starts: np.ndarray, signed: list[np.ndarray]) -> None:
    ends = np.append(starts, len(events.log_ratio))
    for c, total in zip((1, 0), signed, strict=True):
        if (total < 0).any():
            i = int(np.argmax(total < 0))
            low, high = events.log_ratio[ends[i]], events.log_ratio[ends[i + 1] - 1]
            raise InputError(
                f"calibration curve: weights of class {c} sum to {total[i]:.2g} of all of it where the log ratio is "
                f"{low:.3g} to {high:.3g} ({effective(events.weight[ends[i] : ends[i + 1]]):.0f} effective events): "
                "ask for fewer bins, or give more events",
                code="calibration-negative-bin",
            )


def _covariance(events: Labelled, p: np.ndarray, starts: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """(n_bins, n_bins) of the residuals."""
    total = np.zeros((len(starts),) * 2)
    # class, its weights, what an event of it adds to the residual, its density in the mixture
    for c, (w, x, part) in enumerate(((events.one, 1 - p, p), (events.zero, p, 1 - p))):
        spread = np.sum(w**2) / np.sum(w)
        expected = sums(events.weight * part * x**2, starts) * spread
        seen = sums(w**2 * x**2, starts)
        diagonal = np.where(counts[:, c] < LEAST_IN_BIN, np.maximum(expected, seen), seen)
        mean, cross, squares = sums(w * x, starts), sums(w**2 * x, starts), np.sum(w**2)
        total += np.diag(diagonal) - np.outer(cross, mean) - np.outer(mean, cross) + squares * np.outer(mean, mean)
    return total
