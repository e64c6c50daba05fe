"""Commands that ask how sure a tune is: eigentunes, refits, posterior, inverse model, profiles, export."""

import csv
import json
import re

import numpy as np
import pytest
import yaml
from helpers import toyline
from helpers.calling import call
from scipy import stats

from sbitune.data import yoda
from sbitune.fitting.sampling.chains import load_posterior
from sbitune.tuning.inverse.storage import load_inverse
from sbitune.tuning.record.result import made_of, read_record
from sbitune.workflow.results.records import write_sealed_yaml


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    directory = tmp_path_factory.mktemp("trust") / "toy"
    toyline.make(directory)
    call("scan", directory)
    return directory, figures("fit", directory)["parameters"]


def figures(*words, code=0) -> dict:
    return json.loads(call(*words, "--json", code=code).stdout)


def test_eigentunes_are_settings_predictions_and_numbers(toy, tmp_path):
    directory, tuned = toy
    out = tmp_path / "e"
    out.mkdir()
    (out / "eigentune-3+.cmnd").write_text("of eigentunes before")
    (out / "notes.txt").write_text("somebody's")
    found = figures("eigentunes", directory, "--toys", 200, "-o", out)
    one = found["coverages"][0]
    # the likelihood of the toy is nearly quadratic: Delta is chi2's quantile
    assert one["conventional_delta"] == pytest.approx(stats.chi2.ppf(0.68, 2))
    assert abs(one["delta"] - one["conventional_delta"]) < 4 * one["delta_error"]
    labels = ["1+", "1-", "2+", "2-"]
    assert sorted(p.name for p in out.iterdir()) == sorted(
        [f"eigentune-{label}.{kind}" for label in labels for kind in ("cmnd", "yoda")]
        + ["eigentunes.yaml", "notes.txt"]
    )
    summary = yaml.safe_load((out / "eigentunes.yaml").read_text())
    rows = summary["coverages"][0]["eigentunes"]
    for label in labels:
        values = found["eigentunes"][label]
        assert rows[label]["values"] == values
        assert rows[label]["rise"] == pytest.approx(one["delta"], rel=1e-3)
        settings = dict(re.findall(r"^(\w+) += (\S+)", (out / f"eigentune-{label}.cmnd").read_text(), re.MULTILINE))
        assert {name: float(x) for name, x in settings.items()} == pytest.approx(values)
        for path, item in yoda.read(out / f"eigentune-{label}.yoda").items():
            assert np.allclose(item.values[:, 1], toyline.truth(**values)[path], atol=0.02)
    for name in ("a", "b"):  # either side of the tune, symmetric for a quadratic likelihood
        forth, back = (rows[label]["values"][name] - tuned[name]["value"] for label in ("1+", "1-"))
        assert forth == pytest.approx(-back, rel=0.05)


def test_several_coverages_and_too_few_toys(toy, tmp_path):
    words = ("eigentunes", toy[0], "--toys", 20, "-o", tmp_path / "e")
    assert "cannot be told from 20 toys" in call(*words, "--coverage", 0.95, code=2).stderr
    assert not (tmp_path / "e").exists()
    found = figures(*words, "--coverage", 0.5, "--coverage", 0.68)
    assert found["coverages"][0]["delta"] < found["coverages"][1]["delta"]
    assert (tmp_path / "e/eigentune-0.5-1+.cmnd").is_file()
    assert found["files"] == 17


@pytest.mark.slow
def test_refits_of_data_and_of_runs(toy):
    directory, tuned = toy
    data = figures("bootstrap", directory, "-n", 100)
    assert (data["refits"], data["failed"]) == (100, 0)
    for name, row in data["parameters"].items():
        assert row["quoted"] == pytest.approx(tuned[name]["error"], rel=0.05)
        assert abs(row["ratio"] - 1) < 4 / np.sqrt(2 * 99)  # known to so much from 100
        assert abs(row["mean"] - row["tune"]) < 4 * row["spread"] / np.sqrt(100) + 0.05 * row["spread"]
    for words in (("runs",), ("jackknife",), ("combinations", "--leave-out", 4)):
        found = figures("bootstrap", directory, "-n", 4, "--of", *words)
        assert found["refits"] == 4
        assert all(0 < row["spread"] < row["quoted"] * 4 for row in found["parameters"].values())
        assert all(row["quoted"] < tuned[name]["error"] for name, row in found["parameters"].items())
    assert "--leave-out" in call("bootstrap", directory, "--of", "combinations", code=2).stderr
    assert "possible" in call("bootstrap", directory, "--of", "jackknife", "-n", 25, code=2).stderr


@pytest.mark.slow
def test_the_posterior_is_the_fit_where_it_is_a_parabola(toy, tmp_path):
    directory, tuned = toy
    out = tmp_path / "posterior.npz"
    found = figures("posterior", directory, "--samples", 500, "-o", out, "--predictions", 50)
    for name, row in found["parameters"].items():
        assert abs(row["mean"] - tuned[name]["value"]) < 5 * row["sd"] / np.sqrt(row["ess"]) + 0.05 * row["sd"]
        assert row["half_width_ratio"] == pytest.approx(1, abs=0.15)
        assert row["low68"] < tuned[name]["value"] < row["high68"]
    assert found["p_value"] > 0.9  # the data are the truth without noise
    kept = load_posterior(out)
    assert kept.samples.shape == (4, 500, 2)
    assert kept.mean[0] == found["parameters"]["a"]["mean"]
    assert kept.made_of == made_of(read_record(directory / "result.yaml"))  # of which fit it is
    page = (tmp_path / "posterior.html").read_text()
    assert page.count("<svg") == 2
    assert "Posterior: toy" in page
    words = ("--warmup", 50, "--samples", 20, "--chains", 2, "-o", directory / "posterior.json")
    call("posterior", directory, *words)
    groups = json.loads((directory / "posterior.json").read_text())
    assert np.shape(groups["log_likelihood"]["contents"])[:2] == (2, 20)
    assert groups["coords"]["bin"][0].startswith("/TOY/d01")
    call("report", directory)
    assert 'href="posterior.html"' in (directory / "report.html").read_text()
    assert "must end in .npz or .json" in call("posterior", directory, "-o", tmp_path / "p.txt", code=2).stderr


