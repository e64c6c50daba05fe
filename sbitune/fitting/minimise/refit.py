"""Fits that start where another ended, and the linear problem at their end.

Near the minimum the residuals are r(u + du) = r + J du. With V the covariance of the data, the projection

    P = V^-1 - V^-1 J (J^T V^-1 J)^-1 J^T V^-1

takes out what the parameters can absorb: P r does not change along J, and r^T P r is the smallest r^T V^-1 r. P belongs
to the likelihood of the contrasts of the data that no parameter moves: with K (n_bins, n_bins - n_parameters) of full
rank and K^T J = 0, P = K (K^T V K)^-1 K^T.
"""

from dataclasses import dataclass, replace

import jax
import numpy as np
import scipy.linalg

from sbitune.data.errors import ComputationError
from sbitune.fitting.likelihood.frame import Frame
from sbitune.fitting.likelihood.objective import Objective, few_threads, invert
from sbitune.fitting.likelihood.problem import Problem
from sbitune.fitting.minimise.minimiser import migrad

#: V is brought up to date until no parameter moves by more than this part of its error
_SETTLED = 0.01
_UPDATES = 12
#: parameters nearer to the end of their range than this part of it are held there
_AT_LIMIT = 0.01
#: errors of bins that are left out, in units of their largest
_FAR = 1e5


@dataclass(frozen=True, eq=False)
class Linear:
    """A problem at its minimum, with V held there."""

    u: np.ndarray  #: (n_parameters,) scaled to [-1, 1] over the model's box
    theta: np.ndarray  #: (n_parameters,) in the generator's units
    mean: np.ndarray  #: (n_bins,) prediction
    residual: np.ndarray  #: (n_bins,) prediction - data
    used: np.ndarray  #: (n_used,) numbers of the parameters that are free and not at a limit
    slopes: np.ndarray  #: (n_bins, n_used) derivatives of the prediction with respect to u
    covariance: np.ndarray  #: (n_bins, n_bins) V
    inverse: np.ndarray  #: (n_bins, n_bins) its inverse

    @property
    def projection(self) -> np.ndarray:
        """P (n_bins, n_bins)."""
        return project(self.inverse, self.slopes)

    @property
    def parameter_covariance(self) -> np.ndarray:
        """(n_used, n_used) covariance of u for unit weights, (J^T V^-1 J)^-1."""
        return invert_positive(self.slopes.T @ self.inverse @ self.slopes)


def project(inverse: np.ndarray, slopes: np.ndarray) -> np.ndarray:
    """P for V^-1 (n_bins, n_bins) and slopes (n_bins, n_used)."""
    lever = inverse @ slopes
    return inverse - lever @ invert_positive(slopes.T @ lever) @ lever.T


def invert_positive(matrix: np.ndarray) -> np.ndarray:
    """Inverse of a positive matrix. Raises `ComputationError` if it is not, as data do not determine the parameters."""
    try:
        factor = scipy.linalg.cho_factor(matrix)
    except np.linalg.LinAlgError:
        raise ComputationError(
            "the data do not determine the parameters at the minimum; select more bins or fix a parameter"
        ) from None
    return scipy.linalg.cho_solve(factor, np.eye(len(matrix)))


def linearise(problem: Problem, theta: np.ndarray) -> Linear:
    """The linear problem at theta (n_parameters,), which is taken to be its minimum."""
    frame = Frame(problem)
    with jax.enable_x64(True), few_threads(problem):
        objective = Objective(problem, frame)
        objective.hold(frame.to_unit(np.asarray(theta, float)))
        return _linear(objective, frame.to_unit(np.asarray(theta, float)))


def refit(problem: Problem, theta: np.ndarray) -> Linear:
    """Minimise from theta (n_parameters,) alone: for problems that differ little from one that was minimised there.

    Raises `ComputationError` if the minimisation does not converge.
    """
    frame = Frame(problem)
    with jax.enable_x64(True), few_threads(problem):
        objective = Objective(problem, frame)
        start = np.clip(frame.to_unit(np.asarray(theta, float)), *frame.limits.T)
        return _linear(objective, _follow(objective, np.where(frame.fixed, frame.centre, start)))


def _follow(objective: Objective, u: np.ndarray) -> np.ndarray:
    objective.hold(u)
    objective.moving = objective.is_likelihood
    for _ in range(_UPDATES):
        m = migrad(objective, u)
        if not m.valid:
            raise ComputationError("the fit failed: a minimisation that started from another minimum did not converge")
        moved = np.abs(np.array(m.values) - u) / np.maximum(np.array(m.errors), 1e-12)
        u = np.array(m.values)
        objective.hold(u)
        if objective.moving or np.all(moved[~objective.frame.fixed] < _SETTLED):
            return u
    raise ComputationError("the fit failed: the minimum keeps moving as the surrogate's error is brought up to date")


def _linear(objective: Objective, u: np.ndarray) -> Linear:
    frame, measured = objective.frame, objective.problem.measured
    room = np.minimum(u - frame.limits[:, 0], frame.limits[:, 1] - u)
    inside = room >= _AT_LIMIT * (frame.limits[:, 1] - frame.limits[:, 0])
    used = np.flatnonzero(~frame.fixed & inside)
    mean = objective.mean(u)
    return Linear(
        u,
        frame.to_theta(u),
        mean,
        mean - measured.values,
        used,
        objective.slopes(u)[:, used],
        objective.covariance,
        objective.inverse,
    )


def with_errors(problem: Problem, added: np.ndarray) -> Problem:
    """The problem with variances `added` (n_bins,) on top of the independent errors."""
    errors = np.sqrt(problem.measured.errors**2 + added)
    return replace(problem, measured=replace(problem.measured, errors=errors))


def far_variance(linear: Linear, left_out: np.ndarray) -> np.ndarray:
    """(n_bins,) variances with which the bins `left_out` say nothing."""
    added = np.zeros(len(linear.mean))
    added[left_out] = (_FAR**2) * (np.diag(linear.covariance) + linear.residual**2)[left_out]
    return added


def without(problem: Problem, linear: Linear, left_out: np.ndarray) -> Problem:
    """The problem without the bins `left_out`: their errors become so large that they say nothing.

    Nothing is compiled anew for that, as it would be for fewer bins.
    """
    return with_errors(problem, far_variance(linear, left_out))


def changed_errors(problem: Problem, linear: Linear, change: np.ndarray) -> Linear:
    """The linear problem with the variances of the bins changed by `change` (n_bins,), at the same point."""
    covariance = linear.covariance + np.diag(change)
    return replace(linear, covariance=covariance, inverse=invert(covariance, problem.measured.bins)[0])
