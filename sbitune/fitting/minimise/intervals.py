"""Intervals from a rise of the objective by 1, found by the quick minimiser where MINOS has none.

At the end of its range a parameter has no parabola around it: what can be said is how far into its range the objective,
minimised over all others within their limits, rises by 1. MINUIT, which maps a range on the whole line, often finds no
end there, nor for a parameter that is tied to one at its limit.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from sbitune.data.errors import ComputationError
from sbitune.fitting.likelihood.protocols import Problem
from sbitune.fitting.minimise.surroundings import LowerMinimum, Minimum, climb
from sbitune.fitting.results import Fit

#: what is first tried as an error where there is none, in half widths of the box
_GUESS = 0.1
#: a limit nearer than this part of the range is where the parameter is
_HERE = 1e-6


class Intervals(NamedTuple):
    """Distances from the minimum at which the objective has risen by 1, or to the limit where that comes first."""

    found: dict[str, tuple[float, float]]  #: name -> (lower <= 0, upper >= 0), in the model's units
    notes: tuple[str, ...]


def find_intervals(problem: Problem[Any], fit: Fit, names: Iterable[str]) -> Intervals:
    """Find the intervals of free parameters.

    Raises:
        LowerMinimum: if a minimum lower than the fit's turns up.
        ComputationError: if the minimum cannot be found again from the fit.
    """
    found: dict[str, tuple[float, float]] = {}
    notes: list[str] = []
    with problem.computing():
        minimum = Minimum(problem, fit)
        for name in names:
            try:
                i = minimum.frame.index(name)
                low, high = (_end(minimum, i, side) for side in (-1, 1))
            except LowerMinimum:
                raise
            except ComputationError as error:
                notes.append(f"interval of {name}: not found ({error})")
                continue
            found[name] = (-low[0] * minimum.frame.half[i], high[0] * minimum.frame.half[i])
            notes += [
                f"the interval of {name} ends at its {side} limit"
                for side, (distance, clipped) in (("lower", low), ("upper", high))
                if clipped and distance > 0
            ]
    return Intervals(found, tuple(notes))


def _end(minimum: Minimum, i: int, side: int) -> tuple[float, bool]:
    """Distance in scaled coordinates, and whether the limit comes first."""
    frame, best = minimum.frame, minimum.point.u
    room = side * (frame.limits[i, (1 + side) // 2] - best[i])
    if room < _HERE * np.ptp(frame.limits[i]):
        return 0.0, True
    error = np.sqrt(minimum.parabola.covariance[i, i]) or _GUESS
    stretch = minimum.stretch(np.ones(1), [i])

    def rise(distance: float) -> float:
        place = float(np.clip(best[i] + side * error * distance, *frame.limits[i]))
        return minimum.rise(minimum.below({i: place}, best)) / stretch

    end = climb(rise, 1.0, room / error)
    return end.distance * error, end.clipped
