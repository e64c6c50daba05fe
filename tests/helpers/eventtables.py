"""Tables of events for tests: made at random, compared, and written as other programs write them."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import uproot
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sbitune.data.events import Events, Origin, Ragged, from_counts

NAMES = st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1, max_size=6).filter(
    lambda name: name.lower() not in ("nan", "inf", "infinity", "weight", "group")
)
TYPES = ("f4", "f8", "i4", "i8", "u1", "u8", "?")


def numbers(dtype: str, shape: Any) -> st.SearchStrategy[np.ndarray]:
    finite = {"allow_nan": False, "allow_infinity": False} if dtype.startswith("f") else {}
    return hnp.arrays(dtype, shape, elements=hnp.from_dtype(np.dtype(dtype), **finite))


@st.composite
def tables(draw: st.DrawFn, most: int = 6) -> Events:
    """A table with columns of all kinds."""
    n = draw(st.integers(1, most))
    names = draw(st.lists(NAMES, min_size=3, max_size=8, unique_by=str.lower))
    variations = names[:1] if draw(st.booleans()) else []
    flags, *rest = names[1:]
    counts = draw(hnp.arrays("i8", n, elements=st.integers(0, 3)))
    columns: dict[str, np.ndarray | Ragged] = {}
    for name in rest:
        kind = draw(st.sampled_from(["plain", "wide", "ragged"]))
        dtype = draw(st.sampled_from(TYPES[:-1] if kind == "plain" else TYPES))
        if kind == "ragged":
            columns[name] = from_counts(draw(numbers(dtype, int(counts.sum()))), counts)
        else:
            shape = (n, *draw(st.lists(st.integers(1, 3), min_size=1, max_size=2))) if kind == "wide" else (n,)
            columns[name] = draw(numbers(dtype, shape))
    weights = draw(numbers("f8", (n, 1 + len(variations)))) if draw(st.booleans()) or variations else None
    groups = draw(hnp.arrays("i8", n)) if draw(st.booleans()) else None
    origins = (Origin("a file.root", "tree", "0003", "abc"), Origin())[: draw(st.integers(1, 2))]
    return Events.of(columns, weights, ("", *variations), groups, {flags: draw(hnp.arrays(bool, n))}, origins)


def assert_equal(mine: Events, other: Events, origins: bool = True) -> None:
    """Names, order, types, shapes and numbers of two tables are the same."""
    assert list(mine.columns) == list(other.columns)
    for name in mine.columns:
        assert_same_column(mine.columns[name], other.columns[name])
    assert mine.variations == other.variations
    np.testing.assert_array_equal(mine.weights, other.weights, strict=True)
    assert (mine.groups is None) == (other.groups is None)
    if mine.groups is not None:
        np.testing.assert_array_equal(mine.groups, other.groups, strict=True)
    assert list(mine.flags) == list(other.flags)
    for name, flag in mine.flags.items():
        np.testing.assert_array_equal(flag, other.flags[name], strict=True)
    if origins:
        assert mine.origins == other.origins


def assert_same_column(mine: "np.ndarray | Ragged", other: "np.ndarray | Ragged") -> None:
    assert type(mine) is type(other)
    if isinstance(mine, Ragged) and isinstance(other, Ragged):
        np.testing.assert_array_equal(mine.content, other.content, strict=True)
        np.testing.assert_array_equal(mine.offsets, other.offsets, strict=True)
    else:
        np.testing.assert_array_equal(mine, other, strict=True)  # pyright: ignore[reportArgumentType]


def small_table() -> Events:
    """Nine events in three groups, with columns of every kind."""
    random = np.random.default_rng(3)
    counts = np.array([2, 0, 1, 3, 1, 0, 0, 2, 1])
    return Events.of(
        {
            "mass": random.uniform(2000, 5000, 9),
            "n_jets": random.integers(2, 6, 9),
            "axis": random.normal(size=(9, 3)).astype("f4"),
            "pt": from_counts(random.exponential(10, 10), counts),
            "charge": from_counts(random.choice([-1, 1], 10), counts),
        },
        random.uniform(0.5, 1.5, (9, 2)),
        ("", "MUR2"),
        np.repeat([7, 3, 9], 3),
        {"veto": np.arange(9) % 4 == 0},
        (Origin("a.root", "tree"),),
    )


def write_root(path: Path, events: Events, as_tree: bool = True) -> None:
    """Write columns, nominal weight, groups and flags as uproot does; ragged columns become jagged branches."""
    import awkward

    named: dict[str, Any] = {**events.columns, "weight": events.weight, **events.flags}
    named |= {} if events.groups is None else {"group": events.groups}
    branches = {
        name: awkward.unflatten(c.content, c.counts) if isinstance(c, Ragged) else np.ascontiguousarray(c)
        for name, c in named.items()
    }
    with uproot.recreate(path) as file:
        if as_tree:
            file.mktree("events", branches)
        else:
            file.mkrntuple("events", branches)


def write_pandas_frame(path: Path, columns: dict[str, np.ndarray]) -> None:
    """Write columns as `DataFrame.to_hdf(path, key="frame", format="fixed")` does: blocks of columns of one type."""
    with h5py.File(path, "w") as file:
        group = file.create_group("frame")
        group.attrs["pandas_type"] = np.bytes_(b"frame")
        group["axis0"] = np.array(list(columns), "S8")
        group["axis1"] = np.arange(len(next(iter(columns.values()))))
        for i, kind in enumerate(dict.fromkeys(column.dtype for column in columns.values())):
            names = [name for name, column in columns.items() if column.dtype == kind]
            group[f"block{i}_items"] = np.array(names, "S8")
            group[f"block{i}_values"] = np.stack([columns[name] for name in names], axis=1)


def write_csv(path: Path, columns: dict[str, np.ndarray], separator: str = ",") -> None:
    """Write columns as text, numbers with all their digits."""
    spelt = [
        ["true" if x is True else "false" if x is False else repr(x) for x in c.tolist()] for c in columns.values()
    ]
    lines = [separator.join(columns), *(separator.join(row) for row in zip(*spelt, strict=True))]
    path.write_text("\n".join(lines) + "\n")
