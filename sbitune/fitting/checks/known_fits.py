"""Fits whose truth is known, for `coverage`, and how far from the truth they end in units of their errors.

For each fit and parameter a root r tells how far the fitted value is from the truth, a standard normal variable if all
is well: |r| < 1 if the 68.3 % interval holds the truth, |r| < 1.96 for 95 %. Away from limits it is that of MINOS,

    r = sign(fitted - true) sqrt(rise of the objective when the parameter is held at the truth),

(fitted - true) / error where the problem is Gaussian; for a weighted chi2 divided by what MINOS errors are stretched by
(see `errors`). Where a limit is within reach, intervals that follow from a rise of the objective hold the truth too
often; there r is the normal quantile of the posterior probability that the parameter lies above the truth, with a
uniform prior within the limits: right on average over truths that are spread evenly within the limits, as the points of
a design are. For many fits of one truth near a limit that says nothing; then r is from the rank of the signed rise
among those of the linear problem within the limits (see `bounded`).
"""

import contextlib
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from sbitune.data.errors import ComputationError
from sbitune.fitting.checks.bounded import Bounded, draw_bounded
from sbitune.fitting.config import FitConfig
from sbitune.fitting.likelihood.algebra import invert_positive
from sbitune.fitting.likelihood.frame import Frame
from sbitune.fitting.likelihood.protocols import Objective, OverData, Point, Problem
from sbitune.fitting.minimise.descent import minimise
from sbitune.fitting.minimise.minimiser import fit
from sbitune.fitting.minimise.newton import find_minima
from sbitune.fitting.sampling.importance import sample, to_root

#: starting points of a thorough fit
_STARTS = 4
#: a limit is within reach if it is nearer than so many errors
_WITHIN_REACH = 3.0
#: a minimum is another one if it is lower by more
_LOWER = 1e-2


class KnownFit(NamedTuple):
    """A fit whose truth is known."""

    values: np.ndarray  #: (n_parameters,) fitted, in the model's units
    roots: np.ndarray  #: (n_parameters,) r; 0 for fixed parameters
    quoted: np.ndarray  #: (n_parameters,) the signed root of the rise, limits or not
    effective: float  #: effective number of points behind the roots; infinite away from limits
    at_limit: np.ndarray  #: (n_parameters,) True within 1 % of the end of the range
    statistic: float  #: chi2 for bins, see `Objective.statistic`


def fit_known(
    problem: Problem[Any], truth: np.ndarray, data: Iterable[Any], thorough: bool, spread: bool = True
) -> list[KnownFit | str]:
    """Fit data sets, for bins (n_bins,), whose truth (n_parameters,) is known; a fit that fails is the reason why.

    Args:
        problem: its own data are not used.
        truth: in the model's units, within the limits.
        data: what is fitted.
        thorough: whether to fit as data are fitted, from several starts; else from the middle of the limits and from
            the truth.
        spread: whether this is one of many truths that are spread evenly within the limits; else the only one.
    """
    frame = problem.frame()
    with problem.computing():
        objective = problem.objective()
        true = np.where(frame.fixed, frame.centre, frame.to_unit(truth))
        judge = _Judge(problem, true, thorough, spread, None)
        if objective.over_data is not None and not thorough and not spread:
            return _fit_at_once(judge, objective, objective.over_data, list(data))
        found = []
        for number, values in enumerate(data):
            other = objective.refit(values)
            if number == 0 and not spread:
                judge = judge._replace(reference=_reference(other, true))
            found.append(_fit_one(judge, other, values, number))
        return found


class _Judge(NamedTuple):
    """How fits of one truth are made and judged."""

    problem: Problem[Any]
    true: np.ndarray  #: (n_parameters,) scaled
    thorough: bool
    spread: bool
    reference: Bounded | None  #: what to expect of fits of one truth near a limit


def _reference(objective: Objective[Any], true: np.ndarray) -> Bounded | None:
    """What to expect of fits of this truth, if limits are within reach of it."""
    frame, free = objective.frame, np.flatnonzero(~objective.frame.fixed)
    information = _linear(objective, objective.point(true)).information
    if not _near_limits(frame, true, information):
        return None
    return draw_bounded(information, true[free], frame.limits[free], seed=1)


def _minimise(judge: _Judge, objective: Objective[Any], data: Any) -> Point:
    """As data are fitted, or the lower of the minima that are reached from the middle of the limits and the truth."""
    found = []
    for start in () if judge.thorough else (objective.frame.centre, judge.true):
        with contextlib.suppress(ComputationError):  # far away in a narrow valley
            found.append(minimise(objective, start, held=objective.hold_for_toys(judge.true)))
    if found:
        return min(found, key=lambda point: point.value)
    known = fit(judge.problem.with_data(data), FitConfig(starts=_STARTS, minos=False))
    return minimise(objective, objective.frame.to_unit(known.values))


def _near_limits(frame: Frame, u: np.ndarray, information: np.ndarray) -> bool:
    """Whether a free parameter's limit is within reach of u (n_parameters,)."""
    room = frame.room(u)[~frame.fixed]
    return bool(np.any(room < _WITHIN_REACH / np.sqrt(np.diag(information) + 1e-12)))


