"""`sbitune convert` of tables of events."""

import json

import h5py
import numpy as np
import pytest
from helpers.calling import call
from helpers.eventtables import assert_equal, small_table, write_csv, write_root

from sbitune.data.events import Events, TableRequest, read_events, write_events
from sbitune.data.storage.arrays import write_arrays


@pytest.fixture
def events():
    return small_table()


def test_root_becomes_parquet_with_what_was_asked_for(tmp_path, events):
    source, target = tmp_path / "a.root", tmp_path / "a.parquet"
    write_root(source, events)
    condition = "mass > 3e3 & ~veto & n_jets < 5 & weight > 0.6"  # of a column that is not kept, too
    said = call("convert", source, target, "--columns", "mass, pt", "--select", condition)
    chosen = events.select(condition)
    assert 0 < len(chosen) < len(events)
    expected = Events.of({n: chosen[n] for n in ("mass", "pt")}, chosen.weight, ("",), chosen.groups, chosen.flags)
    assert_equal(read_events(target), expected, origins=False)
    assert f"kept: {len(chosen)} of 9 events" in said.stderr
    assert read_events(target).origins[0].file == str(source)


def test_a_table_is_listed(tmp_path, events):
    write_root(tmp_path / "a.root", events)
    found = json.loads(call("ls", tmp_path / "a.root", "--json").stdout)
    assert found["events"] == 9
    assert found["columns"] | {"pt": "float64, ragged", "axis": "float32 of the shape (3,)"} == found["columns"]


def test_every_format_becomes_parquet(tmp_path, events):
    plain = Events.of({"mass": events["mass"]}, events.weight, ("",), events.groups, events.flags)
    arrays = {"mass": events["mass"], "weight": events.weight, "group": events.groups, "veto": events["veto"]}
    write_csv(tmp_path / "a.csv", arrays)  # pyright: ignore
    write_arrays(tmp_path / "a.npz", arrays)
    write_events(tmp_path / "b.parquet", plain)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name, array in arrays.items():
            file[name] = array
    for source in ("a.csv", "a.npz", "a.h5", "b.parquet"):
        call("convert", tmp_path / source, tmp_path / "out.parquet")
        assert_equal(read_events(tmp_path / "out.parquet"), plain, origins=False)
    call("convert", tmp_path / "out.parquet", tmp_path / "back.npz")
    assert_equal(read_events(tmp_path / "back.npz"), plain, origins=False)


def test_roles_are_named(tmp_path):
    source, target = tmp_path / "a.csv", tmp_path / "a.parquet"
    source.write_text("x,w,up,event,signal\n1.5,1,2,7,0\n2.5,2,3,7,1\n")
    call("convert", source, target, "--weights", "w,up", "--groups", "event", "--flags", "signal")
    found = read_events(target)
    assert found.variations == ("", "up")
    np.testing.assert_array_equal(found.weights, [[1, 2], [2, 3]])
    assert list(found.groups) == [7, 7]  # pyright: ignore
    assert list(found.flags["signal"]) == [False, True]
    assert list(found.columns) == ["x"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--columns", "mas"), "a.root: there is no column 'mas'; the nearest are mass"),
        (("--select", "mas > 1"), "--select: 'mas' in the expression 'mas > 1' is not known; the nearest are mass"),
        (("--select", "mass"), "--select: 'mass' selects no events; expected a condition"),
        (("--table", "event"), "a.root: there is no tree or RNTuple 'event'; the nearest are events"),
        (("--weights", "pt"), "a.root: weight 'pt' is float64, ragged; expected a number per event"),
    ],
)
def test_what_is_wrong_is_one_message_and_nothing_is_written(tmp_path, events, words, message):
    write_root(tmp_path / "a.root", events)
    assert message in call("convert", tmp_path / "a.root", tmp_path / "b.parquet", *words, code=2).stderr
    assert not (tmp_path / "b.parquet").exists()


def test_what_a_table_cannot_become(tmp_path, events):
    write_events(tmp_path / "a.parquet", events)
    said = call("convert", tmp_path / "a.parquet", tmp_path / "a.root", code=2).stderr
    assert "it can become parquet, npz, hdf5, csv" in said or "the name must end in" in said
    said = call("convert", tmp_path / "a.parquet", tmp_path / "a.csv", code=2).stderr
    assert "a.csv: the column 'axis' has (3,) numbers" in said
    assert said.endswith(" [table-not-in-format]\n")
    (tmp_path / "a.parquet").write_bytes((tmp_path / "a.parquet").read_bytes()[:100])
    said = call("convert", tmp_path / "a.parquet", tmp_path / "b.npz", code=2).stderr
    assert "a.parquet: not a whole table of events" in said


def test_arrays_become_arrays_and_text(tmp_path):
    (tmp_path / "a.dat").write_text("x y\n1.5 2\n2.5 3\n")
    before = tmp_path / "a.dat"
    for name in ("b.npz", "c.h5", "d.csv", "e.hdf5", "f.tsv", "g.npz", "h.csv.gz"):
        made = json.loads(call("convert", before, tmp_path / name, "--json").stdout)
        assert (made["from"], made["events"], made["columns"]) == ("events", 2, 2)
        before = tmp_path / name
        assert json.loads(call("ls", before, "--json").stdout)["columns"] == {"x": "float64", "y": "int64"}
    assert (tmp_path / "d.csv").read_text() == "x,y\n1.5,2\n2.5,3\n"


def test_numbers_that_are_not_finite_are_kept_if_asked(tmp_path):
    source, target = tmp_path / "a.csv", tmp_path / "a.parquet"
    source.write_text("x\n1\nnan\n")
    assert "a.csv: 'x' is nan at row 1" in call("convert", source, target, code=2).stderr
    call("convert", source, target, "--not-finite", "keep", "--select", "isfinite(x)")
    assert list(read_events(target, TableRequest())["x"]) == [1.0]


def test_a_table_without_events_stays_one(tmp_path, events):
    write_events(tmp_path / "a.parquet", events.take(slice(0, 0)))
    call("convert", tmp_path / "a.parquet", tmp_path / "b.parquet")
    assert_equal(read_events(tmp_path / "b.parquet"), events.take(slice(0, 0)))
