"""Scans written as run directories, and read again."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.scan_strategies import same, scans
from hypothesis import given, settings

from sbitune.data import yoda
from sbitune.data.bins import Bins
from sbitune.data.errors import InputError
from sbitune.data.formats.apprentice import read_scan
from sbitune.data.formats.professor import Reading, read_runs
from sbitune.data.formats.professor_writer import number_runs, write_runs
from sbitune.data.formats.selection import rules_from_mapping
from sbitune.data.scan import Scan


@given(ours=scans())
@settings(max_examples=40, deadline=None)
@pytest.mark.parametrize("version", [1, 2])
def test_a_scan_comes_back_bit_for_bit(tmp_path_factory, version, ours):
    directory = tmp_path_factory.mktemp("scan") / "runs"
    write_runs(directory, ours, version)
    assert same(ours, read_runs(directory, ours.parameters))


def test_what_is_written_is_what_professor_reads(scan: Scan, tmp_path):
    write_runs(tmp_path / "s", scan)
    assert sorted(p.name for p in (tmp_path / "s").iterdir()) == list(scan.runs)
    assert sorted(p.name for p in (tmp_path / "s" / "0002").iterdir()) == ["out.yoda", "params.dat"]
    lines = (tmp_path / "s" / "0002" / "params.dat").read_text().split()
    assert lines == ["a", str(scan.theta[2, 0]), "b", str(scan.theta[2, 1])]
    objects = yoda.read(tmp_path / "s" / "0002" / "out.yoda")
    assert list(objects) == ["/x", "/y"]
    points = objects["/x"]
    assert isinstance(points, yoda.Scatter)
    assert points.annotations == {}
    assert points.values.tolist() == [[0.5, scan.values[2, 0]], [1.5, scan.values[2, 1]]]
    assert points.plus.tolist() == [[0.5, scan.errors[2, 0]], [0.5, scan.errors[2, 1]]]


def test_a_real_scan_of_apprentice_becomes_run_directories(flavour, tmp_path):
    pytest.importorskip("h5py")
    ours = number_runs(read_scan(flavour / "holdout.h5").take_runs([True] * 12 + [False] * 38))
    write_runs(tmp_path / "s", ours)
    assert same(read_runs(tmp_path / "s", ours.parameters), ours)


def test_the_range_of_the_runs_is_the_box_unless_given(scan: Scan, tmp_path):
    write_runs(tmp_path / "s", scan)
    found = read_runs(tmp_path / "s")
    assert [p.low for p in found.parameters] == scan.theta.min(0).tolist()


def test_numbers_of_bins_survive_a_selection(scan: Scan, tmp_path):
    write_runs(tmp_path / "s", scan.take_bins([1, 2]))
    found = read_runs(tmp_path / "s", scan.parameters, Reading(rules_from_mapping({"/x#1": 1, "/y": 1}, "card")))
    assert same(found, scan.take_bins([1, 2]))
    assert found.bins.labels() == ["/x#1", "/y#0"]


def test_bins_come_histogram_by_histogram(scan: Scan, tmp_path):
    write_runs(tmp_path / "s", scan.take_bins([0, 2, 1]))
    assert same(read_runs(tmp_path / "s", scan.parameters), scan)


def test_nothing_is_overwritten_and_nothing_half_written(scan: Scan, tmp_path):
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "mine").write_text("mine")
    with pytest.raises(InputError, match="is there already, and not empty"):
        write_runs(tmp_path / "s", scan)
    (tmp_path / "s" / "mine").unlink()
    infinite = replace(scan, bins=Bins(scan.bins.path, scan.bins.index, scan.bins.low, [1.0, np.inf, 5.0]))
    with pytest.raises(InputError, match=r"bin /x#1: a scatter holds no bin with an infinite edge"):
        write_runs(tmp_path / "s", infinite)
    assert [p.name for p in tmp_path.iterdir()] == ["s"]
    assert not list((tmp_path / "s").iterdir())
    write_runs(tmp_path / "s", scan)
    assert same(read_runs(tmp_path / "s", scan.parameters), scan)


@pytest.mark.parametrize("path", ["/A b", "/A/h[MUR2]", "/RAW/A/h", "A/h", "/A/_h"])
def test_paths_that_would_not_be_read_back_are_refused(scan: Scan, tmp_path, path):
    bins = Bins([path] * 3, [0, 1, 2], [0, 1, 2], [1, 2, 3])
    with pytest.raises(InputError, match="not the path of a final histogram"):
        write_runs(tmp_path / "s", replace(scan, bins=bins))


def test_runs_that_are_paths_get_numbers_first(scan: Scan, tmp_path):
    named = replace(scan, runs=tuple(f"../mc/{run}" for run in scan.runs))
    with pytest.raises(InputError, match=r"run '../mc/0000': no name for a file.*number_runs"):
        write_runs(tmp_path / "s", named)
    assert number_runs(named).runs == ("0000", "0001", "0002", "0003")


def test_a_note_of_bin_numbers_that_does_not_fit_is_named(scan: Scan, tmp_path):
    write_runs(tmp_path / "s", scan.take_bins([1, 2]))
    file = tmp_path / "s" / "0001" / "out.yoda"
    file.write_text(file.read_text().replace("BinNumbers: [1]", "BinNumbers: [1, 2]"))
    with pytest.raises(InputError, match=r"/x: the annotation BinNumbers does not list the numbers of 1 bins"):
        read_runs(tmp_path / "s")
