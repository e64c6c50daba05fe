"""`sbitune convert`: from one file format to another."""

from typing import Any

import click

from sbitune.cli.common import Figures, TerminalReporter, reports

#: as `sbitune.tuning.conversion.Target` has them
_TARGETS = ("yoda", "data", "npz", "hdf5", "runs", "mcnntunes", "limits", "ipol", "results", "parameters",
            "weights", "weights1")  # fmt: skip


@click.command("convert")
@click.argument("source")
@click.argument("target", type=click.Path())
@click.option("--to", type=click.Choice(_TARGETS), help="What TARGET shall be; default: as its name says.")
@click.option("--yoda-version", type=click.Choice(["1", "2"]), default="1", show_default=True, help="For YODA files.")
@click.option("--select", default="", help="Keep only YODA objects whose path matches this regular expression.")
@click.option("--like", help="YODA file or measurement with the bins of Apprentice's JSON of measured values.")
@click.option("--bad-runs", type=click.Choice(["stop", "drop"]), default="stop", show_default=True, help="For scans.")
@click.option("--bad-bins", type=click.Choice(["stop", "drop"]), default="stop", show_default=True, help="For scans.")
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

    Example: sbitune convert rivet.yoda.gz rivet2.yoda --yoda-version 2
    """  # noqa: D301 (click's mark for lines that stay as they are)
    from sbitune.tuning.conversion import Conversion, convert

    version: Any = int(yoda_version)
    return convert(Conversion(source, target, to, version, like, select, bad_runs, bad_bins), reporter)
