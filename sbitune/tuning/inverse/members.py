"""One member of the ensemble: a flow behind a fixed standardisation of its input, and the loss that trains it."""

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sbitune.learning.ensembles import stack_models
from sbitune.learning.flows import Flow, LinearGaussian, box_to_real, build_flow
from sbitune.learning.losses import negative_log_likelihood
from sbitune.learning.networks import Fixed
from sbitune.tuning.inverse.config import InverseConfig

#: linear estimates are shown to the flow up to this part of the box
_WITHIN = 0.995


class Reading(NamedTuple):
    """How a member reads the compressed bins c (k,)."""

    jitter: Any  #: (k, k) factor of the covariance of the data's noise
    scale: Any  #: (k,) standard deviation over the scan, noise included
    slope: Any  #: (k, n_parameters) of the best linear estimate of the parameters, the box being [-1, 1]
    shift: Any  #: (n_parameters,)


@partial(jax.tree_util.register_dataclass, data_fields=["flow", "reading"], meta_fields=[])
@dataclass(frozen=True)
class Member:
    """q(z | c), z being the parameters mapped from the box to the real line. A pytree."""

    flow: Flow
    reading: Fixed  #: `Reading`

    def log_prob(self, z: jax.Array, c: jax.Array) -> jax.Array:
        """Return log q (...,) of z (..., n_parameters) given c (..., k)."""
        return self.flow.log_prob(z, features(self.reading.value, c))

    def sample(self, key: jax.Array, c: jax.Array, n: int) -> jax.Array:
        """Draw z (n, n_parameters) for one c (k,)."""
        return self.flow.sample(key, features(self.reading.value, c), n)


def features(reading: Reading, c: Any) -> Any:
    """Return what the flow is shown: standardised c, and the linear estimates mapped to the real line as z is.

    The second part spares the networks from learning the map, which is steep at the edges of the box.
    """
    estimate = jnp.clip(c @ reading.slope + reading.shift, -_WITHIN, _WITHIN)
    return jnp.concatenate([c / reading.scale, box_to_real(estimate)], axis=-1)


def make_reading(jitter: np.ndarray, unit: np.ndarray, c: np.ndarray) -> Reading:
    """Find the standardisation from pairs of unit (n, n_parameters) and noisy c (n, k)."""
    design = np.column_stack([c, np.ones(len(c))])
    solution = np.linalg.lstsq(design, unit, rcond=None)[0]
    parts = (jitter, c.std(axis=0), solution[:-1], solution[-1])
    return Reading(*(jnp.asarray(part, jnp.float32) for part in parts))


def build_members(keys: jax.Array, config: InverseConfig, reading: Reading, linear: LinearGaussian) -> Member:
    """Build a stack of untrained members, one per key."""

    def build(key: jax.Array) -> Member:
        flow = build_flow(
            key,
            linear,
            layers=config.layers,
            hidden=config.hidden,
            width=config.width,
            knots=config.knots,
            activation=config.activation,
        )
        return Member(flow, Fixed(reading))

    return jax.jit(lambda keys: stack_models(keys, build))(keys)


def jittered_loss(member: Member, batch: dict[str, jax.Array], key: jax.Array) -> jax.Array:
    """Negative log likelihood with the data's noise drawn anew where `fresh` is 1.

    Args:
        member: as trained.
        batch: `x` (n, k) compressed bins, `y` (n, n_parameters) parameters on the real line, `fresh` (n,) 1, or 0 for
            the fixed pairs that validate, whose x has its noise already.
        key: draws the noise.
    """
    noise = jax.random.normal(key, batch["x"].shape) @ member.reading.value.jitter.T
    x = batch["x"] + batch["fresh"][:, None] * noise
    return negative_log_likelihood(member, {"x": x, "y": batch["y"]}, key)
