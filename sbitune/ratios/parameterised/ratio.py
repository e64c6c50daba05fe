"""A learned ratio: networks that are averaged as ratios, with what they were learned from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.events import Events
from sbitune.data.parameter import EDGE, Parameter, parameter_box
from sbitune.data.text.names import list_names
from sbitune.learning.sets.evaluation import map_events
from sbitune.learning.sets.scaling import SetEvents
from sbitune.ratios.parameterised.config import RatioConfig
from sbitune.ratios.parameterised.correction import Correction
from sbitune.ratios.parameterised.inputs import SetNames, X, content_of, count_events, pick_events, read_inputs
from sbitune.ratios.parameterised.judgement import Gain

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
    inputs: tuple[str, ...]  #: the numbers that columns and sets hold
    parameters: tuple[Parameter, ...]  #: with the box in which it was learned
    point: np.ndarray | None  #: (n_parameters,) of the reference, where that is a point
    ranges: np.ndarray  #: (2, n_inputs) smallest and largest of the numbers that it was learned from
    networks: Any  #: a stack of members, or of the one network that combines them
    record: TrainingRecord
    correction: Correction | None = None  #: log E_ref[r] where it was found to be larger than its error
    combination: np.ndarray | None = None  #: (n_phi, n_phi) covariance of what combines the members, if anything does
    sets: SetNames = ()  #: columns of every kind of particles, which stand behind the others in `inputs`

    @property
    def n_members(self) -> int:
        """Networks."""
        return self.config.members

    def inputs_of(self, events: Events | Mapping[str, Any] | X) -> X:
        """X of events: columns and sets by their names, or, without sets, an array (n, n_inputs) in their order.

        Raises `InputError` for other columns, numbers that are not finite, and a column that is not in its unit.
        """
        x = read_inputs(events, self.columns, self.sets, self.inputs)
        begin = 0
        for part in content_of(x):
            low, high = self.ranges[:, begin : begin + part.shape[1]]
            outside = np.mean((part < low) | (part > high), axis=0) if len(part) else np.zeros(1)
            if outside.max(initial=0) > _OUTSIDE:
                i = int(np.argmax(outside))
                raise InputError(
                    f"{outside[i]:.0%} of the events or particles have {self.inputs[begin + i]} outside of {low[i]:g} "
                    f"to {high[i]:g}, the range that the ratio was learned from: is it the same column, and in the "
                    "same unit?",
                    code="ratio-other-columns",
                )
            begin += part.shape[1]
        return x

    def prepare(self, x: X) -> np.ndarray:
        """What networks make of x: (n_events, n_members, ...) in single precision."""
        if isinstance(x, SetEvents):
            return np.swapaxes(map_events(_prepare_sets, self.networks, x, stacked=True), 0, 1)
        parts = [x[i : i + _SLICE] for i in range(0, max(len(x), 1), _SLICE)]
        return np.concatenate([np.asarray(_prepare(self.networks, part)) for part in parts])

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
        self, events: Events | Mapping[str, Any] | X, theta: np.ndarray, extrapolate: bool = False
    ) -> np.ndarray:
        """(n,) log r of events at theta (n_parameters,), or at one for each (n, n_parameters), in single precision.

        Raises `InputError` as `inputs_of`, and for theta outside of the box unless `extrapolate`.
        """
        theta = np.asarray(theta, float)
        if not extrapolate:
            self.check_theta(np.atleast_2d(theta))
        x = self.inputs_of(events)
        n = count_events(x)
        theta = np.broadcast_to(np.asarray(theta, np.float32), (n, len(self.parameters)))
        parts = [
            np.asarray(_average(self.networks, self.prepare(pick_events(x, rows)), theta[rows]))
            for rows in (slice(i, min(i + _SLICE, n)) for i in range(0, n, _SLICE))
        ]
        return np.concatenate(parts) - np.asarray(self.log_mean(theta)) if parts else np.zeros(0, np.float32)


def check_columns(
    where: str,
    ratio: LearnedRatio,
    columns: Sequence[str] | None,
    parameters: Sequence[Parameter] | None,
    sets: Sequence[Sequence[str]] | None,
) -> None:
    """Raise `InputError` if a ratio is of other columns, sets or parameters than asked, or in another order or unit."""
    if columns is not None and tuple(columns) != ratio.columns:
        raise InputError(
            f"{where}: learned from the columns {list_names(dict.fromkeys(ratio.columns))}, not from "
            f"{list_names(dict.fromkeys(columns))}; columns and their order must be the same",
            code="ratio-other-columns",
        )
    if sets is not None and tuple(map(tuple, sets)) != ratio.sets:
        asked, known = (" and ".join(map(list_names, kinds)) or "no particles" for kinds in (sets, ratio.sets))
        raise InputError(
            f"{where}: learned from sets of {known}, not of {asked}; columns and their order must be the same",
            code="ratio-other-columns",
        )
    if parameters is None:
        return
    for asked, known in ((p, q) for p, q in zip(parameters, ratio.parameters, strict=False) if p != q):
        if (asked.name, asked.unit) != (known.name, known.unit):
            raise InputError(
                f"{where}: learned for {known.name} [{known.unit}], asked for {asked.name} [{asked.unit}]; parameters, "
                "their order and units must be the same",
                code="ratio-other-columns",
            )
    if len(parameters) != len(ratio.parameters):
        raise InputError(
            f"{where}: learned for {len(ratio.parameters)} parameters, asked for {len(parameters)}",
            code="ratio-other-columns",
        )


def mean_log(logs: Any) -> Any:
    """Log of the mean ratio over the members, the first axis of log r (n_members, ...)."""
    return jax.nn.logsumexp(logs, axis=0) - jnp.log(jnp.asarray(logs.shape[0], logs.dtype))


@jax.jit
def _average(networks: Any, prepared: Any, theta: Any) -> Any:
    return mean_log(jax.vmap(lambda net, part: net.combine(net.embed(theta), part), (0, 1))(networks, prepared))


@jax.jit
def _prepare(networks: Any, x: Any) -> Any:
    return jnp.swapaxes(jax.vmap(lambda network: network.prepare(x))(networks), 0, 1)


def _prepare_sets(network: Any, events: SetEvents, theta: None) -> Any:
    return network.prepare(events)
