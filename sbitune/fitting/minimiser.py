"""MIGRAD, HESSE and MINOS on JAX derivatives in float64, from several starts.

F. James, M. Roos, Comput. Phys. Commun. 10 (1975) 343; iminuit. Parameters are scaled to [-1, 1] in the model's box, so
that one tolerance serves all of them.

Errors. Let J be the slopes of the model at the minimum, P = V^-1, W the weights, and 2 H the second derivatives of what
is minimised (chi2 less the model's noise T, see `problem`). The residuals scatter with V, hence half the score with G,
and the covariance of the parameters is

    C = H^-1 G H^-1,   G = J^T W P W V W P W J

(the sandwich). With unit weights and a model without noise G = H and C = H^-1, the errors of chi2 + 1; with weights
their scale drops out, as it must; with a noisy model C is larger than H^-1. MINOS errors are those of chi2 + 1,
stretched by the ratio of the two.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from iminuit import Minuit
from scipy.stats import qmc

from sbitune.data.errors import ComputationError, InputError
from sbitune.fitting.config import FitConfig
from sbitune.fitting.problem import Numbers, Problem, apply_covariance, chi2_terms, model_noise, solve
from sbitune.fitting.protocols import BinnedModel
from sbitune.fitting.results import ObservableChi2, Start, Tune

#: the model's error is brought up to date until no parameter moves by more than this part of its error
_SETTLED = 0.01
_UPDATES = 8
#: MINUIT's tolerance: the estimated distance to the minimum ends below 0.002 of this
_TOLERANCE = 1e-4


def fit(problem: Problem, config: FitConfig = FitConfig()) -> Tune:
    """Fit the free parameters.

    Raises:
        InputError: for unknown parameter names in limits or fixed values, limits outside the box, or nothing to fit.
        ComputationError: if no start converges, or the errors at the minimum cannot be computed.
    """
    frame = _Frame(problem)
    with jax.enable_x64(True):
        objective = _Objective(problem, frame)
        objective.hold(frame.to_theta(frame.centre))
        ends = [_migrad(objective, frame, u) for u in _starting_points(frame, config)]
        starts = tuple(Start(frame.to_theta(np.array(m.values)), _value(m), m.valid) for m in ends)
        best = _best(ends, problem)
        best = _settle(best, objective, frame)
        return _describe(best, objective, frame, problem, config, starts)


class _Frame:
    """The scaled coordinates: u = -1..1 over the box of the model."""

    def __init__(self, problem: Problem) -> None:
        parameters = problem.parameters
        self.names = tuple(p.name for p in parameters)
        self.low = np.array([p.low for p in parameters])
        self.half = 0.5 * (np.array([p.high for p in parameters]) - self.low)
        for kind, given in (("limits", problem.limits), ("fixed", problem.fixed)):
            unknown = set(given) - set(self.names)
            if unknown:
                raise InputError(f"fit.{kind}: {min(unknown)} is no parameter of the scan ({', '.join(self.names)})")
        self.limits = np.array([self._limits(problem, p.name, p.low, p.high) for p in parameters])
        self.fixed = np.array([name in problem.fixed for name in self.names])
        self.free = tuple(name for name in self.names if name not in problem.fixed)
        if not self.free:
            raise InputError("fit.fixed: every parameter is fixed; nothing is left to fit")
        bins = len(problem.measured.bins)
        if bins < len(self.free):
            raise InputError(
                f"{bins} bins cannot determine {len(self.free)} parameters: select more, or fix parameters"
            )
        self.centre = self.limits.mean(1)
        for i, name in enumerate(self.names):
            if name in problem.fixed:
                self.centre[i] = (problem.fixed[name] - self.low[i]) / self.half[i] - 1
                if abs(self.centre[i]) > 1 + 1e-9:
                    raise InputError(f"fit.fixed.{name}: {problem.fixed[name]:g} is outside the scan's range")

    def _limits(self, problem: Problem, name: str, low: float, high: float) -> tuple[float, float]:
        a, b = problem.limits.get(name, (low, high))
        slack = 1e-9 * (high - low)
        if not (low - slack <= a < b <= high + slack):
            raise InputError(f"fit.limits.{name}: [{a:g}, {b:g}] is not inside the scan's range [{low:g}, {high:g}]")
        i = self.names.index(name)
        return (a - self.low[i]) / self.half[i] - 1, (b - self.low[i]) / self.half[i] - 1

    def to_theta(self, u: Any) -> Any:
        return self.low + (u + 1) * self.half


class _Compiled(NamedTuple):
    chi2: Callable[..., Any]
    slopes: Callable[..., Any]
    value: Callable[..., Any]
    gradient: Callable[..., Any]
    hessian: Callable[..., Any]


@functools.lru_cache(maxsize=8)
def _compile(model: BinnedModel) -> _Compiled:
    """Compile chi2 and its derivatives once for a model; toys and bootstraps then only change the numbers."""

    def chi2(u: Any, low: Any, half: Any, numbers: Numbers) -> Any:
        return jnp.sum(chi2_terms(model, low + (u + 1) * half, numbers))

    def corrected(u: Any, low: Any, half: Any, numbers: Numbers) -> Any:
        return chi2(u, low, half, numbers) - model_noise(model, low + (u + 1) * half, numbers)

    def mean(u: Any, low: Any, half: Any, numbers: Numbers) -> Any:
        return model.predict(low + (u + 1) * half).mean[numbers.indices]

    derivatives = (jax.grad(corrected), jax.hessian(corrected))
    return _Compiled(*(jax.jit(f) for f in (chi2, jax.jacfwd(mean), corrected, *derivatives)))


class _Objective:
    """chi2 as a function of u with its gradient, the model's error held at a point that can be moved."""

    def __init__(self, problem: Problem, frame: _Frame) -> None:
        self.problem = problem
        self._compiled = _compile(problem.model)
        self._box = jnp.asarray(frame.low), jnp.asarray(frame.half)
        self.numbers: Numbers

    def hold(self, theta: np.ndarray) -> None:
        self.numbers = self.problem.numbers_at(theta)

    def value(self, u: Any) -> float:
        return float(self._compiled.value(jnp.asarray(u), *self._box, self.numbers))

    def gradient(self, u: Any) -> Any:
        return np.asarray(self._compiled.gradient(jnp.asarray(u), *self._box, self.numbers))

    def chi2(self, u: np.ndarray) -> float:
        return float(self._compiled.chi2(jnp.asarray(u), *self._box, self.numbers))

    def scatter(self, u: np.ndarray) -> np.ndarray:
        """G: covariance of half the score."""
        w = self.numbers.weights[:, None]
        slopes = self._compiled.slopes(jnp.asarray(u), *self._box, self.numbers)
        lever = w * solve(w * slopes, self.numbers)
        return np.asarray(lever.T @ apply_covariance(lever, self.numbers))

    def hessian(self, u: np.ndarray) -> np.ndarray:
        return np.asarray(self._compiled.hessian(jnp.asarray(u), *self._box, self.numbers))


