"""The fit of a card, as the commands that ask about it see it, whatever the family."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from sbitune.data.errors import InputError
from sbitune.data.reporting import QUIET, Reporter
from sbitune.fitting.likelihood.product import Product
from sbitune.fitting.likelihood.protocols import Problem
from sbitune.fitting.results import Fit
from sbitune.workflow.cards.cardfile import CardFile
from sbitune.workflow.families import Family
from sbitune.workflow.opening import open_with_family


class CardFit(NamedTuple):
    """What profiles, posteriors and toys are made of. A family needs to give the first two only."""

    problem: Problem[Any]  #: what was fitted
    fit: Fit  #: its result
    made_of: Mapping[str, str] = MappingProxyType({})  #: hashes that tell results of different fits apart
    title: str = ""  #: of pages
    details: Any = None  #: what the family's own additions need


class ExportOptions(NamedTuple):
    """What may be said of an export; families refuse what they do not have."""

    components: int | None = None  #: eigenvectors of correlations between bins
    bins: int | None = None  #: in which events are counted
    observable: str | None = None  #: column of events that is binned


def need_stage(place: object, family: Family, stage: str, verb: str) -> Any:
    """The function of a family that serves a command. Raises `InputError` if it has none."""
    found = family.stage(stage)
    if found is None:
        raise InputError(
            f"{place}: a card of the family {family.name} knows no `sbitune {verb}`; `sbitune ls` says what is in it",
            code="card-without-verb",
        )
    return found


def open_fit(
    place: Any, verb: str, reporter: Reporter = QUIET, needs: str | None = None
) -> tuple[CardFile[Any], Family, CardFit]:
    """The card at a place, its family, and the fit that its stages left.

    Args:
        place: the card, or the directory that holds it.
        verb: the command, for messages.
        reporter: told what the family has to say.
        needs: another stage that the family must have.

    Raises:
        InputError: as the card's reader does, if the family has no fits, or if the fit is missing or another.
    """
    loaded, family = open_with_family(place)
    if needs is not None:
        need_stage(loaded.path, family, needs, verb)
    found = need_stage(loaded.path, family, "fitted", verb)(loaded, reporter)
    return loaded, family, CardFit(*found)


def open_product(place: Any, verb: str, reporter: Reporter = QUIET) -> tuple[CardFile[Any], CardFit, Product]:
    """The card at a place, and the fit that its stages left, which is one of a product of terms.

    Raises `InputError` as `open_fit`, or for a fit of another kind.
    """
    loaded, family, found = open_fit(place, verb, reporter)
    if not isinstance(found.problem, Product):
        raise InputError(
            f"{loaded.path}: `sbitune {verb}` asks about the terms of a likelihood, auxiliary measurements among them, "
            f"and the fit of a card of the family {family.name} has none; `sbitune profile` and `sbitune coverage` "
            "take it",
            code="card-without-terms",
        )
    return loaded, found, found.problem
