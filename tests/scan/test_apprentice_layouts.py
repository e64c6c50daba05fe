"""Apprentice's files in layouts that occur or go wrong, and what is written."""

import json
import logging

import numpy as np
import pytest
from helpers.scan_strategies import same, scans
from hypothesis import given, settings
from hypothesis import strategies as st

from sbitune.data.errors import InputError
from sbitune.data.formats.apprentice import read_data, read_scan, write_data, write_scan
from sbitune.data.parameter import Parameter
from sbitune.data.scan import Scan

h5py = pytest.importorskip("h5py")


@given(ours=scans())
@settings(max_examples=40, deadline=None)
def test_any_scan_comes_back(tmp_path_factory, ours):
    path = tmp_path_factory.mktemp("h5") / "scan.h5"
    write_scan(path, ours)
    assert same(ours, read_scan(path))


def as_apprentice_writes(path, scan: Scan, text=lambda words: np.char.encode(list(words), "utf8")):
    """By the rules of apprentice.io.writeInputDataSetH5."""
    with h5py.File(path, "w") as file:
        file.create_dataset("runs", data=text(scan.runs), compression=4)
        file.create_dataset("index", data=text(scan.bins.labels()), compression=4)
        params = file.create_dataset("params", data=scan.theta, compression=4)
        params.attrs["names"] = [p.name.encode("utf8") for p in scan.parameters]
        file.create_dataset("values", data=scan.values.T, compression=4)
        file.create_dataset("errors", data=scan.errors.T, compression=4)
        file.create_dataset("xmin", data=scan.bins.low, compression=4)
        file.create_dataset("xmax", data=scan.bins.high, compression=4)


@pytest.mark.parametrize("text", [lambda words: np.char.encode(list(words)), lambda words: list(words)])
def test_fixed_and_variable_strings(scan: Scan, tmp_path, text):
    as_apprentice_writes(tmp_path / "s.h5", scan, text)
    assert same(scan, read_scan(tmp_path / "s.h5", scan.parameters))


def test_what_apprentice_reads_is_there(scan: Scan, tmp_path):
    """By the rules of apprentice.io: readPnamesH5, readIndexH5, readH5."""
    write_scan(tmp_path / "s.h5", scan)
    with h5py.File(tmp_path / "s.h5") as file:
        assert [p.astype(str) for p in file.get("params").attrs["names"]] == ["a", "b"]
        assert [x.decode() for x in file.get("index")[:]] == scan.bins.labels()
        assert np.array(file.get("params")).tolist() == scan.theta.tolist()
        assert file.get("values")[:][[1]].tolist() == [scan.values[:, 1].tolist()]
        assert file.get("index").size == len(file["xmin"]) == 3


def test_one_parameter_may_be_a_list(scan: Scan, tmp_path):
    as_apprentice_writes(tmp_path / "s.h5", scan)
    with h5py.File(tmp_path / "s.h5", "a") as file:
        del file["params"]
        file.create_dataset("params", data=scan.theta[:, 0]).attrs["names"] = "a"
        file.create_group("notes").attrs["author"] = "me"
        file.create_dataset("times", data=np.zeros(7))
    found = read_scan(tmp_path / "s.h5", [Parameter("a", 0, 2)])
    assert found.theta.tolist() == scan.theta[:, :1].tolist()


def test_whole_numbers_are_numbers(scan: Scan, tmp_path):
    as_apprentice_writes(tmp_path / "s.h5", scan)
    with h5py.File(tmp_path / "s.h5", "a") as file:
        del file["values"]
        file["values"] = np.arange(12, dtype="i4").reshape(3, 4)
    assert read_scan(tmp_path / "s.h5").values.tolist() == np.arange(12.0).reshape(3, 4).T.tolist()


