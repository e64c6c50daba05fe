"""Histograms of columns under any parameters: held events with the weights that are expected of them there."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.text.names import nearest
from sbitune.fitting.bridges.uhi_histogram import CountHistogram, count_histogram
from sbitune.ratios.stages.fitstage import FittedRatios


def column_histogram(
    fitted: FittedRatios, column: str, theta: Mapping[str, float] | None = None, bins: Any = 30
) -> CountHistogram:
    """Expected counts of a column, with variances from the number of simulated events.

    Args:
        fitted: the fit of a card.
        column: one of those that the ratios see.
        theta: parameter -> value; those that are not named are as fitted.
        bins: edges (n_bins + 1,), or how many.

    Raises:
        InputError: for a column or parameter that there is not, or edges that do not rise.
    """
    mixture, known = fitted.trained.mixture, dict(zip(fitted.fit.names, fitted.fit.values.tolist(), strict=True))
    if column not in mixture.columns:
        raise InputError(f"column {column}: the ratios do not see it{nearest(column, mixture.columns)}")
    for name in theta or {}:
        if name not in known:
            raise InputError(f"{name}: no such parameter{nearest(name, known)}", code="card-parameter-unknown")
    events: Any = fitted.problem.terms[0]
    with fitted.problem.computing():
        weights = events.expectation(known | dict(theta or {})).counts
    return count_histogram(np.asarray(mixture.held.x[:, mixture.columns.index(column)]), weights, bins, column)
