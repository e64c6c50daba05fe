"""The one training loop.

`train` fits one model, `train_ensemble` (in `ensembles.py`) a stack of them; both run `run_epochs`, which is written
for a stack and treats a single model as a stack of one. An epoch is one compiled program, see `loop/epochs.py`; Python
runs between epochs only, to shuffle the events and to look at the losses.

Per member the parameters with the lowest validation loss are kept. Losses that draw random numbers draw the same ones
for every validation, so that epochs are compared on one noise. A member whose validation loss has not improved for
`patience` epochs is finished: its best parameters are kept whatever happens later, so that a member of an ensemble
ends where it would have ended alone.

The program is compiled for a network, a loss and sizes of arrays, and found again for other keys, epochs, step sizes,
and numbers of members and events that are filled up to the same sizes (`padding.py`). The loss is found again by
itself: a function of a module, or an object that is equal to the one before, such as a frozen dataclass with
`__call__`. A function that is made anew, as a lambda inside another function, is compiled anew.
"""

from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

import jax
import msgspec
import numpy as np
import optax

from sbitune.data.errors import ComputationError, InputError
from sbitune.learning.keys import Keys, check_key, is_key
from sbitune.learning.loop import epochs
from sbitune.learning.loop.epochs import Loss
from sbitune.learning.loop.shuffles import shuffle_epochs
from sbitune.learning.networks import split_trained
from sbitune.learning.padding import pad_first, pad_members, pad_rows, padded_size
from sbitune.learning.rows import Rows, check_rows, split_rows
from sbitune.learning.sets.ragged import event_leaves, is_ragged, most_at_once, pad_events, places_of

#: called after every epoch with the epoch (from 0) and the losses (n_members,) of training and validation
Progress = Callable[[int, np.ndarray, np.ndarray], None]

#: the validation loss is computed over slices of this many events, to bound the memory
VALIDATION_SLICE = 16384


class TrainingConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a model is trained."""

    epochs: Annotated[int, msgspec.Meta(description="Passes over the training data, at most.")] = 500
    batch_size: Annotated[int, msgspec.Meta(description="Events per step; more than there are means all.")] = 128
    learning_rate: Annotated[float, msgspec.Meta(description="Step size of Adam at the start.")] = 3e-3
    schedule: Annotated[
        str, msgspec.Meta(description="`cosine`: the step size falls to 0 at the last epoch; `constant`.")
    ] = "cosine"
    patience: Annotated[
        int, msgspec.Meta(description="A member stops after so many epochs without a better validation loss.")
    ] = 100
    validation_fraction: Annotated[
        float, msgspec.Meta(description="Part of the events on which no step is taken, for choosing the best epoch.")
    ] = 0.2

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "patience", "learning_rate"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive")
        if self.schedule not in ("cosine", "constant"):
            raise ValueError("schedule must be cosine or constant")
        if not 0 < self.validation_fraction < 1:
            raise ValueError("validation_fraction must lie between 0 and 1")


class Losses(NamedTuple):
    """Mean loss of every epoch; for an ensemble with a trailing axis of members."""

    train: np.ndarray  #: (n_epochs,) mean over the steps of the epoch
    validation: np.ndarray  #: (n_epochs,) after the epoch


class Trained(NamedTuple):
    """A trained model, or a stack of them."""

    model: Any  #: with the parameters of the best epoch
    losses: Losses  #: of every epoch that was run
    best_epoch: Any  #: int, or (n_members,), counted from 0


def train(
    key: jax.Array,
    model: Any,
    loss: Loss,
    data: Any,
    config: TrainingConfig,
    *,
    weights: Any = None,
    rows: Rows | None = None,
    optimizer: optax.GradientTransformation | None = None,
    progress: Progress | None = None,
) -> Trained:
    """Train one model.

    Args:
        key: splits off the validation events, shuffles, and feeds the loss.
        model: a pytree whose floating-point arrays outside `Fixed` are trained.
        loss: `(model, batch, key) -> (n_events,)`, of every event of the batch by itself. What is minimised is the mean
            over the events. The last events of a batch may be others of the same member, which have weight 0.
        data: a pytree of arrays, the events along the first axis of each, and of `RaggedRows`: sets of particles,
            which the loss is given as `Sets`.
        config: see `TrainingConfig`.
        weights: (n_events,) of the events, which may be negative; by default 1. The mean divides by the number of
            events and not by the sum of weights, which fluctuates from batch to batch.
        rows: training and validation events, with a first axis of length 1; by default a random split.
        optimizer: instead of Adam with the step size of the config, for example from `optax.partition`.
        progress: called after every epoch.

    Raises:
        InputError: arrays of different lengths, too few events, or a loss that is not one number per event.
        ComputationError: a loss is not finite; the message names the epoch.
    """
    stacked = jax.tree.map(_stack_one, model)
    given = Keys.of(check_key(key))
    trained = run_epochs(
        Keys(given.words[None], given.kind), stacked, loss, data, config, weights, rows, optimizer, progress
    )
    losses = Losses(trained.losses.train[:, 0], trained.losses.validation[:, 0])
    return Trained(jax.tree.map(_unstack_one, trained.model), losses, int(trained.best_epoch[0]))


def run_epochs(
    keys: Keys,
    models: Any,
    loss: Loss,
    data: Any,
    config: TrainingConfig,
    weights: Any,
    rows: Rows | None,
    optimizer: optax.GradientTransformation | None,
    progress: Progress | None,
) -> Trained:
    """Train a stack of models, with one key and one row of events each. See `train`."""
    n_events, n_members = _count_events(data), len(keys.words)
    split_keys, loop_keys, validation_keys = (keys.fold(number) for number in range(3))
    rows = check_rows(rows or split_rows(split_keys, n_events, config.validation_fraction), n_members, n_events)
    program = _program(loss, optimizer, config, rows, keys.kind, most_at_once(places_of(data), VALIDATION_SLICE))
    numbers = _numbers(config, rows, program)

    size, n_rows = pad_members(n_members), pad_rows(max(n_events, *(index.shape[1] for index in rows)))
    filled = jax.tree.map(lambda leaf: jax.device_put(pad_first(leaf, size)), models)
    weighted = (data, _check_weights(weights, n_events))
    events = pad_events(weighted, pad_rows(n_events))
    validation = jax.device_put(_fill(rows.validation, size, n_rows + program.slice))
    words = jax.device_put(np.stack([pad_first(part.words, size) for part in (loop_keys, validation_keys)]))
    state = epochs.start(filled, optimizer=program.optimizer, joined=program.joined)
    best = _Best.of(n_members)
    history: list[np.ndarray] = []
    for epoch, order in enumerate(shuffle_epochs(loop_keys, rows.train, config.epochs)):
        orders = _fill(order, size, n_rows + program.batch)
        numbers = numbers._replace(epoch=np.int32(epoch), steps_before=np.float32(epoch * numbers.steps))
        better = pad_first(best.here, size)
        state, sums = epochs.run_epoch(
            state, better, filled, *events, orders, validation, words, numbers, program=program
        )
        losses = np.asarray(sums)[:, :n_members] / [[numbers.steps], [numbers.validation]]
        history.append(losses.astype(np.float32))
        _check_finite(history[-1], epoch)
        best = best.compare(history[-1][1], epoch, config.patience)
        if progress is not None:
            progress(epoch, history[-1][0], history[-1][1])
        if not best.active.any():
            break
    losses = Losses(*np.stack(history, axis=1))
    return Trained(_best_models(state, best.here, models, program), losses, best.epoch)


class _Best(NamedTuple):
    """The best epochs so far, per member."""

    loss: np.ndarray
    epoch: np.ndarray
    active: np.ndarray  #: whether the member is not finished
    here: np.ndarray  #: whether the last epoch is the best

    @classmethod
    def of(cls, n_members: int) -> "_Best":
        """Before the first epoch."""
        none = np.zeros(n_members, bool)
        return cls(np.full(n_members, np.inf, np.float32), np.zeros(n_members, np.int32), ~none, none)

    def compare(self, validation: np.ndarray, epoch: int, patience: int) -> "_Best":
        """After an epoch with these losses."""
        here = self.active & (validation < self.loss)
        best_epoch = np.where(here, epoch, self.epoch)
        active = self.active & (epoch - best_epoch < patience)
        return _Best(np.where(here, validation, self.loss), best_epoch, active, here)


def _program(
    loss: Loss,
    optimizer: optax.GradientTransformation | None,
    config: TrainingConfig,
    rows: Rows,
    key_kind: Any,
    most: int,
) -> epochs.Program:
    n_train, n_validation = (index.shape[1] for index in rows)
    return epochs.Program(
        loss=loss,
        optimizer=optimizer or epochs.ADAM,
        joined=optimizer is None,
        batch=padded_size(min(config.batch_size, n_train), parts=4, least=8),
        slice=min(most, padded_size(n_validation, parts=2, least=8)),
        key_kind=key_kind,
    )


def _numbers(config: TrainingConfig, rows: Rows, program: epochs.Program) -> epochs.Numbers:
    n_train, n_validation = (index.shape[1] for index in rows)
    batch_size = min(config.batch_size, n_train)
    adam = program.optimizer is epochs.ADAM  # others have a step size of their own
    return epochs.Numbers(
        epoch=np.int32(0),
        batch_size=np.int32(batch_size),
        steps=np.int32(n_train // batch_size),
        steps_before=np.float32(0),
        all_steps=np.float32(config.epochs * (n_train // batch_size)),
        validation=np.int32(n_validation),
        slices=np.int32(-(-n_validation // program.slice)),
        step_size=np.float32(-config.learning_rate if adam else 1),
        falls=np.float32(adam and config.schedule == "cosine"),
    )


def _fill(rows: np.ndarray, n_members: int, size: int) -> np.ndarray:
    """Fill rows (., n) up to (n_members, size), with those that come first: of what is added nothing counts."""
    return pad_first(np.take(rows, np.arange(size), axis=1, mode="wrap"), n_members)


def _best_models(state: epochs.State, here: np.ndarray, models: Any, program: epochs.Program) -> Any:
    """Return the models with the parameters of their best epochs; `here` (n_members,): whether that was the last."""
    arrays, merge = split_trained(models)
    shapes = [jax.ShapeDtypeStruct(array.shape[1:], array.dtype) for array in arrays]
    best = []
    for last, before in zip(state.trained, state.best, strict=True):
        best.append(np.array(before)[: len(here)])
        best[-1][here] = np.asarray(last)[: len(here)][here]
    return merge([jax.device_put(array) for array in epochs.separate(best, shapes, program.joined)])


def _count_events(data: Any) -> int:
    lengths = {len(leaf) if is_ragged(leaf) or np.ndim(leaf) else 0 for leaf in event_leaves(data)}
    if len(lengths) != 1:
        raise InputError(f"training data: the arrays hold {sorted(lengths)} events, need one and the same number")
    return lengths.pop()


def _check_weights(weights: Any, n_events: int) -> np.ndarray:
    if weights is None:
        return np.ones(n_events, np.float32)
    if np.shape(weights) != (n_events,):
        raise InputError(f"weights have shape {np.shape(weights)}, expected ({n_events},): one for every event")
    return np.asarray(weights, np.float32)


def _stack_one(leaf: Any) -> Any:
    """Return a stack of one."""
    return leaf[None] if is_key(leaf) else np.asarray(leaf)[None]


def _unstack_one(leaf: Any) -> Any:
    """Return the one, where its stack is."""
    return leaf[0] if is_key(leaf) else jax.device_put(np.asarray(leaf)[0])


def _check_finite(losses: np.ndarray, epoch: int) -> None:
    if not np.isfinite(losses).all():
        members = np.flatnonzero(~np.isfinite(losses).all(axis=0))
        raise ComputationError(
            f"training: the loss of member {members[0]} is not finite in epoch {epoch} "
            f"({len(members)} of {losses.shape[1]} members): lower the learning rate, or look for NaN in the data"
        )
