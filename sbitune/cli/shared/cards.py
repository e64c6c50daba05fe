"""What `sbitune ls` shows of cards of any family, and of the scans that they have."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sbitune.cli.shared.common import Figures, TerminalReporter
from sbitune.cli.shared.listing import matching, observable_rows, range_rows, titles_in, titles_of_card

if TYPE_CHECKING:
    from sbitune.data.scan import Scan
    from sbitune.workflow.cards.scancard import ScanCardFile
    from sbitune.workflow.runs.checking import Checked


def card_figures(path: Path, pattern: str, reporter: TerminalReporter) -> Figures:
    """What a card of any family asks for or has made, with what its family says of it."""
    from sbitune.workflow.cards.scancard import ScanCardFile
    from sbitune.workflow.opening import open_with_family

    loaded, family = open_with_family(path)
    said = family.summarise(loaded)
    if isinstance(loaded, ScanCardFile):
        return _of_scan_card(loaded, pattern, reporter) | said
    return {"family": family.name, "what": family.what} | (said or {"card": _content(loaded.card, pattern)})


def scan_figures(scan: "Scan", titles: Mapping[str, str], pattern: str, told: Sequence[str] = ()) -> Figures:
    """What a scan holds, with the titles of its observables, and what is odd about it."""
    from sbitune.data.checks.examination import examine

    found = [*told, *(str(finding) for finding in examine(scan))]
    return {
        "runs": len(scan.runs),
        "parameters": range_rows(scan.parameters),
        "observables": observable_rows(scan.bins, pattern, titles),
    } | ({"found": found} if found else {})


def _content(card: Any, pattern: str) -> dict[str, Any]:
    """The keys of a card with what stands there."""
    import msgspec

    return matching(msgspec.to_builtins(card), pattern, "key")


def _of_scan_card(loaded: "ScanCardFile", pattern: str, reporter: TerminalReporter) -> Figures:
    """The scan that is there or is named, else what is to be made."""
    from sbitune.data.formats.professor import Reading
    from sbitune.data.reporting import Telling
    from sbitune.workflow.runs.checking import check_scan, extra_points, with_defaults
    from sbitune.workflow.runs.scanning import load_scan, scan_at_hand

    card = loaded.card
    if loaded.unread:
        reading = Reading(loaded.rules(), card.scan.bad_runs, card.scan.bad_bins, weight=card.scan.weight)
        scan = load_scan(loaded.directory / str(card.scan.directory), reading, asked_by=loaded.path)
        return scan_figures(scan, titles_of_card(loaded), pattern)
    if loaded.has_scan and (loaded.work / "scan.npz").is_file():
        return scan_figures(scan_at_hand(loaded, Telling(reporter.say)), titles_of_card(loaded), pattern)
    checked = check_scan(loaded)
    runs = {"runs_to_make": card.scan.runs + len(extra_points(loaded))} if loaded.has_scan else {}
    parameters = checked.parameters
    if not loaded.has_scan:
        parameters = loaded.known_parameters()
        if any(p.default is None for p in parameters):
            parameters = with_defaults(loaded, parameters)
    return {"title": card.title} | runs | {"parameters": range_rows(parameters)} | _chosen(loaded, checked, pattern)


def _chosen(loaded: "ScanCardFile", checked: "Checked", pattern: str) -> Figures:
    """The observables that a card selects, all if it selects none; nothing where they are not known before a run."""
    import numpy as np

    from sbitune.data.formats.selection import weights_of

    reference, booked = checked.reference, checked.booked
    known = reference if reference is not None else booked
    if known is None:
        return {}
    bins, rules = known.bins, loaded.rules()
    chosen = bins.take(np.flatnonzero(weights_of(bins, rules, strict=False) > 0)) if rules else bins
    return {"observables": observable_rows(chosen, pattern, {} if reference is None else titles_in(reference))}
