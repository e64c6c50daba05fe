"""What surrogates say of runs that were held out from them."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.scan import Scan
from sbitune.fitting.likelihood.protocols import Prediction
from sbitune.tuning.surrogates.heldout.inflation import (
    MOST_BINS,
    MOST_RUNS,
    HeldOut,
    inflate,
)
from sbitune.tuning.surrogates.protocols import TrainedSurrogate
from sbitune.tuning.surrogates.regression.basis import spread_evenly
from sbitune.tuning.surrogates.regression.covariance import correlate
from sbitune.tuning.surrogates.regression.noise import smooth_errors

#: so many parts of the runs are held out in turn to learn what components miss, more where few runs can be spared
_PARTS = (8, 24)
#: of so many bins surrogates take much memory, and there are fewer parts
_MANY_BINS, _FEW_PARTS = 2000, 4

Trials = list[tuple[np.ndarray, TrainedSurrogate]]


class Groups(NamedTuple):
    """What each group of members says of the runs that it held out."""

    runs: np.ndarray  #: (n,) which of the scan's
    mean: np.ndarray  #: (n, n_bins) contents
    extra: np.ndarray  #: (n, n_bins) by which their means scatter more than the mean of all members, in quadrature


def make_trials(scan: Scan, seed: int, learn: Callable[[Scan], TrainedSurrogate]) -> Trials:
    """Masks (n_runs,) of parts of the runs, together all of them, each with a surrogate of the others: what these miss
    does not show in the runs they were found in.
    """
    shuffled = np.random.default_rng(seed).permutation(len(scan.runs))
    first = _FEW_PARTS if len(scan.bins) > _MANY_BINS else _PARTS[0]
    for parts in (first, _PARTS[1]):
        masks = [shuffled % parts == number for number in range(parts)]
        try:
            return [(held, learn(scan.take_runs(~held))) for held in masks]
        except InputError:  # too few runs are left for the order that all runs allow
            if parts == _PARTS[1]:
                raise
    return []


def predict_in_turn(scan: Scan, trials: Trials, factor: float = 1.0) -> Prediction:
    """Predict every run by the surrogate that has not seen it, what that learnt with errors `factor` times as large."""
    mean, error = np.empty_like(scan.values), np.empty_like(scan.values)
    for held, trial in trials:
        mean[held], error[held] = inflate(trial, factor).predict_many(scan.theta[held])
    return Prediction(mean, error)


class _Seen(NamedTuple):
    """Some bins that have an error in every run, and what is known of these errors."""

    bins: np.ndarray  #: (k,)
    noise: np.ndarray  #: (n_runs, k) Monte Carlo errors
    correlation: np.ndarray | None  #: (k, k) of these

    def say(
        self,
        scan: Scan,
        runs: np.ndarray,
        mean: np.ndarray,
        surrogate: TrainedSurrogate,
        noise: float = 1.0,
        extra: np.ndarray | float = 0.0,
    ) -> HeldOut:
        """Put together what is said of runs (n,): their predicted contents (n, n_bins), and a surrogate's covariances.
        That of the Monte Carlo errors counts `noise` times, and variances `extra` (n, k) are added to it.
        """
        theta, k = scan.theta[runs], len(self.bins)
        residuals = (scan.values[runs] - mean)[:, self.bins]
        learnt, others = np.empty((2, len(runs), k, k))
        for i, (one, rest) in enumerate(surrogate.learnt_covariances(theta, self.bins)):
            learnt[i], others[i] = one, rest + noise * self.noises(int(runs[i]))
        others[:, np.arange(k), np.arange(k)] += extra
        return HeldOut(surrogate, theta, self.bins, residuals, learnt, others)

    def noises(self, run: int) -> np.ndarray:
        """Covariance (k, k) of the Monte Carlo errors of a run."""
        return correlate(self.noise[run], self.correlation, slice(None), np)


def said_by_trials(scan: Scan, trials: Trials, correlation: np.ndarray | None, more: float) -> list[HeldOut]:
    """What is said of runs held out, in some bins; `more`: variance of the prediction in units of the noise
    that the trials do not know of.
    """
    seen = _look(scan, correlation)
    wanted = _some_of(scan, np.arange(len(scan.runs)))
    found = []
    for held, trial in trials:
        runs = np.flatnonzero(held & np.isin(np.arange(len(held)), wanted))
        found.append(seen.say(scan, runs, trial.predict_many(scan.theta[runs]).mean, trial, noise=1 + more))
    return found


def said_by_groups(groups: Groups, scan: Scan, surrogate: TrainedSurrogate) -> list[HeldOut]:
    """The same of groups of members of an ensemble."""
    seen = _look(scan, scan.correlation)
    rows = np.flatnonzero(np.isin(groups.runs, _some_of(scan, groups.runs)))
    extra = groups.extra[np.ix_(rows, seen.bins)] ** 2
    return [seen.say(scan, groups.runs[rows], groups.mean[rows], surrogate, extra=extra)]


def _some_of(scan: Scan, runs: np.ndarray) -> np.ndarray:
    """Some of the runs (n,): of those in the box, than which a scan may be wider."""
    inside = runs[scan.inside[runs]]
    return inside[spread_evenly(len(inside), MOST_RUNS)]


def _look(scan: Scan, correlation: np.ndarray | None) -> _Seen:
    """In the order of their names: toys of these bins must not depend on the order in which a file has them."""
    noise = smooth_errors(scan)
    named = np.lexsort((scan.bins.index, scan.bins.path))
    known = named[np.all(noise > 0, axis=0)[named]]
    bins = known[spread_evenly(len(known), MOST_BINS)]
    return _Seen(bins, noise[:, bins], None if correlation is None else correlation[np.ix_(bins, bins)])
