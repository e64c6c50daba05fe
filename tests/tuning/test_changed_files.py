"""A stored scan is compared with the files that it was read from, and with those that its runs left."""

import json
import shutil

import numpy as np
import pytest
from helpers import toyline
from helpers.calling import call
from helpers.ears import Ears

from sbitune.data.errors import InputError
from sbitune.data.formats import mcnntunes
from sbitune.data.formats.apprentice import read_scan, write_scan
from sbitune.data.formats.professor import read_runs
from sbitune.data.formats.professor_writer import write_runs
from sbitune.data.scan import Scan
from sbitune.tuning.card import load_card
from sbitune.tuning.stages.scans import stored_scan
from sbitune.workflow.runs.scanning import make_scan, scan_at_hand
from sbitune.workflow.stages import StaleError

CARD = "title: theirs\nscan: {{directory: {}}}\nsurrogate: {{kind: polynomial, order: 1}}\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    directory = tmp_path_factory.mktemp("made") / "own"
    toyline.make(directory, runs=12)
    toyline.edit(directory, "order: 3", "order: 1")
    return directory, make_scan(load_card(directory))


@pytest.fixture
def theirs(made, tmp_path):
    """A card that reads the runs of somebody else, after it read them."""
    write_runs(tmp_path / "scan", made[1])
    (tmp_path / "card.yaml").write_text(CARD.format("scan"))
    make_scan(load_card(tmp_path))
    return tmp_path


def change(card, run, a):
    path = card / f"scan/{run}/params.dat"
    rest = path.read_text().split("\n", 1)[1]
    path.write_text(f"a {a}\n{rest}")


@pytest.mark.parametrize("command", [pytest.param("train", marks=pytest.mark.slow), "ls"])
def test_runs_of_others_that_changed_are_read_again_and_it_is_said(theirs, command):
    assert "again" not in call(command, theirs).stderr
    change(theirs, "0003", 1.9)
    with pytest.raises(StaleError, match=r"changed since they were read, 0003/params.dat; run `sbitune scan .* again"):
        stored_scan(load_card(theirs))
    said = call(command, theirs).stderr
    assert f"the files of {theirs}/scan have changed since they were read, 0003/params.dat\n" in said
    scan = stored_scan(load_card(theirs))
    assert scan.theta[scan.runs.index("0003"), 0] == 1.9
    assert "read again" not in call(command, theirs).stderr


def test_runs_that_are_new_or_gone_are_named(theirs):
    shutil.move(theirs / "scan/0003", theirs / "scan/0020")
    with pytest.raises(StaleError) as caught:
        stored_scan(load_card(theirs))
    for name in ("0003/params.dat (gone)", "0020/params.dat (new)"):
        assert name in str(caught.value)
    assert json.loads(call("ls", "--json", theirs).stdout)["runs"] == 12
    assert "0020" in stored_scan(load_card(theirs)).runs


def test_a_card_without_the_files_that_it_read_goes_on(theirs):
    before = stored_scan(load_card(theirs)).theta
    shutil.rmtree(theirs / "scan")
    np.testing.assert_array_equal(stored_scan(load_card(theirs)).theta, before)
    (theirs / "scan").mkdir()
    np.testing.assert_array_equal(stored_scan(load_card(theirs)).theta, before)


@pytest.mark.parametrize("name", ["scan.npz", "scan.h5", "annotated", "folder", "other"])
def test_scans_of_every_format_are_compared(made, tmp_path, name):
    def write(scan):
        if name == "annotated":
            shutil.rmtree(tmp_path / name, ignore_errors=True)
            mcnntunes.write_scan(tmp_path / name, scan)
        elif name == "other":  # a card
            (tmp_path / "other/work").mkdir(parents=True, exist_ok=True)
            (tmp_path / "other/card.yaml").write_text(CARD.format("nowhere"))
            scan.save(tmp_path / "other/work/scan.npz")
        elif name == "scan.npz":
            scan.save(tmp_path / name)
        else:
            (tmp_path / "folder").mkdir(exist_ok=True)
            write_scan(tmp_path / ("folder/scan.h5" if name == "folder" else name), scan)

    write(made[1])
    (tmp_path / "card.yaml").write_text(CARD.format(name))
    make_scan(load_card(tmp_path))
    assert len(stored_scan(load_card(tmp_path)).runs) == 12
    write(made[1].take_runs(made[1].runs[:11]))
    with pytest.raises(StaleError, match="changed since they were read"):
        stored_scan(load_card(tmp_path))
    assert "changed since they were read" in call("ls", tmp_path).stderr
    assert len(stored_scan(load_card(tmp_path)).runs) == 11


