"""`sbitune export`: the likelihood around a fit, for other programs."""

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
    """Write the likelihood around CARD's fit, of a tune with linear responses, as a workspace of pyhf, to be fitted
    with others. Writing it does not need pyhf; reading it does: pip install 'sbitune[pyhf]'.

    Example: sbitune export tunes/lep --to pyhf -o workspace.json
    """
    from pathlib import Path

    from sbitune.data.storage.files import check_suffix
    from sbitune.workflow.cardfit import need_stage, open_fit

    check_suffix(output, (".json",))
    loaded, family, found = open_fit(card, "export", reporter, "export")
    more = need_stage(loaded.path, family, "export", "export")(found, to, Path(output), components)
    return {"format": to, **more, "output": output, "bytes": Path(output).stat().st_size}
