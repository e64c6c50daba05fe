"""Sets of particles on the way through the training loop: flat arrays, of which a step fills up its own batch only.

A data set with up to 200 particles an event and 20 on average would be ten times as large with every event filled up to
200. So the particles of all events lie one after the other, and `take_rows`, which the compiled step and the evaluation
call, makes of some events an array (n, longest, n_features) with a mask. `longest` is a number that is compiled in:
the particles of the event that has most, never fewer. Whoever wants fewer cuts with `keep_largest`, which says how many
particles that leaves out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.events.ragged import Ragged, from_counts, take_ragged
from sbitune.learning.padding import pad_first, pad_rows, padded_size

#: places of particles are int32
_MOST = np.iinfo(np.int32).max


class Sets(NamedTuple):
    """Sets of particles of some events, filled up: what networks are called with."""

    particles: Any  #: (n, longest, n_features); what is filled up is 0
    mask: Any  #: (n, longest) True where there is a particle


@partial(jax.tree_util.register_dataclass, data_fields=["content", "starts", "counts"], meta_fields=["longest"])
@dataclass(frozen=True)
class RaggedRows:
    """Sets of particles of all events. Made by `ragged_rows`; data for `train` like an array of events."""

    content: Any  #: (n_particles, n_features) float32
    starts: Any  #: (n_events,) int32: event i has content[starts[i] : starts[i] + counts[i]]
    counts: Any  #: (n_events,) int32
    longest: int  #: places of an event that is filled up, at least the largest of the counts

    def __len__(self) -> int:
        """Return the number of events."""
        return len(self.starts)

    @property
    def n_features(self) -> int:
        """Numbers of a particle."""
        return self.content.shape[-1]

    def take(self, rows: Any, longest: int | None = None) -> Sets:
        """Return the sets of events `rows` (n,), which are inside; inside of `jit` or outside.

        Args:
            rows: numbers of events.
            longest: places of an event, at least as many as the longest of these has; by default for any.
        """
        starts = jnp.asarray(self.starts).at[rows].get(mode="promise_in_bounds")
        counts = jnp.asarray(self.counts).at[rows].get(mode="promise_in_bounds")
        steps = jnp.arange(longest or self.longest, dtype=starts.dtype)
        mask = steps < counts[:, None]
        places = jnp.where(mask, starts[:, None] + steps, 0)
        particles = jnp.asarray(self.content).at[places].get(mode="promise_in_bounds")
        return Sets(jnp.where(mask[..., None], particles, 0), mask)

    def fill(self, rows: np.ndarray, longest: int | None = None) -> Sets:
        """Return the same as `take`, by NumPy: outside of `jit`, where particles of all events need go nowhere else."""
        starts, counts = np.asarray(self.starts)[rows], np.asarray(self.counts)[rows]
        mask = np.arange(longest or self.longest) < counts[:, None]
        particles = np.zeros((*mask.shape, self.n_features), np.float32)
        begins = np.cumsum(counts) - counts
        particles[mask] = np.asarray(self.content)[np.repeat(starts - begins, counts) + np.arange(counts.sum())]
        return Sets(particles, mask)

    def pick(self, rows: np.ndarray) -> "RaggedRows":
        """Return events `rows` (n,), any of them as often as it is named, whose particles stay where they are."""
        return RaggedRows(self.content, np.asarray(self.starts)[rows], np.asarray(self.counts)[rows], self.longest)

    def pad(self, n_events: int, content: Any = None) -> "RaggedRows":
        """Fill up to so many events, with the last; and the particles, unless they are given, as `pad_content`."""
        content = pad_content(self.content) if content is None else content
        starts, counts = (pad_first(np.asarray(array), n_events) for array in (self.starts, self.counts))
        return RaggedRows(content, starts, counts, self.longest)


def pad_content(content: Any) -> np.ndarray:
    """Particles (n_particles, n_features) filled up to a size that other data sets have, too."""
    filled = np.zeros((pad_rows(len(content)), content.shape[-1]), np.float32)
    filled[: len(content)] = content
    return filled


def ragged_rows(columns: Sequence[Ragged], longest: int | None = None) -> RaggedRows:
    """Make data for `train` of ragged columns of one kind of particles.

    Args:
        columns: (n_features,) with the same numbers of entries in every event.
        longest: places of an event that is filled up; by default as many as the longest event has, or up to an
            eighth more, so that other events need not compile anew.

    Raises:
        InputError: no column, columns of different particles, an event with more than `longest`, a number that is not
            finite.
    """
    if not columns:
        raise InputError("sets of particles have no column: give at least one")
    offsets = columns[0].offsets
    for i, column in enumerate(columns):
        if column.offsets is not offsets and not np.array_equal(column.offsets, offsets):
            raise InputError(
                f"columns 0 and {i} of a set differ in their numbers of entries: are they of one kind?",
                code="sets-differ",
            )
    if offsets[-1] > _MOST:
        raise InputError(f"sets hold {offsets[-1]} particles, at most {_MOST} can be trained on: take fewer events")
    content = np.empty((int(offsets[-1]), len(columns)), np.float32)
    for i, column in enumerate(columns):
        content[:, i] = column.content
    _check_finite(content, offsets)
    counts = np.diff(offsets).astype(np.int32)
    most = int(counts.max(initial=0))
    if longest is not None and longest < most:
        raise InputError(
            f"event {int(np.argmax(counts > longest))} has {int(counts[np.argmax(counts > longest)])} particles, at "
            f"most {longest} were asked for: cut with `keep_largest`, which says by what order",
            code="sets-too-long",
        )
    places = padded_size(most, parts=8) if longest is None else longest
    return RaggedRows(content, offsets[:-1].astype(np.int32), counts, max(places, 1))


def _check_finite(content: np.ndarray, offsets: np.ndarray) -> None:
    bad = ~np.isfinite(content)
    if bad.any():
        place, feature = (int(i[0]) for i in np.nonzero(bad))
        event = int(np.searchsorted(offsets, place, side="right")) - 1
        raise InputError(
            f"column {feature} of a set is {content[place, feature]} for particle {place - int(offsets[event])} of "
            f"event {event} ({int(bad.any(axis=1).sum())} particles have such numbers): leave them out",
            code="sets-not-finite",
        )


class Kept(NamedTuple):
    """Columns of sets that were cut."""

    columns: list[Ragged]  #: as before, with at most so many particles an event
    left_out: int  #: particles
    events: int  #: events that have lost some


def keep_largest(columns: Sequence[Ragged], longest: int, order: np.ndarray) -> Kept:
    """Leave out the particles beyond the first `longest` of every event, in falling order.

    Args:
        columns: (n_features,) of the same particles.
        longest: particles an event may have.
        order: (n_particles,) what orders them, their transverse momentum say; equal ones stay in their order.
    """
    counts = columns[0].counts
    event = np.repeat(np.arange(len(counts)), counts)
    if np.shape(order) != event.shape:
        raise InputError(f"the order of particles has the shape {np.shape(order)}, expected ({len(event)},)")
    falling = np.lexsort((np.arange(len(event)), -np.asarray(order, np.float64), event))
    rank = np.arange(len(event)) - columns[0].offsets[event]
    kept = falling[rank < longest]
    cut = from_counts(kept, np.minimum(counts, longest))
    return Kept(
        [Ragged(column.content[kept], cut.offsets) for column in columns],
        len(event) - len(kept),
        int((counts > longest).sum()),
    )


def take_events(rows: RaggedRows, events: np.ndarray) -> RaggedRows:
    """Return some events (n,) of a data set, with copies of their particles."""
    numbers = Ragged(np.arange(len(rows.content)), np.append(rows.starts, len(rows.content)).astype(np.int64))
    (taken,) = take_ragged([numbers], events)
    content = np.asarray(rows.content)[taken.content]
    return RaggedRows(content, taken.offsets[:-1].astype(np.int32), taken.counts.astype(np.int32), rows.longest)


def is_ragged(leaf: Any) -> bool:
    """Whether a part of a data set are sets of particles."""
    return isinstance(leaf, RaggedRows)


def take_rows(data: Any, rows: Any) -> Any:
    """Return some events (n,) of a pytree of arrays (n_events, ...) and `RaggedRows`, which become `Sets`."""

    def take(leaf: Any) -> Any:
        return leaf.take(rows) if is_ragged(leaf) else leaf.at[rows].get(mode="promise_in_bounds")

    return jax.tree.map(take, data, is_leaf=is_ragged)


def pick_rows(data: Any, rows: np.ndarray) -> Any:
    """Return some events (n,) of a pytree of arrays and `RaggedRows`, which stay as they are; by NumPy."""
    return jax.tree.map(lambda leaf: leaf.pick(rows) if is_ragged(leaf) else leaf[rows], data, is_leaf=is_ragged)


def fill_rows(data: Any, rows: np.ndarray) -> Any:
    """Return what `take_rows` does, by NumPy: outside of `jit`."""
    return jax.tree.map(lambda leaf: leaf.fill(rows) if is_ragged(leaf) else leaf[rows], data, is_leaf=is_ragged)


def pad_events(data: Any, n_events: int) -> Any:
    """Fill a pytree of arrays and `RaggedRows` up to so many events, with the last, and put it where it is used.

    Particles that several sets have in common, see `RaggedRows.pick`, are there once.
    """
    contents: dict[int, Any] = {}

    def pad(leaf: Any) -> Any:
        if not is_ragged(leaf):
            return jax.device_put(pad_first(leaf, n_events))
        if id(leaf.content) not in contents:
            contents[id(leaf.content)] = jax.device_put(pad_content(leaf.content))
        return jax.device_put(leaf.pad(n_events, contents[id(leaf.content)]))

    return jax.tree.map(pad, data, is_leaf=is_ragged)


def event_leaves(data: Any) -> list[Any]:
    """Arrays and `RaggedRows` of a pytree."""
    return jax.tree.leaves(data, is_leaf=is_ragged)


def places_of(data: Any) -> list[int]:
    """Places of a filled-up event, in every kind of sets of a data set."""
    return [leaf.longest for leaf in event_leaves(data) if is_ragged(leaf)]


def most_at_once(places: Sequence[int], most: int) -> int:
    """Return how many events are to be computed at once, at most `most`, for what networks of sets take of memory.

    An event counts as its places times 64 numbers, or pairs of places where these are more; 4 million such numbers are
    16 MB, and some ten times that with heads, layers and gradients.
    """
    size = sum(longest * max(64, longest) for longest in places)
    return min(most, max(8, (1 << 22) // size)) if size else most
