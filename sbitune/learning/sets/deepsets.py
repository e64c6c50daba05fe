"""Deep sets: a network of every particle by itself, summed over the particles of an event.

M. Zaheer et al., Deep Sets, arXiv:1703.06114. With the summed numbers weighted by the particles' shares of energy it is
an energy flow network, which changes neither when a particle splits into two in the same direction nor when one without
energy is added; without it is a particle flow network (P. Komiske, E. Metodiev, J. Thaler, Energy Flow Networks,
arXiv:1810.05165).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from sbitune.learning.initial import host_keys
from sbitune.learning.keys import Keys
from sbitune.learning.networks import Network, build_mlp
from sbitune.learning.sets.network import SetNetwork, join_encoders
from sbitune.learning.sets.scaling import SetScaling


@partial(jax.tree_util.register_dataclass, data_fields=["network"], meta_fields=["energy"])
@dataclass(frozen=True)
class SumEncoder:
    """Sum over particles of what a network says of each."""

    network: Network
    energy: int | None  #: feature with which the sum is weighted and which the network does not see; None: by 1

    def __call__(self, particles: Any, raw: Any, mask: Any, typical: Any) -> jax.Array:
        """Return (n, width) of scaled particles (n, longest, n_features).

        Args:
            particles: scaled.
            raw: as they came.
            mask: (n, longest) which of them there are.
            typical: () number of them, by whose root sums are divided.
        """
        if self.energy is None:
            return jnp.where(mask[..., None], self.network(particles), 0).sum(axis=-2) / jnp.sqrt(typical)
        others = jnp.delete(particles, self.energy, axis=-1, assume_unique_indices=True)
        weight = jnp.where(mask, raw[..., self.energy], 0)
        return jnp.einsum("...l,...lw->...w", weight, self.network(others))


def build_deep_sets(
    key: jax.Array | Keys,
    scaling: SetScaling,
    n_out: int = 1,
    *,
    width: int = 32,
    hidden: Sequence[int] = (64, 64),
    head: Sequence[int] = (64, 64),
    activation: str = "silu",
    energy: int | None = None,
) -> SetNetwork:
    """Build deep sets in float32.

    Args:
        key: draws the initial weights. A row of keys (n_members,) gives a stack of networks.
        scaling: of `set_scaling`; says the numbers of features, flat columns and parameters.
        n_out: numbers of an event, the last layer is linear.
        width: numbers that are summed over particles.
        hidden: layers of the network of a particle.
        head: layers of the network of the event.
        activation: a name in `networks.ACTIVATIONS`.
        energy: feature, the same for all kinds of particles, that weights the sum: the share of the particle in the
            energy of the event. The network then depends on energies and directions only in ways that collinear
            splitting and soft particles do not change, the numbers of particles included, which it does not see.
    """
    keys = host_keys(key)
    given = keys.split(len(scaling.particles) + 1)
    encoders = tuple(
        SumEncoder(
            build_mlp(given.take(i + 1), len(scale.shift) - (energy is not None), width, hidden, activation), energy
        )
        for i, scale in enumerate(scaling.particles)
    )
    widths = tuple(width for _ in encoders)
    return join_encoders(given.take(0), scaling, encoders, widths, n_out, tuple(head), activation, energy is None)
