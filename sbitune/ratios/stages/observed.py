"""The measured events of a card, region by region."""

from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.events import Events
from sbitune.ratios.card import RatiosCardFile
from sbitune.ratios.parameters import EventsCardFile
from sbitune.ratios.samples import as_columns, read_table


class Observed(NamedTuple):
    """Measured events of a region."""

    x: np.ndarray  #: (n_events, n_columns)
    weights: np.ndarray | None  #: (n_events,) if the card says that they count

    @property
    def counts(self) -> np.ndarray:
        """(n_events,) with which events count."""
        return np.ones(len(self.x)) if self.weights is None else self.weights


def read_data(loaded: RatiosCardFile) -> dict[str, Observed] | None:
    """Region of events -> its measured events; None where the card names no data.

    Raises `InputError` for data that cannot be read, hold no events, are in two regions, or have weights where the card
    does not say that they count.
    """
    if loaded.card.data is None:
        return None
    _check_apart(loaded)
    return {name: _of_region(region) for name, region in loaded.event_regions.items()}


def _of_region(loaded: RatiosCardFile) -> Observed:
    table = read_observed(loaded)
    return Observed(as_columns(table, loaded.card.columns), table.weight if loaded.card.weighted_data else None)


def read_observed(loaded: EventsCardFile[Any]) -> Events:
    """The measured events of a card that names data. Raises `InputError` as `read_data`."""
    card = loaded.card
    table = read_table(loaded.file(card.data), card)
    if not len(table):
        raise InputError(f"{table.where}: there are no events{' that are selected' if card.select else ''}")
    weighted = getattr(card, "weighted_data", None)
    if np.any(table.weight != 1) and not weighted:
        remedy = "" if weighted is None else ", or say `weighted_data: true` if they shall count"
        raise InputError(
            f"{table.where}: the data have weights other than 1, with which their number is no count; leave the "
            f"column out{remedy}",
            code="ratios-data-weighted",
        )
    return table


def _check_apart(loaded: RatiosCardFile) -> None:
    """Refuse measured events that count twice."""
    for (one, first), (other, second) in combinations(loaded.event_regions.items(), 2):
        path = first.file(str(first.card.data))
        if path.resolve() != second.file(str(second.card.data)).resolve():
            continue
        events = read_table(path, first.card, selected=False)
        chosen = [events.evaluate(c.select, "select") if c.select else True for c in (first.card, second.card)]
        both = np.flatnonzero(np.broadcast_to(chosen[0] & chosen[1], len(events)))
        if len(both):
            raise InputError(
                f"{events.where}: {len(both)} events are in the regions {one} and {other} both, the first in row "
                f"{both[0]}, and would count twice; make `select` of one ({first.card.select or 'all events'}) and the "
                f"other ({second.card.select or 'all events'}) exclude each other",
                code="ratios-regions-overlap",
            )
