"""What the checks say of a result, at the top of its page."""

from collections.abc import Iterable

from sbitune.report.pieces.parts import Paragraph
from sbitune.workflow.results.checks import Verdict


def verdict_paragraphs(verdict: Verdict, warnings: Iterable[str] = ()) -> list[Paragraph]:
    """The verdict, good or bad, and what a reader must know before the numbers."""
    first = [Paragraph(_sentence(verdict.words), "verdict" if verdict.good else "verdict bad")] if verdict.words else []
    return [*first, *(Paragraph(_sentence(words), "warning") for words in warnings)]


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}."