def _starting_points(frame: _Frame, config: FitConfig) -> list[np.ndarray]:
    low, high = frame.limits.T
    points = qmc.Sobol(len(frame.names), rng=config.seed).random_base2(max(1, config.starts.bit_length()))
    # kept off the ends, where MINUIT's transformation of limits has no slope
    spread = [low + (0.05 + 0.9 * point) * (high - low) for point in points[: config.starts - 1]]
    return [frame.centre] + [np.where(frame.fixed, frame.centre, u) for u in spread]


def _migrad(objective: _Objective, frame: _Frame, u: np.ndarray) -> Minuit:
    m = Minuit(objective.value, u, grad=objective.gradient, name=frame.names)  # pyright: ignore[reportArgumentType]
    m.errordef = Minuit.LEAST_SQUARES
    m.errors = np.full(len(u), 0.1)
    for i, name in enumerate(frame.names):
        m.limits[name] = tuple(frame.limits[i])
        m.fixed[name] = bool(frame.fixed[i])
    m.strategy = 1
    m.tol = _TOLERANCE
    m.migrad()
    if not m.valid:
        m.simplex()
        m.strategy = 2
        m.migrad()
    return m


def _best(ends: list[Minuit], problem: Problem) -> Minuit:
    valid = [m for m in ends if m.valid and m.fval is not None and np.isfinite(m.fval)]
    if not valid:
        reason = _reason(ends[0])
        raise ComputationError(
            f"the fit failed: none of {len(ends)} starts converged ({reason}); look at the surrogate (held-out pulls), "
            "widen the parameters' ranges or fix a parameter"
        )
    return min(valid, key=_value)


