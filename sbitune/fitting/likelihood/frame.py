"""The coordinates of a fit: parameters scaled to [-1, 1] over the model's box, so that one tolerance serves all."""

from typing import Any

import numpy as np

from sbitune.data.errors import InputError
from sbitune.fitting.likelihood.problem import Problem

#: ends of ranges are printed with six digits: what is outside by no more, in parts of the range, is the end
ROUNDED = 1e-5


class Frame:
    """Scaled coordinates u with limits and fixed parameters.

    Raises `InputError` for unknown parameter names in limits or fixed values, limits outside the box, fewer bins than
    free parameters, or nothing to fit.
    """

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
                if abs(self.centre[i]) > 1 + 2 * ROUNDED:
                    raise InputError(f"fit.fixed.{name}: {problem.fixed[name]:g} is outside the scan's range")
                self.centre[i] = np.clip(self.centre[i], -1.0, 1.0)

    def _limits(self, problem: Problem, name: str, low: float, high: float) -> tuple[float, float]:
        a, b = problem.limits.get(name, (low, high))
        slack = ROUNDED * (high - low)
        if not (low - slack <= a < b <= high + slack):
            raise InputError(f"fit.limits.{name}: [{a:g}, {b:g}] is not inside the scan's range [{low:g}, {high:g}]")
        i, a, b = self.names.index(name), max(a, low), min(b, high)
        return (a - self.low[i]) / self.half[i] - 1, (b - self.low[i]) / self.half[i] - 1

    def to_theta(self, u: Any) -> Any:
        """The generator's units."""
        return self.low + (u + 1) * self.half

    def to_unit(self, theta: Any) -> Any:
        """Scaled coordinates."""
        return (theta - self.low) / self.half - 1
