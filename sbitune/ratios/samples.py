"""Simulated events as networks take them: columns in one order, weights, and what each is used for."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.events import Events, Ragged, TableRequest, read_events
from sbitune.learning.splits import split_events
from sbitune.ratios.card import Card, RatiosCardFile
from sbitune.ratios.sections import InterpolatedConfig, LearnedConfig

Role = Literal["train", "validation", "held", "calibration"]
#: the last is only there if a card asks for it
ROLES: tuple[Role, ...] = ("train", "validation", "held", "calibration")
#: fewer events of a sample teach nothing, and fewer effective ones calibrate nothing
_FEWEST, _CALIBRATE = 100, 100.0


class Simulated(NamedTuple):
    """Events of one sample."""

    name: str  #: in messages
    x: np.ndarray  #: (n_events, n_columns) float32
    weights: np.ndarray  #: (n_events,) float64, of both signs
    role: np.ndarray  #: (n_events,) number of the use in `ROLES`
    value: float = 0.0  #: of the nuisance parameter, of events that are varied

    def of(self, role: Role) -> "Simulated":
        """The events that are there for something."""
        rows = np.flatnonzero(self.role == ROLES.index(role))
        return self._replace(x=self.x[rows], weights=self.weights[rows], role=self.role[rows])

    @property
    def negative(self) -> float:
        """Part of the weight that is negative: that of negative weights over that of all, without their signs."""
        return float(-self.weights[self.weights < 0].sum() / np.abs(self.weights).sum())

    @property
    def effective(self) -> float:
        """Events of weight 1 that say as much: (sum of weights)^2 / sum of squares."""
        return float(self.weights.sum() ** 2 / np.sum(self.weights**2))


class Samples(NamedTuple):
    """All simulated events of a card."""

    nominal: dict[str, Simulated]  #: by sample
    varied: dict[tuple[str, str], tuple[Simulated, ...]]  #: by sample and nuisance parameter, of rising values


def read_table(path: Path, card: Any, selected: bool = True) -> Events:
    """Read a table of events, with the columns that the card derives, and of it what the card selects, or all."""
    events = read_events(path, TableRequest())
    if card.derive:
        events = events.derive(card.derive, "derive")
    return events.select(card.select, "select") if card.select and selected else events


def as_columns(events: Events, columns: Sequence[str], kind: Any = np.float32) -> np.ndarray:
    """(n_events, n_columns), in single precision unless told otherwise.

    Raises `InputError` for a column that is not there, or not one number for each.
    """
    found = []
    for name in columns:
        column = events[name]
        if isinstance(column, Ragged) or column.ndim != 1:
            raise InputError(
                f"{events.where}: column {name!r} has several numbers for an event; derive columns of one number each",
                code="ratios-column-ragged",
            )
        found.append(column)
    return np.stack(found, axis=1).astype(kind)


def read_samples(loaded: RatiosCardFile) -> Samples:
    """Read all samples of a card, and part their events.

    Raises:
        InputError: as `read_events`; for too few events, weights that add up to nothing, varied events that are the
            nominal ones.
    """
    card = loaded.card
    tables: list[tuple[str, str | None, float, Events]] = []
    for name, sample in card.samples.items():
        tables.append((name, None, 0.0, read_table(loaded.file(sample.events), card)))
        for nuisance, response in sample.responses.items():
            for value, file in varied_files(response):
                tables.append((name, nuisance, value, read_table(loaded.file(file), card)))
    for *_, events in tables:
        check_number(events, card)
    roles = _part([events for *_, events in tables], card)
    nominal: dict[str, Simulated] = {}
    varied: dict[tuple[str, str], tuple[Simulated, ...]] = {}
    for (name, nuisance, value, events), role in zip(tables, roles, strict=True):
        one = Simulated(events.where, as_columns(events, card.columns), events.weight, role, value)
        _check(one)
        if nuisance is None:
            nominal[name] = one
            _check_calibration(one, card)
        else:
            _check_moved(nominal[name], one, nuisance)
            for other in varied.get((name, nuisance), ()):
                _check_apart(other, one, nuisance)
            both = (*varied.get((name, nuisance), ()), one)
            varied[name, nuisance] = tuple(sorted(both, key=lambda sample: sample.value))
    return Samples(nominal, varied)


def varied_files(response: LearnedConfig | InterpolatedConfig) -> list[tuple[float, str]]:
    """Values of a nuisance parameter, and the files of their events."""
    if isinstance(response, LearnedConfig):
        return [(sample.value, sample.events) for sample in response.samples]
    return [(-1.0, response.down), (1.0, response.up)]


def _part(tables: Sequence[Events], card: Card) -> list[np.ndarray]:
    """What every event is used for, as numbers of `ROLES`. Events of one group have one use, in whatever tables: a
    nominal event and the same one varied must not be on both sides of a split.
    """
    keys = jax.random.split(jax.random.key(card.seed), len(tables) + 1)
    found: dict[int, np.ndarray] = {}
    grouped = [i for i, table in enumerate(tables) if table.groups is not None]
    if grouped:
        ids = [np.asarray(tables[i].groups) for i in grouped]
        roles = _roles(keys[-1], np.concatenate(ids), len(np.concatenate(ids)), card)
        found = dict(zip(grouped, np.split(roles, np.cumsum([len(one) for one in ids])[:-1]), strict=True))
    return [found[i] if i in found else _roles(keys[i], None, len(table), card) for i, table in enumerate(tables)]


def _roles(key: jax.Array, groups: np.ndarray | None, n: int, card: Card) -> np.ndarray:
    parts = card.split
    apart = parts.held if card.calibration == "none" else parts.held + parts.calibration
    split = split_events(key, n, groups, validation=parts.validation, calibration=apart)
    roles = np.empty(n, np.int64)
    for number, rows in enumerate((split.train, split.validation, split.calibration)):
        roles[rows] = number
    if card.calibration != "none":
        rows, share = split.calibration, parts.calibration / apart
        own = None if groups is None else np.asarray(groups)[rows]
        again = split_events(jax.random.fold_in(key, 1), len(rows), own, validation=share)
        roles[rows[again.validation]] = ROLES.index("calibration")
    return roles


def check_number(events: Events, card: Any) -> None:
    """Raise `InputError` for too few events."""
    if len(events) < _FEWEST:
        of = f" that are selected by {card.select!r}" if card.select else ""
        raise InputError(
            f"{events.where}: {len(events)} events{of}; at least {_FEWEST} are needed to learn anything: simulate more",
            code="ratios-too-few-events",
        )


def _check(sample: Simulated) -> None:
    counts = np.bincount(sample.role, minlength=len(ROLES))
    if counts[:3].min() < _FEWEST // 5:
        raise InputError(
            f"{sample.name}: of {len(sample.x)} events {counts[0]} train, {counts[1]} validate and {counts[2]} are "
            f"held back; {_FEWEST // 5} are needed for each: simulate more, or change `split`",
            code="ratios-too-few-events",
        )
    for role in ROLES:
        part = sample.of(role)
        if role == "calibration" and not len(part.x):
            continue
        if not part.weights.sum() > 0:
            raise InputError(
                f"{sample.name}: weights add up to {part.weights.sum():g} (of the events that are there for "
                f"{role}); a density needs a sum above 0: look at the column `weight`",
                code="ratios-no-weight",
            )


def _check_calibration(sample: Simulated, card: Card) -> None:
    if card.calibration == "none" or len(card.samples) == 1:
        return
    effective = sample.of("calibration").effective
    if effective < _CALIBRATE:
        raise InputError(
            f"{sample.name}: {effective:.0f} effective events are there for the {card.calibration} calibration, and "
            f"{_CALIBRATE:.0f} are needed of every sample: simulate more, raise `split.calibration` "
            f"({card.split.calibration:g}), or say `calibration: none`",
            code="calibration-few-events",
        )


def _check_apart(one: Simulated, other: Simulated, nuisance: str) -> None:
    if np.array_equal(one.x, other.x) and np.array_equal(one.weights, other.weights):
        raise InputError(
            f"{other.name}: events at {nuisance} = {other.value:g} are those of {one.name} at {one.value:g}; give "
            "events that were simulated there; a `learned` response takes those of one side alone",
            code="ratios-response-alike",
        )


def _check_moved(nominal: Simulated, varied: Simulated, nuisance: str) -> None:
    if np.array_equal(nominal.x, varied.x) and np.array_equal(nominal.weights, varied.weights):
        raise InputError(
            f"{varied.name}: events at {nuisance} = {varied.value:g} are those of {nominal.name}; give events that "
            "were simulated there, or take the response away",
            code="ratios-response-alike",
        )
