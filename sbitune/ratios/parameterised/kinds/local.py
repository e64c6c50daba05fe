"""log r = (theta - reference) . t(x): the score at the reference, the best observables near to it (SALLY).

Away from the reference r is not normalised, see `normalisation`.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sbitune.data.errors import InputError
from sbitune.learning.initial import host_keys
from sbitune.learning.networks import Fixed
from sbitune.ratios.parameterised.kinds.kind import Inputs, NetworkConfig, apply_of_x, build_of_x, fixed, n_inputs


@partial(jax.tree_util.register_dataclass, data_fields=["network", "linear", "inputs"], meta_fields=[])
@dataclass(frozen=True)
class Local:
    """See the module."""

    network: Any  #: x to (n_parameters,), see `build_of_x`
    linear: Any  #: (n_columns, n_parameters)
    inputs: Fixed  #: `Inputs`

    def prepare(self, x: Any) -> Any:
        """The score, per half of the range of each parameter."""
        scaled, learned = apply_of_x(self.network, self.inputs.value, x)
        return learned + scaled @ self.linear

    def embed(self, theta: Any) -> Any:
        """How far theta is from the reference."""
        inputs = self.inputs.value
        return inputs.theta.apply(theta) - inputs.theta.apply(inputs.reference)

    def combine(self, embedded: Any, prepared: Any) -> Any:
        """The dot product."""
        return jnp.sum(embedded * prepared, axis=-1)

    def matrix(self, embedded: Any, prepared: Any) -> Any:
        """That of all with all."""
        return prepared @ jnp.swapaxes(embedded, -1, -2)


def build_local(keys: Any, inputs: Inputs, config: NetworkConfig) -> Local:
    """A stack. Raises `InputError` if the reference is no point."""
    if not inputs.has_point:
        raise InputError("networks of the kind `local` need the point at which the reference is")
    keys, (n_columns, n_parameters) = host_keys(keys), n_inputs(inputs)
    linear = fixed(keys, np.zeros((n_columns, n_parameters), np.float32)).value
    return Local(build_of_x(keys, inputs, n_parameters, config), linear, fixed(keys, inputs))
