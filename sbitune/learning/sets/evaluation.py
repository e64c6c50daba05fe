"""Evaluation of networks of sets on any number of events, in memory that does not grow with their number.

Events of like length are computed together, filled up to the next power of two only: of events with up to 200
particles and 20 on average this takes a fifth of the time of filling up all to 200.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sbitune.data.errors import InputError
from sbitune.learning.padding import pad_first, padded_size
from sbitune.learning.sets.network import SetNetwork
from sbitune.learning.sets.ragged import RaggedRows, most_at_once, places_of
from sbitune.learning.sets.scaling import SetEvents, kinds_of

#: events of short sets that are computed at once
_MOST = 16384
#: places of the shortest events
_LEAST = 8


def evaluate(model: SetNetwork, events: SetEvents, theta: Any = None) -> np.ndarray:
    """Return what a network, or each of a stack, says of events.

    Args:
        model: a network, or a stack of them.
        events: of `RaggedRows`.
        theta: (n_events, n_parameters), or (n_parameters,) for all events; None: the network has none.

    Returns:
        (n_events, n_out) float32, for a stack (n_members, n_events, n_out).

    Raises:
        InputError: events or parameters of other numbers than the network is of.
    """
    return _in_slices(model, events, theta, finished=True)


def encode_events(model: SetNetwork, events: SetEvents) -> np.ndarray:
    """Return what a network says of events before it is given parameters, see `SetNetwork.finish`: (n_events, n)."""
    return _in_slices(model, events, None, finished=False)


def _in_slices(model: SetNetwork, events: SetEvents, theta: Any, finished: bool) -> np.ndarray:
    sets = tuple(kinds_of(events.sets))
    n_events = len(sets[0])
    lengths = [len(part) for part in (*sets, *([] if events.flat is None else [events.flat]))]
    if theta is not None and np.ndim(theta) == 2:
        lengths.append(len(theta))
    if set(lengths) != {n_events}:
        raise InputError(f"sets, flat columns and parameters are of {lengths} events, expected one and the same number")
    theta = None if theta is None else np.broadcast_to(np.asarray(theta, np.float32), (n_events, np.shape(theta)[-1]))
    stacked = model.linear.ndim == 3
    found: np.ndarray | None = None
    on_device = jax.tree.map(jnp.asarray, sets)
    for rows, longest, size in _slices(sets):
        filled = pad_first(rows, size)
        flat, given = (None if part is None else np.asarray(part)[filled] for part in (events.flat, theta))
        values = _compute(model, on_device, flat, given, filled, longest=longest, finished=finished, stacked=stacked)
        values = np.asarray(values)[..., : len(rows), :]
        if found is None:
            found = np.empty((*values.shape[:-2], n_events, values.shape[-1]), values.dtype)
        found[..., rows, :] = values
    if found is None:
        raise InputError("there are no events to evaluate a network of sets on")
    return found


@partial(jax.jit, static_argnames=("longest", "finished", "stacked"))
def _compute(
    model: Any, sets: Any, flat: Any, theta: Any, rows: Any, *, longest: tuple[int, ...], finished: bool, stacked: bool
) -> Any:
    taken = tuple(part.take(rows, most) for part, most in zip(sets, longest, strict=True))
    events = SetEvents(taken, flat)

    def call(model: SetNetwork) -> Any:
        return model(events, theta) if finished else model.encode(events)

    return jax.vmap(call)(model) if stacked else call(model)


def _slices(sets: tuple[RaggedRows, ...]) -> Iterator[tuple[np.ndarray, tuple[int, ...], int]]:
    """Deal events to slices: numbers of events (n,), places of every kind of particles, and to how many to fill up."""
    counts = np.max([np.asarray(rows.counts) for rows in sets], axis=0, initial=0)
    if len(counts) <= most_at_once(places_of(sets), _MOST):
        buckets = [(np.arange(len(counts)), tuple(rows.longest for rows in sets))]
    else:
        places = np.maximum(_LEAST, 1 << np.ceil(np.log2(np.maximum(counts, 1))).astype(int))
        buckets = [
            (np.flatnonzero(places == most), tuple(min(int(most), rows.longest) for rows in sets))
            for most in np.unique(places)
        ]
    for rows, longest in buckets:
        most = most_at_once(longest, _MOST)
        size = min(most, padded_size(len(rows), parts=2, least=8))
        for start in range(0, len(rows), size):
            yield rows[start : start + size], longest, size
