"""Random keys: typed, explicit, first argument."""

from typing import Any

import jax
import jax.numpy as jnp


def check_key(key: Any, ndim: int = 0) -> jax.Array:
    """Return `key` if it is a typed key with `ndim` axes; raise TypeError with the remedy otherwise."""
    if not is_key(key):
        raise TypeError(f"need a typed random key such as jax.random.key(1), got {type(key).__name__}")
    if key.ndim != ndim:
        wanted = "one key" if ndim == 0 else "a row of keys, such as jax.random.split(key, n)"
        raise TypeError(f"need {wanted}, got keys of shape {key.shape}")
    return key


def is_key(array: Any) -> bool:
    """Whether it is an array of typed keys."""
    return isinstance(array, jax.Array) and jnp.issubdtype(array.dtype, jax.dtypes.prng_key)
