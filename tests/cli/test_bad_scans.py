"""Bad scans by the commands: what is wrong is named, with its place and what is done about it.

The scan is that of `toyline`: two parameters, 17 bins in three observables, as run directories, HDF5 and scan.npz.
"""

import json
import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from helpers import toyline
from helpers.calling import call

from sbitune.cli.main import main
from sbitune.data import yoda
from sbitune.data.bins import Bins
from sbitune.data.formats.apprentice import write_data, write_scan
from sbitune.data.formats.professor_writer import write_runs
from sbitune.data.parameter import Parameter
from sbitune.data.scan import Scan

QUICK = ("--kind", "polynomial", "--order", "1", "--per-bin")
CARD = """
title: bad input
scan: {{directory: {scan}}}
reference: [{data}]
observables:
  /TOY: 1
surrogate: {{kind: polynomial, order: 2, components: false}}
fit: {{toys: 0, minos: false, starts: 1}}
"""


def make(runs: int = 24) -> Scan:
    rng = np.random.default_rng(1)
    theta = rng.uniform([0.5, -1], [2, 1], (runs, 2))
    values = np.array([np.concatenate(list(toyline.truth(a, b).values())) for a, b in theta])
    values += rng.normal(0, 0.01, values.shape)
    place = np.r_[0:8, 0:8, 0]
    low, high = (np.r_[ends, ends, end] for ends, end in ((toyline.X[:-1], 0.0), (toyline.X[1:], 1.0)))
    bins = Bins(np.repeat(["/TOY/d01", "/TOY/d02", "/TOY/d03"], [8, 8, 1]), place, low, high)
    names = tuple(f"{i:04d}" for i in range(runs))
    box = (Parameter("a", 0.5, 2.0), Parameter("b", -1.0, 1.0))
    return Scan(box, theta, values, np.full(values.shape, 0.01), bins, names)


SCAN = make()


def changed(**parts) -> Scan:
    """The scan with `name=(place, value)` of theta, values or errors replaced."""
    arrays = {name: np.array(getattr(SCAN, name)) for name in parts}
    for name, (place, value) in parts.items():
        arrays[name][place] = value
    return replace(SCAN, **arrays)


def refused(*words, fault: str | None = None) -> str:
    """What a command says that ends with exit code 2: one message, no traceback, no figures; the code of the fault, if
    it has one, stands at the end.
    """
    result = call(*words, code=2)
    assert result.stdout == ""
    assert result.stderr.endswith(f" [{fault}]\n" if fault else "\n")
    return result.stderr


def card(directory: Path, scan: Path, data: Path | None = None, **edits: str) -> Path:
    directory.mkdir()
    toyline.make(directory / "toy")
    text = CARD.format(scan=scan, data=data or directory / "toy/data.yoda")
    for old, new in edits.items():
        text = text.replace(old, new)
    (directory / "card.yaml").write_text(text)
    return directory


