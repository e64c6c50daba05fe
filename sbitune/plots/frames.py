"""Figures without predictions: axes and data in which a page draws curves that move."""

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sbitune.plots.observables import Panel, draw_data, draw_rows, reach_of_rows, set_scales
from sbitune.plots.style import drawing, new_figure, new_pair, readable, set_title, to_svg

#: ratio to the data up to which rows are shown
_MOST = 2.5


@dataclass(frozen=True)
class Box:
    """Where axes are in an SVG, and what their sides stand for."""

    left: float  #: in units of the SVG's viewBox, as all lengths here
    top: float
    width: float
    height: float
    x: tuple[float, float]  #: values at the left and right side
    y: tuple[float, float]  #: values at the bottom and top
    log_x: bool
    log_y: bool


@dataclass(frozen=True)
class Frame:
    """A figure whose axes are known."""

    svg: str  #: nothing in it is filled but the data, so that curves can be put beneath
    width: float  #: of the viewBox
    height: float
    boxes: tuple[Box, ...]  #: contents and ratio; of a figure of rows the only one


def frame_observable(panel: Panel) -> Frame:
    """Draw a histogram's axes and data, and the axes of the ratio to the data below.

    The range of y is that of data and scan, but no more than a band of half the data's height around it.
    """
    with drawing():
        figure, top, bottom = new_pair(5.2, 4.2, (1.7, 1.2))
        draw_data(top, panel)
        set_scales(top, panel)
        if top.get_yscale() == "linear":
            top.set_ylim(*_reach(panel))
        set_title(top, panel.title)
        top.set_ylabel(readable(panel.y_label))
        reach = _ratio_reach([panel])
        bottom.axhline(1.0, color="black", lw=0.6)
        bottom.set_ylim(1 - reach, 1 + reach)
        bottom.set_xlabel(readable(panel.x_label))
        bottom.set_ylabel("surrogate / data")
        return _finish(figure, (top, bottom))


def frame_single_bins(panels: list[Panel]) -> Frame:
    """Draw the axes of observables of one bin each, one row of height 1 each: the first at y = len(panels) - 1."""
    with drawing():
        figure = new_figure(7.2, 0.7 + 0.24 * len(panels))
        axes = figure.subplots()
        axes.set_yticks(draw_rows(axes, panels), [readable(p.title) for p in panels])
        axes.set_xlim(*reach_of_rows(panels, _MOST))
        axes.set_xlabel("surrogate / data")
        return _finish(figure, (axes,))


def _reach(panel: Panel) -> tuple[float, float]:
    values, errors = panel.data.values, panel.data.errors
    low, high = float((values - errors).min()), float((values + errors).max())
    if panel.envelope is not None:
        margin = 0.5 * (high - low)
        low = max(low - margin, min(low, float(panel.envelope[0].min())))
        high = min(high + margin, max(high, float(panel.envelope[1].max())))
    margin = 0.06 * (high - low)
    return low - margin, high + margin


def _ratio_reach(panels: list[Panel]) -> float:
    """How far from 1 ratios are shown: what most bins need for their errors and the scan, at most a half."""
    found = [0.06]
    for panel in panels:
        known = panel.data.values != 0
        values = panel.data.values[known]
        off = [1.6 * panel.data.errors[known], *(edge[known] - values for edge in panel.envelope or ())]
        found += [float(np.quantile(np.abs(part / values), 0.7)) for part in off if known.any()]
    return min(0.5, 1.1 * max(found))


def _finish(figure: Figure, axes: tuple[Axes, ...]) -> Frame:
    for one in (figure, *axes):
        one.patch.set_visible(False)
    svg = to_svg(figure)  # lays the axes out, too
    width, height = 72 * figure.get_figwidth(), 72 * figure.get_figheight()
    boxes = []
    for one in axes:
        at = one.get_position()
        boxes.append(
            Box(
                left=at.x0 * width,
                top=(1 - at.y1) * height,
                width=at.width * width,
                height=at.height * height,
                x=_floats(one.get_xlim()),
                y=_floats(one.get_ylim()),
                log_x=one.get_xscale() == "log",
                log_y=one.get_yscale() == "log",
            )
        )
    return Frame(svg, width, height, tuple(boxes))


def _floats(pair: tuple[float, float]) -> tuple[float, float]:
    return float(pair[0]), float(pair[1])