@pytest.mark.slow
def test_weights_have_no_posterior_and_nothing_is_written(tmp_path):
    directory = tmp_path / "weighted"
    toyline.make(directory)
    toyline.edit(directory, "  /TOY: 1", "  /TOY: 1\n  /TOY/d03: 2")
    call("scan", directory)
    call("fit", directory)
    assert "no likelihood" in call("posterior", directory, code=2).stderr
    assert not list(directory.glob("posterior.*"))


def test_profiles_and_contours(toy, tmp_path):
    directory, tuned = toy
    files = [tmp_path / "p.csv", tmp_path / "p.svg"]
    found = figures("profile", directory, "a", "--points", 7, "-o", files[0], "-o", files[1])
    value, error = tuned["a"]["value"], tuned["a"]["error"]
    with files[0].open() as stream:
        rows = list(csv.DictReader(stream))
    assert [float(row["a"]) for row in rows] == pytest.approx(value + error * np.linspace(-3, 3, 7))
    # (x / error)^2, but for the curvature of exp(-a x)
    assert [float(row["delta"]) for row in rows] == pytest.approx(np.linspace(-3, 3, 7) ** 2, rel=0.1, abs=1e-6)
    assert list(found["profile"].values()) == pytest.approx([float(row["delta"]) for row in rows])
    assert files[1].read_text().startswith("<svg")
    both = figures("profile", directory, "a", "b", "--points", 12, "-o", tmp_path / "c.csv")
    reach = both["contours"]["0.68"]
    assert reach["delta"] == pytest.approx(stats.chi2.ppf(0.68, 2))
    # a contour reaches sqrt(Delta) errors; 12 points on it may miss its end by 1 - cos(15 degrees)
    assert (reach["high"][0] - reach["low"][0]) / 2 == pytest.approx(np.sqrt(reach["delta"]) * error, rel=0.06)
    assert len((tmp_path / "c.csv").read_text().splitlines()) == 1 + 2 * 12
    assert "no free parameter" in call("profile", directory, "c", code=2).stderr
    assert "no free parameter" in call("profile", directory, "a", "c", code=2).stderr


@pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")  # which pyhf uses
def test_a_workspace_for_pyhf(toy, tmp_path):
    pyhf = pytest.importorskip("pyhf")
    out = tmp_path / "workspace.json"
    found = figures("export", toy[0], "--to", "pyhf", "-o", out)
    assert (found["channels"], found["bins"]) == (3, 17)
    workspace = pyhf.Workspace(json.loads(out.read_text()))
    model = workspace.model()
    start = dict(zip(model.config.par_names, model.config.suggested_init(), strict=True))
    assert start["a"] == pytest.approx(toy[1]["a"]["value"])
    assert call("export", toy[0], "--to", "pyhf", "-o", tmp_path / "w.txt", code=2).stderr


@pytest.mark.slow
def test_the_inverse_model_beside_the_fit(toy):
    directory, tuned = toy
    found = figures("inverse", directory, "--points", 2000, "--steps", 250, "--members", 2, "--layers", 1)
    for name, row in found["parameters"].items():
        # a short training: near the answer, not at it
        assert abs(row["difference"]) < 1
        assert 0.5 < row["width"] < 2
        assert row["fit"] == tuned[name]["value"]
    assert found["inside"]["p_value"] > 0.01
    model = load_inverse(directory / "work/inverse.npz")
    assert model.inside.p_value == found["inside"]["p_value"]
    assert found["calibration_on_runs"] is None
    (directory / "held.txt").write_text("0001\n0007\n0011\n0016\n")
    words = ("--points", 2000, "--steps", 250, "--members", 2, "--layers", 1, "--holdout", directory / "held.txt")
    on_runs = figures("inverse", directory, *words)["calibration_on_runs"]
    assert on_runs["cases"] == 4
    # runs without Monte Carlo errors, in a smooth toy: 95 % of 8 truths, each moved by the errors of the data
    assert np.mean([c[1] for c in on_runs["coverage"].values()]) >= 0.75
    call("report", directory)
    page = (directory / "report.html").read_text()
    assert "inverse posterior" in page
    assert "For 4 runs held out" in page
    # of another fit it is not shown
    content = yaml.safe_load((directory / "inverse.yaml").read_text())
    content["made_of"]["parameters"] = "other"
    write_sealed_yaml(directory / "inverse.yaml", "", content)
    call("report", directory)
    page = (directory / "report.html").read_text()
    assert "inverse posterior" not in page
    assert "inverse.yaml beside the card is of another fit and is not shown" in page
    (directory / "inverse.yaml").write_text("parameters: {}\n")
    assert "inverse.yaml" in call("report", directory, code=2).stderr


def test_coverage_by_more_toys_is_kept_in_the_result(toy):
    directory, _ = toy
    found = figures("coverage", directory, "--toys", 120)
    assert found["fits"] == 120
    kept = yaml.safe_load((directory / "result.yaml").read_text())["answer"]["coverage"]
    assert kept["coverage68"] == found["coverage68"]
    figures("coverage", directory, "--toys", 20)  # says less
    assert yaml.safe_load((directory / "result.yaml").read_text())["answer"]["coverage"] == kept
