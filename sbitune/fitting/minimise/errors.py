"""Errors of fitted parameters.

With H half the second derivatives of what is minimised, the covariance of the parameters is H^-1 for a likelihood. For
a weighted chi2 it is the sandwich

    C = H^-1 G H^-1,   G = J^T W P W V W P W J,   P = V^-1, J the slopes of the model,

since the residuals scatter with V whatever the weights are; the scale of the weights drops out, as it must. MINOS
errors are those of an objective raised by 1, stretched by the ratio of the two for a weighted chi2.
"""

from typing import NamedTuple

import numpy as np
from iminuit import Minuit

from sbitune.data.errors import ComputationError
from sbitune.fitting.likelihood.frame import Frame
from sbitune.fitting.likelihood.objective import Objective


class Errors(NamedTuple):
    """Errors in the scaled coordinates; MINOS errors in the generator's units."""

    covariance: np.ndarray  #: (n_parameters, n_parameters)
    difference: float  #: largest relative difference between HESSE's errors and those of the exact derivatives
    minos: dict[str, tuple[float, float]]
    notes: list[str]


def find_errors(m: Minuit, objective: Objective, at_limit: tuple[str, ...], minos: bool) -> Errors:
    """Find the errors at a minimum.

    Raises `ComputationError` if the second derivatives are not positive, or MINOS finds a lower minimum.
    """
    frame, u = objective.frame, np.array(m.values)
    m.hesse()
    if m.covariance is None:
        raise ComputationError("the fit failed: HESSE gives no covariance")
    notes: list[str] = []
    free, bread = _bread(objective.hessian(u) / 2, frame, at_limit, notes)
    core = bread if objective.moving else bread @ objective.scatter(u)[np.ix_(free, free)] @ bread
    covariance = np.zeros((len(u), len(u)))
    covariance[np.ix_(free, free)] = core
    plain = np.sqrt(np.diag(bread))
    stretch = np.ones(len(u))
    stretch[free] = np.sqrt(np.diag(core)) / plain
    # MINUIT's own errors pass through the transformation of the limits, which is flat at a limit
    hesse = np.sqrt(np.diag(np.array(m.covariance))[free])
    difference = 0.0 if at_limit else float(np.max(np.abs(plain / hesse - 1)))
    return Errors(covariance, difference, _minos(m, frame, at_limit, notes, stretch) if minos else {}, notes)


def _bread(
    half_hessian: np.ndarray, frame: Frame, at_limit: tuple[str, ...], notes: list[str]
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
    notes.append(f"errors and correlations of the others are for {', '.join(at_limit)} staying at the limit")
    return inside, bread


def _invert(half_hessian: np.ndarray) -> np.ndarray:
    try:
        np.linalg.cholesky(half_hessian)
    except np.linalg.LinAlgError:
        raise ComputationError(
            "the fit failed: the second derivatives at the minimum are not positive, so that the data do not determine "
            "the parameters; select more bins, narrow the ranges or fix a parameter"
        ) from None
    return np.linalg.inv(half_hessian)


def _minos(
    m: Minuit, frame: Frame, at_limit: tuple[str, ...], notes: list[str], stretch: np.ndarray
) -> dict[str, tuple[float, float]]:
    """Intervals in the generator's units; none for parameters at their limit, and where MINUIT finds no end."""
    found: dict[str, tuple[float, float]] = {}
    before = m.fval
    try:
        m.minos(*frame.free)
    except RuntimeError as error:
        notes.append(f"MINOS failed: {error}")
        return found
    if m.fval is None or before is None or m.fval < before - 0.01:
        raise ComputationError("the fit failed: MINOS found a lower minimum; raise fit.starts")
    for name in frame.free:
        known = len(notes)
        e, i = m.merrors[name], frame.names.index(name)
        ends = np.array([e.lower, e.upper]) * stretch[i]
        room = frame.limits[i] - m.values[name]
        for side, (at_end, valid) in enumerate(((e.at_lower_limit, e.lower_valid), (e.at_upper_limit, e.upper_valid))):
            if at_end:
                ends[side] = room[side]
                notes.append(f"the MINOS interval of {name} ends at its {('lower', 'upper')[side]} limit")
            elif not valid:
                ends[side] = np.nan
        # what MINUIT gives for a parameter at its limit is of the transformed one
        if np.isfinite(ends).all() and name not in at_limit:
            found[name] = (float(ends[0] * frame.half[i]), float(ends[1] * frame.half[i]))
        else:
            del notes[known:]
    return found