ALL = np.s_[:]
FOUND = {
    "constant": (
        {"values": (np.s_[:, 3], 0.7)},
        "1 of 17 bins have the same content in every run: /TOY/d01#3; kept; they tell nothing",
    ),
    "constant without errors": (
        {"values": (np.s_[:, 3], 0.7), "errors": (np.s_[:, 3], 0)},
        "1 of 17 bins have the same content in every run (1 of them without errors): /TOY/d01#3; kept",
    ),
    "empty": (
        {"values": (np.s_[:, 3], 0), "errors": (np.s_[:, 3], 0)},
        "1 of 17 bins are empty in every run: /TOY/d01#3; learnt as 0, and left out of fits",
    ),
    "no errors": (
        {"errors": (np.s_[:, 8:16], 0)},
        "8 of 17 bins have a Monte Carlo error in no run: /TOY/d02#0, /TOY/d02#1, /TOY/d02#2, /TOY/d02#3, /TOY/d02#4, "
        "... (8 in all); taken to be without noise",
    ),
    "some errors": (
        {"errors": (np.s_[::3, 16], 0)},
        "1 of 17 bins have an error of 0 in some runs (8 times, 8 of them with a content): /TOY/d03#0; kept; errors",
    ),
    "outside": (
        {"theta": ((5, 1), -1.5)},
        "1 of 24 runs lie outside the box: 0005 (b = -1.5); kept: they teach, too; fits stay inside the box",
    ),
    "one point": (
        {"theta": (7, SCAN.theta[2]), "values": (7, SCAN.values[2] + 0.01)},
        "several runs are at one point: 0002 and 0007; kept, as independent measurements of one point",
    ),
    "one point, far": (
        {"theta": (7, SCAN.theta[2])},
        "runs at one point differ by far more than their Monte Carlo errors: 0002 and 0007 (chi2 = ",
    ),
    "twice": (
        {"theta": (7, SCAN.theta[2]), "values": (7, SCAN.values[2])},
        "runs are there more than once, the same in every bin: 0002 = 0007; only the first of each is kept",
    ),
    "elsewhere": (
        {"values": (7, SCAN.values[2])},
        "runs at different points have the same contents in all bins: 0002 = 0007; kept; are the files those of these",
    ),
    "nearly collinear": (
        {"theta": (np.s_[:, 1], SCAN.theta[:, 0] - 1 + 0.01 * SCAN.theta[:, 1])},
        "parameters are nearly collinear over the 24 runs: b is about ",
    ),
    "parameter that does not vary": (
        {"theta": (np.s_[:, 1], 0.25)},
        "parameters have one value in all runs: b = 0.25; left out of the parameters; what is learnt holds for this",
    ),
}


@pytest.mark.parametrize("name", FOUND)
def test_what_can_be_lived_with_is_said_once(tmp_path, name):
    parts, words = FOUND[name]
    place = tmp_path / "scan.npz"
    changed(**parts).save(place)
    assert any(line.startswith(words) for line in json.loads(call("ls", place, "--json").stdout)["found"])
    trained = call("train", place, *QUICK, "--json")
    assert trained.stderr.count(words) == 1
    left = {"twice": (23, 2), "parameter that does not vary": (24, 1)}.get(name, (24, 2))
    figures = json.loads(trained.stdout)
    assert (figures["runs"], figures["parameters"]) == left


def test_a_sound_scan_says_nothing(tmp_path):
    SCAN.save(tmp_path / "scan.npz")
    assert "found" not in json.loads(call("ls", tmp_path / "scan.npz", "--json").stdout)
    assert call("train", tmp_path / "scan.npz", *QUICK).stderr == ""


@pytest.mark.parametrize("kind", [("polynomial", "--order", "1"), ("gaussian",), ("network",), ("auto",)])
def test_collinear_parameters_are_refused_whatever_is_to_be_learnt(tmp_path, kind):
    place = tmp_path / "scan.npz"
    bad = changed(theta=(np.s_[:, 1], 2 * SCAN.theta[:, 0] - 1))
    bad.save(place)
    said = refused("train", place, "--kind", *kind, fault="scan-collinear-parameters")
    assert f"scan {place}: parameters are collinear over the 24 runs: b = 2*a - 1; their effects cannot be told" in said
    assert "take b out of the scan" in said
    assert "b = 2*a - 1" in call("ls", place).stdout
    (tmp_path / "held.txt").write_text("0001\n")
    assert "b = 2*a - 1" in refused("closure", place, "--holdout", tmp_path / "held.txt", "--kind", *kind)


def test_collinear_parameters_are_refused_by_a_card_with_its_line(tmp_path):
    changed(theta=(np.s_[:, 1], 2 * SCAN.theta[:, 0] - 1)).save(tmp_path / "scan.npz")
    said = refused("tune", card(tmp_path / "card", tmp_path / "scan.npz"), fault="scan-collinear-parameters")
    assert "card.yaml:3: scan.directory: " in said
    assert "24 runs: b = 2*a - 1" in said
    assert not (tmp_path / "card/work").exists()


