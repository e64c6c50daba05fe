"""The posterior of the parameters, and what it says of every bin."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import ndimage

from sbitune.plots.parameters import short
from sbitune.plots.style import COLOURS, drawing, new_figure

#: parts of the posterior inside the lines of a corner
_LEVELS = (0.95, 0.68)
_BINS = 36


def plot_corner(
    names: Sequence[str], draws: np.ndarray, values: np.ndarray | None = None, errors: np.ndarray | None = None
) -> Figure:
    """Draw densities of every parameter and pair: draws in blue, a direct fit with its errors in orange.

    Args:
        names: (n,) parameter names.
        draws: (n_draws, n) in the generator's units.
        values: (n,) fitted values; None: there is no fit.
        errors: (n,) their errors; 0 where there is none.
    """
    n = len(names)
    fitted = values is not None
    values = np.median(draws, axis=0) if values is None else values
    errors = np.zeros(n) if errors is None else errors
    with drawing():
        figure = new_figure(1.2 + 1.45 * n, 1.0 + 1.35 * n)
        axes = figure.subplots(n, n, squeeze=False, sharex="col")
        ends = [_ends(*given) for given in zip(draws.T, values, errors, strict=True)]
        for i, j in np.ndindex(n, n):
            one: Any = axes[i, j]
            if j > i:
                one.set_axis_off()
                continue
            if i == j:
                _density(one, draws[:, i], ends[i], float(values[i]), float(errors[i]))
            else:
                _pair(one, draws[:, [j, i]], (ends[j], ends[i]))
                if fitted:
                    at, widths = (values[j], values[i]), {"xerr": errors[j], "yerr": errors[i]}
                    one.errorbar(*at, **widths, fmt="o", ms=3, lw=1, color=COLOURS["default"])
                one.set_ylim(*ends[i])
            one.set_xlim(*ends[j])
            _label(one, short(list(names)), i, j, n)
        return figure


def _ends(draws: np.ndarray, value: float, error: float) -> tuple[float, float]:
    low, high = np.quantile(draws, [0.002, 0.998])
    low, high = min(low, value - 2 * error), max(high, value + 2 * error)
    margin = 0.06 * (high - low)
    return float(low - margin), float(high + margin)


def _density(axes: Axes, draws: np.ndarray, ends: tuple[float, float], value: float, error: float) -> None:
    axes.hist(draws, bins=_BINS, range=ends, density=True, histtype="stepfilled", color=COLOURS["tuned"], alpha=0.35)
    axes.hist(draws, bins=_BINS, range=ends, density=True, histtype="step", color=COLOURS["tuned"])
    if error > 0:
        x = np.linspace(*ends, 200)
        y = np.exp(-0.5 * ((x - value) / error) ** 2) / (error * np.sqrt(2 * np.pi))
        axes.plot(x, y, color=COLOURS["default"], lw=1)
    axes.set_yticks([])


def _pair(axes: Axes, draws: np.ndarray, ends: Sequence[tuple[float, float]]) -> None:
    counts, x, y = np.histogram2d(*draws.T, bins=_BINS, range=ends)
    smooth = ndimage.gaussian_filter(counts, 1.6)
    ordered = np.sort(smooth.ravel())[::-1]
    inside = np.cumsum(ordered) / ordered.sum()
    levels = [float(ordered[np.searchsorted(inside, level)]) for level in _LEVELS]
    middle = 0.5 * (x[1:] + x[:-1]), 0.5 * (y[1:] + y[:-1])
    if levels[0] < levels[1] < smooth.max():
        axes.contourf(*middle, smooth.T, [*levels, smooth.max()], colors=["#A9CDE3", "#5B9DC6"])


def _label(axes: Axes, names: Sequence[str], i: int, j: int, n: int) -> None:
    axes.tick_params(labelsize=6.5)
    axes.locator_params(axis="x", nbins=3)
    if i != j:
        axes.locator_params(axis="y", nbins=3)
    if i == n - 1:
        axes.set_xlabel(names[j])
        axes.tick_params(axis="x", rotation=35)
    if j == 0 and i > 0:
        axes.set_ylabel(names[i])
    elif i != j:
        axes.tick_params(labelleft=False)


def plot_predictive(
    paths: Sequence[str], values: np.ndarray, errors: np.ndarray, draws: np.ndarray, columns: int = 80
) -> Figure:
    """Draw, bin after bin, the prediction less the data in errors of the data: median and bands of 68 and 95 %.

    Args:
        paths: (n_bins,) observable of every bin; bins of one stand together.
        values: (n_bins,) measured.
        errors: (n_bins,) their total errors, above 0.
        draws: (n_draws, n_bins) from the posterior predictive distribution of the contents.
        columns: bins in a row, at most.
    """
    pulls = np.quantile((draws - values) / errors, [0.025, 0.16, 0.5, 0.84, 0.975], axis=0)
    n_rows = -(-len(values) // columns)
    with drawing():
        figure = new_figure(9.0, 0.6 + 1.7 * n_rows)
        reach = float(min(max(3.0, 1.1 * np.abs(pulls).max()), 12.0))
        for axes, start in zip(
            figure.subplots(n_rows, 1, squeeze=False)[:, 0], range(0, len(values), columns), strict=True
        ):
            here = slice(start, min(start + columns, len(values)))
            _bands(axes, start, pulls[:, here])
            _borders(axes, start, paths[here], reach)
            axes.set_xlim(start - 0.5, start + min(columns, len(values)) - 0.5)
            axes.set_ylim(-reach, reach)
        figure.supylabel("(prediction - data) / data error", fontsize=9)
        figure.supxlabel("bin of the fit", fontsize=9)
        return figure


def _bands(axes: Axes, start: int, pulls: np.ndarray) -> None:
    edges = np.arange(pulls.shape[1] + 1) + start - 0.5
    axes.axhspan(-1, 1, color=COLOURS["data error"], alpha=0.35, lw=0)
    axes.axhline(0, color=COLOURS["data"], lw=0.6)
    style: dict[str, Any] = {"color": COLOURS["tuned"], "lw": 0}
    axes.stairs(pulls[4], edges, baseline=pulls[0], fill=True, alpha=0.25, **style)
    axes.stairs(pulls[3], edges, baseline=pulls[1], fill=True, alpha=0.45, **style)
    axes.hlines(pulls[2], edges[:-1], edges[1:], color=COLOURS["tuned"], lw=1.2)


def _borders(axes: Axes, start: int, paths: Sequence[str], reach: float) -> None:
    """Lines between observables, with the name of each that has room for it."""
    first = [k for k in range(len(paths)) if k == 0 or paths[k] != paths[k - 1]]
    for k, end in zip(first, [*first[1:], len(paths)], strict=True):
        if k:
            axes.axvline(start + k - 0.5, color="#888888", lw=0.5)
        name = paths[k].strip("/").replace("/", "\n", 1)
        if end - k >= 8:
            axes.text(start + k, 0.95 * reach, name, fontsize=5.5, va="top", ha="left", color="#444444")
