"""Cards of any family, read by what they say that they are."""

from pathlib import Path
from typing import Any

from sbitune.data.errors import InputError, naming
from sbitune.workflow.cards.cardfile import CardFile, family_of, parse_card
from sbitune.workflow.cards.scancard import ScanCardFile
from sbitune.workflow.cards.yamlfile import Parsed
from sbitune.workflow.families import family_named


def open_card(place: str | Path | Parsed) -> CardFile[Any]:
    """Read a card of whatever family it says that it is of. Raises `InputError` as the family's own reader does."""
    parsed = parse_card(place)
    named = family_of(parsed)
    with naming(parsed.places("family")):
        family = family_named(named)
    return family.load_card(parsed)


def open_scan_card(place: str | Path) -> ScanCardFile[Any]:
    """Read a card that has a scan, of whatever family. Raises `InputError` as `open_card`, and if it can have none."""
    parsed = parse_card(place)
    loaded = open_card(parsed)
    if not isinstance(loaded, ScanCardFile):
        raise InputError(
            f"{loaded.path}: a card of the family {family_of(parsed)} has no scan", code="card-without-scan"
        )
    return loaded
