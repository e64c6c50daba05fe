"""A quick minimiser of the objective of `problem`, for many fits that all begin near their answer.

Quasi-Newton steps: second derivatives begin as those of linear least squares, 2 J^T V^-1 J, and learn from the exact
gradients (the BFGS formula: Nocedal & Wright, Numerical Optimization, eq. 6.19); every step is the minimum of the
parabola inside the limits, shortened until the objective falls. From the truth of a toy two or three steps arrive.
MIGRAD, in `minimiser`, minimises the same function from many starts; it is what a fit of the data is made with.
"""

from typing import NamedTuple

import numpy as np
import scipy.linalg
from scipy.optimize import lsq_linear

from sbitune.data.errors import ComputationError
from sbitune.fitting.likelihood.frame import Frame
from sbitune.fitting.likelihood.objective import MOST_BINS, invert, is_likelihood
from sbitune.fitting.likelihood.problem import Problem
from sbitune.fitting.likelihood.response import Response

#: the objective can fall by no more than this: a parameter is 0.0005 of its error away
_TOLERANCE = 2e-7
_STEPS, _HALVINGS = 60, 25
#: a step is taken if the objective falls by this part of what its slope promises
_ENOUGH = 1e-4
#: V that is held is brought up to date until no parameter moves by more than this part of its error
_SETTLED, _UPDATES = 0.01, 12
#: for second derivatives, in half widths of the box
_STEP = 1e-4
#: parameters nearer to the end of their range than this part of it are at their limit
_AT_LIMIT = 0.01


class Held(NamedTuple):
    """V at a point, inverted."""

    inverse: np.ndarray  #: (n_bins, n_bins)
    log_determinant: float


class Point(NamedTuple):
    """The objective at a point."""

    u: np.ndarray  #: (n_parameters,)
    value: float  #: -2 log L with log det V, or the weighted chi2
    residual: np.ndarray  #: (n_bins,) prediction - data
    lever: np.ndarray  #: (n_bins,) half the derivative of the value with respect to the prediction
    held: Held  #: V there, or where it was held

    def terms(self, weights: np.ndarray | float) -> np.ndarray:
        """(n_bins,) contributions to chi2; their sum is chi2."""
        r = weights * self.residual
        return r * (self.held.inverse @ r)


class Parabola(NamedTuple):
    """Errors at a minimum, in scaled coordinates; rows of parameters that were not free are zero."""

    covariance: np.ndarray  #: (n_parameters, n_parameters) of the parameters
    inverse_curvature: np.ndarray  #: (n_parameters, n_parameters) H^-1: the same for a likelihood


class _Start(NamedTuple):
    key: bytes
    mean: np.ndarray
    held: Held
    curvature: np.ndarray


