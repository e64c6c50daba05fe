"""What a term is: -2 log of a density of its data, as a function of named parameters.

Terms that name a parameter alike share it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import jax
import numpy as np

#: values of the parameters by name
Named = Mapping[str, Any]


def generator(key: jax.Array) -> np.random.Generator:
    """NumPy's random numbers from a key: counts are drawn faster than by JAX, and nothing is compiled."""
    return np.random.default_rng(np.asarray(jax.random.key_data(key)).tolist())


class Term(Protocol):
    """A factor of a likelihood."""

    @property
    def name(self) -> str:
        """What messages and results call it."""
        ...

    @property
    def data(self) -> Any:
        """What was observed: arrays, in the form that `minus_two_log` takes."""
        ...

    def minus_two_log(self, given: Named, data: Any) -> Any:
        """-2 log of the density of data, up to a constant. Can be traced by JAX."""
        ...

    def draw(self, key: jax.Array, given: Named, n: int) -> Sequence[Any] | np.ndarray:
        """N data sets that the term throws at parameters. Raises `InputError` if it cannot."""
        ...