def test_a_parameter_of_the_card_must_vary(tmp_path):
    changed(theta=(np.s_[:, 1], 0.25)).save(tmp_path / "scan.npz")
    place = card(tmp_path / "card", tmp_path / "scan.npz")
    with (place / "card.yaml").open("a") as file:
        file.write("parameters:\n  a: {low: 0.6, high: 1.9}\n  b: {low: 0.2, high: 0.3}\n")
    assert "card.yaml:11: parameters.b: " in refused("tune", place, fault="card-parameter-constant")


def far_data(directory: Path) -> Path:
    """Data with three bins of d02 too high; 0.2, 0.04 and 0.001 above what the runs span."""
    toyline.make(directory / "data")
    objects = yoda.read(directory / "data/data.yoda")
    values = objects["/REF/TOY/d02"].values
    top = SCAN.values.max(axis=0)
    values[2, 1], values[5, 1], values[6, 1] = top[10] + 0.2, top[13] + 0.04, top[14] + 0.001
    yoda.write(directory / "far.yoda", objects, digits=17)
    return directory / "far.yoda"


def test_findings_reach_terminal_record_and_page_once(tmp_path):
    parts = {"theta": (7, SCAN.theta[2]), "values": (7, SCAN.values[2]), "errors": (np.s_[::3, 16], 0)}
    changed(**parts).save(tmp_path / "scan.npz")
    place = card(tmp_path / "card", tmp_path / "scan.npz", far_data(tmp_path))
    words = {
        "the same run twice": "runs are there more than once, the same in every bin",
        "bins without errors in some runs": "1 of 17 bins have an error of 0 in some runs",
        "data outside the scan's envelope": "in 3 of 17 bins the data lie outside what the 23 runs span, in 2 by more "
        "than the error of the data",
    }
    tuned = call("tune", place, "--json")
    again = call("fit", place, "--json")
    for result in (tuned, again):
        assert [result.stderr.count(said) for said in words.values()] == [1, 1, 1]
        found = json.loads(result.stdout)["findings"]
        assert found["the same run twice"] == "0002 = 0007"
        assert found["data outside the scan's envelope"] == "/TOY/d02#2 (+10), /TOY/d02#5 (+2), /TOY/d02#6 (+0.05)"
    record = yaml.safe_load((place / "result.yaml").read_text())
    rows = {row["kind"]: row for row in record["findings"]}
    assert set(rows) == set(words)
    assert rows["data outside the scan's envelope"]["where"][1] == "/TOY/d02#5 (+2)"
    assert rows["data outside the scan's envelope"]["done"].startswith("kept in the fit, and they raise chi2: widen")
    assert record["excluded"] == []
    assert sum(row["bins"] for row in record["observables"]) == 17
    page = (place / "report.html").read_text()
    assert '<a href="#found">' in page
    section = page.split('<h2 id="found">')[1].split("<h2")[0]
    assert "0002 = 0007" in section
    assert "/TOY/d02#2 (+10), /TOY/d02#5 (+2)" in section
    # what was left out when the scan was made is not found again in what is left
    assert "more than once" not in call("train", place).stderr


def test_a_page_without_findings_has_no_section(tmp_path):
    SCAN.save(tmp_path / "scan.npz")
    place = card(tmp_path / "card", tmp_path / "scan.npz")
    call("tune", place)
    assert "findings: []" in (place / "result.yaml").read_text()
    assert 'id="found"' not in (place / "report.html").read_text()


