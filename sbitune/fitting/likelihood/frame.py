"""The coordinates of a fit: parameters scaled to [-1, 1] over the model's box, so that one tolerance serves all."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sbitune.data.errors import ArgumentError, InputError
from sbitune.data.parameter import Parameter

#: ends of ranges are printed with six digits: what is outside by no more, in parts of the range, is the end
ROUNDED = 1e-5
#: parameters nearer to the end of their range than this part of it are at their limit: it is what MINUIT's
#: transformation of limits leaves of an error there, and below the errors of all fits that are worth one
AT_LIMIT = 0.01


class Frame:
    """Scaled coordinates u with limits and fixed parameters.

    Raises `InputError` for unknown parameter names in limits or fixed values, limits outside the box, or nothing to
    fit.
    """

    def __init__(
        self,
        parameters: Sequence[Parameter],
        limits: Mapping[str, tuple[float, float]] = {},
        fixed: Mapping[str, float] = {},
    ) -> None:
        self.names = tuple(p.name for p in parameters)
        self.low = np.array([p.low for p in parameters])
        self.half = 0.5 * (np.array([p.high for p in parameters]) - self.low)
        for kind, given in (("limits", limits), ("fixed", fixed)):
            unknown = set(given) - set(self.names)
            if unknown:
                raise ArgumentError(f"{kind}: {min(unknown)} is no parameter of the model ({', '.join(self.names)})")
        self.limits = np.array([self._limits(limits, p.name, p.low, p.high) for p in parameters])
        self.fixed = np.array([name in fixed for name in self.names])
        self.free = tuple(name for name in self.names if name not in fixed)
        if not self.free:
            raise ArgumentError("fixed: every parameter is fixed; nothing is left to fit")
        self.centre = self.limits.mean(1)
        for i, name in enumerate(self.names):
            if name in fixed:
                self.centre[i] = (fixed[name] - self.low[i]) / self.half[i] - 1
                if abs(self.centre[i]) > 1 + 2 * ROUNDED:
                    raise ArgumentError(f"fixed.{name}: {fixed[name]:g} is outside the model's range")
                self.centre[i] = np.clip(self.centre[i], -1.0, 1.0)

    def _limits(
        self, limits: Mapping[str, tuple[float, float]], name: str, low: float, high: float
    ) -> tuple[float, float]:
        a, b = limits.get(name, (low, high))
        slack = ROUNDED * (high - low)
        if not (low - slack <= a < b <= high + slack):
            raise ArgumentError(f"limits.{name}: [{a:g}, {b:g}] is not inside the model's range [{low:g}, {high:g}]")
        i, a, b = self.names.index(name), max(a, low), min(b, high)
        return (a - self.low[i]) / self.half[i] - 1, (b - self.low[i]) / self.half[i] - 1

    def to_theta(self, u: Any) -> Any:
        """The model's units."""
        return self.low + (u + 1) * self.half

    def to_unit(self, theta: Any) -> Any:
        """Scaled coordinates."""
        return (theta - self.low) / self.half - 1

    def place(self, theta: np.ndarray) -> np.ndarray:
        """Scaled coordinates (n_parameters,) of theta (n_parameters,), within the limits.

        Raises `InputError` if it has another length, is not finite or is outside the limits of the fit.
        """
        theta = np.asarray(theta, float)
        if theta.shape != (len(self.names),):
            raise InputError(f"{theta.size} values for {len(self.names)} parameters ({', '.join(self.names)})")
        u = self.to_unit(theta)
        for i, name in enumerate(self.names):
            low, high = (self.centre[i],) * 2 if self.fixed[i] else self.limits[i]
            if not low - 1e-9 <= u[i] <= high + 1e-9:
                at = f"fixed at {self.to_theta(self.centre)[i]:g}"
                ends = self.to_theta(self.limits.T)[:, i]
                raise InputError(
                    f"{name} = {theta[i]:g}: the fit has it "
                    + (at if self.fixed[i] else f"between {ends[0]:g} and {ends[1]:g}")
                )
        return np.clip(u, *self.limits.T)

    def index(self, name: str) -> int:
        """The number of a free parameter. Raises `InputError` if it is fixed, or unknown."""
        if name not in self.free:
            raise InputError(f"{name} is no free parameter of the fit ({', '.join(self.free)})")
        return self.names.index(name)

    def room(self, u: np.ndarray) -> np.ndarray:
        """(..., n_parameters) distance of u (..., n_parameters) from the nearer limit."""
        return np.min(np.abs(np.asarray(u)[..., None] - self.limits), axis=-1)

    def at_limit(self, u: np.ndarray) -> np.ndarray:
        """(..., n_parameters) True for free parameters within 1 % of the end of their range, of u (...,
        n_parameters).
        """
        return ~self.fixed & (self.room(u) < AT_LIMIT * np.ptp(self.limits, axis=1))

    def describe(self, u: np.ndarray) -> str:
        """The parameters at u as `NAME = value, ...`, for messages."""
        return ", ".join(f"{name} = {x:.6g}" for name, x in zip(self.names, self.to_theta(u), strict=True))
