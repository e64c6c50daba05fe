"""Which sampler a likelihood gets: a grid up to three parameters, then weighted points, or chains."""

from functools import lru_cache

import jax
import numpy as np

from sbitune.ratios.posteriors.sampling.chains import draw_by_nuts
from sbitune.ratios.posteriors.sampling.grid import COARSE, Grid, draw_from_grid, make_grid
from sbitune.ratios.posteriors.sampling.likelihood import Likelihood
from sbitune.ratios.posteriors.sampling.populations import (
    LEAST_EFFICIENCY,
    Population,
    draw_from_population,
    find_population,
)

#: likelihoods whose grid or points are remembered
_REMEMBERED = 4


def draw(key: jax.Array, likelihood: Likelihood, n: int) -> np.ndarray:
    """Draw theta (n, n_parameters). Raises `ComputationError` if no sampler can do it."""
    prior = likelihood.model.prior
    random = np.random.default_rng(np.asarray(jax.random.key_data(key)).ravel().tolist())
    if len(prior.names) in COARSE:
        return prior.from_cumulative(draw_from_grid(random, _grid(likelihood), likelihood.at_cumulative, n))
    population = find_population(random, likelihood.at_real, len(prior.names), n)
    if population.efficiency < LEAST_EFFICIENCY:
        return prior.from_real(draw_by_nuts(key, likelihood, population, n))
    return prior.from_real(draw_from_population(random, population, n))


def log_evidence(likelihood: Likelihood) -> float:
    """Logarithm of the mean likelihood under the prior."""
    if len(likelihood.model.prior.names) in COARSE:
        return _grid(likelihood).log_evidence
    return _population(likelihood).log_evidence


@lru_cache(maxsize=_REMEMBERED)
def _grid(likelihood: Likelihood) -> Grid:
    return make_grid(likelihood.at_cumulative, len(likelihood.model.prior.names))


@lru_cache(maxsize=_REMEMBERED)
def _population(likelihood: Likelihood) -> Population:
    return find_population(np.random.default_rng(1), likelihood.at_real, len(likelihood.model.prior.names), 5000)
