"""What was found in the input of a tune, and what was done about it."""

from sbitune.report import html
from sbitune.tuning.record import FindingRecord, ResultRecord

#: names that a row shows, at most; `result.yaml` has all
_SHOWN = 12


def found_in_the_input(record: ResultRecord) -> str:
    """The section, with a row for each finding; nothing where nothing was found."""
    if not record.findings:
        return ""
    rows = [(f.what[:1].upper() + f.what[1:], _places(f), f.done) for f in record.findings]
    table = html.table(["what", "where", "what was done about it"], rows)
    return html.section("found", "What was found in the input", table)


def _places(finding: FindingRecord) -> str:
    more = len(finding.where) - _SHOWN
    return ", ".join(finding.where[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
