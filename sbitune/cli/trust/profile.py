"""`sbitune profile`: the objective along a parameter, or around two."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

import click

from sbitune.cli.shared.common import Figures, TerminalReporter, counted, reports

#: a profile reaches so many errors to either side
_REACH = 3.0


@click.command("profile")
@click.argument("card")
@click.argument("name")
@click.argument("other", required=False, metavar="[NAME2]")
@click.option(
    "--points",
    type=counted(3, 10_000_000),
    help="Of the profile, or on every contour.  [default: 21 or 48]",
)
@click.option("--range", "ends", type=(float, float), metavar="LOW HIGH", help="Of the profile; default: 3 errors.")
@click.option(
    "-o", "--output", multiple=True, type=click.Path(dir_okay=False), help="Table (.csv) or picture (.svg), or both."
)
@reports
def command(
    reporter: TerminalReporter,
    card: str,
    name: str,
    other: str | None,
    points: int | None,
    ends: tuple[float, float] | None,
    output: tuple[str, ...],
) -> Figures:
    """Minimise the objective of CARD's fit over all other parameters: with NAME at points up to three errors from the
    tune (`delta` is 1 at one standard error), or, with NAME2, along the contours that hold 68 and 95 %.

    Example: sbitune profile tunes/lep StringZ:aLund -o profile.svg -o profile.csv
    """
    from sbitune.data.errors import InputError
    from sbitune.tuning.card import load_card
    from sbitune.tuning.output.tables import check_suffix
    from sbitune.tuning.record.result import tune_of
    from sbitune.tuning.stages.fitted import read_fitted

    for place in output:
        check_suffix(place, (".csv", ".svg"))
    fitted = read_fitted(load_card(card), reporter)
    problem = fitted.problem
    tune = tune_of(fitted.record, problem.parameters)
    if other is None:
        figures, head, rows, figure = _profile(problem, tune, name, points or 21, ends)
    else:
        if ends:
            raise InputError("--range: it is that of the profile of one parameter")
        figures, head, rows, figure = _contours(problem, tune, (name, other), points or 48)
    for note in figures["notes"]:
        reporter.say(note)
    for place in output:
        _write(place, head, rows, figure)
    return figures | {"output": list(output)}


def _profile(
    problem: Any, tune: Any, name: str, n: int, ends: tuple[float, float] | None
) -> tuple[Figures, list[str], list[Any], Any]:
    import numpy as np

    from sbitune.data.errors import InputError
    from sbitune.fitting.minimise.profiles import profile
    from sbitune.plots.profiles import plot_profile

    if name not in tune.free:
        raise InputError(f"{name} is no free parameter of the fit ({', '.join(tune.free)})")
    i = tune.names.index(name)
    value, error, parameter = tune.values[i], tune.quoted_errors[i], tune.parameters[i]
    low, high = problem.limits.get(name, (parameter.low, parameter.high))
    reach = _REACH * error if error > 0 else high - low
    first, last = ends or (max(low, value - reach), min(high, value + reach))
    if not low <= first < last <= high:
        raise InputError(f"--range {first:g} {last:g}: choose ends within {low:g} and {high:g}")
    found = profile(problem, tune, name, np.linspace(first, last, n))
    rows = [
        [*row, *others] for *row, others in zip(found.points.tolist(), found.delta.tolist(), found.values, strict=True)
    ]
    names = [f"{other}_at_minimum" if other == name else other for other in tune.names]
    figures = {
        "parameter": name,
        "value": float(value),
        "error": float(error),
        "profile": {f"{x:.6g}": float(d) for x, d in zip(found.points, found.delta, strict=True)},
        "others_at_limit": int(found.at_limit.any(axis=1).sum()),
        "notes": list(found.notes),
    }
    return figures, [name, "delta", *names], rows, plot_profile(name, found.points, found.delta, value, error)


def _contours(problem: Any, tune: Any, names: tuple[str, str], n: int) -> tuple[Figures, list[str], list[Any], Any]:
    from sbitune.fitting.minimise.profiles import contour
    from sbitune.plots.profiles import plot_contours

    found = contour(problem, tune, names, n=n)
    these = [tune.names.index(name) for name in names]
    rows = [
        [one.coverage, *point, end]
        for one in found
        for point, end in zip(one.points.tolist(), one.at_limit, strict=True)
    ]
    about = {
        f"{one.coverage:g}": {
            "delta": one.delta,
            "low": one.points.min(axis=0).tolist(),
            "high": one.points.max(axis=0).tolist(),
            "points_at_limit": int(one.at_limit.sum()),
        }
        for one in found
    }
    picture = plot_contours(
        names, [(one.coverage, one.points) for one in found], tune.values[these], tune.quoted_errors[these]
    )
    figures = {"parameters": list(names), "contours": about, "notes": []}
    return figures, ["coverage", *names, "at_limit"], rows, picture


def _write(place: str, head: Sequence[str], rows: Iterable[Sequence[Any]], figure: Any) -> None:
    from sbitune.data.storage.files import write_text
    from sbitune.plots.style import to_svg

    if place.endswith(".svg"):
        text = to_svg(figure) + "\n"
    else:
        stream = io.StringIO()
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(head)
        table.writerows([f"{x:.10g}" if isinstance(x, float) else x for x in row] for row in rows)
        text = stream.getvalue()
    write_text(place, text)
