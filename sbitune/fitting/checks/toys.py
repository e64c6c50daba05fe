"""Toys: data that a model throws at given parameters, and fits of them."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, NamedTuple

import jax
import msgspec
import numpy as np

from sbitune.data.errors import ComputationError, InputError
from sbitune.data.reporting import QUIET, Reporter
from sbitune.fitting.likelihood.curvature import inverse_curvature, parabola
from sbitune.fitting.likelihood.frame import Frame
from sbitune.fitting.likelihood.protocols import DataSets, Objective, OverData, Point, Problem
from sbitune.fitting.minimise.descent import minimise
from sbitune.fitting.minimise.newton import find_minima, values_at

#: toys that a worker takes at a time
_BLOCK = 20
#: toys between two words about progress, where they are fitted many at once
_AT_ONCE = 256


class ToyConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """How toys are fitted."""

    errors: Annotated[
        bool, msgspec.Meta(description="Whether to find the errors of every toy, which takes longer than its fit.")
    ] = True
    workers: Annotated[int, msgspec.Meta(ge=1, description="Number of threads.")] = 1


class Failure(NamedTuple):
    """A toy without a fit."""

    toy: int  #: its number
    reason: str


@dataclass(frozen=True, eq=False)
class ToyFits:
    """Fits of toys. The rows of all arrays are the toys that could be fitted; the others are in `failed`."""

    names: tuple[str, ...]  #: (n_parameters,) in the order of the columns
    free: tuple[str, ...]  #: which of them were fitted
    truth: np.ndarray  #: (n_parameters,) where the fits began; for toys of the model their true parameters
    toys: np.ndarray  #: (n,) number of every toy
    values: np.ndarray  #: (n, n_parameters) in the model's units
    errors: np.ndarray | None  #: (n, n_parameters), 0 for parameters that are fixed or at a limit; None: not asked for
    rise: np.ndarray  #: (n,) of the objective from the minimum to `truth`
    parts: tuple[str, ...]  #: (n_parts,) names of the parts of the data: observables
    statistics: np.ndarray  #: (n, n_parts) how well each is described: chi2, or -2 log L
    at_limit: np.ndarray  #: (n, n_parameters) True within 1 % of the end of the range
    failed: tuple[Failure, ...]

    @property
    def statistic(self) -> np.ndarray:
        """(n,) the sum over all parts: chi2 for bins."""
        return self.statistics.sum(axis=1)

    @property
    def pulls(self) -> np.ndarray:
        """(n, n_parameters) (value - truth) / error; NaN where a toy has no error for a parameter."""
        if self.errors is None:
            raise InputError("pulls need errors: set `errors` in ToyConfig")
        return (self.values - self.truth) / np.where(self.errors > 0, self.errors, np.nan)


def throw(key: jax.Array, problem: Problem[Any], theta: np.ndarray, n: int) -> DataSets:
    """Throw n data sets at theta (n_parameters,): for bins (n, n_bins). Raises `InputError` for theta outside the
    limits of the fit.
    """
    u = problem.frame().place(theta)
    with problem.computing():
        return problem.objective().draw(key, u, n)


def fit_toys(
    key: jax.Array, problem: Problem[Any], theta: np.ndarray, n: int, config: ToyConfig, reporter: Reporter = QUIET
) -> ToyFits:
    """Throw n toys at theta (n_parameters,) and fit each, beginning there.

    Raises:
        InputError: for theta outside the limits of the fit, or fewer than one toy.
        ComputationError: if no toy could be fitted; the reason is that of the first.
    """
    if n < 1:
        raise InputError(f"{n} toys: one at least")
    return fit_data(problem, theta, throw(key, problem, theta, n), config, reporter)


def fit_data(
    problem: Problem[Any], theta: np.ndarray, data: Any, config: ToyConfig, reporter: Reporter = QUIET
) -> ToyFits:
    """Fit the problem to other data sets, for bins (n, n_bins), each fit beginning at theta (n_parameters,).

    Raises as `fit_toys` does.
    """
    frame = problem.frame()
    u, data = frame.place(theta), problem.data_sets(data)
    rows: list[_Row] = []
    failed: list[Failure] = []
    with problem.computing():
        parts = problem.objective().parts
        for number, outcome in enumerate(_outcomes(problem, u, data, config)):
            if isinstance(outcome, str):
                failed.append(Failure(number, outcome))
            else:
                rows.append(outcome)
            reporter.progress("toys", number + 1, len(data))
    if not rows:
        raise ComputationError(f"none of {len(data)} toys could be fitted: {failed[0].reason}")
    return _collect(frame, parts, u, rows, failed, len(data))


class _Row(NamedTuple):
    u: np.ndarray
    errors: np.ndarray | None
    rise: float
    statistic: np.ndarray


def _outcomes(problem: Problem[Any], u: np.ndarray, data: DataSets, config: ToyConfig) -> Iterator["_Row | str"]:
    """The fit of every toy in order, or why there is none."""
    over = problem.objective().over_data
    if over is not None:
        for first in range(0, len(data), _AT_ONCE):
            yield from _fit_at_once(problem, over, u, data[first : first + _AT_ONCE], config.errors)
        return
    blocks = [data[i : i + _BLOCK] for i in range(0, len(data), _BLOCK)]
    work = partial(_fit_block, problem, u, config.errors)
    if config.workers == 1:
        for block in blocks:
            yield from work(block)
        return
    yield from work(blocks[0])  # compiles
    with ThreadPoolExecutor(config.workers) as pool:
        for outcomes in pool.map(work, blocks[1:]):
            yield from outcomes


def _fit_at_once(
    problem: Problem[Any], over: OverData, u: np.ndarray, data: DataSets, errors: bool
) -> Iterator["_Row | str"]:
    frame = problem.frame()
    found = find_minima(over, u, data, frame.limits, ~frame.fixed)
    rises = values_at(over, u, data) - found.value
    for i, converged in enumerate(found.converged):
        if not converged:  # from where the method of single fits may arrive
            yield _fit_one(problem.objective().refit(data[i]), u, errors)
            continue
        try:
            spread = None
            if errors and problem.objective().is_likelihood:
                spread = np.sqrt(np.diag(inverse_curvature(frame, found.u[i], found.hessian[i] / 2)[0]))
            elif errors:
                objective = problem.objective().refit(data[i])
                spread = np.sqrt(np.diag(parabola(objective, objective.point(found.u[i])).covariance))
            yield _Row(found.u[i], spread, float(rises[i]), found.each[i])
        except ComputationError as error:
            yield str(error)


def _fit_block(problem: Problem[Any], u: np.ndarray, errors: bool, block: DataSets) -> list["_Row | str"]:
    with problem.computing():  # which holds in one thread only
        objective = problem.objective()
        return [_fit_one(objective.refit(data), u, errors) for data in block]


def _fit_one(objective: Objective[Any], u: np.ndarray, errors: bool) -> "_Row | str":
    try:
        point = minimise(objective, u, held=objective.hold_for_toys(u))
        spread = np.sqrt(np.diag(parabola(objective, point).covariance)) if errors else None
        return _Row(point.u, spread, rise(objective, point, u), objective.statistic(point))
    except ComputationError as error:
        return str(error)


def rise(objective: Objective[Any], minimum: Point, u: np.ndarray) -> float:
    """How much higher the objective is at u than at its minimum; V stays that of the minimum if it is held."""
    return objective.point(u, None if objective.is_likelihood else minimum.held).value - minimum.value


def _collect(
    frame: Frame, parts: tuple[str, ...], u: np.ndarray, rows: list[_Row], failed: list[Failure], n: int
) -> ToyFits:
    found = np.array([row.u for row in rows])
    spreads = [row.errors for row in rows if row.errors is not None]
    return ToyFits(
        names=frame.names,
        free=frame.free,
        truth=frame.to_theta(u),
        toys=np.setdiff1d(np.arange(n), [failure.toy for failure in failed]),
        values=frame.to_theta(found),
        errors=np.array(spreads) * frame.half if spreads else None,
        rise=np.array([row.rise for row in rows]),
        parts=parts,
        statistics=np.array([row.statistic for row in rows]),
        at_limit=frame.at_limit(found),
        failed=tuple(failed),
    )
