"""The commands: help with an example, figures as JSON, words on standard error, exit codes 0, 1 and 2."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers import toyline
from helpers.calling import call

from sbitune.cli.main import COMMANDS
from sbitune.data import yoda
from sbitune.generators.observables import merge_runs

DATA = Path(__file__).resolve().parents[1] / "data"


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    directory = tmp_path_factory.mktemp("toy")
    toyline.make(directory)
    return directory, call("tune", directory, "--json")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(name):
    text = call(name, "--help").stdout
    assert f"Example: sbitune {name}" in text
    assert "--json" in text


def test_tune_prints_one_json_object_and_words_elsewhere(tuned):
    directory, result = tuned
    figures = json.loads(result.stdout)
    assert figures["status"] == "converged"
    assert abs(figures["parameters"]["a"]["value"] - 1.3) < figures["parameters"]["a"]["error"]
    assert "chi2 =" in result.stderr
    assert Path(figures["report"]).is_file()
    assert {"card.yaml", "result.yaml", "tune.cmnd", "validation.yoda", "report.html", "work"} <= {
        p.name for p in directory.iterdir()
    }


def test_stages_by_name(tuned):
    directory, _ = tuned
    assert json.loads(call("scan", directory, "--json").stdout)["runs"] == 24
    assert json.loads(call("fit", directory, "--json").stdout)["ndf"] == 15
    assert json.loads(call("validate", directory, "--json").stdout)["validation_bins"] == 17
    assert json.loads(call("report", directory, "--json").stdout)["bytes"] > 10_000
    before = (directory / "result.yaml").read_bytes()
    assert "converged" in call("fit", directory).stdout
    assert (directory / "result.yaml").read_bytes() == before  # the same tune keeps its validation


def test_train_reports_held_out_pulls(tuned, tmp_path):
    directory, _ = tuned
    (tmp_path / "runs.txt").write_text("0001 0005 # two\n0009\n0012\n")
    words = (
        "train",
        directory / "work/scan",
        "--kind",
        "polynomial",
        "--order",
        "3",
        "--holdout",
        tmp_path / "runs.txt",
    )
    figures = json.loads(call(*words, "-o", tmp_path / "s.npz", "--json").stdout)
    assert figures["holdout_runs"] == 4
    assert figures["runs"] == 20
    assert figures["bins"] == 17
    # 4 x 17 pulls: the width has an error of 1/sqrt(136) = 0.086
    assert figures["pull_width"] == pytest.approx(1.0, abs=4 * 0.086)
    assert figures["rms_pull"] >= figures["pull_width"]
    assert figures["cpu_seconds"] > 0
    assert (tmp_path / "s.npz").is_file()
    (tmp_path / "runs.json").write_text('{"holdout": ["0001"]}')
    assert json.loads(call(*words[:-1], tmp_path / "runs.json", "--json").stdout)["holdout_runs"] == 1


def test_ls(tuned):
    directory, _ = tuned
    assert "ALEPH_1996_S3486095" in json.loads(call("ls", "analyses", "--json").stdout)["analyses"]
    measurement = json.loads(call("ls", "measurements", "--json").stdout)["measurements"]["ALEPH_1996_S3486095"]
    assert measurement["histograms"] == 67
    assert "Phys. Rept. 294" in measurement["citation"]
    settings = json.loads(call("ls", "settings", "StringZ:a", "--json").stdout)["settings"]
    assert settings["StringZ:aLund"] == {"kind": "parm", "default": 0.68, "low": 0.0, "high": 2.0}
    assert "  StringZ:aLund: parm, default 0.68, range [0.0, 2.0]\n" in call("ls", "settings", "StringZ:a").stdout
    listed = json.loads(call("ls", directory, "--json").stdout)
    assert listed["observables"]["/TOY/d01"] == {"bins": 8, "title": None}
    assert listed["parameters"]["a"] == {"low": 0.5, "high": 2.0, "default": 1.0}
    assert "  a: 0.5 to 2, default 1\n" in call("ls", directory).stdout
    assert json.loads(call("ls", directory / "validation.yoda", "--json").stdout)["objects"]["/TOY/d01"] == "Scatter"


def test_convert_scans_and_yoda(tuned, tmp_path):
    directory, _ = tuned
    call("convert", directory / "work/scan", tmp_path / "s.h5")
    call("convert", tmp_path / "s.h5", tmp_path / "s.npz")
    one = json.loads(call("ls", tmp_path / "s.npz", "--json").stdout)
    assert (one["runs"], len(one["observables"])) == (24, 3)
    call("convert", directory / "validation.yoda", tmp_path / "v2.yoda.gz", "--yoda-version", "2", "--select", "d01")
    assert list(yoda.read(tmp_path / "v2.yoda.gz")) == ["/TOY/d01"]


def test_analyse_stored_events(tmp_path):
    names = ("ALEPH_1996_S3486095", "PDG_HADRON_MULTIPLICITIES")
    options = [word for name in names for word in ("-a", name)]
    out = tmp_path / "out.yoda"
    figures = json.loads(call("analyse", DATA / "lep91_200.npz", *options, "-o", out, "--json").stdout)
    assert figures["events"] == 200
    multiplicity = yoda.read(out)["/ALEPH_1996_S3486095/d19-x01-y01"]
    theirs = yoda.read(DATA / "lep91_200.rivet317.yoda.gz")["/ALEPH_1996_S3486095/d19-x01-y01"]
    np.testing.assert_allclose(multiplicity.sums, theirs.sums, rtol=2e-6)


def test_analyse_hepmc(tmp_path):
    pytest.importorskip("pyhepmc")
    figures = json.loads(
        call("analyse", DATA / "lep91_200.hepmc.gz", "-a", "PDG_HADRON_MULTIPLICITIES", "-o", tmp_path / "out.yoda",
             "--max-events", 20, "--json").stdout
    )  # fmt: skip
    assert figures["events"] == 20
    assert yoda.read(tmp_path / "out.yoda")["/RAW/_XSEC"].values[0, 0] == pytest.approx(41443.41, rel=1e-4)


def test_analyse_with_the_conventions_of_rivet_4(tmp_path):
    """Finished histograms are estimates with the source `stats`, raw ones stay; such runs are merged as others are."""
    options = ["-a", "ALEPH_1996_S3486095", "-a", "OPAL_2004_S6132243"]
    for version in "12":
        out = tmp_path / f"out{version}.yoda"
        call("analyse", DATA / "lep91_200.npz", *options, "-o", out, "--yoda-version", version)
    one, two = yoda.read(tmp_path / "out1.yoda"), yoda.read(tmp_path / "out2.yoda")
    assert list(one) == list(two)
    for path, item in one.items():
        if path.startswith("/RAW/") and path != "/RAW/_XSEC":
            assert type(two[path]) is type(item)
        elif isinstance(item, yoda.Counter):
            assert two[path].sumw == item.sumw
        elif path.endswith("/_XSEC"):
            assert two[path].axes == ()
            assert two[path].values[0] == item.values[0, 0]
        else:
            assert list(two[path].sources) == ["stats"]
            ours, theirs = yoda.points(two[path]), yoda.points(item)
            filled = item.sums[:, -1] > 0
            np.testing.assert_allclose(ours.low, theirs.low, rtol=1e-6)
            np.testing.assert_allclose(ours.value[filled], theirs.value[filled], rtol=1e-6)
            np.testing.assert_allclose(ours.plus[filled], theirs.plus[filled], rtol=1e-5)
            assert np.isnan(two[path].values[[0, -1]]).all()
            assert not np.any(ours.plus[~filled])
    text = (tmp_path / "out2.yoda").read_text()
    assert re.search(r"BEGIN YODA_ESTIMATE0D_V3 /_XSEC\n", text)
    assert re.search(r"BEGIN YODA_HISTO1D_V3 /RAW/ALEPH", text)
    merged = [{o.path: o for o in merge_runs([objects, objects])} for objects in (one, two)]
    for path in one:
        if isinstance(one[path], yoda.Histo1D):
            np.testing.assert_allclose(merged[1][path].sums, merged[0][path].sums, rtol=2e-6)
    assert merged[1]["/_EVTCOUNT"].entries == 400


FAULTS = [
    (("tune", "nowhere"), "no such card"),
    (("fit", "nowhere"), "no such card"),
    (("train", "nowhere"), "no such file or directory"),
    (("ls", "nowhere"), "nowhere: no such file or directory, and none of `analyses`"),
    (("ls", "settings", "Nosuch"), "no setting of Pythia has 'Nosuch' in its name; there are Alpgen, "),
    (("ls", "settings", "StringY"), "has 'StringY' in its name; the nearest are StringZ"),
    (("ls", "analyses", "ALEF"), "no analysis has 'ALEF' in its name; the nearest are ALEPH_1996_S3486095"),
    (("ls", "measurements", "DELFI"), "no measurement has 'DELFI' in its name; the nearest are DELPHI_1996_S3430090"),
    (
        ("ls", "ALEPH_1996_S3486095", "d99"),
        "no observable has 'd99' in its name; the nearest are /ALEPH_1996_S3486095/",
    ),
    (("ls", DATA / "lep91_200.rivet317.yoda.gz", "d99"), "no object has 'd99' in its name; the nearest are "),
    (("train", "nowhere", "--holdout", "nofile"), "--holdout: run list nofile: No such file or directory"),
    (("closure", "nowhere", "--holdout", "nofile"), "--holdout: run list nofile: No such file or directory"),
    (("residuals", "nowhere", "nowhere", "--holdout", "nofile"), "--holdout: run list nofile: No such file"),
    (("train", "nowhere", "--weights", "nofile"), "--weights: weight file nofile: No such file or directory"),
    (("train", "nowhere", "-o", "s.root"), "s.root: the name must end in .npz"),
    (("analyse", "nowhere.npz", "-a", "ALEPH_1996_S3486095", "-o", "out.yoda"), "nowhere.npz"),
    (("analyse", DATA / "lep91_200.npz", "-a", "ALEPH_1997", "-o", "out.yoda"), "there is no analysis 'ALEPH_1997'"),
    (("analyse", DATA / "lep91_200.npz", "-a", "ATLAS_2010_S8918562", "-o", "out.yoda"), "ATLAS_2010_S8918562"),
    (
        ("convert", DATA / "lep91_200.rivet317.yoda.gz", "out.yoda", "--select", "d88-x01"),
        "rivet317.yoda.gz matches; the nearest are /ALEPH_1996_S3486095/d",
    ),
    (("analyse", "nowhere.npz", "-a", "ALEPH_1996_S3486095", "-o", "o.root"), "o.root: the name must end in .yoda or"),
    (("convert", DATA / "lep91_200.rivet317.yoda.gz", "c.root"), "c.root: the name must end in .yoda or .yoda.gz or "),
    (("convert", DATA / "lep91_200.rivet317.yoda.gz", "c.root", "--to", "yoda"), "c.root: the name must end in .yoda"),
    (("convert", DATA / "lep91_200.rivet317.yoda.gz", "c.dat", "--to", "data"), "c.dat: the name must end in .json"),
    (("convert", "nowhere.yoda", "out.yoda"), "nowhere.yoda"),
    (("convert", "nowhere", "out.txt"), "nowhere: no such file or directory"),
    (("train", "nowhere", "--kind", "spline"), "'spline' is not one of"),
    (("analyse", "x"), "nothing is asked for: name analyses with -a, or columns with -c"),
]


@pytest.mark.parametrize(("words", "message"), FAULTS)
def test_wrong_input_is_code_2_and_one_message(words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = call(*words, code=2)
    assert message in result.stderr
    assert result.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_a_failed_computation_is_code_1(tmp_path):
    toyline.make(tmp_path, runs=11)
    (tmp_path / "generator.py").write_text("import sys; sys.exit('no')\n")
    result = call("tune", tmp_path, code=1)
    assert "run " in result.stderr
    assert "failed" in result.stderr
    assert not (tmp_path / "result.yaml").exists()


def test_a_misspelt_key_is_code_2_with_file_and_line(tmp_path):
    toyline.make(tmp_path)
    toyline.edit(tmp_path, "runs: 24", "rums: 24")
    result = call("tune", tmp_path, code=2)
    assert f"{tmp_path}/card.yaml:10: unknown key 'scan.rums'" in result.stderr


def test_it_runs_as_a_program():
    result = subprocess.run([sys.executable, "-m", "sbitune", "--version"], capture_output=True, text=True)
    assert result.returncode == 0
    assert "sbitune" in result.stdout
