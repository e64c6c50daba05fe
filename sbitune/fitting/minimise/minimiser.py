"""MIGRAD and HESSE on JAX derivatives in float64, from several starts.

F. James, M. Roos, Comput. Phys. Commun. 10 (1975) 343; iminuit. From every start the chi2 with V held is minimised.
Where there is a likelihood (see `problem`), every minimum so found is followed to that of the likelihood, and the
lowest counts; else V is brought up to date at the lowest until that stays. Where the search for errors comes upon a
lower minimum, the fit begins again from there.
"""

from dataclasses import replace
from typing import NamedTuple

import jax
import numpy as np
from iminuit import Minuit

from sbitune.data.errors import ComputationError
from sbitune.data.sobol import sobol_points
from sbitune.fitting.config import FitConfig
from sbitune.fitting.likelihood.frame import Frame
from sbitune.fitting.likelihood.objective import Objective, few_threads
from sbitune.fitting.likelihood.problem import Problem
from sbitune.fitting.likelihood.quick import Quick
from sbitune.fitting.likelihood.response import CompiledResponse
from sbitune.fitting.minimise.errors import find_errors
from sbitune.fitting.minimise.intervals import find_intervals
from sbitune.fitting.minimise.surroundings import LowerMinimum
from sbitune.fitting.results import Minimum, ObservableChi2, Start, Tune

#: the model's error is brought up to date until no parameter moves by more than this part of its error
_SETTLED = 0.01
_UPDATES = 12
#: other minima are followed up if they are not higher by more than this, and so many of them: with V held where it is
#: not theirs they are ranked only roughly
_WORTH_A_LOOK, _MINIMA = 100.0, 16
#: without a likelihood, where that takes long
_FEW_MINIMA = 3
#: minima are different if a parameter differs by this part of its error; those that are higher than the tune by less
#: than the second are worth a note
_APART, _WORTH_A_NOTE = 0.5, 25.0
#: the fit begins again from lower minima so many times
_RESTARTS = 4
#: relative difference between numerical and exact errors that is not worth a word
_HESSE_AGREES = 0.05
#: MINUIT's tolerance: the estimated distance to the minimum ends below 0.002 of this
_TOLERANCE = 1e-4


def fit(problem: Problem, config: FitConfig = FitConfig()) -> Tune:
    """Fit the free parameters.

    Raises:
        InputError: for unknown parameter names in limits or fixed values, limits outside the box, or nothing to fit.
        ComputationError: if no start converges, or the errors at the minimum cannot be computed.
    """
    frame = Frame(problem)
    with jax.enable_x64(True), few_threads(problem):
        objective = Objective(problem, frame)
        points = _starting_points(frame, config)
        _need_finite(objective, points)
        ends = [migrad(objective, u) for u in points]
        starts = tuple(Start(frame.to_theta(np.array(m.values)), value_of(m), m.valid) for m in ends)
        _best(ends)
        best, reached = _lowest(_distinct(ends, frame), objective)
        for _ in range(_RESTARTS):
            objective.hold(np.array(best.values))
            best = _best([migrad(objective, np.array(best.values))])  # counted from V at the minimum
            try:
                tune = _with_others(_describe(best, objective, config, starts), reached, frame)
                return _with_all_intervals(problem, tune) if config.minos else tune
            except LowerMinimum as lower:
                place = _follow([frame.to_unit(lower.theta)], objective)[0]
                value, best = _settle(place.u, objective)
                reached = [_Reached(np.array(best.values), value), *reached]
        raise ComputationError("the fit failed: lower minima keep turning up; raise fit.starts or narrow the ranges")


def _with_all_intervals(problem: Problem, tune: Tune) -> Tune:
    """Add the intervals that MINOS did not find."""
    missing = [name for name in tune.free if name not in tune.minos]
    if not missing:
        return tune
    found = find_intervals(problem, tune, missing)
    minos = tune.minos | found.found
    return replace(
        tune, minos={name: minos[name] for name in tune.free if name in minos}, notes=tune.notes + found.notes
    )


def _starting_points(frame: Frame, config: FitConfig) -> list[np.ndarray]:
    low, high = frame.limits.T
    points = sobol_points(max(1, config.starts - 1), len(frame.names), config.seed)
    # kept off the ends, where MINUIT's transformation of limits has no slope
    spread = [low + (0.05 + 0.9 * point) * (high - low) for point in points[: config.starts - 1]]
    return [frame.centre] + [np.where(frame.fixed, frame.centre, u) for u in spread]


def migrad(objective: Objective, u: np.ndarray, held: frozenset[int] = frozenset()) -> Minuit:
    """MIGRAD from u within the limits; parameters numbered in `held` stay where they are."""
    frame = objective.frame
    m = Minuit(objective.value, u, grad=objective.gradient, name=frame.names)  # pyright: ignore[reportArgumentType]
    m.errordef = Minuit.LEAST_SQUARES
    m.errors = np.full(len(u), 0.1)
    for i, name in enumerate(frame.names):
        m.limits[name] = tuple(frame.limits[i])
        m.fixed[name] = bool(frame.fixed[i]) or i in held
    m.strategy = 1
    m.tol = _TOLERANCE
    m.migrad()
    if not m.valid:
        m.simplex()
        m.strategy = 2
        m.migrad()
    return m


def _need_finite(objective: Objective, starts: list[np.ndarray]) -> None:
    """Raise `ComputationError` if chi2 is a number at none of the starts: no range and no surrogate is to blame."""
    with np.errstate(all="ignore"):
        values = [objective.value(u) for u in starts]
    if not np.isfinite(values).any():
        raise ComputationError(
            f"the fit failed: chi2 is not a finite number at any of {len(values)} starts; look at the weights, and at "
            "values and errors of the data: one of them is absurdly large or small"
        )


