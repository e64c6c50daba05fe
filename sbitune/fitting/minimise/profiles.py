"""Profiles and contours: the objective minimised over all other parameters.

Delta(x) = min_others objective(x, others) - min objective: for a likelihood -2 log of the profiled likelihood ratio,
which is 1 at one standard error (S. S. Wilks, Ann. Math. Stat. 9 (1938) 60). A weighted chi2 is no likelihood: V stays
that of the minimum, and Delta is divided by what it is at the quoted error, so that 1 means the same (see `errors`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from sbitune.data.errors import ComputationError, InputError
from sbitune.fitting.likelihood.protocols import Problem
from sbitune.fitting.minimise.surroundings import Minimum, climb, room
from sbitune.fitting.results import Fit

#: an error where there is none, in half widths of the box
_GUESS = 0.1


@dataclass(frozen=True, eq=False)
class Profile:
    """The profile of one parameter."""

    name: str
    points: np.ndarray  #: (n,) values of the parameter, in the model's units
    delta: np.ndarray  #: (n,) Delta(-2 log L); NaN where the other parameters have no minimum
    values: np.ndarray  #: (n, n_parameters) where the minimum over the others is; NaN where there is none
    at_limit: np.ndarray  #: (n, n_parameters) True where one of the others is at the end of its range
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Contour:
    """Where two parameters are with a stated coverage, if Delta follows its distribution for two parameters."""

    names: tuple[str, str]
    coverage: float
    delta: float  #: of the contour
    points: np.ndarray  #: (n, 2) around the minimum, in the model's units; closed: the first follows the last
    at_limit: np.ndarray  #: (n,) True where the range ends before Delta is reached, so that the point is on its edge


def profile(problem: Problem[Any], fit: Fit, name: str, points: np.ndarray) -> Profile:
    """The profile of a parameter at points (n,) in the model's units.

    Raises:
        InputError: for a parameter that is not free, or points outside the limits of the fit.
        LowerMinimum: if a minimum lower than the fit's turns up.
    """
    points = np.asarray(points, float)
    with problem.computing():
        minimum = Minimum(problem, fit)
        i, frame, best = minimum.frame.index(name), minimum.frame, minimum.point.u
        places = np.array([minimum.place(i, x) for x in points])
        delta, found, notes = np.full(len(points), np.nan), np.full((len(points), len(best)), np.nan), []
        up = places >= best[i]
        for mine in (np.flatnonzero(up)[np.argsort(places[up])], np.flatnonzero(~up)[np.argsort(-places[~up])]):
            start = best
            for k in mine:  # outwards: where one minimum is, the search for the next begins
                try:
                    point = minimum.below({i: float(places[k])}, start)
                except ComputationError as error:
                    notes.append(f"no minimum for {name} = {points[k]:g}: {error}")
                    continue
                delta[k] = minimum.rise(point) / minimum.stretch(np.ones(1), [i])
                start = found[k] = point.u
    at_limit = frame.at_limit(found)
    at_limit[:, i] = False
    return Profile(name, points, delta, frame.to_theta(found), at_limit, tuple(notes))


def profile_delta(problem: Problem[Any], fit: Fit, theta: np.ndarray) -> np.ndarray:
    """(n_parameters,) Delta of each parameter held at its value in theta (n_parameters,); NaN for fixed ones.

    Raises:
        InputError: for values outside the limits of the fit.
        LowerMinimum: if a minimum lower than the fit's turns up.
        ComputationError: if one cannot be found.
    """
    with problem.computing():
        minimum = Minimum(problem, fit)
        frame = minimum.frame
        places = frame.place(np.where(frame.fixed, fit.values, theta))
        delta = np.full(len(places), np.nan)
        for i in np.flatnonzero(~frame.fixed):
            point = minimum.below({int(i): float(places[i])}, minimum.point.u)
            delta[i] = minimum.rise(point) / minimum.stretch(np.ones(1), [int(i)])
        return delta


def contour(
    problem: Problem[Any], fit: Fit, names: tuple[str, str], coverages: Sequence[float] = (0.68, 0.95), n: int = 48
) -> tuple[Contour, ...]:
    """Contours of two parameters, the objective minimised over the others.

    They are followed along n rays from the minimum, evenly spread where the contour of the parabola is a circle: what
    lies behind a bay that a ray crosses twice is not seen.

    Raises:
        InputError: for parameters that are not free, or coverages that are none.
        LowerMinimum: if a minimum lower than the fit's turns up.
        ComputationError: if the others have no minimum somewhere on the way.
    """
    if names[0] == names[1] or not all(0 < c < 1 for c in coverages):
        raise InputError("a contour needs two different parameters and coverages between 0 and 1")
    with problem.computing():
        minimum = Minimum(problem, fit)
        these = [minimum.frame.index(name) for name in names]
        contours = []
        for coverage in coverages:
            delta = float(stats.chi2.ppf(coverage, 2))
            rays = [_follow(minimum, these, direction, delta) for direction in _directions(minimum, these, n)]
            frame, points = minimum.frame, np.array([place for place, _ in rays])
            theta = frame.low[these] + (points + 1) * frame.half[these]
            contours.append(Contour(names, coverage, delta, theta, np.array([end for _, end in rays])))
        return tuple(contours)


def _directions(minimum: Minimum, these: list[int], n: int) -> np.ndarray:
    block = minimum.parabola.covariance[np.ix_(these, these)]
    if np.any(np.diag(block) <= 0):  # at a limit nothing is known of its error
        block = np.diag(np.where(np.diag(block) > 0, np.diag(block), _GUESS**2))
    angle = 2 * np.pi * np.arange(n) / n
    return np.stack([np.cos(angle), np.sin(angle)], axis=1) @ np.linalg.cholesky(block).T


def _follow(minimum: Minimum, these: list[int], direction: np.ndarray, delta: float) -> tuple[np.ndarray, bool]:
    """Where Delta is reached along a direction of one standard error, and whether the range ends before that."""
    origin, stretch = minimum.point.u[these], minimum.stretch(direction, these)

    def rise(distance: float) -> float:
        place = np.clip(origin + distance * direction, *minimum.frame.limits[these].T)
        point = minimum.below(dict(zip(these, place.tolist(), strict=True)), minimum.point.u)
        return minimum.rise(point) / stretch

    found = climb(rise, delta, room(origin, direction, minimum.frame.limits[these]))
    return np.clip(origin + found.distance * direction, *minimum.frame.limits[these].T), found.clipped
