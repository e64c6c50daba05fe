"""The verbs of a Professor user and the formats, by the commands: numbers, round trips, refusals."""

import csv
import json

import h5py
import numpy as np
import pytest
import yaml
from helpers import toyline
from helpers.calling import call

from sbitune.data import yoda
from sbitune.data.formats.apprentice import write_data
from sbitune.data.formats.ipol_reader import read_ipol
from sbitune.data.formats.parameters import read_limits, read_points, read_values
from sbitune.data.formats.professor_results import read_result
from sbitune.data.formats.selection import read_weights
from sbitune.data.scan import Scan
from sbitune.tuning.surrogates.storage import load_surrogate


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """A fitted card, its scan as directories and as scan.npz, a surrogate and its ipol.dat."""
    directory = tmp_path_factory.mktemp("verbs")
    toyline.make(directory / "toy")
    call("scan", directory / "toy")
    call("fit", directory / "toy")
    words = ("--kind", "polynomial", "--order", "3", "-o", directory / "s.npz")
    call("train", directory / "toy/work/scan", *words)
    call("convert", directory / "s.npz", directory / "ipol.dat")
    return directory


def figures(*words) -> dict:
    return json.loads(call(*words, "--json").stdout)


def test_sample_and_the_runs_that_somebody_else_makes(toy, tmp_path):
    (tmp_path / "limits.dat").write_text("a 0.5 2.0\nb -1 1\n")
    (tmp_path / "run.in").write_text("{a} {b} {SEED}\n")
    out = tmp_path / "scan"
    found = figures("sample", tmp_path / "limits.dat", "-o", out, "-n", 12, "-t", tmp_path / "run.in", "--seed", 3)
    assert (found["runs"], found["parameters"], found["fixed"]) == (12, 2, 0)
    for run in sorted(out.iterdir()):
        a, b, _ = (float(word) for word in (run / "run.in").read_text().split())
        assert read_values(run / "params.dat") == {"a": a, "b": b}
        objects = [_scatter(path, values) for path, values in toyline.truth(a, b).items()]
        yoda.write(run / "out.yoda", objects, digits=17)
    one = figures("ls", out)
    bins = {path: row["bins"] for path, row in one["observables"].items()}
    assert (one["runs"], bins) == (12, {"/TOY/d01": 8, "/TOY/d02": 8, "/TOY/d03": 1})
    card = figures("sample", toy / "toy", "-o", tmp_path / "card")
    assert card["runs"] == 24
    assert (tmp_path / "card/0003/params.dat").read_text() == (toy / "toy/work/scan/0003/params.dat").read_text()


def _scatter(path: str, values: np.ndarray) -> yoda.Scatter:
    n = len(values)
    low, high = (toyline.X[:-1], toyline.X[1:]) if n > 1 else (np.zeros(1), np.ones(1))
    errors = np.stack([0.5 * (high - low), np.full(n, 0.01)], axis=1)
    return yoda.Scatter(path, np.stack([0.5 * (low + high), values], axis=1), errors, errors)


def test_run_combinations(toy, tmp_path):
    found = figures("runcombs", toy / "toy/work/scan", "-n", 5, "--leave-out", 2, "-o", tmp_path / "rc.dat")
    assert found == {
        "combinations": 5, "runs": 24, "runs_in_each": 22, "output": str(tmp_path / "rc.dat")
    }  # fmt: skip
    rows = [line.split() for line in (tmp_path / "rc.dat").read_text().splitlines()]
    assert len({tuple(row) for row in rows}) == 5
    assert all(len(set(row)) == 22 for row in rows)
    # a card's name, and scan.npz, have the same runs
    call("runcombs", toy / "toy", "-n", 5, "--leave-out", 2, "-o", tmp_path / "again.dat")
    assert (tmp_path / "again.dat").read_bytes() == (tmp_path / "rc.dat").read_bytes()


