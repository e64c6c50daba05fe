"""`sbitune propose`: where to make the next runs."""

import os
from pathlib import Path

import click

from sbitune.cli.shared.common import SEEDS, Figures, TerminalReporter, counted, reports


@click.command("propose")
@click.argument("card")
@click.option("-n", "--runs", type=counted(1, 100_000), required=True, help="Number of runs to add.")
@click.option("-o", "--output", type=click.Path(dir_okay=False), required=True, help="Table of points to write.")
@click.option("--seed", type=SEEDS, default=1, show_default=True)
@reports
def command(reporter: TerminalReporter, card: str, runs: int, output: str, seed: int) -> Figures:
    """Propose points at which further runs lower the errors of CARD's tune most; it must be fitted already.

    With `scan.extra: FILE` in the card, `sbitune tune CARD` makes these runs, too, and fits again; the finished ones
    are kept. If the card names such a file already, its points come first in the output, which can take its place.

    Of a scan that was read from files, `sbitune sample FILE -o more -t run.in` makes run directories of these points.

    share: what of the parameters' variance stems from the surrogate and can be lowered by runs, in units of the
    variance that the fit quotes, now and as it is expected with the new runs. It may exceed 1 where the data are not
    described: errors of slopes count there, which a fit does not.

    Example: sbitune propose tunes/lep -n 32 -o tunes/lep/extra.txt
    """
    from sbitune.tuning.card import load_card
    from sbitune.tuning.stages.fitted import read_fitted
    from sbitune.tuning.studies.sequential import describes, propose_next, write_extra

    loaded = load_card(card)
    fitted = read_fitted(loaded, reporter)
    found = propose_next(fitted, runs, seed)
    if not describes(fitted):
        ratio = fitted.record.chi2_unit / fitted.record.ndf
        reporter.say(
            f"chi2/ndf is {ratio:.2g}: where the data are not described, as many more runs of the design (`scan.runs`) "
            "may bring the tune as much, see analyses/sequential"
        )
    points = write_extra(fitted, output, found)
    if loaded.card.scan.directory is None:
        place = os.path.relpath(Path(output).resolve(), loaded.directory.resolve())
        reporter.say(f"to make these runs: `extra: {place}` in the section `scan` of {loaded.path}")
    else:
        reporter.say(
            f"to make these runs: `sbitune sample {output} -o DIRECTORY -t TEMPLATE`, and add them to the scan"
        )
    shares = {"share": found.before, "share_expected": float(found.after[-1])}
    return {"runs": runs, "method": found.method} | shares | {"points": points, "output": output}
