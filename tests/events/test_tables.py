"""Tables of events in files: written and read again, as other programs write them, columns that are asked for."""

from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers.eventtables import assert_equal, small_table, tables, write_csv, write_pandas_frame, write_root
from hypothesis import HealthCheck, given, settings

from sbitune.data.errors import InputError
from sbitune.data.events import (
    Events,
    Origin,
    Ragged,
    TableRequest,
    concatenate,
    describe_table,
    iterate_events,
    read_events,
    write_events,
)
from sbitune.data.storage.arrays import write_arrays
from sbitune.data.storage.files import hash_file

SHARED_FOLDER = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


#: examples of a format of text, or of others' binary one
MANY = 8


def refused(path, **kwargs) -> str:
    with pytest.raises(InputError) as error:
        read_events(path, TableRequest(**kwargs))
    assert str(error.value).startswith(str(path))
    return str(error.value)


@pytest.mark.parametrize("suffix", [".parquet", ".npz", ".h5"])
def test_what_is_written_is_read(suffix, tmp_path):
    @SHARED_FOLDER
    @given(tables())
    def check(events):
        path = tmp_path / f"table{suffix}"
        write_events(path, events)
        assert_equal(read_events(path), events)
        assert_equal(concatenate(list(iterate_events(path))), events)

    check()


def test_columns_of_hdf5_are_read_as_they_are(tmp_path):
    @SHARED_FOLDER
    @given(tables())
    def check(events):
        path = tmp_path / "table.h5"
        with h5py.File(path, "w") as file:
            for name, column in {**events.columns, **events.flags}.items():
                file[name] = column.content if isinstance(column, Ragged) else column
                if isinstance(column, Ragged):
                    file[f"{name}.offsets"] = column.offsets
        found = read_events(path)
        names = sorted(events.columns)
        bare = Events.of({name: events.columns[name] for name in names}, flags=events.flags)
        assert_equal(found.only(names), bare, origins=False)

    check()


@pytest.mark.parametrize("as_tree", [True, False])
def test_branches_of_root_are_read_as_they_are(tmp_path, as_tree):
    events = small_table()
    path = tmp_path / "table.root"
    write_root(path, events, as_tree)
    names = ["mass", "n_jets", "axis", "pt", "charge"]
    found = read_events(path, TableRequest(columns=names))
    expected = Events.of(events.columns, events.weight, ("",), events.groups, events.flags)
    assert_equal(found, expected, origins=False)
    assert found.origins == (Origin(str(path), "events"),)
    assert (
        {"npt", "ncharge"} <= set(describe_table(path).columns)
    ) == as_tree  # counters of jagged branches, which uproot adds
    assert found["pt"].offsets is found["charge"].offsets  # pyright: ignore


@pytest.mark.parametrize("as_tree", [True, False])
def test_what_is_written_to_root_is_read(tmp_path, as_tree):
    @settings(SHARED_FOLDER, max_examples=MANY)
    @given(tables())
    def check(events):
        path = tmp_path / "table.root"
        write_root(path, events, as_tree)
        names = list(events.columns)
        weight = events.weight if any(events.weights.strides) else np.ones(len(events))
        expected = Events.of(events.columns, weight, ("",), events.groups, events.flags)
        assert_equal(read_events(path, TableRequest(columns=names)), expected, origins=False)

    check()


def test_text_of_any_numbers_is_read(tmp_path):
    @settings(SHARED_FOLDER, max_examples=MANY)
    @given(tables())
    def check(events):
        plain = {n: c for n, c in events.columns.items() if isinstance(c, np.ndarray) and c.ndim == 1}
        path = tmp_path / "table.csv"
        write_csv(path, {**plain, "weight": events.weight, **events.flags})
        found = read_events(path)
        assert list(found.columns) == list(plain)
        for name, column in plain.items():
            np.testing.assert_array_equal(found[name], column.astype(float))  # pyright: ignore
        np.testing.assert_array_equal(found.weight, events.weight)
        assert {n: list(f) for n, f in found.flags.items()} == {n: list(f) for n, f in events.flags.items()}

    check()


