"""`sbitune fit`: the parameters from a scan."""

import click

from sbitune.cli.common import Figures, TerminalReporter, reports


@click.command("fit")
@click.argument("card")
@reports
def command(reporter: TerminalReporter, card: str) -> Figures:
    """Fit CARD's parameters to its reference, on the scan that is there; writes result.yaml and tune.cmnd.

    Example: sbitune fit tunes/lep
    """
    from sbitune.cli.figures import of_fit
    from sbitune.tuning.card import load_card
    from sbitune.tuning.line import fit_stage, train_stage
    from sbitune.tuning.scanning import stored_scan

    loaded = load_card(card)
    scan = stored_scan(loaded)
    return of_fit(fit_stage(loaded, scan, train_stage(loaded, scan, reporter), reporter).record)
