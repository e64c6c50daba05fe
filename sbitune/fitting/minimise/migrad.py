"""MIGRAD on an objective's exact derivatives.

F. James, M. Roos, Comput. Phys. Commun. 10 (1975) 343; iminuit.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from iminuit import Minuit

from sbitune.data.errors import ComputationError
from sbitune.fitting.likelihood.protocols import Objective
from sbitune.fitting.minimise.descent import settle

#: MINUIT's tolerance: the estimated distance to the minimum ends below 0.002 of this
_TOLERANCE = 1e-4


class _Function:
    """Value and gradient at a point, which is evaluated once for both."""

    def __init__(self, objective: Objective[Any], held: Any, offset: float) -> None:
        self._objective, self._held, self._offset = objective, held, offset
        self._last: Any = None

    def _point(self, u: Any) -> Any:
        u = np.array(u, float)
        if self._last is None or not np.array_equal(self._last.u, u):
            self._last = self._objective.point(u, self._held)
        return self._last

    def value(self, u: Any) -> float:
        """Infinite where the objective is not finite."""
        try:
            return self._point(u).value - self._offset
        except ComputationError:
            return np.inf

    def gradient(self, u: Any) -> np.ndarray:
        return self._objective.gradient(self._point(u))


def migrad(
    objective: Objective[Any],
    u: np.ndarray,
    held: Any = None,
    fixed: frozenset[int] = frozenset(),
    offset: float = 0.0,
) -> Minuit:
    """MIGRAD from u within the limits, with `held` held; parameters numbered in `fixed` stay where they are.

    Values are counted from `offset`: MINUIT takes differences of them.
    """
    frame, function = objective.frame, _Function(objective, held, offset)
    m = Minuit(function.value, u, grad=function.gradient, name=frame.names)  # pyright: ignore[reportArgumentType]
    m.errordef = Minuit.LEAST_SQUARES
    m.errors = np.full(len(u), 0.1)
    for i, name in enumerate(frame.names):
        m.limits[name] = tuple(frame.limits[i])
        m.fixed[name] = bool(frame.fixed[i]) or i in fixed
    m.strategy = 1
    m.tol = _TOLERANCE
    m.migrad()
    if not m.valid:
        m.simplex()
        m.strategy = 2
        m.migrad()
    return m


def migrad_near(objective: Objective[Any], u: np.ndarray) -> tuple[Minuit, float]:
    """MIGRAD of the likelihood, or with what can be held held at u, and what its values are counted from: for a
    likelihood whatever it has at u beside the objective with V held, which is its log det V.
    """
    held = objective.remember(u)
    if not objective.is_likelihood:
        return migrad(objective, u, held), 0.0
    offset = 0.0 if held is None else objective.point(u).value - objective.point(u, held).value
    return migrad(objective, u, offset=offset), offset


def settled_migrad(
    objective: Objective[Any], u: np.ndarray, checked: Callable[[Minuit], Minuit]
) -> tuple[Minuit, float]:
    """As `migrad_near`, and where something is held it is brought up to date at the minimum until that stays.

    `checked` gives a minimum back, or raises for one that is not valid.
    """
    if objective.is_likelihood:
        m, offset = migrad_near(objective, u)
        return checked(m), offset

    def with_held(u: np.ndarray, held: Any) -> tuple[np.ndarray, np.ndarray, Minuit]:
        m = checked(migrad(objective, u, held))
        return np.array(m.values), np.array(m.errors), m

    return settle(objective, u, with_held)[1], 0.0


def value_of(m: Minuit) -> float:
    """The minimum, NaN if there is none."""
    return np.nan if m.fval is None else float(m.fval)


def why_invalid(m: Minuit) -> str:
    """Why MIGRAD did not converge."""
    f = m.fmin
    if f is None:
        return "no minimum"
    if f.has_reached_call_limit:
        return "call limit reached"
    if f.is_above_max_edm:
        return f"estimated distance to the minimum {f.edm:.2g} too large"
    return "the second derivatives are not positive" if not f.has_posdef_covar else "no valid minimum"
