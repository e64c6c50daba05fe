r"""Neyman's construction with the ordering of Feldman and Cousins, by toys.

At every value mu of a grid toys say how large t(mu) = -2 log of L(mu) over its maximum within the range becomes (G. J.
Feldman, R. D. Cousins, physics/9711021): the critical value c(mu) is not exceeded by the confidence's part of them. The
interval of data is where their t(mu) is no larger than c(mu), whose root is a line between points of the grid. Other
parameters are thrown where the data have them with mu held, auxiliary measurements with them; this covers at these
values, and nearly so around (B. Sen, M. Walker, M. Woodroofe, Stat. Sinica 19 (2009) 301).
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from sbitune.data.errors import ComputationError, InputError
from sbitune.data.reporting import QUIET, Reporter
from sbitune.fitting.checks.coverage import CLAIM68
from sbitune.fitting.hypotheses.exclusion import SAME
from sbitune.fitting.hypotheses.profiled import Fits, Profiled
from sbitune.fitting.hypotheses.statistics import statistics
from sbitune.fitting.likelihood.product import Product
from sbitune.fitting.results import Fit

#: values between two points of the grid at which ends of intervals are looked for
_FINE = 4
#: an end is then found to a part 1 / 7 of what is left of its surroundings so many times, and by a line
_ZOOMS = 3
#: a point at the end of the range is so within this part of it
_SLACK = 1e-6
#: toys that are thrown and fitted at a time: more need more memory
_AT_ONCE = 2048


@dataclass(frozen=True, eq=False)
class BeltInterval:
    """Values of the parameter that a belt gives data."""

    best: float  #: where the data have the parameter
    observed: np.ndarray  #: (n,) t of the data at the points of the belt
    intervals: tuple[tuple[float, float], ...]  #: where t is accepted: one, or several
    at_end: tuple[bool, bool]  #: whether the lowest and the highest point are accepted: the belt goes no further
    notes: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Belt:
    """A confidence belt, and what it says of the data."""

    parameter: str
    level: float
    points: np.ndarray  #: (n,) values of the parameter
    critical: np.ndarray  #: (n,) c: the largest t that is accepted
    critical_error: np.ndarray  #: (n,) of the number of toys
    accepted: np.ndarray  #: (n, 2) smallest and largest best value of the toys that are accepted: the belt as drawn
    theta: np.ndarray  #: (n, n_parameters) where toys were thrown
    data: BeltInterval  #: of the data of the problem
    toys: int  #: at each point that count, at least
    failed: int  #: toys that could not be fitted, in all

    def __str__(self) -> str:
        """One line, as a terminal shows it."""
        parts = " and ".join(f"[{low:.4g}, {high:.4g}]" for low, high in self.data.intervals)
        return f"{self.parameter}: {parts} at {100 * self.level:.4g} % (best {self.data.best:.4g})"

    def critical_at(self, values: Any) -> np.ndarray:
        """C between the points of the grid, as values have their shape."""
        return np.interp(values, self.points, np.sqrt(self.critical)) ** 2


def neyman_belt(
    key: jax.Array,
    problem: Product,
    name: str,
    points: np.ndarray,
    toys: int = 2000,
    level: float = CLAIM68,
    best: Fit | None = None,
    reporter: Reporter = QUIET,
) -> Belt:
    """The belt of a parameter, and the interval that it gives the data.

    Args:
        key: throws the toys.
        problem: the fit; a range that ends at a physical boundary, 0 say, is what makes the ordering differ from a
            likelihood's rise.
        name: the parameter.
        points: (n,) rising values within its range.
        toys: number at each.
        level: the confidence.
        best: a fit of the data to begin from.
        reporter: told about progress.

    Raises:
        InputError: for fewer than two points, points that do not rise or lie outside the range, too few toys for the
            confidence, a parameter that is not free.
        ComputationError: if the data cannot be fitted, more than 5 % of the toys of a point, or no point is accepted.
    """
    points = np.asarray(points, float)
    profiled = Profiled(problem, name)
    if points.ndim != 1 or len(points) < 2 or not np.all(np.diff(points) > 0):
        raise InputError(f"{name}: a belt needs two points or more, each above the one before")
    if not 0 < level < 1 or toys * (1 - level) < 10:
        raise InputError(
            f"{toys} toys at each point say nothing of a confidence of {level:g}: ten or more must exceed what is "
            "accepted; throw more"
        )
    for end in (points[0], points[-1]):
        profiled.unit(float(end))
    free = profiled.best(best)
    data = [profiled.observed()] * len(points)
    held = profiled.need_all(profiled.held(data, points, free.u[0]), f"the data with {name} held")
    rows = []
    for k, (one, mu) in enumerate(zip(jax.random.split(key, len(points)), points.tolist(), strict=True)):
        rows.append(_at(profiled, one, mu, held.u[k], toys, level))
        reporter.progress("points of the belt", k + 1, len(points))
    critical, error, accepted, counts, failed = (np.array(column) for column in zip(*rows, strict=True))
    theta = profiled.frame.to_theta(held.u)
    found = _interval(profiled, free, held.value, points, critical)
    return Belt(
        name, level, points, critical, error, accepted, theta, found, int(counts.min()), int(failed.sum())
    )  # fmt: skip


def belt_interval(belt: Belt, problem: Product, best: Fit | None = None) -> BeltInterval:
    """What a belt says of other data, those of a problem made by `with_data`: exact if nothing but the parameter is
    free, else for toys that were thrown where the belt's own data have the other parameters.

    Raises `ComputationError` if the data cannot be fitted, or no point is accepted.
    """
    profiled = Profiled(problem, belt.parameter)
    free = profiled.best(best)
    held = profiled.held([profiled.observed()] * len(belt.points), belt.points, free.u[0])
    profiled.need_all(held, f"the data with {belt.parameter} held")
    return _interval(profiled, free, held.value, belt.points, belt.critical)


def _interval(
    profiled: Profiled, free: Fits, heights: np.ndarray, points: np.ndarray, critical: np.ndarray
) -> BeltInterval:
    """Of data whose fits are known, with the parameter free and, (n,) `heights`, held at the points."""
    name, best = profiled.name, float(profiled.values(free)[0])
    intervals, at_end = _intervals(profiled, free, points, critical)
    if not intervals:
        raise ComputationError(
            f"{name}: no point between {points[0]:g} and {points[-1]:g} is accepted, the best value is {best:.5g}; "
            "take points around it"
        )
    cut = [
        f"{point:g}"
        for point, end, reached in zip(points[[0, -1]], profiled.ends, at_end, strict=True)
        if reached and abs(point - end) > _SLACK * np.ptp(profiled.ends)
    ]
    notes = (f"the interval of {name} ends where the points do, at {' and '.join(cut)}; take more",) if cut else ()
    return BeltInterval(best, np.maximum(heights - free.value[0], 0.0), intervals, at_end, notes)


def _at(
    profiled: Profiled, key: jax.Array, mu: float, u: np.ndarray, n: int, level: float
) -> tuple[float, float, tuple[float, float], int, int]:
    """Critical value with its error, range of accepted best values, numbers of good and failed toys at a point."""
    t, best = _toys(profiled, key, mu, u, n)
    good = profiled.kept(t)
    t, best = np.sort(t[good]), best[good][np.argsort(t[good])]
    place = min(int(np.ceil(level * len(t))) - 1, len(t) - 1)
    spread = max(1, round(np.sqrt(level * (1 - level) * len(t))))
    ends = t[[max(place - spread, 0), min(place + spread, len(t) - 1)]]
    taken = best[t <= t[place] + SAME]
    reach = (float(taken.min()), float(taken.max()))
    return float(t[place]), float(ends[1] - ends[0]) / 2, reach, len(t), int(np.sum(~good))


def _toys(profiled: Profiled, key: jax.Array, mu: float, u: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """(n,) t of toys thrown at u, where the parameter is mu, and their best values."""
    found = []
    for k, first in enumerate(range(0, n, _AT_ONCE)):
        data = profiled.throw(jax.random.fold_in(key, k), u, min(_AT_ONCE, n - first))
        found.append(statistics(profiled, "t", mu, data, u))
    return np.concatenate([one.value for one in found]), np.concatenate([one.best for one in found])


def _intervals(
    profiled: Profiled, free: Fits, points: np.ndarray, critical: np.ndarray
) -> tuple[tuple[tuple[float, float], ...], tuple[bool, bool]]:
    """Where t <= c: sought on a finer grid, and its ends as roots."""
    best, data = float(profiled.values(free)[0]), profiled.observed()

    def excess(values: np.ndarray) -> np.ndarray:
        held = profiled.need_all(profiled.held([data] * len(values), values, free.u[0]), "the data")
        return held.value - free.value[0] - np.interp(values, points, np.sqrt(critical)) ** 2 - SAME

    parts = [np.linspace(a, b, _FINE, endpoint=False) for a, b in itertools.pairwise(points)]
    grid = np.unique(np.concatenate([*parts, points[-1:], [np.clip(best, points[0], points[-1])]]))
    inside = excess(grid) <= 0
    edges = np.flatnonzero(np.diff(np.concatenate([[False], inside, [False]]).astype(int)))

    def root(k: int) -> float:
        """Between a point of the grid and the next, one of them inside; by eight values at a time, as fits are made."""
        low, high = grid[k], grid[k + 1]
        for _ in range(_ZOOMS):
            places = np.linspace(low, high, 8)
            beyond = excess(places)
            j = int(np.flatnonzero(np.diff(beyond <= 0))[0])
            low, high = places[j], places[j + 1]
        return float(low - (high - low) * beyond[j] / (beyond[j + 1] - beyond[j]))

    last = len(grid) - 1
    found = tuple(
        (float(grid[0]) if a == 0 else root(a - 1), float(grid[last]) if b == last + 1 else root(b - 1))
        for a, b in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
    )
    return found, (bool(inside[0]), bool(inside[-1]))


@dataclass(frozen=True, eq=False)
class BeltCoverage:
    """How often a belt's intervals hold the truth."""

    truth: np.ndarray  #: (n,) values of the parameter
    covered: np.ndarray  #: (n,) share of toys whose interval holds it
    error: np.ndarray  #: (n,) binomial
    level: float


