"""Where the truth lies in the posterior, by importance sampling: exact at the ends of bounded parameters, and quick.

The prior is uniform within the limits. Points are drawn from a multivariate t distribution around the minimum, cut off
at the limits, and weighted with the likelihood; every further turn draws from one with the weighted mean and
covariance, and all turns count as draws from their mixture (adaptive importance sampling: J.-M. Cornuet et al.,
arXiv:0907.1254).
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import scipy.linalg
from scipy import stats

#: points of the turns, degrees of freedom of the proposal, and by how much it is wider than the posterior seems
_POINTS, _DOF, _WIDER = (400, 800, 1600, 3200), 5.0, 1.3
#: turns after the second are for posteriors of which the points before say too little
_FEWEST_TURNS, _ENOUGH = 2, 150
#: tries to find points inside the limits, in units of the points that are needed
_TRIES = 200


class Weighted(NamedTuple):
    """Points with weights that add up to 1."""

    u: np.ndarray  #: (n, n_parameters)
    weights: np.ndarray  #: (n,)

    @property
    def effective(self) -> float:
        """Effective number of points."""
        return float(1 / np.sum(self.weights**2))

    def below(self, u: np.ndarray) -> np.ndarray:
        """(n_parameters,) posterior probability that each parameter is below u (n_parameters,)."""
        return np.sum(self.weights[:, None] * (self.u < u), axis=0)


def sample(
    target: Callable[[np.ndarray], np.ndarray],
    centre: np.ndarray,
    information: np.ndarray,
    limits: np.ndarray,
    seed: int,
) -> Weighted:
    """Draw weighted points from exp(-target / 2) within limits.

    Args:
        target: -2 log L (n,) of points (n, p).
        centre: (p,) its minimum.
        information: (p, p) inverse covariance there, as the data have it.
        limits: (p, 2).
        seed: of the points.
    """
    random = np.random.default_rng(seed)
    flat = 12 / np.ptp(limits, axis=1) ** 2  # what the limits alone know
    proposal = _T(centre, np.linalg.inv(information + np.diag(flat)) * _WIDER**2, limits)
    points, values, proposals = [], [], []
    for n in _POINTS:
        drawn = proposal.draw(random, n)
        points.append(drawn)
        values.append(target(drawn))
        proposals.append(proposal)
        found = _weigh(points, values, proposals)
        if len(points) >= _FEWEST_TURNS and found.effective > _ENOUGH:
            break
        proposal = _T(*_moments(found), limits)
    return found


class _T:
    """A multivariate t distribution within limits; its density lacks the normalisation over the limits."""

    def __init__(self, centre: np.ndarray, covariance: np.ndarray, limits: np.ndarray) -> None:
        self.centre, self.limits = centre, limits
        self.triangle = np.linalg.cholesky(covariance)
        self.inside = 1.0

    def draw(self, random: np.random.Generator, n: int) -> np.ndarray:
        kept: list[np.ndarray] = []
        tried = 0
        while sum(map(len, kept)) < n and tried < _TRIES * n:
            z = random.normal(size=(4 * n, len(self.centre)))
            z /= np.sqrt(random.chisquare(_DOF, size=(4 * n, 1)) / _DOF)
            u = self.centre + z @ self.triangle.T
            kept.append(u[((u >= self.limits[:, 0]) & (u <= self.limits[:, 1])).all(axis=1)])
            tried += 4 * n
        found = np.concatenate(kept)
        self.inside = max(len(found), 1) / tried
        return found[:n] if len(found) else self.centre[None]

    def log_density(self, u: np.ndarray) -> np.ndarray:
        z = scipy.linalg.solve_triangular(self.triangle, (u - self.centre).T, lower=True)
        p = len(self.centre)
        log = -0.5 * (_DOF + p) * np.log1p(np.sum(z**2, axis=0) / _DOF)
        return log - np.sum(np.log(np.diag(self.triangle))) - np.log(self.inside)


def _weigh(points: list[np.ndarray], values: list[np.ndarray], proposals: list[_T]) -> Weighted:
    """Weights of all points as draws from the mixture of the proposals."""
    u, value = np.concatenate(points), np.concatenate(values)
    share = np.log([len(p) / len(u) for p in points])
    mixture = np.logaddexp.reduce([s + t.log_density(u) for s, t in zip(share, proposals, strict=True)], axis=0)
    log = np.where(np.isfinite(value), -0.5 * value, -np.inf) - mixture
    weights = np.exp(log - log.max())
    return Weighted(u, weights / weights.sum())


def _moments(found: Weighted) -> tuple[np.ndarray, np.ndarray]:
    centre = found.weights @ found.u
    away = found.u - centre
    covariance = (found.weights[:, None] * away).T @ away
    return centre, _WIDER**2 * covariance + 1e-10 * np.eye(len(centre))


def to_root(below: np.ndarray, effective: float) -> np.ndarray:
    """Posterior probabilities of being below the truth as standard normal variables, positive if the fit is above."""
    smallest = 0.5 / max(effective, 1.0)
    return -stats.norm.ppf(np.clip(below, smallest, 1 - smallest))
