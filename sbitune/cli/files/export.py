"""`sbitune export`: the likelihood around a fit, for other programs."""

import click

from sbitune.cli.shared.common import Figures, TerminalReporter, counted, reports


@click.command("export")
@click.argument("card")
@click.option("--to", type=click.Choice(["pyhf"]), required=True, help="Program that reads it.")
@click.option("-o", "--output", required=True, type=click.Path(dir_okay=False), help="JSON file to write.")
@click.option("--components", type=counted(0, 10_000), help="Of a tune: eigenvectors of correlations.  [default: 10]")
@click.option("--bins", type=counted(2, 10_000), help="Of a fit of events: bins of the discriminant.  [default: 12]")
@click.option("--observable", metavar="COLUMN", help="Of a fit of events: column that is binned; default: log ratio.")
@reports
def command(
    reporter: TerminalReporter,
    card: str,
    to: str,
    output: str,
    components: int | None,
    bins: int | None,
    observable: str | None,
) -> Figures:
    """Write the likelihood of CARD's fit as a workspace of pyhf, to be fitted with others: of a tune with linear
    responses around it; of events in bins of the log ratio of signal to the rest, beside a file OUTPUT.unbinned.json
    that names the unbinned model. Writing it does not need pyhf; reading it does: pip install 'sbitune[pyhf]'.

    Example: sbitune export tunes/lep --to pyhf -o workspace.json
    """
    from pathlib import Path

    from sbitune.data.storage.files import check_suffix
    from sbitune.workflow.cardfit import ExportOptions, need_stage, open_fit

    check_suffix(output, (".json",))
    options = ExportOptions(components, bins, observable)
    loaded, family, found = open_fit(card, "export", reporter, "export")
    more = need_stage(loaded.path, family, "export", "export")(found, to, Path(output), options)
    return {"format": to, **more, "output": output, "bytes": Path(output).stat().st_size}
