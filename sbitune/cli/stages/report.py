"""`sbitune report`: the page."""

import click

from sbitune.cli.shared.common import Figures, TerminalReporter, reports


@click.command("report")
@click.argument("card")
@reports
def command(reporter: TerminalReporter, card: str) -> Figures:
    """Write report.html of CARD's tune again, from the results that are there.

    Example: sbitune report tunes/lep
    """
    from sbitune.report.tune.write import write_report
    from sbitune.tuning.card import load_card
    from sbitune.tuning.stages.fitted import read_fitted

    page = write_report(read_fitted(load_card(card), reporter))
    return {"report": str(page), "bytes": page.stat().st_size}
