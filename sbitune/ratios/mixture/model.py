"""A mixture of processes as an `EventModel`: how many events of each are expected, and where, with respect to the
reference mixture of the samples.

    lambda(x | theta) / p_ref(x) = sum_p N_p(theta) r_p(x) prod_k g_pk(x; nu_k) / Z_p(nu)

with the expected numbers N_p = expected x scale x rates, ratios r_p (`classes`), responses g (`responses`) and their
normalisation Z (`normalisation`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from sbitune.data.events import Events
from sbitune.data.parameter import Parameter
from sbitune.ratios.mixture.classes import ClassRatios
from sbitune.ratios.mixture.normalisation import Normalisation, normalise
from sbitune.ratios.mixture.responses import Response
from sbitune.ratios.samples import as_columns

#: events of a sample from which its normalisation is computed, at most, where it is no polynomial
_NORMALISING = 20_000


class Process(NamedTuple):
    """How many events of a sample are expected."""

    name: str
    expected: float  #: at the nominal parameters, with the scale 1
    scale: str | None  #: a parameter that multiplies it


class Held(NamedTuple):
    """Simulated events that no network has seen: they normalise, judge, and make toys."""

    x: np.ndarray  #: (n_events, n_columns) float32
    weights: np.ndarray  #: (n_events,) as simulated
    sample: np.ndarray  #: (n_events,) number of the sample that they are of

    def of_reference(self, fractions: np.ndarray) -> np.ndarray:
        """(n_events,) weights with which the sum of a function is its mean over the reference mixture."""
        totals = np.bincount(self.sample, self.weights, len(fractions))
        each = np.divide(fractions, totals, out=np.zeros(len(fractions)), where=totals != 0)
        return self.weights * each[self.sample]


@dataclass(frozen=True, eq=False)
class Mixture:
    """How many events are expected, and where."""

    columns: tuple[str, ...]
    processes: tuple[Process, ...]
    ratios: ClassRatios
    responses: tuple[Response, ...]
    parameters: tuple[Parameter, ...]  #: of the fit
    held: Held

    def prepare(self, events: Any) -> tuple[np.ndarray, ...]:
        """Log r of every process, and the coefficients of every response, one after the other: (n_events,) float32.

        Args:
            events: `Events`, or their columns (n_events, n_columns) in the order of `columns`.

        Raises:
            InputError: for events without one of the columns, or of which one has several numbers for an event.
        """
        x = self.columns_of(events)
        parts = [self.ratios.log_ratios(x), *(response.coefficients(x) for response in self.responses)]
        return tuple(np.ascontiguousarray(column) for part in parts for column in part.T)

    def columns_of(self, events: Any) -> np.ndarray:
        """(n_events, n_columns) of `Events`, or of columns that are these already. Raises as `prepare`."""
        return as_columns(events, self.columns) if isinstance(events, Events) else np.asarray(events, np.float32)

    def log_intensity(self, theta: Mapping[str, Any], prepared: Sequence[Any]) -> Any:
        """(n_events,) with respect to the reference."""
        return self.log_intensity_with(theta, prepared, [each.log_mean(theta) for each in self.normalisations])

    def log_intensity_with(self, theta: Mapping[str, Any], prepared: Sequence[Any], log_means: Sequence[Any]) -> Any:
        """The same with log Z of every process (n_processes,) given."""
        places = np.cumsum([len(self.processes), *(response.order for response in self.responses)])
        total = 0.0
        for i, process in enumerate(self.processes):
            log = prepared[i] - log_means[i]
            for first, response in zip(places, self.responses, strict=False):
                if response.sample == process.name:
                    numbers = prepared[first : first + response.order]
                    log += response.log_response(theta[response.nuisance], numbers)
            total += self.expected_of(process, theta) * jnp.exp(log)
        return jnp.log(total)

    def expected_of(self, process: Process, theta: Mapping[str, Any]) -> Any:
        """Number of events of a process."""
        number = process.expected * (1.0 if process.scale is None else theta[process.scale])
        for response in self.responses:
            if response.sample == process.name and response.rate != (1.0, 1.0):
                number *= jnp.exp(response.log_rate(theta[response.nuisance]))
        return number

    def expected(self, theta: Mapping[str, Any]) -> Any:
        """Number of all events."""
        return sum(self.expected_of(process, theta) for process in self.processes)

    @cached_property
    def normalisations(self) -> tuple[Normalisation, ...]:
        """Of every process."""
        found, ranges = [], {p.name: (p.low, p.high) for p in self.parameters}
        for i, process in enumerate(self.processes):
            rows = self.normalising(i)
            mine = [response for response in self.responses if response.sample == process.name]
            numbers = [response.coefficients(self.held.x[rows]).T for response in mine]
            found.append(normalise(mine, numbers, self.held.weights[rows], ranges))
        return tuple(found)

    def normalising(self, i: int) -> np.ndarray:
        """Rows of the held events of a process from which its normalisation is found."""
        rows = np.flatnonzero(self.held.sample == i)
        several = sum(response.sample == self.processes[i].name for response in self.responses) > 1
        return rows[:_NORMALISING] if several else rows

    @cached_property
    def pool(self) -> tuple[np.ndarray, np.ndarray]:
        """Held events of which toys can be drawn, and their weights for means over the reference.

        Where samples have negative weights, events of the others stand for them, with the ratio of the reference to
        the mixture of these; where all have, there is nothing to draw from, and the weights are as they are.
        """
        held, fractions = self.held, self.ratios.fractions
        negative = np.bincount(held.sample, held.weights < 0, len(fractions)) > 0
        used = np.where(negative, 0.0, fractions)
        if not negative.any() or not used.sum() > 0:
            return held.x, held.of_reference(fractions)
        rows = np.flatnonzero(used[held.sample] > 0)
        used = used / used.sum()
        part = Held(held.x[rows], held.weights[rows], held.sample[rows])
        share = np.exp(self.ratios.log_ratios(part.x).astype(np.float64)) @ used
        return part.x, part.of_reference(used) / share