@pytest.mark.parametrize("as_tree", [True, False])
def test_rows_of_a_long_root_file_come_in_blocks(tmp_path, monkeypatch, as_tree):
    monkeypatch.setattr("sbitune.data.events.tables.root_table.BLOCK_BYTES", 100)
    events = small_table()
    write_root(tmp_path / "table.root", events, as_tree)
    parts = list(iterate_events(tmp_path / "table.root", TableRequest(columns=["mass", "pt"])))
    assert len(parts) > 2
    whole = concatenate(parts)
    np.testing.assert_array_equal(whole["mass"], events["mass"])  # pyright: ignore
    np.testing.assert_array_equal(whole["pt"].content, events["pt"].content)  # pyright: ignore


@pytest.mark.parametrize("separator", [",", ";", "\t", " ", ", "])
@pytest.mark.parametrize("head", ["", "# "])
def test_text_is_read_with_its_types(tmp_path, separator, head):
    events = small_table()
    columns: dict[str, Any] = {name: events[name] for name in ("mass", "n_jets", "veto", "weight", "group")}
    path = tmp_path / "table.csv"
    write_csv(path, columns, separator)
    path.write_text(head + path.read_text())
    found = read_events(path)
    expected = Events.of(
        {"mass": columns["mass"], "n_jets": columns["n_jets"]}, events.weight, ("",), events.groups, events.flags
    )
    assert_equal(found, expected, origins=False)


def test_a_frame_of_pandas_is_read_by_columns(tmp_path):
    columns = {"m1": np.array([1.0, 2.0]), "label": np.array([0, 1]), "m2": np.array([3.0, 4.0])}
    path = tmp_path / "frame.h5"
    write_pandas_frame(path, columns)
    found = read_events(path, TableRequest(columns=["m1", "m2"], flags=["label"]))
    assert_equal(
        found, Events.of({"m1": columns["m1"], "m2": columns["m2"]}, flags={"label": np.array([False, True])}), False
    )
    assert found.origins == (Origin(str(path), "frame"),)
    assert "there is no column 'm3'; there are m1, m2, label" in refused(path, columns=["m3"])


def test_a_frame_of_pandas_with_fields(tmp_path):
    path = tmp_path / "frame.h5"
    rows = np.array(
        [(0, 1.5, [7.0, 8.0]), (1, 2.5, [9.0, 9.5])], [("index", "i8"), ("mass", "f8"), ("values_block_0", "f8", (2,))]
    )
    with h5py.File(path, "w") as file:
        file.create_group("df").attrs["pandas_type"] = "frame_table"
        file["df/table"] = rows
    assert list(read_events(path, TableRequest(columns=["mass"]))["mass"]) == [1.5, 2.5]
    assert (
        "'values_block_0' holds columns whose names pandas has pickled: write the frame with data_columns=True"
        in refused(path)
    )


def test_one_dataset_with_fields_is_a_table(tmp_path):
    path = tmp_path / "jets.h5"
    rows = np.array([(1.5, True), (2.5, False)], [("pt", "f4"), ("is_b", "?")])
    with h5py.File(path, "w") as file:
        file["jets"] = rows
        file["other"] = rows
    expected = Events.of({"pt": rows["pt"]}, flags={"is_b": rows["is_b"]}, origins=(Origin(str(path), "jets"),))
    assert_equal(read_events(path, TableRequest(table="jets")), expected)
    assert "there is no group or dataset 'jet'; the nearest are jets" in refused(path, table="jet")


