"""Which kind of surrogate: the simplest of those that give held-out runs the highest probability.

A kind that is named is judged by held-out runs, too: what is trained on the others can be fitted to them.
"""

from collections.abc import Iterable
from typing import NamedTuple

import jax
import msgspec
import numpy as np

from sbitune.data.blocks import draw_held_out, linked_runs, mean_error
from sbitune.data.errors import InputError
from sbitune.data.reporting import QUIET, Reporter
from sbitune.data.scan import Scan
from sbitune.tuning.surrogates.config import (
    AutoConfig,
    GaussianConfig,
    NetworkConfig,
    PolynomialConfig,
    RationalConfig,
    SurrogateConfig,
)
from sbitune.tuning.surrogates.noise import smooth_errors
from sbitune.tuning.surrogates.training import Trained, train

_POLYNOMIALS, _GAUSSIAN, _RATIONAL, _NETWORK = "polynomials", "Gaussian processes", "rational functions", "network"
#: why a kind was taken that was not chosen
NAMED = "named in the card"
_SCALES = {"contents": "linear", "logarithms": "log"}
_ALONE = ", bin by bin"
#: kinds that trail the best by no more than so many standard errors are as good, and the first of these is taken:
#: fewer numbers are learnt by kinds that come first
_EQUAL = 2.0
_SIMPLEST_FIRST = (_POLYNOMIALS, _GAUSSIAN, _RATIONAL, _GAUSSIAN + _ALONE, _NETWORK)
Kind = PolynomialConfig | GaussianConfig | RationalConfig | NetworkConfig


class Score(NamedTuple):
    """How well one kind predicts the held-out runs."""

    name: str  #: what was tried, in words
    log_density: float  #: mean over runs and bins of log p(MC value | prediction, all errors)
    behind: float  #: by how much it trails the best
    behind_error: float  #: standard error of that, from the scatter over runs
    rms_pull: float  #: rms of (prediction - MC) / MC error
    pull_width: float  #: the same with the surrogate's own error


class Choice(NamedTuple):
    """The kind that was taken, and the table for the report."""

    config: Kind
    scores: tuple[Score, ...]  #: of the one that was taken, then of the others, best first
    reason: str  #: one sentence
    trial: Trained  #: this kind, trained without the runs that were held out
    held: Scan  #: these runs
    noise: np.ndarray  #: (n_held, n_bins) their Monte Carlo errors, smoothed over all runs

    @property
    def runs(self) -> int:
        """Number of runs that were held out."""
        return len(self.held.runs)


def choose(key: jax.Array, scan: Scan, config: AutoConfig, reporter: Reporter = QUIET) -> Choice:
    """Train every kind on a part of the runs and compare what they say of the others.

    The score is the predictive log density, which punishes wrong errors as well as wrong means. Polynomials are tried
    of contents and of logarithms, Gaussian processes and rational functions of the better of these. Where nothing
    reaches the Monte Carlo noise, Gaussian processes of the other of these, of every bin alone, and a network are
    tried, too. Bins in which no run quotes an error do not vote. Of kinds that are as good as the best, which is known
    from few runs, the simplest is taken.

    Raises:
        InputError: too few runs to hold some out, or no bin has an error.
    """
    split_key, train_key = jax.random.split(key)
    judge = _make_judge(split_key, scan, config.holdout)

    def try_out(names: Iterable[str]) -> None:
        for name in names:
            try:
                judge.try_out(train_key, name, kind_named(config, name))
            except InputError as error:  # too few runs for this one
                reporter.say(f"surrogate: {name} was not tried: {error}")

    def best_words(kind: str) -> str | None:
        return next((s.name.rpartition(" ")[2] for s in judge.scores() if s.name.startswith(kind)), None)

    try_out(f"{_POLYNOMIALS} of {words}" for words in _SCALES)
    words = best_words(_POLYNOMIALS)
    first = list(_SCALES) if words is None else [words]
    try_out(f"{kind} of {words}" for words in first for kind in (_GAUSSIAN, _RATIONAL))
    if not judge.tried or judge.best_rms() > config.good:  # what polynomials say of scales does not count then
        try_out(f"{_GAUSSIAN} of {words}" for words in _SCALES if words not in first)
        try_out([f"{_GAUSSIAN} of {best_words(_GAUSSIAN) or first[0]}{_ALONE}", _NETWORK])
    if not judge.tried:
        raise InputError(f"{len(scan.runs)} runs are too few for any surrogate; add runs")
    return judge.choice()


def judge_one(key: jax.Array, scan: Scan, config: Kind) -> Choice:
    """Train one kind on a part of the runs and compare what it says of the others. Raises as `choose` does."""
    split_key, train_key = jax.random.split(key)
    judge = _make_judge(split_key, scan, AutoConfig().holdout)
    judge.try_out(train_key, config.kind, config)
    return judge.choice(NAMED)


