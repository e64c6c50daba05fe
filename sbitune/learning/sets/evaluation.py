"""Evaluation of networks of sets on any number of events, in memory that does not grow with their number.

Events of like length are computed together, filled up to the next power of two only: of events with up to 200
particles and 20 on average this takes a fifth of the time of filling up all to 200.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import jax
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
    return map_events(_call, model, events, theta, stacked=model.linear.ndim == 3)


def encode_events(model: SetNetwork, events: SetEvents) -> np.ndarray:
    """Return what a network says of events before it is given parameters, see `SetNetwork.finish`: (n_events, n)."""
    return map_events(_encode, model, events, stacked=model.linear.ndim == 3)


def _call(model: SetNetwork, events: SetEvents, theta: Any) -> Any:
    return model(events, theta)


def _encode(model: SetNetwork, events: SetEvents, theta: Any) -> Any:
    return model.encode(events)


def map_events(
    function: Callable[[Any, SetEvents, Any], Any], model: Any, events: SetEvents, theta: Any = None, *, stacked: bool
) -> np.ndarray:
    """Return `function(model, events, theta)` (n_events, n) of all events, those of like length together.

    Args:
        function: of a module: it is compiled once for it, and for the sizes of the arrays. It is given `Sets`.
        model: a pytree, with a first axis of members if `stacked`: then it is (n_members, n_events, n).
        events: of `RaggedRows`.
        theta: as in `evaluate`.
        stacked: whether the model is a stack.

    Raises:
        InputError: sets, flat columns or parameters of other numbers of events, or no event.
    """
    sets = tuple(kinds_of(events.sets))
    n_events = len(sets[0])
    lengths = [len(part) for part in (*sets, *([] if events.flat is None else [events.flat]))]
    if theta is not None and np.ndim(theta) == 2:
        lengths.append(len(theta))
    if set(lengths) != {n_events}:
        raise InputError(f"sets, flat columns and parameters are of {lengths} events, expected one and the same number")
    theta = None if theta is None else np.broadcast_to(np.asarray(theta, np.float32), (n_events, np.shape(theta)[-1]))
    found: np.ndarray | None = None
    for rows, longest, size in _slices(sets):
        filled = pad_first(rows, size)
        flat, given = (None if part is None else np.asarray(part)[filled] for part in (events.flat, theta))
        taken = tuple(part.fill(filled, most) for part, most in zip(sets, longest, strict=True))
        values = _compute(model, SetEvents(taken, flat), given, function=function, stacked=stacked)
        values = np.asarray(values)[..., : len(rows), :]
        if found is None:
            found = np.empty((*values.shape[:-2], n_events, values.shape[-1]), values.dtype)
        found[..., rows, :] = values
    if found is None:
        raise InputError("there are no events to evaluate a network of sets on")
    return found


@partial(jax.jit, static_argnames=("function", "stacked"))
def _compute(model: Any, events: SetEvents, theta: Any, *, function: Any, stacked: bool) -> Any:
    return jax.vmap(lambda one: function(one, events, theta))(model) if stacked else function(model, events, theta)


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
