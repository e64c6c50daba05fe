"""`sbitune sensitivities`: what the parameters do to the bins."""

import click

from sbitune.cli.shared.common import Figures, TerminalReporter, reports


@click.command("sensitivities")
@click.argument("surrogate")
@click.argument("point", nargs=-1)
@click.option("-r", "--reference", multiple=True, help="Data whose errors are the unit; default: the card's.")
@click.option("--weights", type=click.Path(), help="Professor weight file: the bins whose errors count.")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False),
    help="Every bin as .csv, d ln f/d ln p as .yoda, figures as .html.",
)
@reports
def command(
    reporter: TerminalReporter,
    surrogate: str,
    point: tuple[str, ...],
    reference: tuple[str, ...],
    weights: str | None,
    output: str | None,
) -> Figures:
    """How much every observable of SURROGATE (surrogate.npz, ipol.dat, or a card) responds to every parameter at POINT
    (NAME=VALUE or files of them; by default the card's tune, else the middle of the ranges). The rms over the bins of:

    d ln f / d ln p; with data the change over a parameter's whole range in units of the measured errors; with a tune
    also the change when a parameter moves by its fitted error.

    Example: sbitune sensitivities tunes/lep -o sensitivities.csv
    """
    import numpy as np

    from sbitune.data.storage.files import check_suffix
    from sbitune.tuning.checks import sensitivities as library
    from sbitune.tuning.output.tables import write_table
    from sbitune.tuning.tools.models import as_scan, matched_with, open_model

    if output:
        check_suffix(output, (".csv", ".yoda", ".yoda.gz", ".html"))
    opened = open_model(surrogate, reporter)
    theta, fitted = _point(opened, point, reporter)
    matched = matched_with(as_scan(opened.model), opened.card, reference, weights)
    for note in () if matched is None else matched.notes:
        reporter.say(note)
    measured = None if matched is None else matched.measured
    found = library.find_sensitivities(opened.model, theta, measured, fitted)
    dark = int((found.mean <= 0).sum())
    if dark:
        reporter.say(f"{dark} bins are not positive here: they have no d ln f / d ln p")
    if output and output.endswith(".csv"):
        write_table(output, found.bins, library.columns_of(found))
    elif output and output.endswith(".html"):
        from sbitune.report.tune.diagnostics import write_sensitivities_page

        write_sensitivities_page(output, found)
    elif output:
        _write_yoda(output, found)
    names = [p.name for p in found.parameters]
    rows = library.sensitivities_of_observables(found)
    tables = {"logarithmic": [row.logarithmic for row in rows]}
    for name in ("by_range", "by_fitted_error"):
        if getattr(rows[0], name) is not None:
            tables[name] = [getattr(row, name) for row in rows]
    return {
        "parameters": {name: float(x) for name, x in zip(names, theta, strict=True)},
        "bins": len(found.bins),
        **{
            what: {
                row.path: {name: float(x) for name, x in zip(names, numbers, strict=True) if not np.isnan(x)}
                for row, numbers in zip(rows, table, strict=True)
                if not np.isnan(numbers).all()  # not measured, as the notes tell, or nowhere positive
            }
            for what, table in tables.items()
        },
    }


def _point(opened, words, reporter):
    """The point that is asked for, and errors of the tune if it is one."""
    import numpy as np

    from sbitune.data.parameter import parameter_box
    from sbitune.tuning.tools.models import point_of, record_of, values_of_record, values_of_words

    parameters = opened.model.parameters
    record = record_of(opened.card)
    if words:
        theta = point_of(parameters, values_of_words(words, parameters, reporter))
    elif record is not None:
        theta = point_of(parameters, values_of_record(record))
    else:
        theta = parameter_box(parameters)[0]
    if record is None:
        return theta, None
    rows = [record.parameters[p.name] for p in parameters]
    # at a limit the interval reaches far beyond where the response is a straight line
    return theta, np.array([np.nan if row.status == "at limit" else row.error for row in rows])


def _write_yoda(output, found) -> None:
    """One scatter per histogram and parameter, `/ANALYSIS_NAME/histogram`."""
    import re

    import numpy as np

    from sbitune.data import yoda
    from sbitune.data.bins import Bins
    from sbitune.data.scatters import scatters_of

    objects = []
    for i, p in enumerate(found.parameters):
        known = np.flatnonzero(np.isfinite(found.logarithmic[:, i]))
        bins = found.bins.take(known)
        tag = re.sub(r"\W", "_", p.name)
        paths = np.array([f"/SENSITIVITY_{tag}{path}" for path in bins.path])
        renamed = Bins(paths, bins.index, bins.low, bins.high, bins.name)
        objects += scatters_of(renamed, found.logarithmic[known, i], np.zeros(len(known)))
    yoda.write(output, objects)
