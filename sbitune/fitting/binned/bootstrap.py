"""Spread of refits, beside the errors that are quoted.

Data: fluctuations with the covariance of the data are added to the measured values, which need not be what the model
describes. Runs: the model is trained again on other choices of the scan's runs. With theta_i (n, n_parameters) the
refits and s^2 their sample covariance, that of the parameters due to a scan of N runs is

    bootstrap (N drawn with replacement)    s^2                (B. Efron, Ann. Stat. 7 (1979) 1)
    jack-knife (K parts, one left out)      (K - 1)^2 / K s^2
    combinations (d runs left out)          (N - d) / d s^2    (J. Shao, C. F. J. Wu, Ann. Stat. 17 (1989) 1176)

A model that goes through its runs takes two copies of one for more than they are: prefer combinations there. What a
training draws at random is no matter of runs, and the factors do not hold for it: `draw_trainings` shows its spread.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import jax
import msgspec
import numpy as np

from sbitune.data.errors import ComputationError, InputError
from sbitune.data.reporting import QUIET, Reporter
from sbitune.fitting.checks.toys import Failure, ToyConfig, fit_data
from sbitune.fitting.likelihood.gaussian import GaussianObjective, fluctuate
from sbitune.fitting.likelihood.problem import BinnedProblem
from sbitune.fitting.likelihood.protocols import BinnedModel
from sbitune.fitting.likelihood.response import DifferencedResponse
from sbitune.fitting.minimise.descent import minimise
from sbitune.fitting.minimise.surroundings import Minimum
from sbitune.fitting.results import BinnedFit

Retrain = Callable[[np.ndarray], BinnedModel]


@dataclass(frozen=True, eq=False)
class Refits:
    """Refits and their spread. Rows are those that succeeded; the others are in `failed`."""

    names: tuple[str, ...]  #: (n_parameters,)
    values: np.ndarray  #: (n, n_parameters) in the generator's units
    factor: float  #: of the sample covariance, see above
    quoted: np.ndarray  #: (n_parameters,) the part of the fit's errors that the spread estimates; 0 where there is none
    failed: tuple[Failure, ...]

    @property
    def mean(self) -> np.ndarray:
        """(n_parameters,)"""
        return self.values.mean(axis=0)

    @property
    def covariance(self) -> np.ndarray:
        """(n_parameters, n_parameters) estimated covariance."""
        return self.factor * np.atleast_2d(np.cov(self.values, rowvar=False))

    @property
    def spread(self) -> np.ndarray:
        """(n_parameters,) estimated errors."""
        return np.sqrt(np.diag(self.covariance))

    @property
    def ratio(self) -> np.ndarray:
        """(n_parameters,) spread over quoted errors; NaN where none is quoted."""
        return self.spread / np.where(self.quoted > 0, self.quoted, np.nan)


@dataclass(frozen=True, eq=False)
class Choices:
    """Choices of a scan's runs."""

    runs: tuple[np.ndarray, ...]  #: of each (n_chosen,) numbers of runs
    factor: float  #: of the sample covariance of what is made of them


def split_errors(problem: BinnedProblem, fitted: BinnedFit) -> tuple[np.ndarray, np.ndarray]:
    """What the errors of the data and those of the model contribute to the fit's errors: (n_parameters,) each.

    Added in quadrature they are the scatter of the fit, which is the quoted error up to the curvature of the model.
    """
    with problem.computing():
        minimum, objective = Minimum(problem, fitted), problem.objective()
        point, half = minimum.point, minimum.frame.half
        w = problem.measured.weights[:, None]
        lever = w * (point.held.inverse @ (w * objective.response.slopes(point.u))) @ minimum.parabola.inverse_curvature
        base = problem.measured.covariance(problem.correlation)
        parts = [base, objective.covariance(point.u) - base]
        data, model = (half * np.sqrt(np.maximum(np.diag(lever.T @ v @ lever), 0.0)) for v in parts)
        return data, model


def bootstrap_data(
    key: jax.Array,
    problem: BinnedProblem,
    fitted: BinnedFit,
    n: int,
    config: ToyConfig,
    model_error: bool = True,
    reporter: Reporter = QUIET,
) -> Refits:
    """Fit n data sets that fluctuate around the measured values.

    Args:
        key: a typed random key.
        problem: the fit.
        fitted: its result; every refit begins there.
        n: number of data sets, 2 at least.
        config: how they are fitted; their errors are not needed.
        model_error: whether the data fluctuate with all of V, the model's errors included, as the quoted errors have
            it, or with the errors of the data alone.
        reporter: hears of progress.

    Raises:
        InputError: fewer than two data sets.
        ComputationError: if fewer than two can be fitted.
    """
    if n < 2:
        raise InputError(f"{n} data sets have no spread: two at least")
    with problem.computing():
        v = problem.measured.covariance(problem.correlation)
        if model_error:
            v = problem.objective().covariance(problem.frame().place(fitted.values))
        data = problem.measured.values + fluctuate(key, v, n)
    fits = fit_data(problem, fitted.values, data, msgspec.structs.replace(config, errors=False), reporter)
    both = split_errors(problem, fitted)
    quoted = np.hypot(*both) if model_error else both[0]
    return _refits(problem, list(fits.values), 1.0, quoted, fits.failed)