def test_runs_of_ones_own_that_are_not_what_they_left_are_said(made, tmp_path):
    card = tmp_path / "card"
    shutil.copytree(made[0], card)
    runs = card / "work/scan"
    content = (runs / "0002/out.yoda").read_text()
    (runs / "0002/out.yoda").write_text(content[:300])
    (runs / "0003/params.dat").write_text("a 1.9\nb 0\n")
    (runs / "0005/out.yoda").rename(runs / "t")
    (runs / "0007/out.yoda").rename(runs / "0005/out.yoda")
    (runs / "t").rename(runs / "0007/out.yoda")
    told = Ears()
    scan_at_hand(load_card(card), told)
    for said in (call("ls", card).stderr, *told.words):
        assert "files of 4 of 12 runs were damaged, changed or replaced since the scan" in said
        assert ": 0002, 0003, 0005, 0007; " in said
    assert len(told.words) == 1
    np.testing.assert_array_equal(stored_scan(load_card(card)).values, made[1].values)
    shutil.rmtree(runs)
    assert call("ls", card).stderr == ""


def test_every_faulty_run_is_named(theirs):
    for run in ("0001", "0002", "0007", "0009"):
        (theirs / f"scan/{run}/params.dat").write_text("a x\n")
    for command in ("train", "ls", "scan"):
        said = call(command, theirs, code=2).stderr
        assert [f"{theirs}/scan/{run}/params.dat:1" in said for run in ("0001", "0002", "0007", "0009")] == [True] * 4
        assert said.count("changed since they were read") == (command != "scan")
        assert said.count("To leave such runs out") == 1


def test_a_range_that_no_fit_can_be_made_in_is_refused_with_its_file(made, tmp_path):
    refused = r"parameter a: no fit can be made in the range from 0.5\d* to 1e\+250"
    write_runs(tmp_path / "runs", made[1])
    path = tmp_path / "runs/0004/params.dat"
    path.write_text(path.read_text().replace(path.read_text().split()[1], "1e250", 1))
    with pytest.raises(InputError, match=rf"{tmp_path}/runs: runs 00\d\d and 0004: {refused}"):
        read_runs(tmp_path / "runs")
    mcnntunes.write_scan(tmp_path / "annotated", made[1])
    file = tmp_path / "annotated/0004.yoda"
    value = next(line for line in file.read_text().splitlines() if line.startswith("Tune_Parameter_a:"))
    file.write_text(file.read_text().replace(value, "Tune_Parameter_a: 1e250"))
    with pytest.raises(InputError, match=rf"{tmp_path}/annotated: runs 00\d\d and 0004: {refused}"):
        mcnntunes.read_scan(tmp_path / "annotated")
    h5py = pytest.importorskip("h5py")
    write_scan(tmp_path / "scan.h5", made[1])
    with h5py.File(tmp_path / "scan.h5", "r+") as stored:
        stored["params"].attrs["high"] = [1e250, 1.0]
    with pytest.raises(InputError, match=rf"{tmp_path}/scan.h5: parameter a: no fit .* to 1e\+250"):
        read_scan(tmp_path / "scan.h5")
    made[1].save(tmp_path / "scan.npz")
    with np.load(tmp_path / "scan.npz") as stored:
        arrays = dict(stored)
    meta = next(name for name, array in arrays.items() if array.dtype.kind in "SU" and array.ndim == 0)
    arrays[meta] = np.array(str(arrays[meta]).replace("2.0", "1e250"))
    np.savez(tmp_path / "scan.npz", **arrays)
    with pytest.raises(InputError, match=rf"{tmp_path}/scan.npz: .*parameter a: no fit .* to 1e\+250"):
        Scan.load(tmp_path / "scan.npz")
