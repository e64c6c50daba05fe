"""Many runs fitted to a surrogate within its box, each from its truth, by the Gauss-Newton method.

The covariance of each run is held, and the steps are shortened in the manner of Levenberg and Marquardt (Nocedal &
Wright, Numerical Optimization, chapter 10) until chi2 falls. Slopes are differences of the surrogate's own predictions,
so that any surrogate can be fitted, and all runs move together.
"""

from typing import Any

import numpy as np

from sbitune.data.parameter import parameter_box

#: half of the step of differences, in widths of the box
_STEP = 0.02
#: steps at most, and the fall of chi2 of any run below which they end
_STEPS, _STILL = 10, 0.02
#: the first damping, and by how much it changes after a step that was taken and one that was not
_DAMPING, _LESS, _MORE = 1e-2, 0.3, 10.0
#: keeps matrices of parameters that move nothing invertible
_TINY = 1e-9


class Refits:
    """Runs at known points, to be fitted by a surrogate that has not seen them."""

    def __init__(self, surrogate: Any, theta: np.ndarray, bins: np.ndarray) -> None:
        """Take runs at theta (n, n_parameters), in the box, and what the surrogate predicts for the bins (k,) there."""
        self.surrogate, self.bins = surrogate, bins
        self.centre, self.half = parameter_box(surrogate.parameters)
        self.truth = np.clip((theta - self.centre) / self.half, -1.0, 1.0)
        self.at_truth = self._predict(self.truth)

    def _predict(self, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        theta = self.centre + u * self.half
        mean = self.surrogate.predict_many(theta).mean[:, self.bins]
        return mean, find_slopes(self.surrogate, theta, self.bins)

    def falls(self, away: np.ndarray, white: np.ndarray) -> np.ndarray:
        """By how much chi2 falls from the truth to the minimum.

        Args:
            away: (n, k) data - prediction at the truth.
            white: (n, k, k) matrices that make residuals of unit variance and independent.

        Returns:
            (n,), not negative.
        """
        mean, slopes = self.at_truth
        data, u = mean + away, self.truth
        residuals, levers = _times(white, away), white @ slopes
        first = chi2 = np.sum(residuals**2, axis=1)
        damping = np.full(len(u), _DAMPING)
        for _ in range(_STEPS):
            tried = _step(u, residuals, levers, damping)
            mean, slopes = self._predict(tried)
            there = _times(white, data - mean)
            value = np.sum(there**2, axis=1)
            better = value < chi2
            fall = np.where(better, chi2 - value, 0.0)
            u, chi2 = np.where(better[:, None], tried, u), np.where(better, value, chi2)
            residuals = np.where(better[:, None], there, residuals)
            levers = np.where(better[:, None, None], white @ slopes, levers)
            damping = damping * np.where(better, _LESS, _MORE)
            if np.all(fall < _STILL) and (better | (damping > 1e3 * _DAMPING)).all():
                break
        return first - chi2


def _times(white: np.ndarray, away: np.ndarray) -> np.ndarray:
    return np.einsum("nkl,nl->nk", white, away)


def _step(u: np.ndarray, residuals: np.ndarray, levers: np.ndarray, damping: np.ndarray) -> np.ndarray:
    """The next points (n, n_parameters), inside the box; a parameter that would leave it stays at its end."""
    curvature = np.einsum("nkp,nkq->npq", levers, levers)
    slope = np.einsum("nkp,nk->np", levers, residuals)
    size = np.einsum("npp->np", curvature)
    damped = curvature + np.einsum("np,pq->npq", damping[:, None] * size + _TINY, np.eye(u.shape[1]))
    free = np.ones(u.shape, bool)
    for _ in range(u.shape[1]):
        both = free[:, :, None] & free[:, None]
        held = np.where(both, damped, np.eye(u.shape[1]))
        step = np.linalg.solve(held, np.where(free, slope, 0.0)[:, :, None])[:, :, 0]
        leaving = free & (((u <= -1) & (step < 0)) | ((u >= 1) & (step > 0)))
        if not leaving.any():
            break
        free &= ~leaving
    return np.clip(u + np.where(free, step, 0.0), -1.0, 1.0)


def find_slopes(surrogate: Any, theta: np.ndarray, bins: np.ndarray) -> np.ndarray:
    """(n, n_bins, n_parameters) derivatives in half widths of the box, from differences inside it."""
    centre, half = parameter_box(surrogate.parameters)
    n, p = theta.shape
    steps = 2 * _STEP * half[:, None] * np.eye(p)
    ends = np.clip(theta[:, None, None] + np.stack([-steps, steps]), centre - half, centre + half)
    means = surrogate.predict_many(ends.reshape(-1, p)).mean[:, bins].reshape(n, 2, p, len(bins))
    length = np.einsum("npp->np", (ends[:, 1] - ends[:, 0]) / half)
    return ((means[:, 1] - means[:, 0]) / length[:, :, None]).transpose(0, 2, 1)
