"""Learned ratios: how training went, whether they are calibrated, and what they make of events."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from sbitune.plots.style import COLOURS, drawing, new_figure, new_pair, readable, set_title


def plot_training(train: np.ndarray, validation: np.ndarray, best: Sequence[int], nothing: float, title: str) -> Figure:
    """Draw losses of an ensemble.

    Args:
        train: (n_epochs, n_members) of the steps.
        validation: (n_epochs, n_members).
        best: (n_members,) epochs that were kept.
        nothing: loss of guessing; NaN: it is not known.
        title: what was learnt.
    """
    epochs = np.arange(len(train))
    with drawing():
        figure = new_figure(4.2, 3.0)
        axes = figure.subplots()
        axes.plot(epochs, train, color=COLOURS["scan"], lw=0.8)
        axes.plot(epochs, validation, color=COLOURS["tuned"], lw=0.9)
        axes.plot(best, validation[list(best), np.arange(len(best))], "o", ms=3.5, color=COLOURS["default"])
        low, high = min(train.min(), validation.min()), max(np.quantile(train, 0.98), validation.max())
        margin = 0.08 * max(high - low, 1e-6)
        if low - margin < nothing < high + 6 * (high - low):
            axes.axhline(nothing, color=COLOURS["data"], lw=0.7, ls=":")
            high = max(high, nothing)
        axes.set_ylim(low - margin, high + margin)
        axes.set_xlabel("epoch")
        axes.set_ylabel("loss / nats")
        handles = [
            axes.plot([], [], color=COLOURS["scan"], label="training")[0],
            axes.plot([], [], color=COLOURS["tuned"], label="validation")[0],
            axes.plot([], [], "o", ms=3.5, color=COLOURS["default"], label="kept")[0],
            *(axes.plot([], [], color=COLOURS["data"], ls=":", lw=0.7, label="guessing") if nothing == nothing else []),
        ]
        axes.legend(handles=handles)
        set_title(axes, title)
        return figure


def plot_calibration(predicted: Any, observed: Any, error: Any, title: str) -> Figure:
    """Draw how often events are of a sample, (n_bins,) observed with errors, over how often the ratio says so."""
    with drawing():
        figure, top, bottom = new_pair(4.2, 3.6, (3.0, 1.0))
        predicted, observed, error = map(np.asarray, (predicted, observed, error))
        top.plot([0, 1], [0, 1], color=COLOURS["scan"], lw=0.8)
        style: dict[str, Any] = {"fmt": "o", "ms": 3, "lw": 1, "color": COLOURS["tuned"]}
        top.errorbar(predicted, observed, yerr=error, **style)
        bottom.axhline(0, color=COLOURS["scan"], lw=0.8)
        bottom.errorbar(predicted, (observed - predicted) / np.maximum(error, 1e-300), yerr=1.0, **style)
        top.set_ylabel("part of the events")
        bottom.set_ylabel("pull")
        bottom.set_xlabel("what the ratio says")
        set_title(top, title)
        return figure


def plot_closure(
    edges: Any,
    target: tuple[Any, Any],
    before: Any,
    after: tuple[Any, Any],
    title: str,
    labels: tuple[str, str, str],
    column: str,
) -> Figure:
    """Draw one column: target with errors, and what was reweighted, before and after.

    Args:
        edges: (n_bins + 1,).
        target: contents and errors (n_bins,), parts of the events.
        before: (n_bins,).
        after: contents and errors (n_bins,).
        title: what is shown.
        labels: of target, before and after.
        column: the axis.
    """
    edges, widths = np.asarray(edges), np.diff(edges)
    shown = _ends(edges)
    with drawing():
        figure, top, bottom = new_pair(4.2, 3.6, (3.0, 1.0))
        middle = 0.5 * (np.maximum(edges[:-1], shown[0]) + np.minimum(edges[1:], shown[1]))
        t, te, b, a, ae = (np.asarray(x) / widths for x in (*target, before, *after))
        style: dict[str, Any] = {"fmt": "o", "ms": 3, "lw": 1, "color": COLOURS["data"]}
        top.stairs(b, edges, color=COLOURS["default"], lw=0.9, ls="--", label=labels[1])
        top.stairs(a, edges, color=COLOURS["tuned"], lw=1.2, label=labels[2])
        top.errorbar(middle, t, yerr=te, label=labels[0], **style)
        bottom.axhline(0, color=COLOURS["scan"], lw=0.8)
        bottom.errorbar(
            middle, (a - t) / np.hypot(te, np.maximum(ae, 1e-300)), yerr=1.0, **{**style, "color": COLOURS["tuned"]}
        )
        top.set_ylabel("part of the events / width")
        top.set_ylim(0, None)
        top.legend()
        bottom.set_ylabel("pull")
        bottom.set_xlabel(readable(column))
        bottom.set_xlim(*shown)
        set_title(top, title)
        return figure


def _ends(edges: np.ndarray) -> tuple[float, float]:
    """What is shown: the outermost bins reach to the last event, and are cut at twice the width of their neighbours."""
    if len(edges) < 4:
        return float(edges[0]), float(edges[-1])
    first, last = edges[1] - 2 * (edges[2] - edges[1]), edges[-2] + 2 * (edges[-2] - edges[-3])
    return float(max(edges[0], first)), float(min(edges[-1], last))


def plot_means(values: Any, mean: Any, error: Any, without: Any, name: str, title: str) -> Figure:
    """Draw mean ratios with their errors along a parameter, all (n,), and those before they were normalised."""
    with drawing():
        figure = new_figure(4.2, 2.6)
        axes = figure.subplots()
        axes.axhline(1, color=COLOURS["scan"], lw=0.8)
        axes.plot(values, without, color=COLOURS["default"], lw=0.9, ls="--", label="before")
        axes.errorbar(values, mean, yerr=error, fmt="o", ms=3, lw=1, color=COLOURS["tuned"], label="normalised")
        reach = 1.3 * float(np.max(np.abs(np.asarray(mean) - 1) + np.asarray(error))) + 0.005
        axes.set_ylim(1 - 2 * reach, 1 + 2 * reach)
        axes.set_xlabel(readable(name))
        axes.set_ylabel("mean ratio")
        axes.legend()
        set_title(axes, title)
        return figure


def plot_counts(observed: Any, samples: dict[str, Any], title: str, name: str = "data") -> Figure:
    """Draw counted bins: what is expected of each sample, (n_bins,) stacked, and observed counts with their errors.

    Args:
        observed: (n_bins,).
        samples: name -> (n_bins,) expected.
        title: what is shown.
        name: of the observed counts.
    """
    observed = np.asarray(observed, float)
    edges, middle = np.arange(len(observed) + 1) - 0.5, np.arange(len(observed))
    with drawing():
        figure, top, bottom = new_pair(4.2, 3.6, (3.0, 1.0))
        below = np.zeros(len(observed))
        for i, (sample, expected) in enumerate(samples.items()):
            above = below + np.asarray(expected)
            top.stairs(above, edges, baseline=below, fill=True, alpha=0.25 + 0.5 * i / max(len(samples) - 1, 1),
                       color=COLOURS["tuned"], label=sample)  # fmt: skip
            below = above
        style: dict[str, Any] = {"fmt": "o", "ms": 3, "lw": 1}
        top.errorbar(middle, observed, yerr=np.sqrt(observed), color=COLOURS["data"], label=name, **style)
        bottom.axhline(0, color=COLOURS["scan"], lw=0.8)
        pulls = (observed - below) / np.sqrt(np.maximum(below, 1e-300))
        bottom.errorbar(middle, pulls, yerr=1.0, color=COLOURS["data"], **style)
        top.set_ylabel("events")
        top.set_ylim(0, None)
        top.legend()
        bottom.set_ylabel("pull")
        bottom.set_xlabel("bin")
        set_title(top, title)
        return figure


def plot_column_worths(rows: Sequence[tuple[str, float | None, float]], every: float, name: str) -> Figure:
    """Draw the error of a parameter without each column and of each alone, over that of all columns.

    Args:
        rows: column, error without it (None if there is no other) and error of it alone.
        every: error of all columns.
        name: the parameter.
    """
    places = np.arange(len(rows))[::-1]
    with drawing():
        figure = new_figure(4.2, 1.2 + 0.3 * len(rows))
        axes = figure.subplots()
        axes.axvline(1, color=COLOURS["scan"], lw=0.8)
        there = [(y, without / every) for y, (_, without, _) in zip(places, rows, strict=True) if without is not None]
        if there:
            axes.plot([x for _, x in there], [y for y, _ in there], "o", color=COLOURS["tuned"], label="without it")
        axes.plot([alone / every for *_, alone in rows], places, "s", color=COLOURS["default"], label="alone")
        axes.set_yticks(places, [readable(column) for column, *_ in rows])
        axes.set_ylim(-0.6, len(rows) - 0.4)
        axes.set_xlabel(f"error of {readable(name)} / that of all columns")
        axes.legend()
        return figure
