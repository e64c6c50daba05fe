import json
import logging
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sbitune.data.errors import InputError
from sbitune.data.formats.apprentice import read_data, read_scan, write_scan
from sbitune.data.parameter import Parameter
from sbitune.data.scan import Scan

h5py = pytest.importorskip("h5py")


def test_the_real_scan_is_read(flavour: Path) -> None:
    train, held = read_scan(flavour / "train.h5"), read_scan(flavour / "holdout.h5")
    assert train.values.shape == (450, 43)
    assert held.values.shape == (50, 43)
    assert train.parameters[0].name == "supStrange"
    assert (train.parameters[0].low, train.parameters[0].high) == (train.theta[:, 0].min(), train.theta[:, 0].max())
    assert list(held.runs) == json.loads((flavour / "split.json").read_text())["holdout"]
    assert train.bins.matches(held.bins).all()
    with h5py.File(flavour / "train.h5") as file:
        assert train.values[17, 5] == file["values"][5, 17]


def test_the_real_data_are_read(flavour: Path) -> None:
    labels, values, errors = read_data(flavour / "data.json")
    assert labels == read_scan(flavour / "train.h5").bins.labels()
    assert (values[0], errors[0]) == (0.553467, 0.019791)


def test_a_written_scan_comes_back(scan: Scan, tmp_path: Path) -> None:
    write_scan(tmp_path / "scan.h5", scan)
    back = read_scan(tmp_path / "scan.h5")
    assert back.parameters == scan.parameters
    assert back.runs == scan.runs
    assert back.bins.labels() == scan.bins.labels()
    assert (back.values == scan.values).all()
    assert (back.errors == scan.errors).all()
    assert (back.theta == scan.theta).all()


def test_given_parameters_are_matched_by_name(scan: Scan, tmp_path: Path) -> None:
    write_scan(tmp_path / "scan.h5", scan)
    box = (Parameter("b", -3, 3), Parameter("a", 0, 9))
    back = read_scan(tmp_path / "scan.h5", box)
    assert back.parameters == box
    assert (back.theta == scan.theta[:, ::-1]).all()
    with pytest.raises(InputError, match="has the parameters a, b, not c"):
        read_scan(tmp_path / "scan.h5", [Parameter("c", 0, 1)])


def test_without_box_and_run_names_the_runs_give_them(scan: Scan, tmp_path: Path) -> None:
    path = tmp_path / "scan.h5"
    write_scan(path, scan)
    with h5py.File(path, "a") as file:
        del file["runs"]
        for name in ("low", "high", "default", "unit"):
            del file["params"].attrs[name]
    back = read_scan(path)
    assert back.runs == ("0000", "0001", "0002", "0003")
    assert [(p.low, p.high) for p in back.parameters] == list(zip(scan.theta.min(0), scan.theta.max(0), strict=True))


def test_bad_numbers_are_named_and_dropped_on_demand(
    scan: Scan, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "scan.h5"
    write_scan(path, scan)
    with h5py.File(path, "a") as file:
        file["values"][1, 2] = np.nan
    with pytest.raises(InputError, match=r"run 0002, bin /x#1.*drop_bad"):
        read_scan(path)
    with caplog.at_level(logging.WARNING):
        assert read_scan(path, drop_bad="bins").bins.labels() == ["/x#0", "/y#0"]
    assert "run 0002, bin /x#1" in caplog.text
    assert read_scan(path, drop_bad="runs").runs == ("0000", "0001", "0003")


def test_other_files_are_refused(scan: Scan, tmp_path: Path) -> None:
    text = tmp_path / "text.h5"
    text.write_text("hello")
    with pytest.raises(InputError, match=r"text.h5: not a whole scan in Apprentice's HDF5"):
        read_scan(text)
    path = tmp_path / "scan.h5"
    write_scan(path, scan)
    with h5py.File(path, "a") as file:
        del file["xmin"]
    with pytest.raises(InputError, match="lacks xmin"):
        read_scan(path)
    write_scan(path, scan)
    with h5py.File(path, "a") as file:
        file.move("errors", "Errors")
    with pytest.raises(InputError, match=r"scan.h5: .*the dataset 'Errors' is unknown; call it 'errors'"):
        read_scan(path)


@pytest.mark.parametrize("content", ["[1]", '{"/x#0": [1]}', '{"/x#0": [1, NaN]}', "{", '{"/x#0": "ab"}', "{}"])
def test_other_json_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "data.json").write_text(content)
    with pytest.raises(InputError, match=r"data\.json"):
        read_data(tmp_path / "data.json")


def test_without_h5py_the_remedy_is_named(scan: Scan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(InputError, match=r'pip install "sbitune\[hdf5\]"'):
        write_scan(tmp_path / "scan.h5", replace(scan))
    assert not list(tmp_path.iterdir())
