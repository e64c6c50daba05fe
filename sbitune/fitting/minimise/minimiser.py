"""A fit: MIGRAD and HESSE on JAX derivatives in float64, from several starts.

From every start the objective is minimised with what can be held held: the chi2 with V held, for bins. Where there is a
likelihood (see `problem`), every minimum so found is followed to that of the likelihood, and the lowest counts; else V
is brought up to date at the lowest until that stays. Where the search for errors comes upon a lower minimum, the fit
begins again from there.
"""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from iminuit import Minuit

from sbitune.data.errors import ComputationError
from sbitune.data.parameter import Parameter
from sbitune.data.sobol import sobol_points
from sbitune.fitting.config import FitConfig
from sbitune.fitting.likelihood.frame import Frame
from sbitune.fitting.likelihood.protocols import F_co, Objective, Problem
from sbitune.fitting.minimise.descent import minimise
from sbitune.fitting.minimise.errors import find_errors
from sbitune.fitting.minimise.intervals import find_intervals
from sbitune.fitting.minimise.migrad import migrad, migrad_near, settled_migrad, value_of, why_invalid
from sbitune.fitting.minimise.surroundings import LowerMinimum
from sbitune.fitting.results import Fit, Minimum, Start

#: other minima are followed up if they are not higher by more than this, and so many of them: with V held where it is
#: not theirs they are ranked only roughly
_WORTH_A_LOOK, _MINIMA = 100.0, 16
#: without a likelihood, where that takes long
_FEW_MINIMA = 3
#: minima are different if a parameter differs by this part of its error; those that are higher than the lowest by less
#: than the second are worth a note
_APART, _WORTH_A_NOTE = 0.5, 25.0
#: the fit begins again from lower minima so many times
_RESTARTS = 4
#: relative difference between numerical and exact errors that is not worth a word
_HESSE_AGREES = 0.05


def fit(problem: Problem[F_co], config: FitConfig = FitConfig()) -> F_co:
    """Fit the free parameters.

    Raises:
        InputError: for unknown parameter names in limits or fixed values, limits outside the box, or nothing to fit.
        ComputationError: if no start converges, or the errors at the minimum cannot be computed.
    """
    frame = problem.frame()
    with problem.computing():
        objective = problem.objective()
        points, held = _starting_points(frame, config), objective.hold(frame.centre)
        ends = _ends(objective, _finite(objective, points, held), held)
        starts = tuple(Start(frame.to_theta(np.array(m.values)), value_of(m), m.valid) for m in ends)
        _best(ends)
        best, reached = _lowest(_distinct(ends, frame), objective)
        for _ in range(_RESTARTS):
            place = np.array(best.values)
            best, offset = migrad_near(objective, place)  # counted from V at the minimum
            _best([best])
            try:
                held = objective.remember(place)
                found = _describe(best, objective, problem.parameters, config, starts, offset, held)
                point = objective.point(np.array(best.values), held)
                described = problem.describe_fit(_with_others(found, reached, frame), point)
                return _with_all_intervals(problem, described) if config.minos else described
            except LowerMinimum as lower:
                place = _follow([frame.to_unit(lower.theta)], objective)[0]
                value, best = _settle(place.u, objective)
                reached = [_Reached(np.array(best.values), value), *reached]
        raise ComputationError("the fit failed: lower minima keep turning up; raise `starts` or narrow the ranges")


def _with_all_intervals(problem: Problem[F_co], found: F_co) -> F_co:
    """Add the intervals that MINOS did not find."""
    missing = [name for name in found.free if name not in found.minos]
    if not missing:
        return found
    intervals = find_intervals(problem, found, missing)
    minos = found.minos | intervals.found
    ordered = {name: minos[name] for name in found.free if name in minos}
    return replace(found, minos=ordered, notes=found.notes + intervals.notes)


def _starting_points(frame: Frame, config: FitConfig) -> list[np.ndarray]:
    low, high = frame.limits.T
    points = sobol_points(max(1, config.starts - 1), len(frame.names), config.seed)
    # kept off the ends, where MINUIT's transformation of limits has no slope
    spread = [low + (0.05 + 0.9 * point) * (high - low) for point in points[: config.starts - 1]]
    return [frame.centre] + [np.where(frame.fixed, frame.centre, u) for u in spread]


def _finite(objective: Objective[Any], starts: list[np.ndarray], held: Any) -> list[np.ndarray]:
    """The starts at which the objective is a number: a likelihood need not be one everywhere.

    Raises `ComputationError` if it is so at none, or if a prediction is not finite in the middle: no range and no model
    is to blame for the first.
    """
    with np.errstate(all="ignore"):
        values = [objective.point(starts[0], held).value]
        for u in starts[1:]:
            try:
                values.append(objective.point(u, held).value)
            except ComputationError:
                values.append(np.inf)
    if not np.isfinite(values).any():
        raise ComputationError(
            f"the fit failed: chi2 is not a finite number at any of {len(starts)} starts; look at the weights, and at "
            "values and errors of the data: one of them is absurdly large or small"
        )
    return [u for u, value in zip(starts, values, strict=True) if np.isfinite(value)]


def _ends(objective: Objective[Any], starts: list[np.ndarray], held: Any) -> list[Minuit]:
    """Where MIGRAD ends; a start from which it comes where nothing is finite is left out, unless it is the last."""
    ends: list[Minuit] = []
    for number, u in enumerate(starts):
        try:
            ends.append(migrad(objective, u, held))
        except ComputationError:
            if number + 1 == len(starts) and not ends:
                raise
    return ends


