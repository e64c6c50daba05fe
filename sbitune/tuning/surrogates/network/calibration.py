"""The error of an ensemble, from what it says of runs that it has not seen.

For run i and one bin let r be the residual of the members that did not train on the run, s its smoothed Monte Carlo
error and w^2 the variance among these members. Members disagree most where the surrogate is worst, but their spread
alone is not its error: what all members miss alike does not show in it. So the residuals are described as

    r ~ N(0, s^2 + e^2 + a w^2 + c),

with a and c of each bin from maximum likelihood over all runs, and the error of the prediction is
sqrt(a w(theta)^2 + c). The term e^2 = w^2 (1/k - 1/M) is known: a held-out residual belongs to the mean of k members,
which scatters more than the mean of all M that predicts later.
"""

from typing import NamedTuple

import numpy as np

#: the first grid of a, and of c in units of the mean squared residual of the bin
SPREAD_FACTORS = np.concatenate([[0.0], np.geomspace(1 / 64, 16, 11)])
FLOOR_FACTORS = np.concatenate([[1e-6], np.geomspace(1e-4, 4, 15)])
#: around the best point of the first grid: all pairs of these factors, twice, the second time their fourth roots
REFINEMENT = np.array([0.5, 0.71, 1.0, 1.41, 2.0])


class Calibration(NamedTuple):
    """What turns the spread of the members into the error of their mean: variance = a spread^2 + c."""

    spread_factor: np.ndarray  #: (n_bins,) a
    floor: np.ndarray  #: (n_bins,) c, a variance


def calibrate(residuals: np.ndarray, noise: np.ndarray, spread: np.ndarray, mean_factor: float = 0.0) -> Calibration:
    """Find a and c of every bin by maximum likelihood on a grid that is refined twice, all bins at once.

    Args:
        residuals: (n_runs, n_bins) of held-out runs.
        noise: (n_runs, n_bins) Monte Carlo errors of these runs.
        spread: (n_runs, n_bins) standard deviation among the members that did not see the run.
        mean_factor: 1/k - 1/M, see above.
    """
    known = noise**2 + mean_factor * spread**2
    unit = np.mean(residuals**2, axis=0)
    scale = np.where(unit > 0, unit, 1.0)
    start = (np.ones(len(unit)), scale)
    best = _search(residuals, known, spread, start, SPREAD_FACTORS, FLOOR_FACTORS)
    for factors in (REFINEMENT, REFINEMENT**0.25):
        best = _search(residuals, known, spread, best, factors, factors)
    # nothing to calibrate where all members are always exact, as in a bin that never changes
    return Calibration(*(np.where(unit > 0, part, 0.0) for part in best))


def _search(
    residuals: np.ndarray,
    known: np.ndarray,
    spread: np.ndarray,
    around: tuple[np.ndarray, np.ndarray],
    spread_factors: np.ndarray,
    floor_factors: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    best_loss = np.full(residuals.shape[1], np.inf)
    best = around
    for a_factor in spread_factors:
        for c_factor in floor_factors:
            a, c = around[0] * a_factor, around[1] * c_factor
            variance = known + a * spread**2 + c
            loss = np.mean(np.log(variance) + residuals**2 / variance, axis=0)
            better = loss < best_loss
            best_loss = np.where(better, loss, best_loss)
            best = (np.where(better, a, best[0]), np.where(better, c, best[1]))
    return best
