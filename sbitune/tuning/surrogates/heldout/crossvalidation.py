"""Cross-validation: how well fits predict runs that were held out from them.

Every run is predicted by a fit to the other folds. The score is the predictive log density of the held-out values,
which punishes wrong errors as well as wrong means: too many terms are punished although their fit of its own runs is
perfect. Bins for which no run quotes an error do not vote.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, TypeVar

import numpy as np

from sbitune.data.blocks import linked_runs, mean_error
from sbitune.data.errors import InputError
from sbitune.data.scan import Scan
from sbitune.fitting.likelihood.protocols import Prediction
from sbitune.tuning.surrogates.regression.outputs import make_targets

#: standard errors by which fewer terms may trail the best and still be taken
_EQUAL = 0.5


class Scored(Protocol):
    """A row of a table of scores."""

    @property
    def log_density(self) -> float:
        """See `Score`."""
        ...

    @property
    def log_density_error(self) -> float:
        """See `Score`."""
        ...


class Predicting(Protocol):
    """What a fit is judged by."""

    def predict_many(self, theta: np.ndarray) -> Prediction:
        """Mean and error (n, n_bins) at theta (n, n_parameters)."""
        ...


Row = TypeVar("Row", bound=Scored)


class Score(NamedTuple):
    """How well held-out runs are predicted."""

    log_density: float  #: mean over runs and bins of log p(MC value | prediction, all errors); higher is better
    log_density_error: float  #: standard error of its mean, from the scatter over runs
    rms_pull: float  #: rms of (prediction - MC) / smoothed MC error
    pull_width: float  #: the same with the surrogate's own error in quadrature: 1 if its errors are true


class Folds:
    """The runs of a scan, dealt to folds."""

    def __init__(self, scan: Scan, folds: int, seed: int) -> None:
        """Deal them. Raises `InputError` for less than two folds, or more than there are runs."""
        n = len(scan.runs)
        if folds < 2 or folds > n:
            raise InputError(f"cross-validation with {folds} folds of {n} runs: need 2 to all runs")
        self.scan = scan
        #: runs that share measurements go to one fold
        self._linked = linked_runs(scan)
        groups = int(self._linked.max()) + 1
        if folds > groups:
            raise InputError(f"cross-validation with {folds} folds: the {n} runs share measurements in {groups} groups")
        self._part = (np.random.default_rng(seed).permutation(groups) % folds)[self._linked]
        #: runs that are left to a fit, at least
        self.smallest = n - int(np.bincount(self._part).max())

    def noise(self, remedy: str) -> np.ndarray:
        """(n_runs, n_bins) smoothed Monte Carlo errors. Raises `InputError` with the remedy if no bin has one."""
        noise = make_targets(self.scan, "linear").errors
        if not (noise > 0).any():
            raise InputError(f"no bin of the scan has a Monte Carlo error: {remedy}")
        return noise

    def score(self, fit: Callable[[Scan], Predicting], noise: np.ndarray) -> Score:
        """Judge what `fit` makes of the other runs of every fold."""
        mean, error = self._predict(fit)
        voting = noise.max(axis=0) > 0
        difference, noise = (self.scan.values - mean)[:, voting], noise[:, voting]
        variance = error[:, voting] ** 2 + noise**2
        of_run = (-0.5 * (difference**2 / variance + np.log(2 * np.pi * variance))).mean(axis=1)
        return Score(
            log_density=float(of_run.mean()),
            log_density_error=mean_error(of_run, self._linked),
            rms_pull=float(np.sqrt(np.mean((difference / noise) ** 2))),
            pull_width=float(np.sqrt(np.mean(difference**2 / variance))),
        )

    def _predict(self, fit: Callable[[Scan], Predicting]) -> Prediction:
        mean, error = np.empty_like(self.scan.values), np.empty_like(self.scan.values)
        for fold in range(int(self._part.max()) + 1):
            held = self._part == fold
            mean[held], error[held] = fit(self.scan.take_runs(~held)).predict_many(self.scan.theta[held])
        return Prediction(mean, error)


def simplest(scores: Sequence[Row]) -> Row:
    """The first of those that are nearly as good as the best: shrunk terms cost little, so that more of them trail by
    less than they are known.
    """
    best = max(scores, key=lambda score: score.log_density)
    return next(s for s in scores if s.log_density >= best.log_density - _EQUAL * best.log_density_error)
