"""Isotonic calibration: log r -> f(log r), the rising function that fits the labels best.

Isotonic regression of the label on the learned log ratio, both classes normalised, makes blocks of events whose ratio
is W1 / W0; within a block the learned order says nothing. B. Zadrozny, C. Elkan, "Transforming classifier scores into
accurate multiclass probability estimates", KDD 2002. Blocks at the ends, which often have events of one class only and
so a ratio of 0 or infinity, are joined with their neighbours until they have ten effective events of either. Between
mean log ratios of blocks the logarithm is linear; beyond the first and the last it stays, so the ratio is bounded by
what events can tell. It is normalised to a mean of 1 over class 0.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import isotonic_regression

from sbitune.data.errors import InputError
from sbitune.data.storage.layout import ArraySpec, check_arrays
from sbitune.learning.calibration.labelled import LEAST_IN_BIN, Labelled, bins_with_events, effective, refuse_few, sums

#: effective events of either class, for some five blocks
LEAST = 100.0
#: bins of events with weights of both signs, before a function is fitted to them
_MOST_BINS = 300
_LAYOUT = {"calibration_nodes": ArraySpec(("n_nodes",)), "calibration_values": ArraySpec(("n_nodes",))}


@partial(jax.tree_util.register_dataclass, data_fields=["nodes", "values"], meta_fields=[])
@dataclass(frozen=True, eq=False)
class IsotonicCalibration:
    """A rising function of log ratios. A pytree; called on log ratios of any shape."""

    nodes: Any  #: (n_nodes,) rising log ratios as learned
    values: Any  #: (n_nodes,) rising log ratios as they should be

    def __call__(self, log_ratio: Any) -> Any:
        """Return calibrated log ratios, inside of the range of the values."""
        return jnp.interp(log_ratio, self.nodes, self.values)

    def arrays(self) -> dict[str, np.ndarray]:
        """What a file needs to hold."""
        values = (self.nodes, self.values)
        return {name: np.asarray(v, np.float64) for name, v in zip(_LAYOUT, values, strict=True)}

    @classmethod
    def of_arrays(cls, where: str, arrays: Mapping[str, np.ndarray]) -> "IsotonicCalibration":
        """Undo `arrays`; `where` begins a message. Raises `InputError` for arrays that are none of these."""
        return cls(*check_arrays(where, arrays, _LAYOUT).values())


def calibrate_isotonically(events: Labelled) -> IsotonicCalibration:
    """Fit the rising function.

    Args:
        events: see `labelled`; not those that trained the network. If some weights are negative, events are first put
            into bins in which the sums of both classes are positive.

    Raises:
        InputError: too few events, or log ratios that do not tell the classes apart.
    """
    refuse_few("isotonic calibration", events, LEAST)
    if (events.weight < 0).any():
        starts = bins_with_events(events, _MOST_BINS)
    else:
        starts = np.flatnonzero(np.concatenate([[True], np.diff(events.log_ratio) > 0]))
    weight = sums(events.weight, starts)
    fitted = isotonic_regression(sums(events.one, starts) / weight, weights=weight)
    starts = _join_ends(events, starts[fitted.blocks[:-1]])
    if len(starts) < 2:
        raise InputError(
            "isotonic calibration: the learned log ratio does not rise with the exact one: the network did not learn",
            code="calibration-few-events",
        )
    ratios = np.log(sums(events.one, starts) / sums(events.zero, starts))
    absolute = np.abs(events.weight)
    nodes = sums(absolute * events.log_ratio, starts) / sums(absolute, starts)
    normal = np.log(np.sum(events.zero * np.exp(np.interp(events.log_ratio, nodes, ratios))))
    return IsotonicCalibration(nodes, ratios - normal)


def _join_ends(events: Labelled, starts: np.ndarray) -> np.ndarray:
    """Join blocks at either end until the outermost have enough events of both classes: where blocks begin."""
    ends = np.append(starts, len(events.log_ratio))

    def enough(start: int, end: int) -> bool:
        return all(w[start:end].sum() > 0 and effective(w[start:end]) >= LEAST_IN_BIN for w in events.classes)

    first = next((i for i in range(1, len(ends)) if enough(0, ends[i])), len(ends) - 1)
    last = next((i for i in range(len(ends) - 2, -1, -1) if enough(ends[i], ends[-1])), 0)
    if last < first:  # the ends meet
        return np.array([0])
    return np.array([0, *ends[first:last], ends[last]]) if last > first else np.array([0, ends[first]])
