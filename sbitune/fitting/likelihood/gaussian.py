"""The Gaussian likelihood of `problem`, and the weighted chi2 with V held, in float64 by LAPACK.

Linear algebra is not compiled: derivatives through a Cholesky decomposition take JAX longer to compile than a fit
takes.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, Self

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial

from sbitune.data.errors import ComputationError
from sbitune.fitting.likelihood.algebra import invert, invert_positive, root_of_covariance
from sbitune.fitting.likelihood.batches import in_batches
from sbitune.fitting.likelihood.curvature import difference_hessian
from sbitune.fitting.likelihood.density import Numbers, at_unit, chi2_at_unit, many_points
from sbitune.fitting.likelihood.frame import Frame
from sbitune.fitting.likelihood.measured import Measured
from sbitune.fitting.likelihood.precision import require_double_precision
from sbitune.fitting.likelihood.protocols import BinnedModel, PartMoments
from sbitune.fitting.likelihood.response import CompiledResponse, Response


class GaussianProblem(Protocol):
    """What the objective is made from; `problem.BinnedProblem` says what its parts are."""

    @property
    def model(self) -> BinnedModel:
        """The model of every bin."""
        ...

    @property
    def measured(self) -> Measured:
        """The data."""
        ...

    @property
    def correlation(self) -> np.ndarray | None:
        """(n_bins, n_bins) of Monte Carlo errors."""
        ...

    @property
    def model_error(self) -> bool:
        """Whether the model's error counts."""
        ...

    @property
    def many_bins(self) -> bool:
        """Whether matrices are inverted as rarely as possible."""
        ...

    @property
    def is_likelihood(self) -> bool:
        """Whether there is a likelihood."""
        ...

    def frame(self) -> Frame:
        """Coordinates."""
        ...


@dataclass(frozen=True, eq=False)
class Held:
    """V at a point, and inverted."""

    covariance: np.ndarray  #: (n_bins, n_bins)
    inverse: np.ndarray  #: (n_bins, n_bins)
    log_determinant: float


class GaussianPoint(NamedTuple):
    """The objective at a point."""

    u: np.ndarray  #: (n_parameters,)
    value: float  #: -2 log L with log det V; the weighted chi2 if V was held elsewhere or there is no likelihood
    held: Held  #: V there, or where it was held
    moving: bool  #: whether V is that of the point, and log det V counts
    residual: np.ndarray  #: (n_bins,) prediction - data
    lever: np.ndarray  #: (n_bins,) half the derivative of the value with respect to the prediction

    def terms(self, weights: np.ndarray | float = 1.0) -> np.ndarray:
        """(n_bins,) contributions to chi2; their sum is chi2."""
        r = weights * self.residual
        return r * (self.held.inverse @ r)


@dataclass
class _Memory:
    """What does not depend on the data, for the point where fits of toys begin."""

    key: bytes = b""
    mean: np.ndarray | None = None
    held: Held | None = None
    information: np.ndarray | None = None
    toys: tuple[bytes, Held] | None = None
    centre: Held | None = None  #: V in the middle of the limits, from which `values` count


