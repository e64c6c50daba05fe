"""Cards of any family, read by what they say that they are."""

import re
from pathlib import Path
from typing import Any

from sbitune.data.errors import InputError, naming
from sbitune.workflow.cards.cardfile import CARD, CardFile, family_of, parse_card
from sbitune.workflow.cards.scancard import ScanCardFile
from sbitune.workflow.cards.yamlfile import Parsed
from sbitune.workflow.families import Family, family_named

#: results are YAML files, too: the end of their names, or a line of theirs, as they may be called otherwise; no card
#: has this key
_RESULT, _OF_RESULT = "result.yaml", re.compile(rb"^format:", re.MULTILINE)


def is_card(place: str | Path) -> bool:
    """Whether a place is a directory with a `card.yaml`, or a YAML file that is no result; whether it is sound is its
    reader's affair.
    """
    path = Path(place)
    if path.suffix not in (".yaml", ".yml") or not path.is_file():
        return (path / CARD).is_file()
    return not path.name.endswith(_RESULT) and not _OF_RESULT.search(path.read_bytes())


def open_card(place: str | Path | Parsed) -> CardFile[Any]:
    """Read a card of whatever family it says that it is of. Raises `InputError` as the family's own reader does."""
    return open_with_family(place)[0]


def open_with_family(place: str | Path | Parsed) -> tuple[CardFile[Any], Family]:
    """A card as `open_card` reads it, and its family."""
    parsed = parse_card(place)
    named = family_of(parsed)
    with naming(parsed.places("family")):
        family = family_named(named)
    return family.load_card(parsed), family


def open_scan_card(place: str | Path) -> ScanCardFile[Any]:
    """Read a card that has a scan, of whatever family. Raises `InputError` as `open_card`, and if it can have none."""
    loaded, family = open_with_family(place)
    if not isinstance(loaded, ScanCardFile):
        raise InputError(f"{loaded.path}: a card of the family {family.name} has no scan", code="card-without-scan")
    return loaded
