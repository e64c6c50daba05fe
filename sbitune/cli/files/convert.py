"""`sbitune convert`: from one file format to another."""

from typing import Any

import click

from sbitune.cli.shared.common import Figures, TerminalReporter, reports

#: as `sbitune.tuning.tools.conversion.Target` has them
_TARGETS = ("yoda", "data", "npz", "hdf5", "runs", "mcnntunes", "limits", "ipol", "results", "parameters",
            "weights", "weights1", "parquet", "csv")  # fmt: skip


@click.command("convert")
@click.argument("source")
@click.argument("target", type=click.Path())
@click.option("--to", type=click.Choice(_TARGETS), help="What TARGET shall be; default: as its name says.")
@click.option("--yoda-version", type=click.Choice(["1", "2"]), default="1", show_default=True, help="For YODA files.")
@click.option("--select", default="", help="Keep YODA objects whose path matches, or events for which this is true.")
@click.option("--like", help="YODA file or measurement with the bins of Apprentice's JSON of measured values.")
@click.option("--bad-runs", type=click.Choice(["stop", "drop"]), default="stop", show_default=True, help="For scans.")
@click.option("--bad-bins", type=click.Choice(["stop", "drop"]), default="stop", show_default=True, help="For scans.")
@click.option("--columns", help="Of a table of events: columns to keep, between commas; default: all.")
@click.option("--weights", help="Columns of weights, the nominal one first; default: weight, weight[NAME].")
@click.option("--groups", help="Column of numbers of groups; default: group.")
@click.option("--flags", help="Columns of truths, as 0 and 1 too; default: all of truths.")
@click.option("--table", default="", help="Tree of a ROOT file, group of an HDF5 file, if there are several.")
@click.option(
    "--not-finite", type=click.Choice(["stop", "keep"]), default="stop", show_default=True, help="In columns."
)
@reports
def command(
    reporter: TerminalReporter,
    source: str,
    target: str,
    to: Any,
    yoda_version: str,
    select: str,
    like: str | None,
    bad_runs: Any,
    bad_bins: Any,
    columns: str | None,
    weights: str | None,
    groups: str | None,
    flags: str | None,
    table: str,
    not_finite: Any,
) -> Figures:
    """Convert SOURCE to TARGET:

    \b
    YODA                    YODA 1 or 2, gzip; Apprentice's .json of measured values
    Apprentice's .json      YODA
    a scan of any layout    .npz, Apprentice's .h5, a directory of runs, --to mcnntunes, limits
    surrogate.npz, a card   Professor's ipol.dat; --to limits
    ipol.dat                ipol.dat of format `binned 3`; --to limits
    result.yaml             Professor's results.txt; --to parameters (NAME value)
    results.txt             NAME value
    a weight file           --to weights (Professor 2, Apprentice), weights1 (Professor 1)
    a table of events       .parquet, .npz, .h5, .csv, .tsv (from these and ROOT)

    Example: sbitune convert jets.root jets.parquet --columns mass,pt --weights w --select "mass > 200 & n_jets >= 2"

    Example: sbitune convert rivet.yoda.gz rivet2.yoda --yoda-version 2
    """  # noqa: D301 (click's mark for lines that stay as they are)
    from sbitune.data.events import TableRequest
    from sbitune.tuning.tools.conversion import Conversion, convert

    version: Any = int(yoda_version)
    wanted = TableRequest(_names(columns), _names(weights), groups, _names(flags), table, not_finite)
    return convert(Conversion(source, target, to, version, like, select, bad_runs, bad_bins, wanted), reporter)


def _names(words: str | None) -> list[str] | None:
    """Names between commas."""
    return None if words is None else [word.strip() for word in words.split(",") if word.strip()]
