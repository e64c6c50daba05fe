"""Events with parameters of their own, as arrays; and the rows of events that the losses take."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.events import Events, Ragged
from sbitune.data.parameter import EDGE, Parameter, parameter_box
from sbitune.data.text.names import list_names, shorten
from sbitune.learning.keys import Keys
from sbitune.learning.loop.shuffles import permute
from sbitune.learning.rows import Rows


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
    score: np.ndarray | None = None  #: (n, n_parameters) joint score at theta, per unit of each parameter

    def __len__(self) -> int:
        return len(self.x)


def events_for_ratio(
    events: Events,
    columns: Sequence[str],
    parameters: Sequence[Parameter],
    log_ratio: str = "",
    score: Sequence[str] = (),
) -> RatioEvents:
    """Take arrays out of a table of events.

    Args:
        events: a table; where it has columns with the names of all parameters, these are theta.
        columns: those of x, of one number an event or of several.
        parameters: with the box in which the ratio is to be learned.
        log_ratio: the column with log p(x, z | theta) - log p(x, z | reference).
        score: columns with the derivative of log p(x, z | theta) by each parameter, in their order.

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
    theta = _table(events, [p.name for p in parameters], float) if have else None
    if theta is not None:
        check_in_box(events.where, parameters, theta)
    return RatioEvents(
        tuple(columns),
        _inputs(events, columns),
        tuple(parameters),
        _table(events, columns, np.float32),
        np.asarray(events.weight, float),
        theta,
        None if events.groups is None else np.asarray(events.groups),
        _table(events, [log_ratio], float)[:, 0] if log_ratio else None,
        _table(events, score, float) if score else None,
    )


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
) -> tuple[dict[str, np.ndarray], Rows]:
    """Rows of an event and an event of the reference, and which of them train and validate.

    The shorter of the two is repeated until it is as long as the other; an event that occurs k times has 1/k of its
    weight. Weights of either have the mean 1. Events of one group do not train and validate both.

    Returns:
        Arrays of rows by name, `x`, `theta`, `weight`, `x_ref` and so on; and `Rows` of one member.
    """
    keys = Keys.of(key).split(3)
    found: list[dict[str, np.ndarray]] = []
    parts = [_split(keys.take(0), events, fraction)]
    if reference is events:  # in another order, so that both validate or both train
        train, held = (rows[permute(keys.take(1).fold(i), len(rows))] for i, rows in enumerate(parts[0]))
        parts.append((train, held))
    else:
        parts.append(_split(keys.take(1), reference, fraction))
    for validates in (False, True):
        rows = [part[1 if validates else 0] for part in parts]
        n = max(map(len, rows))
        row: dict[str, np.ndarray] = {}
        for sample, chosen, end in zip((events, reference), rows, ("", "_ref"), strict=True):
            place = np.resize(chosen, n)
            row |= _fields(sample, place, end)
            times = np.bincount(place, minlength=len(sample))[place]
            row[f"weight{end}"] = _normalised(sample, sample.weight[place] / times, validates)
        found.append(row)
    n_train, n_all = (sum(len(part["x"]) for part in found[: i + 1]) for i in range(2))
    if "theta_ref" not in found[0]:  # each is given one theta of the events, for losses that pair once
        for number, row in enumerate(found):
            row["theta_ref"] = row["theta"][permute(keys.take(2).fold(number), len(row["theta"]))]
    names = [name for name in found[0] if name in found[1]]
    data = {name: np.concatenate([part[name] for part in found]).astype(np.float32) for name in names}
    return data, Rows(np.arange(n_train)[None], np.arange(n_train, n_all)[None])


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


def _fields(sample: RatioEvents, place: np.ndarray, end: str) -> dict[str, np.ndarray]:
    arrays: Mapping[str, Any] = {
        "x": sample.x, "theta": sample.theta, "log_ratio": sample.log_ratio, "score": sample.score
    }  # fmt: skip
    return {f"{name}{end}": array[place] for name, array in arrays.items() if array is not None}


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


def columns_of(
    events: Events | Mapping[str, np.ndarray] | np.ndarray, columns: Sequence[str], inputs: Sequence[str]
) -> np.ndarray:
    """X (n, n_inputs) of events by the names of columns, or of an array (n, n_inputs) in their order.

    Raises `InputError` for other columns, or a number that is not finite.
    """
    if isinstance(events, Mapping):
        events = Events.of(dict(events))
    if not isinstance(events, Events):
        x = np.asarray(events, np.float32)
        if x.ndim != 2 or x.shape[1] != len(inputs) or not np.isfinite(x).all():
            raise InputError(
                f"events have the shape {x.shape}; expected finite numbers (n, {len(inputs)}): "
                f"{list_names(dict.fromkeys(inputs))}",
                code="ratio-other-columns",
            )
        return x
    lost = [name for name in columns if name not in events.columns]
    if lost or _inputs(events, columns) != tuple(inputs):
        raise InputError(
            f"{events.where}: the ratio was learned from {list_names(dict.fromkeys(inputs))}, and these events have "
            f"{list_names(events.columns)}",
            code="ratio-other-columns",
        )
    return _table(events, columns, np.float32)


def _inputs(events: Events, columns: Sequence[str]) -> tuple[str, ...]:
    found = []
    for name in columns:
        column = events[name]
        size = 1 if isinstance(column, Ragged) else int(np.prod(column.shape[1:]))
        found += [name] if size == 1 else [f"{name}[{i}]" for i in range(size)]
    return tuple(found)


def _table(events: Events, names: Sequence[str], kind: Any) -> np.ndarray:
    """Columns side by side (n_events, n), all finite."""
    parts = []
    for name in names:
        column = events[name]
        if isinstance(column, Ragged):
            raise InputError(f"{events.where}: {shorten(name)!r} has another number of entries in every event")
        parts.append(np.asarray(column, kind).reshape(len(events), -1))
        if not np.isfinite(parts[-1]).all():
            row = int(np.argmin(np.isfinite(parts[-1]).all(axis=1)))
            raise InputError(f"{events.where}: {shorten(name)!r} is not finite at row {row}")
    if not parts:
        raise InputError(f"{events.where}: no columns were named; there are {list_names(events.columns)}")
    return np.concatenate(parts, axis=1)
