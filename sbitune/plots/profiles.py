"""Profiles of one parameter and contours of two."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from sbitune.plots.parameters import short
from sbitune.plots.style import COLOURS, drawing, new_figure


def plot_profile(name: str, points: np.ndarray, delta: np.ndarray, value: float, error: float) -> Figure:
    """Draw Delta(-2 log L) (n,) at points (n,) and the parabola of the fitted value and its error (0: no parabola)."""
    with drawing():
        figure = new_figure(4.8, 3.6)
        axes = figure.subplots()
        for height, words in ((1.0, "68 %"), (4.0, "95 %")):
            axes.axhline(height, color="#BBBBBB", lw=0.7)
            axes.text(0.995, height, words, transform=axes.get_yaxis_transform(), fontsize=7, ha="right", va="bottom")
        if error > 0:
            x = np.linspace(points.min(), points.max(), 200)
            axes.plot(x, ((x - value) / error) ** 2, "--", lw=1, color=COLOURS["default"], label="parabola of the fit")
        axes.plot(points, delta, "o-", ms=3, lw=1.2, color=COLOURS["tuned"], label="profile")
        axes.set_ylim(bottom=0)
        axes.set_xlabel(name)
        axes.set_ylabel(r"$\Delta(-2\,\log L)$")
        axes.legend(loc="upper center")
        return figure


def plot_contours(
    names: tuple[str, str],
    contours: Sequence[tuple[float, np.ndarray]],
    value: np.ndarray,
    errors: np.ndarray,
    word: str = "tune",
) -> Figure:
    """Draw contours, each a (coverage, points (n, 2)), around the fitted values (2,) with their errors (2,); `word` is
    what these are called.
    """
    with drawing():
        figure = new_figure(4.8, 4.2)
        axes = figure.subplots()
        styles = ("-", "--", ":", "-.")
        for k, (coverage, points) in enumerate(contours):
            closed = np.concatenate([points, points[:1]])
            axes.plot(*closed.T, styles[k % len(styles)], color=COLOURS["tuned"], label=f"{100 * coverage:g} %")
        axes.errorbar(*value, xerr=errors[0], yerr=errors[1], fmt="o", ms=3, color=COLOURS["default"], label=word)
        axes.set_xlabel(short(list(names))[0])
        axes.set_ylabel(short(list(names))[1])
        axes.legend()
        return figure
