"""Histograms of columns under any parameters: held events with the weights that are expected of them there."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.text.names import nearest
from sbitune.fitting.bridges.uhi_histogram import CountHistogram, count_histogram
from sbitune.ratios.card import EVENTS
from sbitune.ratios.stages.fitstage import FittedRatios
from sbitune.ratios.stages.fitting import terms_of_events


def column_histogram(
    fitted: FittedRatios,
    column: str,
    theta: Mapping[str, float] | None = None,
    bins: Any = 30,
    region: str = EVENTS,
) -> CountHistogram:
    """Expected counts of a column, with variances from the number of simulated events.

    Args:
        fitted: the fit of a card.
        column: one of those that the ratios see.
        theta: parameter -> value; those that are not named are as fitted.
        bins: edges (n_bins + 1,), or how many.
        region: whose events; by default those of the card itself.

    Raises:
        InputError: for a region, column or parameter that there is not, or edges that do not rise.
    """
    regions = fitted.trained.regions
    if region not in regions:
        raise InputError(f"{region}: no such region of events{nearest(region, regions)}", code="ratios-region-name")
    mixture, known = regions[region].mixture, dict(zip(fitted.fit.names, fitted.fit.values.tolist(), strict=True))
    if column not in mixture.columns:
        raise InputError(f"column {column}: the ratios do not see it{nearest(column, mixture.columns)}")
    for name in theta or {}:
        if name not in known:
            raise InputError(f"{name}: no such parameter{nearest(name, known)}", code="card-parameter-unknown")
    events = terms_of_events(fitted.problem)[region]
    with fitted.problem.computing():
        weights = events.expectation(known | dict(theta or {})).counts
    return count_histogram(np.asarray(mixture.pool[0][:, mixture.columns.index(column)]), weights, bins, column)
