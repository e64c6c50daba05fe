"""Log ratios of events whose class is known, in rising order, with the weights of either class summing to 1.

So the classes count the same, and log p(x|1) / p(x|0) is what a log ratio is compared with, whatever their numbers of
events. Weights may be negative: sums are signed, and n events of a class with weights w count as (sum w)^2 / sum w^2.
"""

from typing import Any, NamedTuple

import numpy as np

from sbitune.data.errors import InputError

#: effective events of a class that a bin must have: with fewer, its error is more than a third of it
LEAST_IN_BIN = 10.0


class Labelled(NamedTuple):
    """Events of two classes in rising order of their log ratio. Those of weight 0 are left out."""

    log_ratio: np.ndarray  #: (n,) float64
    one: np.ndarray  #: (n,) weights of class 1, which sum to 1; 0 for events of class 0
    zero: np.ndarray  #: (n,) weights of class 0, likewise

    @property
    def weight(self) -> np.ndarray:
        """(n,) of the mixture of both, which sums to 2."""
        return self.one + self.zero

    @property
    def classes(self) -> tuple[np.ndarray, np.ndarray]:
        """Weights of classes 1 and 0."""
        return self.one, self.zero


def labelled(log_ratio: Any, label: Any, weights: Any = None) -> Labelled:
    """Put events in order.

    Args:
        log_ratio: (n_events,) log p(x|1) / p(x|0) as it was learned.
        label: (n_events,) 1 or 0, the class of the event.
        weights: (n_events,) of the events, of both signs; None: all 1.

    Raises:
        InputError: other shapes, a log ratio or weight that is not finite, another label, a class whose weights do not
            sum to more than 0.
    """
    log_ratio, label = np.asarray(log_ratio, np.float64), np.asarray(label)
    weights = np.ones(log_ratio.shape) if weights is None else np.asarray(weights, np.float64)
    if log_ratio.ndim != 1 or label.shape != log_ratio.shape or weights.shape != log_ratio.shape:
        raise InputError(
            f"calibration: log ratios, labels and weights have shapes {log_ratio.shape}, {label.shape} and "
            f"{weights.shape}, expected (n_events,) for all",
            code="calibration-no-ratio",
        )
    for name, array in (("log ratio", log_ratio), ("weight", weights)):
        bad = ~np.isfinite(array)
        if bad.any():
            row = int(np.argmax(bad))
            raise InputError(
                f"calibration: the {name} of event {row} is {array[row]} ({int(bad.sum())} such events): did the "
                "network not learn, or are events beyond its range?",
                code="calibration-no-ratio",
            )
    other = (label != 0) & (label != 1)
    if other.any():
        raise InputError(
            f"calibration: the label of event {int(np.argmax(other))} is {label[np.argmax(other)]}, expected 0 or 1",
            code="calibration-no-ratio",
        )
    order = np.argsort(log_ratio, kind="stable")
    order = order[weights[order] != 0]
    signed = [np.where(label[order] == c, weights[order], 0.0) for c in (1, 0)]
    for c, w in zip((1, 0), signed, strict=True):
        if not w.sum() > 0:
            raise InputError(
                f"calibration: the weights of class {c} sum to {w.sum():.4g}, expected more than 0",
                code="calibration-no-ratio",
            )
    return Labelled(log_ratio[order], *(w / w.sum() for w in signed))


def effective(weights: np.ndarray) -> float:
    """Number of events of weight 1 whose sum is as uncertain, relative to itself, as that of these weights (n,)."""
    squares = float(np.sum(weights**2))
    return float(weights.sum() ** 2 / squares) if squares > 0 else 0.0


def sums(values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Sums (n_bins,) of values (n,) over bins that begin at `starts` (n_bins,), rising from 0."""
    return np.add.reduceat(values, starts)


def bins_with_events(events: Labelled, n_bins: int, least: float = LEAST_IN_BIN) -> np.ndarray:
    """Deal events to at most `n_bins` bins of like weight, each with enough of both classes: where they begin.

    A bin is closed when it has its share of the mixture, and effective events of either class `least`, with positive
    sums. What is left at the upper end goes to the last bin. So bins are wider where one class is rare, and where
    negative weights are many.
    """
    cumulated = [np.concatenate([[0.0], np.cumsum(part)]) for w in events.classes for part in (w, w**2)]
    share = np.concatenate([[0.0], np.cumsum(np.abs(events.weight))])
    share *= n_bins / share[-1]
    new = np.concatenate([[True], np.diff(events.log_ratio) > 0, [True]])  # equal log ratios are not divided

    def enough(start: int, end: int) -> bool:
        wholes = [column[end] - column[start] for column in cumulated]
        return all(w > 0 and w * w >= least * s for w, s in (wholes[:2], wholes[2:]))

    ends = np.flatnonzero(new)
    starts, done = [0], 0.0
    place = 1  # of `ends`, the first of which is 0
    while place < len(ends):
        place = max(place, int(np.searchsorted(share[ends], done + 1 - 1e-9)))
        while place < len(ends) and not enough(starts[-1], int(ends[place])):
            place += 1
        if place < len(ends):
            starts.append(int(ends[place]))
            done = float(share[starts[-1]])
            place += 1
    if len(starts) > 1:  # nothing is left, or not enough
        starts.pop()
    return np.array(starts)


def refuse_few(kind: str, events: Labelled, needed: float, remedy: str = "give more events") -> None:
    """Raise `InputError` unless there are so many effective events of either class."""
    counts = [effective(w) for w in events.classes]
    if min(counts) < needed:
        raise InputError(
            f"{kind}: there are {counts[0]:.0f} effective events of class 1 and {counts[1]:.0f} of class 0, at least "
            f"{needed:.0f} of each are needed: {remedy}",
            code="calibration-few-events",
        )
