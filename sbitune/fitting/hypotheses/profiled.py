"""Fits with one parameter free and held, of the data and of many toys: what all tests of its values are made of."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from sbitune.data.errors import ComputationError, InputError
from sbitune.data.sobol import sobol_points
from sbitune.fitting.likelihood.frame import Frame
from sbitune.fitting.likelihood.protocols import Problem
from sbitune.fitting.minimise.descent import minimise
from sbitune.fitting.minimise.newton import find_minima
from sbitune.fitting.results import Fit

#: tests of toys of which more than this part cannot be fitted are worth nothing
_MOST_FAILED = 0.05
#: starts of a fit of data of which nothing is known
_STARTS = 8


class Fits(NamedTuple):
    """Minima of many data sets."""

    u: np.ndarray  #: (n, n_parameters) scaled coordinates
    value: np.ndarray  #: (n,) -2 log L; NaN where there is no minimum


class Profiled:
    """The likelihood of a problem as a function of one parameter.

    Raises:
        InputError: if the parameter is not free, or there is no likelihood.
    """

    def __init__(self, problem: Problem[Any], name: str) -> None:
        self.problem, self.name = problem, name
        self.frame: Frame = problem.frame()
        self.i = self.frame.index(name)
        with problem.computing():
            self._objective = problem.objective()
        if not self._objective.is_likelihood:
            raise InputError(f"values of {name} are tested with a likelihood, and weights other than 1 have none")

    @property
    def ends(self) -> tuple[float, float]:
        """The range of the parameter in the fit."""
        low, high = (float(self.frame.to_theta(end)[self.i]) for end in self.frame.limits.T)
        return low, high

    def unit(self, value: float) -> float:
        """The scaled coordinate of a value. Raises `InputError` outside the limits of the fit."""
        theta = self.frame.to_theta(np.where(self.frame.fixed, self.frame.centre, self.frame.limits.mean(axis=1)))
        theta[self.i] = value
        return float(self.frame.place(theta)[self.i])

    def values(self, fits: Fits) -> np.ndarray:
        """(n,) the parameter."""
        return self.frame.low[self.i] + (fits.u[:, self.i] + 1) * self.frame.half[self.i]

    def observed(self) -> Any:
        """The data of the problem, as `draw` gives them."""
        return self.problem.data  # pyright: ignore[reportAttributeAccessIssue]

    def best(self, known: Fit | None = None) -> Fits:
        """The minimum of the problem's own data: from a fit of them, from the defaults of all parameters where these
        are known, or the lowest that is reached from several starts.

        Raises `ComputationError` if there is none.
        """
        starts = [self.frame.place(known.values)] if known is not None else self._starts()
        found = self.free([self.observed()] * len(starts), np.array(starts))
        if not np.isfinite(found.value).any():
            return self.need_all(found, "the data")
        lowest = [int(np.nanargmin(found.value))]
        return Fits(found.u[lowest], found.value[lowest])

    def _starts(self) -> list[np.ndarray]:
        frame = self.frame
        defaults = [p.default for p in self.problem.parameters]
        if all(x is not None for x, fixed in zip(defaults, frame.fixed, strict=True) if not fixed):
            known = np.array([np.nan if x is None else x for x in defaults])
            return [np.where(frame.fixed, frame.centre, np.clip(frame.to_unit(known), *frame.limits.T))]
        low, high = frame.limits.T
        spread = [low + (0.05 + 0.9 * x) * (high - low) for x in sobol_points(_STARTS - 1, len(low), 1)]
        return [frame.centre, *(np.where(frame.fixed, frame.centre, u) for u in spread)]

    def need_all(self, fits: Fits, what: str) -> Fits:
        """The same. Raises `ComputationError` if one failed."""
        failed = ~np.isfinite(fits.value)
        if failed.any():
            raise ComputationError(
                f"{self.name}: the fit of {what} did not converge; narrow the ranges, fix a parameter or give a fit to "
                "begin from"
            )
        return fits

    def free(self, data: Sequence[Any], start: np.ndarray) -> Fits:
        """Minima over all parameters, sought from `start` (n, n_parameters) or (n_parameters,)."""
        return self.minima(data, start, ~self.frame.fixed)

    def held(self, data: Sequence[Any], values: Any, start: np.ndarray) -> Fits:
        """Minima with the parameter held at values, (n,) or one for all."""
        begin = np.array(np.broadcast_to(start, (len(data), len(self.frame.names))))
        begin[:, self.i] = [self.unit(value) for value in np.broadcast_to(values, len(data)).tolist()]
        return self.minima(data, begin, ~self.frame.fixed & (np.arange(len(self.frame.names)) != self.i))

    def minima(self, data: Sequence[Any], start: np.ndarray, free: np.ndarray) -> Fits:
        """Minima over the parameters that are free, (n_parameters,) or (n, n_parameters), from `start` likewise."""
        shape = (len(data), len(self.frame.names))
        start, free = np.broadcast_to(start, shape), np.broadcast_to(free, shape)
        with self.problem.computing():
            over = self._objective.over_data
            if over is None:
                u, value, converged = np.array(start), np.full(len(data), np.nan), np.zeros(len(data), bool)
            else:
                found = find_minima(over, start, data, self.frame.limits, free)
                u, value, converged = np.array(found.u), np.array(found.value), found.converged
            for k in np.flatnonzero(~converged).tolist():  # from where the method of single fits may arrive
                u[k], value[k] = self._one(data[k], start[k], free[k])
            return Fits(u, value)

    def _one(self, data: Any, start: np.ndarray, free: np.ndarray) -> tuple[np.ndarray, float]:
        objective = self._objective.refit(data)
        held = frozenset(np.flatnonzero(~free & ~self.frame.fixed).tolist())
        try:
            point = minimise(objective, start, held) if free.any() else objective.point(start)
        except ComputationError:
            return start, np.nan
        return point.u, point.value

    def throw(self, key: jax.Array, u: np.ndarray, n: int) -> Sequence[Any]:
        """N toys at u (n_parameters,)."""
        with self.problem.computing():
            return self._objective.draw(key, u, n)

    def kept(self, *values: np.ndarray) -> np.ndarray:
        """(n,) True for toys of which all fits converged. Raises `ComputationError` if too many did not."""
        good = np.all([np.isfinite(value) for value in values], axis=0)
        if np.mean(~good) > _MOST_FAILED:
            raise ComputationError(
                f"{self.name}: {int(np.sum(~good))} of {len(good)} toys could not be fitted, and the others may not be "
                "like them; narrow the ranges, or fix parameters that the data do not determine"
            )
        return good
