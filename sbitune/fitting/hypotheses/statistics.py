r"""Test statistics of a value mu of a parameter (G. Cowan, K. Cranmer, E. Gross, O. Vitells, arXiv:1007.1727).

With t(mu) the rise of -2 log L from its minimum, at m, to its minimum over the others with mu held:

    t   = t(mu), m within its range: the likelihood ratio, whose ordering is that of Feldman and Cousins;
    q   = t(mu) if m <= mu, else 0: for upper limits;
    q~  = the same, with the minimum for m >= 0 in place of one below: for strengths that cannot be negative;
    q_0 = t(0) if m >= 0, else 0: for discoveries.
"""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from sbitune.data.errors import InputError
from sbitune.fitting.hypotheses.profiled import Fits, Profiled

#: statistics of upper limits
Upper = Literal["q", "q_tilde"]
#: all of them
Kind = Literal["t", "q", "q_tilde", "q_0"]
#: what a strength cannot be below
LEAST = 0.0


class Statistics(NamedTuple):
    """The statistic of many data sets at one value."""

    value: np.ndarray  #: (n,) NaN where a fit failed
    best: np.ndarray  #: (n,) m
    held: Fits  #: the fits with the parameter at the value


def statistics(
    profiled: Profiled, kind: Kind, mu: float, data: Sequence[Any], start: np.ndarray, free: Fits | None = None
) -> Statistics:
    """The statistic of data sets at a value.

    Args:
        profiled: the likelihood.
        kind: which statistic.
        mu: the value that is tested.
        data: n data sets.
        start: (n_parameters,) or (n, n_parameters) where fits begin.
        free: fits with the parameter free, if they are known.
    """
    if kind == "q_0" and mu != LEAST:
        raise InputError(f"q_0 tests the value 0, not {mu:g}")
    held = profiled.held(data, mu, start)
    free = profiled.free(data, held.u) if free is None else free
    best, lowest = profiled.values(free), np.minimum(free.value, held.value)
    if kind == "q_tilde" and profiled.ends[0] < LEAST:
        below = np.flatnonzero(best < LEAST)
        if len(below):
            lowest[below] = profiled.held([data[k] for k in below.tolist()], LEAST, free.u[below]).value
    rise = np.maximum(held.value - lowest, 0.0)
    if kind in ("q", "q_tilde"):
        rise = np.where(best > mu, 0.0 * rise, rise)
    elif kind == "q_0":
        rise = np.where(best < mu, 0.0 * rise, rise)
    return Statistics(rise, best, held)