def _value(m: Minuit) -> float:
    return np.nan if m.fval is None else float(m.fval)


def _reason(m: Minuit) -> str:
    f = m.fmin
    if f is None:
        return "no minimum"
    if f.has_reached_call_limit:
        return "call limit reached"
    if f.is_above_max_edm:
        return f"estimated distance to the minimum {f.edm:.2g} too large"
    return "the second derivatives are not positive" if not f.has_posdef_covar else "no valid minimum"


def _settle(best: Minuit, objective: _Objective, frame: _Frame) -> Minuit:
    """Minimise again with the model's error at the minimum, until the minimum stays."""
    for _ in range(_UPDATES):
        u = np.array(best.values)
        objective.hold(frame.to_theta(u))
        again = _best([_migrad(objective, frame, u)], objective.problem)
        moved = np.abs(np.array(again.values) - u) / np.maximum(np.array(again.errors), 1e-12)
        best = again
        if np.all(moved[~frame.fixed] < _SETTLED):
            return best
    raise ComputationError("the fit failed: the minimum keeps moving as the surrogate's error is brought up to date")


class _Errors(NamedTuple):
    covariance: np.ndarray
    difference: float
    minos: dict[str, tuple[float, float]]
    notes: list[str]


def _errors(m: Minuit, objective: _Objective, frame: _Frame, at_limit: tuple[str, ...], config: FitConfig) -> _Errors:
    m.hesse()
    if m.covariance is None:
        raise ComputationError(f"the fit failed: HESSE gives no covariance ({_reason(m)})")
    u = np.array(m.values)
    notes: list[str] = []
    free, bread = _bread(objective.hessian(u) / 2, frame, at_limit, notes)
    covariance = np.zeros((len(u), len(u)))
    covariance[np.ix_(free, free)] = bread @ objective.scatter(u)[np.ix_(free, free)] @ bread
    plain = np.sqrt(np.diag(bread))
    stretch = np.ones(len(u))
    stretch[free] = np.sqrt(np.diag(covariance)[free]) / plain
    # MINUIT's own errors pass through the transformation of the limits, which is flat at a limit
    hesse = np.sqrt(np.diag(np.array(m.covariance))[free])
    difference = 0.0 if at_limit else float(np.max(np.abs(plain / hesse - 1)))
    minos = _minos(m, frame, notes, stretch) if config.minos else {}
    return _Errors(covariance, difference, minos, notes)


def _bread(
    half_hessian: np.ndarray, frame: _Frame, at_limit: tuple[str, ...], notes: list[str]
) -> tuple[np.ndarray, np.ndarray]:
    """The inverse of half the second derivatives, and the parameters that it is of.

    At the end of its range a parameter need not be at a minimum; if the derivatives say so, the errors are those of the
    others with it held there.
    """
    free = np.flatnonzero(~frame.fixed)
    try:
        return free, _invert(half_hessian[np.ix_(free, free)])
    except ComputationError:
        inside = np.array([i for i in free if frame.names[i] not in at_limit], int)
        if len(inside) in (0, len(free)):
            raise
    bread = _invert(half_hessian[np.ix_(inside, inside)])
    notes.append(f"no error can be given for {', '.join(at_limit)}; the others' are for it staying at its limit")
    return inside, bread