def test_errors_may_be_absent_and_that_is_said(scan: Scan, tmp_path, caplog):
    as_apprentice_writes(tmp_path / "s.h5", scan)
    with h5py.File(tmp_path / "s.h5", "a") as file:
        del file["errors"]
    with caplog.at_level(logging.WARNING):
        assert not read_scan(tmp_path / "s.h5").errors.any()
    assert "no dataset `errors`" in caplog.text


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        (
            "values",
            np.zeros((4, 3)),
            r"'values' has the shape \(4, 3\), expected \(3, 4\): it has runs and bins the wrong way",
        ),
        (
            "errors",
            np.zeros((3, 5)),
            r"'errors' has the shape \(3, 5\), expected \(3, 4\), that is \(n_bins, n_runs\)$",
        ),
        ("xmin", np.zeros(2), r"'xmin' has the shape \(2,\), expected \(3,\)"),
        ("runs", np.array([b"a"]), r"'runs' has the shape \(1,\), expected \(4,\)"),
        ("index", np.array([b"/x#0", b"/x", b"/y#0"]), r"index holds '/x', expected /PATH#n"),
        ("index", np.array([b"/x#0", b"/x#0", b"/y#0"]), r"bin /x#0 is in index twice"),
    ],
)
def test_shapes_that_do_not_fit_are_named(scan: Scan, tmp_path, name, data, message):
    as_apprentice_writes(tmp_path / "s.h5", scan)
    with h5py.File(tmp_path / "s.h5", "a") as file:
        del file[name]
        file[name] = data
    with pytest.raises(InputError, match=message):
        read_scan(tmp_path / "s.h5")


def test_parameters_that_do_not_fit_are_named(scan: Scan, tmp_path):
    path = tmp_path / "s.h5"
    as_apprentice_writes(path, scan)
    with h5py.File(path, "a") as file:
        file["params"].attrs["names"] = [b"a", b"a"]
    with pytest.raises(InputError, match="parameter a is named twice"):
        read_scan(path)
    with h5py.File(path, "a") as file:
        file["params"].attrs["names"] = [b"a"]
    with pytest.raises(InputError, match=r"'params' has the shape \(4, 2\), expected \(4, 1\)"):
        read_scan(path)
    with h5py.File(path, "a") as file:
        file["params"].attrs["names"] = [b"a", b"b"]
        file["params"][:, 1] = 3.0
    with pytest.raises(InputError, match="parameter b is the same in all runs"):
        read_scan(path)


numbers = st.floats(allow_nan=False, allow_infinity=False)


@given(st.dictionaries(st.text("ab/#01é", min_size=1), st.tuples(numbers, numbers.map(abs)), min_size=1, max_size=5))
@settings(deadline=None)
def test_measured_values_come_back(tmp_path_factory, table):
    path = tmp_path_factory.mktemp("data") / "data.json"
    values, errors = np.array(list(table.values())).T
    write_data(path, list(table), values, errors)
    labels, back, back_errors = read_data(path)
    assert (labels, back.tolist(), back_errors.tolist()) == (list(table), values.tolist(), errors.tolist())
    assert {name: tuple(pair) for name, pair in json.loads(path.read_text()).items()} == table


def test_measured_values_that_cannot_be_written(tmp_path):
    path = tmp_path / "data.json"
    with pytest.raises(InputError, match=r"bin /x#1 is not finite: nan \+- 1.0"):
        write_data(path, ["/x#0", "/x#1"], np.array([1, np.nan]), np.ones(2))
    with pytest.raises(InputError, match=r"bin /x#1 has a negative error: 1.0 \+- -0.5"):
        write_data(path, ["/x#0", "/x#1"], np.ones(2), np.array([0.5, -0.5]))
    with pytest.raises(InputError, match="1 bins are given twice"):
        write_data(path, ["/x#0", "/x#0"], np.ones(2), np.ones(2))
    with pytest.raises(InputError, match="2 labels, 1 values, 2 errors"):
        write_data(path, ["/x#0", "/x#1"], np.ones(1), np.ones(2))
    assert not path.exists()
    path.write_text('{"/x#0": [1, 1], "/x#0": [2, 1]}')
    with pytest.raises(InputError, match="bin /x#0 is given twice"):
        read_data(path)
