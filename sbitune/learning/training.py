"""The one training loop.

`train` fits one model, `train_ensemble` (in `ensembles.py`) a stack of them; both run `run_epochs`, which is written
for a stack and treats a single model as a stack of one. An epoch is one `lax.scan` over shuffled batches under `vmap`
over the members; Python runs between epochs only, to look at the losses.

Per member the parameters with the lowest validation loss are kept. A member whose validation loss has not improved for
`patience` epochs is finished: its best parameters are kept whatever happens later, so that a member of an ensemble
ends exactly where it would have ended alone.
"""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import msgspec
import numpy as np
import optax

from sbitune.data.errors import ComputationError, InputError
from sbitune.learning.keys import check_key
from sbitune.learning.networks import split_trained

Loss = Callable[[Any, Any, jax.Array], jax.Array]
#: called after every epoch with the epoch (from 0) and the losses (n_members,) of training and validation
Progress = Callable[[int, np.ndarray, np.ndarray], None]

#: the validation loss is computed over slices of this many events, to bound the memory
VALIDATION_SLICE = 16384


class TrainingConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a model is trained."""

    epochs: int = 500
    """Passes over the training data, at most."""
    batch_size: int = 128
    """Events per step; more than there are means all."""
    learning_rate: float = 3e-3
    """Step size of Adam at the start."""
    schedule: str = "cosine"
    """`cosine`: the step size falls to 0 at the last epoch; `constant`."""
    patience: int = 100
    """A member stops after so many epochs without a better validation loss."""
    validation_fraction: float = 0.2
    """Part of the events on which no step is taken, for choosing the best epoch."""

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


class Rows(NamedTuple):
    """Which events train and which validate, for every member of a stack."""

    train: Any  #: (n_members, n_train) indices; repeated ones weigh more (bootstrap)
    validation: Any  #: (n_members, n_validation) indices


class _State(NamedTuple):
    """What the loop carries from epoch to epoch, per member."""

    trained: list[jax.Array]
    optimizer: Any
    best: list[jax.Array]
    best_loss: jax.Array
    best_epoch: jax.Array
    active: jax.Array


def train(
    key: jax.Array,
    model: Any,
    loss: Loss,
    data: Any,
    config: TrainingConfig,
    *,
    rows: Rows | None = None,
    optimizer: optax.GradientTransformation | None = None,
    progress: Progress | None = None,
) -> Trained:
    """Train one model.

    Args:
        key: splits off the validation events, shuffles, and feeds the loss.
        model: a pytree whose floating-point arrays outside `Fixed` are trained.
        loss: `(model, batch, key) -> scalar`, a mean over the events of the batch.
        data: a pytree of arrays, the events along the first axis of each.
        config: see `TrainingConfig`.
        rows: training and validation events, with a first axis of length 1; by default a random split.
        optimizer: instead of Adam with the step size of the config, for example from `optax.partition`.
        progress: called after every epoch.

    Raises:
        InputError: arrays of different lengths, or too few events.
        ComputationError: a loss is not finite; the message names the epoch.
    """
    keys = check_key(key)[None]
    stacked = jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], model)
    trained = run_epochs(keys, stacked, loss, data, config, rows, optimizer, progress)
    losses = Losses(trained.losses.train[:, 0], trained.losses.validation[:, 0])
    return Trained(jax.tree.map(lambda leaf: leaf[0], trained.model), losses, int(trained.best_epoch[0]))


def run_epochs(
    keys: jax.Array,
    models: Any,
    loss: Loss,
    data: Any,
    config: TrainingConfig,
    rows: Rows | None,
    optimizer: optax.GradientTransformation | None,
    progress: Progress | None,
) -> Trained:
    """Train a stack of models, with one key and one row of events each. See `train`."""
    data = jax.tree.map(jnp.asarray, data)
    n_events = _count_events(data)
    split_keys, loop_keys = jax.vmap(jax.random.split, out_axes=1)(keys)
    rows = _check_rows(rows or split_rows(split_keys, n_events, config.validation_fraction), len(keys), n_events)
    batch_size = min(config.batch_size, rows.train.shape[1])
    n_steps = config.epochs * (rows.train.shape[1] // batch_size)
    optimizer = optimizer or _make_adam(config.learning_rate, config.schedule, n_steps)
    run = partial(_run_epoch, loss=loss, optimizer=optimizer, batch_size=batch_size, patience=config.patience)
    state = _start(models, optimizer, len(keys))
    history: list[np.ndarray] = []
    for epoch in range(config.epochs):
        state, losses = run(state, models, data, rows, loop_keys, epoch)
        history.append(np.asarray(losses))
        _check_finite(history[-1], epoch)
        if progress is not None:
            progress(epoch, history[-1][0], history[-1][1])
        if not np.asarray(state.active).any():
            break
    merge = split_trained(models)[1]
    losses = np.stack(history)
    return Trained(merge(state.best), Losses(losses[:, 0], losses[:, 1]), np.asarray(state.best_epoch))


def split_rows(keys: jax.Array, n_events: int, validation_fraction: float) -> Rows:
    """Split the events at random, anew for every key (n_members,). At least one event is on either side."""
    if n_events < 2:
        raise InputError(f"{n_events} events cannot be split into training and validation")
    n_validation = min(max(1, round(validation_fraction * n_events)), n_events - 1)
    order = np.asarray(jax.vmap(lambda key: jax.random.permutation(key, n_events))(keys))
    return Rows(order[:, n_validation:], order[:, :n_validation])


@partial(jax.jit, static_argnames=("loss", "optimizer", "batch_size"))
def _run_epoch(
    state: _State,
    models: Any,
    data: Any,
    rows: Rows,
    keys: jax.Array,
    epoch: jax.Array,
    *,
    loss: Loss,
    optimizer: optax.GradientTransformation,
    batch_size: int,
    patience: jax.Array,
) -> tuple[_State, jax.Array]:
    """Run one epoch of all members; return the state and the losses (2, n_members) of training and validation."""

    def run_member(state: _State, model: Any, rows: Rows, key: jax.Array) -> tuple[_State, jax.Array]:
        merge = split_trained(model)[1]
        n_steps = len(rows.train) // batch_size
        keys = jax.random.split(jax.random.fold_in(key, epoch), n_steps + 2)
        order = jax.random.permutation(keys[0], rows.train)
        batches = order[: n_steps * batch_size].reshape(n_steps, batch_size)

        def step(carry: tuple, given: tuple) -> tuple[tuple, jax.Array]:
            trained, memory = carry
            batch_rows, key = given
            batch = jax.tree.map(lambda array: array[batch_rows], data)
            value, gradient = jax.value_and_grad(lambda arrays: loss(merge(arrays), batch, key))(trained)
            updates, memory = optimizer.update(gradient, memory, trained)
            return (optax.apply_updates(trained, updates), memory), value

        carry = (state.trained, state.optimizer)
        carry, values = jax.lax.scan(step, carry, (batches, keys[2:]))
        validation = _validate(loss, merge(carry[0]), data, rows.validation, keys[1])
        return _keep_best(state, *carry, validation, epoch, patience), jnp.stack([values.mean(), validation])

    return jax.vmap(run_member, out_axes=(0, 1))(state, models, rows, keys)


def _validate(loss: Loss, model: Any, data: Any, rows: jax.Array, key: jax.Array) -> jax.Array:
    if len(rows) <= VALIDATION_SLICE:
        return loss(model, jax.tree.map(lambda array: array[rows], data), key)
    n_slices = len(rows) // VALIDATION_SLICE
    slices = rows[: n_slices * VALIDATION_SLICE].reshape(n_slices, VALIDATION_SLICE)
    return jax.lax.map(lambda part: loss(model, jax.tree.map(lambda a: a[part], data), key), slices).mean()


def _keep_best(
    state: _State, trained: list, memory: Any, validation: jax.Array, epoch: jax.Array, patience: jax.Array
) -> _State:
    better = state.active & (validation < state.best_loss)
    best_epoch = jnp.where(better, epoch, state.best_epoch)
    return _State(
        trained=trained,
        optimizer=memory,
        best=[jnp.where(better, new, old) for new, old in zip(trained, state.best, strict=True)],
        best_loss=jnp.where(better, validation, state.best_loss),
        best_epoch=best_epoch,
        active=state.active & (epoch - best_epoch < patience),
    )


def _start(models: Any, optimizer: optax.GradientTransformation, n_members: int) -> _State:
    trained = split_trained(models)[0]
    return _State(
        trained=trained,
        optimizer=jax.vmap(optimizer.init)(trained),
        best=trained,
        best_loss=jnp.full(n_members, jnp.inf, jnp.float32),  # given a type, or the second epoch compiles anew
        best_epoch=jnp.zeros(n_members, jnp.int32),
        active=jnp.ones(n_members, bool),
    )


@lru_cache(maxsize=32)  # the same object again lets `jax.jit` find the compiled epoch
def _make_adam(learning_rate: float, schedule: str, n_steps: int) -> optax.GradientTransformation:
    if schedule == "cosine":
        return optax.adam(optax.cosine_decay_schedule(learning_rate, n_steps))
    return optax.adam(learning_rate)


def _count_events(data: Any) -> int:
    lengths = {leaf.shape[0] if leaf.ndim else 0 for leaf in jax.tree.leaves(data)}
    if len(lengths) != 1:
        raise InputError(f"training data: the arrays hold {sorted(lengths)} events, need one and the same number")
    return lengths.pop()


def _check_rows(rows: Rows, n_members: int, n_events: int) -> Rows:
    for name, index in zip(Rows._fields, rows, strict=True):
        if index.ndim != 2 or index.shape[0] != n_members or index.shape[1] == 0:
            raise InputError(f"{name} rows have shape {index.shape}, expected ({n_members}, at least 1)")
        if index.min() < 0 or index.max() >= n_events:
            raise InputError(f"{name} rows point outside the {n_events} events")
    return Rows(*(jnp.asarray(index, jnp.int32) for index in rows))


def _check_finite(losses: np.ndarray, epoch: int) -> None:
    if not np.isfinite(losses).all():
        members = np.flatnonzero(~np.isfinite(losses).all(axis=0))
        raise ComputationError(
            f"training: the loss of member {members[0]} is not finite in epoch {epoch} "
            f"({len(members)} of {losses.shape[1]} members): lower the learning rate, or look for NaN in the data"
        )
