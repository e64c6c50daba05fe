"""Parameters that a scan cannot tell apart: linear combinations that are the same in all of its runs.

The points, centred and each column divided by its spread, have the singular values sqrt(n) s and the right singular
vectors c: sum_j c_j z_j has the rms s over the runs. Where s vanishes the parameters in c lie on a plane, and no
model can know which of them moved a bin; where it is small they are told apart by little.
"""

from typing import NamedTuple

import numpy as np

from sbitune.data.parameter import parameter_box
from sbitune.data.scan import Scan

#: rms of a combination, in spreads of a parameter, below which it is constant: files print six digits of a value
EXACT = 1e-5
#: the same below which parameters are hard to tell apart
NEAR = 0.03


class Relation(NamedTuple):
    """A linear combination of parameters that is (nearly) the same in all runs."""

    words: str  #: one parameter by the others, such as `b = 2*a - 1`, in the generator's units
    names: tuple[str, ...]  #: the parameters in it
    exact: bool
    rms: float  #: scatter around it over the runs, in spreads of a parameter


def constant_parameters(scan: Scan) -> np.ndarray:
    """(n_parameters,) True where a parameter has one value in all (of several) runs, to 1e-12 of its box."""
    return (np.ptp(scan.unit(), axis=0) <= 1e-12) & (len(scan.runs) > 1)


def find_relations(scan: Scan) -> tuple[Relation, ...]:
    """The relations between the parameters that vary; none if there are too few runs to tell.

    If some are exact only these are given: nothing can be learnt before they are gone.
    """
    varied = np.flatnonzero(~constant_parameters(scan))
    if len(varied) < 2 or len(scan.runs) <= len(varied):
        return ()
    theta = scan.theta[:, varied]
    middle = theta.mean(axis=0)
    # by the box first: parameters may differ by many orders of magnitude
    half = parameter_box(scan.parameters)[1][varied]
    spread = half * ((theta - middle) / half).std(axis=0)
    _, singular, vectors = np.linalg.svd((theta - middle) / spread, full_matrices=False)
    rms = singular / np.sqrt(len(theta))
    exact = bool((rms < EXACT).any())
    chosen = rms < (EXACT if exact else NEAR)
    names = [scan.parameters[i].name for i in varied]
    least = 10 * EXACT if exact else NEAR
    return tuple(
        _relation(names, row, pivot, middle, spread, least, exact, float(rms[chosen].max()))
        for row, pivot in _reduced(vectors[chosen])
    )


def _reduced(rows: np.ndarray) -> list[tuple[np.ndarray, int]]:
    """The same space by rows that each have a 1 where the others have 0, with the place of that: easier to read."""
    rows, places = rows.copy(), []
    for i in range(len(rows)):
        free = np.abs(rows[i])
        free[places] = 0.0
        # of equals the last, so that rounding does not choose and the first parameter explains the later ones
        place = int(np.flatnonzero(free > (1 - 1e-6) * free.max())[-1])
        rows[i] /= rows[i, place]
        for other in range(len(rows)):
            if other != i:
                rows[other] -= rows[other, place] * rows[i]
        places.append(place)
    return list(zip(rows, places, strict=True))


def _relation(
    names: list[str],
    row: np.ndarray,
    pivot: int,
    middle: np.ndarray,
    spread: np.ndarray,
    least: float,
    exact: bool,
    rms: float,
) -> Relation:
    others = [j for j in range(len(row)) if j != pivot and abs(row[j]) > least]
    slopes = [-row[j] * spread[pivot] / spread[j] for j in others]
    constant = middle[pivot] - sum(slope * middle[j] for slope, j in zip(slopes, others, strict=True))
    terms = [(slope, _times(slope, names[j])) for slope, j in zip(slopes, others, strict=True)]
    if abs(constant) > 10 * EXACT * spread[pivot]:
        terms.append((constant, f"{abs(constant):.4g}"))
    first, *rest = terms
    words = ("-" if first[0] < 0 else "") + first[1]
    words += "".join(f" {'-' if value < 0 else '+'} {text}" for value, text in rest)
    sign = "=" if exact else "is about"
    return Relation(f"{names[pivot]} {sign} {words}", tuple(names[j] for j in [*others, pivot]), exact, rms)


def _times(slope: float, name: str) -> str:
    size = f"{abs(slope):.4g}"
    return name if size == "1" else f"{size}*{name}"
