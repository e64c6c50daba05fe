"""Figures of observables: histograms side by side, and one figure of all observables of one bin."""

from collections.abc import Iterable

import numpy as np

from sbitune.data.bins import Bins
from sbitune.plots.observables import Panel, plot_observable, plot_single_bins
from sbitune.plots.style import to_svg
from sbitune.report.pieces.parts import Figure


def bins_of(bins: Bins, path: str) -> np.ndarray:
    """(n,) which of the bins a figure of `path` shows, from low to high."""
    mine = bins.of(path)
    return mine[np.argsort(bins.low[mine])]


def single_bins(panels: Iterable[Panel]) -> list[Figure]:
    """The figure of all observables of one bin; none where there are none."""
    single = [(panel.title, panel) for panel in panels if len(panel.low) == 1]
    return [Figure(to_svg(plot_single_bins(single)), "Observables of one bin.", "single")] if single else []


def histograms(panels: Iterable[tuple[str, Panel]]) -> list[Figure]:
    """A figure, with this caption, of every observable of several bins."""
    return [Figure(to_svg(plot_observable(panel)), caption) for caption, panel in panels if len(panel.low) > 1]
