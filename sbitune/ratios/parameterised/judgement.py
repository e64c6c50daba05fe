"""Did the networks learn anything? Their loss on events that validate, against that of r = 1 everywhere."""

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sbitune.data.errors import ComputationError
from sbitune.learning.networks import Fixed

#: rows that are computed at once
_SLICE = 2048
#: standard errors by which networks have to be better than nothing
_BETTER = 2.0


class Gain(NamedTuple):
    """By how much the loss is lower than that of r = 1, of events that validate, on the mean of the members."""

    mean: float
    error: float  #: standard error, from the spread of the rows


@partial(jax.tree_util.register_dataclass, data_fields=["inputs"], meta_fields=[])
@dataclass(frozen=True)
class _Unity:
    """r = 1."""

    inputs: Fixed

    def embed(self, theta: Any) -> Any:
        return 0 * theta[..., :1]

    def prepare(self, x: Any) -> Any:
        return 0 * x[..., :1]

    def combine(self, embedded: Any, prepared: Any) -> Any:
        return (embedded + prepared)[..., 0]


def gain_of(key: jax.Array, loss: Any, networks: Any, inputs: Any, rows: dict[str, np.ndarray]) -> Gain:
    """By how much networks are better than none, of rows that validate."""
    n = len(rows["x"])
    size = min(n, _SLICE)
    gains = []
    for begin in range(0, n - size + 1, size):
        batch = {name: array[begin : begin + size] for name, array in rows.items()}
        gains.append(np.asarray(_gains(networks, _Unity(Fixed(inputs)), batch, key, loss=loss)))
    gain = np.concatenate(gains).astype(float)
    return Gain(float(gain.mean()), float(gain.std() / np.sqrt(len(gain))))


def check_gain(gain: Gain) -> None:
    """Raise `ComputationError` if nothing was learned."""
    if not gain.mean > _BETTER * gain.error:
        raise ComputationError(
            f"nothing was learned: on events that validate the loss is lower than that of r = 1 by {gain.mean:.2g} +- "
            f"{gain.error:.1g} only; the columns may not depend on the parameters, the events be too few, or the steps "
            "too large"
        )


@partial(jax.jit, static_argnames="loss")
def _gains(networks: Any, unity: Any, batch: Any, key: Any, *, loss: Any) -> Any:
    found = jnp.mean(jax.vmap(lambda network: loss(network, batch, key))(networks), axis=0)
    return loss(unity, batch, key) - found