def test_closure_says_findings_once_and_counts_a_run_once(tmp_path):
    parts = {"theta": (7, SCAN.theta[2]), "values": (7, SCAN.values[2]), "errors": (np.s_[::3, 16], 0)}
    changed(**parts).save(tmp_path / "scan.npz")
    (tmp_path / "held.txt").write_text("0001\n0004\n")
    words = ("closure", tmp_path / "scan.npz", "--holdout", tmp_path / "held.txt")
    found = call(*words, "--kind", "polynomial", "--order", "auto")
    assert found.stderr.count("1 of 17 bins have an error of 0 in some runs") == 1
    assert found.stderr.count("0002 = 0007; only the first of each is kept") == 1
    (tmp_path / "held.txt").write_text("0007\n")
    assert "no run 0007" in refused(*words, "--kind", "polynomial", "--order", "1")


def test_data_that_a_surrogate_cannot_reach_are_named_without_a_scan(tmp_path):
    SCAN.save(tmp_path / "scan.npz")
    call("train", tmp_path / "scan.npz", "--kind", "polynomial", "--order", "2", "--per-bin", "-o", tmp_path / "s.npz")
    words = ("fit", tmp_path / "s.npz", "-r", far_data(tmp_path), "-o", tmp_path / "result.yaml")
    said = call(*words).stderr
    assert "the data lie outside what the 32 points at which the surrogate was asked span" in said
    assert said.count("/TOY/d02#2 (+") == 1
    assert "data outside the scan's envelope" in (tmp_path / "result.yaml").read_text()
    place = card(tmp_path / "card", tmp_path / "scan.npz", tmp_path / "far.yoda")
    toyline.edit(place, f"scan: {{directory: {tmp_path / 'scan.npz'}}}\n", "")
    toyline.edit(
        place, "{kind: polynomial, order: 2, components: false}", f"{{kind: file, path: {tmp_path / 's.npz'}}}"
    )
    said = call("fit", place).stderr
    assert said.count("what the 32 points at which the surrogate was asked span") == 1


KINDS = {
    "order": (("polynomial", "--order", "3"), 10, 11),
    "per bin": (("polynomial", "--order", "3", "--per-bin"), 10, 11),
    "auto order": (("polynomial", "--order", "auto"), 4, 5),
    "rational": (("rational", "--order", "2/1"), 8, 9),
    "auto orders": (("rational", "--order", "auto"), 8, 9),
    "gaussian": (("gaussian",), 13, 14),
    "network": (("network",), 9, 10),
    "auto": (("auto",), 13, 14),
    "one run": (("auto",), 1, 14),
}


@pytest.mark.parametrize("name", KINDS)
def test_too_few_runs_for_every_kind(tmp_path, name):
    kind, runs, needed = KINDS[name]
    SCAN.take_runs(SCAN.runs[:runs]).save(tmp_path / "few.npz")
    said = refused("train", tmp_path / "few.npz", "--kind", *kind, fault="surrogate-too-few-runs")
    assert "few.npz: " in said
    assert f"at least {needed} runs" in said
    assert re.search(rf"\b{runs}\b", said)
    # held-out runs do not count
    SCAN.take_runs(SCAN.runs[: runs + 2]).save(tmp_path / "held.npz")
    (tmp_path / "held.txt").write_text("0000\n0001\n")
    for command in ("train", "closure"):
        options = ("--holdout", tmp_path / "held.txt", "--kind", *kind)
        said = refused(command, tmp_path / "held.npz", *options, fault="surrogate-too-few-runs")
        assert "held.npz without the 2 runs held out: " in said
        assert f"at least {needed} runs" in said


def test_too_few_runs_for_the_card_of_an_existing_scan(tmp_path):
    # one of seven is there twice
    doubled = changed(theta=(6, SCAN.theta[0]), values=(6, SCAN.values[0])).take_runs(SCAN.runs[:7])
    doubled.save(tmp_path / "scan.npz")
    said = refused("tune", card(tmp_path / "card", tmp_path / "scan.npz"), fault="surrogate-too-few-runs")
    assert "0000 = 0006; only the first of each is kept" in said
    assert "card.yaml:3: scan.directory: a polynomial of order 2 in 2 parameters needs at least 7 runs, not 6" in said


