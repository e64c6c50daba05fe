"""Tests of values of a parameter: CLs with its bands, confidence belts, impacts and pulls."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from sbitune.plots.parameters import short
from sbitune.plots.style import COLOURS, drawing, new_figure, readable

#: colours of bands of one and two standard errors
_BANDS = ("#7FC97F", "#F7E56B")


def plot_scan(
    values: Any,
    observed: Any,
    expected: Any,
    alpha: float,
    limits: tuple[float, float],
    name: str,
    method: str,
    errors: Any = None,
) -> Figure:
    """Draw p-values along a parameter.

    Args:
        values: (n,) rising.
        observed: (n,) CLs or p_sb of the data.
        expected: (n, 5) the same where the background fluctuates by -2 .. 2 standard errors.
        alpha: what excludes.
        limits: observed and expected limit.
        name: the parameter.
        method: what is drawn, `CLs` or `p_sb`.
        errors: (n,) of the observed ones, of the number of toys.
    """
    values, observed, expected = (np.asarray(x, float) for x in (values, observed, expected))
    with drawing():
        figure = new_figure(4.8, 3.8)
        axes = figure.subplots()
        for k, label in ((1, r"expected, $\pm$ 2 $\sigma$"), (0, r"$\pm$ 1 $\sigma$")):
            axes.fill_between(values, expected[:, 1 - k], expected[:, 3 + k], color=_BANDS[k], lw=0, label=label)
        axes.plot(values, expected[:, 2], "--", color=COLOURS["data"], lw=1, label="expected")
        style: dict[str, Any] = {"color": COLOURS["data"], "lw": 1.2, "marker": "o", "ms": 2.5, "label": "observed"}
        axes.errorbar(values, observed, yerr=errors, **style)
        axes.axhline(alpha, color=COLOURS["default"], lw=0.9)
        axes.text(values[0], alpha, f" {alpha:.3g}", color=COLOURS["default"], fontsize=7, va="bottom")
        for limit, line in zip(limits, ("-", "--"), strict=True):
            axes.plot([limit, limit], [0, alpha], line, color=COLOURS["default"], lw=0.9)
        axes.set_xlim(values[0], values[-1])
        axes.set_ylim(0, 1.0)
        axes.set_xlabel(readable(name))
        axes.set_ylabel({"CLs": r"CL$_\mathrm{s}$", "p_sb": r"$p_\mathrm{s+b}$"}.get(method, method))
        axes.legend()
        return figure


def plot_belt(
    name: str,
    points: Any,
    accepted: Any,
    best: float,
    intervals: Sequence[tuple[float, float]],
    level: float,
) -> Figure:
    """Draw a confidence belt, and the interval of the data.

    Args:
        name: the parameter.
        points: (n,) values of it.
        accepted: (n, 2) smallest and largest fitted value that is accepted at each.
        best: where the data have it.
        intervals: what the belt gives the data.
        level: the confidence.
    """
    points, accepted = np.asarray(points, float), np.asarray(accepted, float)
    with drawing():
        figure = new_figure(4.4, 4.2)
        axes = figure.subplots()
        axes.fill_betweenx(points, accepted[:, 0], accepted[:, 1], color=COLOURS["tuned"], alpha=0.18, lw=0)
        for low, high, y in zip(*accepted.T, points, strict=True):
            axes.plot([low, high], [y, y], color=COLOURS["tuned"], lw=0.6)
        axes.plot(accepted[:, 0], points, color=COLOURS["tuned"], lw=1.2, label=f"accepted, {100 * level:.4g} %")
        axes.plot(accepted[:, 1], points, color=COLOURS["tuned"], lw=1.2)
        axes.axvline(best, color=COLOURS["default"], lw=0.8, ls="--")
        for k, (low, high) in enumerate(intervals):
            label = "interval of the data" if k == 0 else None
            axes.plot([best, best], [low, high], color=COLOURS["default"], lw=3, solid_capstyle="butt", label=label)
        axes.set_ylim(points[0], points[-1])
        axes.set_xlabel(f"{readable(name)}, fitted")
        axes.set_ylabel(f"{readable(name)}, true")
        axes.legend(loc="lower right")
        return figure


def plot_impacts(
    name: str,
    parameters: Sequence[str],
    pulls: Any,
    constraints: Any,
    down: Any,
    up: Any,
) -> Figure:
    """Draw pulls and impacts, the first parameter on top.

    Args:
        name: the result.
        parameters: (n,) what was measured by others.
        pulls: (n,)
        constraints: (n,) errors of the fit over those of the measurements.
        down: (n,) by how much the result moves where the measurement is one error lower.
        up: (n,) and higher.
    """
    pulls, constraints, down, up = (np.asarray(x, float) for x in (pulls, constraints, down, up))
    y = np.arange(len(parameters))[::-1]
    with drawing():
        figure = new_figure(6.4, 1.1 + 0.28 * len(parameters))
        left, right = figure.subplots(1, 2, sharey=True, width_ratios=(1.0, 1.2))
        left.axvspan(-1, 1, color=COLOURS["scan"], alpha=0.25, lw=0)
        left.axvline(0, color=COLOURS["scan"], lw=0.8)
        left.errorbar(pulls, y, xerr=constraints, fmt="o", ms=3.5, lw=1.1, color=COLOURS["data"])
        reach = max(1.6, 1.1 * float(np.max(np.abs(pulls) + constraints, initial=0.0)))
        left.set_xlim(-reach, reach)
        left.set_yticks(y, short(list(parameters)))
        left.set_ylim(-0.7, len(parameters) - 0.3)
        left.set_xlabel("pull")
        left.tick_params(axis="y", length=0)
        right.barh(y, up, height=0.6, color=COLOURS["tuned"], label="measurement up")
        right.barh(y, down, height=0.6, color="none", edgecolor=COLOURS["default"], lw=1.1, label="down")
        right.axvline(0, color=COLOURS["data"], lw=0.6)
        most = 1.15 * max(float(np.max(np.abs([up, down]), initial=0.0)), 1e-12)
        right.set_xlim(-most, most)
        right.xaxis.set_major_locator(MaxNLocator(5))
        right.set_xlabel(f"shift of {readable(name)}")
        right.tick_params(axis="y", length=0)
        figure.legend(*right.get_legend_handles_labels(), loc="outside upper right", ncols=2)
        return figure
