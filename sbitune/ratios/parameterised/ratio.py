"""A learned ratio: networks that are averaged as ratios, with what they were learned from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.events import Events
from sbitune.data.parameter import EDGE, Parameter, parameter_box
from sbitune.ratios.parameterised.config import RatioConfig
from sbitune.ratios.parameterised.correction import Correction
from sbitune.ratios.parameterised.judgement import Gain
from sbitune.ratios.parameterised.samples import columns_of

#: events that are computed at once
_SLICE = 1 << 14
#: a column is in another unit, most likely, if more of the events than this are outside of the range learned from
_OUTSIDE = 0.5


class TrainingRecord(NamedTuple):
    """How the training went."""

    loss: str  #: what was minimised, with its settings
    n_events: int  #: with parameters
    n_reference: int  #: of the reference
    negative: float  #: share of negative weights in the sum of absolute ones
    negative_reference: float  #: the same of the reference
    gain: Gain  #: by how much the loss is lower than that of r = 1
    train: np.ndarray  #: (n_epochs, n_members) loss
    validation: np.ndarray  #: (n_epochs, n_members) loss, of the same events for all members
    best_epoch: np.ndarray  #: (n_members,)


@dataclass(frozen=True, eq=False)
class LearnedRatio:
    """log r(x | theta); members are averaged as ratios, not as logarithms of them."""

    config: RatioConfig
    columns: tuple[str, ...]
    inputs: tuple[str, ...]  #: the numbers that the columns hold
    parameters: tuple[Parameter, ...]  #: with the box in which it was learned
    point: np.ndarray | None  #: (n_parameters,) of the reference, where that is a point
    ranges: np.ndarray  #: (2, n_inputs) smallest and largest values of the columns that it was learned from
    networks: Any  #: a stack of members
    record: TrainingRecord
    correction: Correction | None = None  #: log E_ref[r] where it was found to be larger than its error

    @property
    def n_members(self) -> int:
        """Networks."""
        return self.config.members

    def inputs_of(self, events: Events | Mapping[str, np.ndarray] | np.ndarray) -> np.ndarray:
        """X (n, n_inputs) of events: columns by their names, or an array of them in their order.

        Raises `InputError` for other columns, numbers that are not finite, and a column that is not in its unit.
        """
        x = columns_of(events, self.columns, self.inputs)
        outside = np.mean((x < self.ranges[0]) | (x > self.ranges[1]), axis=0) if len(x) else np.zeros(1)
        if outside.max() > _OUTSIDE:
            i = int(np.argmax(outside))
            raise InputError(
                f"{outside[i]:.0%} of the events have {self.inputs[i]} outside of {self.ranges[0, i]:g} to "
                f"{self.ranges[1, i]:g}, the range that the ratio was learned from: is it the same "
                "column, and in the same unit?",
                code="ratio-other-columns",
            )
        return x

    def scaled(self, theta: Any) -> Any:
        """Theta (..., n_parameters) with the box as [-1, 1], in its precision."""
        centre, half = parameter_box(self.parameters)
        return (theta - centre) / half

    def log_mean(self, theta: Any) -> Any:
        """Log E_ref[r] (...,) that is subtracted at theta (..., n_parameters)."""
        if self.correction is None:
            return jnp.zeros(jnp.shape(theta)[:-1])
        return self.correction.at(self.scaled(theta), None if self.point is None else self.scaled(self.point))

    def check_theta(self, theta: np.ndarray) -> None:
        """Raise `InputError` for parameters (n, n_parameters) outside of the box in which the ratio was learned."""
        for i, p in enumerate(self.parameters):
            slack = EDGE * (p.high - p.low) / 2
            bad = ~((theta[:, i] >= p.low - slack) & (theta[:, i] <= p.high + slack))
            if bad.any():
                raise InputError(
                    f"{p.name} is {theta[bad, i][0]:g}, and the ratio was learned from {p.low:g} to {p.high:g}; learn "
                    "it in a wider range, or allow to extrapolate",
                    code="ratio-no-extrapolation",
                )

    def log_ratios(
        self, events: Events | Mapping[str, np.ndarray] | np.ndarray, theta: np.ndarray, extrapolate: bool = False
    ) -> np.ndarray:
        """(n,) log r of events at theta (n_parameters,), or at one for each (n, n_parameters), in single precision.

        Raises `InputError` as `inputs_of`, and for theta outside of the box unless `extrapolate`.
        """
        theta = np.asarray(theta, float)
        if not extrapolate:
            self.check_theta(np.atleast_2d(theta))
        x = self.inputs_of(events)
        theta = np.broadcast_to(np.asarray(theta, np.float32), (len(x), len(self.parameters)))
        parts = [
            np.asarray(_average(self.networks, x[i : i + _SLICE], theta[i : i + _SLICE]))
            for i in range(0, len(x), _SLICE)
        ]
        return np.concatenate(parts) - np.asarray(self.log_mean(theta)) if parts else np.zeros(0, np.float32)


def mean_log(logs: Any) -> Any:
    """Log of the mean ratio over the members, the first axis of log r (n_members, ...)."""
    return jax.nn.logsumexp(logs, axis=0) - jnp.log(jnp.asarray(logs.shape[0], logs.dtype))


@jax.jit
def _average(networks: Any, x: Any, theta: Any) -> Any:
    return mean_log(jax.vmap(lambda network: network.combine(network.embed(theta), network.prepare(x)))(networks))
