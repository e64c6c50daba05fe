"""Newton's method for many fits of one likelihood at once: toys by the thousand.

Gradient and second derivatives are exact, those of JAX; `vmap` makes one fit many, and one compiled program serves all
of them, with or without parameters that are held. A step is the minimum of the parabola over the parameters that are
not held and not pushed against the end of their range; where the curvature is not positive its absolute value counts,
and where the objective would rise the step is damped (K. Levenberg, Quart. Appl. Math. 2 (1944) 164) and tried again.
What `descent` is for one fit of any objective, this is for many of a likelihood whose derivatives are cheap.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sbitune.fitting.likelihood.protocols import OverData

#: the objective can fall by no more than this: a parameter is 0.0003 of its error away
_TOLERANCE = 1e-7
_STEPS = 60
#: eigenvalues of the second derivatives are taken to be no smaller than this part of the largest
_LEAST = 1e-9
#: fits that are made at once, filled up to the next of these numbers, so that little is compiled anew; of more their
#: events would not stay in the cache of a processor
_AT_ONCE = (1, 8, 64)
#: data sets of more bytes are fitted one by one: 64 of this size are a gibibyte, and their derivatives several
_LARGE = 1 << 24
#: near a minimum a step is taken whatever the objective says: events in single precision blur differences as small
_NEAR, _BLUR = 1e-2, 1e-3
#: a damping below this is none
_UNDAMPED = 1e-6


class Minima(NamedTuple):
    """Where many fits ended."""

    u: np.ndarray  #: (n, n_parameters) scaled coordinates
    value: np.ndarray  #: (n,) the objective
    each: np.ndarray  #: (n, n_parts) the statistic of every part
    hessian: np.ndarray  #: (n, n_parameters, n_parameters) second derivatives
    converged: np.ndarray  #: (n,) whether it is a minimum within the limits


class _State(NamedTuple):
    u: Any
    value: Any
    each: Any
    gradient: Any
    hessian: Any
    damping: Any
    step: Any  #: -1 before the objective is known anywhere
    done: Any


def find_minima(
    over: OverData, starts: np.ndarray, data: Sequence[Any], limits: np.ndarray, free: np.ndarray
) -> Minima:
    """Fit many data sets. Use it inside `double_precision`.

    Args:
        over: the objective as a function of u and data, of `Objective.over_data`.
        starts: (n, p) where to begin, or (p,) for all; parameters that are not free stay there.
        data: n data sets, pytrees of arrays. Those of one shape are fitted together.
        limits: (p, 2) ends of the ranges.
        free: (p,) or (n, p) whether a parameter is looked for.
    """
    program = over.programs.setdefault("newton", _program(over.each))
    rows = np.stack([np.broadcast_to(row, (len(data), len(limits))) for row in (starts, free)], axis=1)
    return Minima(*over_data_sets(partial(program, jnp.asarray(limits, float)), data, rows))


def values_at(over: OverData, u: np.ndarray, data: Sequence[Any]) -> np.ndarray:
    """(n,) the objective of n data sets at points u (n, p), or (p,) for all. Use it inside `double_precision`."""
    program = over.programs.setdefault("values", jax.jit(jax.vmap(lambda u, data: (jnp.sum(over.each(u, data)),))))
    (found,) = over_data_sets(program, data, np.broadcast_to(u, (len(data), np.shape(u)[-1])))
    return found


def over_data_sets(program: Callable[..., Any], data: Sequence[Any], rows: np.ndarray) -> list[np.ndarray]:
    """What a function of (rows, data), each with a first axis of data sets, returns for data sets of whatever shapes:
    arrays with that axis.
    """
    found: list[np.ndarray] = []
    shapes = [str([np.shape(leaf) for leaf in jax.tree.leaves(one)]) for one in data]
    for shape in dict.fromkeys(shapes):
        alike = [i for i in range(len(data)) if shapes[i] == shape]
        most = min(len(alike), _AT_ONCE[-1])
        if sum(np.asarray(leaf).nbytes for leaf in jax.tree.leaves(data[alike[0]])) > _LARGE:
            most = 1
        size = next(size for size in _AT_ONCE if size >= most)
        for first in range(0, len(alike), size):
            here = alike[first : first + size]
            filled = here + [here[-1]] * (size - len(here))
            stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *(data[i] for i in filled))
            ends = [np.asarray(end) for end in program(rows[filled], stacked)]
            found = found or [np.empty((len(data), *end.shape[1:]), end.dtype) for end in ends]
            for array, end in zip(found, ends, strict=True):
                array[here] = end[: len(here)]
    return found


def _program(each: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    """Newton's method, compiled: (limits, starts with what is free, data) to `Minima`."""

    def gradient_of(u: Any, data: Any) -> tuple[Any, Any]:
        gradient, parts = jax.grad(lambda u: total_and_parts(u, data), has_aux=True)(u)
        return gradient, (gradient, parts)

    def total_and_parts(u: Any, data: Any) -> tuple[Any, Any]:
        parts = each(u, data)
        return jnp.sum(parts), parts

    def one(limits: Any, row: Any, data: Any) -> tuple[Any, ...]:
        u, free = jnp.clip(row[0], *limits.T), row[1] > 0

        def advance(state: _State) -> _State:
            first = state.step < 0  # the objective stands in the program once: it takes long to compile
            move = jnp.where(first, 0.0, _move(state, limits, free))
            promised = -(state.gradient @ move) - 0.5 * move @ state.hessian @ move
            hessian, (gradient, parts) = jax.jacfwd(gradient_of, has_aux=True)(state.u + move, data)
            value = jnp.sum(parts)
            slack = jnp.where(jnp.abs(promised) < _NEAR, _BLUR, 1e-12 * jnp.abs(state.value))
            better = first | (jnp.isfinite(value) & (value <= state.value + slack))
            less = jnp.where(state.damping < _UNDAMPED, 0.0, state.damping / 8)
            damping = jnp.where(better, less, jnp.maximum(8 * state.damping, 1e-3))
            done = ~first & (jnp.abs(promised) < _TOLERANCE) & (state.damping < 1e-2)
            moved = _State(state.u + move, value, parts, gradient, hessian, damping, state.step + 1, done)
            stayed = state._replace(damping=damping, step=state.step + 1, done=done)
            return jax.tree.map(lambda new, old: jnp.where(better, new, old), moved, stayed)

        def unfinished(state: _State) -> Any:
            return ~state.done & (state.step < _STEPS) & ((state.step < 0) | jnp.isfinite(state.value))

        parts = jnp.zeros(jax.eval_shape(each, u, data).shape)
        nothing = (jnp.zeros(()), parts, jnp.zeros_like(u), jnp.eye(len(u)), jnp.zeros(()))
        begin = _State(u, *nothing, jnp.full((), -1), jnp.zeros((), bool))
        end = jax.lax.while_loop(unfinished, advance, begin)
        return end.u, end.value, end.each, end.hessian, end.done & jnp.isfinite(end.value)

    return jax.jit(jax.vmap(one, in_axes=(None, 0, 0)))


def _move(state: _State, limits: Any, free: Any) -> Any:
    """The step, within the limits."""
    low, high = limits.T
    pushed = ((state.u <= low) & (state.gradient > 0)) | ((state.u >= high) & (state.gradient < 0))
    moving = free & ~pushed
    inside = jnp.where(jnp.outer(moving, moving), state.hessian, 0.0)
    values, vectors = jnp.linalg.eigh(jnp.where(jnp.isfinite(inside), inside, 0.0))
    largest = jnp.maximum(jnp.max(jnp.abs(values)), 1e-30)
    values = jnp.maximum(jnp.abs(values), _LEAST * largest) + state.damping * largest
    step = -vectors @ ((vectors.T @ jnp.where(moving, state.gradient, 0.0)) / values)
    return jnp.clip(state.u + jnp.where(moving, step, 0.0), low, high) - state.u
