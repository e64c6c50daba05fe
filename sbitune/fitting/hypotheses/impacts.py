r"""Impacts and pulls: what each auxiliary measurement does to a result, by implicit differentiation of the minimum.

At the minimum g(theta, a) = 0, g the gradient of -2 log L with auxiliary measurements a, and H its derivative. Hence

    d theta / d a = -H^-1 dg / da,

for all measurements from one matrix, without a fit. Times the error of a measurement it is its share of the error of
the result; with shares of the other data their squares add up to the variance (A. Pinto et al., arXiv:2307.04007). The
usual impact, by how much the result moves when a nuisance parameter is held one of its errors away from the minimum, is
C_kj / C_jj^1/2 to the same order. Both are also found by fits, where the model is not linear within an error.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sbitune.data.errors import InputError
from sbitune.fitting.hypotheses.profiled import Fits, Profiled
from sbitune.fitting.likelihood.algebra import invert_positive
from sbitune.fitting.likelihood.product import Product
from sbitune.fitting.likelihood.terms.constraints import Constraint, GaussianConstraints, PoissonConstraints
from sbitune.fitting.results import Fit


@dataclass(frozen=True, eq=False)
class Impact:
    """What one constrained parameter does to the result."""

    parameter: str
    measured: float  #: the auxiliary measurement, in units of the parameter
    error: float  #: its error; for a count the root of what was seen, as a part of what 1 expects
    value: float  #: where the fit has the parameter
    fitted_error: float  #: its error in the fit; 0 if it is at the end of its range
    shift: float  #: of the result, if the measurement moves by its error: d result / d a times it
    held: float  #: of the result, if the parameter is held one fitted error above its value
    refitted: tuple[float, float] | None  #: `shift` by fits with the measurement one error down, and up
    reheld: tuple[float, float] | None  #: `held` by fits with the parameter one fitted error down, and up

    @property
    def pull(self) -> float:
        """How far the fit is from the measurement, in its errors."""
        return (self.value - self.measured) / self.error

    @property
    def constraint(self) -> float:
        """Error of the fit over that of the measurement: below 1 the data know more."""
        return self.fitted_error / self.error


@dataclass(frozen=True, eq=False)
class Impacts:
    """Impacts on one parameter, the largest first."""

    parameter: str
    value: float
    error: float
    rows: tuple[Impact, ...]

    @property
    def statistical(self) -> float:
        """Error that the measurements leave: that of the data themselves."""
        return float(np.sqrt(max(self.error**2 - sum(row.shift**2 for row in self.rows), 0.0)))

    def __str__(self) -> str:
        """Table, as a terminal shows it."""
        width = max([len(row.parameter) for row in self.rows] + [9])
        lines = [f"{self.parameter} = {self.value:.5g} +- {self.error:.4g}, of the data alone {self.statistical:.4g}"]
        lines.append(f"{'':<{width}}  {'pull':>7} {'constraint':>10} {'shift':>10} {'held':>10}")
        for row in self.rows:
            moved = f"{row.shift:>+10.4g} {row.held:>+10.4g}"
            lines.append(f"{row.parameter:<{width}}  {round(row.pull, 2) + 0.0:>+7.2f} {row.constraint:>10.3f} {moved}")
        return "\n".join(lines)


class _Auxiliary(NamedTuple):
    """An auxiliary measurement."""

    parameter: str
    term: int
    place: int | None  #: in the data of the term; None if these are one number
    value: float  #: as the data have it
    error: float
    unit: float  #: of the data, for one of the parameter


def impacts(problem: Product, name: str, best: Fit | None = None, refits: bool = True) -> Impacts:
    """Impacts of all auxiliary measurements on a parameter.

    Args:
        problem: the fit.
        name: the parameter that is the result.
        best: a fit of the data to begin from.
        refits: whether to find impacts by fits, too: four for each measurement.

    Raises:
        InputError: if the parameter is not free, or no free parameter has an auxiliary measurement.
        ComputationError: if the data cannot be fitted, or second derivatives are not positive there.
    """
    profiled = Profiled(problem, name)
    free = profiled.best(best)
    frame, u = profiled.frame, free.u[0]
    auxiliary = _auxiliary(problem)
    if not auxiliary:
        raise InputError(f"no free parameter beside {name} has an auxiliary measurement: nothing has an impact")
    with problem.computing():
        hessian, mixed = _derivatives(problem, u, auxiliary)
    # a parameter that is pushed against the end of its range does not follow
    moving = np.flatnonzero(~frame.fixed & ~_pushed(problem, u))
    if profiled.i not in moving:
        raise InputError(f"{name} is at the end of its range, where nothing moves it; widen the range")
    inverse = np.zeros_like(hessian)
    inverse[np.ix_(moving, moving)] = invert_positive(hessian[np.ix_(moving, moving)])
    slopes = -(inverse @ mixed)[profiled.i] * frame.half[profiled.i]
    covariance = 2 * inverse * np.outer(frame.half, frame.half)
    theta, errors = frame.to_theta(u), np.sqrt(np.diag(covariance))
    moved = _refit(profiled, free, auxiliary, errors) if refits else None
    rows = []
    for k, aux in enumerate(auxiliary):
        j, measured = frame.names.index(aux.parameter), aux.value / aux.unit
        held = covariance[profiled.i, j] / errors[j] if errors[j] > 0 else 0.0
        pairs = (None, None) if moved is None else tuple((float(x[k, 0]), float(x[k, 1])) for x in moved)
        error, shift = aux.error / aux.unit, float(slopes[k] * aux.error)
        rows.append(
            Impact(aux.parameter, measured, error, float(theta[j]), float(errors[j]), shift, float(held), *pairs)
        )
    rows.sort(key=lambda row: -abs(row.shift))
    return Impacts(name, float(theta[profiled.i]), float(errors[profiled.i]), tuple(rows))


def _auxiliary(problem: Product) -> list[_Auxiliary]:
    """The measurements of all free parameters."""
    found = []
    for t, (term, data) in enumerate(zip(problem.terms, problem.data, strict=True)):
        if isinstance(term, Constraint):
            rows = [(term.parameter, None, float(data), term.error, 1.0)]
        elif isinstance(term, GaussianConstraints):
            rows = [(name, k, float(data[k]), float(term.errors[k]), 1.0) for k, name in enumerate(term.constrained)]
        elif isinstance(term, PoissonConstraints):
            rows = [
                (name, k, float(data[k]), float(np.sqrt(data[k])), float(term.scales[k]))
                for k, name in enumerate(term.constrained)
                if data[k] > 0  # of no count the error is none
            ]
        else:
            continue
        found += [_Auxiliary(row[0], t, *row[1:]) for row in rows if row[0] not in problem.fixed]
    return found


def _derivatives(problem: Product, u: np.ndarray, auxiliary: list[_Auxiliary]) -> tuple[np.ndarray, np.ndarray]:
    """Second derivatives by parameters (p, p), and by parameters and measurements (p, n)."""
    data = jax.tree.map(jnp.asarray, problem.data)
    terms = sorted({aux.term for aux in auxiliary})
    each = problem.compiled.over_data.each

    def gradient(given: dict[int, Any]) -> Any:
        whole = tuple(given.get(t, one) for t, one in enumerate(data))
        return jax.grad(lambda u: jnp.sum(each(u, whole)))(jnp.asarray(u))

    mixed = jax.jit(jax.jacfwd(gradient))({t: data[t] for t in terms})
    columns = [mixed[aux.term] if aux.place is None else mixed[aux.term][:, aux.place] for aux in auxiliary]
    return np.asarray(problem.compiled.hessian(jnp.asarray(u), data)), np.stack(columns, axis=1)


def _pushed(problem: Product, u: np.ndarray) -> np.ndarray:
    """(p,) True where a parameter is at an end of its range and the likelihood would go on."""
    low, high = problem.frame().limits.T
    with problem.computing():
        gradient = np.asarray(problem.compiled.gradient(jnp.asarray(u), jax.tree.map(jnp.asarray, problem.data)))
    return ((u <= low) & (gradient > 0)) | ((u >= high) & (gradient < 0))


def _refit(
    profiled: Profiled, free: Fits, auxiliary: list[_Auxiliary], errors: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(n, 2) by how much the result moves: measurements down and up, parameters held down and up."""
    data, frame, n, sides = profiled.observed(), profiled.frame, len(auxiliary), (-1, 1)
    shifted = [_with(data, aux, aux.value + side * aux.error) for aux in auxiliary for side in sides]
    start = np.tile(free.u[0], (4 * n, 1))
    moving = np.tile(~frame.fixed, (4 * n, 1))
    for k, aux in enumerate(auxiliary):
        j = frame.names.index(aux.parameter)
        rows = 2 * n + 2 * k + np.arange(2)
        start[rows, j] = np.clip(free.u[0, j] + np.array(sides) * errors[j] / frame.half[j], *frame.limits[j])
        moving[rows, j] = False
    found = profiled.minima([*shifted, *[data] * (2 * n)], start, moving)
    profiled.need_all(found, "shifted measurements")
    moved = (profiled.values(found) - profiled.values(free)[0]).reshape(2, n, 2)
    return moved[0], moved[1]


def _with(data: tuple[Any, ...], aux: _Auxiliary, value: float) -> tuple[Any, ...]:
    """Data with one measurement replaced."""
    one = np.array(data[aux.term], float)
    if aux.place is None:
        one = np.asarray(value)
    else:
        one[aux.place] = max(value, 0.0) if aux.unit != 1.0 else value
    return (*data[: aux.term], one, *data[aux.term + 1 :])