def _make_judge(key: jax.Array, scan: Scan, holdout: float) -> "_Judge":
    inside = np.flatnonzero(scan.inside)  # of runs outside a narrowed range nothing is claimed
    held = draw_held_out(scan, inside[np.asarray(jax.random.permutation(key, len(inside)))], holdout)
    if held.sum() < 2:
        raise InputError(f"{len(inside)} runs in the ranges are too few to hold some out; add runs")
    noise = smooth_errors(scan)[held]
    voting = noise.max(axis=0) > 0
    if not voting.any():
        raise InputError("no bin of the scan has a Monte Carlo error: name the kind of surrogate yourself")
    return _Judge(*scan.split(run for run, out in zip(scan.runs, held, strict=True) if out), noise, voting)


def kind_named(config: AutoConfig, name: str) -> Kind:
    """The kind that a `Choice` of this config gives this name."""
    if name == _NETWORK:
        return config.network
    kind, _, words = name.partition(" of ")
    words, alone, _ = words.partition(_ALONE)
    base = {_POLYNOMIALS: config.polynomial, _GAUSSIAN: config.gaussian, _RATIONAL: config.rational}[kind]
    chosen = msgspec.structs.replace(base, scale=_SCALES[words])
    return msgspec.structs.replace(chosen, components=False) if alone else chosen


def _simplicity(name: str) -> int:
    kind, _, words = name.partition(" of ")
    kind += _ALONE * words.endswith(_ALONE)
    return _SIMPLEST_FIRST.index(kind) if kind in _SIMPLEST_FIRST else 0


class _Judge:
    def __init__(self, used: Scan, held: Scan, noise: np.ndarray, voting: np.ndarray) -> None:
        self.used, self.held, self.noise, self.voting = used, held, noise, voting
        self.tried: dict[str, tuple[Kind, np.ndarray, float, float]] = {}
        self.trials: dict[str, Trained] = {}  # of kinds that may be taken

    def try_out(self, key: jax.Array, name: str, config: Kind) -> None:
        trial = train(key, self.used, config)
        mean, error = trial.predict_many(self.held.theta)
        difference = (self.held.values - mean)[:, self.voting]
        noise = np.maximum(self.noise, 1e-300)[:, self.voting]
        variance = error[:, self.voting] ** 2 + noise**2
        density = -0.5 * (difference**2 / variance + np.log(2 * np.pi * variance)).mean(axis=1)
        rms, width = (float(np.sqrt(np.mean(difference**2 / v))) for v in (noise**2, variance))
        self.tried[name] = (config, density, rms, width)
        self.trials[name] = trial
        equal = {score.name for score in self._equal()}
        self.trials = {name: trial for name, trial in self.trials.items() if name in equal}

    def _equal(self) -> list[Score]:
        """Those that are as good as the best, and as all that were best before it, simplest first."""
        kept = (score for score in self.scores() if score.name in self.trials)
        equal = [score for score in kept if score.behind <= _EQUAL * score.behind_error]
        return sorted(equal, key=lambda score: _simplicity(score.name))

    def choice(self, reason: str | None = None) -> Choice:
        scores, taken = self.scores(), self._equal()[0]
        if reason is None:
            merit = "it gives {} the highest probability"
            if taken != scores[0]:
                merit = f"the simplest of those that give {{}} as high a probability as {scores[0].name}"
            reason = f"{taken.name}: of {len(scores)} kinds {merit.format(f'{len(self.held.runs)} held-out runs')}"
        rows = (taken, *(score for score in scores if score != taken))
        return Choice(self.tried[taken.name][0], rows, reason, self.trials[taken.name], self.held, self.noise)

    def best_rms(self) -> float:
        return min(rms for _, _, rms, _ in self.tried.values())

    def scores(self) -> tuple[Score, ...]:
        order = sorted(self.tried, key=lambda name: -self.tried[name][1].mean())
        best = self.tried[order[0]][1]
        rows = []
        for name in order:
            _, density, rms, width = self.tried[name]
            behind = best - density
            error = mean_error(behind, linked_runs(self.held))
            rows.append(Score(name, float(density.mean()), float(behind.mean()), error, rms, width))
        return tuple(rows)


def train_chosen(
    key: jax.Array, scan: Scan, config: SurrogateConfig, reporter: Reporter = QUIET, judged: bool = False
) -> tuple[Trained, Choice | None]:
    """Train what `config` describes; with `AutoConfig` what `choose` finds, with the reasons.

    With `judged` other kinds are judged by held-out runs, too, if the scan has enough for that.
    """
    if not isinstance(config, AutoConfig):
        return train(key, scan, config), _judged(key, scan, config, reporter) if judged else None
    choose_key, train_key = jax.random.split(key)
    choice = choose(choose_key, scan, config, reporter)
    reporter.say(f"surrogate: {choice.reason}")
    return train(train_key, scan, choice.config), choice


def _judged(key: jax.Array, scan: Scan, config: Kind, reporter: Reporter) -> Choice | None:
    try:
        return judge_one(key, scan, config)
    except InputError as error:
        reporter.say(f"surrogate: not judged by held-out runs: {error}")
        return None
