"""Scaling of the inputs of networks, which belongs to the model: in float64, before anything is float32."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.events.checking import check_finite


class Scaling(NamedTuple):
    """x -> (x - mean) / width."""

    mean: np.ndarray  #: (k,) float64
    width: np.ndarray  #: (k,) float64, positive

    def apply(self, x: np.ndarray) -> np.ndarray:
        """Scale x (..., k), in float64: a mass of 5,000 +- 1 has three digits left in float32."""
        return (np.asarray(x, np.float64) - self.mean) / self.width


def find_scaling(where: str, names: Sequence[str], x: np.ndarray) -> Scaling:
    """Means and standard deviations of columns x (n, k).

    Args:
        where: begins messages: what the columns are of.
        names: (k,) of the columns.
        x: the numbers.

    Raises:
        InputError: another number of columns than names, a number that is not finite (with its row), a column that is
            constant.
    """
    x = np.asarray(x, np.float64)
    if x.ndim != 2 or x.shape[1] != len(names):
        raise InputError(f"{where}: numbers of the shape {x.shape}, expected (n, {len(names)})")
    for name, column in zip(names, x.T, strict=True):
        check_finite(where, name, column)
        if len(column) == 0 or column.min() == column.max():
            of = f"is {column[0]:g} in all rows" if len(column) else "has no rows"
            raise InputError(f"{where}: {name!r} {of}: it tells nothing; leave it out", code="column-constant")
    return Scaling(x.mean(axis=0), x.std(axis=0))
