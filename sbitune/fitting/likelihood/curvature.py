"""Second derivatives of an objective by differences of its exact first ones, and the parabola at a minimum."""

from typing import Any, NamedTuple

import numpy as np

from sbitune.data.errors import ComputationError
from sbitune.fitting.likelihood.algebra import is_positive
from sbitune.fitting.likelihood.frame import Frame
from sbitune.fitting.likelihood.protocols import Objective, Point

#: in half widths of the box: small beside any error, large beside rounding
_STEP = 1e-4


def difference_hessian(objective: Objective[Any], point: Point, held: Any, central: bool) -> np.ndarray:
    """(n_parameters, n_parameters) second derivatives at a point, with `held` held.

    Central differences of all parameters, or for half the price differences towards the middle of the limits, of the
    free ones; rows of the others are 0.
    """
    u, frame = point.u, objective.frame
    if central:
        rows = [_slope(objective, u, step, held) for step in _STEP * np.eye(len(u))]
        return 0.5 * (np.array(rows) + np.array(rows).T)
    here, found = objective.gradient(point), np.zeros((len(u),) * 2)
    for i in np.flatnonzero(~frame.fixed):
        step = np.zeros(len(u))
        step[i] = _STEP if u[i] < frame.limits[i].mean() else -_STEP
        found[i] = (objective.gradient(objective.point(u + step, held)) - here) / step[i]
    return 0.5 * (found + found.T)


def _slope(objective: Objective[Any], u: np.ndarray, step: np.ndarray, held: Any) -> np.ndarray:
    up, down = (objective.gradient(objective.point(place, held)) for place in (u + step, u - step))
    return (up - down) / (2 * _STEP)


class Parabola(NamedTuple):
    """Errors at a minimum, in scaled coordinates; rows of parameters that were not free are zero."""

    covariance: np.ndarray  #: (n_parameters, n_parameters) of the parameters
    inverse_curvature: np.ndarray  #: (n_parameters, n_parameters) H^-1: the same for a likelihood


def parabola(objective: Objective[Any], point: Point) -> Parabola:
    """Covariance of the parameters at a minimum, as `minimise.errors` has it.

    Raises `ComputationError` if second derivatives are not positive, with parameters at their limits held, too.
    """
    half, frame = objective.hessian(point, central=False) / 2, objective.frame
    plain, used = inverse_curvature(frame, point.u, half)
    if objective.is_likelihood:
        return Parabola(plain, plain)
    core, block = np.zeros_like(half), np.ix_(used, used)
    core[block] = plain[block] @ objective.scatter(point)[block] @ plain[block]
    return Parabola(core, plain)


def inverse_curvature(frame: Frame, u: np.ndarray, half: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The inverse of half the second derivatives (n_parameters, n_parameters) at a minimum u, 0 for parameters that are
    not free, and the numbers of those that count. Raises `ComputationError` if there is none.
    """
    free = np.flatnonzero(~frame.fixed)
    used = positive_block(half, free, np.array([i for i in free if not frame.at_limit(u)[i]], int))
    if used is None:
        raise ComputationError("the second derivatives at the minimum are not positive")
    plain = np.zeros_like(half)
    plain[np.ix_(used, used)] = np.linalg.inv(half[np.ix_(used, used)])
    return plain, used


def positive_block(half: np.ndarray, free: np.ndarray, inside: np.ndarray) -> np.ndarray | None:
    """The parameters of which the second derivatives are positive: those that are free; else those of them that are
    not at a limit, where an objective need not be at a minimum; None if neither is so.
    """
    for used in (free, inside):
        if len(used) and is_positive(half[np.ix_(used, used)]):
            return used
    return None
