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
from sbitune.learning.sets.ragged import take_rows

Loss = Callable[[Any, Any, jax.Array], jax.Array]

#: takes steps unless another one is given; the step size is not its own
ADAM = optax.scale_by_adam()


class State(NamedTuple):
    """What the loop carries from epoch to epoch, per member."""

    trained: list[Any]  #: joined arrays, see `join`
    optimizer: Any
    best: list[Any]  #: of `trained`, before the last epoch


class Numbers(NamedTuple):
    """What differs between trainings or epochs and is not compiled in. The host computes what it can."""

    epoch: Any  #: from 0
    batch_size: Any
    steps: Any  #: of an epoch
    steps_before: Any  #: the epoch
    all_steps: Any  #: of all epochs
    validation: Any  #: events that validate
    slices: Any  #: of these
    step_size: Any  #: factor of what the optimizer says at the start
    falls: Any  #: 1 if it falls to 0 at the last step, as a cosine; 0 if it stays


class Program(NamedTuple):
    """What is compiled in."""

    loss: Loss
    optimizer: optax.GradientTransformation
    joined: bool  #: whether the optimizer is shown all trained arrays of one type as a single vector
    batch: int  #: events that a step computes; those beyond the batch have weight 0
    slice: int  #: the same of the validation
    key_kind: Any  #: see `shuffles.Keys`


@partial(jax.jit, static_argnames=("optimizer", "joined"))
def start(models: Any, *, optimizer: optax.GradientTransformation, joined: bool) -> State:
    """Return the state of a stack of models before the first epoch."""

    def start_member(model: Any) -> State:
        trained = join(split_trained(model)[0], joined)
        return State(trained, optimizer.init(trained), trained)

    return jax.vmap(start_member)(models)


@partial(jax.jit, static_argnames="program")
def run_epoch(
    state: State,
    better: Any,
    models: Any,
    data: Any,
    weights: Any,
    orders: Any,
    validation: Any,
    keys: Any,
    numbers: Numbers,
    *,
    program: Program,
) -> tuple[State, jax.Array]:
    """Run one epoch of all members.

    Args:
        state: from `start`, or from the epoch before.
        better: (n_members,) whether the state is the best so far.
        models: a stack of them. Of their arrays those that are not trained are used.
        data: a pytree of arrays and `RaggedRows` of all events.
        weights: (n_events,) of events.
        orders: (n_members, batches and what a step computes beyond the last) events of every member, shuffled.
        validation: (n_members, whole slices) events that validate.
        keys: words (2, n_members, n_words) of the keys of steps and of the validation.
        numbers: see there.
        program: see there.

    Returns:
        The state, and sums (2, n_members) of the mean losses of steps, and of the losses of events that validate.
    """

    def run_member(
        state: State, better: Any, model: Any, order: Any, validation: Any, words: Any
    ) -> tuple[State, jax.Array]:
        best = [jnp.where(better, new, old) for new, old in zip(state.trained, state.best, strict=True)]
        arrays, merge = split_trained(model)
        step_key, validation_key = jax.random.wrap_key_data(words, impl=program.key_kind)
        step_key = jax.random.fold_in(step_key, numbers.epoch)
        add_losses = partial(_add_losses, program.loss, data, weights)

        def step(i: Any, carry: tuple) -> tuple:
            trained, memory, total = carry
            rows = jax.lax.dynamic_slice_in_dim(order, i * numbers.batch_size, program.batch)
            key = jax.random.fold_in(step_key, i + 2)  # 0 has shuffled
            value, gradient = jax.value_and_grad(
                lambda arrays: add_losses(merge(arrays), rows, numbers.batch_size, key) / numbers.batch_size
            )(separate(trained, arrays, program.joined))
            updates, memory = program.optimizer.update(join(gradient, program.joined), memory, trained)
            size = _step_size(numbers, i)
            updates = jax.tree.map(lambda update: (size * update).astype(update.dtype), updates)
            return optax.apply_updates(trained, updates), memory, total + value

        begin = (state.trained, state.optimizer, jnp.float32(0))
        trained, memory, total = jax.lax.fori_loop(0, numbers.steps, step, begin)
        moved = merge(separate(trained, arrays, program.joined))

        def validate(i: Any, total: jax.Array) -> jax.Array:
            rows = jax.lax.dynamic_slice_in_dim(validation, i * program.slice, program.slice)
            left = numbers.validation - i * program.slice
            return total + add_losses(moved, rows, left, jax.random.fold_in(validation_key, i))

        validated = jax.lax.fori_loop(0, numbers.slices, validate, jnp.float32(0))
        return State(trained, memory, best), jnp.stack([total, validated])

    axes = (0, 0, 0, 0, 0, 1)
    return jax.vmap(run_member, in_axes=axes, out_axes=(0, 1))(state, better, models, orders, validation, keys)


def _add_losses(loss: Loss, data: Any, weights: Any, model: Any, rows: Any, count: Any, key: Any) -> jax.Array:
    """Sum of weight times loss over the first `count` of the rows."""
    batch, weight = take_rows((data, weights), rows)
    value = loss(model, batch, key)
    if value.shape != rows.shape:
        raise InputError(
            f"a loss returns one number per event, here of shape {rows.shape}: this one returns shape {value.shape}; "
            "take no mean over the events"
        )
    weight = jnp.where(jnp.arange(len(rows)) < count, weight, 0)
    return jnp.sum(weight * value).astype(jnp.float32)


def _step_size(numbers: Numbers, i: Any) -> Any:
    fallen = 0.5 * (1 - jnp.cos(jnp.pi * (numbers.steps_before + i) / numbers.all_steps))
    return numbers.step_size * (1 - numbers.falls * fallen)


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
