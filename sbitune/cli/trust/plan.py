"""`sbitune plan`: errors that are expected before there are data."""

import click

from sbitune.cli.shared.common import Figures, TerminalReporter, reports


@click.command("plan")
@click.argument("card")
@click.option(
    "--at", "points", multiple=True, metavar="NAME=VALUE,...", help="Parameters, others nominal; may be given again."
)
@click.option(
    "--columns/--no-columns", default=True, show_default=True, help="Find what each column brings, by training without."
)
@reports
def command(reporter: TerminalReporter, card: str, points: tuple[str, ...], columns: bool) -> Figures:
    """Say which errors a fit of CARD can expect at given parameters, of Asimov data, whether there are data or not:
    from the data and from the ratios, and without each column and of each alone. Writes plan.yaml and plan.html.

    Example: sbitune plan my-card --at mu=1 --at mu=2,nu=0.5
    """
    from sbitune.workflow.cardfit import need_stage
    from sbitune.workflow.opening import open_with_family

    loaded, family = open_with_family(card)
    return need_stage(loaded.path, family, "plan", "plan")(loaded, points, columns, reporter)
