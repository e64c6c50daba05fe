r"""Events by an intensity: how many are expected, and where.

With the intensity lambda(x | p) of a model (see `EventModel`), the number nu(p) = int lambda dx of events that it
expects, and events x_i that count c_i times,

    2 [nu(p) - sum_i c_i log lambda(x_i | p)]

is -2 log of the extended likelihood (R. Barlow, Nucl. Instrum. Meth. A 297 (1990) 496) up to what does not depend on p;
a model that expects no number has a density in place of an intensity, and no nu. Of a measurement every event counts
once; of an Asimov data set as often as it is expected; of a toy a Poisson number of times. One compiled function serves
all three.

What does not depend on p is found once, when events are prepared: networks run there. That is kept in single precision
and computed with in double: in single precision log L is a staircase on which no minimiser finds its way, and with
slices of the events that stay in the processor's cache it would be faster by a third only. Everything is counted from
the parameters `base`, where there are any: -2 log L of a million events would be so large that differences of it are
lost.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from sbitune.data.errors import ComputationError, InputError
from sbitune.data.parameter import Parameter
from sbitune.fitting.likelihood.precision import double_precision
from sbitune.fitting.likelihood.terms.term import Named
from sbitune.fitting.likelihood.terms.weighted import score_scatter

#: events are padded to a few sizes, from this on, so that toys of other sizes compile nothing anew
_FEWEST = 64
#: events that are computed at once: those of a quarter cost as much each, those of all at once three times as much
_SLICE = 1 << 14


class EventModel(Protocol):
    """An intensity of events as a function of named parameters: a learned ratio, a density, exact weights."""

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Parameters with the ranges outside of which the model knows nothing; others may be used, too."""
        ...

    def prepare(self, events: Any) -> Any:
        """What does not depend on parameters, of every event: arrays (n_events, ...), of which those with one axis are
        the fastest. Raises `InputError` for events that it does not know.
        """
        ...

    def log_intensity(self, theta: Named, prepared: Any) -> Any:
        """Log of the intensity (n_events,), with respect to whatever the model compares with; that of a density if no
        number is expected. Can be traced by JAX.
        """
        ...

    def expected(self, theta: Named) -> Any:
        """How many events are expected; None if their number says nothing."""
        ...


class Sample(NamedTuple):
    """Prepared events, each with a count. Those that fill up have the count 0."""

    prepared: Any  #: arrays (n_events, ...)
    base: Any  #: (n_events,) log of the intensity that everything is counted from
    counts: Any  #: (n_events,) 1 of a measurement, the expected weight of an Asimov data set


@dataclass(frozen=True, eq=False)
class Density:
    """A density as a function that JAX can trace, with the number of events if that says something."""

    log_density: Callable[[Any, Named], Any]  #: from events (n, ...) and parameters to (n,), normalised
    number: Callable[[Named], Any] | None = None  #: expected number of events; None: it says nothing
    sample: Callable[[jax.Array, Named, int], Any] | None = None  #: n events at parameters, for toys
    parameters: tuple[Parameter, ...] = ()

    def prepare(self, events: Any) -> np.ndarray:
        """Events (n_events, ...) as they are."""
        events = np.asarray(events, float)
        if events.ndim < 1 or not np.isfinite(events).all():
            raise InputError("events are finite numbers (n_events, ...)")
        return events

    def log_intensity(self, theta: Named, prepared: Any) -> Any:
        """(n_events,)"""
        density = self.log_density(prepared, theta)
        return density if self.number is None else density + jnp.log(self.number(theta))

    def expected(self, theta: Named) -> Any:
        """The number."""
        return None if self.number is None else self.number(theta)


