"""Every format of tables of events becomes every other that can be written; what cannot be is one error."""

from itertools import product

import numpy as np
import pytest
from helpers.eventtables import NAMES, assert_equal, numbers, small_table, write_root
from helpers.faults import refused
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sbitune.data.events import Events, TableRequest, read_events, write_events
from sbitune.data.events.tables.converting import convert_table
from sbitune.data.events.tables.reading import WRITTEN, describe_table
from sbitune.data.formats.recognition import recognise

#: one of the ends of each format
FORMATS = (".parquet", ".npz", ".h5", ".csv", ".tsv.gz")
FEW = settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def plain_tables(draw: st.DrawFn) -> Events:
    """Tables that every format holds: one number of a wide kind for each event and column."""
    n = draw(st.integers(1, 4))
    names = draw(st.lists(NAMES, min_size=4, max_size=4, unique_by=str.lower))
    kinds = draw(st.lists(st.sampled_from(["f8", "i8"]), min_size=2, max_size=2))
    columns = {name: draw(numbers(kind, n)) for name, kind in zip(names, kinds, strict=False)}
    weights = draw(numbers("f8", (n, 2)))
    flag = draw(numbers("?", n))
    return Events.of(columns, weights, ("", names[2]), draw(numbers("i8", n)), {names[3]: flag})


def test_all_that_is_written_is_tried():
    assert {format_end for format_end in WRITTEN if format_end in FORMATS} == set(FORMATS)


@pytest.mark.parametrize(("source", "target"), list(product(FORMATS, FORMATS)))
def test_every_pair(tmp_path, source, target):
    @FEW
    @given(plain_tables())
    def check(events):
        first, second = tmp_path / f"a{source}", tmp_path / f"b{target}"
        write_events(first, events)
        assert recognise(first) == "events"
        made = convert_table(first, second, TableRequest())
        assert (made.events, made.read, made.weights, made.flags) == (len(events), len(events), 2, 1)
        assert_equal(read_events(second), events, origins=False)

    check()


@pytest.mark.parametrize("target", [".parquet", ".npz", ".h5"])
def test_root_and_columns_of_every_kind(tmp_path, target):
    events = small_table()
    write_root(tmp_path / "a.root", events)
    convert_table(tmp_path / "a.root", tmp_path / f"b{target}", TableRequest())
    expected = Events.of(dict(events.columns), events.weight, ("",), events.groups, events.flags)
    assert_equal(read_events(tmp_path / f"b{target}").only(list(events.columns)), expected, origins=False)
    assert read_events(tmp_path / f"b{target}").origins[0].file == str(tmp_path / "a.root")


@pytest.mark.parametrize("value", [2**63 - 1, -(2**63), 2**53 + 1])
def test_whole_numbers_keep_their_digits_as_text(tmp_path, value):
    write_events(tmp_path / "a.csv", Events.of({"n": np.array([1, value])}))
    assert read_events(tmp_path / "a.csv")["n"].tolist() == [1, value]  # pyright: ignore
    large = Events.of({"n": np.array([1, 2**64 - 1], "u8")})
    write_events(tmp_path / "b.csv", large)
    assert_equal(read_events(tmp_path / "b.csv"), large, origins=False)
    (tmp_path / "c.csv").write_text(f"n\n{2**64}\n1\n")
    assert read_events(tmp_path / "c.csv")["n"].tolist() == [2.0**64, 1.0]  # pyright: ignore


def test_kinds_of_whole_numbers_in_blocks_of_one_column(tmp_path, monkeypatch):
    monkeypatch.setattr("sbitune.data.events.tables.csv_table._LINES", 2)
    path = tmp_path / "a.csv"
    path.write_text(f"n\n1\n2\n{2**64 - 1}\n3\n")
    assert read_events(path)["n"].tolist() == [1, 2, 2**64 - 1, 3]  # pyright: ignore
    path.write_text(f"n\n-1\n2\n{2**64 - 1}\n3\n")
    assert read_events(path)["n"].tolist() == [-1.0, 2.0, 2.0**64, 3.0]  # pyright: ignore


def test_what_text_cannot_hold(tmp_path):
    events = small_table()
    write_events(tmp_path / "a.parquet", events)
    for name in ("pt", "axis"):
        with refused("table-not-in-format", "b.csv: ", repr(name)):
            convert_table(tmp_path / "a.parquet", tmp_path / "b.csv", TableRequest(columns=[name]))
    convert_table(tmp_path / "a.parquet", tmp_path / "b.csv", TableRequest(columns=["mass", "n_jets"]))
    assert list(describe_table(tmp_path / "b.csv").columns) == [
        "mass",
        "n_jets",
        "weight",
        "weight[MUR2]",
        "group",
        "veto",
    ]
    with refused("table-not-in-format", "c.csv: "):
        write_events(tmp_path / "c.csv", Events.of({"x": np.zeros(0)}))
    for name in ("#x", " x", "a,b"):
        with refused("table-not-in-format", "c.tsv: ", name.strip()):
            write_events(tmp_path / "c.tsv", Events.of({name: np.ones(2), "y": np.ones(2)}))
    assert not (tmp_path / "c.csv").exists()
    assert not (tmp_path / "c.tsv").exists()


def test_names_with_commas_are_quoted(tmp_path):
    events = Events.of({"a,b": np.ones(2), 'c"d': np.arange(2.0)})
    write_events(tmp_path / "a.csv", events)
    assert_equal(read_events(tmp_path / "a.csv"), events, origins=False)


def test_what_hdf5_cannot_hold(tmp_path):
    with refused("table-not-in-format", "a.h5: ", "'jets/pt'"):
        write_events(tmp_path / "a.h5", Events.of({"jets/pt": np.ones(2)}))
    with refused("table-not-in-format", "a.root: "):
        write_events(tmp_path / "a.root", Events.of({"x": np.ones(2)}))
