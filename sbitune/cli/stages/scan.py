"""`sbitune scan`: the runs of a card."""

import click

from sbitune.cli.shared.common import Figures, TerminalReporter, reports


@click.command("scan")
@click.argument("card")
@reports
def command(reporter: TerminalReporter, card: str) -> Figures:
    """Make the runs of CARD that are not there yet, in work/scan beside it (Professor's layout), and work/scan.npz.

    Example: sbitune scan tunes/lep
    """
    from sbitune.workflow.opening import open_scan_card
    from sbitune.workflow.runs.scanning import make_scan
    from sbitune.workflow.runs.tasks import timing

    loaded = open_scan_card(card)
    scan = make_scan(loaded, reporter)
    figures: Figures = {"runs": len(scan.runs), "bins": len(scan.bins), "parameters": len(scan.parameters)}
    spent = timing(loaded.work / "scan", () if loaded.card.scan.directory else scan.runs)
    if spent["events"]:
        figures |= {"events": int(spent["events"]), "cpu_seconds": spent["cpu_seconds"]}
    for part in ("generation", "analysis"):
        if spent["timed"]:
            figures[f"{part}_us_per_event"] = 1e6 * spent[part] / spent["timed"]
    return figures
