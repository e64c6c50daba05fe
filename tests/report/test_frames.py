"""Axes in which a page draws: they must be where they say."""

import re
from dataclasses import replace

import numpy as np
import pytest

from sbitune.plots.frames import Box, frame_observable, frame_single_bins
from sbitune.plots.observables import Curve, Panel
from sbitune.plots.style import plain


def place(box: Box, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(n, 2) where points are in the SVG."""
    (x0, x1), (y0, y1) = box.x, box.y
    across = np.log(x / x0) / np.log(x1 / x0) if box.log_x else (x - x0) / (x1 - x0)
    up = np.log(y / y0) / np.log(y1 / y0) if box.log_y else (y - y0) / (y1 - y0)
    return np.stack([box.left + across * box.width, box.top + (1 - up) * box.height], axis=1)


def markers(svg: str) -> np.ndarray:
    """(n, 2) where the data's points are drawn."""
    # ticks are such markers, too
    found = re.findall(r'<use xlink:href="#\w+" x="([\d.]+)" y="([\d.]+)" style="stroke: #000000"/>', svg)
    return np.array(found, float)


def make_panel(log: bool) -> Panel:
    edges = np.geomspace(0.01, 1, 9) if log else np.linspace(-1, 3, 9)
    values = np.geomspace(1, 400, 8) if log else np.array([3.0, -1, 2, 4, 5, 2, 2, 1])
    envelope = (0.8 * values - 0.1, 1.2 * values + 0.1)
    return Panel(
        edges[:-1], edges[1:], Curve(values, 0.1 * np.abs(values)), envelope=envelope, title="$x$", x_label="x"
    )


def test_boxes_are_where_the_data_are_drawn() -> None:
    for log in (False, True):
        panel = make_panel(log)
        frame = frame_observable(panel)
        assert (frame.boxes[0].log_x, frame.boxes[0].log_y) == (log, log)
        # errorbars draw their points at the middle of the bins
        wanted = place(frame.boxes[0], 0.5 * (panel.low + panel.high), panel.data.values)
        drawn = markers(frame.svg)
        distance = np.abs(drawn[None] - wanted[:, None]).max(axis=2).min(axis=1)
        assert distance.max() < 0.01


def test_the_axes_of_contents_and_ratio_share_x_and_show_the_data() -> None:
    for log in (False, True):
        panel = make_panel(log)
        top, bottom = frame_observable(panel).boxes
        assert (top.left, top.width, top.x, top.log_x) == (bottom.left, bottom.width, bottom.x, bottom.log_x)
        assert top.top + top.height < bottom.top
        assert top.y[0] < (panel.data.values - panel.data.errors).min()
        assert top.y[1] > (panel.data.values + panel.data.errors).max()
        assert bottom.y[0] + bottom.y[1] == 2
        assert not bottom.log_y


def test_rows_of_single_bins() -> None:
    zero, one = np.zeros(1), np.ones(1)
    panels = [Panel(zero, one, Curve(v * one, 0.1 * v * one), title=str(v)) for v in (2.0, 5.0)]
    frame = frame_single_bins(panels)
    (box,) = frame.boxes
    assert box.y == (-0.7, 1.7)
    # the data's errors of 10 % have room
    assert box.x[0] == pytest.approx(1 - 1.6 * 0.1 - 0.04 * 0.32)
    assert box.x[1] == pytest.approx(1 + 1.6 * 0.1 + 0.04 * 0.32)
    far = [replace(panels[0], surrogate=Curve(2.9 * one, one)), replace(panels[1], surrogate=Curve(30 * one, one))]
    assert frame_single_bins(far).boxes[0].x == (pytest.approx(0.84 - 0.04 * (6 - 0.84), abs=1e-9), 2.5)
    assert box.left + box.width <= frame.width
    assert box.top + box.height <= frame.height


def test_a_measurement_of_nothing_breaks_no_axes() -> None:
    panel = Panel(np.arange(2.0), np.arange(2.0) + 1, Curve(np.zeros(2), np.ones(2)))
    assert np.isfinite(frame_observable(panel).boxes[1].y).all()


def test_labels_as_plain_words() -> None:
    assert plain(r"$1/\sigma\, d\sigma/d(1-T)$") == "1/sigma dsigma/d(1-T)"
    assert plain("Durham jet 3 \\to 2, a < b") == "Durham jet 3 to 2, a < b"