def _invert(half_hessian: np.ndarray) -> np.ndarray:
    try:
        np.linalg.cholesky(half_hessian)
    except np.linalg.LinAlgError:
        raise ComputationError(
            "the fit failed: the data's information on the parameters is not larger than the noise of the surrogate; "
            "make more events or runs, lower the surrogate's order, narrow the ranges or fix a parameter"
        ) from None
    return np.linalg.inv(half_hessian)


def _minos(m: Minuit, frame: _Frame, notes: list[str], stretch: np.ndarray) -> dict[str, tuple[float, float]]:
    found: dict[str, tuple[float, float]] = {}
    before = _value(m)
    try:
        m.minos(*frame.free)
    except RuntimeError as error:
        notes.append(f"MINOS failed: {error}")
        return found
    if _value(m) < before - 0.01:
        raise ComputationError("the fit failed: MINOS found a lower minimum; raise fit.starts")
    for name in frame.free:
        e = m.merrors[name]
        i = frame.names.index(name)
        scale = float(frame.half[i] * stretch[i])
        if e.is_valid:
            found[name] = (e.lower * scale, e.upper * scale)
        else:
            side = "at its limit" if (e.at_lower_limit or e.at_upper_limit) else "not found"
            notes.append(f"MINOS errors of {name}: {side}")
    return found


def _at_limit(m: Minuit, frame: _Frame) -> tuple[str, ...]:
    near = []
    for i, name in enumerate(frame.names):
        if not frame.fixed[i]:
            room = min(m.values[name] - frame.limits[i, 0], frame.limits[i, 1] - m.values[name])
            if room < 0.01 * (frame.limits[i, 1] - frame.limits[i, 0]):
                near.append(name)
    return tuple(near)


def _describe(
    m: Minuit, objective: _Objective, frame: _Frame, problem: Problem, config: FitConfig, starts: tuple[Start, ...]
) -> Tune:
    at_limit = _at_limit(m, frame)
    u, chi2 = np.array(m.values), objective.chi2(np.array(m.values))
    edm, calls = float(m.fmin.edm) if m.fmin else np.nan, int(m.nfcn)
    errors = _errors(m, objective, frame, at_limit, config)
    theta = frame.to_theta(u)
    unit = objective.numbers._replace(weights=jnp.ones(len(problem.measured.bins)))
    terms = np.asarray(chi2_terms(problem.model, jnp.asarray(theta), unit))
    notes = [*errors.notes, *(f"{name} is at the end of its range: widen it" for name in at_limit)]
    others = [s for s in starts if s.valid and abs(s.chi2 - min(t.chi2 for t in starts if t.valid)) > 0.1]
    if others:
        notes.append(f"{len(others)} of {len(starts)} starts ended in a higher minimum")
    return Tune(
        parameters=problem.parameters,
        values=theta,
        covariance=errors.covariance * np.outer(frame.half, frame.half),
        minos=errors.minos,
        chi2=chi2,
        chi2_unit=float(terms.sum()),
        ndf=len(problem.measured.bins) - len(frame.free),
        free=frame.free,
        at_limit=at_limit,
        observables=_per_observable(problem, terms),
        starts=starts,
        edm=edm,
        calls=calls,
        hesse_difference=errors.difference,
        status="at a limit" if at_limit else "converged",
        notes=tuple(notes),
    )


def _per_observable(problem: Problem, terms: np.ndarray) -> tuple[ObservableChi2, ...]:
    bins, weights = problem.measured.bins, problem.measured.weights
    rows = []
    for path in bins.paths():
        mine = bins.of(path)
        rows.append(ObservableChi2(path, float(terms[mine].sum()), len(mine), float(weights[mine].mean())))
    return tuple(rows)
