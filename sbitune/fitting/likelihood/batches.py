"""A compiled function of many points, evaluated in batches of one size, so that it is compiled once."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

#: points that are evaluated together
_BATCH = 200


def in_batches(function: Callable[[Any], Any], points: np.ndarray) -> np.ndarray:
    """(n,) values of a function from (_BATCH, p) to (_BATCH,) at points (n, p)."""
    padded = np.concatenate([points, np.repeat(points[-1:], -len(points) % _BATCH, axis=0)])
    parts = [np.asarray(function(jnp.asarray(part))) for part in padded.reshape(-1, _BATCH, points.shape[1])]
    return np.concatenate(parts)[: len(points)]
