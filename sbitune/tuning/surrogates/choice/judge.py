"""Judging candidates by runs that were held out: by the probability that they give these."""

from typing import NamedTuple

import jax
import numpy as np

from sbitune.data.blocks import draw_held_out, linked_runs, mean_error
from sbitune.data.errors import InputError
from sbitune.data.scan import Scan
from sbitune.tuning.surrogates.kindconfig import KindConfig, Scale
from sbitune.tuning.surrogates.protocols import Candidate, TrainedSurrogate
from sbitune.tuning.surrogates.regression.noise import smooth_errors
from sbitune.tuning.surrogates.training import train

#: kinds that trail the best by no more than so many standard errors are as good, and the first of these is taken:
#: fewer numbers are learnt by kinds that come first
_EQUAL = 2.0
#: in one observable a kind is behind if it trails by so many standard errors, more as there are many observables, and
#: by so much log p a bin: a twentieth is a pull of 1.05 in place of 1
_BEHIND, _MATTERS = 4.0, 0.05
#: standard errors that are taken off the rms pull of an observable before it counts as badly learnt
_UNCERTAIN = 2.0


class Observable(NamedTuple):
    """How well one kind predicts one observable of the held-out runs."""

    path: str
    bins: int  #: of these with a Monte Carlo error
    rms_pull: float  #: rms of (prediction - MC) / MC error
    error: float  #: standard error of that, from the scatter over runs
    pull_width: float  #: rms with the surrogate's own error


class Score(NamedTuple):
    """How well one kind predicts the held-out runs."""

    name: str  #: what was tried, in words
    log_density: float  #: mean over runs and bins of log p(MC value | prediction, all errors)
    behind: float  #: by how much it trails the best
    behind_error: float  #: standard error of that, from the scatter over runs
    rms_pull: float  #: rms of (prediction - MC) / MC error
    pull_width: float  #: the same with the surrogate's own error
    observables: tuple[Observable, ...]  #: worst first


class Choice(NamedTuple):
    """The kind that was taken, and the table for the report."""

    config: KindConfig
    scores: tuple[Score, ...]  #: of the one that was taken, then of the others, best first
    reason: str  #: one sentence
    trial: TrainedSurrogate  #: this kind, trained without the runs that were held out
    held: Scan  #: these runs
    noise: np.ndarray  #: (n_held, n_bins) their Monte Carlo errors, smoothed over all runs

    @property
    def runs(self) -> int:
        """Number of runs that were held out."""
        return len(self.held.runs)


def make_judge(key: jax.Array, scan: Scan, holdout: float) -> "Judge":
    """Hold out a part of the runs.

    Raises:
        InputError: too few runs to hold some out, or no bin has an error.
    """
    inside = np.flatnonzero(scan.inside)  # of runs outside a narrowed range nothing is claimed
    held = draw_held_out(scan, inside[np.asarray(jax.random.permutation(key, len(inside)))], holdout)
    if held.sum() < 2:
        raise InputError(
            f"{len(inside)} runs in the ranges are too few to hold some out; add runs", code="surrogate-too-few-runs"
        )
    noise = smooth_errors(scan)[held]
    voting = noise.max(axis=0) > 0
    if not voting.any():
        raise InputError("no bin of the scan has a Monte Carlo error: name the kind of surrogate yourself")
    used, left = scan.split(run for run, out in zip(scan.runs, held, strict=True) if out)
    if len(np.unique(linked_runs(left))) < 2:
        raise InputError("the runs share so many measurements that too few can be held out; name the kind of surrogate")
    return Judge(used, left, noise, voting)


