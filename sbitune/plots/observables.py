"""Histograms of data, tuned and untuned generator and surrogate, with ratios to the data."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sbitune.plots.style import COLOURS, drawing, new_figure, new_pair, readable, set_title


@dataclass(frozen=True, eq=False)
class Curve:
    """One prediction in the bins of a figure."""

    values: np.ndarray  #: (n_bins,)
    errors: np.ndarray  #: (n_bins,)


@dataclass(frozen=True, eq=False)
class Panel:
    """What one figure shows, all in the same bins."""

    low: np.ndarray  #: (n_bins,) low edges
    high: np.ndarray  #: (n_bins,) high edges
    data: Curve
    tuned: Curve | None = None
    default: Curve | None = None
    surrogate: Curve | None = None
    envelope: tuple[np.ndarray, np.ndarray] | None = None  #: smallest and largest content in the scan
    title: str = ""
    x_label: str = ""
    y_label: str = ""

    def curves(self) -> dict[str, Curve]:
        """The predictions that there are, by name."""
        pairs = {"default": self.default, "tuned": self.tuned, "surrogate": self.surrogate}
        return {name: curve for name, curve in pairs.items() if curve is not None}


#: ratio to the data up to which observables of one bin are shown
_FAR = 3.0
_NAMES = {"tuned": "tuned", "default": "default", "surrogate": "surrogate at the tune"}


def plot_observable(panel: Panel) -> Figure:
    """Draw a histogram with its ratio to the data below."""
    with drawing():
        figure, top, bottom = new_pair(5.2, 4.2, (2.4, 1))
        _draw_values(top, panel)
        _draw_ratios(bottom, panel)
        set_title(top, panel.title)
        top.set_ylabel(readable(panel.y_label))
        bottom.set_xlabel(readable(panel.x_label))
        bottom.set_ylabel("MC / data")
        return figure


def _draw_values(axes: Axes, panel: Panel) -> None:
    if panel.envelope is not None:
        _band(axes, panel, *panel.envelope, COLOURS["scan"], 0.45, "scan")
    for name, curve in panel.curves().items():
        _step(axes, panel, curve.values, COLOURS[name], _NAMES[name], "--" if name == "surrogate" else "-")
    draw_data(axes, panel)
    set_scales(axes, panel)
    axes.legend(loc="best")


def draw_data(axes: Axes, panel: Panel) -> None:
    """Draw the measured points with their errors and the widths of the bins."""
    centre, half = 0.5 * (panel.low + panel.high), 0.5 * (panel.high - panel.low)
    values, errors = panel.data.values, panel.data.errors
    axes.errorbar(centre, values, errors, half, fmt="o", ms=2.5, lw=0.8, color="black", label="data", zorder=5)


def set_scales(axes: Axes, panel: Panel) -> None:
    """Make axes logarithmic that the data asks to be, and set the range of x; of y only where it is logarithmic."""
    values = panel.data.values
    if values.min() > 0 and values.max() > 20 * values.min():
        axes.set_yscale("log")
        axes.set_ylim(0.4 * values.min(), 3 * values.max())
    set_along(axes, panel.low, panel.high)


def set_along(axes: Axes, low: np.ndarray, high: np.ndarray) -> None:
    """Set the range of x to that of bins with edges low and high (n_bins,), logarithmic where it asks to be."""
    axes.set_xlim(low.min(), high.max())
    if low.min() > 0 and high.max() > 50 * low.min():
        axes.set_xscale("log")


def _draw_ratios(axes: Axes, panel: Panel) -> None:
    safe = np.where(panel.data.values != 0, panel.data.values, np.nan)
    relative = panel.data.errors / np.abs(safe)
    _band(axes, panel, 1 - relative, 1 + relative, COLOURS["data error"], 0.6, None)
    for name, curve in panel.curves().items():
        ratio, error = curve.values / safe, curve.errors / np.abs(safe)
        _band(axes, panel, ratio - error, ratio + error, COLOURS[name], 0.25, None)
        _step(axes, panel, ratio, COLOURS[name], None, "--" if name == "surrogate" else "-")
    axes.axhline(1.0, color="black", lw=0.6)
    off = [np.abs(curve.values / safe - 1) for curve in panel.curves().values()]
    if panel.envelope is not None and not off:
        low, high = (end / safe for end in panel.envelope)
        _band(axes, panel, low, high, COLOURS["scan"], 0.45, None)
        off = [np.abs(low - 1), np.abs(high - 1)]
    reach = np.nanmax(np.concatenate([[0.06], 1.6 * relative, *off]))
    axes.set_ylim(1 - min(reach, 0.5) * 1.1, 1 + min(reach, 0.5) * 1.1)


def step_line(low: np.ndarray, high: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Turn bins with edges low and high (n_bins,) and heights y into the corners of a line, broken where bins do not
    touch.
    """
    x, height = [], []
    for i in range(len(y)):
        if i and low[i] > high[i - 1] * (1 + 1e-9) + 1e-12:
            x.append(np.nan)
            height.append(np.nan)
        x += [low[i], high[i]]
        height += [y[i], y[i]]
    return np.array(x), np.array(height)


