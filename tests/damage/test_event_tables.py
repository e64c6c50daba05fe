"""Damaged tables of events: cut, bytes lost, doubled or another. Each is refused with one message that begins with the
file, or read as it stands there.
"""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from helpers.damaging import damaged, each_damage, outcome
from helpers.eventtables import assert_equal, small_table, write_csv, write_root
from hypothesis import HealthCheck, given, settings

from sbitune.data.events import Events, Ragged, read_events, write_events


def text(path: Path, events: Events) -> None:
    write_csv(path, {name: events[name] for name in ("mass", "n_jets", "veto", "weight", "group")})  # pyright: ignore


def datasets(path: Path, events: Events) -> None:
    with h5py.File(path, "w") as file:
        for name, column in events.columns.items():
            file[name] = column.content if isinstance(column, Ragged) else column
            if isinstance(column, Ragged):
                file[f"{name}.offsets"] = column.offsets


KINDS: dict[str, Callable[[Path, Events], None]] = {
    "a.csv": text,
    "a.npz": write_events,
    "a.parquet": write_events,
    "a.h5": datasets,
    "a.root": write_root,
}
#: of which a hash or a checksum tells damage
CHECKED = ("a.npz",)


def check(path: Path, content: bytes, whole: Events) -> None:
    path.write_bytes(content)
    message, found = outcome(read_events, path)
    if found is None:
        assert message.startswith(f"{path}:")
        assert "\n" not in message
    elif path.name in CHECKED:
        assert_equal(found, whole, origins=False)
    else:
        assert len(found) <= len(whole)
        assert np.isfinite(found.weights).all()


@pytest.mark.parametrize("name", KINDS)
def test_every_cut_is_one_message(tmp_path, name):
    path = tmp_path / name
    KINDS[name](path, small_table())
    whole, content = read_events(path), path.read_bytes()
    for length in range(0, len(content) - 1, max(1, len(content) // 40)):
        check(path, content[:length], whole)


def test_every_damage_of_a_text(tmp_path):
    path = tmp_path / "a.csv"
    text(path, small_table().take(slice(0, 3)))
    whole, content = read_events(path), path.read_bytes()
    for other in each_damage(content, b"0,\n", step=8):
        path.write_bytes(other)
        message, found = outcome(read_events, path)
        assert message.startswith(f"{path}:") or len(found) <= len(whole) + 1


@pytest.mark.parametrize("name", ["a.npz", "a.parquet"])
def test_damage_is_one_message(tmp_path, name):
    path = tmp_path / name
    KINDS[name](path, small_table())
    whole, content = read_events(path), path.read_bytes()

    @settings(
        max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(damaged(content))
    def try_one(other: bytes) -> None:
        check(path, other, whole)

    try_one()


def test_a_damaged_page_of_parquet_is_told(tmp_path):
    """Numbers that changed on disk are no other numbers: the checksum of their page is compared."""
    path = tmp_path / "a.parquet"
    events = Events.of({"x": np.random.default_rng(1).normal(size=1000)})
    write_events(path, events)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    message, _ = outcome(read_events, path)
    assert message.startswith(f"{path}: not a whole table of events")
