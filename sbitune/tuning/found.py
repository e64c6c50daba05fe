"""What was found in the input of a tune: noted where the scan is made, completed where it is fitted."""

from collections.abc import Iterable

from sbitune.data.errors import InputError
from sbitune.data.examination import Finding, examine, settle
from sbitune.data.reporting import Reporter
from sbitune.data.scan import Scan
from sbitune.fitting.problem import Measured
from sbitune.tuning.card import LoadedCard, check_limits
from sbitune.tuning.enough import check_enough_runs
from sbitune.tuning.envelopes import find_envelopes
from sbitune.tuning.stages import read_scan_note

#: kind of a finding: runs, bins or parameters that a reader left out
LEFT_OUT = "left out of the scan"
#: kind of a finding, and errors that no generator is away from data that mean the same
_OUTSIDE, _ABSURD = "data outside the scan's envelope", 50.0
#: how messages about what is left out begin
_SAYS_LEFT_OUT = "left out: "


class Noting(Reporter):
    """Hands everything on, and remembers what was left out or noted on the way to a scan."""

    def __init__(self, reporter: Reporter) -> None:
        self.reporter = reporter
        self.left_out: list[str] = []
        self.noted: list[Finding] = []

    def note(self, findings: Iterable[Finding]) -> None:
        """Say what was found before there was a scan, and remember it."""
        for finding in findings:
            self.noted.append(finding)
            self.say(str(finding))

    def say(self, text: str) -> None:
        """Hand a line on."""
        if text.startswith(_SAYS_LEFT_OUT):
            self.left_out.append(text.removeprefix(_SAYS_LEFT_OUT))
        self.reporter.say(text)

    def progress(self, what: str, done: int, total: int, failed: int = 0) -> None:
        """Hand progress on."""
        self.reporter.progress(what, done, total, failed)


def settle_scan(loaded: LoadedCard, scan: Scan, reporter: Noting) -> tuple[Scan, tuple[Finding, ...]]:
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
            "varies, or one without it"
        )
    more = "add runs" if existing else "raise scan.runs"
    if loaded.card.reference:  # else nothing is fitted, and perhaps nothing learnt
        check_enough_runs(loaded.learnt, len(settled.runs), len(settled.parameters), place, more)
    check_limits(loaded, {p.name: (p.low, p.high) for p in settled.parameters})
    return settled, found


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
