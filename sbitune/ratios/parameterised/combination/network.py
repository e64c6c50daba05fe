r"""A combination of networks of log r(x | theta), linear in a few numbers phi.

    log r(x | theta) = sum_m w_m f_m(x, theta) + sum_i b_i q_i(theta) + sum_ij a_ij theta_i x_j,     phi = (w, b, a)

with the members f_m and the products q of one and of two parameters, all scaled and less what they are at the
reference, where that is a point: there log r stays 0. For a reference that is no point 1 and x are added. These are the
directions in which a sample of events is off first of all: sums over events of what the ratio of an exponential family
is made of. Where x has many columns, the products with theta are left out;
of particles there are none.
"""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sbitune.learning.networks import Fixed
from sbitune.learning.sets.scaling import SetEvents
from sbitune.ratios.parameterised.kinds.kind import all_pairs

#: products of a parameter and a column, at most
_MOST_PRODUCTS = 100


@partial(jax.tree_util.register_dataclass, data_fields=["members", "phi", "inputs"], meta_fields=[])
@dataclass(frozen=True)
class CombinedNetwork:
    """A `RatioNetwork`, see the module."""

    members: Any  #: a stack of networks
    phi: Any  #: (n_phi,)
    inputs: Fixed  #: `Inputs`

    def prepare(self, x: Any) -> Any:
        """What the members prepare, one after the other, and x, scaled."""
        prepared = _side_by_side(jax.vmap(lambda network: network.prepare(x))(self.members))
        flat = x.flat if isinstance(x, SetEvents) else x
        return jnp.concatenate([prepared, self.inputs.value.x.apply(flat)], axis=-1)

    def embed(self, theta: Any) -> Any:
        """The same of theta, and the products of one and of two parameters."""
        inputs = self.inputs.value
        own = _products(inputs.theta.apply(theta))
        if inputs.has_point:
            own = own - _products(inputs.theta.apply(inputs.reference))
        return jnp.concatenate([_side_by_side(jax.vmap(lambda network: network.embed(theta))(self.members)), own], -1)

    def combine(self, embedded: Any, prepared: Any) -> Any:
        """The sum."""
        theirs, other, own, x = self._parts(embedded, prepared)
        c, slopes = self._of_theta(own)
        # no reductions: with jax 0.10.2 on a CPU some of a product of matrices and a sum of products are wrong
        total = c + sum(slopes[..., j] * x[..., j] for j in range(x.shape[-1]))
        for i in range(len(theirs)):
            total += self.phi[i] * member(self.members, i).combine(theirs[i], other[i])
        return total

    def matrix(self, embedded: Any, prepared: Any) -> Any:
        """That of all with all."""
        theirs, other, own, x = self._parts(embedded, prepared)
        c, slopes = self._of_theta(own)
        total = x @ jnp.swapaxes(slopes, -1, -2) + c[..., None, :]
        for i in range(len(theirs)):
            total += self.phi[i] * all_pairs(member(self.members, i), theirs[i], other[i])
        return total

    def _parts(self, embedded: Any, prepared: Any) -> tuple[Any, Any, Any, Any]:
        """What each member embedded and prepared (n_members, ...), the products of theta, and x."""
        n, (n_columns, n_parameters) = _n_members(self.members), _sizes(self.inputs)
        n_own = _n_products(n_parameters)
        theirs, other = _apart(embedded[..., :-n_own], n), _apart(prepared[..., :-n_columns], n)
        return theirs, other, embedded[..., -n_own:], prepared[..., -n_columns:]

    def _of_theta(self, own: Any) -> tuple[Any, Any]:
        """What is added to all events (...,), and the slopes (..., n_columns) in x."""
        (n_columns, n_parameters), used = _sizes(self.inputs), _n_members(self.members)
        c, used = own @ self.phi[used : used + own.shape[-1]], used + own.shape[-1]
        slopes = jnp.zeros((*own.shape[:-1], n_columns), c.dtype)
        if not self.inputs.value.has_point:
            c, slopes = c + self.phi[used], slopes + self.phi[used + 1 : used + 1 + n_columns]
            used += 1 + n_columns
        if used < len(self.phi):
            slopes += own[..., :n_parameters] @ self.phi[used:].reshape(n_parameters, n_columns)
        return c, slopes


def mean_of_members(members: Any, inputs: Fixed) -> CombinedNetwork:
    """The mean of the logarithms of the members' ratios; `inputs` are those of a single one."""
    n, (n_columns, n_parameters) = _n_members(members), _sizes(inputs)
    n_own = _n_products(n_parameters)
    n_own += 0 if inputs.value.has_point else 1 + n_columns
    n_own += n_columns * n_parameters if n_columns * n_parameters <= _MOST_PRODUCTS else 0
    return CombinedNetwork(members, np.concatenate([np.full(n, 1 / n), np.zeros(n_own)]), inputs)


def mean_of_templates(template: Any) -> Any:
    """A stack of the one network that combines members, of the shapes of these."""
    combined = mean_of_members(template, Fixed(member(template.inputs.value)))
    return jax.tree.map(lambda leaf: np.broadcast_to(leaf, (1, *leaf.shape)), _single(combined))


def _single(combined: CombinedNetwork) -> CombinedNetwork:
    """With phi in single precision, as networks are."""
    return replace(combined, phi=np.asarray(combined.phi, np.float32))


def stack_of(combined: CombinedNetwork) -> Any:
    """A stack of one."""
    return jax.tree.map(lambda leaf: np.asarray(leaf)[None], _single(combined))


def member(stack: Any, i: int = 0) -> Any:
    """One member of a stack."""
    return jax.tree.map(lambda leaf: leaf[i], stack)


def _n_products(n_parameters: int) -> int:
    """Products of one and of two parameters."""
    return n_parameters + n_parameters * (n_parameters + 1) // 2


def _n_members(members: Any) -> int:
    return jax.tree.leaves(members)[0].shape[0]


def _sizes(inputs: Fixed) -> tuple[int, int]:
    """Numbers of columns and of parameters."""
    return inputs.value.x.centre.shape[-1], inputs.value.theta.centre.shape[-1]


def _products(scaled: Any) -> Any:
    rows, columns = np.triu_indices(scaled.shape[-1])
    return jnp.concatenate([scaled, scaled[..., rows] * scaled[..., columns]], axis=-1)


def _side_by_side(of_members: Any) -> Any:
    """(n_members, ..., n) as (..., n_members n)."""
    moved = jnp.moveaxis(of_members, 0, -2)
    return moved.reshape(*moved.shape[:-2], -1)


def _apart(joined: Any, n_members: int) -> Any:
    """(..., n_members n) as (n_members, ..., n)."""
    return jnp.moveaxis(joined.reshape(*joined.shape[:-1], n_members, -1), -2, 0)
