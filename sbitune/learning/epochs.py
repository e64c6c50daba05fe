"""One epoch of a stack of models: the compiled program of the training loop.

It is written for one member and a batch, and `vmap` makes it one for all members. Whatever differs between trainings
of one network is an argument: the numbers of steps and events, the step size, the keys. So it is compiled once for a
graph, a loss and the sizes of the arrays, see `padding`; and `jax.jit` finds it again by these.

Trained arrays of one type are joined to a single vector: Adam and the best epoch then are a few operations on that,
whatever the number of layers, which halves the time to compile.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from sbitune.data.errors import InputError
from sbitune.learning.networks import split_trained

Loss = Callable[[Any, Any, jax.Array], jax.Array]

#: takes steps unless another one is given; the step size is not its own
ADAM = optax.scale_by_adam()


class State(NamedTuple):
    """What the loop carries from epoch to epoch, per member."""

    trained: list[Any]  #: joined arrays, see `join`
    optimizer: Any
    best: list[Any]
    best_loss: Any
    best_epoch: Any
    active: Any  #: False for a member that is finished, or only fills the stack


class Numbers(NamedTuple):
    """What differs between trainings and is not compiled in."""

    batch_size: Any
    steps: Any  #: of an epoch
    all_steps: Any  #: of all epochs
    validation: Any  #: events that validate
    step_size: Any  #: factor of what the optimizer says at the start
    falls: Any  #: whether it falls to 0 at the last step, as a cosine
    patience: Any


class Program(NamedTuple):
    """What is compiled in."""

    loss: Loss
    optimizer: optax.GradientTransformation
    joined: bool  #: whether the optimizer is shown all trained arrays of one type as a single vector
    batch: int  #: events that a step computes; those beyond the batch have weight 0
    slice: int  #: the same of the validation
    key_kind: Any  #: see `shuffles.Keys`


@partial(jax.jit, static_argnames=("optimizer", "joined"))
def start(models: Any, active: Any, *, optimizer: optax.GradientTransformation, joined: bool) -> State:
    """Return the state before the first epoch of a stack of models, of which those with `active` are real."""

    def start_member(model: Any, active: Any) -> State:
        trained = join(split_trained(model)[0], joined)
        return State(trained, optimizer.init(trained), trained, jnp.float32(jnp.inf), jnp.int32(0), active)

    return jax.vmap(start_member)(models, active)


@partial(jax.jit, static_argnames="program")
def run_epoch(
    state: State,
    models: Any,
    data: Any,
    weights: Any,
    orders: Any,
    validation: Any,
    keys: Any,
    numbers: Numbers,
    epoch: Any,
    *,
    program: Program,
) -> tuple[State, jax.Array]:
    """Run one epoch of all members.

    Args:
        state: from `start`, or from the epoch before.
        models: a stack of them. Of their arrays those that are not trained are used.
        data: a pytree of arrays of all events.
        weights: (n_events,) of events.
        orders: (n_members, batches and what a step computes beyond the last) events of every member, shuffled.
        validation: (n_members, whole slices) events that validate.
        keys: words (2, n_members, n_words) of the keys of steps and of the validation.
        numbers: see there.
        epoch: from 0.
        program: see there.

    Returns:
        The state, and losses (2, n_members) of training and validation.
    """

    def run_member(state: State, model: Any, order: Any, validation: Any, words: Any) -> tuple[State, jax.Array]:
        step_key, validation_key = jax.random.wrap_key_data(words, impl=program.key_kind)
        arrays, merge = split_trained(model)
        mean = partial(_mean_loss, program.loss, data, weights)
        step_key = jax.random.fold_in(step_key, epoch)

        def step(i: Any, carry: tuple) -> tuple:
            trained, memory, total = carry
            rows = jax.lax.dynamic_slice_in_dim(order, i * numbers.batch_size, program.batch)
            key = jax.random.fold_in(step_key, i + 2)  # 0 has shuffled
            value, gradient = jax.value_and_grad(
                lambda arrays: mean(merge(arrays), rows, numbers.batch_size, numbers.batch_size, key)
            )(separate(trained, arrays, program.joined))
            updates, memory = program.optimizer.update(join(gradient, program.joined), memory, trained)
            size = _step_size(numbers, epoch * numbers.steps + i)
            updates = jax.tree.map(lambda update: (size * update).astype(update.dtype), updates)
            return optax.apply_updates(trained, updates), memory, total + value

        begin = (state.trained, state.optimizer, jnp.float32(0))
        trained, memory, total = jax.lax.fori_loop(0, numbers.steps, step, begin)
        moved = merge(separate(trained, arrays, program.joined))

        def validate(i: Any, total: jax.Array) -> jax.Array:
            rows = jax.lax.dynamic_slice_in_dim(validation, i * program.slice, program.slice)
            left = numbers.validation - i * program.slice
            return total + mean(moved, rows, left, numbers.validation, jax.random.fold_in(validation_key, i))

        n_slices = (numbers.validation + program.slice - 1) // program.slice
        validated = jax.lax.fori_loop(0, n_slices, validate, jnp.float32(0))
        state = _keep_best(state, trained, memory, validated, epoch, numbers.patience)
        return state, jnp.stack([total / numbers.steps, validated])

    return jax.vmap(run_member, out_axes=(0, 1), in_axes=(0, 0, 0, 0, 1))(state, models, orders, validation, keys)


def _mean_loss(
    loss: Loss, data: Any, weights: Any, model: Any, rows: Any, count: Any, divisor: Any, key: Any
) -> jax.Array:
    """Sum of weight times loss over the first `count` of the rows, over `divisor`."""
    batch, weight = jax.tree.map(lambda array: array.at[rows].get(mode="promise_in_bounds"), (data, weights))
    value = loss(model, batch, key)
    if value.shape != rows.shape:
        raise InputError(
            f"a loss returns one number per event, here of shape {rows.shape}: this one returns shape {value.shape}; "
            "take no mean over the events"
        )
    weight = jnp.where(jnp.arange(len(rows)) < count, weight, 0)
    return (jnp.sum(weight * value) / divisor).astype(jnp.float32)


def _step_size(numbers: Numbers, step: Any) -> Any:
    fallen = 0.5 * (1 + jnp.cos(jnp.pi * step / numbers.all_steps))
    return numbers.step_size * jnp.where(numbers.falls, fallen, 1.0)


def _keep_best(state: State, trained: list, memory: Any, validated: Any, epoch: Any, patience: Any) -> State:
    better = state.active & (validated < state.best_loss)
    best_epoch = jnp.where(better, epoch, state.best_epoch)
    return State(
        trained=trained,
        optimizer=memory,
        best=[jnp.where(better, new, old) for new, old in zip(trained, state.best, strict=True)],
        best_loss=jnp.where(better, validated, state.best_loss),
        best_epoch=best_epoch,
        active=state.active & (epoch - best_epoch < patience),
    )


def join(arrays: Sequence[Any], joined: bool) -> list[Any]:
    """Join the arrays of a member: a vector for each of their types, if wanted."""
    if not joined:
        return list(arrays)
    vectors = [[array.ravel() for array in arrays if array.dtype == dtype] for dtype in _types(arrays)]
    return [jnp.concatenate(parts) for parts in vectors]


def separate(trained: Sequence[Any], like: Sequence[Any], joined: bool) -> list[Any]:
    """Undo `join`: arrays with the shapes of `like`, behind the axes of members that vectors may have."""
    if not joined:
        return list(trained)
    begins = dict.fromkeys(_types(like), 0)
    found = []
    for array in like:
        vector, begin = trained[list(begins).index(array.dtype)], begins[array.dtype]
        size = int(np.prod(array.shape, dtype=int))
        begins[array.dtype] += size
        found.append(vector[..., begin : begin + size].reshape(*vector.shape[:-1], *array.shape))
    return found


def _types(arrays: Sequence[Any]) -> list[Any]:
    return list(dict.fromkeys(array.dtype for array in arrays))
