"""`sbitune export`: the likelihood around a tune, for other programs."""

import click

from sbitune.cli.shared.common import Figures, TerminalReporter, counted, reports


@click.command("export")
@click.argument("card")
@click.option("--to", type=click.Choice(["pyhf"]), required=True, help="Program that reads it.")
@click.option("-o", "--output", required=True, type=click.Path(dir_okay=False), help="JSON file to write.")
@click.option(
    "--components",
    type=counted(0, 10_000),
    default=10,
    show_default=True,
    help="Eigenvectors of correlations.",
)
@reports
def command(reporter: TerminalReporter, card: str, to: str, output: str, components: int) -> Figures:
    """Write the likelihood around CARD's tune, with linear responses, as a workspace of pyhf, to be fitted with others.
    Writing it does not need pyhf; reading it does: pip install 'sbitune[pyhf]'.

    Example: sbitune export tunes/lep --to pyhf -o workspace.json
    """
    from pathlib import Path

    from sbitune.fitting.bridges.pyhf_export import write_workspace
    from sbitune.tuning.card import load_card
    from sbitune.tuning.output.tables import check_suffix
    from sbitune.tuning.record.result import tune_of
    from sbitune.tuning.stages.fitted import read_fitted

    check_suffix(output, (".json",))
    fitted = read_fitted(load_card(card), reporter)
    problem = fitted.problem
    write_workspace(output, problem, tune_of(fitted.record, problem.parameters), components)
    bins = problem.measured.bins
    return {
        "format": to,
        "channels": len(bins.paths()),
        "bins": len(bins),
        "output": output,
        "bytes": Path(output).stat().st_size,
    }
