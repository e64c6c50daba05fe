"""Events with parameters of their own, as arrays; and the rows of events that the losses take."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax
import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.events import Events
from sbitune.data.parameter import EDGE, Parameter, parameter_box
from sbitune.data.text.names import list_names
from sbitune.learning.keys import Keys
from sbitune.learning.loop.shuffles import permute
from sbitune.learning.rows import Rows
from sbitune.learning.sets.ragged import RaggedRows
from sbitune.ratios.parameterised.inputs import SetNames, X, join_inputs, name_inputs, pick_events, sets_of, table_of


@dataclass(frozen=True, eq=False)
class RatioEvents:
    """Events x of p(x | theta), each with its theta; of a reference theta may be missing.

    What the simulator knows of an event beyond x, its history z, is kept where a loss needs it: the joint ratio
    p(x, z | theta) / p(x, z | reference) and the joint score, the derivatives of log p(x, z | theta) by theta.
    """

    columns: tuple[str, ...]  #: names of the columns of x
    inputs: tuple[
        str, ...
    ]  #: (n_inputs,) names of the numbers that these hold, `p[0]` and so on where one holds several
    parameters: tuple[Parameter, ...]  #: with the box in which the ratio is learned
    x: np.ndarray  #: (n, n_inputs)
    weight: np.ndarray  #: (n,) of either sign
    theta: np.ndarray | None = None  #: (n, n_parameters)
    groups: np.ndarray | None = None  #: (n,) events of one number are not independent
    log_ratio: np.ndarray | None = None  #: (n,) log of the joint ratio at theta
    #: (n, n_parameters) joint score at theta, per unit of each parameter; NaN where the simulator does not tell
    score: np.ndarray | None = None
    sets: tuple[RaggedRows, ...] = ()  #: particles of every kind
    set_columns: SetNames = ()  #: names of their columns, which stand behind those of x in `inputs`

    def __len__(self) -> int:
        return len(self.x)

    @property
    def given(self) -> X:
        """What networks are given: x, beside sets if there are any."""
        return join_inputs(self.x, self.sets)

    def take(self, rows: np.ndarray) -> "RatioEvents":
        """Some of the events."""
        arrays = ("x", "weight", "theta", "groups", "log_ratio", "score")
        have = {name: getattr(self, name) for name in arrays if getattr(self, name) is not None}
        sets = tuple(kind.pick(rows) for kind in self.sets)
        return replace(self, sets=sets, **{name: array[rows] for name, array in have.items()})


def events_for_ratio(
    events: Events,
    columns: Sequence[str],
    parameters: Sequence[Parameter],
    log_ratio: str = "",
    score: Sequence[str] = (),
    sets: Sequence[Sequence[str]] = (),
) -> RatioEvents:
    """Take arrays out of a table of events.

    Args:
        events: a table; where it has columns with the names of all parameters, these are theta.
        columns: those of x, of one number an event or of several; with sets there may be none.
        parameters: with the box in which the ratio is to be learned.
        log_ratio: the column with log p(x, z | theta) - log p(x, z | reference).
        score: columns with the derivative of log p(x, z | theta) by each parameter, in their order; an empty name for
            a parameter of which the simulator does not tell it.
        sets: ragged columns of particles, for each kind of particles those of one number of entries.

    Raises:
        InputError: an unknown column, one that is ragged or not finite, theta outside the box, or no event.
    """
    if not len(events):
        raise InputError(f"{events.where}: there are no events")
    have = [p.name for p in parameters if p.name in events.columns]
    if have and len(have) < len(parameters):
        lost = next(p.name for p in parameters if p.name not in have)
        raise InputError(f"{events.where}: there is no column {lost!r} for the parameter, though there is {have[0]!r}")
    if score and len(score) != len(parameters):
        raise InputError(f"{events.where}: {len(score)} columns of the score for {len(parameters)} parameters")
    theta = table_of(events, [p.name for p in parameters], float) if have else None
    if theta is not None:
        check_in_box(events.where, parameters, theta)
    kinds = tuple(map(tuple, sets))
    return RatioEvents(
        tuple(columns),
        name_inputs(events, columns, kinds),
        tuple(parameters),
        table_of(events, columns, np.float32, not kinds),
        np.asarray(events.weight, float),
        theta,
        None if events.groups is None else np.asarray(events.groups),
        table_of(events, [log_ratio], float)[:, 0] if log_ratio else None,
        _scores(events, score) if score else None,
        sets_of(events, kinds),
        kinds,
    )


def _scores(events: Events, names: Sequence[str]) -> np.ndarray:
    unknown = np.full((len(events), 1), np.nan)
    return np.concatenate([table_of(events, [name], float) if name else unknown for name in names], axis=1)


def check_in_box(
    where: str,
    parameters: Sequence[Parameter],
    theta: np.ndarray,
    code: str = "ratio-outside-box",
    remedy: str = "widen the range, or leave such events out",
) -> None:
    """Raise `InputError` if theta (n, n_parameters) is outside the box, with the row."""
    centre, half = parameter_box(parameters)
    bad = ~(np.abs((theta - centre) / half) <= 1 + EDGE)
    if bad.any():
        row, i = np.unravel_index(int(np.argmax(bad)), bad.shape)
        p = parameters[int(i)]
        raise InputError(
            f"{where}: {p.name} is {theta[row, i]:g} at row {row}, outside its range of {p.low:g} to {p.high:g}; "
            f"{remedy}",
            code=code,
        )


def check_alike(events: RatioEvents, reference: RatioEvents) -> None:
    """Raise `InputError` if events have no theta, or the reference other columns or parameters."""
    if events.theta is None:
        raise InputError("the events have no columns with their parameters; a ratio is learned from events at many")
    same = (events.inputs, events.set_columns) == (reference.inputs, reference.set_columns)
    if not same or events.parameters != reference.parameters:
        raise InputError(
            f"the reference has the columns {list_names(dict.fromkeys(reference.columns))}, the events "
            f"{list_names(dict.fromkeys(events.columns))}; both need the same, and the same parameters",
            code="ratio-other-columns",
        )


def assemble(
    key: jax.Array, events: RatioEvents, reference: RatioEvents, fraction: float
) -> tuple[dict[str, Any], Rows]:
    """Rows of an event and an event of the reference, and which of them train and validate.

    The shorter of the two is repeated until it is as long as the other; an event that occurs k times has 1/k of its
    weight. Weights of either have the mean 1. Events of one group do not train and validate both.

    Returns:
        Arrays of rows by name, `theta`, `weight`, `theta_ref` and so on, with `x` and `x_ref` as `RatioEvents.given`;
        and `Rows` of one member.
    """
    keys = Keys.of(key).split(3)
    parts = [_split(keys.take(0), events, fraction)]
    if reference is events:  # in another order, so that both validate or both train
        train, held = (rows[permute(keys.take(1).fold(i), len(rows))] for i, rows in enumerate(parts[0]))
        parts.append((train, held))
    else:
        parts.append(_split(keys.take(1), reference, fraction))
    n_train, n_held = (max(len(part[i]) for part in parts) for i in range(2))
    places = [(np.resize(train, n_train), np.resize(held, n_held)) for train, held in parts]
    data = _rows(events, reference, places, ("train", "validate"))
    rows = np.arange(n_train), np.arange(n_train, n_train + n_held)
    if "theta_ref" not in data:  # each is given one theta of the events, for losses that pair once
        shuffled = [index[permute(keys.take(2).fold(i), len(index))] for i, index in enumerate(rows)]
        data["theta_ref"] = data["theta"][np.concatenate(shuffled)]
    return data, Rows(*(index[None] for index in rows))


class Paired(NamedTuple):
    """All events of two samples in rows, and which of these are not independent."""

    data: dict[str, Any]  #: as those of `assemble`
    size: int  #: rows that are computed together: pairs are made among them
    units: tuple[np.ndarray, np.ndarray]  #: (n_rows,) number of the event or group, of either sample
    n_units: int

    @property
    def weights(self) -> tuple[np.ndarray, np.ndarray]:
        """(n_rows,) of either sample."""
        return self.data["weight"], self.data["weight_ref"]


def pair_all(key: jax.Array, events: RatioEvents, reference: RatioEvents, most: int, least: int) -> Paired:
    """Rows as `assemble` makes them, of all events: filled up with the first, so that they part into equal sizes.

    Args:
        key: draws the order.
        events, reference: two samples, or one for both.
        most: rows that are computed together, at most.
        least: the same, at least.
    """
    longer = max(len(events), len(reference))
    size = min(most, max(least, 1 << (longer - 1).bit_length() - 2))
    n = -(-longer // size) * size
    keys, samples = Keys.of(key), (events, reference)
    places = [np.resize(permute(keys.fold(i), len(sample)), n) for i, sample in enumerate(samples)]
    data = _rows(events, reference, [(place,) for place in places], ("combine",))
    if "theta_ref" not in data:
        data["theta_ref"] = np.roll(data["theta"], 1, axis=0)
    units, n_units = [], 0
    for sample, place in zip(samples, places, strict=True):
        of_event, n_own = _groups(sample)
        first = 0 if reference is events else n_units
        units.append(first + of_event[place])
        n_units = first + n_own
    return Paired(data, size, (units[0], units[1]), n_units)


def _rows(
    events: RatioEvents,
    reference: RatioEvents,
    places: Sequence[tuple[np.ndarray, ...]],
    uses: tuple[str, ...],
) -> dict[str, Any]:
    """Rows of events and of the reference, for one use after the other; an event that occurs k times for one has 1/k of
    its weight.
    """
    data: dict[str, Any] = {}
    for sample, of_uses, end in zip((events, reference), places, ("", "_ref"), strict=True):
        data |= _fields(sample, np.concatenate(of_uses), end)
        weights = []
        for place, use in zip(of_uses, uses, strict=True):
            times = np.bincount(place, minlength=len(sample))[place]
            weights.append(_normalised(sample.weight[place] / times, use))
        data[f"weight{end}"] = np.concatenate(weights).astype(np.float32)
    return data


def _groups(sample: RatioEvents) -> tuple[np.ndarray, int]:
    """(n,) numbers of groups from 0, and how many these are; without groups every event is one."""
    if sample.groups is None:
        return np.arange(len(sample)), len(sample)
    groups = np.unique(sample.groups, return_inverse=True)[1].reshape(-1)
    return groups, int(groups.max()) + 1


def _split(keys: Keys, sample: RatioEvents, fraction: float) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of events that train and that validate, in random order."""
    groups, n = _groups(sample)
    if n < 2:
        raise InputError(f"{len(sample)} events of {n} group cannot train and validate; two groups are the least")
    order = permute(keys, n)
    held = np.zeros(n, bool)
    held[order[: min(max(1, round(fraction * n)), n - 1)]] = True
    rows = permute(keys.fold(1), len(sample))
    validates = held[groups[rows]]
    return rows[~validates], rows[validates]


def _fields(sample: RatioEvents, place: np.ndarray, end: str) -> dict[str, Any]:
    arrays = {"theta": sample.theta, "log_ratio": sample.log_ratio, "score": sample.score}
    found = {f"{name}{end}": array[place].astype(np.float32) for name, array in arrays.items() if array is not None}
    return {f"x{end}": pick_events(sample.given, place), **found}


def _normalised(weight: np.ndarray, which: str) -> np.ndarray:
    total = weight.sum()
    if not total > 0:
        raise InputError(
            f"the weights of {len(weight)} events that {which} sum to {total:g}: nothing is normalised to that; give "
            "more events",
            code="ratio-no-weight",
        )
    return weight * (len(weight) / total)
