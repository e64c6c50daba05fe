"""Predictions of a surrogate as histograms: what `prof2-ipol`'s polynomials are asked for at a point."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from sbitune.data.bins import Bins
from sbitune.data.parameter import Parameter
from sbitune.data.scatters import scatters_of
from sbitune.data.yoda import Scatter
from sbitune.tuning.surrogates.protocols import Surrogate


class Histograms(NamedTuple):
    """A surrogate at a point."""

    bins: Bins  #: (n_bins,)
    mean: np.ndarray  #: (n_bins,) in the unit of the histogram
    error: np.ndarray  #: (n_bins,) the surrogate's own
    outside: tuple[str, ...]  #: parameters that are outside the box, where the surrogate extrapolates


def predict_histograms(model: Surrogate, theta: np.ndarray) -> Histograms:
    """Ask a surrogate at theta (n_parameters,)."""
    mean, error = (np.asarray(part, np.float64)[0] for part in model.predict_many(np.asarray(theta)[None]))
    outside = [p.name for p, x in zip(model.parameters, theta, strict=True) if not p.low <= x <= p.high]
    return Histograms(model.bins, mean, error, tuple(outside))


def as_scatters(found: Histograms, parameters: Sequence[Parameter], theta: np.ndarray) -> list[Scatter]:
    """One scatter per histogram; the point is written into each, as MCNNTunes does with runs.

    Raises `InputError` for a bin with an infinite edge, or a path that YODA cannot hold.
    """
    notes = {f"Tune_Parameter_{p.name}": float(x) for p, x in zip(parameters, theta, strict=True)}
    return scatters_of(found.bins, found.mean, found.error, notes)
