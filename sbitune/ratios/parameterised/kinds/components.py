r"""What is known to be a polynomial in theta: sums of squared amplitudes, in which couplings enter linearly.

With m = (1, theta - reference), the differential cross section is m^T G(x) m with a matrix G that is positive: every
polynomial of second order that is positive everywhere is of this form (D. Hilbert, Math. Ann. 32 (1888) 342). Then

    r(x | theta) = m^T G(x) m / m^T N m,   G = L L^T,   G_00 = N_00 = 1

with networks for the lower triangle L, and a matrix N of the same form which is E_ref[G] once it is learned. So all
theta teach the same components, which are morphed (J. Brehmer, K. Cranmer, G. Louppe, J. Pavez, arXiv:1805.00020), and
r is positive. At the reference it is 1.
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
from sbitune.ratios.parameterised.kinds.kind import (
    Inputs,
    NetworkConfig,
    apply_of_x,
    build_of_x,
    fixed,
    n_inputs,
    with_inputs,
)

#: what is added to r, so that its logarithm is finite where amplitudes cancel
_LEAST = 1e-6


@partial(jax.tree_util.register_dataclass, data_fields=["network", "linear", "norm", "inputs"], meta_fields=[])
@dataclass(frozen=True)
class Components:
    """See the module."""

    network: Any  #: x to the triangle of L but for its first entry, (n_terms,)
    linear: Any  #: (n_columns, n_terms)
    norm: Any  #: (n_terms,) the triangle of the same kind for N
    inputs: Fixed  #: `Inputs`

    def prepare(self, x: Any) -> Any:
        """The triangle of L."""
        scaled, learned = apply_of_x(self.network, self.inputs.value, x)
        return self._start() + learned + scaled @ self.linear

    def embed(self, theta: Any) -> Any:
        """Theta - reference, and log m^T N m."""
        inputs = self.inputs.value
        away = inputs.theta.apply(theta) - inputs.theta.apply(inputs.reference)
        return with_inputs(_log_square(away, self._start() + self.norm)[..., None], away)

    def combine(self, embedded: Any, prepared: Any) -> Any:
        """Log m^T G m - log m^T N m."""
        return _log_square(embedded[..., :-1], prepared) - embedded[..., -1]

    def _start(self) -> Any:
        """Both matrices are the unit matrix if nothing is learned."""
        rows, columns = _triangle(len(self.inputs.value.theta.centre))
        return jnp.asarray(rows == columns, self.norm.dtype)


def _triangle(n_parameters: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the entries of L, but for the first, which is 1."""
    rows, columns = np.tril_indices(n_parameters + 1)
    return rows[1:], columns[1:]


def _log_square(away: Any, triangle: Any) -> Any:
    """Log |L^T m|^2 of theta - reference (..., n_parameters) and triangles (..., n_terms)."""
    rows, columns = _triangle(away.shape[-1])
    m = with_inputs(away, jnp.ones_like(away[..., :1]))
    terms = m[..., rows] * triangle
    total = 0.0
    for column in range(m.shape[-1]):
        projected = jnp.sum(terms[..., columns == column], axis=-1) + (1.0 if column == 0 else 0.0)
        total = total + projected**2
    return jnp.log(total + _LEAST)


def build_components(keys: Any, inputs: Inputs, config: NetworkConfig) -> Components:
    """A stack. Raises `InputError` if the reference is no point."""
    if not inputs.has_point:
        raise InputError("networks of the kind `components` need the point at which the reference is")
    keys, (n_columns, n_parameters) = host_keys(keys), n_inputs(inputs)
    n_terms = len(_triangle(n_parameters)[0])
    return Components(
        build_of_x(keys, inputs, n_terms, config),
        fixed(keys, np.zeros((n_columns, n_terms), np.float32)).value,
        fixed(keys, np.zeros(n_terms, np.float32)).value,
        fixed(keys, inputs),
    )