def test_predictions_are_histograms_that_are_near_the_truth(toy, tmp_path):
    out = tmp_path / "p.yoda"
    found = figures("predict", toy / "s.npz", "a=1.1", "b=-0.2", "-o", out)
    assert found["parameters"] == {"a": 1.1, "b": -0.2}
    assert (found["observables"], found["bins"]) == (3, 17)
    for path, item in yoda.read(out).items():
        # runs of error 0.01, many of them: predictions are better; four times their own error
        assert np.all(np.abs(item.values[:, 1] - toyline.truth(1.1, -0.2)[path]) < 4 * item.plus[:, 1] + 1e-3)
        assert np.all(item.plus[:, 1] < 0.012)
        assert float(item.annotations["Tune_Parameter_a"]) == pytest.approx(1.1)
    # a card is asked at its tune; files and words may be mixed, later ones win
    tuned = figures("predict", toy / "toy", "-o", out)["parameters"]
    assert tuned["a"] == pytest.approx(1.3, abs=0.1)
    mixed = figures("predict", toy / "ipol.dat", toy / "toy/result.yaml", "b=0.1", "-o", out, "--yoda-version", 2)
    assert mixed["parameters"] == {"a": tuned["a"], "b": 0.1}
    far = call("predict", toy / "ipol.dat", "a=2.5", "b=0", "-o", out, "--extrapolate", "--json")
    assert json.loads(far.stdout)["outside"] == ["a"]
    assert "does not hold there" in far.stderr


def test_envelopes_name_what_no_run_reaches(toy, tmp_path):
    inside = figures("envelopes", toy / "toy")
    assert (inside["runs"], inside["bins"], inside["fraction"], inside["outside"]) == (24, 17, 1.0, {})
    objects = yoda.read(toy / "toy/data.yoda")
    values = objects["/REF/TOY/d02"].values
    values[3, 1] += 5.0
    yoda.write(tmp_path / "far.yoda", objects)
    place = toy / "toy/work/scan.npz"
    found = figures("envelopes", place, "-r", tmp_path / "far.yoda", "-o", tmp_path / "e.csv")
    assert found["inside"] == 16
    assert list(found["outside"]) == ["/TOY/d02#3"]
    scan = Scan.load(place)
    top = scan.values[:, scan.bins.labels().index("/TOY/d02#3")].max()
    assert found["outside"]["/TOY/d02#3"] == pytest.approx((values[3, 1] - top) / 0.02, rel=1e-6)
    assert found["observables"]["/TOY/d02"]["inside"] == 7
    rows = list(csv.DictReader((tmp_path / "e.csv").read_text().splitlines()))
    assert [row["inside"] for row in rows].count("False") == 1
    call("envelopes", place, "-r", tmp_path / "far.yoda", "-o", tmp_path / "e.yoda")
    band = yoda.read(tmp_path / "e.yoda")["/TOY/d02"]
    assert band.values[3, 1] + band.plus[3, 1] == pytest.approx(top, rel=1e-6)


def test_sensitivities_of_the_toy(toy, tmp_path):
    out = tmp_path / "s.csv"
    found = figures("sensitivities", toy / "s.npz", "a=1.2", "b=0.3", "-r", toy / "toy/data.yoda", "-o", out)
    # d01 is exp(-a x): d ln f / d ln a = -a x at the eight middles, nothing of b
    middle = 0.5 * (toyline.X[1:] + toyline.X[:-1])
    expected = np.sqrt(np.mean((1.2 * middle) ** 2))
    assert found["logarithmic"]["/TOY/d01"]["a"] == pytest.approx(expected, abs=0.05)
    assert abs(found["logarithmic"]["/TOY/d01"]["b"]) < 0.02
    assert found["logarithmic"]["/TOY/d03"]["b"] == pytest.approx(0.3 / 1.5, abs=0.02)  # a + b
    box = {p.name: p for p in load_surrogate(toy / "s.npz").parameters}
    assert found["by_range"]["/TOY/d03"]["b"] == pytest.approx((box["b"].high - box["b"].low) / 0.02, rel=0.03)
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert len(rows) == 17
    assert float(rows[7]["dlnf/dlnp a"]) == pytest.approx(-1.2 * middle[7], abs=0.1)
    # a card has the data and the tune's errors
    of_card = figures("sensitivities", toy / "toy", "-o", tmp_path / "s.yoda")
    error = figures("ls", toy / "toy/result.yaml")["parameters"]["b"]["error"]
    assert of_card["by_fitted_error"]["/TOY/d03"]["b"] == pytest.approx(error / 0.02, rel=0.05)
    assert "/SENSITIVITY_a/TOY/d01" in yoda.read(tmp_path / "s.yoda")
    assert "by_range" not in figures("sensitivities", toy / "ipol.dat")


