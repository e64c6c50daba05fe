"""`sbitune validate`: the generator run again at the answer."""

import click

from sbitune.cli.shared.common import Figures, TerminalReporter, reports


@click.command("validate")
@click.argument("card")
@reports
def command(reporter: TerminalReporter, card: str) -> Figures:
    """Run the generator at the tune of CARD and at the values before it; writes validation.yoda.

    Example: sbitune validate tunes/lep
    """
    from sbitune.tuning.card import load_card
    from sbitune.tuning.record.figures import of_fit
    from sbitune.tuning.stages.comparison import validate_stage
    from sbitune.tuning.stages.fitted import read_fitted

    return of_fit(validate_stage(read_fitted(load_card(card), reporter), reporter).record)
