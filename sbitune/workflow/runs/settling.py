"""A scan as it is kept: examined, with what can be put right put right."""

from typing import Any

from sbitune.data.checks.examination import Finding, settle
from sbitune.data.errors import InputError
from sbitune.data.scan import Scan
from sbitune.workflow.cards.scancard import ScanCardFile
from sbitune.workflow.results.findings import LEFT_OUT, Noting


def settle_scan(loaded: ScanCardFile[Any], scan: Scan, reporter: Noting) -> tuple[Scan, tuple[Finding, ...]]:
    """Examine the scan of a card and put right what can be; gives it, and what was found, with what the reporter saw
    left out before.

    Raises:
        InputError: for collinear parameters, one of the card's parameters that does not vary, too few runs, or limits
            and fixed values of the fit that the scan does not allow.
    """
    existing = loaded.card.scan.directory is not None
    place = loaded.place("scan", "directory" if existing else "runs")
    before = tuple(reporter.left_out)
    settled, found = settle(scan, reporter.say, place)
    if before:
        said = f"{len(before)} faulty runs, bins or parameters were left out when the scan was read"
        found = (Finding(LEFT_OUT, said, before, "as the card says: bad_runs, bad_bins"), *found)
    found = (*reporter.noted, *found)
    left = [p.name for p in scan.parameters if p not in settled.parameters]
    if left and loaded.card.parameters:
        raise InputError(
            f"{loaded.place('parameters', left[0])}: it has one value in all runs of the scan; take a scan in which it "
            "varies, or one without it",
            code="card-parameter-constant",
        )
    more = "add runs" if existing else "raise scan.runs"
    if loaded.card.reference:  # else nothing is fitted, and perhaps nothing learnt
        loaded.check_runs(len(settled.runs), len(settled.parameters), place, more)
    loaded.check_ranges({p.name: (p.low, p.high) for p in settled.parameters})
    return settled, found
