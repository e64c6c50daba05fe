"""`sbitune convert`: from one file format to another."""

import re
from pathlib import Path
from typing import Any

import click

from sbitune.cli.common import Figures, TerminalReporter, reports


@click.command("convert")
@click.argument("source")
@click.argument("target", type=click.Path())
@click.option("--yoda-version", type=click.Choice(["1", "2"]), default="1", show_default=True, help="For YODA files.")
@click.option("--select", default="", help="Keep only objects whose path matches this regular expression.")
@click.option("--bad-runs", type=click.Choice(["stop", "drop"]), default="stop", show_default=True, help="For scans.")
@click.option("--bad-bins", type=click.Choice(["stop", "drop"]), default="stop", show_default=True, help="For scans.")
@reports
def command(
    reporter: TerminalReporter,
    source: str,
    target: str,
    yoda_version: str,
    select: str,
    bad_runs: Any,
    bad_bins: Any,
) -> Figures:
    """Convert a YODA file between YODA 1, YODA 2 and gzip, or a scan (directory of runs, scan.npz, Apprentice .h5) to
    scan.npz or Apprentice .h5; the target's name says which.

    Example: sbitune convert rivet.yoda.gz rivet2.yoda --yoda-version 2
    """
    from sbitune.data.errors import InputError

    if target.endswith((".yoda", ".yoda.gz")):
        from sbitune.data import yoda

        try:
            pattern = re.compile(select)
        except re.error as error:
            raise InputError(f"--select: {select!r} is not a regular expression: {error}") from error
        objects = yoda.read(source, lambda path: bool(pattern.search(path)))
        yoda.write(target, objects, version=int(yoda_version))
        return {"objects": len(objects), "output": target}
    return _convert_scan(reporter, source, Path(target), bad_runs, bad_bins)


def _convert_scan(reporter: TerminalReporter, source: str, target: Path, bad_runs: Any, bad_bins: Any) -> Figures:
    from sbitune.data.apprentice import write_scan
    from sbitune.data.errors import InputError
    from sbitune.data.professor import Reading
    from sbitune.tuning.scanning import load_scan

    if target.suffix not in (".npz", ".h5", ".hdf5"):
        raise InputError(f"{target}: the name must end in .yoda, .yoda.gz, .npz or .h5")
    scan = load_scan(source, Reading((), bad_runs, bad_bins, tell=reporter.say))
    if target.suffix == ".npz":
        scan.save(target)
    else:
        write_scan(target, scan)
    return {"runs": len(scan.runs), "bins": len(scan.bins), "output": str(target)}
