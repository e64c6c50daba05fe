r"""Adaptive importance sampling above three dimensions: several modes are found, and have their right weights.

Chains do not go from one mode to another. Here points are drawn from a mixture of multivariate t distributions,
weighted with posterior / mixture, and the mixture is moved towards the posterior by a step of expectation
maximisation with these weights (O. Cappe et al., "Adaptive importance sampling in general mixture classes",
arXiv:0710.4242). The first points are of the prior; as long as few of them matter, weights are tempered,
(likelihood)^beta, with the largest beta that leaves enough effective points. A part of all points are of the prior
itself, so that no weight is unbounded. The mean weight is the evidence, which normalises the density.

The coordinates are z, in which the prior is standard normal.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import scipy.linalg
from scipy.special import gammaln, logsumexp

from sbitune.data.errors import ComputationError

#: points of a turn, components of the mixture, degrees of freedom, part of the points that are of the prior
_POINTS, _COMPONENTS, _DOF, _OF_PRIOR = 8192, 20, 8.0, 0.1
#: effective points of a turn that a tempered weight must leave
_EFFECTIVE = 400.0
#: turns until the mixture must fit, and after beta = 1
_TURNS, _SETTLING = 25, 3
#: the last points are drawn until there are so many effective ones per draw, or this number of turns is over
_PER_DRAW, _LAST_TURNS = 2.0, 60
#: below this part of effective points the mixture does not describe the posterior
LEAST_EFFICIENCY = 0.01

#: log likelihood (n,) at z (n, d)
LogLikelihood = Callable[[np.ndarray], np.ndarray]


class Population(NamedTuple):
    """Weighted points of a posterior, and what drew them."""

    mixture: "Mixture"
    z: np.ndarray  #: (n, d)
    log_weight: np.ndarray  #: (n,) log posterior - log mixture, not normalised

    @property
    def effective(self) -> float:
        """Effective number of points."""
        return _effective(self.log_weight)

    @property
    def efficiency(self) -> float:
        """Effective points per point."""
        return self.effective / len(self.z)

    @property
    def log_evidence(self) -> float:
        """Logarithm of the mean likelihood under the prior."""
        return float(logsumexp(self.log_weight) - np.log(len(self.z)))


class Mixture(NamedTuple):
    """Multivariate t distributions, and the prior."""

    share: np.ndarray  #: (k,) of the components, which add up to 1
    centre: np.ndarray  #: (k, d)
    triangle: np.ndarray  #: (k, d, d) Cholesky factors of the scale matrices

    def draw(self, random: np.random.Generator, n: int) -> np.ndarray:
        """Draw z (n, d)."""
        d = self.centre.shape[1]
        of = random.choice(len(self.share), size=n, p=self.share)
        z = np.einsum("nij,nj->ni", self.triangle[of], random.normal(size=(n, d)))
        z = self.centre[of] + z / np.sqrt(random.chisquare(_DOF, size=(n, 1)) / _DOF)
        prior = random.uniform(size=n) < _OF_PRIOR
        return np.where(prior[:, None], random.normal(size=(n, d)), z)

    def log_density(self, z: np.ndarray) -> np.ndarray:
        """(n,) with the prior's part."""
        components = logsumexp(self.parts(z)[0], axis=0)
        return np.logaddexp(np.log(1 - _OF_PRIOR) + components, np.log(_OF_PRIOR) + log_normal(z))

    def parts(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Log densities of the components with their shares, and squared distances from them; both (k, n)."""
        d = z.shape[1]
        distances = np.stack(
            [
                np.sum(scipy.linalg.solve_triangular(triangle, (z - centre).T, lower=True) ** 2, axis=0)
                for centre, triangle in zip(self.centre, self.triangle, strict=True)
            ]
        )
        constant = gammaln((_DOF + d) / 2) - gammaln(_DOF / 2) - 0.5 * d * np.log(np.pi * _DOF)
        log_det = np.log(np.diagonal(self.triangle, axis1=1, axis2=2)).sum(axis=1)
        log = constant - log_det[:, None] - 0.5 * (_DOF + d) * np.log1p(distances / _DOF)
        with np.errstate(divide="ignore"):
            return log + np.log(self.share)[:, None], distances

    def moved(self, z: np.ndarray, weights: np.ndarray) -> "Mixture":
        """After a step of expectation maximisation with points (n, d) of these weights (n,), which add up to 1."""
        d = z.shape[1]
        log, distances = self.parts(z)
        mine = weights * np.exp(log - logsumexp(log, axis=0))
        share = mine.sum(axis=1)
        pulled = mine * (_DOF + d) / (_DOF + distances)
        kept = share > 1e-4
        centre, triangle = self.centre.copy(), self.triangle.copy()
        for k in np.flatnonzero(kept):
            centre[k] = pulled[k] @ z / pulled[k].sum()
            away = z - centre[k]
            scale = (pulled[k][:, None] * away).T @ away / share[k]
            # a component of few points is flat in some direction
            triangle[k] = np.linalg.cholesky(scale + 1e-3 * np.diag(np.diag(scale)) + 1e-12 * np.eye(d))
        return Mixture(share[kept] / share[kept].sum(), centre[kept], triangle[kept])


def find_population(random: np.random.Generator, log_likelihood: LogLikelihood, d: int, n: int) -> Population:
    """Find the posterior and draw weighted points, with effective ones for n draws if it can be done.

    Raises:
        ComputationError: the likelihood is finite nowhere.
    """
    z = random.normal(size=(4 * _POINTS, d))
    log_l = _checked(log_likelihood(z))
    weights, beta = _temper(log_l, np.zeros(len(z)))
    mixture = _start(random, z, weights)
    settled = 0
    for _ in range(_TURNS):
        z = mixture.draw(random, _POINTS)
        log_l = _checked(log_likelihood(z))
        weights, beta = _temper(log_l, log_normal(z) - mixture.log_density(z))
        mixture = mixture.moved(z, weights)
        settled += beta == 1
        if settled >= _SETTLING:
            break
    return _last_points(random, log_likelihood, mixture, n)


def draw_from_population(random: np.random.Generator, population: Population, n: int) -> np.ndarray:
    """Draw z (n, d) by the weights, at equal distances on their sum, in any order."""
    weights = np.exp(population.log_weight - population.log_weight.max())
    sums = np.cumsum(weights) / weights.sum()
    places = np.searchsorted(sums, (np.arange(n) + random.uniform()) / n)
    return population.z[random.permutation(np.minimum(places, len(weights) - 1))]


def log_normal(z: np.ndarray) -> np.ndarray:
    """Log density (n,) of the prior."""
    return -0.5 * (z**2).sum(axis=-1) - 0.5 * z.shape[-1] * np.log(2 * np.pi)


def _last_points(random: np.random.Generator, log_likelihood: LogLikelihood, mixture: Mixture, n: int) -> Population:
    drawn, log_weight = [], []
    for _ in range(_LAST_TURNS):
        z = mixture.draw(random, _POINTS)
        drawn.append(z)
        log_weight.append(_checked(log_likelihood(z)) + log_normal(z) - mixture.log_density(z))
        found = Population(mixture, np.concatenate(drawn), np.concatenate(log_weight))
        if found.effective > _PER_DRAW * n or found.efficiency < LEAST_EFFICIENCY:
            break
    return found


def _start(random: np.random.Generator, z: np.ndarray, weights: np.ndarray) -> Mixture:
    """Components at points drawn by their weights, as wide as all of them are."""
    d = z.shape[1]
    chosen = random.choice(len(z), size=_COMPONENTS, p=weights)
    away = z - weights @ z
    triangle = np.linalg.cholesky((weights[:, None] * away).T @ away + 1e-6 * np.eye(d))
    narrower = _COMPONENTS ** (-1 / (d + 4))
    return Mixture(np.full(_COMPONENTS, 1 / _COMPONENTS), z[chosen], np.tile(narrower * triangle, (_COMPONENTS, 1, 1)))


def _temper(log_l: np.ndarray, log_other: np.ndarray) -> tuple[np.ndarray, float]:
    """Weights exp(beta log_l + log_other), which add up to 1, with the largest beta that leaves enough points."""
    low, high = 0.0, 1.0
    if _effective(log_l + log_other) >= _EFFECTIVE:
        low = 1.0
    else:
        for _ in range(40):
            middle = (low + high) / 2
            low, high = (middle, high) if _effective(middle * log_l + log_other) >= _EFFECTIVE else (low, middle)
    log = low * log_l + log_other
    return _normalised(log), low


def _effective(log_weight: np.ndarray) -> float:
    return float(1 / np.sum(_normalised(log_weight) ** 2))


def _normalised(log_weight: np.ndarray) -> np.ndarray:
    weights = np.exp(log_weight - log_weight.max())
    return weights / weights.sum()


def _checked(log_l: np.ndarray) -> np.ndarray:
    if np.isnan(log_l).any() or not np.isfinite(log_l.max()):
        raise ComputationError(
            "the learned likelihood is not finite: the observation lies far outside of what was simulated"
        )
    return log_l
