"""The posterior of one model: samples and densities, with sbi's verbs."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jax
import numpy as np

from sbitune.data.errors import InputError
from sbitune.learning.keys import check_key
from sbitune.ratios.posteriors.grid import COARSE, Grid, draw_from_grid, make_grid
from sbitune.ratios.posteriors.model import Model
from sbitune.ratios.posteriors.simulations import check_observation

#: observations of which the grid is remembered
_REMEMBERED = 4


@dataclass(frozen=True, eq=False)
class Posterior:
    """p(theta | x). Samples never leave the prior.

    NPE draws from its flow. A likelihood or a ratio is sampled on a grid up to three parameters, by NUTS above.
    """

    model: Model

    def sample(self, shape: tuple[int, ...], *, x: Any, key: jax.Array) -> np.ndarray:
        """Draw theta (*shape, n_parameters) given an observation.

        Args:
            shape: of the sample, such as (1000,).
            x: (n_columns,); of a likelihood or a ratio also (m, n_columns), m independent observations of one theta.
            key: draws.

        Raises:
            InputError: other columns, numbers that are not finite, an observation that the model was not made for.
            ComputationError: the learned likelihood is finite nowhere.
        """
        given, n = self._check(x), int(np.prod(shape))
        if self.model.method.posterior:
            draws = self.model.draw(check_key(key), given, n)
        else:
            random = np.random.default_rng(np.asarray(jax.random.key_data(check_key(key))).ravel().tolist())
            likelihood = _Likelihood(self.model, given.tobytes(), given.shape)
            draws = self.model.prior.from_cumulative(draw_from_grid(random, _grid(likelihood), likelihood.at, n))
        return draws.reshape(*shape, len(self.model.prior.names))

    def log_prob(self, theta: Any, x: Any) -> np.ndarray:
        """Return the log density (...,) of theta (..., n_parameters) given an observation, as for `sample`.

        Minus infinity outside the prior. It is normalised: of a flow as it is, on the grid up to three parameters, and
        above by the ratio alone; a likelihood of more parameters has no normalisation, and its log density a constant.
        """
        theta, given = np.asarray(theta, np.float64), self._check(x)
        if theta.shape[-1:] != (len(self.model.prior.names),):
            raise InputError(
                f"theta has shape {theta.shape}; its last axis are {', '.join(self.model.prior.names)}",
                code="posterior-shape",
            )
        inside = self.model.prior.contains(theta)
        safe = np.where(inside[..., None], theta, self.model.prior.from_real(0.0))
        if self.model.method.posterior:
            density = self.model.log_value(safe, given)
        else:
            likelihood = _Likelihood(self.model, given.tobytes(), given.shape)
            density = likelihood.of(safe) + self.model.prior.log_prob(safe)
            if theta.shape[-1] in COARSE:
                density = density - _grid(likelihood).log_evidence
        return np.where(inside, density, -np.inf)

    def _check(self, x: Any) -> np.ndarray:
        given = check_observation(self.model.columns, x)
        if self.model.method.posterior and given.ndim == 2:
            if len(given) > 1:
                raise InputError(
                    f"a posterior flow reads one observation, found {len(given)}: train NLE or NRE, whose "
                    "likelihoods multiply, or put them into one row",
                    code="posterior-columns",
                )
            given = given[0]
        made_for = self.model.observation
        if made_for is not None and not np.array_equal(made_for, given):
            raise InputError(
                "this posterior was made in rounds for one observation, and holds for no other; train on simulations "
                "from the whole prior for others",
                code="posterior-other-observation",
            )
        return given


@dataclass(frozen=True)
class _Likelihood:
    """The log likelihood of observations; equal ones share a grid."""

    model: Model
    content: bytes
    shape: tuple[int, ...]

    def of(self, theta: np.ndarray) -> np.ndarray:
        """At theta (..., n_parameters): (...,)."""
        x = np.frombuffer(self.content, np.float64).reshape(-1, self.shape[-1])
        return np.sum([self.model.log_value(theta, row) for row in x], axis=0)

    def at(self, v: np.ndarray) -> np.ndarray:
        """At v (n, n_parameters) in (0, 1): (n,)."""
        return self.of(self.model.prior.from_cumulative(v))


@lru_cache(maxsize=_REMEMBERED)
def _grid(likelihood: _Likelihood) -> Grid:
    return make_grid(likelihood.at, len(likelihood.model.prior.names))