class Quick:
    """Minimises one problem for any measured values. Use it inside `jax.enable_x64` and `few_threads`."""

    def __init__(self, problem: Problem, frame: Frame, response: Response) -> None:
        self.problem = problem
        self.frame = frame
        self.response = response
        self.is_likelihood = is_likelihood(problem)
        self._base = problem.measured.covariance(problem.correlation)
        self._weights = problem.measured.weights
        self._start: _Start | None = None
        self._toys: tuple[bytes, Held] | None = None

    def total(self, u: np.ndarray) -> np.ndarray:
        """V (n_bins, n_bins) at u."""
        return self._base + self.response.covariance(u) if self.problem.model_error else self._base

    def hold(self, u: np.ndarray) -> Held:
        """V at u. Raises `ComputationError` if it cannot be inverted."""
        return Held(*invert(self.total(u), self.problem.measured.bins))

    def hold_for_toys(self, u: np.ndarray) -> Held | None:
        """V at u, for all toys that are thrown there, where there are so many bins that inverting it for every toy
        takes longer than all else, and its change with a toy's minimum is of second order; None where it moves.
        """
        if len(self._base) <= MOST_BINS or self.is_likelihood:
            return None
        if self._toys is None or self._toys[0] != u.tobytes():
            self._toys = (u.tobytes(), self.hold(u))
        return self._toys[1]

    def point(self, values: np.ndarray, u: np.ndarray, held: Held | None = None) -> Point:
        """The objective for measured `values` (n_bins,): the likelihood, or the weighted chi2 with V held."""
        start = self._start
        if start is not None and start.key == u.tobytes():
            return self._point(values, u, start.mean, held or start.held)
        return self._point(values, u, self.response.mean(u), held)

    def _point(self, values: np.ndarray, u: np.ndarray, mean: np.ndarray, held: Held | None) -> Point:
        residual = mean - values
        if not np.isfinite(residual).all():
            label = self.problem.measured.bins.take(np.flatnonzero(~np.isfinite(residual))[:1]).labels()[0]
            where = self.problem.describe(self.frame.to_theta(u))
            raise ComputationError(f"the surrogate is not finite at {label} for {where}")
        held = held or self.hold(u)
        lever = self._weights * (held.inverse @ (self._weights * residual))
        return Point(u, float(residual @ lever) + self.is_likelihood * held.log_determinant, residual, lever, held)

    def gradient(self, point: Point) -> np.ndarray:
        """(n_parameters,) first derivatives."""
        if not self.is_likelihood:
            return 2 * self.response.slopes(point.u).T @ point.lever
        return self.response.pull(point.u, point.lever, point.held.inverse - np.outer(point.lever, point.lever))

    def minimise(
        self, values: np.ndarray, u: np.ndarray, fixed: frozenset[int] = frozenset(), held: Held | None = None
    ) -> Point:
        """The minimum within the limits from u (n_parameters,); parameters numbered in `fixed` stay where they are.

        Without a likelihood V is that of `held`, or brought up to date until the minimum stays.

        Raises:
            ComputationError: if it does not converge, or the data do not determine the parameters.
        """
        if self.is_likelihood or held is not None:
            return self._descend(values, u, fixed, None if self.is_likelihood else held)
        for _ in range(_UPDATES):
            point = self._descend(values, u, fixed, self._prepare(u).held)
            moved = np.abs(point.u - u) / np.sqrt(np.diag(self._inverse(self._curvature(u, point.held), fixed)))
            u = point.u
            if np.all(moved[self._free(fixed)] < _SETTLED):
                return self.point(values, u)
        raise ComputationError("the minimum keeps moving as the surrogate's error is brought up to date")

    def _descend(self, values: np.ndarray, u: np.ndarray, fixed: frozenset[int], held: Held | None) -> Point:
        u, free = np.clip(np.where(self.frame.fixed, self.frame.centre, u), *self.frame.limits.T), self._free(fixed)
        if held is None:
            start = self._prepare(u)
            point, curvature = self._point(values, u, start.mean, start.held), start.curvature
        else:
            point, curvature = self.point(values, u, held), self._curvature(u, held)
        gradient = self.gradient(point)
        for _ in range(_STEPS):
            low, high = self.frame.limits[free].T - point.u[free]
            step = np.zeros(len(u))
            step[free] = _box_step(curvature[np.ix_(free, free)], gradient[free], low, high)
            promised = -float(gradient @ step)
            if promised - 0.5 * step @ curvature @ step < _TOLERANCE:
                return point
            found = self._search(values, point, step, promised, held)
            change = self.gradient(found)
            curvature = _learn(curvature, found.u - point.u, change - gradient)
            point, gradient = found, change
        raise ComputationError(f"not converged after {_STEPS} steps")

    def _search(self, values: np.ndarray, point: Point, step: np.ndarray, promised: float, held: Held | None) -> Point:
        part = 1.0
        for _ in range(_HALVINGS):
            u = np.clip(point.u + part * step, *self.frame.limits.T)
            try:
                found = self.point(values, u, held)
            except ComputationError:  # the model is not finite there
                found = None
            if found is not None and found.value <= point.value - _ENOUGH * part * promised + 1e-12 * abs(point.value):
                return found
            part /= 2
        raise ComputationError("the objective does not fall along its slope")

    def _prepare(self, u: np.ndarray) -> _Start:
        """What does not depend on the data: toys of one truth share it."""
        if self._start is None or self._start.key != u.tobytes():
            held = self.hold(u)
            self._start = _Start(u.tobytes(), self.response.mean(u), held, self._curvature(u, held))
        return self._start

    def _curvature(self, u: np.ndarray, held: Held) -> np.ndarray:
        with np.errstate(all="ignore"):
            curvature = 2 * self.information(self.response.slopes(u), held)
        if not np.isfinite(curvature).all():
            raise ComputationError("chi2 is not a finite number; look at weights, values and errors of the data")
        return curvature

    def information(self, slopes: np.ndarray, held: Held) -> np.ndarray:
        """(p, p) half the second derivatives as linear least squares has them, for slopes (n_bins, p)."""
        levers = self._weights[:, None] * slopes
        return levers.T @ held.inverse @ levers

    def scatter(self, u: np.ndarray, slopes: np.ndarray, held: Held) -> np.ndarray:
        """(p, p) covariance of half the score of the weighted chi2 at u, for slopes (n_bins, p): see `errors`."""
        w = self._weights[:, None]
        lever = w * (held.inverse @ (w * slopes))
        return lever.T @ self.total(u) @ lever

    def _free(self, fixed: frozenset[int] = frozenset()) -> np.ndarray:
        return np.array([i for i in np.flatnonzero(~self.frame.fixed) if i not in fixed], int)

    def _inverse(self, curvature: np.ndarray, fixed: frozenset[int]) -> np.ndarray:
        free = self._free(fixed)
        full = np.eye(len(curvature))
        full[np.ix_(free, free)] = np.linalg.inv(curvature[np.ix_(free, free)] / 2)
        return full

    def parabola(self, values: np.ndarray, point: Point) -> Parabola:
        """Covariance of the parameters from exact second derivatives at a minimum, as `errors` has it.

        Raises `ComputationError` if they are not positive, with parameters at their limits held, too.
        """
        half = self._hessian(values, point) / 2
        free = self._free()
        room = np.min(np.abs(self.frame.limits - point.u[:, None]), axis=1)
        inside = np.array([i for i in free if room[i] > _AT_LIMIT * np.ptp(self.frame.limits[i])], int)
        for used in (free, inside):
            try:
                np.linalg.cholesky(half[np.ix_(used, used)])
            except np.linalg.LinAlgError:
                continue
            if len(used):
                return self._parabola(point, np.linalg.inv(half[np.ix_(used, used)]), used)
        raise ComputationError("the second derivatives at the minimum are not positive")

    def _parabola(self, point: Point, bread: np.ndarray, used: np.ndarray) -> Parabola:
        plain, core = np.zeros((2, len(point.u), len(point.u)))
        plain[np.ix_(used, used)] = bread
        if self.is_likelihood:
            return Parabola(plain, plain)
        slopes = self.response.slopes(point.u)[:, used]
        core[np.ix_(used, used)] = bread @ self.scatter(point.u, slopes, point.held) @ bread
        return Parabola(core, plain)

    def _hessian(self, values: np.ndarray, point: Point) -> np.ndarray:
        """Forward differences of the exact gradient."""
        held = None if self.is_likelihood else point.held
        here, rows = self.gradient(point), np.zeros((len(point.u),) * 2)
        for i in self._free():
            step = np.zeros(len(point.u))
            step[i] = _STEP if point.u[i] < self.frame.limits[i].mean() else -_STEP
            rows[i] = (self.gradient(self.point(values, point.u + step, held)) - here) / step[i]
        return 0.5 * (rows + rows.T)


def _box_step(curvature: np.ndarray, gradient: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """The step to the minimum of a parabola inside a box."""
    try:
        factor = scipy.linalg.cholesky(curvature, lower=True)
    except np.linalg.LinAlgError:
        raise ComputationError(
            "the data do not determine the parameters; select more bins, or hold some at a value with `fit.fixed`"
        ) from None
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
