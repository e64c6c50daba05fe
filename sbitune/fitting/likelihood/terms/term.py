"""What a term is: -2 log of a density of its data, as a function of named parameters.

Terms that name a parameter alike share it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import jax

#: values of the parameters by name
Named = Mapping[str, Any]


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

    def draw(self, key: jax.Array, given: Named, n: int) -> Sequence[Any]:
        """N data sets that the term throws at parameters. Raises `InputError` if it cannot."""
        ...
