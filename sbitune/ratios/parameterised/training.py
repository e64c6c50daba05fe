"""From events to a ratio."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.parameter import EDGE, parameter_box
from sbitune.data.text.names import list_names
from sbitune.learning.ensembles import train_ensemble
from sbitune.learning.keys import check_key
from sbitune.learning.rows import Rows
from sbitune.learning.sets.scaling import SetEvents, set_scaling
from sbitune.learning.training import Progress
from sbitune.ratios.parameterised.config import RatioConfig
from sbitune.ratios.parameterised.inputs import content_of
from sbitune.ratios.parameterised.judgement import check_gain, gain_of
from sbitune.ratios.parameterised.kinds.kind import Inputs, SetScales
from sbitune.ratios.parameterised.kinds.registry import builder_of
from sbitune.ratios.parameterised.losses.mined import Score
from sbitune.ratios.parameterised.losses.registry import RatioLoss, loss_of
from sbitune.ratios.parameterised.ratio import LearnedRatio, TrainingRecord
from sbitune.ratios.parameterised.samples import RatioEvents, assemble, check_alike, check_in_box
from sbitune.ratios.parameterised.scaling import Scaling, find_scaling

DEFAULT = RatioConfig()


def train_ratio(
    key: jax.Array,
    events: RatioEvents,
    reference: RatioEvents | None,
    config: RatioConfig = DEFAULT,
    point: Mapping[str, float] | None = None,
    loss: RatioLoss | None = None,
    progress: Progress | None = None,
) -> LearnedRatio:
    """Learn log p(x | theta) / p(x | reference).

    Args:
        key: draws initial weights, the split and the batches.
        events: each with its theta.
        reference: events of the reference; None: the marginal of `events`, the mean of p(x | theta) over their theta.
        config: see there; all members validate on the same events.
        point: the parameters of the reference, if it is of this family; the ratio then is 1 there.
        loss: one with other settings than usual, in place of that of the config.
        progress: called after every epoch.

    Raises:
        InputError: other columns or parameters in the reference, no theta, weights without a sum above 0, too few
            events, a column of one value, a point outside the box, or truth missing that the loss needs.
        ComputationError: the loss is not finite, or no better than that of r = 1 on events that validate.
    """
    split_key, start_key, train_key = jax.random.split(check_key(key), 3)
    sample = events if reference is None else reference
    check_alike(events, sample)
    loss = loss_of(config.loss) if loss is None else loss
    if loss == Score() and config.kind == "local":
        _check_at_point(events, point)
    data, rows = assemble(split_key, events, sample, config.training.validation_fraction)
    check_loss(loss, data, events, sample)
    inputs = _inputs(events, sample, point)
    networks = builder_of(config.kind)(jax.random.split(start_key, config.members), inputs, config.network)
    tiled = Rows(*(np.tile(index, (config.members, 1)) for index in rows))
    keys = jax.random.split(train_key, config.members)
    trained = train_ensemble(keys, networks, loss, data, config.training, rows=tiled, progress=progress)
    gain = gain_of(start_key, loss, trained.model, inputs, data, rows.validation[0])
    check_gain(gain)
    record = TrainingRecord(
        loss=repr(loss),
        n_events=len(events),
        n_reference=len(sample),
        negative=_negative(events),
        negative_reference=_negative(sample),
        gain=gain,
        train=trained.losses.train,
        validation=trained.losses.validation,
        best_epoch=np.asarray(trained.best_epoch),
    )
    return LearnedRatio(
        config=config,
        columns=events.columns,
        inputs=events.inputs,
        parameters=events.parameters,
        point=_ordered(events, point),
        ranges=_ranges(events, sample),
        networks=jax.tree.map(np.asarray, trained.model),
        record=record,
        sets=events.set_columns,
    )


def check_loss(loss: RatioLoss, data: Mapping[str, Any], *samples: RatioEvents) -> None:
    """Raise `InputError` if rows of events do not tell what a loss needs."""
    if getattr(loss, "equal_weights", False) and any(np.ptp(one.weight) for one in samples):
        raise InputError(
            f"{type(loss).__name__} compares events one with another, which must have equal weights; take `binary`",
            code="ratio-unequal-weights",
        )
    missing = [name for name in loss.needs if name not in data]
    if missing:
        raise InputError(
            f"{type(loss).__name__} needs {list_names(dict.fromkeys(missing))} of the simulator, which the events do "
            "not tell; name the columns, or take the loss `binary`",
            code="ratio-lacks-truth",
        )


def _ordered(events: RatioEvents, point: Mapping[str, float] | None) -> np.ndarray | None:
    if point is None:
        return None
    names = [p.name for p in events.parameters]
    if sorted(names) != sorted(point):
        raise InputError(
            f"the reference is at {list_names(point)}; expected a value of each of {list_names(dict.fromkeys(names))}"
        )
    theta = np.array([point[name] for name in names], float)
    check_in_box("the point of the reference", events.parameters, theta[None])
    return theta


def _check_at_point(events: RatioEvents, point: Mapping[str, float] | None) -> None:
    """The score at the reference is learned from events that were simulated there."""
    at, theta = _ordered(events, point), events.theta
    if at is None or theta is None:
        return
    _, half = parameter_box(events.parameters)
    away = (np.abs(theta - at) > EDGE * half).any(axis=1)
    if away.any():
        raise InputError(
            f"{away.mean():.0%} of the events are not at the point of the reference, and SALLY learns the score there "
            "from events that were simulated there; give such events, or take another kind of networks and `cascal`",
            code="ratio-point",
        )


def _inputs(events: RatioEvents, reference: RatioEvents, point: Mapping[str, float] | None) -> Inputs:
    x = events.x if reference is events else np.concatenate([events.x, reference.x])
    centre, half = parameter_box(events.parameters)
    theta = _ordered(events, point)
    return Inputs(
        find_scaling(events.inputs, x),
        Scaling(centre.astype(np.float32), half.astype(np.float32)),
        None if theta is None else theta.astype(np.float32),
        SetScales(*set_scaling(SetEvents(reference.sets))[:2]) if reference.sets else None,
    )


def _ranges(events: RatioEvents, reference: RatioEvents) -> np.ndarray:
    """Smallest and largest numbers (2, n_inputs) of both samples."""
    ends = []
    for parts in zip(content_of(events.given), content_of(reference.given), strict=True):
        ends.append([np.min([p.min(0) for p in parts], axis=0), np.max([p.max(0) for p in parts], axis=0)])
    return np.concatenate(ends, axis=1)


def _negative(sample: RatioEvents) -> float:
    """Share of negative weights in the sum of their sizes."""
    return float(-sample.weight[sample.weight < 0].sum() / np.abs(sample.weight).sum())
