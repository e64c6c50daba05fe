"""How figures look, without touching matplotlib's global state."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.mathtext import MathTextParser

#: colours that can be told apart without seeing colour (Okabe and Ito), by what a curve is
COLOURS = {
    "data": "black",
    "data error": "#E8C547",
    "tuned": "#0072B2",
    "default": "#D55E00",
    "surrogate": "#009E73",
    "scan": "#BBBBBB",
    "moved": "#A6317F",  # the surrogate where a reader moves it
}
_SETTINGS: dict[Any, Any] = {
    "font.size": 9.0,
    "axes.titlesize": 10.0,
    "axes.linewidth": 0.8,
    "xtick.direction": "in",
    "ytick.direction": "in",
    "xtick.top": True,
    "ytick.right": True,
    "legend.frameon": False,
    "legend.fontsize": 8.0,
    "svg.hashsalt": "sbitune",  # the same figure gives the same file
    "figure.facecolor": "white",
    "path.simplify_threshold": 0.2,
}


@contextmanager
def drawing() -> Iterator[None]:
    """Apply sbitune's settings inside a block only."""
    with matplotlib.rc_context(_SETTINGS):
        yield


def new_figure(width: float, height: float) -> Figure:
    """Make a figure of `width` x `height` inches that belongs to no window and no backend."""
    return Figure(figsize=(width, height), layout="constrained")


def new_pair(width: float, height: float, heights: tuple[float, float]) -> tuple[Figure, Axes, Axes]:
    """Make a figure of two axes, one above the other with one x axis, their heights as given.

    Margins and places of labels are fixed: to measure every tick's label, as layouts that adapt themselves do, takes
    longer than all the rest of the drawing.
    """
    figure = Figure(figsize=(width, height))
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=heights)
    figure.subplots_adjust(left=0.76 / width, right=1 - 0.20 / width, bottom=0.48 / height, top=1 - 0.30 / height)
    figure.subplots_adjust(hspace=0.07)
    for axes in (top, bottom):
        axes.yaxis.set_label_coords(-0.57 / (width - 0.96), 0.5)
    bottom.xaxis.set_label_coords(0.5, -0.27 / (bottom.get_position().height * height))
    return figure, top, bottom


def set_title(axes: Axes, title: str) -> None:
    """Put a title at the left above the axes, at a fixed height."""
    axes.set_title(readable(title), loc="left", y=1.0)


def to_svg(figure: Figure) -> str:
    """Render a figure as an `<svg>` element to be put into a page."""
    stream = io.StringIO()
    with drawing():
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    text = stream.getvalue()
    return re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)


def readable(label: str) -> str:
    """Give a label that matplotlib can set: as it is, or without its mathematics if that cannot be read."""
    try:
        MathTextParser("path").parse(label)
    except (ValueError, RecursionError):  # brackets in brackets, too
        return label.replace("$", "").replace("\\", "")
    return label


def plain(label: str) -> str:
    r"""Give a label as text without its mathematics.

    >>> plain(r"Mean $\langle n_\mathrm{ch} \rangle$, $1-T$")
    'Mean <n_ch>, 1-T'
    """
    words = re.sub(r"\\(mathrm|text|rm|mathit|mathbf|bar|overline)\b\s*", "", label)
    words = re.sub(r"\s*\\rangle", ">", re.sub(r"\\langle\s*", "<", words))
    words = re.sub(r"\\[,;!: ]", " ", words)
    return re.sub(r"\s+", " ", re.sub(r"[\\${}]", "", words)).strip()
