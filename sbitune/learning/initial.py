"""Initial weights: those that flax draws, drawn by the host for a stack of models at once.

flax draws them with a program of its own for every shape, which for a network of three layers takes longer to compile
than its training. A module is given `WeightKeys` in place of `nnx.Rngs`, and `kernel_init` and `zeros_init` to draw
with; its arrays then have the axes of the keys in front.
"""

from typing import Any

import jax
import numpy as np
from jax.core import Tracer
from scipy.special import erf, erfinv

from sbitune.learning.keys import Keys, check_key, is_key

#: standard deviation of a standard normal that is cut off at 2
_CUT_OFF = 0.87962566103423978


def host_keys(key: jax.Array | Keys) -> Keys:
    """Return a typed key, or a row of keys for a stack, as `Keys`. Raises TypeError for others."""
    if isinstance(key, Keys):
        return key
    if isinstance(key, Tracer):
        raise TypeError("models are built outside of jit and vmap: give a row of keys to build a stack")
    return Keys.of(check_key(key, ndim=key.ndim if is_key(key) else 0))


class WeightKeys:
    """The keys of the parameters of a stack of modules, as `nnx.Rngs` gives them out."""

    def __init__(self, keys: Keys) -> None:
        """Take a key for every module of the stack (...,)."""
        self.keys, self.count = keys, 0

    def params(self) -> Keys:
        """Return the keys of the next parameter."""
        self.count += 1
        return self.keys.fold(self.count - 1)


def kernel_init(keys: Keys, shape: tuple[int, ...], dtype: Any) -> Any:
    """Draw kernels (..., n_in, n_out): normal, cut off at two standard deviations, of variance 1 / n_in (LeCun)."""
    if keys.kind is None:
        return zeros_init(keys, shape, dtype)
    bits = keys.bits(int(np.prod(shape)))
    between = (bits >> np.uint32(9) | np.uint32(0x3F800000)).view(np.float32) - np.float32(1)  # 0 to 1
    low, high = (np.float32(erf(end / np.sqrt(2))) for end in (-2.0, 2.0))
    uniform = np.maximum(low, between * (high - low) + low)
    inside = np.nextafter(np.float32(2), np.float32(0))
    normal = np.clip(np.sqrt(2) * erfinv(uniform.astype(np.float64)), -inside, inside)
    kernels = normal * (1 / np.sqrt(shape[0]) / _CUT_OFF)
    return jax.device_put(kernels.astype(dtype).reshape(*keys.shape, *shape))


def zeros_init(keys: Keys, shape: tuple[int, ...], dtype: Any) -> Any:
    """Return zeros (..., *shape)."""
    return repeat_constant(keys, np.broadcast_to(np.zeros((), dtype), shape))


def repeat_constant(keys: Keys, array: Any) -> Any:
    """Return an array (..., *shape), the same for every key."""
    array = np.broadcast_to(array, (*keys.shape, *np.shape(array)))
    return array if keys.kind is None else jax.device_put(array)
