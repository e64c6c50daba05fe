"""Histogram calibration: log r -> log r + c(log r), with what a bin of events says it is off by.

In a bin b of the learned log ratio s, c is the number for which the classifier with the log odds s + c is right on
average: sum over the bin of w (label - sigma(s + c)) = 0, with both classes normalised. For a narrow bin that is
log(W1 / W0) - s, as in K. Cranmer, J. Pavez, G. Louppe, "Approximating likelihood ratios with calibrated discriminative
classifiers", arXiv:1506.02169; what s says of events inside of a bin is kept. Between the mean log ratios of bins c is
linear, beyond the first and the last it stays. The ratio is normalised to a mean of 1 over class 0.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.storage.layout import ArraySpec, check_arrays
from sbitune.learning.calibration.labelled import LEAST_IN_BIN, Labelled, bins_with_events, refuse_few, sums

#: of bins asked for, the share that events must be enough for
_FILLED = 0.5
_LAYOUT = {
    "calibration_nodes": ArraySpec(("n_nodes",)),
    "calibration_shifts": ArraySpec(("n_nodes",)),
    "calibration_errors": ArraySpec(("n_nodes",), low=0),
}


@partial(jax.tree_util.register_dataclass, data_fields=["nodes", "shifts", "errors"], meta_fields=[])
@dataclass(frozen=True, eq=False)
class HistogramCalibration:
    """Corrections of log ratios. A pytree; called on log ratios of any shape."""

    nodes: Any  #: (n_nodes,) rising log ratios as learned
    shifts: Any  #: (n_nodes,) what is added there
    errors: Any  #: (n_nodes,) statistical errors of these, of bins that share no event

    def __call__(self, log_ratio: Any) -> Any:
        """Return calibrated log ratios."""
        return log_ratio + jnp.interp(log_ratio, self.nodes, self.shifts)

    def arrays(self) -> dict[str, np.ndarray]:
        """What a file needs to hold."""
        values = (self.nodes, self.shifts, self.errors)
        return {name: np.asarray(v, np.float64) for name, v in zip(_LAYOUT, values, strict=True)}

    @classmethod
    def of_arrays(cls, where: str, arrays: Mapping[str, np.ndarray]) -> "HistogramCalibration":
        """Undo `arrays`; `where` begins a message. Raises `InputError` for arrays that are none of these."""
        return cls(*check_arrays(where, arrays, _LAYOUT).values())


def calibrate_by_histogram(events: Labelled, n_bins: int = 30) -> HistogramCalibration:
    """Find the corrections.

    Args:
        events: see `labelled`; not those that trained the network.
        n_bins: bins of like weight of both classes together. Those with fewer than ten effective events of a class are
            joined with their neighbours.

    Raises:
        InputError: fewer than half of the bins can be filled.
    """
    refuse_few("histogram calibration", events, LEAST_IN_BIN)
    starts = bins_with_events(events, n_bins)
    if len(starts) < _FILLED * n_bins:
        more = int(np.ceil(n_bins / max(len(starts), 1)))
        raise InputError(
            f"histogram calibration: the events fill {len(starts)} of {n_bins} bins with {LEAST_IN_BIN:.0f} effective "
            f"events of either class: give some {more} times as many events, or ask for at most {2 * len(starts)} bins",
            code="calibration-few-events",
        )
    weight = np.abs(events.weight)
    nodes = sums(weight * events.log_ratio, starts) / sums(weight, starts)
    shifts = _shifts(events, starts)
    errors = np.sqrt(sum(sums(w**2, starts) / sums(w, starts) ** 2 for w in events.classes))
    found = HistogramCalibration(nodes, shifts, errors)
    ratio = np.exp(events.log_ratio + np.interp(events.log_ratio, nodes, shifts))
    return HistogramCalibration(found.nodes, found.shifts - np.log(np.sum(events.zero * ratio)), found.errors)


def _shifts(events: Labelled, starts: np.ndarray) -> np.ndarray:
    """(n_bins,) by which log ratios of bins must move to be right on average, by bisection."""
    bins = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(events.log_ratio))))
    first = np.log(sums(events.one, starts) / sums(events.zero, starts))
    s = events.log_ratio
    least, most = np.minimum.reduceat(s, starts), np.maximum.reduceat(s, starts)
    low, high = first - most, first - least  # at these all events of a bin have too small or too large odds
    for _ in range(60):
        middle = 0.5 * (low + high)
        right = 1 / (1 + np.exp(-np.clip(s + middle[bins], -700, 700)))
        missing = sums(events.one - events.weight * right, starts) > 0
        low, high = np.where(missing, middle, low), np.where(missing, high, middle)
    return 0.5 * (low + high)
