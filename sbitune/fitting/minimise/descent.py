"""A quick minimiser of any objective, for many fits that all begin near their answer.

Quasi-Newton steps: second derivatives begin as twice the information, those of linear least squares say, and learn from
the exact gradients (the BFGS formula: Nocedal & Wright, Numerical Optimization, eq. 6.19); every step is the minimum of
the parabola inside the limits, shortened until the objective falls. From the truth of a toy two or three steps arrive.
MIGRAD, in `minimiser`, minimises the same function from many starts; it is what a fit of the data is made with.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import scipy.linalg
from scipy.optimize import lsq_linear

from sbitune.data.errors import ComputationError
from sbitune.fitting.likelihood.algebra import root_of_positive
from sbitune.fitting.likelihood.protocols import Objective, P

#: the objective can fall by no more than this: a parameter is 0.0005 of its error away
_TOLERANCE = 2e-7
_STEPS, _HALVINGS = 60, 25
#: a step is taken if the objective falls by this part of what its slope promises
_ENOUGH = 1e-4
#: what is held is brought up to date until no parameter moves by more than this part of its error, so often at most
_SETTLED, _UPDATES = 0.01, 12

R = TypeVar("R")
MinimiseHeld = Callable[[np.ndarray, Any], tuple[np.ndarray, np.ndarray, R]]


def settle(
    objective: Objective[Any],
    u: np.ndarray,
    minimise_held: MinimiseHeld[R],
) -> tuple[np.ndarray, R]:
    """Minimise with something held, and bring that up to date at the minimum, until it stays.

    Args:
        objective: what is minimised.
        u: (n_parameters,) where to begin.
        minimise_held: from a place and what is held there to the minimum, the parameters' errors (both
            (n_parameters,)) and whatever else there is to say.

    Returns:
        The place, and what was said there last.

    Raises:
        ComputationError: if the minimum does not settle.
    """
    for _ in range(_UPDATES):
        end, errors, said = minimise_held(u, objective.remember(u))
        moved = np.abs(end - u) / np.maximum(errors, 1e-12)
        u = end
        if np.all(moved[~objective.frame.fixed] < _SETTLED):
            return u, said
    raise ComputationError("the minimum keeps moving as the errors of the prediction are brought up to date")


def minimise(objective: Objective[P], u: np.ndarray, fixed: frozenset[int] = frozenset(), held: Any = None) -> P:
    """The minimum within the limits from u (n_parameters,); parameters numbered in `fixed` stay where they are.

    Without a likelihood something is held: `held`, or it is brought up to date until the minimum stays.

    Raises:
        ComputationError: if it does not converge, or the data do not determine the parameters.
    """
    if objective.is_likelihood or held is not None:
        return _descend(objective, u, fixed, None if objective.is_likelihood else held)

    def with_held(u: np.ndarray, held: Any) -> tuple[np.ndarray, np.ndarray, None]:
        errors = np.ones(len(u))
        free = _free(objective, fixed)
        information = objective.information(objective.point(u, held))
        errors[free] = np.sqrt(np.diag(np.linalg.inv(information[np.ix_(free, free)])))
        return _descend(objective, u, fixed, held).u, errors, None

    return objective.point(settle(objective, u, with_held)[0])


def _free(objective: Objective[Any], fixed: frozenset[int]) -> np.ndarray:
    return np.array([i for i in np.flatnonzero(~objective.frame.fixed) if i not in fixed], int)


def _descend(objective: Objective[P], u: np.ndarray, fixed: frozenset[int], held: Any) -> P:
    frame, free = objective.frame, _free(objective, fixed)
    u = np.clip(np.where(frame.fixed, frame.centre, u), *frame.limits.T)
    if held is None:
        objective.remember(u)
    point = objective.point(u, held)
    curvature, gradient = 2 * objective.information(point), objective.gradient(point)
    for _ in range(_STEPS):
        low, high = frame.limits[free].T - point.u[free]
        step = np.zeros(len(u))
        step[free] = _box_step(curvature[np.ix_(free, free)], gradient[free], low, high)
        promised = -float(gradient @ step)
        if promised - 0.5 * step @ curvature @ step < _TOLERANCE:
            return point
        found = _search(objective, point, step, promised, held)
        change = objective.gradient(found)
        curvature = _learn(curvature, found.u - point.u, change - gradient)
        point, gradient = found, change
    raise ComputationError(f"not converged after {_STEPS} steps")


def _search(objective: Objective[P], point: P, step: np.ndarray, promised: float, held: Any) -> P:
    part = 1.0
    for _ in range(_HALVINGS):
        u = np.clip(point.u + part * step, *objective.frame.limits.T)
        try:
            found = objective.point(u, held)
        except ComputationError:  # the model is not finite there
            found = None
        if found is not None and found.value <= point.value - _ENOUGH * part * promised + 1e-12 * abs(point.value):
            return found
        part /= 2
    raise ComputationError("the objective does not fall along its slope")


def _box_step(curvature: np.ndarray, gradient: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """The step to the minimum of a parabola inside a box."""
    factor = root_of_positive(curvature)
    whitened = -scipy.linalg.solve_triangular(factor, gradient, lower=True)
    step = scipy.linalg.solve_triangular(factor.T, whitened)
    if np.all((step >= low) & (step <= high)):
        return step
    return np.clip(lsq_linear(factor.T, whitened, bounds=(low, high), method="bvls").x, low, high)


def _learn(curvature: np.ndarray, step: np.ndarray, change: np.ndarray) -> np.ndarray:
    """Second derivatives after the gradient changed by `change` over `step`."""
    known = curvature @ step
    if step @ change <= 1e-3 * (step @ known):  # not convex there: what is known is kept
        return curvature
    return curvature + np.outer(change, change) / (step @ change) - np.outer(known, known) / (step @ known)
