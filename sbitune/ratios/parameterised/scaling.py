"""Inputs in units of their own spread: networks learn nothing of numbers around 5,000, or of a width of 1e-3."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.text.names import shorten

#: of the size of a column, a width below which it is one number
_NARROWEST = 1e-9


class Scaling(NamedTuple):
    """Linear scaling of columns, (x - centre) / width."""

    centre: Any  #: (n_columns,)
    width: Any  #: (n_columns,) positive

    def apply(self, x: Any) -> Any:
        """Scale x (..., n_columns), in its precision."""
        return (x - self.centre) / self.width


def find_scaling(names: Sequence[str], x: np.ndarray) -> Scaling:
    """Mean and standard deviation of the columns x (n_events, n_columns), whatever the weights.

    Raises `InputError` for a column that is one number for all events.
    """
    centre, width = x.mean(axis=0, dtype=float), x.std(axis=0, dtype=float)
    constant = np.flatnonzero(width <= _NARROWEST * np.abs(x).max(axis=0, initial=0))
    if len(constant):
        name = shorten(names[constant[0]])
        raise InputError(
            f"the column {name!r} is {x[0, constant[0]]:g} for all events: nothing can be learned from it; leave "
            "it out",
            code="ratio-constant-column",
        )
    return Scaling(centre.astype(np.float32), width.astype(np.float32))
