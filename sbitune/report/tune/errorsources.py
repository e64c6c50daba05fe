"""What errors of the data are taken for."""

from sbitune.report.pieces.parts import Paragraph, Section, table
from sbitune.tuning.record.types import ResultRecord


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