class GaussianObjective:
    """A problem's objective as a function of u. Use it inside `double_precision`.

    Args:
        problem: what is fitted.
        response: how its model answers; by default compiled.
    """

    def __init__(self, problem: GaussianProblem, response: Response | None = None) -> None:
        require_double_precision()
        self.problem = problem
        self.frame: Frame = problem.frame()
        self.response: Response = response or CompiledResponse(problem.model, self.frame, problem.measured.indices)
        self.is_likelihood: bool = problem.is_likelihood
        self.parts: tuple[str, ...] = tuple(problem.measured.bins.paths())
        self._places = [problem.measured.bins.of(path) for path in self.parts]  # every toy asks for them
        self.data: np.ndarray = problem.measured.values  #: (n_bins,)
        self._base = problem.measured.covariance(problem.correlation)
        self._weights = problem.measured.weights
        self._memory = _Memory()

    def refit(self, data: np.ndarray) -> Self:
        """The same for other measured values (n_bins,)."""
        other = copy.copy(self)
        other.data = np.asarray(data, float)
        return other

    def with_weights(self, weights: np.ndarray) -> Self:
        """The same with other weights (n_bins,), for a problem that is no likelihood with either."""
        other = copy.copy(self)
        other._weights, other._memory = weights, _Memory()
        return other

    def covariance(self, u: np.ndarray) -> np.ndarray:
        """V (n_bins, n_bins) at u."""
        return self._base + self.response.covariance(u) if self.problem.model_error else self._base

    def hold(self, u: np.ndarray) -> Held:
        """V at u. Raises `ComputationError` if it cannot be inverted, or naming the bin that is not finite."""
        v = self.covariance(u)
        bad = ~np.isfinite(v).all(axis=0)
        if bad.any():
            self._refuse(u, bad)
        return Held(v, *invert(v, self.problem.measured.bins))

    @property
    def over_data(self) -> None:
        """V is held."""

    def hold_for_toys(self, u: np.ndarray) -> Held | None:
        """V at u, for all toys that are thrown there, where there are so many bins that inverting it for every toy
        takes longer than all else, and its change with a toy's minimum is of second order; None where it moves.
        """
        if not self.problem.many_bins or self.is_likelihood:
            return None
        if self._memory.toys is None or self._memory.toys[0] != u.tobytes():
            self._memory.toys = (u.tobytes(), self.hold(u))
        return self._memory.toys[1]

    def remember(self, u: np.ndarray) -> Held:
        """V at u; with it prediction and information are kept, which toys of one truth share."""
        memory = self._memory
        if memory.key != u.tobytes() or memory.held is None:
            held = self.hold(u)
            memory.mean, memory.information = self.response.mean(u), self._information(u, held)
            memory.key, memory.held = u.tobytes(), held
        assert memory.held is not None
        return memory.held

    def point(self, u: np.ndarray, held: Held | None = None) -> GaussianPoint:
        """The likelihood; with `held`, and where there is none, the weighted chi2 with V held, there if nowhere else.

        Raises `ComputationError` naming the bin if the model is not finite.
        """
        memory, moving = self._memory, held is None
        known = memory.key == u.tobytes() and memory.mean is not None
        residual = (memory.mean if known else self.response.mean(u)) - self.data
        bad = np.logical_not(np.isfinite(residual))
        if bad.any():
            self._refuse(u, bad)
        if held is None:
            held = memory.held if known and memory.held is not None else self.hold(u)
        moving = moving and self.is_likelihood
        lever = self._weights * (held.inverse @ (self._weights * residual))
        value = float(residual @ lever) + (held.log_determinant if moving else 0.0)
        return GaussianPoint(u, value, held, moving, residual, lever)

    def _refuse(self, u: np.ndarray, bad: Any) -> None:
        label = self.problem.measured.bins.take(np.flatnonzero(bad)[:1]).labels()[0]
        raise ComputationError(f"the prediction is not finite at {label} for {self.frame.describe(u)}")

    def gradient(self, point: GaussianPoint) -> np.ndarray:
        """(n_parameters,) first derivatives, V moving or held as it is at the point."""
        if not point.moving:
            return 2 * self.response.slopes(point.u).T @ point.lever
        return self.response.pull(point.u, point.lever, point.held.inverse - np.outer(point.lever, point.lever))

    def information(self, point: GaussianPoint) -> np.ndarray:
        """(n_parameters, n_parameters) half the second derivatives as linear least squares has them."""
        memory = self._memory
        if memory.information is not None and memory.held is point.held and memory.key == point.u.tobytes():
            return memory.information
        return self._information(point.u, point.held)

    def _information(self, u: np.ndarray, held: Held) -> np.ndarray:
        with np.errstate(all="ignore"):
            levers = self._weights[:, None] * self.response.slopes(u)
            information = levers.T @ held.inverse @ levers
        if not np.isfinite(information).all():
            raise ComputationError("chi2 is not a finite number; look at weights, values and errors of the data")
        return information

    def hessian(self, point: GaussianPoint, central: bool = True) -> np.ndarray:
        """(n_parameters, n_parameters) second derivatives: differences of the exact first ones."""
        return difference_hessian(self, point, None if point.moving else point.held, central)

    def scatter(self, point: GaussianPoint) -> np.ndarray:
        """(n_parameters, n_parameters) covariance of half the score of the weighted chi2: J^T W P W V W P W J."""
        w = self._weights[:, None]
        lever = w * (point.held.inverse @ (w * self.response.slopes(point.u)))
        return lever.T @ point.held.covariance @ lever

    def statistic(self, point: GaussianPoint) -> np.ndarray:
        """(n_observables,) contributions to the weighted chi2."""
        terms = point.terms(self._weights)
        return np.array([terms[mine].sum() for mine in self._places])

    def moments(self, point: GaussianPoint) -> tuple[PartMoments, ...]:
        """Moments of chi2 of unit weights, in all and per observable.

        Residuals r have the covariance V_r = V - J (J^T V^-1 J)^-1 J^T that a fit leaves of V. The part of an
        observable with the bins D is r^T S r with S = (D V^-1 + V^-1 D) / 2, of mean tr(S V_r) and variance
        2 tr(S V_r S V_r).
        """
        limits, p = self.frame.limits, point.held.inverse
        inside = ~self.frame.fixed & (point.u > limits[:, 0]) & (point.u < limits[:, 1])
        slopes = self.response.slopes(point.u)[:, inside]
        left = self.covariance(point.u) - slopes @ invert_positive(slopes.T @ p @ slopes) @ slopes.T  # V_r
        one = p @ left
        two = one @ p
        unit = bool(np.all(self._weights == 1.0))
        found = []
        for mine in (np.arange(len(self.data)), *self._places):
            these = np.ix_(mine, mine)
            variance = np.sum(one[these] * one[these].T) + np.sum(two[these] * left[these])
            found.append(PartMoments(float(np.trace(one[these])), float(variance), unit))
        return tuple(found)

    def numbers(self, held: Held) -> Numbers:
        """For `minus_two_log_likelihood`, which then counts from log det V where it is held."""
        scale = np.sqrt(np.diag(held.covariance))
        parts = (self.problem.measured.indices, self.data, self._base, float(self.problem.model_error), scale)
        return Numbers(*(jnp.asarray(part) for part in (*parts, held.log_determinant)))

    def traceable(self, held: Held) -> Callable[[Any], Any]:
        """-2 log L, counted from log det V where it is held; without a likelihood the chi2 of unit weights, V held."""
        model, numbers = self.problem.model, self.numbers(held)
        if self.is_likelihood:
            return Partial(at_unit(model), *self._box(), numbers)
        return Partial(chi2_at_unit(model), *self._box(), numbers, jnp.asarray(held.inverse))

    def _box(self) -> tuple[Any, Any]:
        return jnp.asarray(self.frame.low), jnp.asarray(self.frame.half)

    def values(self, u: np.ndarray) -> np.ndarray:
        """(n,) -2 log L at points u (n, n_parameters), counted from log det V at the middle of the limits."""
        if self._memory.centre is None:
            self._memory.centre = self.hold(self.frame.centre)
        numbers = self.numbers(self._memory.centre)
        compiled, box = many_points(self.problem.model), self._box()
        return in_batches(lambda points: compiled(*box, numbers, points), u)

    def draw(self, key: jax.Array, u: np.ndarray, n: int) -> np.ndarray:
        """(n, n_bins) data sets d ~ N(f(u), V(u)): what the model does not know of its own answer varies from toy to
        toy as the measurement does, since that is what the fit takes V to say.
        """
        return self.response.mean(u) + fluctuate(key, self.covariance(u), n)


def fluctuate(key: jax.Array, v: np.ndarray, n: int) -> np.ndarray:
    """(n, n_bins) Gaussian fluctuations with the covariance v (n_bins, n_bins). Use it inside `double_precision`.

    Raises `ComputationError` if v is not positive definite.
    """
    require_double_precision()
    if not jnp.issubdtype(key.dtype, jax.dtypes.prng_key):
        raise TypeError("need a typed random key such as jax.random.key(1)")
    return np.asarray(jax.random.normal(key, (n, len(v)), float)) @ root_of_covariance(v).T


def residual_terms(values: Any, measured: Measured, v: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """(n_bins,) contributions r_b (V^-1 r)_b of predicted contents `values` (n_bins,); their sum is chi2."""
    r = (1.0 if weights is None else weights) * (np.asarray(values) - measured.values)
    return r * (invert(v, measured.bins)[0] @ r)
