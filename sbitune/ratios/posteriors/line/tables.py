"""Simulations and observation of a card, out of its tables."""

from typing import NamedTuple

import jax
import numpy as np

from sbitune.data.errors import InputError, naming
from sbitune.data.events import Events
from sbitune.data.events.joining import concatenate
from sbitune.learning.splits import split_events
from sbitune.ratios.posteriors.line.card import PosteriorsCardFile
from sbitune.ratios.posteriors.simulations import Simulations, check_observation, check_pairs
from sbitune.ratios.samples import as_columns, read_table


class Tables(NamedTuple):
    """What a card names."""

    train: Simulations
    groups: np.ndarray | None  #: (n_train,) of simulations that are not independent
    held: Simulations  #: which no network sees
    observation: np.ndarray  #: (n_rows, n_columns)


def read_tables(loaded: PosteriorsCardFile) -> Tables:
    """Read simulations and observation, and hold some simulations back.

    Raises:
        InputError: as `read_events` and `check_pairs`; for simulations with weights, or an observation without rows.
    """
    card = loaded.card
    table = concatenate([read_table(loaded.file(name), card) for name in loaded.files])
    if np.any(table.weight != 1):
        raise InputError(
            f"{table.where}: the simulations have weights other than 1, and a posterior is learned from pairs that are "
            "drawn; leave the column out, or take `family: parameterised`, which learns from weighted events",
            code="posterior-weighted",
        )
    theta, x = (as_columns(table, names, np.float64) for names in (tuple(card.parameters), card.columns))
    with naming(table.where):
        pairs = check_pairs(loaded.prior, card.columns, theta, x, 0)
    split = split_events(jax.random.key(card.seed), len(table), table.groups, validation=card.checks.held)
    train, held = (Simulations(*(part[rows] for part in pairs)) for rows in (split.train, split.validation))
    groups = None if table.groups is None else np.asarray(table.groups)[split.train]
    return Tables(train, groups, held, _observation(loaded))


def _observation(loaded: PosteriorsCardFile) -> np.ndarray:
    card = loaded.card
    table: Events = read_table(loaded.file(card.observation), card)
    if not len(table):
        raise InputError(f"{table.where}: there is no observation", code="posterior-columns")
    if card.method == "npe" and len(table) > 1:
        raise InputError(
            f"{table.where}: {len(table)} rows, and npe learns the posterior of one; take nle or nre, whose "
            "likelihoods multiply, or put what belongs to one observation into one row",
            code="posterior-columns",
        )
    with naming(table.where):
        return check_observation(card.columns, as_columns(table, card.columns, np.float64))
