"""What the fit of a card owes to its data and to its runs: bootstrap, jack-knife, run combinations."""

from collections.abc import Callable
from typing import Literal

import jax
import numpy as np

from sbitune.data.blocks import linked_groups, repeat_runs
from sbitune.data.errors import InputError
from sbitune.data.reporting import QUIET, Reporter
from sbitune.fitting.binned.bootstrap import (
    Choices,
    Refits,
    bootstrap_data,
    draw_bootstrap,
    draw_combinations,
    draw_jackknife,
    refit_runs,
)
from sbitune.fitting.checks.toys import ToyConfig
from sbitune.fitting.likelihood.protocols import BinnedModel
from sbitune.tuning.record.result import tune_of
from sbitune.tuning.stages.fitted import Fitted
from sbitune.tuning.surrogates.choice.choice import retraining
from sbitune.tuning.surrogates.training import train

Of = Literal["data", "runs", "jackknife", "combinations"]


def bootstrap(
    seed: int, fitted: Fitted, of: Of, n: int, left_out: int | None = None, reporter: Reporter = QUIET
) -> Refits:
    """Refit a card's problem: with n data sets, or with the surrogate trained again on n choices of runs.

    Args:
        seed: of what is drawn.
        fitted: what the fit left.
        of: data that fluctuate, runs drawn with replacement, n parts of the runs left out in turn, or combinations of
            runs.
        n: number of refits.
        left_out: runs that a combination lacks.
        reporter: hears of progress.

    Raises:
        InputError: for numbers that are not possible, or runs of a card whose surrogate is that of a file.
        ComputationError: if fewer than two refits succeed.
    """
    if (of == "combinations") != (left_out is not None):
        raise InputError("--leave-out: how many runs each combination lacks; needed for, and only for, combinations")
    problem = fitted.problem
    tune = tune_of(fitted.record, problem.parameters)
    if of == "data":
        return bootstrap_data(jax.random.key(seed), problem, tune, n, ToyConfig(errors=False), reporter=reporter)
    # runs that share measurements are drawn, and left out, together
    groups, runs = linked_groups(fitted.scan), len(fitted.scan.runs)
    if len(groups) < runs:
        left_out = None if left_out is None else max(1, round(left_out * len(groups) / runs))
        what = "drawn" if left_out is None else f"left out, {left_out} groups at a time"
        reporter.say(f"runs that share measurements are {what} together: {len(groups)} groups of {runs} runs")
    retrain = retrainer(fitted)
    choices = _choices(seed, len(groups), of, n, left_out)
    return refit_runs(
        problem, tune, lambda chosen: retrain(np.concatenate([groups[i] for i in chosen])), choices, reporter
    )


def _choices(seed: int, runs: int, of: Of, n: int, left_out: int | None) -> Choices:
    if of == "jackknife":
        return draw_jackknife(seed, runs, n)
    return draw_bootstrap(seed, runs, n) if left_out is None else draw_combinations(seed, runs, left_out, n)


def retrainer(fitted: Fitted) -> Callable[[np.ndarray], BinnedModel]:
    """Train the card's surrogate on runs (n,) of its scan, which may repeat; a kind that was chosen stays chosen."""
    taken = str(fitted.record.choice[0]["name"]) if fitted.record.choice else ""
    key, config = retraining(jax.random.key(fitted.loaded.card.fit.seed), fitted.loaded.training_config, taken)
    return lambda rows: train(key, repeat_runs(fitted.scan, rows), config)
