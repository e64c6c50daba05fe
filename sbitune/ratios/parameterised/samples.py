"""Events with parameters of their own, as arrays; and the rows of events that the losses take."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.events import Events
from sbitune.data.parameter import EDGE, Parameter, parameter_box
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
    data: dict[str, Any] = {}
    for sample, (train, held), end in zip((events, reference), parts, ("", "_ref"), strict=True):
        places = np.resize(train, n_train), np.resize(held, n_held)
        data |= _fields(sample, np.concatenate(places), end)
        weights = []
        for place, validates in zip(places, (False, True), strict=True):
            times = np.bincount(place, minlength=len(sample))[place]
            weights.append(_normalised(sample, sample.weight[place] / times, validates))
        data[f"weight{end}"] = np.concatenate(weights).astype(np.float32)
    rows = np.arange(n_train), np.arange(n_train, n_train + n_held)
    if "theta_ref" not in data:  # each is given one theta of the events, for losses that pair once
        shuffled = [index[permute(keys.take(2).fold(i), len(index))] for i, index in enumerate(rows)]
        data["theta_ref"] = data["theta"][np.concatenate(shuffled)]
    return data, Rows(*(index[None] for index in rows))


def _split(keys: Keys, sample: RatioEvents, fraction: float) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of events that train and that validate, in random order."""
    groups = np.arange(len(sample)) if sample.groups is None else np.unique(sample.groups, return_inverse=True)[1]
    n = int(groups.max()) + 1
    if n < 2:
        raise InputError(f"{len(sample)} events of {n} group cannot train and validate; two groups are the least")
    order = permute(keys, n)
    held = np.zeros(n, bool)
    held[order[: min(max(1, round(fraction * n)), n - 1)]] = True
    rows = permute(keys.fold(1), len(sample))
    validates = held[groups.reshape(-1)[rows]]
    return rows[~validates], rows[validates]


def _fields(sample: RatioEvents, place: np.ndarray, end: str) -> dict[str, Any]:
    arrays = {"theta": sample.theta, "log_ratio": sample.log_ratio, "score": sample.score}
    found = {f"{name}{end}": array[place].astype(np.float32) for name, array in arrays.items() if array is not None}
    return {f"x{end}": pick_events(sample.given, place), **found}


def _normalised(sample: RatioEvents, weight: np.ndarray, validates: bool) -> np.ndarray:
    total = weight.sum()
    if not total > 0:
        which = "validate" if validates else "train"
        raise InputError(
            f"the weights of {len(weight)} events that {which} sum to {total:g}: nothing is normalised to that; give "
            "more events",
            code="ratio-no-weight",
        )
    return weight * (len(weight) / total)
