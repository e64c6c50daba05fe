"""log r = h(x, theta), one network of both: it must run for every event and every theta."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from sbitune.data.errors import InputError
from sbitune.learning.initial import host_keys
from sbitune.learning.networks import Fixed, Network, build_mlp
from sbitune.ratios.parameterised.kinds.kind import Inputs, NetworkConfig, fixed, n_inputs


@partial(jax.tree_util.register_dataclass, data_fields=["network", "inputs"], meta_fields=[])
@dataclass(frozen=True)
class Joint:
    """See the module."""

    network: Network  #: scaled x and theta to (1,)
    inputs: Fixed  #: `Inputs`

    def prepare(self, x: Any) -> Any:
        """x, scaled."""
        return self.inputs.value.x.apply(x)

    def embed(self, theta: Any) -> Any:
        """Theta, scaled."""
        return self.inputs.value.theta.apply(theta)

    def combine(self, embedded: Any, prepared: Any) -> Any:
        """What the network says of both."""
        shape = jnp.broadcast_shapes(embedded.shape[:-1], prepared.shape[:-1])
        both = [jnp.broadcast_to(part, (*shape, part.shape[-1])) for part in (prepared, embedded)]
        return self.network(jnp.concatenate(both, axis=-1))[..., 0]


def build_joint(keys: Any, inputs: Inputs, config: NetworkConfig) -> Joint:
    """A stack. Raises `InputError` for sets of particles."""
    if inputs.sets is not None:
        raise InputError(
            "networks of the kind `joint` run for every event and every theta, which takes too long with sets of "
            "particles; take `factorised`",
            code="ratio-no-sets",
        )
    keys = host_keys(keys)
    return Joint(build_mlp(keys, sum(n_inputs(inputs)), 1, config.hidden, config.activation), fixed(keys, inputs))
