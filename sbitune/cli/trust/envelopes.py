"""`sbitune envelopes`: can the runs reach the data?"""

from typing import Any

import click

from sbitune.cli.shared.common import Figures, TerminalReporter, reports
from sbitune.cli.shared.scans import read, reading_options
from sbitune.data.reporting import LeftOut


@click.command("envelopes")
@click.argument("scan")
@click.option(
    "-r",
    "--reference",
    multiple=True,
    help="YODA file, directory of them, Apprentice's data JSON, or measurement; default: the card's.",
)
@reading_options
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False),
    help="Every bin as .csv, the envelopes as .yoda, figures as .html.",
)
@reports
def command(
    reporter: TerminalReporter,
    scan: str,
    reference: tuple[str, ...],
    weights: str | None,
    bad_runs: Any,
    bad_bins: Any,
    output: str | None,
) -> Figures:
    """For every bin of SCAN (of any layout that `sbitune ls` reads): does the measured value lie within what the runs
    span? Bins where it does not are named with how far, in units of the measured error.

    Example: sbitune envelopes my-scan --reference ALEPH_1996_S3486095
    """
    from sbitune.data import yoda
    from sbitune.data.errors import InputError
    from sbitune.data.scatters import scatters_of
    from sbitune.data.storage.files import check_suffix
    from sbitune.tuning.checks.envelopes import find_envelopes, reach_of_observables
    from sbitune.tuning.output.tables import write_table
    from sbitune.tuning.tools.models import card_at, matched_with

    if output:
        check_suffix(output, (".csv", ".yoda", ".yoda.gz", ".html"))
    loaded = card_at(scan)
    place = str(loaded.directory) if loaded is not None else scan
    runs = read((place,), weights, bad_runs, bad_bins, reporter.say)
    matched = matched_with(runs, loaded, reference, weights)
    if matched is None:
        raise InputError("--reference: say what was measured: a YODA file, a data JSON or the name of a measurement")
    for label, reason in matched.excluded:
        reporter.say(LeftOut(f"{label}: {reason}"))
    for note in matched.notes:
        reporter.say(note)
    found = find_envelopes(runs, matched.measured)
    if output and output.endswith(".csv"):
        # `low` and `high` of a table are the bins' edges
        columns = {"values": found.values, "errors": found.errors, "lowest": found.low, "highest": found.high}
        columns |= {"inside": found.inside, "gap": found.gap}
        write_table(output, found.bins, columns)
    elif output and output.endswith(".html"):
        from sbitune.report.tune.diagnostics import write_envelopes_page

        write_envelopes_page(output, found, len(runs.runs))
    elif output:
        yoda.write(output, scatters_of(found.bins, (found.low + found.high) / 2, (found.high - found.low) / 2))
    labels, gap = found.bins.labels(), found.gap
    return {
        "runs": len(runs.runs),
        "bins": len(found.bins),
        "inside": int(found.inside.sum()),
        "fraction": float(found.inside.mean()),
        "observables": {row.path: _figures(row) for row in reach_of_observables(found)},
        "outside": {labels[i]: float(gap[i]) for i in found.outside()},
    }


def _figures(row: Any) -> Figures:
    return {name: value for name, value in row._asdict().items() if name != "path"}
