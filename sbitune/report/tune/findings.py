"""What was found in the input of a tune and what was done about it; what errors of the data are taken for."""

from sbitune.report.pieces.parts import Paragraph, Section, table
from sbitune.tuning.record.types import FindingRecord, ResultRecord

#: names that a row shows, at most; `result.yaml` has all
_SHOWN = 12


def findings_section(record: ResultRecord) -> list[Section]:
    """The section, with a row for each finding; none where nothing was found."""
    if not record.findings:
        return []
    rows = [(f.what[:1].upper() + f.what[1:], _places(f), f.done) for f in record.findings]
    rows_of_all = table(["what", "where", "what was done about it"], rows)
    return [Section("found", "What was found in the input", [rows_of_all])]


def error_sources(record: ResultRecord) -> Section:
    """The section that says which errors of the data are correlated, and how that is known."""
    if not record.error_sources:
        none = "The data name no error sources: what they quote is taken to be independent from bin to bin."
        return Section("errors", "Errors of the data", [Paragraph(none, "quiet")])
    said = {"independent": "independent from bin to bin", "shared": "shared by all bins of an observable"}
    rows = [(row.label, said[row.bins], row.why, row.observables) for row in record.error_sources]
    words = (
        "Labels alone say which error sources of the data are correlated (sbitune/data/error_sources.py has the rule). "
        "Where they are wrong the card can say it: reference: [{file: NAME, independent: [LABEL], shared: [LABEL]}]."
    )
    head = ["error source", "taken to be", "because", "observables"]
    return Section("errors", "Errors of the data", [Paragraph(words, "quiet"), table(head, rows, (3,))])


def _places(finding: FindingRecord) -> str:
    more = len(finding.where) - _SHOWN
    return ", ".join(finding.where[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
