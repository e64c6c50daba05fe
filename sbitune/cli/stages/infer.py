"""`sbitune infer`: the whole line of a fit of events."""

import click

from sbitune.cli.shared.common import Figures, TerminalReporter, reports


@click.command("infer")
@click.argument("card")
@reports
def command(reporter: TerminalReporter, card: str) -> Figures:
    """Run the whole line of CARD (a card that names a family of fits of events, or a directory with card.yaml): learn,
    fit, report.

    Started again, it does what has changed. Results go beside the card: result.yaml and report.html; what was learned
    into work/. `sbitune train, fit, profile, posterior, coverage, report` take the same card.

    Example: sbitune infer my-card
    """
    from sbitune.workflow.cardfit import need_stage
    from sbitune.workflow.opening import open_with_family

    loaded, family = open_with_family(card)
    return need_stage(loaded.path, family, "infer", "infer")(loaded, reporter)
