r"""A mixture whose ratios float in the fit: their own error as nuisance parameters.

Ratios and responses are linear in numbers phi, known as phi_0 with a covariance C (see
`learning.classifiers.combination`). Along directions z_k that are independent and known as 0 +- 1,

    phi = phi_0 + L z,        L L^T = C,

ordered by what they do to log ratios over held events; those that do next to nothing are left out. Ratios are densities
for every z: with log r_p(x; z) = log r_p + S_p z - log sum_j c_j r_j exp(S_j z) comes

    log Z_p(z) = log E_ref[r_p(x; z)],

found anew over held events of the reference wherever a fit goes, and log E_p[g(x; nu, z)] of responses likewise.
Without it the data do with z what they like: numbers of events are traded for ratios that are no densities.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from sbitune.data.parameter import Parameter
from sbitune.fitting.likelihood.terms.constraints import GaussianConstraints
from sbitune.fitting.likelihood.terms.interpolation import log_mean
from sbitune.learning.classifiers.combination import Combined
from sbitune.ratios.mixture.model import Mixture, Process

#: a direction moves log ratios by at least so much, in the mean square, or by this part of the largest, to be kept
_LEAST, _PART = 1e-3, 0.01
#: events that normalise, at most: of the differences to z = 0 only, which are small
_NORMALISING = 4096
#: z is looked for within so many of its errors
_REACH = 5.0


class Directions(NamedTuple):
    """Directions of one part of a mixture."""

    names: tuple[str, ...]  #: (n_directions,) of the parameters
    steps: np.ndarray  #: (n_phi, n_directions) what one standard deviation of each does to phi


@dataclass(frozen=True, eq=False)
class FloatingMixture:
    """A mixture with directions of its ratios as parameters, an `EventModel`."""

    mixture: Mixture
    prefix: str = "ratio"  #: begins the names of the directions

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Those of the mixture; directions have no range of their own."""
        return self.mixture.parameters

    @property
    def processes(self) -> tuple[Process, ...]:
        """Of the mixture."""
        return self.mixture.processes

    @cached_property
    def directions(self) -> dict[str, Directions]:
        """Part of the mixture, `ratios` or the number of a response -> its directions."""
        held, parts = self.mixture.held, dict[str, Combined]()
        if self.mixture.ratios.combined is not None:
            parts["ratios"] = self.mixture.ratios.combined
        parts |= {str(i): response.combined for i, response in enumerate(self.mixture.responses)}
        found, first = dict[str, Directions](), 0
        for name, part in parts.items():
            features = part.features(held.x[_spread(len(held.x))])
            if part.first_is_base:
                features = features[:, 1:] - features[:, :1]
            steps = _directions(part.covariance, features.reshape(-1, features.shape[-1]))
            names = tuple(f"{self.prefix}[{first + i}]" for i in range(steps.shape[1]))
            found[name], first = Directions(names, steps), first + len(names)
        return found

    @property
    def names(self) -> tuple[str, ...]:
        """Parameters of all directions."""
        return tuple(name for part in self.directions.values() for name in part.names)

    def nuisances(self) -> tuple[Parameter, ...]:
        """The same with their ranges."""
        return tuple(Parameter(name, -_REACH, _REACH, 0.0) for name in self.names)

    def constraint(self) -> GaussianConstraints | None:
        """What held events say of the directions; None if there is none."""
        n = len(self.names)
        return GaussianConstraints(f"{self.prefix} directions", self.names, np.zeros(n), np.ones(n)) if n else None

    def prepare(self, events: Any) -> tuple[np.ndarray, ...]:
        """What `Mixture.prepare` gives, and behind it slopes along all directions, (n_events,) each: of every ratio,
        then of every coefficient of every response.
        """
        return (*self.mixture.prepare(events), *self._slopes(self.mixture.columns_of(events)))

    def _slopes(self, x: np.ndarray) -> list[np.ndarray]:
        found: list[np.ndarray] = []
        for name, part in self.directions.items():
            combined = self._combined(name)
            slopes = combined.features(x) @ part.steps  # (n_events, n_out, n_directions)
            if name != "ratios":
                slopes = self.mixture.responses[int(name)].coefficients_of(slopes)
            found += list(np.ascontiguousarray(slopes.reshape(len(x), -1).T, np.float32))
        return found

    def _combined(self, name: str) -> Combined:
        ratios = self.mixture.ratios.combined
        if name == "ratios":
            assert ratios is not None
            return ratios
        return self.mixture.responses[int(name)].combined

    def log_intensity(self, theta: Mapping[str, Any], prepared: Sequence[Any]) -> Any:
        """(n_events,) with respect to the reference."""
        still = [each.log_mean(theta) for each in self.mixture.normalisations]
        means = [mean + moved for mean, moved in zip(still, self.log_means_moved(theta), strict=True)]
        return self.mixture.log_intensity_with(theta, self.moved(theta, prepared), means)

    def moved(self, theta: Mapping[str, Any], prepared: Sequence[Any]) -> list[Any]:
        """Log ratios and coefficients (n_events,) at the directions in theta, of prepared events; not normalised."""
        n = len(self.mixture.processes)
        columns = list(prepared[: n + sum(response.order for response in self.mixture.responses)])
        slopes = list(prepared[len(columns) :])
        for name, part in self.directions.items():
            first, count = self._columns(name)
            for i in range(count if part.names else 0):
                for direction in part.names:
                    columns[first + i] = columns[first + i] + theta[direction] * slopes.pop(0)
        if self.mixture.ratios.combined is not None:
            logs = jnp.stack([jnp.asarray(column, float) for column in columns[:n]])
            largest = jnp.max(logs, axis=0)
            fractions = jnp.asarray(self.mixture.ratios.fractions)
            columns[:n] = list(logs - largest - jnp.log(fractions @ jnp.exp(logs - largest)))
        return columns

    def _columns(self, name: str) -> tuple[int, int]:
        """First column of a part, and how many it has."""
        n, orders = len(self.mixture.processes), [response.order for response in self.mixture.responses]
        return (0, n) if name == "ratios" else (n + sum(orders[: int(name)]), orders[int(name)])

    def log_means_moved(self, theta: Mapping[str, Any]) -> list[Any]:
        """Log Z of every process less that at z = 0."""
        still = dict(theta) | dict.fromkeys(self.names, 0.0)
        rows, weights, own = self._normalising
        after, before = self.moved(theta, rows), self.moved(still, rows)
        found = []
        for i, process in enumerate(self.mixture.processes):
            log = log_mean(after[i], weights) - log_mean(before[i], weights)
            mine = [k for k, response in enumerate(self.mixture.responses) if response.sample == process.name]
            if mine:
                nominal, w = own[i]
                logs = [self._log_response(mine, given, self.moved(given, nominal)) for given in (theta, still)]
                log = log + log_mean(logs[0], w) - log_mean(logs[1], w)
            found.append(log)
        return found

    def _log_response(self, mine: Sequence[int], theta: Mapping[str, Any], columns: Sequence[Any]) -> Any:
        total: Any = 0.0
        for k in mine:
            first, order = self._columns(str(k))
            response = self.mixture.responses[k]
            total = total + response.log_response(theta[response.nuisance], columns[first : first + order])
        return total

    @cached_property
    def _normalising(self) -> tuple[list[Any], np.ndarray, dict[int, tuple[list[Any], np.ndarray]]]:
        """Prepared events of the reference with weights, and of every process that responds: some of those held."""
        held = self.mixture.held
        weights = held.of_reference(self.mixture.ratios.fractions)
        rows = _spread(len(held.x))
        own = {}
        for i, process in enumerate(self.mixture.processes):
            if any(response.sample == process.name for response in self.mixture.responses):
                mine = np.flatnonzero(held.sample == i)
                mine = mine[_spread(len(mine))]
                own[i] = ([jnp.asarray(c, float) for c in self.prepare(held.x[mine])], held.weights[mine])
        return [jnp.asarray(c, float) for c in self.prepare(held.x[rows])], weights[rows], own

    def expected_of(self, process: Process, theta: Mapping[str, Any]) -> Any:
        """Number of events of a process."""
        return self.mixture.expected_of(process, theta)

    def expected(self, theta: Mapping[str, Any]) -> Any:
        """Number of all events."""
        return self.mixture.expected(theta)


def _spread(n: int) -> np.ndarray:
    """Rows of at most so many events as normalise, evenly spread: held events lie sample by sample."""
    return np.arange(n) if n <= _NORMALISING else np.linspace(0, n - 1, _NORMALISING).astype(int)


def _directions(covariance: np.ndarray, features: np.ndarray) -> np.ndarray:
    """(n_phi, n_directions) with L L^T the covariance, as far as it moves outputs, of features (n, n_phi)."""
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    effects = features @ root
    squares, turned = np.linalg.eigh(effects.T @ effects / len(effects))
    sizes = np.sqrt(np.maximum(squares, 0.0))
    kept = np.flatnonzero(sizes > max(_LEAST, _PART * sizes.max(initial=0.0)))[::-1]
    return root @ turned[:, kept]
