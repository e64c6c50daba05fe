"""The table of checks."""

from collections.abc import Sequence

from sbitune.report.pieces.parts import Items, table
from sbitune.report.pieces.templates import Part
from sbitune.workflow.results.checks import Check


def checks_table(checks: Sequence[Check]) -> Part:
    """Every check with its outcome."""
    if not checks:
        return Items([])
    rows = [
        (
            c.name,
            (c.outcome, "bad" if c.outcome == "failed" else ""),
            "" if c.value is None else f"{c.value:.3g}",
            c.expected,
        )
        for c in checks
    ]
    return table(["check", "outcome", "value", "expected"], rows, (2,))