def belt_coverage(
    key: jax.Array, belt: Belt, problem: Product, truth: Sequence[float], toys: int = 2000
) -> BeltCoverage:
    """Throw toys at values of the parameter between the points of a belt, the others in between what they are there,
    and see how often the truth is accepted.

    Raises `InputError` for values outside the belt; `ComputationError` if more than 5 % of the toys cannot be fitted.
    """
    profiled, frame = Profiled(problem, belt.parameter), problem.frame()
    shares, errors = [], []
    for one, mu in zip(jax.random.split(key, len(truth)), truth, strict=True):
        if not belt.points[0] <= mu <= belt.points[-1]:
            raise InputError(
                f"{belt.parameter} = {mu:g} is outside the belt, {belt.points[0]:g} to {belt.points[-1]:g}"
            )
        theta = np.array([np.interp(mu, belt.points, column) for column in belt.theta.T])
        t, _ = _toys(profiled, one, float(mu), frame.place(theta), toys)
        good = profiled.kept(t)
        p = float(np.mean(t[good] <= belt.critical_at(mu) + SAME))
        shares.append(p)
        errors.append(np.sqrt(belt.level * (1 - belt.level) / int(good.sum())))
    return BeltCoverage(np.asarray(truth, float), np.array(shares), np.array(errors), belt.level)
