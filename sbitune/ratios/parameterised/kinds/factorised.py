r"""log r = sum_kl a_k(theta) M_kl b_l(x) + c(theta): a dot product for each event, once networks of x have run.

a = [theta, f(theta)] and b = [x, g(x)] with networks f and g; M is trained, and c is a quadratic form of theta and a
network. Families of exponential form, p(x | theta) = h(x) exp(a(theta) . b(x) - A(theta)), are of this form exactly,
with -A(theta) + A(reference) as c; others as nearly as the number of features allows, being a sum of products
as in a singular value decomposition of log r. Of events with sets of particles g is a network of sets.

If the reference is a point, a and c are counted from it: there log r is 0 exactly, whatever was learned. At the start M
is 0 but for what two small numbers need to move it, so that training begins with r = 1.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sbitune.learning.initial import host_keys, zeros_init
from sbitune.learning.networks import Fixed, Network, build_mlp
from sbitune.ratios.parameterised.kinds.kind import (
    Inputs,
    NetworkConfig,
    apply_of_x,
    build_of_x,
    fixed,
    n_inputs,
    with_inputs,
)


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["of_x", "of_theta", "matrix_weights", "quadratic", "inputs"],
    meta_fields=["has_point"],
)
@dataclass(frozen=True)
class Factorised:
    """See the module."""

    of_x: Any  #: g, x to (n_features,), see `build_of_x`
    of_theta: Network  #: f and the network of c, scaled theta to (n_features + 1,)
    matrix_weights: Any  #: M (n_parameters + n_features, n_columns + n_features)
    quadratic: Any  #: (n_parameters + n_pairs,) of c
    inputs: Fixed  #: `Inputs`
    has_point: bool

    def prepare(self, x: Any) -> Any:
        """M b and 1 behind it."""
        scaled, learned = apply_of_x(self.of_x, self.inputs.value, x)
        products = with_inputs(learned, scaled) @ self.matrix_weights.T
        return with_inputs(jnp.ones_like(products[..., :1]), products)

    def embed(self, theta: Any) -> Any:
        """A and c."""
        inputs = self.inputs.value
        found = self._embed(inputs.theta.apply(theta))
        if self.has_point:
            found = found - self._embed(inputs.theta.apply(inputs.reference))
        return found

    def _embed(self, scaled: Any) -> Any:
        learned = self.of_theta(scaled)
        rows, columns = np.triu_indices(scaled.shape[-1])
        powers = with_inputs(scaled[..., rows] * scaled[..., columns], scaled)
        c = learned[..., -1:] + (powers @ self.quadratic)[..., None]
        return jnp.concatenate([scaled, learned[..., :-1], c], axis=-1)

    def combine(self, embedded: Any, prepared: Any) -> Any:
        """The dot product."""
        return jnp.sum(embedded * prepared, axis=-1)

    def matrix(self, embedded: Any, prepared: Any) -> Any:
        """That of all with all."""
        return prepared @ jnp.swapaxes(embedded, -1, -2)


def build_factorised(keys: Any, inputs: Inputs, config: NetworkConfig) -> Factorised:
    """A stack."""
    keys, (n_columns, n_parameters) = host_keys(keys), n_inputs(inputs)
    n = config.features
    shape = (n_parameters + n, n_columns + n)
    weights = np.zeros(shape, np.float32)
    weights[n_parameters:, n_columns:] = np.eye(n, dtype=np.float32) * 0.1
    return Factorised(
        build_of_x(keys.fold(0), inputs, n, config),
        build_mlp(keys.fold(1), n_parameters, n + 1, config.hidden_theta, config.activation),
        fixed(keys, weights).value,
        zeros_init(keys, (n_parameters + n_parameters * (n_parameters + 1) // 2,), np.float32),
        fixed(keys, inputs),
        inputs.has_point,
    )