def test_parquet_of_others(tmp_path):
    """List columns of pyarrow, several row groups, no metadata of ours."""
    path = tmp_path / "a.parquet"
    table = pa.table(
        {"x": [1.0, 2.0, 3.0], "pt": [[1.0, 2.0], [], [3.0]], "word": ["a", "b", "c"], "w": [1, 2, 3], "e": [5, 5, 6]}
    )
    pq.write_table(table, path, row_group_size=2)
    assert "column 'word' holds text, not numbers or truths; name the columns that are wanted" in refused(path)
    found = read_events(path, TableRequest(columns=["x", "pt"], weights=["w", "x"], groups="e", hashed=True))
    pt = Ragged(np.array([1.0, 2.0, 3.0]), np.array([0, 2, 2, 3]))
    weights = np.array([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]])
    origins = (Origin(str(path), hash=hash_file(path)),)
    assert_equal(
        found, Events.of({"x": np.arange(1.0, 4), "pt": pt}, weights, ("", "x"), np.array([5, 5, 6]), origins=origins)
    )


@pytest.mark.parametrize(
    ("columns", "kwargs", "words"),
    [
        ({"x": [1.0, None]}, {}, "column 'x' has 1 places without a value"),
        ({"x": [[1.0, None]]}, {}, "column 'x' has 1 places without a value"),
        (
            {"x": [1.0, 2.0], "weight": [1.0, np.nan]},
            {},
            "'weight' is nan at row 1, not a finite number; mend the file",
        ),
        ({"x": [1.0, np.inf]}, {}, "'x' is inf at row 1, not a finite number; select the events"),
        ({"x": [[1.0], [2.0, np.nan]]}, {}, "'x' is nan at row 1, entry 1, not a finite number"),
        ({"x": [1.0], "weight[up]": [1.0]}, {}, "weights of variations, weight[up], but no nominal `weight`"),
        ({"x": [1.5]}, {"groups": "x"}, "group 'x' is float64 (double in pyarrow"),
        ({"x": [1, 2]}, {"flags": ["x"]}, "flag 'x' is 2 at row 1; expected 0 or 1"),
        ({"x": [[1, 2]]}, {"weights": ["x"]}, "weight 'x' is int64, ragged; expected a number per event"),
        ({"x": [1]}, {"columns": ["X"]}, "there is no column 'X'; the nearest are x"),
        ({"x": [1]}, {"columns": ["x", "x"]}, "'x' is asked for twice among the columns"),
        ({"x": [1]}, {"columns": [], "weights": []}, "there is no column to read"),
        ({"x": [[[1.0]]]}, {}, "column 'x' holds list<element: double>"),
        ({"x": [1]}, {"table": "t"}, "a Parquet file has one table without a name"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path, columns, kwargs, words):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table(columns), path)
    assert words.split(" (double")[0] in refused(path, **kwargs)


def test_numbers_that_are_not_finite_are_kept_if_asked(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"x": [1.0, np.nan]}), path)
    np.testing.assert_array_equal(read_events(path, TableRequest(not_finite="keep"))["x"], [1.0, np.nan])


def test_rows_of_later_blocks_are_named_by_their_number_in_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr("sbitune.data.events.tables.parquet_table.BLOCK_BYTES", 80)
    path = tmp_path / "a.parquet"
    x = np.arange(100.0)
    x[57] = np.nan
    pq.write_table(pa.table({"x": x}), path)
    assert "'x' is nan at row 57" in refused(path)
    with pytest.raises(InputError, match="'x' is nan at row 57"):
        list(iterate_events(path))


