"""What a network of log r(x | theta) answers, and what the loop and files need to build one.

It is asked in three steps, so that what depends on one of the two alone is computed once: `embed` theta, `prepare` x,
and `combine` both. Parameters and columns are scaled inside, see `Inputs`.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import msgspec

from sbitune.learning.initial import host_keys, repeat_constant
from sbitune.learning.networks import Fixed
from sbitune.ratios.parameterised.scaling import Scaling


class Inputs(NamedTuple):
    """What goes in, and how it is scaled."""

    x: Scaling  #: of the columns
    theta: Scaling  #: of the parameters: the box in which they are learned becomes [-1, 1]
    reference: Any  #: (n_parameters,) where p(x | reference) is; None for a reference that is no point

    @property
    def has_point(self) -> bool:
        """Whether the reference is a point."""
        return self.reference is not None


class NetworkConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Sizes of networks."""

    hidden: tuple[int, ...] = (64, 64)  #: widths of the hidden layers of networks of x
    hidden_theta: tuple[int, ...] = (32, 32)  #: the same of networks of theta
    features: int = 16  #: learned products of a function of x and one of theta, beside those of the inputs
    activation: str = "silu"  #: see `sbitune.learning.networks.ACTIVATIONS`


class RatioNetwork(Protocol):
    """A pytree; of a stack each array has the members in front."""

    def embed(self, theta: Any) -> Any:
        """What depends on theta (..., n_parameters) alone: (..., n) numbers."""
        ...

    def prepare(self, x: Any) -> Any:
        """What depends on x (..., n_columns) alone: (..., n) numbers."""
        ...

    def combine(self, embedded: Any, prepared: Any) -> Any:
        """Log r (...,) of both, whose leading axes broadcast."""
        ...


#: builds a stack of networks, one for each key
Build = Callable[[Any, Inputs, NetworkConfig], RatioNetwork]


def log_ratio(network: RatioNetwork, x: Any, theta: Any) -> Any:
    """Log r (...,) of x (..., n_columns) and theta (..., n_parameters)."""
    return network.combine(network.embed(theta), network.prepare(x))


def all_pairs(network: RatioNetwork, embedded: Any, prepared: Any) -> Any:
    """Log r (..., n_x, n_theta) of every x (..., n_x, n) with every theta (..., n_theta, n)."""
    matrix = getattr(network, "matrix", None)
    if matrix is not None:
        return matrix(embedded, prepared)
    return network.combine(embedded[..., None, :, :], prepared[..., :, None, :])


def fixed(keys: Any, part: Any) -> Fixed:
    """The same constants for every key."""
    return Fixed(jax.tree.map(partial(repeat_constant, host_keys(keys)), part))


def n_inputs(inputs: Inputs) -> tuple[int, int]:
    """Numbers of columns and of parameters."""
    return len(inputs.x.centre), len(inputs.theta.centre)


def with_inputs(learned: Any, plain: Any) -> Any:
    """Plain numbers (..., n) and behind them learned ones."""
    return jnp.concatenate([plain, learned], axis=-1)