class Judge:
    """Trains candidates on some runs, and compares what they say of the others."""

    def __init__(self, used: Scan, held: Scan, noise: np.ndarray, voting: np.ndarray) -> None:
        """Take runs to learn from, those that are held out, and of these (n_held, n_bins) Monte Carlo errors and
        (n_bins,) whether bins have one.
        """
        self.used, self.held, self.noise, self.voting = used, held, noise, voting
        self.paths = held.bins.path[voting]
        self.places = [np.flatnonzero(self.paths == path) for path in dict.fromkeys(self.paths)]
        self.linked = linked_runs(held)
        self.tried: dict[str, Trial] = {}
        self.trials: dict[str, TrainedSurrogate] = {}  # of kinds that may be taken

    def try_out(self, key: jax.Array, candidate: Candidate) -> None:
        """Train one, and judge it. Raises as `train` does."""
        trial = train(key, self.used, candidate.config)
        mean, error = trial.predict_many(self.held.theta)
        difference = (self.held.values - mean)[:, self.voting]
        noise = np.maximum(self.noise, 1e-300)[:, self.voting]
        variance = error[:, self.voting] ** 2 + noise**2
        density = -0.5 * (difference**2 / variance + np.log(2 * np.pi * variance))
        rms, width = (float(np.sqrt(np.mean(difference**2 / v))) for v in (noise**2, variance))
        rows = _by_observable(self.paths, difference**2 / noise**2, difference**2 / variance, self.linked)
        of_paths = np.array([density[:, mine].mean(axis=1) for mine in self.places])
        name = candidate.name
        self.tried[name] = Trial(candidate, density.mean(axis=1), of_paths, rms, width, rows)
        self.trials[name] = trial
        equal = {score.name for score in self._equal()}
        self.trials = {name: trial for name, trial in self.trials.items() if name in equal}

    def _equal(self) -> list[Score]:
        """Those that are as good as the best, and as all that were best before it, simplest first."""
        kept = (score for score in self.scores() if score.name in self.trials)
        equal = [score for score in kept if score.behind <= _EQUAL * score.behind_error]
        equal = [score for score in equal if not self._is_behind_somewhere(score.name)] or equal[:1]
        return sorted(equal, key=lambda score: self.tried[score.name].candidate.simplicity)

    def _is_behind_somewhere(self, name: str) -> bool:
        """Whether a kind trails the best in some observable beyond chance, though hardly in all bins together."""
        best = max(self.tried.values(), key=lambda trial: trial.density.mean())
        behind = best.of_paths - self.tried[name].of_paths
        error = np.array([mean_error(row, self.linked) for row in behind])
        return bool((behind.mean(axis=1) > np.maximum(_BEHIND * error, _MATTERS)).any())

    def choice(self, reason: str | None = None) -> Choice:
        """The candidate that is taken, with the table; `reason` if it was not chosen."""
        scores, taken = self.scores(), self._equal()[0]
        if reason is None:
            merit = "it gives {} the highest probability"
            if taken != scores[0]:
                merit = f"the simplest of those that give {{}} as high a probability as {scores[0].name}"
            reason = f"{taken.name}: of {len(scores)} kinds {merit.format(f'{len(self.held.runs)} held-out runs')}"
        rows = (taken, *(score for score in scores if score != taken))
        return Choice(
            self.tried[taken.name].candidate.config, rows, reason, self.trials[taken.name], self.held, self.noise
        )

    def best_scale(self, of: type[KindConfig] = KindConfig) -> Scale | None:
        """The scale of the best candidate of a kind, or of any, that has one; None if there is none."""
        tried = (self.tried[score.name].candidate for score in self.scores())
        return next((one.scale for one in tried if one.scale is not None and isinstance(one.config, of)), None)

    def worst_rms(self) -> float:
        """The rms pull of the worst observable, less what it is uncertain by, for the kind that is best in that."""

        def worst(trial: Trial) -> float:
            return max((row.rms_pull - _UNCERTAIN * row.error for row in trial.observables), default=0.0)

        return max(min(map(worst, self.tried.values())), min(trial.rms for trial in self.tried.values()))

    def scores(self) -> tuple[Score, ...]:
        """Of all that were tried, best first."""
        if not self.tried:
            return ()
        order = sorted(self.tried, key=lambda name: -self.tried[name].density.mean())
        best = self.tried[order[0]].density
        rows = []
        for name in order:
            trial = self.tried[name]
            behind = best - trial.density
            error = mean_error(behind, self.linked)
            figures = (float(trial.density.mean()), float(behind.mean()), error, trial.rms, trial.width)
            rows.append(Score(name, *figures, trial.observables))
        return tuple(rows)


class Trial(NamedTuple):
    """A candidate that was tried on the held-out runs."""

    candidate: Candidate
    density: np.ndarray  #: (n_held,) mean over bins of log p
    of_paths: np.ndarray  #: (n_observables, n_held) the same of every observable
    rms: float
    width: float
    observables: tuple[Observable, ...]  #: worst first


def _by_observable(
    paths: np.ndarray, squares: np.ndarray, own: np.ndarray, linked: np.ndarray
) -> tuple[Observable, ...]:
    """Pulls of every observable, worst first, from squared ones (n_held, n_bins) in MC errors and in all errors; runs
    with the same number in `linked` (n_held,) are not independent.
    """
    rows = []
    for path in dict.fromkeys(paths.tolist()):
        mine = np.flatnonzero(paths == path)
        of_run = squares[:, mine].mean(axis=1)
        rms = float(np.sqrt(of_run.mean()))
        error = mean_error(of_run, linked) / (2 * rms) if rms > 0 else 0.0
        rows.append(Observable(path, len(mine), rms, error, float(np.sqrt(own[:, mine].mean()))))
    return tuple(sorted(rows, key=lambda row: -row.rms_pull))
