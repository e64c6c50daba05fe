"""Exact sampling on a grid that refines itself, up to three dimensions.

The coordinates are v in (0, 1)^d, in which the prior is uniform: the posterior of v is the likelihood. A coarse grid of
all cells comes first; those that hold probability, or touch such a cell, are halved in every direction until the cells
are fine or many. Cells are drawn by their probability, points in a cell uniformly, and points accepted by the
likelihood there, which takes away the steps between cells.
"""

import itertools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from sbitune.data.errors import ComputationError

#: cells along each axis of the coarse grid, by dimension
COARSE = {1: 2048, 2: 128, 3: 40}
#: a coarse cell is looked into if the largest likelihood in its neighbourhood is this close to the largest of all: the
#: posterior is e^-d^2/2 of its largest value d widths away, and no cell's middle is further from it than some 6 widths
_NEAR = 20.0
#: a fine cell is divided if it holds this part of the probability
_PART = 1e-8
#: cells are divided until there would be more than this
_MOST = 200_000
#: and no more often: then a cell is 1e-5 of the prior or less
_LEVELS = {1: 10, 2: 8, 3: 7}
#: of points that are tried, this part is accepted where the likelihood exceeds that of the cell most
_TRIES = 100

#: log likelihood (n,) at v (n, d)
LogLikelihood = Callable[[np.ndarray], np.ndarray]


class Grid(NamedTuple):
    """Cells and their probability."""

    centre: np.ndarray  #: (n, d) in (0, 1)
    half: np.ndarray  #: (n,) half of their width
    log_value: np.ndarray  #: (n,) log likelihood in the middle
    log_evidence: float  #: logarithm of the mean likelihood under the prior

    @property
    def probability(self) -> np.ndarray:
        """(n,) of the cells."""
        log_mass = self.log_value + self.centre.shape[1] * np.log(2 * self.half)
        mass = np.exp(log_mass - log_mass.max())
        return mass / mass.sum()


def make_grid(log_likelihood: LogLikelihood, d: int) -> Grid:
    """Find the cells. Raises `ComputationError` if the likelihood is finite nowhere."""
    n = COARSE[d]
    axes = (np.arange(n) + 0.5) / n
    centre = np.stack(np.meshgrid(*[axes] * d, indexing="ij"), axis=-1).reshape(-1, d)
    value = _checked(log_likelihood(centre))
    reach = _dilated(value.reshape((n,) * d)).ravel()
    kept = reach > value.max() - _NEAR
    grid = _grid(*_divide(log_likelihood, centre[kept], np.full(kept.sum(), 0.5 / n)))
    for _ in range(_LEVELS[d]):
        chosen = grid.probability > _PART
        if np.sum(chosen) * 2**d + np.sum(~chosen) > _MOST or np.sum(chosen) == 0:
            break
        finer = _divide(log_likelihood, grid.centre[chosen], grid.half[chosen])
        rest = (grid.centre[~chosen], grid.half[~chosen], grid.log_value[~chosen])
        grid = _grid(*(np.concatenate(pair) for pair in zip(finer, rest, strict=True)))
    return grid


def draw_from_grid(random: np.random.Generator, grid: Grid, log_likelihood: LogLikelihood, n: int) -> np.ndarray:
    """Draw v (n, d)."""
    d = grid.centre.shape[1]
    kept, missing, most = [], n, 0.0
    for _ in range(_TRIES):
        tried = max(2 * missing, 64)
        cell = random.choice(len(grid.centre), size=tried, p=grid.probability)
        v = grid.centre[cell] + grid.half[cell, None] * random.uniform(-1, 1, (tried, d))
        excess = log_likelihood(v) - grid.log_value[cell]
        most = max(most, float(np.quantile(excess, 0.999)))
        accepted = np.log(random.uniform(size=tried)) < excess - most
        kept.append(v[accepted][:missing])
        missing -= len(kept[-1])
        if missing <= 0:
            return np.concatenate(kept)
    raise ComputationError(
        f"{n - missing} of {n} points were accepted: the likelihood varies too much inside the finest cells of the "
        "grid; restrict the prior to where the posterior is, or make further rounds of simulations"
    )


def _divide(log_likelihood: LogLikelihood, centre: np.ndarray, half: np.ndarray) -> tuple[np.ndarray, ...]:
    """Halve cells in every direction."""
    d = centre.shape[1]
    corners = np.array(list(itertools.product((-0.5, 0.5), repeat=d)))
    finer = (centre[:, None] + half[:, None, None] * corners).reshape(-1, d)
    return finer, np.repeat(half / 2, 2**d), log_likelihood(finer)


def _grid(centre: np.ndarray, half: np.ndarray, value: np.ndarray) -> Grid:
    log_mass = _checked(value) + centre.shape[1] * np.log(2 * half)
    most = log_mass.max()
    return Grid(centre, half, value, float(most + np.log(np.exp(log_mass - most).sum())))


def _dilated(value: np.ndarray) -> np.ndarray:
    """The largest value in every cell and its neighbours."""
    for axis in range(value.ndim):
        padded = np.concatenate([value.take([0], axis), value, value.take([-1], axis)], axis)
        n = value.shape[axis]
        value = np.maximum.reduce([padded.take(range(i, i + n), axis) for i in range(3)])
    return value


def _checked(value: np.ndarray) -> np.ndarray:
    if np.isnan(value).any() or not np.isfinite(value.max()):
        raise ComputationError(
            "the learned likelihood is not finite: the observation lies far outside of what was simulated"
        )
    return value
