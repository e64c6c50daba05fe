"""Figures of numbers that every bin has: what parameters do to it, how far runs are from the surrogate."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from scipy import stats

from sbitune.plots.observables import set_along, step_line
from sbitune.plots.parameters import short
from sbitune.plots.style import COLOURS, drawing, new_figure, set_title

#: Okabe and Ito's, black last; then again, dashed
_CYCLE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
#: pulls are shown up to so many errors; those beyond are counted at the ends
_REACH = 5.0


def plot_responses(
    low: np.ndarray, high: np.ndarray, responses: np.ndarray, names: Sequence[str], title: str, label: str
) -> Figure:
    """Draw how the bins of an observable respond to every parameter.

    Args:
        low: (n_bins,) low edges, rising.
        high: (n_bins,) high edges.
        responses: (n_bins, n_parameters); NaN where there is none.
        names: (n_parameters,).
        title: of the figure.
        label: of what is drawn.
    """
    with drawing():
        figure = new_figure(5.2, 3.4)
        axes = figure.subplots()
        axes.axhline(0.0, color="black", lw=0.6)
        for i, name in enumerate(short(list(names))):
            colour, dashes = _CYCLE[i % len(_CYCLE)], "-" if i < len(_CYCLE) else "--"
            axes.plot(*step_line(low, high, responses[:, i]), dashes, color=colour, lw=1.2, label=name)
        set_along(axes, low, high)
        axes.set_ylabel(label)
        set_title(axes, title)
        figure.legend(loc="outside lower center", ncols=3, fontsize=7)
        return figure


def plot_matrix(rows: Sequence[str], columns: Sequence[str], values: np.ndarray, label: str) -> Figure:
    """Draw numbers >= 0 (n_rows, n_columns) as a table whose colours say how large they are."""
    with drawing():
        figure = new_figure(2.6 + 0.62 * len(columns) + 0.05 * max(map(len, rows)), 1.5 + 0.2 * len(rows))
        axes = figure.subplots()
        known = np.ma.masked_invalid(values)
        image = axes.imshow(known, cmap="Blues", aspect="auto", vmin=0)
        half = 0.6 * float(known.max()) if known.count() else 1.0
        for i, j in np.argwhere(np.isfinite(values)):
            x = values[i, j]
            axes.text(j, i, f"{x:.2g}", ha="center", va="center", fontsize=6.5, color="w" if x > half else "k")
        axes.set_xticks(range(len(columns)), short(list(columns)), rotation=40, ha="right", rotation_mode="anchor")
        axes.set_yticks(range(len(rows)), rows, fontsize=7)
        axes.tick_params(top=False, right=False, length=0)
        figure.colorbar(image, label=label, fraction=0.04, pad=0.02)
        return figure


def plot_pulls(pulls: np.ndarray, full: np.ndarray) -> Figure:
    """Draw the distributions of pulls with the Monte Carlo error (n,) and with all errors (n,), and the normal one."""
    with drawing():
        figure = new_figure(5.2, 3.4)
        axes = figure.subplots()
        x = np.linspace(-_REACH, _REACH, 201)
        axes.plot(x, stats.norm.pdf(x), color="black", lw=0.8, label="normal distribution")
        for values, name, colour in ((pulls, "Monte Carlo error", "default"), (full, "all errors", "tuned")):
            inside = np.clip(values[np.isfinite(values)], -_REACH, _REACH)
            words = f"{name}: rms {np.sqrt(np.mean(values[np.isfinite(values)] ** 2)):.2f}"
            axes.hist(
                inside,
                bins=50,
                range=(-_REACH, _REACH),
                density=True,
                histtype="step",
                color=COLOURS[colour],
                label=words,
            )
        axes.set_xlim(-_REACH, _REACH)
        axes.set_xlabel("(prediction - run) / error; the first and last bin hold all beyond")
        axes.legend()
        return figure


def plot_pulls_of_bins(low: np.ndarray, high: np.ndarray, mean: np.ndarray, width: np.ndarray, title: str) -> Figure:
    """Draw the mean pull (n_bins,) of every bin of an observable over the runs, and its rms (n_bins,) as a band."""
    with drawing():
        figure = new_figure(5.2, 3.0)
        axes = figure.subplots()
        x, top = step_line(low, high, width)
        axes.fill_between(x, -top, top, color=COLOURS["tuned"], alpha=0.25, lw=0, label="+- rms over the runs")
        axes.plot(*step_line(low, high, mean), color=COLOURS["tuned"], lw=1.2, label="mean")
        for height in (-1.0, 0.0, 1.0):
            axes.axhline(height, color="black", lw=0.6, ls="-" if height == 0 else ":")
        set_along(axes, low, high)
        reach = max(1.5, 1.2 * float(np.nanmax(width, initial=0.0)))
        axes.set_ylim(-reach, reach)
        axes.set_ylabel("pull, all errors")
        set_title(axes, title)
        axes.legend(ncols=2)
        return figure