class UnbinnedEvents:
    """Events that were observed.

    Args:
        name: what messages and results call the term.
        model: their intensity.
        events: as the model prepares them.
        pool: simulated events and their weights (n,) at which the model's integral is the sum of weight times
            intensity; toys and Asimov data are made of these. By default toys are drawn with the `sample` of the model.
        base: parameters from which -2 log L is counted.
        weights: (n_events,) of both signs, of events that stand for others or are subtracted. There is no likelihood
            then, and errors are those of `weighted`; no toys can be thrown.

    Raises:
        InputError: if there are no events, one is not a number that the model knows, or the weights are no numbers with
            a sum above 0.
    """

    def __init__(
        self,
        name: str,
        model: Any,
        events: Any,
        pool: tuple[Any, np.ndarray] | None = None,
        base: Named | None = None,
        weights: np.ndarray | None = None,
    ) -> None:
        self.name, self.model, self.base = name, model, base
        self.is_weighted = weights is not None
        prepared = self._prepare(events)
        self.n_events = _length(prepared)
        if not self.n_events:
            raise InputError(f"{name}: there are no events")
        self.data = self._sample(prepared, _checked_weights(name, weights, self.n_events))
        self._pool = None
        if pool is not None:
            weights = np.asarray(pool[1], float)
            self._pool = self._sample(self._prepare(pool[0]), weights, fill=False)
            if not (np.isfinite(weights).all() and weights.sum() > 0):
                raise InputError(f"{name}: weights of the pool must be finite, with a sum above 0")

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Those of the model, with the ranges that it knows."""
        return self.model.parameters

    def _prepare(self, events: Any) -> Any:
        try:
            return self.model.prepare(events)
        except InputError as error:
            raise InputError(f"{self.name}: {error}") from error

    def _sample(self, prepared: Any, counts: np.ndarray, fill: bool = True) -> Sample:
        base = np.zeros(len(counts), np.float32) if self.base is None else self._log_intensity(self.base, prepared)
        sample = Sample(prepared, base, counts)
        return _filled(sample, padded_events(len(counts))) if fill else sample

    def _log_intensity(self, given: Named, prepared: Any) -> np.ndarray:
        """(n_events,) slice by slice."""
        with double_precision():
            return np.concatenate(
                [np.asarray(self.model.log_intensity(given, _in_double(part)), float) for part in _cut(prepared)]
            )

    def with_events(self, events: Any, counts: np.ndarray | None = None) -> Sample:
        """Other events of this term, as `Product.with_data` takes them; `counts` (n_events,) by default 1 each."""
        prepared = self._prepare(events)
        return self._sample(prepared, np.ones(_length(prepared)) if counts is None else np.asarray(counts, float))

    def minus_two_log(self, given: Named, data: Sample) -> Any:
        """Of a sample, counted from the base."""
        total = self._total(dict(given), data)
        number = self.model.expected(given)
        if number is None:
            return -2 * total
        before = 0.0 if self.base is None else self.model.expected(self.base)
        return 2 * (jnp.asarray(number) - before - total)

    def _total(self, given: dict[str, Any], data: Sample) -> Any:
        """Sum of counts times log of the intensity."""
        if len(data.counts) <= _SLICE:
            return self._of_slice(given, data)

        # value and gradient of a slice come together, so that derivatives keep nothing of it, and compute nothing twice
        @jax.custom_vjp
        def total(given: dict[str, Any]) -> Any:
            return over_slices(lambda part: self._of_slice(given, part), jnp.zeros(()))

        def with_gradient(given: dict[str, Any]) -> tuple[Any, Any]:
            nothing = (jnp.zeros(()), jax.tree.map(jnp.zeros_like, given))
            return over_slices(lambda part: jax.value_and_grad(self._of_slice)(given, part), nothing)

        def over_slices(function: Callable[[Sample], Any], nothing: Any) -> Any:
            def add(so_far: Any, i: Any) -> tuple[Any, None]:
                part = jax.tree.map(lambda leaf: jax.lax.dynamic_slice_in_dim(leaf, i * _SLICE, _SLICE), data)
                return jax.tree.map(jnp.add, so_far, function(part)), None

            return jax.lax.scan(add, nothing, jnp.arange(len(data.counts) // _SLICE))[0]

        total.defvjp(with_gradient, lambda gradient, factor: (jax.tree.map(lambda g: factor * g, gradient),))
        return total(jax.tree.map(lambda value: jnp.asarray(value, float), given))

    def _of_slice(self, given: dict[str, Any], data: Sample) -> Any:
        log = self.model.log_intensity(given, _in_double(data.prepared)) - data.base
        return jnp.sum(jnp.where(data.counts != 0, log, 0.0) * data.counts)

    def scatter(self, given_at: Callable[[Any], Named], u: Any, data: Sample) -> Any:
        """(n_parameters, n_parameters) covariance of half the slopes of `minus_two_log` along coordinates u
        (n_parameters,), from which `given_at` makes parameters, of weighted events. Can be traced by JAX.
        """

        def log_intensity(u: Any, prepared: Any) -> Any:
            return self.model.log_intensity(given_at(u), _in_double(prepared))

        return score_scatter(log_intensity, u, data.prepared, data.counts)

    @property
    def pool(self) -> Sample:
        """Simulated events, prepared, with their weights. Raises `InputError` if there are none."""
        if self._pool is None:
            raise InputError(f"{self.name}: an Asimov data set needs a pool of simulated events")
        return self._pool

    def expectation(self, given: Named) -> Sample:
        """The simulated events with the counts that are expected of each at parameters: an Asimov data set.

        Raises `InputError` without a pool.
        """
        pool = self.pool
        counts = pool.counts * np.exp(self._log_intensity(given, pool.prepared))
        if not np.isfinite(counts).all():
            raise ComputationError(
                f"{self.name}: the intensity of event {int(np.argmin(np.isfinite(counts)))} of the "
                "pool is not a finite number"
            )
        return Sample(pool.prepared, pool.base, counts)

    def asimov(self, given: Named) -> Sample:
        """The same, filled up as data are. Raises `InputError` for weighted events."""
        self._need_no_weights("is expected of them")
        found = self.expectation(given)
        return _filled(found, padded_events(len(found.counts)))

    def draw(self, key: jax.Array, given: Named, n: int) -> list[Sample]:
        """N samples of events, each of as many as a Poisson distribution says, or as were observed if their number says
        nothing. Raises `InputError` for weighted events, whose weights nobody knows for events that were not seen.
        """
        self._need_no_weights("toys of them have")
        if self._pool is not None:
            return self._draw_from_pool(key, given, n)
        how_many, which = jax.random.split(key)
        number = self.model.expected(given)
        sample = getattr(self.model, "sample", None)
        if sample is None:
            raise InputError(f"{self.name}: toys need `sample`, which draws events, or a pool of simulated ones")
        sizes = np.full(n, self.n_events)
        if number is not None:
            sizes = np.asarray(jax.random.poisson(how_many, number, (n,)))
        shape, found = np.shape(self.data.prepared)[1:], []
        filled = padded_events(int(sizes.max()))
        for one, size in zip(jax.random.split(which, n), sizes.tolist(), strict=True):
            drawn = np.asarray(sample(one, given, filled), float)
            if drawn.shape != (filled, *shape):
                raise InputError(f"{self.name}: `sample` gave an array of shape {drawn.shape} for {(filled, *shape)}")
            found.append(self._sample(drawn, (np.arange(filled) < size).astype(float)))
        return found

    def _need_no_weights(self, what: str) -> None:
        if self.is_weighted:
            raise InputError(
                f"{self.name}: the events have weights, and nobody says which ones {what}; use the errors of the fit, "
                "which are those of weighted events, or leave the weights out",
                code="events-weighted-toys",
            )

    def _draw_from_pool(self, key: jax.Array, given: Named, n: int) -> list[Sample]:
        expected = self.expectation(given)
        if np.any(expected.counts < 0):
            raise InputError(
                f"{self.name}: {np.mean(expected.counts < 0):.1%} of the pool has negative weights, of which no toys "
                "can be thrown; give a pool without them"
            )
        rng = np.random.default_rng(np.asarray(jax.random.key_data(key)).tolist())
        ends = np.cumsum(expected.counts)
        fixed = self.model.expected(given) is None
        sizes = np.full(n, self.n_events) if fixed else rng.poisson(ends[-1], n)
        size = padded_events(int(sizes.max()))
        found = []
        for one in sizes.tolist():
            places = np.searchsorted(ends, rng.uniform(0, ends[-1], one), side="right")
            rows = np.zeros(size, np.int64)
            rows[:one] = np.minimum(places, len(ends) - 1)
            prepared = jax.tree.map(lambda leaf, rows=rows: np.asarray(leaf)[rows], expected.prepared)
            found.append(Sample(prepared, expected.base[rows], (np.arange(size) < one).astype(float)))
        return found


def _checked_weights(name: str, weights: np.ndarray | None, n: int) -> np.ndarray:
    if weights is None:
        return np.ones(n)
    weights = np.asarray(weights, float)
    if weights.shape != (n,) or not np.isfinite(weights).all() or not weights.sum() > 0:
        raise InputError(
            f"{name}: weights of shape {weights.shape} with the sum {weights.sum():g} for {n} events; they are finite "
            "numbers, one for each, with a sum above 0",
            code="events-weights",
        )
    return weights


def padded_events(n: int) -> int:
    """The size up to which n events are filled up: of a few, so that little is compiled anew."""
    n = max(n, _FEWEST)
    step = max(1, (1 << (n - 1).bit_length() >> 1) // 4)
    n = -(-n // step) * step
    return n if n <= _SLICE else -(-n // _SLICE) * _SLICE


def _length(prepared: Any) -> int:
    return len(jax.tree.leaves(prepared)[0])


def _in_double(prepared: Any) -> Any:
    """Floating-point arrays in double precision."""
    return jax.tree.map(
        lambda leaf: jnp.asarray(leaf, float) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf, prepared
    )


def _cut(prepared: Any) -> Sequence[Any]:
    """The events in slices; none is of another size than the first, but for the last."""
    n = _length(prepared)
    return [jax.tree.map(lambda leaf, i=i: leaf[i : i + _SLICE], prepared) for i in range(0, max(n, 1), _SLICE)]


def _filled(sample: Sample, size: int) -> Sample:
    """With copies of the last event behind, for which the intensity is defined, that do not count."""
    n = len(sample.counts)

    def fill(leaf: Any) -> np.ndarray:
        leaf = np.asarray(leaf)
        return np.concatenate([leaf, np.broadcast_to(leaf[-1], (size - n, *leaf.shape[1:]))]) if size > n else leaf

    counts = np.zeros(size)
    counts[:n] = sample.counts
    return Sample(jax.tree.map(fill, sample.prepared), fill(sample.base), counts)
