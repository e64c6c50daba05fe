"""One member of the ensemble: a flow behind a fixed standardisation of its input, and the loss that trains it."""

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sbitune.learning.density.config import FlowConfig
from sbitune.learning.flows import Flow, LinearGaussian, build_flow_of, estimate_to_real
from sbitune.learning.initial import host_keys, repeat_constant
from sbitune.learning.keys import Keys
from sbitune.learning.losses import negative_log_likelihood
from sbitune.learning.networks import Fixed

#: products enter the estimates if there are so many pairs (theta, c) per term
_PAIRS_PER_TERM = 10


class Reading(NamedTuple):
    """How a member reads data c (k,), which are about centred."""

    jitter: Any  #: (k, k) factor of the covariance of noise that training draws anew; zeros where there is none
    scale: Any  #: (k,) standard deviation over the training pairs, noise included
    products: Any  #: (2, n_products) which components of c are multiplied in the estimates
    slope: Any  #: (k + n_products, n_parameters) of the quadratic estimate of the parameters, the box being [-1, 1]
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
    """Return what the flow is shown: c in its scale, and quadratic estimates of the parameters on the real line.

    The estimates are close to the answer, and found at once by least squares, where networks would take long to learn
    products of their inputs and the map from the box to the real line, which is steep at the edges.
    """
    x = c / reading.scale
    estimate = _products(x, reading.products, jnp) @ reading.slope + reading.shift
    return jnp.concatenate([x, estimate_to_real(estimate)], axis=-1)


def make_reading(jitter: np.ndarray, unit: np.ndarray, c: np.ndarray) -> Reading:
    """Find scales and estimates from pairs of unit (n, n_parameters) and noisy c (n, k)."""
    n, k = c.shape
    pairs = np.stack(np.triu_indices(k))
    if n < _PAIRS_PER_TERM * (1 + k + pairs.shape[1]):
        pairs = pairs[:, :0]
    scale = c.std(axis=0)
    design = np.column_stack([_products(c / scale, pairs, np), np.ones(n)])
    solution = np.linalg.lstsq(design, unit, rcond=None)[0]
    jitter, scale, slope, shift = (
        jnp.asarray(part, jnp.float32) for part in (jitter, scale, solution[:-1], solution[-1])
    )
    return Reading(jitter, scale, jnp.asarray(pairs, jnp.int32), slope, shift)


def _products(x: Any, pairs: Any, xp: Any) -> Any:
    """Return x (..., k) and behind it the products of the pairs (2, n_products) of its components."""
    return xp.concatenate([x, x[..., pairs[0]] * x[..., pairs[1]]], axis=-1)


def build_members(keys: jax.Array | Keys, config: FlowConfig, reading: Reading, linear: LinearGaussian) -> Member:
    """Build a stack of untrained members, one per key."""
    flow = build_flow_of(keys, config, linear)
    return Member(flow, Fixed(jax.tree.map(partial(repeat_constant, host_keys(keys)), reading)))


def jittered_loss(member: Member, batch: dict[str, jax.Array], key: jax.Array) -> jax.Array:
    """Negative log likelihood (n,) with noise of the data drawn anew where `fresh` is 1.

    Args:
        member: as trained.
        batch: `x` (n, k) data, `y` (n, n_parameters) parameters on the real line, `fresh` (n,) 1, or 0 for
            the fixed pairs that validate, whose x has its noise already.
        key: draws the noise.
    """
    noise = jax.random.normal(key, batch["x"].shape) @ member.reading.value.jitter.T
    x = batch["x"] + batch["fresh"][:, None] * noise
    return negative_log_likelihood(member, {"x": x, "y": batch["y"]}, key)


def member_shapes(config: FlowConfig, n_parameters: int, k: int, n_products: int) -> Member:
    """The graph that a config describes, with the shapes of its weights, see `sbitune.learning.weights`.

    Args:
        config: of the ensemble.
        n_parameters: of the box.
        k: numbers that a member reads.
        n_products: of them that enter its estimates.
    """
    shapes = Reading((k, k), (k,), (2, n_products), (k + n_products, n_parameters), (n_parameters,))
    reading = Reading(*(np.zeros(shape, np.float32) for shape in shapes))
    reading = reading._replace(products=np.zeros(shapes.products, np.int32))
    linear = LinearGaussian(np.zeros((k + n_parameters, n_parameters)), np.zeros(n_parameters), np.eye(n_parameters))
    return build_members(Keys.for_shapes(config.members), config, reading, linear)
