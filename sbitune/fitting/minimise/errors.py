"""Errors of fitted parameters.

With H half the second derivatives of what is minimised, the covariance of the parameters is H^-1 for a likelihood. For
a weighted chi2 it is the sandwich

    C = H^-1 G H^-1,   G = J^T W P W V W P W J,   P = V^-1, J the slopes of the model,

since the residuals scatter with V whatever the weights are; the scale of the weights drops out, as it must. MINOS
errors are those of an objective raised by 1, stretched by the ratio of the two for a weighted chi2.
"""

from typing import Any, NamedTuple

import numpy as np
from iminuit import Minuit

from sbitune.data.errors import ComputationError
from sbitune.fitting.likelihood.algebra import UNDETERMINED, undetermined_names
from sbitune.fitting.likelihood.curvature import positive_block
from sbitune.fitting.likelihood.frame import Frame
from sbitune.fitting.likelihood.protocols import Objective


class Errors(NamedTuple):
    """Errors in the scaled coordinates; MINOS errors in the model's units."""

    covariance: np.ndarray  #: (n_parameters, n_parameters)
    difference: float  #: largest relative difference between HESSE's errors and those of the exact derivatives
    minos: dict[str, tuple[float, float]]
    notes: list[str]


def find_errors(m: Minuit, objective: Objective[Any], held: Any, at_limit: tuple[str, ...], minos: bool) -> Errors:
    """Find the errors at a minimum, with V as `held` where there is no likelihood.

    Raises `ComputationError` if the second derivatives are not positive, or MINOS finds a lower minimum.
    """
    frame, u = objective.frame, np.array(m.values)
    m.hesse()
    if m.covariance is None:
        raise ComputationError("the fit failed: HESSE gives no covariance")
    notes: list[str] = []
    point = objective.point(u, None if objective.is_likelihood else held)
    free, bread = _bread(objective.hessian(point) / 2, frame, at_limit, notes)
    core = bread if objective.is_likelihood else bread @ objective.scatter(point)[np.ix_(free, free)] @ bread
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
    inside = np.array([i for i in free if frame.names[i] not in at_limit], int)
    used = positive_block(half_hessian, free, inside)
    if used is None:
        along = undetermined_names(half_hessian[np.ix_(free, free)], [frame.names[i] for i in free])
        raise ComputationError(
            f"the fit failed: its second derivatives along {' and '.join(along)} are not positive: {UNDETERMINED}"
        )
    if len(used) < len(free):
        notes.append(f"errors and correlations of the others are for {', '.join(at_limit)} staying at the limit")
    return used, np.linalg.inv(half_hessian[np.ix_(used, used)])


def _minos(
    m: Minuit, frame: Frame, at_limit: tuple[str, ...], notes: list[str], stretch: np.ndarray
) -> dict[str, tuple[float, float]]:
    """Intervals in the model's units; none for parameters at their limit, and where MINUIT finds no end."""
    found: dict[str, tuple[float, float]] = {}
    before = m.fval
    try:
        m.minos(*frame.free)
    except RuntimeError as error:
        notes.append(f"MINOS failed: {error}")
        return found
    if m.fval is None or before is None or m.fval < before - 0.01:
        raise ComputationError("the fit failed: MINOS found a lower minimum; raise `starts`")
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