def _best(ends: list[Minuit]) -> Minuit:
    valid = [m for m in ends if m.valid and m.fval is not None and np.isfinite(m.fval)]
    if not valid:
        reason = _reason(ends[0])
        raise ComputationError(
            f"the fit failed: none of {len(ends)} starts converged ({reason}); look at the surrogate (held-out pulls), "
            "widen the parameters' ranges or fix a parameter"
        )
    return min(valid, key=value_of)


def value_of(m: Minuit) -> float:
    """The minimum, NaN if there is none."""
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


def _lowest(found: list[Minuit], objective: Objective) -> tuple[Minuit, list[_Reached]]:
    """The lowest minimum of all that the given ones lead to, and all of these."""
    places = _follow([np.array(m.values) for m in found], objective)
    followed = places[:1] if np.isfinite(places[0].value) else places[:_FEW_MINIMA]
    settled = [_settle(place.u, objective) for place in followed]
    reached = [*(_Reached(np.array(m.values), value) for value, m in settled), *places[len(followed) :]]
    best = min(settled, key=lambda pair: pair[0])[1]
    return best, [place for place in reached if np.isfinite(place.value)]


def _with_others(tune: Tune, reached: list[_Reached], frame: Frame) -> Tune:
    """Add the minima that are not the tune."""
    lowest = min((place.value for place in reached), default=np.nan)
    errors = np.maximum(tune.quoted_errors, 1e-9 * frame.half)
    kept: list[Minimum] = []
    for place in sorted(reached, key=lambda place: place.value):
        theta = frame.to_theta(place.u)
        if all(np.any(np.abs(theta - other) > _APART * errors) for other in (tune.values, *(m.theta for m in kept))):
            kept.append(Minimum(theta, place.value - lowest))
    notes = [
        f"another minimum lies {m.above:.2f} above the tune, at "
        + ", ".join(f"{n} = {x:.5g}" for n, x in zip(tune.names, m.theta, strict=True) if n in tune.free)
        for m in kept
        if m.above < _WORTH_A_NOTE
    ]
    return replace(tune, others=tuple(kept), notes=(*tune.notes, *notes))


def _follow(places: list[np.ndarray], objective: Objective) -> list[_Reached]:
    """The minima of the likelihood that are reached from the given places, lowest first; these, if there is none."""
    as_they_are = [_Reached(u, np.nan) for u in places]
    if not objective.is_likelihood:
        return as_they_are
    frame, values = objective.frame, objective.problem.measured.values
    quick = Quick(objective.problem, frame, CompiledResponse(objective.problem, frame))
    reached = []
    for u in places:
        try:
            point = quick.minimise(values, u)
            reached.append(_Reached(point.u, point.value))
        except ComputationError:
            continue
    return sorted(reached, key=lambda place: place.value) if reached else as_they_are


def _settle(u: np.ndarray, objective: Objective) -> tuple[float, Minuit]:
    """Minimise the likelihood from u; without one bring V up to date until the minimum stays.

    Returns its value, which can be compared between minima, and the minimum.
    """
    objective.moving = objective.is_likelihood
    if objective.moving:
        objective.hold(u)
        best = _best([migrad(objective, u)])
        return value_of(best) + float(objective.log_determinant), best
    for _ in range(_UPDATES):
        objective.hold(u)
        best = _best([migrad(objective, u)])
        moved = np.abs(np.array(best.values) - u) / np.maximum(np.array(best.errors), 1e-12)
        u = np.array(best.values)
        if np.all(moved[~objective.frame.fixed] < _SETTLED):
            objective.hold(u)
            return value_of(best), best
    raise ComputationError("the fit failed: the minimum keeps moving as the surrogate's error is brought up to date")


def _at_limit(m: Minuit, frame: Frame) -> tuple[str, ...]:
    near = []
    for i, name in enumerate(frame.names):
        if not frame.fixed[i]:
            room = min(m.values[name] - frame.limits[i, 0], frame.limits[i, 1] - m.values[name])
            if room < 0.01 * (frame.limits[i, 1] - frame.limits[i, 0]):
                near.append(name)
    return tuple(near)


def _of_limits(at_limit: tuple[str, ...]) -> list[str]:
    if not at_limit:
        return []
    return [
        f"at the end of the range, with an interval to one side: {', '.join(at_limit)}; the data prefer what lies "
        "beyond, or tell nothing; widen the range if physics allows it"
    ]


def _describe(m: Minuit, objective: Objective, config: FitConfig, starts: tuple[Start, ...]) -> Tune:
    frame, problem, u = objective.frame, objective.problem, np.array(m.values)
    at_limit = _at_limit(m, frame)
    edm, calls = float(m.fmin.edm) if m.fmin else np.nan, int(m.nfcn)
    errors = find_errors(m, objective, at_limit, config.minos)
    terms = objective.terms(u, weighted=False)
    notes = [*errors.notes, *_of_limits(at_limit)]
    if errors.difference > _HESSE_AGREES:
        notes.append(
            f"MINUIT's numerical errors (HESSE) differ by up to {errors.difference:.0%} from those of the exact second "
            "derivatives, which are quoted"
        )
    others = [s for s in starts if s.valid and abs(s.chi2 - min(t.chi2 for t in starts if t.valid)) > 0.1]
    if others:
        notes.append(f"{len(others)} of {len(starts)} starts ended in a higher minimum")
    return Tune(
        parameters=problem.parameters,
        values=frame.to_theta(u),
        covariance=errors.covariance * np.outer(frame.half, frame.half),
        minos=errors.minos,
        chi2=float(objective.terms(u, weighted=True).sum()),
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
