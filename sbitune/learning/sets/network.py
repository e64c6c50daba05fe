"""The network of events with sets: an encoder for every kind of particles, and a head for what all of them say.

    pooled_k = encoder_k(particles of kind k)                     (n, width)
    output   = MLP(h) + h W,   h = (pooled_1, count_1, .., flat columns, theta)

An encoder does not change under a permutation of its particles, and is 0 for none of them. The linear path lets what
is a sum over particles be one, as the log ratio of independent particles is.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from sbitune.data.errors import InputError
from sbitune.learning.initial import kernel_init, repeat_constant
from sbitune.learning.keys import Keys
from sbitune.learning.networks import Fixed, Network, build_mlp
from sbitune.learning.sets.scaling import SetEvents, SetScaling, kinds_of


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["scaling", "encoders", "head", "linear"],
    meta_fields=["counted"],
)
@dataclass(frozen=True)
class SetNetwork:
    """A network of sets, called as `network(events, theta) -> (n, n_out)`. A pytree that `train` can train."""

    scaling: Fixed  #: `SetScaling`
    encoders: tuple[Any, ...]  #: for every kind of particles: `encoder(Sets) -> (n, width)`
    head: Network
    linear: Any  #: (inputs of the head, n_out)
    counted: bool  #: whether the head sees numbers of particles

    def __call__(self, events: SetEvents, theta: Any = None) -> jax.Array:
        """Evaluate the network.

        Args:
            events: with `Sets`, as a step of the training loop gives them, or `RaggedRows.take`.
            theta: (n, n_parameters) or, the same for all events, (n_parameters,); None for a network without.
        """
        return self.finish(self.encode(events), theta)

    def encode(self, events: SetEvents) -> jax.Array:
        """Return all that does not depend on parameters: scaled inputs of the head (n, n_in - n_parameters)."""
        scaling: SetScaling = self.scaling.value
        sets = kinds_of(events.sets)
        if len(sets) != len(self.encoders):
            raise InputError(
                f"{len(sets)} kinds of particles for a network of {len(self.encoders)}", code="sets-other-inputs"
            )
        parts = []
        for one, scale, typical, encoder in zip(sets, scaling.particles, scaling.counts, self.encoders, strict=True):
            if one.particles.shape[-1] != len(scale.shift):
                raise InputError(
                    f"particles have {one.particles.shape[-1]} features, the network is of {len(scale.shift)}",
                    code="sets-other-inputs",
                )
            mask = one.mask[..., None]
            # what is filled up may be anything, NaN say: it is never computed with
            raw = jnp.where(mask, one.particles, 0)
            parts.append(encoder(jnp.where(mask, scale.apply(raw), 0), raw, one.mask, typical))
            if self.counted:
                parts.append(one.mask.sum(axis=-1, keepdims=True) / typical - 1)
        if events.flat is not None:
            n_flat = events.flat.shape[-1]
            flat = jax.tree.map(lambda array: array[:n_flat], scaling.flat)
            parts.append(flat.apply(events.flat))
        return jnp.concatenate(parts, axis=-1)

    def finish(self, encoded: jax.Array, theta: Any = None) -> jax.Array:
        """Return the output (n, n_out) from what `encode` gave, for parameters as in a call."""
        if theta is not None:
            theta = jnp.asarray(theta)
            scale = jax.tree.map(lambda array: array[len(array) - theta.shape[-1] :], self.scaling.value.flat)
            scaled = jnp.broadcast_to(scale.apply(theta), (len(encoded), theta.shape[-1]))
            encoded = jnp.concatenate([encoded, scaled.astype(encoded.dtype)], axis=-1)
        if encoded.shape[-1] != self.linear.shape[0]:
            raise InputError(
                f"flat columns and parameters give the network {encoded.shape[-1]} inputs, it is of "
                f"{self.linear.shape[0]}: were parameters or columns left out?",
                code="sets-other-inputs",
            )
        return self.head(encoded) + encoded @ self.linear


def join_encoders(
    keys: Keys,
    scaling: SetScaling,
    encoders: tuple[Any, ...],
    widths: tuple[int, ...],
    n_out: int,
    hidden: tuple[int, ...],
    activation: str,
    counted: bool,
) -> SetNetwork:
    """Put a head behind encoders of these widths."""
    head_keys, linear_keys = (keys.split(2).take(i) for i in range(2))
    n_in = sum(widths) + len(widths) * counted + len(scaling.flat.shift)
    return SetNetwork(
        Fixed(jax.tree.map(lambda array: repeat_constant(keys, array), scaling)),
        encoders,
        build_mlp(head_keys, n_in, n_out, hidden, activation),
        kernel_init(linear_keys, (n_in, n_out), jnp.float32),
        counted,
    )
