"""The fitted parameters and their correlations."""

import numpy as np
from matplotlib.figure import Figure

from sbitune.plots.style import COLOURS, drawing, new_figure


def short(names: list[str]) -> list[str]:
    """Drop the groups of Pythia parameters where the rest still tells them apart.

    >>> short(["TimeShower:alphaSvalue", "SpaceShower:alphaSvalue", "StringZ:aLund"])
    ['TimeShower:alphaSvalue', 'SpaceShower:alphaSvalue', 'aLund']
    """
    last = [name.rpartition(":")[2] for name in names]
    return [end if last.count(end) == 1 else name for name, end in zip(names, last, strict=True)]


def plot_parameters(
    names: list[str],
    ranges: np.ndarray,
    values: np.ndarray,
    errors: np.ndarray,
    defaults: list[float | None],
    words: tuple[str, str] = ("default", "tuned"),
) -> Figure:
    """Draw every parameter inside its scan range: value with error, and the value before tuning.

    Args:
        names: (n,) parameter names.
        ranges: (n, 2) low and high end.
        values: (n,) fitted values.
        errors: (n,) errors, 0 for fixed parameters.
        defaults: (n,) values before tuning, None where unknown.
        words: of these, and of what was found, in the legend.
    """
    with drawing():
        figure = new_figure(7.2, 0.7 + 0.36 * len(names))
        axes = figure.subplots()
        y = np.arange(len(names))[::-1]
        width = ranges[:, 1] - ranges[:, 0]
        at = (values - ranges[:, 0]) / width
        axes.errorbar(at, y, xerr=errors / width, fmt="o", color=COLOURS["tuned"], capsize=2, label=words[1])
        known = [i for i, value in enumerate(defaults) if value is not None]
        before = [(float(defaults[i] or 0.0) - ranges[i, 0]) / width[i] for i in known]
        if known:
            axes.plot(before, y[known], "s", ms=4, color=COLOURS["default"], label=words[0])
        for k, (low, high) in zip(y, ranges, strict=True):
            axes.text(-0.01, k + 0.32, f"{low:g}", fontsize=7, ha="left", va="center", color="#666666")
            axes.text(1.01, k + 0.32, f"{high:g}", fontsize=7, ha="right", va="center", color="#666666")
        axes.set_yticks(y, short(names))
        axes.set_xticks([])
        axes.set_xlim(-0.02, 1.02)
        axes.set_ylim(-0.6, len(names) - 0.3)
        for k in y:
            axes.axhline(float(k), color="#DDDDDD", lw=0.6, zorder=0)
        figure.legend(loc="outside upper right", ncols=2)
        return figure


def plot_correlation(names: list[str], matrix: np.ndarray) -> Figure:
    """Draw a correlation matrix (n, n) with its numbers."""
    with drawing():
        side = 1.6 + 0.55 * len(names)
        figure = new_figure(side + 0.8, side)
        axes = figure.subplots()
        axes.imshow(matrix, vmin=-1, vmax=1, cmap="RdBu_r")
        for i, j in np.ndindex(matrix.shape):
            dark = abs(matrix[i, j]) > 0.6
            axes.text(j, i, f"{matrix[i, j]:.2f}", ha="center", va="center", fontsize=7, color="w" if dark else "k")
        axes.set_xticks(range(len(names)), short(names), rotation=40, ha="right", rotation_mode="anchor")
        axes.set_yticks(range(len(names)), short(names))
        axes.tick_params(top=False, right=False, length=0)
        return figure
