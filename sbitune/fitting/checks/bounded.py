r"""How far from a truth near its limits a fit ends, if all is well.

Away from limits t = sign(fitted - true) sqrt(rise of the objective when the parameter is held at the truth) is standard
normal (S. S. Wilks, Ann. Math. Stat. 9 (1938) 60). A fit cannot leave the limits: for a truth on one of them half of
all fits end there, with t = 0 (H. Chernoff, Ann. Math. Stat. 25 (1954) 573), and every other parameter that is tied to
it feels that, too. The distribution of t is then that of the linear problem within the limits,

    objective(d) = d^T I d - 2 s^T d,   s ~ N(0, I),   limits on d = fitted - true,

with I the inverse covariance that the data have at the truth. It is drawn here, and t is judged by its rank in it; ties
are broken at random.
"""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from sbitune.data.errors import ComputationError

#: fits of the linear problem
_DRAWS = 4000
#: turns of the descent at most, and the change, in errors, at which it ends
_TURNS, _STILL = 2000, 1e-4
#: distances that differ by less count as equal: minimisers end as near as that
_EQUAL = 3e-3


@dataclass(frozen=True, eq=False)
class Bounded:
    """The distribution of t at one truth."""

    sorted_t: np.ndarray  #: (p, n) for every parameter, ascending

    def roots(self, t: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Turn t (p,) of a fit into standard normal variables (p,), if its errors are true."""
        roots = np.empty(len(t))
        for i, (own, reference) in enumerate(zip(t, self.sorted_t, strict=True)):
            low = np.searchsorted(reference, own - _EQUAL, "left")
            high = np.searchsorted(reference, own + _EQUAL, "right")
            n = len(reference)
            rank = random.uniform(low, high + 1) / (n + 1)
            roots[i] = stats.norm.ppf(np.clip(rank, 0.5 / (n + 1), 1 - 0.5 / (n + 1)))
        return roots


def draw_bounded(information: np.ndarray, truth: np.ndarray, limits: np.ndarray, seed: int) -> Bounded:
    """Draw the distribution of t.

    Args:
        information: (p, p) inverse covariance of the parameters at the truth.
        truth: (p,) within the limits.
        limits: (p, 2).
        seed: of the draws.

    Raises:
        ComputationError: if the data say nothing about a parameter.
    """
    scale = np.sqrt(np.diag(information))
    if not (scale > 0).all():
        raise ComputationError("the data do not determine the parameters")
    unit = information / np.outer(scale, scale)
    room = (limits - truth[:, None]) * scale[:, None]
    values, vectors = np.linalg.eigh(unit)
    draws = np.random.default_rng(seed).normal(size=(_DRAWS, len(unit)))
    s = draws * np.sqrt(np.maximum(values, 0.0)) @ vectors.T
    best = _minimise(unit, s, room)
    lowest = _height(unit, s, best)
    t = np.empty((len(unit), _DRAWS))
    for i in range(len(unit)):
        held = room.copy()
        held[i] = 0.0
        rise = _height(unit, s, _minimise(unit, s, held)) - lowest
        t[i] = np.sign(best[:, i]) * np.sqrt(np.maximum(rise, 0.0))
    return Bounded(np.sort(t, axis=1))


def _height(unit: np.ndarray, s: np.ndarray, d: np.ndarray) -> np.ndarray:
    return np.sum(d * (d @ unit - 2 * s), axis=1)


def _minimise(unit: np.ndarray, s: np.ndarray, room: np.ndarray) -> np.ndarray:
    """Minima (n, p) within the room (p, 2) for scores s (n, p), one coordinate after the other."""
    d = np.zeros_like(s)
    for _ in range(_TURNS):
        moved = 0.0
        for j in range(len(unit)):
            new = np.clip(s[:, j] - d @ unit[j] + d[:, j], room[j, 0], room[j, 1])
            moved = max(moved, float(np.abs(new - d[:, j]).max()))
            d[:, j] = new
        if moved < _STILL:
            break
    return d
