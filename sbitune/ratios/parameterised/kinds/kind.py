"""What a network of log r(x | theta) answers, and what the loop and files need to build one.

It is asked in three steps, so that what depends on one of the two alone is computed once: `embed` theta, `prepare` x,
and `combine` both. Parameters and columns are scaled inside, see `Inputs`.
"""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Literal, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import msgspec

from sbitune.learning.initial import host_keys, repeat_constant
from sbitune.learning.networks import Fixed, build_mlp
from sbitune.learning.sets.config import SetConfig, build_set_network
from sbitune.learning.sets.scaling import Scale, SetEvents, SetScaling
from sbitune.ratios.parameterised.scaling import Scaling


class SetScales(NamedTuple):
    """How sets of particles are scaled."""

    particles: tuple[Scale, ...]  #: of the features of every kind of particles
    counts: tuple[Any, ...]  #: () mean number of particles of every kind, at least 1


class Inputs(NamedTuple):
    """What goes in, and how it is scaled."""

    x: Scaling  #: of the columns
    theta: Scaling  #: of the parameters: the box in which they are learned becomes [-1, 1]
    reference: Any  #: (n_parameters,) where p(x | reference) is; None for a reference that is no point
    sets: SetScales | None = None  #: of particles beside the columns; None: there are none

    @property
    def has_point(self) -> bool:
        """Whether the reference is a point."""
        return self.reference is not None


Width = Annotated[int, msgspec.Meta(ge=1, le=4096)]


class NetworkConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Sizes of networks."""

    hidden: Annotated[
        tuple[Width, ...], msgspec.Meta(max_length=20, description="Widths of the hidden layers of networks of x.")
    ] = (64, 64)
    hidden_theta: Annotated[
        tuple[Width, ...], msgspec.Meta(max_length=20, description="The same of networks of theta.")
    ] = (32, 32)
    features: Annotated[
        int,
        msgspec.Meta(
            ge=1,
            le=4096,
            description="Learned products of a function of x and one of theta, beside those of the inputs.",
        ),
    ] = 16
    activation: Annotated[Literal["gelu", "relu", "silu", "tanh"], msgspec.Meta(description="Activation function.")] = (
        "silu"
    )
    sets: Annotated[
        SetConfig,
        msgspec.Meta(
            description="Of networks of x where events have sets of particles; `hidden` is that of the event."
        ),
    ] = SetConfig()


class RatioNetwork(Protocol):
    """A pytree; of a stack each array has the members in front."""

    def embed(self, theta: Any) -> Any:
        """What depends on theta (..., n_parameters) alone: (..., n) numbers."""
        ...

    def prepare(self, x: Any) -> Any:
        """What depends on x (..., n_columns) alone, or on `SetEvents` of n events: (..., n) numbers."""
        ...

    def combine(self, embedded: Any, prepared: Any) -> Any:
        """Log r (...,) of both, whose leading axes broadcast."""
        ...


#: builds a stack of networks, one for each key
Build = Callable[[Any, Inputs, NetworkConfig], RatioNetwork]


def build_of_x(keys: Any, inputs: Inputs, n_out: int, config: NetworkConfig) -> Any:
    """Build a network of x: of its columns, or of sets of particles beside them. See `apply_of_x`."""
    if inputs.sets is None:
        return build_mlp(keys, len(inputs.x.centre), n_out, config.hidden, config.activation)
    scaling = SetScaling(inputs.sets.particles, inputs.sets.counts, Scale(*inputs.x))
    return build_set_network(keys, scaling, n_out, config.hidden, config.activation, config.sets)


def apply_of_x(of_x: Any, inputs: Inputs, x: Any) -> tuple[Any, Any]:
    """Columns, scaled (..., n_columns), and what a network of `build_of_x` says of x (..., n_out)."""
    if isinstance(x, SetEvents):
        return inputs.x.apply(x.flat), of_x(x)
    scaled = inputs.x.apply(x)
    return scaled, of_x(scaled)


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
