"""The posterior of one model: samples and densities, with sbi's verbs."""

from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from sbitune.data.errors import InputError
from sbitune.learning.keys import check_key
from sbitune.ratios.posteriors.judgement import warn_outside
from sbitune.ratios.posteriors.model import Model
from sbitune.ratios.posteriors.sampling.likelihood import Likelihood
from sbitune.ratios.posteriors.sampling.sampler import draw, log_evidence
from sbitune.ratios.posteriors.simulations import check_observation


@dataclass(frozen=True, eq=False)
class Posterior:
    """p(theta | x). Samples never leave the prior.

    NPE draws from its flow. A likelihood or a ratio is sampled on a grid up to three parameters, above by adaptive
    importance sampling, or NUTS where that does not succeed.
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
            draws = draw(check_key(key), Likelihood.of(self.model, given), n)
        return draws.reshape(*shape, len(self.model.prior.names))

    def log_prob(self, theta: Any, x: Any) -> np.ndarray:
        """Return the log density (...,) of theta (..., n_parameters) given an observation, as for `sample`.

        Minus infinity outside the prior. It is normalised: of a flow as it is, of others on the grid up to three
        parameters, and by weighted points above.
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
            likelihood = Likelihood.of(self.model, given)
            density = likelihood.at(safe) + self.model.prior.log_prob(safe) - log_evidence(likelihood)
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
        warn_outside(self.model, given)
        return given