def directories(place: Path) -> Path:
    write_runs(place, SCAN.take_runs(SCAN.runs[:12]))
    return place


def spoil_row(run: Path, column: int, word: str) -> None:
    """Put a word into the first row of d01 of a run: columns x, x-, x+, y, y-, y+."""
    lines = (run / "out.yoda").read_text().splitlines()
    row = next(i for i, line in enumerate(lines) if line[:1].isdigit())
    words = lines[row].split()
    words[column] = word
    lines[row] = " ".join(words)
    (run / "out.yoda").write_text("\n".join(lines) + "\n")


IN_YODA = [
    (3, "nan", "0003: 1 bins are not finite, the first /TOY/d01#0"),
    (3, "-inf", "0003: 1 bins are not finite, the first /TOY/d01#0"),
    (5, "nan", "0003: 1 bins are not finite, the first /TOY/d01#0"),
    (4, "-0.5", "an error below 0, or no finite place; correct it"),
    (0, "nan", "an error below 0, or no finite place; correct it"),
]


@pytest.mark.parametrize(("column", "word", "said"), IN_YODA)
def test_bad_numbers_in_the_histograms_of_a_run(tmp_path, column, word, said):
    place = directories(tmp_path / "scan")
    spoil_row(place / "0003", column, word)
    for command in (("train", place, *QUICK), ("tune", card(tmp_path / "card", place))):
        message = refused(*command)
        assert said in message
        assert "0003" in message
    assert said in call("ls", place).stdout  # who looks sees the rest, too
    left = call("train", place, *QUICK, "--bad-runs", "drop", "--json")
    assert said in left.stderr
    assert "left out: " in left.stderr
    assert json.loads(left.stdout)["runs"] == 11
    if said.startswith("0003"):  # an object that no histogram is like cannot be kept without a bin
        left = call("train", place, *QUICK, "--bad-bins", "drop", "--json")
        assert "left out: bin /TOY/d01#0" in left.stderr
        assert json.loads(left.stdout)["bins"] == 16


def test_what_a_card_drops_is_in_the_record_and_on_the_page(tmp_path):
    place = directories(tmp_path / "scan")
    spoil_row(place / "0003", 3, "nan")
    (place / "0005/params.dat").write_text("a nan\nb 0\n")
    options = f"{{directory: {place}, bad_runs: drop, bad_bins: drop}}"
    dropping = card(tmp_path / "card", place, **{f"{{directory: {place}}}": options})
    assert call("tune", dropping).stderr.count("left out: bin /TOY/d01#0, not finite in some run") == 1
    (row,) = yaml.safe_load((dropping / "result.yaml").read_text())["findings"]
    assert row["kind"] == "left out of the scan"
    run, bin_ = row["where"]
    assert "0005/params.dat:1: 'nan' is not finite" in run
    assert bin_ == "bin /TOY/d01#0, not finite in some run"
    excluded = yaml.safe_load((dropping / "result.yaml").read_text())["excluded"]
    assert [row["bin"] for row in excluded] == [run, bin_]
    section = (dropping / "report.html").read_text().split('<h2 id="found">')[1].split("<h2")[0]
    assert "2 faulty runs, bins or parameters were left out when the scan was read" in section
    assert "0005/params.dat:1: 'nan' is not finite" in unescape(section)


def test_what_is_dropped_of_hdf5_is_told(tmp_path):
    write_scan(tmp_path / "scan.h5", SCAN)
    with h5py.File(tmp_path / "scan.h5", "a") as file:
        file["errors"][3, 4] = -0.1
    left = call("train", tmp_path / "scan.h5", *QUICK, "--bad-runs", "drop", "--json")
    assert "scan.h5: dropped 1 runs: bad number in run 0004, bin /TOY/d01#3: " in left.stderr
    assert json.loads(left.stdout)["runs"] == 23


