"""Scans of MCNNTunes: parameters as annotations of the histograms."""

import gzip

import numpy as np
import pytest
from helpers.scan_strategies import same, scans
from hypothesis import given, settings

from sbitune.data import yoda
from sbitune.data.errors import InputError
from sbitune.data.formats.mcnntunes import read_scan, write_scan
from sbitune.data.formats.professor import Reading
from sbitune.data.formats.selection import rules_from_mapping
from sbitune.data.parameter import Parameter
from sbitune.data.scan import Scan

#: as mcnntunes-buildruns leaves it: every object of a Rivet run turned into a scatter and annotated
RUN = """\
BEGIN YODA_SCATTER2D_V2 /ATLAS_2014_I1300647/d01-x01-y01
Path: /ATLAS_2014_I1300647/d01-x01-y01
Run_Directory: /scan
Title: ""
Tune_Parameter_BeamRemnants:primordialKThard: {kt}
Tune_Parameter_SpaceShower:alphaSvalue: 0.{alpha}
Type: Scatter2D
---
# xval\t xerr-\t xerr+\t yval\t yerr-\t yerr+
1.000000e+00\t1.000000e+00\t1.000000e+00\t{y}\t1.0e-01\t3.0e-01
3.000000e+00\t1.000000e+00\t1.000000e+00\t5.000000e-01\t2.0e-01\t2.0e-01
END YODA_SCATTER2D_V2

BEGIN YODA_SCATTER2D_V2 /ATLAS_2014_I1300647/d01-x01-y02
Path: /ATLAS_2014_I1300647/d01-x01-y02
Tune_Parameter_BeamRemnants:primordialKThard: {kt}
Tune_Parameter_SpaceShower:alphaSvalue: 0.{alpha}
Type: Scatter2D
---
1.000000e+00\t1.000000e+00\t1.000000e+00\t7.000000e+00\t1.0e-01\t1.0e-01
END YODA_SCATTER2D_V2

BEGIN YODA_SCATTER2D_V2 /RAW/ATLAS_2014_I1300647/d01-x01-y01
Path: /RAW/ATLAS_2014_I1300647/d01-x01-y01
Type: Scatter2D
---
1.000000e+00\t1.000000e+00\t1.000000e+00\t9.900000e+01\t1.0e-01\t1.0e-01
END YODA_SCATTER2D_V2

BEGIN YODA_SCATTER1D_V2 /ATLAS_2014_I1300647/total
Path: /ATLAS_2014_I1300647/total
Type: Scatter1D
---
1.000000e+00\t1.000000e-01\t1.000000e-01
END YODA_SCATTER1D_V2
"""
PATH = "/ATLAS_2014_I1300647/d01-x01-y0"


@pytest.fixture
def folder(tmp_path):
    for i in range(3):
        text = RUN.format(kt=1 + i, alpha=12 + i, y=2.0 * i)
        if i == 2:
            (tmp_path / "run0002_mc.yoda.gz").write_bytes(gzip.compress(text.encode()))
        else:
            (tmp_path / f"run000{i}_mc.yoda").write_text(text)
    (tmp_path / "notes.txt").write_text("not a run")
    return tmp_path


def test_files_of_mcnntunes_are_read(folder):
    found = read_scan(folder)
    assert found.runs == ("run0000_mc", "run0001_mc", "run0002_mc")
    assert found.parameters == (
        Parameter("BeamRemnants:primordialKThard", 1, 3),
        Parameter("SpaceShower:alphaSvalue", 0.12, 0.14),
    )
    assert found.theta.tolist() == [[1, 0.12], [2, 0.13], [3, 0.14]]
    assert found.bins.labels() == [f"{PATH}1#0", f"{PATH}1#1", f"{PATH}2#0"]
    assert found.values.tolist() == [[0, 0.5, 7], [2, 0.5, 7], [4, 0.5, 7]]
    np.testing.assert_allclose(found.errors, [[0.2, 0.2, 0.1]] * 3)