def _step(axes: Axes, panel: Panel, y: np.ndarray, colour: str, label: str | None, dashes: str) -> None:
    axes.plot(*step_line(panel.low, panel.high, y), dashes, color=colour, lw=1.2, label=label)


def _band(
    axes: Axes, panel: Panel, low: np.ndarray, high: np.ndarray, colour: str, alpha: float, label: str | None
) -> None:
    x, bottom = step_line(panel.low, panel.high, low)
    _, top = step_line(panel.low, panel.high, high)
    axes.fill_between(x, bottom, top, color=colour, alpha=alpha, lw=0, label=label)


def plot_single_bins(rows: list[tuple[str, Panel]]) -> Figure:
    """Draw observables of one bin each as ratios to the data, one row per observable; what is farther away than the
    axis reaches is an arrow at its end.
    """
    panels = [panel for _, panel in rows]
    with drawing():
        figure = new_figure(7.2, 0.8 + 0.24 * len(rows))
        axes = figure.subplots()
        y = draw_rows(axes, panels)
        low, high = reach_of_rows(panels, most=_FAR)
        label: str | None = "scan"
        known = [(int(k), panel) for k, panel in zip(y, panels, strict=True) if panel.data.values[0] != 0]
        for k, panel in known:
            if panel.envelope is not None:
                ends = np.clip(sorted(end[0] / panel.data.values[0] for end in panel.envelope), low, high)
                axes.barh(k, ends[1] - ends[0], left=ends[0], height=0.5, color=COLOURS["scan"], alpha=0.7, label=label)
                label = None
        markers = {"default": ("s", -0.2), "surrogate": ("D", 0.0), "tuned": ("o", 0.2)}
        for name, (marker, offset) in markers.items():
            found = [(k, p, p.curves()[name]) for k, p in known if name in p.curves()]
            if not found:
                continue
            ratio = np.array([c.values[0] / p.data.values[0] for _, p, c in found])
            error = np.array([c.errors[0] / abs(p.data.values[0]) for _, p, c in found])
            at = np.array([k + offset for k, _, _ in found])
            here = (ratio >= low) & (ratio <= high)
            look: dict[str, Any] = {"color": COLOURS[name], "ms": 3.5}
            axes.errorbar(ratio[here], at[here], xerr=error[here], fmt=marker, label=_NAMES[name], **look)
            for beyond, end, arrow in ((ratio < low, low, "<"), (ratio > high, high, ">")):
                axes.plot(np.full(beyond.sum(), end), at[beyond], arrow, clip_on=False, **look)
        axes.set_xlim(low, high)
        axes.set_yticks(y, [readable(title) for title, _ in rows])
        axes.set_xlabel("MC / data")
        figure.legend(loc="outside upper right", ncols=5)
        return figure


def draw_rows(axes: Axes, panels: list[Panel]) -> np.ndarray:
    """Draw what was measured of observables of one bin, each a row of height 1; gives the heights (n,), the last 0."""
    y = np.arange(len(panels))[::-1]
    relative = np.array([p.data.errors[0] / abs(p.data.values[0]) if p.data.values[0] else np.nan for p in panels])
    axes.barh(y, 2 * relative, left=1 - relative, height=0.9, color=COLOURS["data error"], alpha=0.6, label="data")
    axes.axvline(1.0, color="black", lw=0.6)
    axes.set_ylim(-0.7, len(panels) - 0.3)
    return y


def reach_of_rows(panels: list[Panel], most: float) -> tuple[float, float]:
    """Ratios to the data between which rows are shown: errors of the data, all curves and 7 scans in 10, not more than
    from 0 to `most`.
    """
    low, high, scans = [0.94], [1.06], []
    for panel in panels:
        value = panel.data.values[0]
        if value == 0:
            continue
        relative = 1.6 * panel.data.errors[0] / abs(value)
        ratios = [curve.values[0] / value for curve in panel.curves().values()]
        low.append(min([1 - relative, *ratios]))
        high.append(max([1 + relative, *ratios]))
        if panel.envelope is not None:
            scans.append(sorted(end[0] / value for end in panel.envelope))
    if scans:
        ends = np.array(scans)
        low.append(float(np.quantile(ends[:, 0], 0.3)))
        high.append(float(np.quantile(ends[:, 1], 0.7)))
    margin = 0.04 * (max(high) - min(low))
    return max(0.0, min(low) - margin), min(most, max(high) + margin)