@pytest.mark.parametrize("word", ["nan", "inf", "-inf"])
def test_bad_numbers_in_params_dat(tmp_path, word):
    place = directories(tmp_path / "scan")
    (place / "0003/params.dat").write_text(f"a 1.0\nb {word}\n")
    assert f"0003/params.dat:2: '{word}' is not finite" in refused("train", place, *QUICK)


HDF5 = [
    ("errors", (3, 4), -0.1, r"run 0004, bin /TOY/d01#3: "),
    ("errors", (3, 4), np.inf, r"run 0004, bin /TOY/d01#3: "),
    ("values", (16, 2), np.nan, r"run 0002, bin /TOY/d03#0: nan +- 0.01"),
    ("params", (3, 1), np.nan, r"run 0003: parameter b is nan"),
    ("xmin", 3, np.nan, r"bin /TOY/d01#3: edges nan and 0.5 are not a bin"),
]


@pytest.mark.parametrize(("name", "at", "value", "said"), HDF5)
def test_bad_numbers_in_hdf5(tmp_path, name, at, value, said):
    place = tmp_path / "scan.h5"
    write_scan(place, SCAN)
    with h5py.File(place, "a") as file:
        file[name][at] = value
    told = refused("train", place, *QUICK)
    assert str(place) in told
    assert said in told


@pytest.mark.parametrize(
    ("name", "at", "value", "said"),
    [
        ("values", (2, 16), np.nan, "run 0002, bin /TOY/d03#0: nan +- 0.01"),
        ("errors", (2, 16), -1.0, "run 0002, bin /TOY/d03#0: "),
        ("theta", (3, 1), np.inf, "run 0003: parameter b is inf"),
        ("correlation", (0, 1), 2.0, "'correlation' is 2 at 0, 1 and 0 at 1, 0; expected the same number"),
        ("correlation", (0, 1), np.nan, "the correlation matrix of the Monte Carlo errors is not finite: /TOY/d01#1"),
    ],
)
def test_bad_numbers_in_scan_npz(tmp_path, name, at, value, said):
    replace(SCAN, correlation=np.eye(17)).save(tmp_path / "good.npz")
    with np.load(tmp_path / "good.npz") as stored:
        arrays = dict(stored)
    arrays[name][at] = value
    np.savez(tmp_path / "scan.npz", **arrays)
    assert said in refused("train", tmp_path / "scan.npz", *QUICK)


def spoil_data(directory: Path, **columns: float) -> Path:
    toyline.make(directory / "data")
    objects = yoda.read(directory / "data/data.yoda")
    for name, value in columns.items():
        getattr(objects["/REF/TOY/d02"], name)[2, 1] = value
    yoda.write(directory / "bad.yoda", objects)
    return directory / "bad.yoda"


@pytest.mark.parametrize(
    ("columns", "said", "bins"),
    [
        ({"values": np.nan}, "left out: /TOY/d02#2: the reference has no value", 16),
        ({"values": np.inf}, "left out: /TOY/d02#2: the reference is not finite: inf +- 0.02", 16),
        ({"plus": np.nan}, "left out: /TOY/d02#2: the reference has no value: its error is not a number", 16),
        ({"plus": 0.0, "minus": 0.0}, "left out: /TOY/d02#2: the reference gives no error", 16),
    ],
)
def test_bad_numbers_in_the_reference(tmp_path, columns, said, bins):
    SCAN.save(tmp_path / "scan.npz")
    place = card(tmp_path / "card", tmp_path / "scan.npz", spoil_data(tmp_path, **columns))
    assert said in call("tune", place).stderr
    record = yaml.safe_load((place / "result.yaml").read_text())
    assert sum(row["bins"] for row in record["observables"]) == bins
    page = (place / "report.html").read_text()
    assert "/TOY/d02#2" in page
    assert said.rsplit(": ", 1)[-1] in page