def test_a_list_of_files_a_selection_and_given_ranges(folder):
    files = sorted(folder.glob("run*"))[:2]
    box = [Parameter("SpaceShower:alphaSvalue", 0.1, 0.2), Parameter("BeamRemnants:primordialKThard", 0, 5)]
    found = read_scan(files, box, Reading(rules_from_mapping({f"{PATH}1#1": 1}, "card")))
    assert found.parameters == tuple(box)
    assert found.theta.tolist() == [[0.12, 1], [0.13, 2]]
    assert found.bins.labels() == [f"{PATH}1#1"]


@given(ours=scans())
@settings(max_examples=40, deadline=None)
@pytest.mark.parametrize("version", [1, 2])
def test_a_written_scan_comes_back_bit_for_bit(tmp_path_factory, version, ours):
    directory = tmp_path_factory.mktemp("scan") / "runs"
    write_scan(directory, ours, version)
    assert same(ours, read_scan(directory, ours.parameters))


def test_every_object_carries_every_parameter(scan: Scan, tmp_path):
    write_scan(tmp_path / "s", scan)
    for row, run in enumerate(scan.runs):
        for item in yoda.read(tmp_path / "s" / f"{run}.yoda").values():
            assert isinstance(item, yoda.Scatter)
            found = [float(item.annotations[f"Tune_Parameter_{name}"]) for name in "ab"]
            assert found == scan.theta[row].tolist()


def change(folder, run, old, new):
    file = folder / f"run000{run}_mc.yoda"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def test_all_objects_that_lack_an_annotation_or_disagree_are_told(folder):
    change(folder, 0, "Tune_Parameter_SpaceShower:alphaSvalue: 0.12\n", "")
    change(folder, 1, "primordialKThard: 2", "primordialKThard: 2.5")
    with pytest.raises(InputError) as caught:
        read_scan(folder)
    lines = str(caught.value).splitlines()
    assert lines[0].endswith(f"run0000_mc.yoda: Tune_Parameter_SpaceShower:alphaSvalue is missing in {PATH}1")
    kt = "Tune_Parameter_BeamRemnants:primordialKThard"
    assert lines[1].endswith(f"run0001_mc.yoda: {kt} is 2.5 in {PATH}1, another value in {PATH}2")
    assert "bad_runs: drop" in lines[2]
    assert len(lines) == 3
    told = []
    with pytest.raises(InputError, match="no parameter varies"):
        read_scan(folder, reading=Reading(bad_runs="drop", tell=told.append))
    assert sum("left out: run" in message for message in told) == 2


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("alphaSvalue: 0.12", "alphaSvalue: high", r"alphaSvalue: 'high' is not a number"),
        ("alphaSvalue: 0.12", "alphaSvalue: nan", r"alphaSvalue: 'nan' is not finite"),
        ("3.000000e+00\t1.000000e+00", "3.000000e+00\t9.000000e-01", r"y01 has other bins than in run run0000_mc"),
        ("END YODA_SCATTER1D_V2", "", r"run0001_mc.yoda.*END"),
        ("5.000000e-01", "nan", r"1 bins are not finite, the first .*y01#1"),
    ],
)
def test_faults_of_a_run_are_named(folder, old, new, message):
    change(folder, 1, old.replace("0.12", "0.13"), new)
    with pytest.raises(InputError, match=message):
        read_scan(folder)
    told = []
    assert read_scan(folder, reading=Reading(bad_runs="drop", tell=told.append)).runs == ("run0000_mc", "run0002_mc")
    assert any("run0001_mc" in message for message in told)


def test_runs_without_any_annotation_and_places_without_runs(folder, tmp_path):
    for run in range(2):
        file = folder / f"run000{run}_mc.yoda"
        file.write_text("".join(x for x in file.read_text().splitlines(True) if not x.startswith("Tune")))
    with pytest.raises(InputError, match=r"run0001_mc.yoda: no object has an annotation Tune_Parameter_NAME"):
        read_scan(folder)
    with pytest.raises(InputError, match="no such directory"):
        read_scan(folder / "nowhere")
    (folder / "empty").mkdir()
    with pytest.raises(InputError, match=r"no .yoda or .yoda.gz file"):
        read_scan(folder / "empty")
    with pytest.raises(InputError, match="no file is given"):
        read_scan([])
