"""A card with the place that it was read from, whatever the family."""

from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec

from sbitune.data.errors import InputError
from sbitune.data.text.numbers import quoted
from sbitune.workflow.cards.yamlfile import Parsed, Places, parse

C = TypeVar("C", bound=msgspec.Struct)
File = TypeVar("File", bound="CardFile[Any]")
#: the name of a card in its directory; results of cards of other names have these before their own
CARD = "card.yaml"
#: the key of a card that names its family; a card without it is one of the first
_FAMILY, _FIRST = "family", "tune"
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
        raise InputError(f"{path}: no such card; give a card or a directory with a {CARD}", code="card-absent")
    return path.resolve()


def family_of(parsed: Parsed) -> str:
    """The family that a card says it is of, in its key `family`. Raises `InputError` if that is no word."""
    content = parsed.content if isinstance(parsed.content, dict) else {}
    named = content.get(_FAMILY, _FIRST)
    if not isinstance(named, str):
        raise InputError(
            f"{parsed.places(_FAMILY)}: expected the name of a family, found {quoted(str(named))}",
            code="card-family-unknown",
        )
    return named


def parse_card(place: str | Path | Parsed) -> Parsed:
    """Read a card whose family is not known yet, given as the file or as the directory that holds `card.yaml`; one that
    was parsed is given back.
    """
    return place if isinstance(place, Parsed) else parse(card_path(place), most=MOST_ENTRIES)


def read_card_file(place: str | Path | Parsed, card: type[C], file: type[File], family: str = _FIRST) -> File:
    """Read a card of a known family.

    Args:
        place: the card, or the directory that holds `card.yaml`, or a card that was parsed.
        card: what stands in it.
        file: what is returned, a `CardFile` of such a card.
        family: what the card must say that it is; a card that says nothing is of the family `tune`.

    Raises:
        InputError: naming file, line and key of what is no such card.
    """
    parsed = parse_card(place)
    named = family_of(parsed)
    if named != family:
        said = isinstance(parsed.content, dict) and _FAMILY in parsed.content
        where = parsed.places(_FAMILY) if said else str(parsed.places.path)
        wanted = "a tune, which needs not name it" if family == _FIRST else f"`family: {family}`"
        raise InputError(
            f"{where}: a card of the family {quoted(named)}; this command takes one of {wanted}",
            code="card-family-other",
        )
    if family == _FIRST and isinstance(parsed.content, dict):
        parsed.content.pop(_FAMILY, None)
    return file(parsed.convert(card), parsed.places.path, dict(parsed.places.lines))
