"""NPE and NLE: conditional flows of the parameters given the columns, or of the columns given the parameters.

For pairs theta ~ prior, x ~ p(x | theta), the density q(z | x) that minimises E[-log q(z | x)] is the posterior (NPE:
G. Papamakarios, I. Murray, "Fast epsilon-free inference of simulation models with Bayesian conditional density
estimation", arXiv:1605.06376). The density q(x | theta) that minimises E[-log q(x | theta)] is the likelihood whatever
the theta were drawn from (NLE: G. Papamakarios, D. Sterratt, I. Murray, "Sequential neural likelihood",
arXiv:1805.07226); the prior comes in when it is sampled.

Parameters are learnt in coordinates z in which the prior is standard normal: a flow that has learnt nothing is the
prior, and no draw leaves it. A flow of z is shown linear estimates of z beside the columns: the map from a range to
the real line is steep at its ends, and takes a network long to learn.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sbitune.learning.flows import Flow, LinearGaussian, build_flow_of, estimate_to_real, fit_linear_gaussian
from sbitune.learning.initial import host_keys, repeat_constant
from sbitune.learning.keys import Keys
from sbitune.learning.losses import negative_log_likelihood
from sbitune.learning.networks import Fixed
from sbitune.ratios.posteriors.methods.method import Pairs
from sbitune.ratios.posteriors.prior import Prior


class Estimate(NamedTuple):
    """Linear estimate of the unit parameters from scaled columns."""

    slope: Any  #: (n_columns, n_parameters)
    shift: Any  #: (n_parameters,)
    bounded: Any  #: (n_parameters,) 1 for parameters of a range, 0 for others


@partial(jax.tree_util.register_dataclass, data_fields=["flow", "estimate"], meta_fields=[])
@dataclass(frozen=True)
class PosteriorFlow:
    """q(z | x) with linear estimates of z shown to it. A pytree."""

    flow: Flow
    estimate: Fixed  #: `Estimate`

    def log_prob(self, z: jax.Array, x: jax.Array) -> jax.Array:
        """Return log q (...,) of z (..., n_parameters) given scaled x (..., n_columns)."""
        return self.flow.log_prob(z, _shown(self.estimate.value, x))


class PosteriorMethod:
    """NPE."""

    name, posterior, normalised = "npe", True, False

    def build(
        self, keys: jax.Array | Keys, config: Any, prior: Prior, n_columns: int, pairs: Pairs | None
    ) -> PosteriorFlow:
        """See `Method`."""
        d = len(prior.names)
        bounded = prior.bounded.astype(np.float64)
        estimate = Estimate(np.zeros((n_columns, d)), np.zeros(d), bounded)
        linear = LinearGaussian(np.zeros((n_columns + d, d)), np.zeros(d), np.eye(d))
        if pairs is not None:
            design = np.column_stack([pairs.x, np.ones(len(pairs.x))])
            solution = np.linalg.lstsq(design, pairs.unit, rcond=None)[0]
            estimate = Estimate(solution[:-1], solution[-1], bounded)
            linear = fit_linear_gaussian(pairs.real, np.asarray(_shown(estimate, jnp.asarray(pairs.x)), np.float64))
        stacked = (repeat_constant(host_keys(keys), np.asarray(part, np.float32)) for part in estimate)
        return PosteriorFlow(build_flow_of(keys, config, linear), Fixed(Estimate(*stacked)))

    def events(self, pairs: Pairs) -> dict[str, np.ndarray]:
        """See `Method`."""
        return {"x": pairs.x, "y": pairs.real.astype(np.float32)}

    def loss(self, config: Any) -> Any:
        """See `Method`."""
        return negative_log_likelihood

    def log_value(self, network: PosteriorFlow, real: jax.Array, unit: jax.Array, x: jax.Array) -> jax.Array:
        """See `Method`."""
        return network.log_prob(real, x)

    def log_unit(self, prior: Prior, scale: np.ndarray, theta: np.ndarray) -> np.ndarray | float:
        """See `Method`."""
        return prior.log_slope(theta)

    def sample(self, network: PosteriorFlow, key: jax.Array, x: jax.Array, n: int) -> jax.Array:
        """See `Method`."""
        return network.flow.sample(key, _shown(network.estimate.value, x), n)


class LikelihoodMethod:
    """NLE."""

    name, posterior, normalised = "nle", False, False
    sample = None  # a likelihood is sampled with its prior

    def build(self, keys: jax.Array | Keys, config: Any, prior: Prior, n_columns: int, pairs: Pairs | None) -> Flow:
        """See `Method`."""
        linear = LinearGaussian(np.zeros((len(prior.names), n_columns)), np.zeros(n_columns), np.eye(n_columns))
        if pairs is not None:
            linear = fit_linear_gaussian(pairs.x.astype(np.float64), pairs.unit)
        return build_flow_of(keys, config, linear)

    def events(self, pairs: Pairs) -> dict[str, np.ndarray]:
        """See `Method`."""
        return {"x": pairs.unit.astype(np.float32), "y": pairs.x}

    def loss(self, config: Any) -> Any:
        """See `Method`."""
        return negative_log_likelihood

    def log_value(self, network: Flow, real: jax.Array, unit: jax.Array, x: jax.Array) -> jax.Array:
        """See `Method`: the density of scaled columns."""
        return network.log_prob(x, unit)

    def log_unit(self, prior: Prior, scale: np.ndarray, theta: np.ndarray) -> np.ndarray | float:
        """See `Method`."""
        return -float(np.log(scale).sum())


def _shown(estimate: Estimate, x: Any) -> Any:
    """What a flow of z is shown: x (..., n_columns), and estimates of z behind it."""
    unit = x @ estimate.slope + estimate.shift
    return jnp.concatenate([x, jnp.where(estimate.bounded > 0, estimate_to_real(unit), unit)], axis=-1)
