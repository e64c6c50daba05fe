"""`sbitune tune`: the whole line."""

import click

from sbitune.cli.shared.common import Figures, TerminalReporter, reports


@click.command("tune")
@click.argument("card")
@reports
def command(reporter: TerminalReporter, card: str) -> Figures:
    """Run the whole line of CARD (a card, or a directory with card.yaml): scan, train, fit, validate, report.

    Started again, it goes on where it stopped. Results go beside the card: result.yaml, tune.cmnd, validation.yoda,
    report.html; runs and the surrogate into work/.

    Example: sbitune tune tunes/lep
    """
    from sbitune.report.tune.write import write_report
    from sbitune.tuning.card import load_card
    from sbitune.tuning.record.figures import of_fit
    from sbitune.tuning.stages.pipeline import tune

    loaded = load_card(card)
    fitted = tune(loaded, reporter)
    page = write_report(fitted)
    return of_fit(fitted.record) | {"report": str(page)}
