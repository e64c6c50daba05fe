"""Whether credible regions hold the truth as often as they claim."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from sbitune.plots.style import COLOURS, drawing, new_figure, set_title

#: bins of a histogram of ranks
_BINS = 20


def plot_ranks(ranks: Sequence[float], title: str) -> Figure:
    """Draw ranks (n_pairs,) of truths among draws from their posteriors, with the band of 95 % of uniform ones."""
    n, bins = len(ranks), min(_BINS, max(4, len(ranks) // 10))
    with drawing():
        figure = new_figure(3.4, 2.4)
        axes = figure.subplots()
        width = 1.96 * np.sqrt(n / bins * (1 - 1 / bins))
        axes.axhspan(n / bins - width, n / bins + width, color=COLOURS["data error"], alpha=0.5, lw=0)
        axes.hist(ranks, bins=bins, range=(0, 1), histtype="step", color=COLOURS["tuned"], lw=1.2)
        axes.set_xlim(0, 1)
        axes.set_ylim(0, None)
        axes.set_xlabel("rank of the truth")
        axes.set_ylabel("simulations")
        set_title(axes, title)
        return figure


def plot_levels(curves: Sequence[tuple[str, Any, Any, Any]], title: str) -> Figure:
    """Draw how often regions hold the truth, over how often they should.

    Args:
        curves: name, levels, coverage and its error (n_levels,) of each; the band is that of the first.
        title: what is shown.
    """
    with drawing():
        figure = new_figure(3.8, 3.4)
        axes = figure.subplots()
        _, levels, _, error = (np.asarray(part) for part in curves[0])
        axes.fill_between(levels, levels - 1.96 * error, levels + 1.96 * error, color=COLOURS["data error"], alpha=0.5)
        axes.plot([0, 1], [0, 1], color=COLOURS["scan"], lw=0.8)
        for (name, at, coverage, _), colour in zip(curves, ("tuned", "default", "data"), strict=False):
            axes.plot(at, coverage, "o-", ms=2.5, lw=1, color=COLOURS[colour], label=name)
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)
        axes.set_xlabel("credibility")
        axes.set_ylabel("truths inside")
        axes.legend()
        set_title(axes, title)
        return figure
