"""The surroundings of a minimum: what the objective does along lines, and below what is held.

A weighted chi2 is no likelihood: V stays that of the minimum, and its rises are compared with what they are at the
quoted errors (see `errors`).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from sbitune.data.errors import ComputationError
from sbitune.fitting.likelihood.curvature import parabola
from sbitune.fitting.likelihood.protocols import Point, Problem
from sbitune.fitting.minimise.descent import minimise
from sbitune.fitting.results import Fit

#: nothing may be lower than the fit's minimum by more than this
_LOWER = 0.01
#: distances at which a height is reached are found to this part of them, in so many attempts at most
_NEAR, _ATTEMPTS = 1e-4, 60


class LowerMinimum(ComputationError):
    """The fit is not the lowest minimum."""

    def __init__(self, message: str, theta: np.ndarray) -> None:
        super().__init__(message)
        self.theta = theta  #: (n_parameters,) of the lower one, in the model's units


class Minimum:
    """The minimum of a fit, for questions about its surroundings. Use it inside the problem's `computing`.

    Raises `ComputationError` if no minimum is found from the fit, or it has no errors.
    """

    def __init__(self, problem: Problem[Any], fit: Fit) -> None:
        self.frame = problem.frame()
        self.objective = problem.objective()
        self.point: Point = minimise(self.objective, self.frame.place(fit.values))
        self.parabola = parabola(self.objective, self.point)

    def place(self, i: int, value: float) -> float:
        """Scaled coordinate of a value. Raises `InputError` if it is outside the limits of the fit."""
        theta = self.frame.to_theta(self.point.u)
        theta[i] = value
        return float(self.frame.place(theta)[i])

    def below(self, moved: dict[int, float], start: np.ndarray) -> Point:
        """The minimum over all others with parameters held at the given places, sought from where the parabola has it.

        Raises `ComputationError` if it is not found.
        """
        these, c = list(moved), self.parabola.inverse_curvature
        u, step = start.copy(), np.array([moved[i] - start[i] for i in these])
        if np.all(np.diag(c)[these] > 0):
            u += c[:, these] @ np.linalg.solve(c[np.ix_(these, these)], step)
        u[these] = list(moved.values())
        u = np.clip(u, *self.frame.limits.T)
        if len(these) == len(self.frame.free):
            return self.objective.point(u, None if self.objective.is_likelihood else self.point.held)
        return minimise(self.objective, u, frozenset(these), self.point.held)

    def rise(self, point: Point) -> float:
        """How much higher the objective is there. Raises `ComputationError` if it is lower."""
        if point.value < self.point.value - _LOWER:
            raise LowerMinimum(
                f"a minimum lower by {self.point.value - point.value:.3g} than the fit's is at "
                f"{self.frame.describe(point.u)}; raise `starts`",
                self.frame.to_theta(point.u),
            )
        return max(point.value - self.point.value, 0.0)

    def stretch(self, direction: np.ndarray, these: list[int]) -> float:
        """Rise of the objective along a direction over that of a parabola of the quoted errors: 1 for a likelihood."""
        rises = []
        for matrix in (self.parabola.inverse_curvature, self.parabola.covariance):
            block = matrix[np.ix_(these, these)]
            if np.any(np.diag(block) <= 0):
                return 1.0
            rises.append(direction @ np.linalg.solve(block, direction))
        return float(rises[0] / rises[1])


class Climb(NamedTuple):
    """Where a function that rises from 0 has reached a height."""

    distance: float
    height: float  #: there
    clipped: bool  #: whether there was no room to reach it


def climb(rise: Callable[[float], float], height: float, room: float) -> Climb:
    """Follow `rise`, which is near distance^2, from 0 until it is `height`, or as far as there is room.

    Raises `ComputationError` if it jumps over the height.
    """
    wanted = np.sqrt(height)
    low, short = 0.0, -wanted  # sqrt(rise) is near a line: what is missing is interpolated
    high, over = np.inf, np.nan
    distance = min(wanted, room)
    for attempt in range(_ATTEMPTS):
        reached = rise(distance)
        missing = np.sqrt(reached) - wanted
        if abs(missing) < _NEAR * wanted:
            return Climb(distance, reached, False)
        if missing < 0 and distance >= room:
            return Climb(distance, reached, True)
        if missing < 0:
            low, short = distance, missing
        else:
            high, over = distance, missing
        if np.isinf(high):
            distance = min(room, distance * float(np.clip(wanted / (wanted + missing), 1.01, 2.0)))
        else:
            part = 0.5 if attempt % 4 == 3 else -short / (over - short)
            distance = low + part * (high - low)
    raise ComputationError(f"the objective rises by {height:.4g} nowhere: it jumps at {distance:.4g} standard errors")


def room(origin: np.ndarray, direction: np.ndarray, limits: np.ndarray) -> float:
    """How far one can go from the origin along a direction inside limits (n, 2)."""
    ends = np.where(direction > 0, limits[:, 1] - origin, limits[:, 0] - origin)
    moving = direction != 0
    return float(max(np.min(ends[moving] / direction[moving]), 0.0))