def test_several_files_are_one_table(tmp_path):
    events = small_table()
    for i, part in enumerate(events.slices(200)):
        write_events(tmp_path / f"{i}.parquet", part)
    assert_equal(read_events(sorted(tmp_path.glob("*.parquet"))), events)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,2\n3\n", "a.csv:3: 1 fields, expected 2, one for each column"),
        ("a,b\n1,2\n3,x\n", "a.csv:3: column 'b': 'x' is not a number"),
        ("a,b\n1,2\n3,\n", "a.csv:3: column 'b': there is no value"),
        ("a,b\n1,1_0\n", "a.csv:2: column 'b': '1_0' is not a number"),
        ("a,b\n1,010\n", "a.csv:2: column 'b': '010' is not a number; write 10"),
        ("a,b\n1,true\n2,3\n", "a.csv:3: column 'b': '3' is neither true nor false"),
        ("a,a\n1,2\n", "a.csv:1: the column 'a' is there twice"),
        ("a,\n1,2\n", "a.csv:1: a column needs a name"),
        ("a,b\n1,nan\n", "'b' is nan at row 0, not a finite number"),
        ("\n", "a.csv:1: there are no names of columns"),
        ("", "a.csv:1: there are no names of columns"),
    ],
)
def test_text_that_is_no_table(tmp_path, text, words):
    path = tmp_path / "a.csv"
    path.write_text(text)
    assert words in refused(path)


def test_tables_without_events_are_tables(tmp_path):
    (tmp_path / "a.csv").write_text("a,b\n")
    assert len(read_events(tmp_path / "a.csv")) == 0
    empty = small_table().take(slice(0, 0))
    for suffix in (".npz", ".parquet"):
        write_events(tmp_path / f"empty{suffix}", empty)
        assert_equal(read_events(tmp_path / f"empty{suffix}"), empty)


def test_arrays_of_different_lengths(tmp_path):
    write_arrays(tmp_path / "a.npz", {"x": np.zeros(3), "y": np.zeros(4)})
    assert "column 'x' has 3 rows and 'y' has 4" in refused(tmp_path / "a.npz")
    write_arrays(tmp_path / "a.npz", {"x": np.zeros(3), "x.offsets": np.array([0, 2])})
    assert "column 'x': the offsets of a ragged column go from 0 to 2" in refused(tmp_path / "a.npz")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"], file["y"] = np.zeros(3), np.zeros(4)
        file["link"], file["word"], file["one"] = h5py.SoftLink("/x"), "text", 3.0
    assert "column 'link' holds nothing that can be read: link is a link to another place" in refused(tmp_path / "a.h5")
    assert "column 'x' has 3 rows and 'y' has 4" in refused(tmp_path / "a.h5", columns=["x", "y"])
    assert len(read_events(tmp_path / "a.h5", TableRequest(columns="y"))) == 4
    assert describe_table(tmp_path / "a.h5").n_events is None


def test_a_file_is_known_by_its_name_or_its_first_bytes(tmp_path):
    events = small_table()
    write_events(tmp_path / "a.parquet", events)
    (tmp_path / "a.parquet").rename(tmp_path / "table")
    assert_equal(read_events(tmp_path / "table"), events)
    (tmp_path / "words").write_text("some text")
    assert "no table of events that sbitune reads" in refused(tmp_path / "words")
    assert "there is no such file" in refused(tmp_path / "absent.parquet")
    assert "it is no plain file" in refused(tmp_path)
    with pytest.raises(InputError, match=r"names end in \.parquet"):
        write_events(tmp_path / "a.root", events)


@pytest.mark.parametrize(
    ("package", "path", "extra"), [("pyarrow", "a.parquet", "parquet"), ("uproot", "a.root", "root")]
)
def test_a_package_that_is_absent_is_named_with_its_extra(tmp_path, monkeypatch, package, path, extra):
    (tmp_path / path).write_bytes(b"")
    monkeypatch.setitem(__import__("sys").modules, package, None)
    assert f'need {package}: pip install "sbitune[{extra}]"' in refused(tmp_path / path)


def test_messages_name_the_file_that_was_read_though_another_was_first(tmp_path):
    made = Events.of({"x": np.arange(3.0)}, origins=[Origin("run/events.hepmc")])
    write_events(tmp_path / "table.npz", made)
    found = read_events(tmp_path / "table.npz")
    assert found.origins == made.origins
    with pytest.raises(InputError, match=r"table.npz: .*'nosuch'"):
        found.select("nosuch > 1")