def _best(ends: list[Minuit]) -> Minuit:
    valid = [m for m in ends if m.valid and m.fval is not None and np.isfinite(m.fval)]
    if not valid:
        raise ComputationError(
            f"the fit failed: none of {len(ends)} starts converged ({why_invalid(ends[0])}); look at the "
            "predictions (pulls of held-out runs), widen the parameters' ranges or fix a parameter"
        )
    return min(valid, key=value_of)


def _distinct(ends: list[Minuit], frame: Frame) -> list[Minuit]:
    """The lowest of the valid ends, and others that are not the same minimum: a few, lowest first."""
    found: list[Minuit] = []
    for m in sorted((m for m in ends if m.valid and np.isfinite(value_of(m))), key=value_of):
        errors = np.maximum(np.array(m.errors), 1e-9)
        apart = [np.abs(np.array(m.values) - np.array(other.values)) / errors for other in found]
        if all(np.any(distance[~frame.fixed] > _APART) for distance in apart):
            found.append(m)
    lowest = value_of(found[0]) if found else np.nan
    return [m for m in found if value_of(m) < lowest + _WORTH_A_LOOK][:_MINIMA]


class _Reached(NamedTuple):
    """A minimum, and the objective there: values of different ones can be compared."""

    u: np.ndarray
    value: float


def _lowest(found: list[Minuit], objective: Objective[Any]) -> tuple[Minuit, list[_Reached]]:
    """The lowest minimum of all that the given ones lead to, and all of these."""
    places = _follow([np.array(m.values) for m in found], objective)
    followed = places[:1] if np.isfinite(places[0].value) else places[:_FEW_MINIMA]
    settled = [_settle(place.u, objective) for place in followed]
    reached = [*(_Reached(np.array(m.values), value) for value, m in settled), *places[len(followed) :]]
    best = min(settled, key=lambda pair: pair[0])[1]
    return best, [place for place in reached if np.isfinite(place.value)]


def _with_others(found: Fit, reached: list[_Reached], frame: Frame) -> Fit:
    """Add the minima that are not the lowest."""
    lowest = min((place.value for place in reached), default=np.nan)
    errors = np.maximum(found.quoted_errors, 1e-9 * frame.half)
    kept: list[Minimum] = []
    for place in sorted(reached, key=lambda place: place.value):
        theta = frame.to_theta(place.u)
        if all(np.any(np.abs(theta - other) > _APART * errors) for other in (found.values, *(m.theta for m in kept))):
            kept.append(Minimum(theta, place.value - lowest))
    notes = [
        f"another minimum lies {m.above:.2f} above the lowest, at "
        + ", ".join(f"{n} = {x:.5g}" for n, x in zip(found.names, m.theta, strict=True) if n in found.free)
        for m in kept
        if m.above < _WORTH_A_NOTE
    ]
    return replace(found, others=tuple(kept), notes=(*found.notes, *notes))


def _follow(places: list[np.ndarray], objective: Objective[Any]) -> list[_Reached]:
    """The minima of the likelihood that are reached from the given places, lowest first; these, if there is none."""
    as_they_are = [_Reached(u, np.nan) for u in places]
    if not objective.is_likelihood:
        return as_they_are
    reached = []
    for u in places:
        try:
            point = minimise(objective, u)
            reached.append(_Reached(point.u, point.value))
        except ComputationError:
            continue
    return sorted(reached, key=lambda place: place.value) if reached else as_they_are


def _settle(u: np.ndarray, objective: Objective[Any]) -> tuple[float, Minuit]:
    """Minimise the likelihood from u; without one bring V up to date until the minimum stays.

    Returns its value, which can be compared between minima, and the minimum.
    """
    m, offset = settled_migrad(objective, u, lambda m: _best([m]))
    return value_of(m) + offset, m


def _of_limits(at_limit: tuple[str, ...]) -> list[str]:
    if not at_limit:
        return []
    return [
        f"at the end of the range, with an interval to one side: {', '.join(at_limit)}; the data prefer what lies "
        "beyond, or tell nothing; widen the range if physics allows it"
    ]


def _describe(
    m: Minuit,
    objective: Objective[Any],
    parameters: tuple[Parameter, ...],
    config: FitConfig,
    starts: tuple[Start, ...],
    offset: float,
    held: Any,
) -> Fit:
    frame, u = objective.frame, np.array(m.values)
    at_limit = tuple(name for name, near in zip(frame.names, frame.at_limit(u), strict=True) if near)
    edm, calls = float(m.fmin.edm) if m.fmin else np.nan, int(m.nfcn)
    errors = find_errors(m, objective, held, at_limit, config.minos)
    notes = [*errors.notes, *_of_limits(at_limit)]
    if errors.difference > _HESSE_AGREES:
        notes.append(
            f"MINUIT's numerical errors (HESSE) differ by up to {errors.difference:.0%} from those of the exact second "
            "derivatives, which are quoted"
        )
    lowest = min(start.value for start in starts if start.valid)
    higher = [start for start in starts if start.valid and abs(start.value - lowest) > 0.1]
    if higher:
        notes.append(f"{len(higher)} of {len(starts)} starts ended in a higher minimum")
    return Fit(
        parameters=parameters,
        values=frame.to_theta(u),
        covariance=errors.covariance * np.outer(frame.half, frame.half),
        minos=errors.minos,
        minimum=value_of(m) + offset,
        free=frame.free,
        at_limit=at_limit,
        starts=starts,
        edm=edm,
        calls=calls,
        hesse_difference=errors.difference,
        status="at a limit" if at_limit else "converged",
        notes=tuple(notes),
    )