def _fit_one(judge: _Judge, objective: Objective[Any], data: Any, seed: int) -> KnownFit | str:
    frame, true = objective.frame, judge.true
    try:
        best = _minimise(judge, objective, data)
        free = ~frame.fixed
        best, quoted = _profile_roots(objective, best, true)
        linear, effective = _linear(objective, best), np.inf
        quoted[free] /= linear.stretch
        roots = quoted.copy()
        if judge.spread and objective.is_likelihood and _near_limits(frame, best.u, linear.information):
            roots, effective = _posterior_roots(objective, best, linear.information, true, seed)
        if judge.reference is not None:
            roots[free] = judge.reference.roots(roots[free], np.random.default_rng(seed))
    except ComputationError as error:
        return str(error)
    roots, quoted = np.where(free, roots, 0.0), np.where(free, quoted, 0.0)
    statistic = float(objective.statistic(best).sum())
    return KnownFit(frame.to_theta(best.u), roots, quoted, effective, frame.at_limit(best.u), statistic)


def _fit_at_once(judge: _Judge, objective: Objective[Any], over: OverData, data: list[Any]) -> list[KnownFit | str]:
    """As one by one, but by Newton's method for all at once; what that does not find is."""
    frame, true, free = objective.frame, judge.true, ~objective.frame.fixed
    judge = judge._replace(reference=_reference(objective.refit(data[0]), true))
    ends = [find_minima(over, start, data, frame.limits, free) for start in (true, frame.centre)]
    values = np.array([np.where(end.converged, end.value, np.inf) for end in ends])
    best = np.argmin(values, axis=0)
    u, lowest, each = (np.choose(_beside(best, a[0]), a) for a in ([e.u for e in ends], values, [e.each for e in ends]))
    quoted, sound = np.zeros(u.shape), np.isfinite(lowest)
    for i in map(int, np.flatnonzero(free)):
        held = u.copy()
        held[:, i] = true[i]
        there = find_minima(over, held, data, frame.limits, free & (np.arange(len(true)) != i))
        sound &= there.converged & (there.value > lowest - _LOWER)
        quoted[:, i] = np.sign(u[:, i] - true[i]) * np.sqrt(np.maximum(0.0, there.value - lowest))
    found: list[KnownFit | str] = []
    for number, values_of_one in enumerate(data):
        if not sound[number]:
            found.append(_fit_one(judge, objective.refit(values_of_one), values_of_one, number))
            continue
        roots = quoted[number].copy()
        if judge.reference is not None:
            roots[free] = judge.reference.roots(roots[free], np.random.default_rng(number))
        place, total = u[number], float(each[number].sum())
        found.append(KnownFit(frame.to_theta(place), roots, quoted[number], np.inf, frame.at_limit(place), total))
    return found


def _beside(chosen: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Choices (n,) with the axes of an array (n, ...)."""
    return chosen.reshape(-1, *(1,) * (like.ndim - 1))


class _Linear(NamedTuple):
    """The problem as linear least squares has it, in the free parameters (p)."""

    information: np.ndarray  #: (p, p) inverse covariance; of a weighted chi2 that of the sandwich, see `errors`
    stretch: np.ndarray | float  #: (p,) by which its errors are greater than a rise of 1 says; 1 for a likelihood


def _linear(objective: Objective[Any], point: Point) -> _Linear:
    free = np.ix_(*(np.flatnonzero(~objective.frame.fixed),) * 2)
    bread = objective.information(point)[free]
    if objective.is_likelihood:
        return _Linear(bread, 1.0)
    scatter, plain = objective.scatter(point)[free], invert_positive(bread)
    stretch = np.sqrt(np.diag(plain @ scatter @ plain) / np.diag(plain))
    return _Linear(bread @ invert_positive(scatter) @ bread, stretch)


def _profile_roots(
    objective: Objective[Any], best: Point, true: np.ndarray, again: int = 3
) -> tuple[Point, np.ndarray]:
    """The roots, and the minimum: a lower one if a parameter that was held led there."""
    roots = np.zeros(len(true))
    held = None if objective.is_likelihood else best.held
    lowest = objective.point(best.u, held).value
    for i in map(int, np.flatnonzero(~objective.frame.fixed)):
        start = best.u.copy()
        start[i] = true[i]
        there = minimise(objective, start, frozenset([i]), held)
        if again and there.value < lowest - _LOWER:
            return _profile_roots(objective, minimise(objective, there.u), true, again - 1)
        roots[i] = np.sign(best.u[i] - true[i]) * np.sqrt(max(0.0, there.value - lowest))
    return best, roots


def _posterior_roots(
    objective: Objective[Any], best: Point, information: np.ndarray, true: np.ndarray, seed: int
) -> tuple[np.ndarray, float]:
    frame, free = objective.frame, np.flatnonzero(~objective.frame.fixed)

    def target(u: np.ndarray) -> np.ndarray:
        every = np.tile(best.u, (len(u), 1))
        every[:, free] = u
        return objective.values(every)

    found = sample(target, best.u[free], information, frame.limits[free], seed)
    roots = np.zeros(len(true))
    roots[free] = to_root(found.below(true[free]), found.effective)
    return roots, found.effective
