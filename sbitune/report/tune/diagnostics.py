"""Pages of the commands that look at a scan or a surrogate: envelopes, sensitivities, residuals."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from sbitune.data.bins import Bins
from sbitune.plots.bins import plot_matrix, plot_pulls, plot_pulls_of_bins, plot_responses
from sbitune.plots.observables import Curve, Panel
from sbitune.plots.style import to_svg
from sbitune.report.pieces.observables import bins_of, histograms, single_bins
from sbitune.report.pieces.page import write_page
from sbitune.report.pieces.parts import Figure, Figures, Paragraph, Section, Table, table
from sbitune.report.pieces.templates import Part
from sbitune.tuning.checks.envelopes import Envelopes, reach_of_observables
from sbitune.tuning.checks.residuals import Group, Residuals, by_observable, by_run, columns_of, overall, worst
from sbitune.tuning.checks.sensitivities import Sensitivities, sensitivities_of_observables

#: runs in a table, at most: those that are described worst
_RUNS = 20


def write_envelopes_page(path: str | Path, found: Envelopes, runs: int) -> None:
    """What the runs span around the data: a table, and a figure for every observable."""
    rows = [
        ((row.path, "path"), row.bins, row.inside, row.within_error, f"{row.farthest:.2g}")
        for row in reach_of_observables(found)
    ]
    head = ["observable", "bins", "inside", "inside or off by less than an error", "farthest, in errors"]
    words = (
        f"{int(found.inside.sum())} of {len(found.bins)} measured bins lie within what {runs} runs span. Black: data; "
        "grey: from the lowest to the highest of the runs; yellow: the error of the data."
    )
    drawn = []
    for name, mine in _observables(found.bins):
        data = Curve(found.values[mine], found.errors[mine])
        span = (found.low[mine], found.high[mine])
        drawn.append(Panel(found.bins.low[mine], found.bins.high[mine], data, envelope=span, title=name))
    top: list[Part] = [Paragraph(words), table(head, rows, range(1, 5))]
    _write(path, "Envelopes", [*top, *single_bins(drawn)], histograms(("", panel) for panel in drawn))


def write_sensitivities_page(path: str | Path, found: Sensitivities) -> None:
    """What the parameters do to the bins: a table of observables, and a figure for every one."""
    names = [p.name for p in found.parameters]
    rows = sensitivities_of_observables(found)
    what, responses, label = "logarithmic", found.logarithmic, "d ln f / d ln p"
    if found.by_fitted_error is not None:
        what, responses, label = (
            "by_fitted_error",
            found.by_fitted_error,
            "change with the fitted error / error of the data",
        )
    elif found.by_range is not None:
        what, responses, label = "by_range", found.by_range, "change over the range / error of the data"
    summary = plot_matrix([r.path for r in rows], names, np.array([getattr(r, what) for r in rows]), f"rms of {label}")
    point = ", ".join(f"{name} = {x:.6g}" for name, x in zip(names, found.theta, strict=True))
    figures = [
        Figure(to_svg(plot_responses(found.bins.low[mine], found.bins.high[mine], responses[mine], names, name, label)))
        for name, mine in _observables(found.bins)
        if len(mine) > 1
    ]
    top: list[Part] = [Paragraph(f"At {point}."), Figure(to_svg(summary), f"rms over the bins of {label}.", "single")]
    _write(path, "Sensitivities", top, figures)


def write_residuals_page(path: str | Path, found: Residuals) -> None:
    """The surrogate against runs: all pulls, tables of observables and runs, and a figure for every observable."""
    total, columns = overall(found), columns_of(found)
    words = (
        f"{len(found.runs)} runs, {len(found.bins)} bins: pulls have an rms of {total.rms_pull:.2f} in Monte Carlo "
        f"errors (1 if the surrogate were perfect) and of {total.pull_width:.2f} with its own errors (1 if these are "
        f"true); their mean is {total.bias:+.2f}."
    )
    runs = sorted(by_run(found), key=lambda group: -np.nan_to_num(group.pull_width))[:_RUNS]
    most = [(row.bin, row.run, f"{row.pull:+.1f}") for row in worst(found)]
    figures = [
        Figure(
            to_svg(
                plot_pulls_of_bins(
                    found.bins.low[mine],
                    found.bins.high[mine],
                    columns["bias"][mine],
                    columns["pull_width"][mine],
                    name,
                )
            )
        )
        for name, mine in _observables(found.bins)
        if len(mine) > 1
    ]
    top: list[Part] = [
        Paragraph(words),
        Figure(to_svg(plot_pulls(found.pulls, found.full_pulls)), "", "single"),
        Section("bins", "Worst bins", [table(["bin", "run", "pull, all errors"], most, [2])]),
        Section("observables", "Observables", [_groups("observable", by_observable(found))]),
        Section("runs", "Worst runs", [_groups("run", runs)]),
    ]
    _write(path, "Residuals", top, figures)


def _groups(what: str, groups: Iterable[Group]) -> Table:
    head = [what, "pulls", "rms, Monte Carlo errors", "rms, all errors", "mean"]
    return table(head, map(_row, groups), range(1, 5))


def _row(group: Group) -> tuple[object, ...]:
    numbers = (group.rms_pull, group.pull_width, group.bias)
    return ((group.name, "path"), group.pulls, *("" if np.isnan(x) else f"{round(x, 2) + 0.0:.2f}" for x in numbers))


def _observables(bins: Bins) -> Iterator[tuple[str, np.ndarray]]:
    """(path, its bins from low to high) of every observable."""
    for path in bins.paths():
        yield path, bins_of(bins, path)


def _write(path: str | Path, title: str, top: list[Part], figures: list[Figure]) -> None:
    below = [Section("figures", "Observables of several bins", [Figures(figures)])] if figures else []
    write_page(path, title, [*top, *below])
