"""Events of independent particles, whose log ratio is a sum over them."""

from typing import NamedTuple

import numpy as np

from sbitune.data.events.ragged import Ragged, offsets_of
from sbitune.learning.sets.ragged import RaggedRows, ragged_rows


class ToySets(NamedTuple):
    """Equal numbers of events of two classes."""

    rows: RaggedRows  #: two features
    label: np.ndarray  #: (n_events,) 0 or 1
    exact: np.ndarray  #: (n_events,) log p(event | 1) / p(event | 0)


def particle_log_ratio(x: np.ndarray) -> np.ndarray:
    """log p1 / p0 of particles (n, 2): N(0.3, 1) x N(0, 1.2) to N(0, 1) x N(0, 1)."""
    return 0.3 * x[:, 0] - 0.045 - np.log(1.2) + 0.5 * x[:, 1] ** 2 * (1 - 1 / 1.2**2)


def draw_sets(seed: int, n_events: int, means: tuple[float, float] = (8.0, 9.0)) -> ToySets:
    """k ~ Poisson of the class's mean particles in every event."""
    random = np.random.default_rng(seed)
    label = np.arange(n_events) % 2
    counts = random.poisson(np.asarray(means)[label])
    of = np.repeat(label, counts)
    x = random.normal(size=(len(of), 2)) * np.column_stack([np.ones(len(of)), np.where(of, 1.2, 1.0)])
    x[:, 0] += 0.3 * of
    offsets = offsets_of(counts)
    sums = np.bincount(np.repeat(np.arange(n_events), counts), particle_log_ratio(x), n_events)
    exact = sums - (means[1] - means[0]) + counts * np.log(means[1] / means[0])
    return ToySets(ragged_rows([Ragged(column, offsets) for column in x.T]), label, exact)
