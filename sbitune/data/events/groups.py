"""Groups of events that belong together, dealt to parts whole."""

import numpy as np


def number_groups(groups: np.ndarray | None, n_events: int) -> tuple[np.ndarray, np.ndarray]:
    """Number the groups (n_events,) from 0; without groups every event is one of its own.

    Returns:
        (n_events,) the number of each event's group, in the order of their ids, and (n_groups,) how many events it has.
    """
    if groups is None:
        return np.arange(n_events), np.ones(n_events, np.int64)
    _, number, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    return number.reshape(-1), sizes


def middles(sizes: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Where the middle of each group (n_groups,) lies, counted in events, if they are laid down in this order.

    Parts that groups go to by their middles are off what was asked for by half of a group at most, at either end.
    """
    before = np.cumsum(sizes[order]) - sizes[order]
    found = np.empty(len(sizes))
    found[order] = before + 0.5 * sizes[order]
    return found
