"""Did the networks learn anything? Their loss on events that validate, against that of r = 1 everywhere."""

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sbitune.data.errors import ComputationError
from sbitune.learning.networks import Fixed
from sbitune.learning.sets.ragged import fill_rows, most_at_once, places_of
from sbitune.learning.sets.scaling import SetEvents

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
        flat = x.flat if isinstance(x, SetEvents) else x
        return jnp.zeros((*flat.shape[:-1], 1), flat.dtype)

    def combine(self, embedded: Any, prepared: Any) -> Any:
        return (embedded + prepared)[..., 0]


def gain_of(key: jax.Array, loss: Any, networks: Any, inputs: Any, data: dict[str, Any], rows: np.ndarray) -> Gain:
    """By how much networks are better than none, of rows (n,) of the data that validate."""
    n = len(rows)
    size = min(n, most_at_once(places_of(data), _SLICE))
    gains = []
    for begin in range(0, n - size + 1, size):
        batch = fill_rows(data, rows[begin : begin + size])
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
