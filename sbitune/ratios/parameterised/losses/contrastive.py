r"""NRE-C: which of K thetas does an event belong to, if to any?

Of theta_1 ... theta_K, drawn alike, an event x is of p(x | theta_k) with the odds gamma / K for each k, or else of the
reference. Then

    p(k | x) = gamma r(x | theta_k) / [K + gamma sum_j r(x | theta_j)],   p(none | x) = K / [K + gamma sum_j r]

and the cross entropy of these classes has its minimum at r = p(x | theta) / p(x | reference) and nowhere else: events
of the reference fix what a choice among theta alone leaves open, a function of x (B. K. Miller, C. Weniger, P. Forre,
"Contrastive Neural Ratio Estimation", arXiv:2210.06170; there the reference is the marginal). With K = 1, gamma = 1 it
is the binary cross entropy. `over` = "x" exchanges the roles: K events and one theta, of which one may be of it; what
that leaves open without events of the reference alone is a function of theta.

The others in the sums count alike, so that events of different weights need the binary loss, which is linear in them.
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from sbitune.ratios.parameterised.losses.pairs import block_size, in_blocks, pairs_in_blocks


@dataclass(frozen=True)
class Contrastive:
    """NRE-C, see the module; theta and events are those of other rows."""

    choices: int = 32  #: K, at most
    gamma: float = 1.0
    over: str = "theta"  #: what there is a choice of: `theta` of an event, or `x` of a theta
    needs = ()
    equal_weights = True

    def __call__(self, network: Any, batch: dict[str, Any], key: jax.Array) -> Any:
        """(n,)"""
        n = len(batch["theta"])
        size = block_size(n, self.choices)
        embedded, prepared = network.embed(batch["theta"]), network.prepare(batch["x"])
        none = pairs_in_blocks(network, embedded, network.prepare(batch["x_ref"]), size)  # (block, x, theta)
        if self.over == "x":
            none = jnp.swapaxes(none, 1, 2)
            mine = in_blocks(network.combine(embedded, prepared), size)
            one = jnp.where(jnp.eye(size, dtype=bool), mine[:, :, None], none)
        else:
            one = pairs_in_blocks(network, embedded, prepared, size)
            mine = jnp.diagonal(one, axis1=1, axis2=2)
        odds = jnp.log(self.gamma / size)
        of_none = jax.nn.softplus(jax.nn.logsumexp(none, axis=-1) + odds)
        of_one = jax.nn.softplus(jax.nn.logsumexp(one, axis=-1) + odds) - mine - odds
        return ((of_none + self.gamma * of_one) / (1 + self.gamma)).reshape(n)
