"""What was found in the input of a tune: noted where the scan is made, completed where it is fitted."""

from sbitune.data.checks.examination import Finding, examine
from sbitune.data.scan import Scan
from sbitune.fitting.likelihood.measured import Measured
from sbitune.tuning.card import LoadedCard
from sbitune.tuning.checks.envelopes import find_envelopes
from sbitune.workflow.runs.notes import read_scan_note

#: kind of a finding, and errors that no generator is away from data that mean the same
_OUTSIDE, _ABSURD = "data outside the scan's envelope", 50.0


def scan_findings(loaded: LoadedCard, scan: Scan) -> tuple[Finding, ...]:
    """What was found when the scan of a card was made; of an older scan, what is found now.

    A surrogate that is read from a file has no runs in which something could be found.
    """
    if loaded.stored is not None:
        return ()
    note = read_scan_note(loaded)
    return examine(scan) if note is None else note.findings


def fit_findings(scan: Scan, measured: Measured, predicted: bool = False) -> tuple[Finding, ...]:
    """Measured bins that no run of a scan reaches, the farthest first; `predicted` runs are those of a surrogate."""
    points = "points at which the surrogate was asked" if predicted else "runs"
    found = find_envelopes(scan, measured)
    outside = found.outside()
    if not outside:
        return ()
    labels, gap = found.bins.labels(), found.gap
    far = sum(abs(gap[i]) > 1 for i in outside)
    where = tuple(f"{labels[i]} ({gap[i]:+.2g})" for i in outside)
    said = (
        f"in {len(outside)} of {len(labels)} bins the data lie outside what the {len(scan.runs)} {points} span, "
        f"in {far} by more than the error of the data (in brackets: how far, in these errors)"
    )
    done = (
        "kept in the fit, and they raise chi2: widen the ranges of the parameters if they may be wider, else the "
        "generator cannot describe them; a weight of 0 leaves a bin out"
    )
    absurd = [(labels[i], float(gap[i])) for i in outside if abs(gap[i]) > _ABSURD]
    if absurd:
        named = ", ".join(f"{label} ({away:+.2g})" for label, away in absurd[:3])
        done = f"is the value, the unit or the error wrong in {named}? {done[0].upper()}{done[1:]}"
    return (Finding(_OUTSIDE, said, where, done),)


def farthest(found: tuple[Finding, ...]) -> str:
    """Where to look first when a fit of data outside the envelope fails; nothing if no bin is far."""
    return "".join(f"; first look at {one.where[0]} errors outside what the runs span" for one in found if one.where)
