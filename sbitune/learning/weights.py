"""Weights of networks as named arrays, for files."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from sbitune.data.storage.layout import ArraySpec, check_arrays


def pack_weights(networks: Any) -> dict[str, np.ndarray]:
    """The weights of networks as `weights_0` and so on."""
    return {f"weights_{i}": np.asarray(array) for i, array in enumerate(jax.tree.leaves(networks))}


def unpack_weights(where: str, template: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    """Put the stored weights `weights_0` and so on into the graph of their shapes that a config describes.

    Args:
        where: begins a message: the file.
        template: the networks as they are built with `Keys.for_shapes`.
        arrays: those of the file.

    Raises:
        InputError: if they do not fit.
    """
    shapes, structure = jax.tree.flatten(template)
    layout = {f"weights_{i}": ArraySpec(shape.shape, shape.dtype) for i, shape in enumerate(shapes)}
    return jax.tree.unflatten(structure, list(check_arrays(where, arrays, layout).values()))
