"""`sbitune infer`: the whole line of a fit of events."""

import click

from sbitune.cli.shared.common import Figures, TerminalReporter, reports


@click.command("infer")
@click.argument("card")
@reports
def command(reporter: TerminalReporter, card: str) -> Figures:
    """Run the whole line of CARD (of `family: ratios`, or a directory with card.yaml): learn ratios, fit, report.

    Started again, it does what has changed. Results go beside the card: result.yaml and report.html; the ratios into
    work/. `sbitune train, fit, profile, posterior, coverage, report` take the same card.

    Example: sbitune infer my-card
    """
    from sbitune.ratios.card import load_card
    from sbitune.ratios.record import figures_of
    from sbitune.ratios.stages.pipeline import infer
    from sbitune.report.ratios.write import write_report

    fitted = infer(load_card(card), reporter)
    return figures_of(fitted.record) | {"report": str(write_report(fitted))}
