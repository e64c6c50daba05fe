"""A card with the place that it was read from, whatever the family."""

import re
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec

from sbitune.data.errors import InputError
from sbitune.data.files import read_text
from sbitune.data.numbers import quoted
from sbitune.workflow.cards.yamlfile import Places, read_with_places

C = TypeVar("C", bound=msgspec.Struct)
File = TypeVar("File", bound="CardFile[Any]")
#: the name of a card in its directory; results of cards of other names have these before their own
CARD = "card.yaml"
#: the line of a card that names its family
_FAMILY = re.compile(r"^family[ \t]*:[ \t]*([^\s#]+)", re.MULTILINE)
#: entries of a card, at most: a thousand analyses have fewer, and these are read in a second
MOST_ENTRIES = 50_000


class CardFile(msgspec.Struct, Generic[C], frozen=True):
    """A card of one family, and the file that it stands in."""

    card: C
    path: Path
    lines: dict[tuple[str | int, ...], int] = {}
    """Steps to a key -> line in the file, from 1."""

    @property
    def directory(self) -> Path:
        """Where the card lies and the results go."""
        return self.path.parent

    @property
    def work(self) -> Path:
        """Where runs and what stages leave are kept."""
        return self.output("work")

    def output(self, name: str) -> Path:
        """Where a result goes: beside the card; cards of other names than `card.yaml` put their own before it."""
        return self.directory / (name if self.path.name == CARD else f"{self.path.stem}.{name}")

    def place(self, *steps: str | int) -> str:
        """Where a key stands, for messages: `place("scan", "runs")` gives `card.yaml:10: scan.runs`."""
        return Places(self.path, self.lines)(*steps)


def card_path(place: str | Path) -> Path:
    """The file of a card, given as the file or as the directory that holds it. Raises `InputError` if there is none."""
    path = Path(place)
    if path.is_dir():
        path = path / CARD
    if not path.is_file():
        raise InputError(f"{path}: no such card; give a card or a directory with a {CARD}")
    return path.resolve()


def family_of(path: Path) -> str | None:
    """The family that a card names in a line `family: NAME` of its own; None: none, it is that of a tune."""
    found = _FAMILY.search(read_text(path, "card"))
    return found[1].strip("\"'") if found else None


def read_card_file(place: str | Path, card: type[C], file: type[File], family: str | None = None) -> File:
    """Read a card of a known family.

    Args:
        place: the card, or the directory that holds `card.yaml`.
        card: what stands in it.
        file: what is returned, a `CardFile` of such a card.
        family: what the card must name as its family.

    Raises:
        InputError: naming file, line and key of what is no such card.
    """
    named = family_of(card_path(place))
    if named != family:
        this = "of a tune (it names no family)" if named is None else f"of the family {quoted(named)}"
        wanted = "of a tune, which names none" if family is None else f"with `family: {family}`"
        raise InputError(f"{card_path(place)}: a card {this}; this command takes a card {wanted}")
    content, places = read_with_places(card_path(place), card, most=MOST_ENTRIES)
    return file(content, places.path, dict(places.lines))
