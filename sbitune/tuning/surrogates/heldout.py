"""What surrogates say of runs that were held out from them."""

from collections.abc import Callable

import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.scan import Scan
from sbitune.fitting.protocols import Prediction
from sbitune.tuning.surrogates.covariance import correlate, covariances
from sbitune.tuning.surrogates.inflation import MOST_BINS, MOST_RUNS, HeldOut, Known, find_slopes, spread_evenly
from sbitune.tuning.surrogates.neural import Groups, NeuralSurrogate
from sbitune.tuning.surrogates.noise import smooth_errors

#: so many parts of the runs are held out in turn to learn what components miss, more where few runs can be spared
_PARTS = (4, 24)

Trials = list[tuple[np.ndarray, Known]]


def make_trials(scan: Scan, seed: int, learn: Callable[[Scan], Known]) -> Trials:
    """Masks (n_runs,) of parts of the runs, together all of them, each with a surrogate of the others: what these miss
    does not show in the runs they were found in.
    """
    shuffled = np.random.default_rng(seed).permutation(len(scan.runs))
    for parts in _PARTS:
        masks = [shuffled % parts == number for number in range(parts)]
        try:
            return [(held, learn(scan.take_runs(~held))) for held in masks]
        except InputError:  # too few runs are left for the order that all runs allow
            if parts == _PARTS[-1]:
                raise
    return []


def predict_in_turn(scan: Scan, trials: Trials) -> Prediction:
    """Predict every run by the surrogate that has not seen it."""
    mean, error = np.empty_like(scan.values), np.empty_like(scan.values)
    for held, trial in trials:
        mean[held], error[held] = trial.predict_many(scan.theta[held])
    return Prediction(mean, error)


def said_by_trials(scan: Scan, trials: Trials, correlation: np.ndarray | None, more: float) -> list[HeldOut]:
    """What is said of runs held out, in some bins; `more`: variance of the prediction in units of the noise
    that the trials do not know of.
    """
    noise, bins = _noisy_bins(scan)
    wanted = np.zeros(len(scan.runs), bool)
    wanted[spread_evenly(len(scan.runs), MOST_RUNS)] = True
    part = None if correlation is None else correlation[np.ix_(bins, bins)]
    found = []
    for held, trial in trials:
        runs = np.flatnonzero(held & wanted)
        theta = scan.theta[runs]
        slopes = find_slopes(trial, theta, bins)
        residuals = (scan.values[runs] - trial.predict_many(theta).mean)[:, bins]
        for i, run, covariance in zip(range(len(runs)), runs, covariances(trial, theta, bins), strict=True):
            own = correlate(noise[run, bins], part, slice(None), np)
            found.append(HeldOut(slopes[i], residuals[i], covariance + more * own, own))
    return found


def _noisy_bins(scan: Scan) -> tuple[np.ndarray, np.ndarray]:
    """Monte Carlo errors (n_runs, n_bins), and some of the bins that have one in every run."""
    noise = smooth_errors(scan)
    known = np.flatnonzero((noise > 0).all(axis=0))
    return noise, known[spread_evenly(len(known), MOST_BINS)]


def said_by_groups(groups: Groups, scan: Scan, surrogate: NeuralSurrogate) -> list[HeldOut]:
    """The same of the groups of networks."""
    noise, bins = _noisy_bins(scan)
    part = None if scan.correlation is None else scan.correlation[np.ix_(bins, bins)]
    rows = spread_evenly(len(groups.runs), MOST_RUNS)
    runs = groups.runs[rows]
    found = []
    slopes = find_slopes(surrogate, scan.theta[runs], bins)
    for i, (row, covariance) in enumerate(zip(rows, surrogate.covariances(scan.theta[runs], bins), strict=True)):
        run = runs[i]
        own = correlate(noise[run, bins], part, slice(None), np) + np.diag(groups.extra[row, bins] ** 2)
        found.append(HeldOut(slopes[i], scan.values[run, bins] - groups.mean[row, bins], covariance, own))
    return found
