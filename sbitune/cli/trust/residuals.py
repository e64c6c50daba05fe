"""`sbitune residuals`: the surrogate against runs."""

import math
from typing import Any

import click

from sbitune.cli.shared.common import Figures, TerminalReporter, counted, reports
from sbitune.cli.shared.scans import known_runs, read, reading_options, run_names
from sbitune.data.reporting import LeftOut


@click.command("residuals")
@click.argument("surrogate")
@click.argument("scan", nargs=-1, required=True)
@click.option("--holdout", type=click.Path(), help="File with the names of the runs to compare with; default: all.")
@click.option("--worst", "most", type=counted(0), default=10, show_default=True, help="Bins to name.")
@reading_options
@click.option("-o", "--output", type=click.Path(dir_okay=False), help="Every bin as .csv, figures as .html.")
@reports
def command(
    reporter: TerminalReporter,
    surrogate: str,
    scan: tuple[str, ...],
    holdout: str | None,
    most: int,
    weights: str | None,
    bad_runs: Any,
    bad_bins: Any,
    output: str | None,
) -> Figures:
    """Compare SURROGATE (surrogate.npz, ipol.dat, or a card) with the runs of SCAN: pulls per observable and run, and
    the worst bins by name. rms_pull counts in Monte Carlo errors, pull_width has the surrogate's own in quadrature.

    Example: sbitune residuals surrogate.npz my-scan --holdout runs.txt
    """
    from sbitune.data.storage.files import check_suffix
    from sbitune.tuning.checks import residuals as library
    from sbitune.tuning.output.tables import write_table
    from sbitune.tuning.tools.models import open_model

    if output:
        check_suffix(output, (".csv", ".html"))
    named = run_names(holdout) if holdout else None
    opened = open_model(surrogate, reporter)
    runs = read(scan, weights, bad_runs, bad_bins, reporter.say)
    if named:
        runs = runs.take_runs(known_runs(runs, named))
    found = library.find_residuals(opened.model, runs)
    _warn(reporter, opened.runs, found)
    if output and output.endswith(".html"):
        from sbitune.report.tune.diagnostics import write_residuals_page

        write_residuals_page(output, found)
    elif output:
        write_table(output, found.bins, library.columns_of(found))
    total = library.overall(found)
    return {
        "runs": len(found.runs),
        "bins": len(found.bins),
        "rms_pull": total.rms_pull,
        "pull_width": total.pull_width,
        "bias": total.bias,
        "pulls": total.pulls,
        "pulls_without_mc_error": found.without_error,
        "observables": {row.name: _without_name(row) for row in library.by_observable(found)},
        "of_runs": {row.name: _without_name(row) for row in library.by_run(found)},
        "worst": {f"{row.bin} in run {row.run}": row.pull for row in library.worst(found, most)},
    }


def _without_name(row: Any) -> dict[str, Any]:
    return {k: v for k, v in row._asdict().items() if k != "name" and not (isinstance(v, float) and math.isnan(v))}


def _warn(reporter: TerminalReporter, learnt: tuple[str, ...], found: Any) -> None:
    seen = [run for run in found.runs if run in learnt]
    if seen:
        reporter.say(
            f"by their names the surrogate learnt from {len(seen)} of these {len(found.runs)} runs: if they are the "
            "same, their pulls are too small"
        )
    if found.outside:
        reporter.say(f"{len(found.outside)} runs are outside the surrogate's ranges: {', '.join(found.outside[:5])}")
    if found.left_out:
        reporter.say(LeftOut(f"{len(found.left_out)} bins that are not in both: {', '.join(found.left_out[:5])}"))
