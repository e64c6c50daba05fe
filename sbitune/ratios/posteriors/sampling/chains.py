"""NUTS from points of a population, where these are too few: narrow, bent posteriors."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial

from sbitune.data.errors import ComputationError
from sbitune.fitting.likelihood.precision import double_precision
from sbitune.fitting.sampling.chains import convergence_notes, diagnose
from sbitune.fitting.sampling.sampling import PosteriorConfig, Whitening, run_chains
from sbitune.ratios.posteriors.sampling.likelihood import Likelihood
from sbitune.ratios.posteriors.sampling.populations import Population, draw_from_population

#: chains, draws of their warm-up, and fewest draws by which their agreement can be judged
_CHAINS, _WARMUP, _LEAST = 8, 300, 250


class _Potential(NamedTuple):
    """What `run_chains` asks of a target."""

    function: Partial

    def potential(self, z: Any) -> Any:
        """-log posterior of z (n_parameters,)."""
        return self.function(z)


def draw_by_nuts(key: jax.Array, likelihood: Likelihood, population: Population, n: int) -> np.ndarray:
    """Draw z (n, n_parameters). Raises `ComputationError` if the chains diverged or do not agree."""
    random = np.random.default_rng(np.asarray(jax.random.key_data(key)).ravel().tolist())
    starts = draw_from_population(random, population, 50 * _CHAINS)
    scatter = np.cov(starts, rowvar=False) + 1e-6 * np.eye(starts.shape[1])
    config = PosteriorConfig(warmup=_WARMUP, samples=max(_LEAST, -(-n // _CHAINS)), chains=_CHAINS)
    with double_precision():
        model = likelihood.model
        x = jnp.asarray(model.scaling.apply(likelihood.x))
        target = _Potential(Partial(model.minus_log_posterior, model.networks, x))
        white = Whitening(starts.mean(axis=0), np.linalg.cholesky(scatter))
        drawn = run_chains(key, target, starts[:_CHAINS], white, config)
    names = model.prior.names
    diagnoses = {name: diagnose(drawn.z[..., i]) for i, name in enumerate(names)}
    notes = convergence_notes(diagnoses, int(np.sum(drawn.diverging)))
    if notes:
        raise ComputationError(
            f"the posterior was not sampled: {'; '.join(notes)}. Make further rounds of simulations, which narrow the "
            "prior to where the posterior is"
        )
    return random.permutation(drawn.z.reshape(-1, len(names)))[:n]