def test_bad_numbers_in_apprentices_data(tmp_path):
    place = tmp_path / "data.json"
    write_data(place, ["/TOY/d01#0", "/TOY/d01#1"], np.ones(2), np.ones(2))
    for value, said in (("-1.0", "1 +- -1 has an error below 0"), ("NaN", "'NaN' is not finite")):
        first, _, last = place.read_text().rpartition("1.0")
        bad = tmp_path / "bad.json"
        bad.write_text(first + value + last)
        message = refused("ls", bad)
        assert f"data file {bad}" in message
        assert f"bin /TOY/d01#1: {said}" in message
        assert "; correct it or take it out" in message


CARDS = [
    ("/TOY: 1", "/TOY: .nan", "selector-bad-weight", "card.yaml:6: observables./TOY: the weight of '/TOY' is nan"),
    ("/TOY: 1", "/TOY: .inf", "selector-bad-weight", "card.yaml:6: observables./TOY: the weight of '/TOY' is inf"),
    (
        "starts: 1",
        "starts: 1, theory_error: {/TOY: .nan}",
        "yaml-outside-range",
        "card.yaml:8: fit.theory_error./TOY: ",
    ),
    (
        "starts: 1",
        "starts: 1, theory_error: {/TOY: .inf}",
        "yaml-outside-range",
        "card.yaml:8: fit.theory_error./TOY: ",
    ),
    ("starts: 1", "starts: 1, fixed: {a: .nan}", "card-not-finite", "card.yaml:8: fit.fixed.a: nan "),
    ("starts: 1", "starts: 1, limits: {a: [0.6, .nan]}", "card-not-finite", "card.yaml:8: fit.limits.a: [0.6, nan] "),
    ("starts: 1", "starts: 1, limits: {a: [0.6, .inf]}", "card-not-finite", "card.yaml:8: fit.limits.a: [0.6, inf] "),
    ("starts: 1", "starts: 1, student_dof: .inf", "yaml-outside-range", "card.yaml:8: fit.student_dof: "),
    ("starts: 1", "starts: 1, student_dof: .nan", "yaml-outside-range", "card.yaml:8: fit.student_dof: "),
]


@pytest.mark.parametrize(("old", "new", "fault", "said"), CARDS)
def test_bad_numbers_in_the_card(tmp_path, old, new, fault, said):
    SCAN.save(tmp_path / "scan.npz")
    place = card(tmp_path / "card", tmp_path / "scan.npz", **{old: new})
    assert said in refused("tune", place, fault=fault)


LIMITS = [
    ("fixed: {aa: 1}", "card-parameter-unknown", "card.yaml:8: fit.fixed.aa: "),
    ("limits: {c: [0, 1]}", "card-parameter-unknown", "card.yaml:8: fit.limits.c: "),
    ("limits: {b: [-0.5, 1.5]}", "card-outside-range", "card.yaml:8: fit.limits.b: [-0.5, 1.5] "),
    ("fixed: {a: 0.2}", "card-outside-range", "card.yaml:8: fit.fixed.a: 0.2 "),
    ("fixed: {a: 1, b: 0}", "card-all-fixed", "card.yaml:8: fit.fixed: "),
]


@pytest.mark.parametrize(("given", "fault", "said"), LIMITS)
def test_limits_and_fixed_values_are_compared_with_an_existing_scan_before_anything_is_learnt(
    tmp_path, given, fault, said
):
    SCAN.save(tmp_path / "scan.npz")
    place = card(tmp_path / "card", tmp_path / "scan.npz", **{"starts: 1": f"starts: 1, {given}"})
    assert said in refused("tune", place, fault=fault)
    assert not (place / "work").exists()
    # changed after the scan was read, the fit's own stage finds it before it trains
    toyline.edit(place, f", {given}", "")
    call("scan", place)
    toyline.edit(place, "starts: 1", f"starts: 1, {given}")
    assert said in refused("fit", place, fault=fault)
    assert not (place / "work/surrogate.npz").exists()


