"""Fits that start where another ended, and the linear problem at their end.

Near the minimum the residuals are r(u + du) = r + J du. With V the covariance of the data, the projection

    P = V^-1 - V^-1 J (J^T V^-1 J)^-1 J^T V^-1

takes out what the parameters can absorb: P r does not change along J, and r^T P r is the smallest r^T V^-1 r. P belongs
to the likelihood of the contrasts of the data that no parameter moves: with K (n_bins, n_bins - n_parameters) of full
rank and K^T J = 0, P = K (K^T V K)^-1 K^T.
"""

from dataclasses import dataclass, replace

import numpy as np
from iminuit import Minuit

from sbitune.data.errors import ComputationError
from sbitune.fitting.likelihood.algebra import invert, invert_positive
from sbitune.fitting.likelihood.gaussian import GaussianObjective, Held
from sbitune.fitting.likelihood.problem import BinnedProblem
from sbitune.fitting.minimise.migrad import settled_migrad

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


def linearise(problem: BinnedProblem, theta: np.ndarray) -> Linear:
    """The linear problem at theta (n_parameters,), which is taken to be its minimum."""
    with problem.computing():
        objective = problem.objective()
        u = objective.frame.to_unit(np.asarray(theta, float))
        return _linear(objective, u, objective.hold(u))


def refit(problem: BinnedProblem, theta: np.ndarray) -> Linear:
    """Minimise from theta (n_parameters,) alone: for problems that differ little from one that was minimised there.

    Raises `ComputationError` if the minimisation does not converge.
    """
    with problem.computing():
        objective = problem.objective()
        frame = objective.frame
        start = np.clip(frame.to_unit(np.asarray(theta, float)), *frame.limits.T)
        m, _ = settled_migrad(objective, np.where(frame.fixed, frame.centre, start), _converged)
        u = np.array(m.values)
        return _linear(objective, u, objective.hold(u))


def _converged(m: Minuit) -> Minuit:
    if not m.valid:
        raise ComputationError("the fit failed: a minimisation that started from another minimum did not converge")
    return m


def _linear(objective: GaussianObjective, u: np.ndarray, held: Held) -> Linear:
    frame = objective.frame
    used = np.flatnonzero(~frame.fixed & ~frame.at_limit(u))
    point = objective.point(u, held)
    return Linear(
        u,
        frame.to_theta(u),
        point.residual + objective.data,
        point.residual,
        used,
        objective.response.slopes(u)[:, used],
        held.covariance,
        held.inverse,
    )


def with_errors(problem: BinnedProblem, added: np.ndarray) -> BinnedProblem:
    """The problem with variances `added` (n_bins,) on top of the independent errors."""
    errors = np.sqrt(problem.measured.errors**2 + added)
    return replace(problem, measured=replace(problem.measured, errors=errors))


def far_variance(linear: Linear, left_out: np.ndarray) -> np.ndarray:
    """(n_bins,) variances with which the bins `left_out` say nothing."""
    added = np.zeros(len(linear.mean))
    added[left_out] = (_FAR**2) * (np.diag(linear.covariance) + linear.residual**2)[left_out]
    return added


def without(problem: BinnedProblem, linear: Linear, left_out: np.ndarray) -> BinnedProblem:
    """The problem without the bins `left_out`: their errors become so large that they say nothing.

    Nothing is compiled anew for that, as it would be for fewer bins.
    """
    return with_errors(problem, far_variance(linear, left_out))


def changed_errors(problem: BinnedProblem, linear: Linear, change: np.ndarray) -> Linear:
    """The linear problem with the variances of the bins changed by `change` (n_bins,), at the same point."""
    covariance = linear.covariance + np.diag(change)
    return replace(linear, covariance=covariance, inverse=invert(covariance, problem.measured.bins)[0])
