"""Measurements of parameters by somebody else, which toys repeat.

Of a Gaussian one with the error s the measured value m contributes (p - m)^2 / s^2; a count n of events of which
tau p are expected contributes 2 [tau p - n + n log(n / (tau p))].
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sbitune.data.errors import InputError
from sbitune.fitting.likelihood.terms.counts import deviance
from sbitune.fitting.likelihood.terms.term import Named, generator


def _need_measurement(name: str, value: Any, error: Any) -> None:
    """Refuse what is no value with an error."""
    if value is None or error is None or np.isnan(value):
        raise InputError(
            f"constraint of {name}: there is no auxiliary measurement, {value} +- {error}; give the value that was "
            "measured and its error, or leave the constraint out and let the data determine the parameter",
            code="constraint-without-measurement",
        )
    if not (np.isfinite(value) and np.isfinite(error) and error > 0):
        raise InputError(
            f"constraint of {name}: {value:g} +- {error:g} is no measurement; its error must be above 0",
            code="constraint-without-measurement",
        )


@dataclass(frozen=True, eq=False)
class Constraint:
    """A measurement of a parameter itself, by somebody else: a nuisance with a Gaussian error."""

    parameter: str
    value: float  #: measured
    error: float

    def __post_init__(self) -> None:
        _need_measurement(self.parameter, self.value, self.error)

    @property
    def name(self) -> str:
        """`constraint of PARAMETER`"""
        return f"constraint of {self.parameter}"

    @property
    def constrained(self) -> tuple[str, ...]:
        """The parameter."""
        return (self.parameter,)

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

    def asimov(self, given: Named) -> np.ndarray:
        """The value of the parameter."""
        return np.asarray(given[self.parameter], float)


@dataclass(frozen=True, eq=False)
class GaussianConstraints:
    """Independent measurements of several parameters as one term."""

    name: str
    constrained: tuple[str, ...]  #: (n,)
    values: np.ndarray  #: (n,) measured
    errors: np.ndarray  #: (n,)

    def __post_init__(self) -> None:
        if not len(self.constrained) == np.size(self.values) == np.size(self.errors) > 0:
            raise InputError(f"{self.name}: every parameter needs a value and an error")
        for name, value, error in zip(self.constrained, self.values, self.errors, strict=True):
            _need_measurement(name, value, error)

    @property
    def data(self) -> np.ndarray:
        """(n,) values."""
        return np.asarray(self.values, float)

    def minus_two_log(self, given: Named, data: Any) -> Any:
        """The sum of the pulls squared."""
        return jnp.sum(((stacked(given, self.constrained) - data) / np.asarray(self.errors, float)) ** 2)

    def draw(self, key: jax.Array, given: Named, n: int) -> np.ndarray:
        """(n, n_parameters) measurements repeated."""
        place, errors = stacked(given, self.constrained), np.asarray(self.errors, float)
        return np.asarray(place + errors * jax.random.normal(key, (n, len(errors))))

    def asimov(self, given: Named) -> np.ndarray:
        """(n,) values of the parameters."""
        return np.asarray(stacked(given, self.constrained), float)


@dataclass(frozen=True, eq=False)
class PoissonConstraints:
    """Counts of other events, each in proportion to a parameter: control samples, simulated events of a bin."""

    name: str
    constrained: tuple[str, ...]  #: (n,)
    scales: np.ndarray  #: (n,) events that are expected if the parameter is 1
    counts: np.ndarray  #: (n,) events that were seen; they need not be whole numbers

    def __post_init__(self) -> None:
        if not len(self.constrained) == np.size(self.scales) == np.size(self.counts) > 0:
            raise InputError(f"{self.name}: every parameter needs a count and what is expected")
        for name, scale, count in zip(self.constrained, self.scales, self.counts, strict=True):
            _need_measurement(name, count, scale)
            if count < 0:
                raise InputError(f"{self.name}: {name} has the count {count:g}; it is at least 0")

    @property
    def data(self) -> np.ndarray:
        """(n,) counts."""
        return np.asarray(self.counts, float)

    def _expected(self, given: Named) -> Any:
        return stacked(given, self.constrained) * np.asarray(self.scales, float)

    def minus_two_log(self, given: Named, data: Any) -> Any:
        """Twice the logarithm of the likelihood ratio to a perfect description."""
        return deviance(self._expected(given), data)

    def draw(self, key: jax.Array, given: Named, n: int) -> np.ndarray:
        """(n, n_parameters) counts."""
        expected = self.asimov(given)
        return generator(key).poisson(expected, (n, *expected.shape)).astype(float)

    def asimov(self, given: Named) -> np.ndarray:
        """(n,) counts that are expected."""
        return np.asarray(self._expected(given), float)


def stacked(given: Named, names: tuple[str, ...]) -> Any:
    """Parameters (n,) in the order of their names."""
    return jnp.stack([jnp.asarray(given[name], float) for name in names])
