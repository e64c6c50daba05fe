"""Simulated events of a card: those that networks learn from, and those that are held back."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.events import Events
from sbitune.data.events.joining import concatenate
from sbitune.learning.splits import split_events
from sbitune.ratios.parameterised.line.card import ParameterisedCardFile
from sbitune.ratios.parameterised.samples import RatioEvents, events_for_ratio
from sbitune.ratios.samples import check_number, read_table

#: fewer events teach nothing, or normalise nothing
_FEWEST = 50


class Parted(NamedTuple):
    """Events in two parts that share no group."""

    train: RatioEvents
    held: RatioEvents


class Simulated(NamedTuple):
    """All simulated events of a card."""

    events: Parted  #: each with its parameters
    reference: Parted | None  #: None: the density of `events`, whatever their parameters

    @property
    def held_reference(self) -> RatioEvents:
        """Events of the reference that are held back."""
        return (self.reference or self.events).held


def read_simulated(loaded: ParameterisedCardFile) -> Simulated:
    """Read the tables of a card and part their events.

    Raises:
        InputError: as `read_events` and `events_for_ratio`; for too few events, or weights that add up to nothing.
    """
    names = [which for which in ("events", "reference") if loaded.files(which)]
    tables = [concatenate([read_table(loaded.file(f), loaded.card) for f in loaded.files(which)]) for which in names]
    for table in tables:
        check_number(table, loaded.card)
    parts = [
        Parted(*(_arrays(loaded, which, table.take(rows)) for rows in parted))
        for which, table, parted in zip(names, tables, _part(loaded, tables), strict=True)
    ]
    if parts[0].train.theta is None:
        raise InputError(
            f"{tables[0].where}: there are no columns with the parameters of each event, "
            f"{', '.join(loaded.card.parameters)}",
            code="ratio-lacks-parameters",
        )
    return Simulated(parts[0], parts[1] if len(parts) > 1 else None)


def _part(loaded: ParameterisedCardFile, tables: Sequence[Events]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Rows of every table that train and that are held back. Events of one group have one use, in both tables."""
    card, sizes = loaded.card, [len(table) for table in tables]
    keys = jax.random.split(jax.random.key(card.seed), len(tables))
    if all(table.groups is not None for table in tables):
        groups = np.concatenate([np.asarray(table.groups) for table in tables])
        split = split_events(keys[0], sum(sizes), groups, validation=card.split.held)
        held = np.zeros(sum(sizes), bool)
        held[split.validation] = True
        return [(np.flatnonzero(~one), np.flatnonzero(one)) for one in np.split(held, np.cumsum(sizes)[:-1])]
    splits = [
        split_events(key, n, table.groups, validation=card.split.held)
        for key, n, table in zip(keys, sizes, tables, strict=True)
    ]
    return [(split.train, split.validation) for split in splits]


def _arrays(loaded: ParameterisedCardFile, which: str, events: Events) -> RatioEvents:
    card, parameters = loaded.card, loaded.parameters()
    truth = card.truth
    log_ratio = truth.log_ratio if which == "events" or truth.log_ratio in events.columns else ""
    score = [truth.score.get(p.name, "") for p in parameters] if truth.score and which == "events" else []
    found = events_for_ratio(events, card.columns, parameters, log_ratio, score, tuple(card.sets.values()))
    if len(found) < _FEWEST:
        raise InputError(
            f"{events.where}: {len(found)} events of `{which}` train or are held back; at least {_FEWEST} are needed "
            "to learn or to normalise anything: simulate more, or change `split`",
            code="ratios-too-few-events",
        )
    if not found.weight.sum() > 0:
        raise InputError(
            f"{events.where}: weights of `{which}` add up to {found.weight.sum():g}; a density needs a sum above 0: "
            "look at the column `weight`",
            code="ratio-no-weight",
        )
    return found
