"""What a page says of other files beside its card."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from sbitune.report.pieces.page import is_made_of
from sbitune.report.pieces.parts import Paragraph
from sbitune.report.pieces.templates import Part
from sbitune.workflow.cards.cardfile import CardFile

#: stands beside the card
POSTERIOR = "posterior.html"


@dataclass(frozen=True)
class PosteriorLink:
    """A sentence that leads to the page of the posterior."""

    page: str
    template: ClassVar[str] = "beside/posterior_link.html"


def link_to_posterior(loaded: CardFile[Any], made_of: Mapping[str, str]) -> list[Part]:
    """A paragraph that leads to the page beside the card, if there is one of this fit."""
    path = loaded.output(POSTERIOR)
    if not path.is_file():
        return []
    if is_made_of(path, " ".join(made_of.values())):
        return [PosteriorLink(path.name)]
    return [of_another_fit(path.name, "posterior")]


def of_another_fit(name: str, command: str) -> Paragraph:
    """A paragraph on a file beside the card that is not shown."""
    return Paragraph(
        f"{name} beside the card is of another fit and is not shown: run `sbitune {command}` again, or take it away."
    )
