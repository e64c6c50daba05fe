"""Cards of any family, read by what they say that they are."""

from pathlib import Path
from typing import Any

from sbitune.data.errors import InputError, naming
from sbitune.workflow.cards.cardfile import CARD, CardFile, family_of, parse_card
from sbitune.workflow.cards.scancard import ScanCardFile
from sbitune.workflow.cards.yamlfile import Parsed
from sbitune.workflow.families import Family, family_named

#: what results that stages leave end with: the YAML files beside a card that are none
_RESULT = "result.yaml"


def is_card(place: str | Path) -> bool:
    """Whether a place is a card, or a directory with a `card.yaml`; what stands in it is not looked at."""
    path = Path(place)
    of_yaml = path.suffix in (".yaml", ".yml") and not path.name.endswith(_RESULT)
    return (path / CARD).is_file() or (of_yaml and path.is_file())


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
