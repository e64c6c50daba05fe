r"""The binary cross entropy of events of p(x | theta) against those of the reference (carl).

    L = E_theta { E_p(x|theta)[softplus(-f)] + nu E_ref[softplus(f)] },   f(x, theta) = log r(x | theta) - log nu

has the derivative -p(x|theta) / (1 + e^f) + nu p_ref(x) / (1 + e^-f) in f(x, theta), which is 0 for
e^f = p(x|theta) / (nu p_ref(x)): so r is the ratio of densities, whatever nu is and however theta is distributed, as
long as it is so for both. With nu = 1 it is that of K. Cranmer, J. Pavez, G. Louppe, "Approximating likelihood ratios
with calibrated discriminative classifiers", arXiv:1506.02169. With larger nu the error for so many events of p(x|theta)
falls towards that of a maximum likelihood fit, if events of the reference are many (M. Gutmann, A. Hyvarinen, JMLR 13
(2012) 307): one event x' of the reference counts as many, one for each theta it is paired with.

Both expectations are linear in the weights of events, negative ones included: where weights cancel, so do the terms.
Theta with which x' is paired has the weight of the event that it comes from, so that both have one distribution of it.
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from sbitune.ratios.parameterised.kinds.kind import log_ratio
from sbitune.ratios.parameterised.losses.pairs import block_size, in_blocks, pairs_in_blocks


@dataclass(frozen=True)
class Binary:
    """Events of the reference meet theta of other rows, anew at every step; see the module.

    With `pairs` 0 each keeps the one that it was given (`theta_ref`).
    """

    pairs: int = 64  #: theta that an event of the reference meets at a step
    odds: float = 4.0  #: nu
    needs = ()

    def __call__(self, network: Any, batch: dict[str, Any], key: jax.Array) -> Any:
        """(n,)"""
        shift = jnp.log(self.odds)
        embedded = network.embed(batch["theta"])
        of_theta = network.combine(embedded, network.prepare(batch["x"]))
        mine = batch["weight"] * jax.nn.softplus(shift - of_theta)
        if not self.pairs:
            found = log_ratio(network, batch["x_ref"], batch["theta_ref"])
            return mine + self.odds * batch["weight_ref"] * jax.nn.softplus(found - shift)
        size = block_size(len(mine), self.pairs)
        found = jax.nn.softplus(pairs_in_blocks(network, embedded, network.prepare(batch["x_ref"]), size) - shift)
        others = jnp.mean(found * in_blocks(batch["weight"], size)[:, None, :], axis=-1).reshape(-1)
        return mine + self.odds * batch["weight_ref"] * others
