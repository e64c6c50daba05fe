"""`sbitune runcombs`: combinations of runs."""

import click

from sbitune.cli.shared.common import SEEDS, Figures, TerminalReporter, counted, reports


@click.command("runcombs")
@click.argument("scan")
@click.option("-n", "--number", required=True, type=counted(1), help="How many combinations.")
@click.option("--leave-out", required=True, type=counted(0, 100_000), help="Runs that are missing in each.")
@click.option("--seed", type=SEEDS, default=1, show_default=True)
@click.option("-o", "--output", required=True, type=click.Path(dir_okay=False), help="File to write, one a line.")
@reports
def command(reporter: TerminalReporter, scan: str, number: int, leave_out: int, seed: int, output: str) -> Figures:
    """Draw distinct combinations of the runs of SCAN (of any layout that `sbitune ls` reads) that leave some out, as
    prof2-runcombs does; `sbitune train --combination`, `sbitune jackknife --combinations` and prof2-ipol --rc read
    them.

    Example: sbitune runcombs my-scan -n 20 --leave-out 10 -o runcombs.dat
    """
    from sbitune.data.formats.combinations import sample, write_combinations
    from sbitune.tuning.tools.models import run_names_at

    names = run_names_at(scan)
    drawn = sample(names, number, leave_out, seed)
    write_combinations(output, drawn)
    return {"combinations": len(drawn), "runs": len(names), "runs_in_each": len(names) - leave_out, "output": output}
