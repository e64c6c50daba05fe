"""`sbitune report`: the page."""

import click

from sbitune.cli.shared.common import Figures, TerminalReporter, reports


@click.command("report")
@click.argument("card")
@reports
def command(reporter: TerminalReporter, card: str) -> Figures:
    """Write report.html of CARD's result again, from the results that are there.

    Example: sbitune report tunes/lep
    """
    from sbitune.workflow.cardfit import need_stage
    from sbitune.workflow.opening import open_with_family

    loaded, family = open_with_family(card)
    return need_stage(loaded.path, family, "report", "report")(loaded, reporter)