def draw_bootstrap(seed: int, n_runs: int, n: int) -> Choices:
    """As many runs as there are, drawn with replacement; n times."""
    _check(n_runs, n)
    random = np.random.default_rng(seed)
    return Choices(tuple(np.sort(random.integers(0, n_runs, n_runs)) for _ in range(n)), 1.0)


def draw_jackknife(seed: int, n_runs: int, parts: int) -> Choices:
    """The runs dealt to parts at random; each part left out once."""
    if not 2 <= parts <= n_runs:
        raise InputError(f"{parts} parts of {n_runs} runs: between 2 and {n_runs} are possible")
    part = np.random.default_rng(seed).permutation(n_runs) % parts
    return Choices(tuple(np.flatnonzero(part != k) for k in range(parts)), (parts - 1) ** 2 / parts)


def draw_combinations(seed: int, n_runs: int, left_out: int, n: int) -> Choices:
    """All runs but `left_out`, which are drawn without replacement; n times."""
    _check(n_runs, n)
    if not 1 <= left_out < n_runs:
        raise InputError(f"{left_out} of {n_runs} runs cannot be left out")
    random = np.random.default_rng(seed)
    kept = [np.sort(random.permutation(n_runs)[left_out:]) for _ in range(n)]
    return Choices(tuple(kept), (n_runs - left_out) / left_out)


def draw_trainings(n_runs: int, n: int) -> Choices:
    """All runs, n times, for a `retrain` that draws at random: the spread due to what it draws, s^2."""
    _check(n_runs, n)
    return Choices((np.arange(n_runs),) * n, 1.0)


def _check(n_runs: int, n: int) -> None:
    if n < 2 or n_runs < 2:
        raise InputError(f"{n} choices of {n_runs} runs have no spread: two at least of either")


def refit_runs(
    problem: BinnedProblem, fitted: BinnedFit, retrain: Retrain, choices: Choices, reporter: Reporter = QUIET
) -> Refits:
    """Train the model again on every choice of runs and fit the same data, beginning at its result.

    Args:
        problem: the fit with the model of all runs.
        fitted: its result.
        retrain: from numbers of runs (n_chosen,), which may repeat, to a model of the same bins and parameters.
        choices: of runs, as the functions `draw_...` give them.
        reporter: hears of progress.

    Raises:
        InputError: if a model has other bins or parameters.
        ComputationError: if fewer than two choices can be fitted.
    """
    values: list[np.ndarray] = []
    failed: list[Failure] = []
    for number, runs in enumerate(choices.runs):
        try:
            values.append(refit_model(problem, retrain(runs), fitted.values))
        except ComputationError as error:
            failed.append(Failure(number, str(error)))
        reporter.progress("refits", number + 1, len(choices.runs))
    return _refits(problem, values, choices.factor, split_errors(problem, fitted)[1], tuple(failed))


def refit_model(problem: BinnedProblem, model: BinnedModel, theta: np.ndarray) -> np.ndarray:
    """Fit the problem with another model, beginning at theta (n_parameters,): the fitted values (n_parameters,).

    The same objective as `fit` minimises, with derivatives by differences: they are not compiled for one fit alone.

    Raises:
        InputError: if the model has other bins or parameters.
        ComputationError: if it does not converge.
    """
    if model.parameters != problem.parameters or len(model.bins) != len(problem.model.bins):
        raise InputError("a retrained model needs the parameters, their ranges and the bins of the first")
    other = replace(problem, model=model)
    frame = other.frame()
    with other.computing():
        objective = GaussianObjective(other, DifferencedResponse(model, frame, other.measured.indices))
        return frame.to_theta(minimise(objective, frame.place(theta)).u)


def _refits(
    problem: BinnedProblem, values: list[np.ndarray], factor: float, quoted: np.ndarray, failed: tuple[Failure, ...]
) -> Refits:
    if len(values) < 2:
        why = f": {failed[0].reason}" if failed else ""
        raise ComputationError(f"{len(values)} refits succeeded; their spread needs two{why}")
    return Refits(tuple(p.name for p in problem.parameters), np.array(values), factor, quoted, failed)
