"""What was found in the input, and what was done about it."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from sbitune.report.pieces.parts import Section, table

#: names that a row shows, at most; the result has all
_SHOWN = 12


class Finding(Protocol):
    """One thing that was found, as `sbitune.data.checks.examination.Finding` and its records in results are."""

    @property
    def what(self) -> str:
        """What was found."""
        ...

    @property
    def where(self) -> Sequence[str]:
        """Parameters, runs or bins, all of them."""
        ...

    @property
    def done(self) -> str:
        """What was done about it, and what the user can do."""
        ...


def findings_section(findings: Iterable[Finding]) -> list[Section]:
    """The section, with a row for each finding; none where nothing was found."""
    rows = [(f.what[:1].upper() + f.what[1:], _places(f.where), f.done) for f in findings]
    if not rows:
        return []
    return [Section("found", "What was found in the input", [table(["what", "where", "what was done about it"], rows)])]


def _places(where: Sequence[str]) -> str:
    more = len(where) - _SHOWN
    return ", ".join(where[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