def test_residuals_of_held_out_runs(toy, tmp_path):
    (tmp_path / "runs.txt").write_text("0001 0005\n0009\n0012\n")
    held = ("--holdout", tmp_path / "runs.txt")
    trained = figures(
        "train", toy / "toy/work/scan", "--kind", "polynomial", "--order", "3", *held, "-o", tmp_path / "t.npz"
    )
    found = figures(
        "residuals", tmp_path / "t.npz", toy / "toy/work/scan", *held, "--worst", 2, "-o", tmp_path / "r.csv"
    )
    assert found["runs"] == 4
    assert found["pulls"] == 4 * 17
    for name in ("rms_pull", "pull_width"):
        assert found[name] == pytest.approx(trained[name], rel=1e-12)
    assert len(found["worst"]) == 2
    name, pull = next(iter(found["worst"].items()))
    assert name.split(" in run ")[1] in ("0001", "0005", "0009", "0012")
    assert abs(pull) >= max(row["pull_width"] for row in found["of_runs"].values())
    pooled = sum(row["pull_width"] ** 2 * row["pulls"] for row in found["observables"].values())
    assert pooled == pytest.approx(found["pull_width"] ** 2 * found["pulls"], rel=1e-12)
    assert len((tmp_path / "r.csv").read_text().splitlines()) == 18
    said = call("residuals", toy / "toy", toy / "toy/work/scan").stderr
    assert "learnt from 24 of these 24 runs" in said


@pytest.mark.slow
def test_jackknife_of_a_card(toy, tmp_path):
    call("runcombs", toy / "toy", "-n", 3, "--leave-out", 4, "-o", tmp_path / "rc.dat")
    found = figures("jackknife", toy / "toy", "--max-order", 2, "--combinations", tmp_path / "rc.dat")
    assert list(found["orders"]) == ["order 0", "order 1", "order 2"]
    scores = [found["orders"][name]["rms_pull"] for name in found["orders"]]
    assert scores[0] > scores[1] > scores[2] > 0.8
    assert found["best_order"] == 2
    second = found["fits"]["order 2"]
    assert abs(second["a"]["value"] - 1.3) < 3 * second["a"]["error"]
    assert (found["combinations"], found["failed"]) == (3, 0)
    # data without noise, runs of little noise: what single runs do is small against the error of the data
    assert 0 < found["stability"]["a"]["error"] < second["a"]["error"]
    alone = figures("jackknife", toy / "toy/work/scan", "--max-order", 1)
    assert "fits" not in alone


