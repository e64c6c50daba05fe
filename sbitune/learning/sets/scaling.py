"""Scales of the inputs of networks of sets, stored in the model: a network of numbers around 100 learns nothing."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from sbitune.data.errors import InputError
from sbitune.learning.sets.ragged import RaggedRows

#: rows of which moments are taken at once
_BLOCK = 1 << 16


class Scale(NamedTuple):
    """Numbers that become (x - shift) / size."""

    shift: Any  #: (n,)
    size: Any  #: (n,) positive

    def apply(self, x: Any) -> Any:
        """Scale numbers (..., n)."""
        return (x - self.shift) / self.size


class SetScaling(NamedTuple):
    """Scales of everything that a network of sets is called with: their lengths are its numbers of inputs."""

    particles: tuple[Scale, ...]  #: of the features of every kind of particles
    counts: tuple[Any, ...]  #: () mean number of particles of every kind, at least 1
    flat: Scale  #: of flat columns of the event, and of the parameters behind these


class SetEvents(NamedTuple):
    """Events of sets and flat columns: data for `train`, and, taken by rows, what a network of sets is called with."""

    sets: Any  #: `RaggedRows`, or `Sets` of a batch; a tuple of these for several kinds of particles
    flat: Any = None  #: (n_events, n_flat) float32 columns; None: there are none


def set_scaling(events: SetEvents, theta: Any = None) -> SetScaling:
    """Find the scales of events: means and standard deviations, 1 for a feature that is always the same.

    Args:
        events: with `RaggedRows`.
        theta: (n_events, n_parameters) or other values that parameters take; None: the network has no parameters.

    Raises:
        InputError: flat columns or parameters that are not finite, or not of two axes.
    """
    flat = [scale_of(part, name) for part, name in ((events.flat, "flat"), (theta, "theta")) if part is not None]
    empty = np.zeros(0, np.float32)
    joined = Scale(*(np.concatenate([empty, *parts]) for parts in (zip(*flat, strict=True) if flat else ((), ()))))
    sets = kinds_of(events.sets)
    return SetScaling(
        tuple(scale_of(rows.content, "a set") for rows in sets),
        tuple(np.float32(max(1.0, np.mean(rows.counts))) for rows in sets),
        joined,
    )


def scale_of(columns: Any, name: str) -> Scale:
    """Return mean and standard deviation of columns (n, k), whose `name` messages begin with."""
    columns = np.asarray(columns)
    if columns.ndim != 2:
        raise InputError(f"{name}: columns of the shape {columns.shape}, expected (n_events, n_columns)")
    if not len(columns):
        return Scale(np.zeros(columns.shape[1], np.float32), np.ones(columns.shape[1], np.float32))
    for start in range(0, len(columns), _BLOCK):
        finite = np.isfinite(columns[start : start + _BLOCK])
        if not finite.all():
            column = int(np.argmin(finite.all(axis=0)))
            row = start + int(np.argmin(finite[:, column]))
            raise InputError(f"{name}: column {column} is {columns[row, column]} in row {row}: leave such events out")
    mean = _mean_square(columns, 0, 1)
    width = np.sqrt(_mean_square(columns, mean, 2))
    # the deviation of one value many times is rounding, not 0
    constant = width <= 1e-6 * np.abs(mean)
    return Scale(mean.astype(np.float32), np.where(constant, 1.0, width).astype(np.float32))


def _mean_square(columns: np.ndarray, about: Any, power: int) -> np.ndarray:
    """(k,) means of powers of the distance of columns (n, k) from a point, block by block: particles may be many."""
    total = np.zeros(columns.shape[1])
    for start in range(0, len(columns), _BLOCK):
        total += ((columns[start : start + _BLOCK].astype(np.float64) - about) ** power).sum(axis=0)
    return total / len(columns)


def kinds_of(sets: Any) -> Sequence[Any]:
    """Return sets of several kinds of particles, also where there is one."""
    return [sets] if isinstance(sets, RaggedRows) or hasattr(sets, "mask") else sets