@pytest.mark.parametrize(
    ("line", "fault", "said"),
    [
        ("/TOY nan", "selector-bad-weight", "weights.dat:1: the weight 'nan' "),
        ("/TOY -1", "selector-bad-weight", "weights.dat:1: the weight of '/TOY' is -1"),
        ("/TOY/d01 1 extraerr=nan", "weights-bad-error", "weights.dat:1: extraerr=nan "),
        ("/TOY/d01@nan:1 1", "selector-bad-interval", "weights.dat:1: cannot read the bins 'nan:1'"),
    ],
)
def test_bad_numbers_in_weight_files(tmp_path, line, fault, said):
    SCAN.save(tmp_path / "scan.npz")
    (tmp_path / "weights.dat").write_text(line + "\n")
    options = (*QUICK, "--weights", tmp_path / "weights.dat")
    assert said in refused("train", tmp_path / "scan.npz", *options, fault=fault)


def test_odd_lists_of_runs_are_refused_with_a_reason(tmp_path):
    SCAN.save(tmp_path / "scan.npz")
    for content in ('{"holdout": 5}', '{"holdout": "0003"}'):
        (tmp_path / "runs.json").write_text(content)
        said = refused("train", tmp_path / "scan.npz", "--holdout", tmp_path / "runs.json")
        assert "expected a list of names of runs" in said


@pytest.mark.parametrize("kind", ["polynomial", "rational", "gaussian", "network"])
@pytest.mark.parametrize("error", [0.0, 0.1])
def test_a_scan_in_which_nothing_changes_is_refused(tmp_path, kind, error):
    flat = replace(SCAN, values=np.full(SCAN.values.shape, 0.7), errors=np.full(SCAN.errors.shape, error))
    flat.save(tmp_path / "scan.npz")
    said = refused("train", tmp_path / "scan.npz", "--kind", kind, fault="scan-nothing-changes")
    assert "all 17 bins " in said


def test_a_denominator_of_order_0_is_a_polynomial(tmp_path):
    SCAN.save(tmp_path / "scan.npz")
    call("train", tmp_path / "scan.npz", "--kind", "rational", "--order", "2/0", "-o", tmp_path / "s.npz")


def test_data_far_out_of_reach_lead_to_the_bin(tmp_path):
    """A datum in other units: it is asked for by name, whether the fit converges or not."""
    objects = yoda.read(far_data(tmp_path))
    path = next(iter(objects))
    objects[path].values[2, 1] *= 1e4
    yoda.write(tmp_path / "absurd.yoda", objects)
    place = card(tmp_path / "card", tmp_path / "scan.npz", tmp_path / "absurd.yoda")
    SCAN.save(tmp_path / "scan.npz")
    result = CliRunner().invoke(main, ["fit", str(place)])
    said = result.stderr + result.stdout
    assert f"is the value, the unit or the error wrong in {path.removeprefix('/REF')}#2 (+" in said
    assert result.exit_code in (0, 1)
    if result.exit_code:
        assert f"first look at {path.removeprefix('/REF')}#2" in said


def test_a_value_as_it_was_printed_may_be_fixed(tmp_path):
    scan = changed(theta=(np.s_[:, 0], SCAN.theta[:, 0] * 1.00000049 + 4.9e-7))
    scan = replace(
        scan, parameters=(replace(scan.parameters[0], low=float(scan.theta[:, 0].min())), *scan.parameters[1:])
    )
    scan.save(tmp_path / "scan.npz")
    low = scan.parameters[0].low
    printed = float(np.floor(low * 1e6) / 1e6)
    assert printed < low
    place = card(tmp_path / "card", tmp_path / "scan.npz", **{"fit: {": f"fit: {{fixed: {{a: {printed!r}}}, "})
    call("fit", place)
    kept = yaml.safe_load((place / "result.yaml").read_text())["parameters"]["a"]["value"]
    assert kept == pytest.approx(low, abs=1e-9)