def check_same(one: Scan, other: Scan) -> None:
    assert [p.name for p in one.parameters] == [p.name for p in other.parameters]
    assert one.runs == other.runs
    assert one.bins.labels() == other.bins.labels()
    for name in ("theta", "values", "errors"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_scans_go_round_all_layouts_and_come_back_to_the_bit(toy, tmp_path):
    place = toy / "toy/work/scan.npz"
    stations = [
        ("runs", ()),
        ("mcnntunes", ("--to", "mcnntunes")),
        ("scan.h5", ()),
        ("again", ("--to", "runs")),
        ("end.npz", ()),
    ]
    for name, words in stations:
        found = figures("convert", place, tmp_path / name, *words)
        assert (found["runs"], found["bins"]) == (24, 17)
        place = tmp_path / name
    check_same(Scan.load(toy / "toy/work/scan.npz"), Scan.load(place))
    assert (tmp_path / "mcnntunes/0003.yoda").is_file()
    assert (tmp_path / "again/0003/params.dat").is_file()
    with h5py.File(tmp_path / "scan.h5") as file:
        assert file["values"].shape == (17, 24)
    call("convert", place, tmp_path / "limits.dat", "--to", "limits")
    ranges, fixed = read_limits(tmp_path / "limits.dat")
    assert fixed == {}
    assert ranges == {p.name: (p.low, p.high) for p in Scan.load(place).parameters}
    listed = figures("ls", tmp_path / "limits.dat")["parameters"]
    assert listed["a"] == {"low": ranges["a"][0], "high": ranges["a"][1]}
    assert f"  a: {ranges['a'][0]:g} to {ranges['a'][1]:g}\n" in call("ls", tmp_path / "limits.dat").stdout


def test_surrogates_become_ipol_and_say_how_well(toy, tmp_path):
    said = call("convert", toy / "s.npz", tmp_path / "ipol.dat", "--json")
    found = json.loads(said.stdout)
    assert (found["exact"], found["order"], found["to"]) == (True, 3, "ipol")
    assert "means: polynomials of order 3, exact" in said.stderr
    surrogate, file = load_surrogate(toy / "s.npz"), read_ipol(tmp_path / "ipol.dat")
    theta = np.array([[0.9, 0.4], [1.7, -0.8]])
    np.testing.assert_allclose(file.evaluate(theta)[0], surrogate.predict_many(theta).mean, rtol=1e-11)
    # a surrogate's file knows its runs
    assert file.runs == Scan.load(toy / "toy/work/scan.npz").runs
    assert file.header["NumInputs"] == "24"
    assert "learnt from 24 of these 24 runs" in call("residuals", toy / "s.npz", toy / "toy/work/scan").stderr
    listed = figures("ls", tmp_path / "ipol.dat")
    assert (listed["kind"], listed["order"], listed["observables"]["/TOY/d01"]["bins"]) == ("ipol", 3, 8)
    assert figures("ls", toy / "s.npz")["surrogate"] == "component"
    # of a card's surrogate the runs are known
    call("convert", toy / "toy", tmp_path / "card.ipol", "--to", "ipol")
    assert read_ipol(tmp_path / "card.ipol").runs == Scan.load(toy / "toy/work/scan.npz").runs
    assert "learnt from 24 of these 24" in call("residuals", tmp_path / "card.ipol", toy / "toy/work/scan").stderr


def test_an_ipol_is_fitted_to_data_without_a_card(toy, tmp_path):
    data = ("-r", toy / "toy/data.yoda")
    alone = figures("fit", toy / "ipol.dat", *data, "-o", tmp_path / "results.txt")
    card = figures("ls", toy / "toy/result.yaml")["parameters"]
    for name, row in alone["parameters"].items():
        # the same polynomials; the errors of the surrogate are those of a fit, and no longer shared between bins
        assert row["value"] == pytest.approx(card[name]["value"], abs=0.1 * row["error"])
        assert row["error"] == pytest.approx(card[name]["error"], rel=0.05)
        assert read_result(tmp_path / "results.txt").values[name] == row["value"]
    (tmp_path / "limits.dat").write_text("a 0.8 1.2\nb 0.4\n")
    (tmp_path / "w.dat").write_text("/TOY/d01 1\n/TOY/d03 1\n")
    words = (*data, "--limits", tmp_path / "limits.dat", "--weights", tmp_path / "w.dat", "-o", tmp_path / "r.yaml")
    limited = figures("fit", toy / "s.npz", *words)
    assert limited["status"] == "at a limit"
    assert limited["parameters"]["b"] == {
        "value": pytest.approx(0.4), "error": 0, "scaled_error": 0, "minos": None, "status": "fixed"
    }  # fmt: skip
    assert limited["parameters"]["a"]["value"] == pytest.approx(1.2, abs=1e-4)
    assert limited["ndf"] == 9 - 1
    assert figures("ls", tmp_path / "r.yaml")["parameters"] == limited["parameters"]


def test_results_and_parameters(toy, tmp_path):
    call("convert", toy / "toy/result.yaml", tmp_path / "results.txt")
    found, listed = read_result(tmp_path / "results.txt"), figures("ls", toy / "toy/result.yaml")
    assert found.gof == pytest.approx(listed["chi2"])
    assert found.ndof == listed["ndf"]
    for name, row in listed["parameters"].items():
        assert found.values[name] == row["value"]
        assert found.errors[name] == row["error"]
        assert found.minos[name][0] < 0 < found.minos[name][1]
    np.testing.assert_allclose(np.sqrt(np.diag(found.covariance)), list(found.errors.values()))
    assert found.contributions.keys() == {"/TOY/d01", "/TOY/d02", "/TOY/d03"}
    assert figures("ls", tmp_path / "results.txt")["parameters"]["a"]["value"] == found.values["a"]
    for source in (tmp_path / "results.txt", toy / "toy/result.yaml"):
        call("convert", source, tmp_path / "values.dat", "--to", "parameters")
        assert read_values(tmp_path / "values.dat") == found.values
    assert figures("ls", tmp_path / "values.dat", "a")["parameters"] == {"a": found.values["a"]}


def test_weight_files_of_both_generations(tmp_path):
    (tmp_path / "old.weights").write_text("/TOY/d01 2.0\n/TOY/d02:0.1:0.5 1.0 extraerr=10%\n")
    (tmp_path / "new.weights").write_text("/TOY/d01 2.0\n/TOY/d02#1:3 0.5\n")
    call("convert", tmp_path / "new.weights", tmp_path / "same.weights")
    one, other = (read_weights(tmp_path / name) for name in ("new.weights", "same.weights"))
    assert [(r.path, r.weight, r.by, r.first, r.last) for r in one] == [
        (r.path, r.weight, r.by, r.first, r.last) for r in other
    ]
    call("convert", tmp_path / "old.weights", tmp_path / "kept.weights", "--to", "weights1")
    assert [rule.extra_error for rule in read_weights(tmp_path / "kept.weights")] == [0.0, 0.1]
    refused = call("convert", tmp_path / "old.weights", tmp_path / "no.weights", code=2)
    assert f"{tmp_path}/old.weights:2: Professor 2 has no rule with an extra error" in refused.stderr
    assert not (tmp_path / "no.weights").exists()
    listed = figures("ls", tmp_path / "old.weights")["rules"]
    assert listed == [
        "/TOY/d01: weight 2",
        "/TOY/d02: weight 1, bins by centre 0.1 to 0.5, extra error 0.1 of the value",
    ]


def test_measured_values_of_apprentice(toy, tmp_path):
    call("convert", toy / "toy/data.yoda", tmp_path / "data.json")
    content = json.loads((tmp_path / "data.json").read_text())
    assert len(content) == 17
    assert content["/TOY/d03#0"] == pytest.approx([1.7, 0.02])
    call("convert", tmp_path / "data.json", tmp_path / "back.yoda", "--like", toy / "toy/data.yoda")
    one, other = yoda.read(toy / "toy/data.yoda"), yoda.read(tmp_path / "back.yoda")
    assert one.keys() == other.keys()
    for path, item in one.items():
        np.testing.assert_allclose(other[path].values, item.values, rtol=1e-12)
        np.testing.assert_allclose(other[path].plus, item.plus, rtol=1e-6)
    assert "no edges of bins" in call("convert", tmp_path / "data.json", tmp_path / "x.yoda", code=2).stderr
    words = ("convert", tmp_path / "data.json", tmp_path / "x.yoda", "--like", tmp_path / "data.json")
    assert "data.json: it has no edges of bins either" in call(*words, code=2).stderr
    # bins of an embedded measurement are known by their names, some of them are enough
    label = "/ALEPH_1996_S3486095/d18-x01-y01#"
    write_data(tmp_path / "aleph.json", [f"{label}3", f"{label}4"], np.array([1.0, 2.0]), np.array([0.1, 0.2]))
    call("convert", tmp_path / "aleph.json", tmp_path / "aleph.yoda")
    item = yoda.read(tmp_path / "aleph.yoda")["/REF/ALEPH_1996_S3486095/d18-x01-y01"]
    assert item.values[:, 1].tolist() == [1.0, 2.0]


FAULTS = [
    (("sample", "limits.dat", "-o", "out"), "--runs: say how many"),
    (("sample", "limits.dat", "-o", "out", "-n", "5", "--design", "grid"), "a grid in 2 parameters needs"),
    (("sample", "limits.dat", "-o", "out", "-n", "5", "-t", "run.in"), "--template run.in: {aa} names no parameter"),
    (("sample", "fixed.dat", "-o", "out", "-n", "5"), "fixed.dat: no parameter has a range"),
    (("sample", "nowhere.dat", "-o", "out", "-n", "5"), "nowhere.dat"),
    (("sample", "toy", "-o", "out", "-n", "5"), "the card says them"),
    (("runcombs", "s.npz", "-n", "2", "--leave-out", "1", "-o", "out"), "expected a sbitune scan"),
    (("runcombs", "toy/work/scan", "-n", "30", "--leave-out", "1", "-o", "out"), "30 are wanted, 24 exist"),
    (("predict", "s.npz", "a=1", "-o", "out.yoda"), "no value is given for b"),
    (("predict", "s.npz", "a=1", "b=7", "-o", "out.yoda"), "b = 7 is outside the range"),
    (("predict", "s.npz", "a=1", "b=0", "-o", "out.root"), "out.root: the name must end in .yoda"),
    (("predict", "limits.dat", "a=1", "b=0", "-o", "out.yoda"), "this is of the kind `limits`"),
    (("predict", "broken.dat", "a=1", "b=0", "-o", "out.yoda"), "broken.dat"),
    (("envelopes", "toy/work/scan"), "--reference: say what was measured"),
    (("envelopes", "toy/work/scan", "-r", "ALEPH_1996_S3486095"), "the reference has none of the observables"),
    (("sensitivities", "s.npz", "c=1"), "c: no such parameter; there are a, b"),
    (("sensitivities", "s.npz", "--weights", "w"), "--weights: say what was measured, too"),
    (("residuals", "s.npz", "toy/work/scan", "--holdout", "limits.dat"), "limits.dat:1: the scan has no run a (nor "),
    (("train", "toy/work/scan", "--holdout", "named.txt"), "named.txt:3: the scan has no run 0099; the runs are "),
    (("train", "toy/work/scan", "--holdout", "named.json"), "named.json:2: the scan has no run 0099; the runs are "),
    (("fit", "ipol.dat", "-r", "toy/data.yoda", "--weights", "nofile"), "--weights: weight file nofile: No such file"),
    (("fit", "ipol.dat", "-r", "toy/data.yoda", "--limits", "nofile"), "--limits: limits file nofile: No such file"),
    (("envelopes", "toy/work/scan", "-r", "toy/data.yoda", "--weights", "nofile"), "--weights: weight file nofile"),
    (("residuals", "s.npz", "nowhere"), "nowhere"),
    (("jackknife", "toy/work/scan", "-n", "3", "--leave-out", "2"), "which needs a card"),
    (("jackknife", "toy", "-n", "3"), "give -n and --leave-out together"),
    (("fit", "ipol.dat"), "--reference: say what was measured"),
    (("fit", "ipol.dat", "-r", "toy/data.yoda", "--limits", "limits.dat"), "limits of a: [0.5, 2] are not inside"),
    (("fit", "toy", "--limits", "limits.dat"), "--limits: the card says this"),
    (("convert", "s.npz", "out.npz"), "a file of the kind `surrogate` cannot become this; it can become ipol, limits"),
    (("convert", "toy/work/scan.npz", "out.dat", "--to", "ipol"), "train it first"),
    (("convert", "limits.dat", "out.txt"), "`limits` cannot become this; it can be read only"),
    (("convert", "toy/work/scan", "out.xyz"), "out.xyz: the name must end in"),
    (("convert", "broken.dat", "out.dat"), "[file-unknown-format]"),
    (("ls", "broken.dat"), "[file-unknown-format]"),
    (("ls", "cut.ipol"), "cut.ipol"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "message"), FAULTS)
def test_wrong_input_is_code_2_with_its_place_and_nothing_is_written(toy, words, message, monkeypatch):
    monkeypatch.chdir(toy)
    (toy / "limits.dat").write_text("a 0.5 2.0\nb -1 1\n")
    (toy / "fixed.dat").write_text("a 0.5\n")
    (toy / "named.txt").write_text("0001\n# the last\n0002 0099\n")
    (toy / "named.json").write_text('{"holdout": ["0001",\n"0099"]}')
    (toy / "run.in").write_text("{aa} {b}\n")
    (toy / "broken.dat").write_text("What a day.\n")
    (toy / "cut.ipol").write_text((toy / "ipol.dat").read_text()[:-200])
    before = sorted(toy.iterdir())
    result = call(*words, code=2)
    assert message in result.stderr
    assert result.stdout == ""
    assert sorted(toy.iterdir()) == before


def test_pages_of_the_verbs_have_a_figure_for_every_observable_of_several_bins(toy, tmp_path):
    words = (
        ("envelopes", toy / "toy"),
        ("sensitivities", toy / "toy"),
        ("residuals", toy / "s.npz", toy / "toy/work/scan"),
    )
    pages = {}
    for one in words:
        found = figures(*one, "-o", tmp_path / "page.html")
        pages[one[0]] = (tmp_path / "page.html").read_text()
        # d01 and d02 have figures, and so has d03 of one bin among others: bars, a table in colours, all pulls
        assert pages[one[0]].count("<svg") == 3
    assert "17 of 17 measured bins lie within what 24 runs span" in pages["envelopes"]
    assert "At a = 1." in pages["sensitivities"]
    assert f"rms of {found['rms_pull']:.2f} in Monte Carlo errors" in pages["residuals"]
    assert f"of {found['pull_width']:.2f} with its own errors" in pages["residuals"]


def test_one_combination_of_runs_is_learnt_from(toy, tmp_path):
    place = toy / "toy/work/scan"
    call("runcombs", place, "-n", 3, "--leave-out", 4, "-o", tmp_path / "rc.dat")
    out = tmp_path / "s.npz"
    words = ("--kind", "polynomial", "--order", 2, "--per-bin", "-o", out)
    found = figures("train", place, "--combination", f"{tmp_path}/rc.dat:1", *words)
    assert found["runs"] == 20
    (tmp_path / "own.txt").write_text("\n".join((tmp_path / "rc.dat").read_text().splitlines()[1].split()))
    names = (tmp_path / "own.txt").read_text().split()
    rest = [f"{i:04d}" for i in range(24) if f"{i:04d}" not in names]
    (tmp_path / "rest.txt").write_text("\n".join(rest))
    call("train", place, "--holdout", tmp_path / "rest.txt", *words[:-1], tmp_path / "held.npz")
    at = [[1.2, 0.1]]
    one, other = (load_surrogate(s).predict_many(np.array(at)) for s in (out, tmp_path / "held.npz"))
    np.testing.assert_array_equal(one.mean, other.mean)
    for bad, said in (("rc.dat", "give a file and a line"), ("rc.dat:3", "has 3 combinations, 0 to 2")):
        assert said in call("train", place, "--combination", tmp_path / bad, code=2).stderr


def test_of_a_card_what_is_not_named_is_as_in_its_tune(toy, tmp_path):
    tuned = read_result_values(toy / "toy/result.yaml")
    found = figures("predict", toy / "toy", "b=0.3", "-o", tmp_path / "p.yoda")["parameters"]
    assert found == {"a": tuned["a"], "b": 0.3}


def read_result_values(path) -> dict[str, float]:
    return {name: row["value"] for name, row in yaml.safe_load(path.read_text())["parameters"].items()}


def test_a_profile_over_a_range_that_is_asked_for(toy):
    found = figures("profile", toy / "toy", "b", "--range", -0.9, 0.9, "--points", 7)["profile"]
    np.testing.assert_allclose([float(x) for x in found], np.linspace(-0.9, 0.9, 7), atol=1e-9)
    assert (
        "--range -2 0.5: choose ends within -1 and 1"
        in call("profile", toy / "toy", "b", "--range", -2, 0.5, code=2).stderr
    )


def test_points_that_were_proposed_become_runs(toy, tmp_path):
    found = figures("propose", toy / "toy", "-n", 3, "-o", tmp_path / "extra.txt")
    assert found["points"] == 3
    (tmp_path / "run.in").write_text("{a} {b} {SEED}\n")
    made = figures("sample", tmp_path / "extra.txt", "-o", tmp_path / "more", "-t", tmp_path / "run.in")
    assert made["runs"] == 3
    points = read_points(tmp_path / "extra.txt")
    for name, row in zip(("0000", "0001", "0002"), points.points, strict=True):
        assert list(read_values(tmp_path / "more" / name / "params.dat").values()) == row.tolist()
    assert (
        "the table has its points"
        in call("sample", tmp_path / "extra.txt", "-o", tmp_path / "x", "-n", 3, code=2).stderr
    )
