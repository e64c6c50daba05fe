"""Measurements of parameters by somebody else: (p - m)^2 / s^2, m with the error s. Toys repeat the measurement."""

from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from sbitune.data.errors import InputError
from sbitune.fitting.likelihood.terms.term import Named


@dataclass(frozen=True, eq=False)
class Constraint:
    """A measurement of a parameter itself, by somebody else: a nuisance with a Gaussian error."""

    parameter: str
    value: float  #: measured
    error: float

    def __post_init__(self) -> None:
        if not (np.isfinite(self.value) and np.isfinite(self.error) and self.error > 0):
            raise InputError(f"constraint of {self.parameter}: {self.value:g} +- {self.error:g} is no measurement")

    @property
    def name(self) -> str:
        """`constraint of PARAMETER`"""
        return f"constraint of {self.parameter}"

    @property
    def data(self) -> np.ndarray:
        """The value."""
        return np.asarray(self.value, float)

    def minus_two_log(self, given: Named, data: Any) -> Any:
        """The pull squared."""
        return ((given[self.parameter] - data) / self.error) ** 2

    def draw(self, key: jax.Array, given: Named, n: int) -> np.ndarray:
        """(n,) measurements repeated."""
        return np.asarray(given[self.parameter] + self.error * jax.random.normal(key, (n,)))
