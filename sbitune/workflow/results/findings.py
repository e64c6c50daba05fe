"""What was found in the input on the way to a result."""

from collections.abc import Iterable

from sbitune.data.checks.examination import Finding
from sbitune.data.reporting import LeftOut, Reporter

#: kind of a finding: runs, bins or parameters that a reader left out
LEFT_OUT = "left out of the scan"


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
        if isinstance(text, LeftOut):
            self.left_out.append(text.what)
        self.reporter.say(text)

    def progress(self, what: str, done: int, total: int, failed: int = 0) -> None:
        """Hand progress on."""
        self.reporter.progress(what, done, total, failed)
