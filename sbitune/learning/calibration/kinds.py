"""Kinds of calibration by name."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.text.names import list_names, nearest
from sbitune.learning.calibration.histogram import HistogramCalibration, calibrate_by_histogram
from sbitune.learning.calibration.isotonic import IsotonicCalibration, calibrate_isotonically
from sbitune.learning.calibration.labelled import labelled


class Calibration(Protocol):
    """Maps learned log ratios to calibrated ones. A pytree of arrays."""

    def __call__(self, log_ratio: Any) -> Any:
        """Return calibrated log ratios of any shape; usable inside of `jit`."""
        ...

    def arrays(self) -> dict[str, np.ndarray]:
        """What a file needs to hold."""
        ...


class Kind(NamedTuple):
    """A kind of calibration."""

    fit: Callable[..., Calibration]  #: to `Labelled` events, with options by name
    of_arrays: Callable[[str, Mapping[str, np.ndarray]], Calibration]  #: see `HistogramCalibration.of_arrays`


KINDS: dict[str, Kind] = {
    "isotonic": Kind(calibrate_isotonically, IsotonicCalibration.of_arrays),
    "histogram": Kind(calibrate_by_histogram, HistogramCalibration.of_arrays),
}


def calibrate(kind: str, log_ratio: Any, label: Any, weights: Any = None, **options: Any) -> Calibration:
    """Calibrate a learned log ratio on events that have trained nothing of it.

    Args:
        kind: `isotonic` or `histogram`.
        log_ratio: (n_events,) learned log p(x|1) / p(x|0).
        label: (n_events,) 1 or 0.
        weights: (n_events,) of both signs; either class is normalised. None: all 1.
        options: of the kind, see `calibrate_by_histogram`.

    Returns:
        A function of log ratios whose mean ratio over the class 0 of these events is 1.

    Raises:
        InputError: an unknown kind; numbers that are not finite; too few events for the calibration.
    """
    return kind_of(kind).fit(labelled(log_ratio, label, weights), **options)


def stored_calibration(kind: str, where: str, arrays: Mapping[str, np.ndarray]) -> Calibration:
    """Make a calibration of the arrays of a file. Raises `InputError`, which begins with `where`."""
    return kind_of(kind).of_arrays(where, arrays)


def kind_of(kind: str) -> Kind:
    """Return a kind by name. Raises `InputError` with the names there are."""
    if kind not in KINDS:
        raise InputError(f"calibration: there is no kind {kind!r}{nearest(kind, KINDS)}; there are {list_names(KINDS)}")
    return KINDS[kind]
