r"""Terms of a likelihood that is a product: counted bins, unbinned events, constraints, and bins with Gaussian errors.

Every term is -2 log of a density of its data, as a function of named parameters: terms that name a parameter alike
share it. With the parameters p, which JAX traces,

    counts          2 sum_b [lambda_b(p) - n_b + n_b log(n_b / lambda_b(p))]   (S. Baker, R. D. Cousins, Nucl. Instrum.
                    Meth. 221 (1984) 437: -2 log of the Poisson likelihood over that of a perfect description)
    events          -2 sum_i log f(x_i | p), and where their number says something (extended likelihood: R. Barlow,
                    Nucl. Instrum. Meth. A 297 (1990) 496)   + 2 [N(p) - n log N(p)]
    constraint      (p - m)^2 / s^2, m a measurement of p with the error s
    Gaussian bins   as in `problem`
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from sbitune.data.errors import InputError
from sbitune.fitting.likelihood.density import Numbers, minus_two_log_likelihood
from sbitune.fitting.likelihood.gaussian import fluctuate
from sbitune.fitting.likelihood.problem import BinnedProblem, total_covariance

#: values of the parameters by name
Named = Mapping[str, Any]
#: events are padded to powers of two, from this on, so that toys of other sizes compile nothing anew
_FEWEST = 64


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

    def draw(self, key: jax.Array, given: Named) -> Any:
        """Data that the term throws at parameters. Raises `InputError` if it cannot."""
        ...


@dataclass(frozen=True, eq=False)
class CountedBins:
    """Poisson counts."""

    name: str
    counts: np.ndarray  #: (n_bins,) observed
    expected: Callable[[Named], Any]  #: from parameters to (n_bins,) expected counts

    def __post_init__(self) -> None:
        counts = np.asarray(self.counts, float)
        if counts.ndim != 1 or not (np.isfinite(counts).all() and (counts >= 0).all()):
            raise InputError(f"{self.name}: counts are numbers (n_bins,), 0 at least")

    @property
    def data(self) -> np.ndarray:
        """(n_bins,)"""
        return np.asarray(self.counts, float)

    def minus_two_log(self, given: Named, data: Any) -> Any:
        """Twice the logarithm of the likelihood ratio to a perfect description."""
        expected = jnp.asarray(self.expected(given))
        return 2 * jnp.sum(
            expected - data + jax.scipy.special.xlogy(data, data) - jax.scipy.special.xlogy(data, expected)
        )

    def draw(self, key: jax.Array, given: Named) -> np.ndarray:
        """(n_bins,) counts."""
        return np.asarray(jax.random.poisson(key, jnp.asarray(self.expected(given))), float)


@dataclass(frozen=True, eq=False)
class UnbinnedEvents:
    """Events by a density of what was measured of each."""

    name: str
    events: np.ndarray  #: (n_events, ...) observed
    log_density: Callable[[Any, Named], Any]  #: from events (n, ...) and parameters to (n,), normalised
    number: Callable[[Named], Any] | None = None  #: expected number of events; None: it says nothing
    sample: Callable[[jax.Array, Named, int], Any] | None = None  #: n events at parameters, for toys

    def __post_init__(self) -> None:
        if np.ndim(self.events) < 1 or not np.isfinite(self.events).all():
            raise InputError(f"{self.name}: events are finite numbers (n_events, ...)")
        if not len(self.events):
            raise InputError(f"{self.name}: there are no events")

    @property
    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """Events, padded, and (n,) 1 for those that are there."""
        return _pad(np.asarray(self.events, float))

    def minus_two_log(self, given: Named, data: tuple[Any, Any]) -> Any:
        """Of the padded events."""
        events, there = data
        value = -2 * jnp.sum(jnp.where(there > 0, self.log_density(events, given), 0.0))
        if self.number is None:
            return value
        number = self.number(given)
        return value + 2 * (number - jnp.sum(there) * jnp.log(number))

    def draw(self, key: jax.Array, given: Named) -> tuple[np.ndarray, np.ndarray]:
        """Events, as many as a Poisson distribution says, or as were observed if their number says nothing."""
        if self.sample is None:
            raise InputError(f"{self.name}: toys need `sample`, which draws events")
        how_many, which = jax.random.split(key)
        n = len(self.events) if self.number is None else int(jax.random.poisson(how_many, self.number(given)))
        shape = (_padded(n), *np.shape(self.events)[1:])
        drawn = np.asarray(self.sample(which, given, shape[0]), float)
        if drawn.shape != shape:
            raise InputError(f"{self.name}: `sample` gave an array of shape {drawn.shape} for {shape}")
        return drawn, _there(n)


def _padded(n: int) -> int:
    return max(_FEWEST, 1 << max(n - 1, 0).bit_length())


def _there(n: int) -> np.ndarray:
    return (np.arange(_padded(n)) < n).astype(float)


def _pad(events: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Events with copies of the last behind them, for which the density is defined, and what is an event."""
    n, last = len(events), events[-1]
    return np.concatenate([events, np.broadcast_to(last, (_padded(n) - n, *last.shape))]), _there(n)


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

    def draw(self, key: jax.Array, given: Named) -> np.ndarray:
        """The measurement repeated."""
        return np.asarray(given[self.parameter] + self.error * jax.random.normal(key))


@dataclass(frozen=True, eq=False)
class GaussianBins:
    """Bins with Gaussian errors: the likelihood of a binned problem, whose limits and fixed values do not count."""

    name: str
    problem: BinnedProblem

    def __post_init__(self) -> None:
        if not np.all(self.problem.measured.weights == 1.0):
            raise InputError(f"{self.name}: bins with weights other than 1 have no likelihood")

    @property
    def data(self) -> np.ndarray:
        """(n_bins,) measured contents."""
        return self.problem.measured.values

    def _theta(self, given: Named) -> Any:
        return jnp.stack([jnp.asarray(given[p.name]) for p in self.problem.parameters])

    def minus_two_log(self, given: Named, data: Any) -> Any:
        """r^T V^-1 r + log det V, counted from the logarithm with the errors of the data alone."""
        problem, measured = self.problem, self.problem.measured
        base = measured.covariance(problem.correlation)
        scale = np.sqrt(np.diag(base))
        numbers = Numbers(measured.indices, data, base, float(problem.model_error), scale, 2 * np.sum(np.log(scale)))
        return minus_two_log_likelihood(problem.model, self._theta(given), numbers)

    def draw(self, key: jax.Array, given: Named) -> np.ndarray:
        """(n_bins,) contents, with the model's errors as V has them."""
        problem, theta = self.problem, np.asarray(self._theta(given))
        mean = np.asarray(problem.model.predict(theta).mean)[problem.measured.indices]
        return mean + fluctuate(key, total_covariance(problem, theta), 1)[0]
