"""A page: one file that needs nothing from outside itself."""

from collections.abc import Sequence
from pathlib import Path

from sbitune.data.storage.files import write_text
from sbitune.report.pieces.templates import Part, render


def page(title: str, parts: Sequence[Part], made_of: str = "") -> str:
    """Put a page together: its title as heading, then the parts. A comment says what it was made of."""
    return render("pieces/page.html", title=title, parts=parts, made_of=made_of)


def write_page(path: str | Path, title: str, parts: Sequence[Part], made_of: str = "") -> None:
    """Write a page, whole or not at all."""
    write_text(path, page(title, parts, made_of))


def is_made_of(path: Path, made_of: str) -> bool:
    """Whether the comment of a page says this."""
    return render("pieces/made_of.html", made_of=made_of) in path.read_text(encoding="utf-8")
