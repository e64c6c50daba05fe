"""Events as named arrays, for formats that hold such: npz, HDF5, Parquet; and where they come from as text."""

import json
from collections.abc import Mapping, Sequence

import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.events.events import Column, Events
from sbitune.data.events.origins import Origin
from sbitune.data.events.ragged import Ragged
from sbitune.data.events.roles import GROUP, OFFSETS, weight_name


def named_arrays(events: Events) -> dict[str, Column]:
    """All of a table under the names of `sbitune.data.events.roles`; weights that are 1 without being stored are left
    out.
    """
    arrays: dict[str, Column] = dict(events.columns)
    if any(events.weights.strides) or len(events.variations) > 1 or (events.weights[:1] != 1).any():
        arrays |= {weight_name(variation): events.weights[:, i] for i, variation in enumerate(events.variations)}
    arrays |= {} if events.groups is None else {GROUP: events.groups}
    return arrays | dict(events.flags)


def flat_arrays(events: Events) -> dict[str, np.ndarray]:
    """The same with ragged columns as two arrays, `NAME` and `NAME.offsets`."""
    flat: dict[str, np.ndarray] = {}
    for name, column in named_arrays(events).items():
        if name.endswith(OFFSETS):
            raise InputError(f"{events.where}: a column cannot be called {name!r} in this format; rename it")
        flat[name] = column.content if isinstance(column, Ragged) else column
        if isinstance(column, Ragged):
            flat[name + OFFSETS] = column.offsets
    return flat


def columns_of(arrays: Mapping[str, np.ndarray]) -> dict[str, Column]:
    """Columns of arrays, ragged ones of `NAME` and `NAME.offsets`. Raises `InputError` for offsets that are none."""
    columns: dict[str, Column] = {}
    for name, array in arrays.items():
        plain = name.removesuffix(OFFSETS)
        if plain != name and plain not in arrays:
            raise InputError(f"there are offsets {name!r}, but no array {plain!r}")
        if plain != name:
            continue
        try:
            columns[name] = Ragged(array, arrays[name + OFFSETS]) if name + OFFSETS in arrays else array
        except InputError as error:
            raise InputError(f"column {name!r}: {error}") from error
    return columns


def origins_text(origins: Sequence[Origin]) -> str:
    """Origins as JSON."""
    return json.dumps([origin._asdict() for origin in origins])


def origins_from(text: str) -> tuple[Origin, ...]:
    """Origins from `origins_text`. Raises `InputError` if it is no such text."""
    try:
        origins = tuple(Origin(**item) for item in json.loads(text))
    except (ValueError, TypeError, RecursionError) as error:
        raise InputError("what it says of where its events come from cannot be read; make the file again") from error
    if not all(isinstance(word, str) for origin in origins for word in origin):
        raise InputError("what it says of where its events come from is no text; make the file again")
    return origins
