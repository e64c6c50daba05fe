"""`sbitune impacts`: what each auxiliary measurement does to a parameter."""

import click

from sbitune.cli.shared.common import Figures, TerminalReporter, check_table_or_picture, reports, table_or_picture


@click.command("impacts")
@click.argument("card")
@click.argument("name")
@click.option("--refits/--no-refits", default=True, show_default=True, help="Four fits for each, or first order only.")
@table_or_picture
@reports
def command(reporter: TerminalReporter, card: str, name: str, refits: bool, output: tuple[str, ...]) -> Figures:
    """Say by how much NAME moves in CARD's fit where each auxiliary measurement moves down or up by its error, and how
    far the fit pulls (in errors of the measurement) and constrains (error of the fit over that of the measurement) its
    parameter. Writes impacts.NAME.yaml beside the card; `sbitune report` puts it on the page.

    Example: sbitune impacts my-card mu -o impacts.svg -o impacts.csv
    """
    from sbitune.cli.shared.hypotheses import drawn_impacts, finished
    from sbitune.fitting.hypotheses.impacts import impacts
    from sbitune.workflow.cardfit import open_product
    from sbitune.workflow.results.hypotheses import impacts_record, write_hypothesis

    check_table_or_picture(output)
    loaded, found, problem = open_product(card, "impacts", reporter)
    record = impacts_record(impacts(problem, name, found.fit, refits), found.made_of)
    return finished(drawn_impacts(record), write_hypothesis(loaded, record), output)
