"""Every analysis and every notebook runs, briefly, and its stored numbers are what a reader is told."""

import importlib.util
import json
import warnings
from pathlib import Path

import pytest
from helpers import toyline
from helpers.calling import call
from helpers.places import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
#: of a minute each
SLOW = {"ratios"}


def load_study(name: str):
    spec = importlib.util.spec_from_file_location(f"study_{name}", ROOT / "analyses" / name / "run.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_closure_on_a_toy_covers(tmp_path, capsys):
    toyline.make(tmp_path)
    words = ["--card", str(tmp_path), "--points", "25", "--events", "10", "--output", str(tmp_path / "found.json")]
    found = load_study("closure").main(words)
    assert json.loads((tmp_path / "found.json").read_text()) == found
    # 25 points x 2 parameters: the width has an error of 0.1, coverage of 0.066
    assert found["pull_width"] == pytest.approx(1.0, abs=0.35)
    assert found["coverage68"] == pytest.approx(0.683, abs=0.2)
    assert found["chi2_per_ndf"] == pytest.approx(1.0, abs=0.3)


def test_closure_of_the_lep_card_as_it_is_told():
    found = json.loads((ROOT / "analyses" / "closure" / "expected.json").read_text())
    assert found["points"] == len(found["pulls"]) == 20
    pulls = [abs(p) for row in found["pulls"] for p in row]
    assert found["coverage68"] == pytest.approx(sum(p < 1 for p in pulls) / len(pulls), abs=1e-3)


@pytest.mark.slow
def test_sequential_design_on_a_toy(tmp_path, capsys):
    toyline.make(tmp_path, runs=24)
    call("scan", tmp_path)
    call("fit", tmp_path)
    sizes = ["--start", "24", "--batch", "4", "--proposed", "28", "--plain", "24", "32", "--replicas", "2"]
    words = ["--card", str(tmp_path), "--kind", "polynomial", *sizes, "--events", "100", "--workers", "1"]
    found = load_study("sequential").main([*words, "--output", str(tmp_path / "found.json")])
    assert json.loads((tmp_path / "found.json").read_text()) == found
    assert [row["runs"] for row in found["plain"]] == [24, 28, 32]
    assert [row["runs"] for row in found["proposed"]] == [24, 28]
    assert found["proposed"][0] == found["plain"][0]
    # four runs more, and what runs can lower is less; so few runs say too little to tell them from four others, which
    # the study of the LEP card does
    assert found["proposed"][-1]["teachable"] < found["proposed"][0]["teachable"]
    assert found["emulated"]["proposed 24"] == found["emulated"]["plain 24"]
    # data errors are 0.02 of the response: what few runs teach moves the tune by less than a tenth of half the box
    described = [row["tune"] for row in found["emulated_described"].values()]
    assert max(described) < 0.1, described
    # runs of the card's own design were not made twice, and the others lie beside them
    assert len(list((tmp_path / "work/scan").glob("00*"))) == 32
    assert len(list((tmp_path / "work/sequential").glob("[0-9a-f]*"))) == 4


def test_sequential_design_of_the_lep_card_as_it_is_told():
    found = json.loads((ROOT / "analyses" / "sequential" / "expected.json").read_text())
    text = (ROOT / "analyses" / "sequential" / "README.md").read_text()
    # half the runs, and the tune is known better, as is the generator there
    for figure in ("quoted", "teachable", "bins"):
        assert found["proposed"][-1][figure] < found["plain"][-1][figure]
    assert 2 * found["proposed"][-1]["runs"] == found["plain"][-1]["runs"]
    for name in ("plain", "proposed"):
        for row in found[name]:
            assert (
                f"| {name} {row['runs']} | {row['quoted']:.3f} | {row['teachable']:.3f} | {row['bins']:.2f} |" in text
            )


@pytest.mark.slow
def test_dctr_briefly(tmp_path, capsys):
    pytest.importorskip("fastjet")
    words = ["--brief", "--directory", str(tmp_path / "work"), "--variants", "particles, joint score"]
    found = load_study("dctr").main([*words, "--output", str(tmp_path / "found.json")])
    assert json.loads((tmp_path / "found.json").read_text()) == found
    counts, history = (found["limits"][name] for name in ("counts", "history"))
    learned = found["variants"]["particles, joint score"]
    # some thousand events already teach what strangeness the counts see; nothing knows more than the histories
    for name, most in (("StringZ:aLund", 0.1), ("StringFlav:probStoUD", 0.004)):
        figure = "error of 10,000 events"
        assert history[name][figure] < learned["scores"][name][figure] < most
        assert history[name][figure] < counts[name][figure] < most
    assert 0.5 < learned["slopes"][3]["slope"] < 1.5
    assert learned["largest |E_ref[r] - 1|"] < 0.1
    (closed,) = learned["closure"]
    assert closed["columns"] == 36
    assert closed["chi2/bins"] < 2
    assert learned["intervals"] == 3


def test_dctr_as_it_is_told():
    found = json.loads((ROOT / "analyses" / "dctr" / "expected.json").read_text())
    text = (ROOT / "analyses" / "dctr" / "README.md").read_text()
    figure, names = "error of 10,000 events", ("StringZ:aLund", "StringFlav:probStoUD")
    rows = {name: row["scores"] for name, row in found["variants"].items()}
    rows |= {"twenty counts": found["limits"]["counts"], "histories": found["limits"]["history"]}
    for name, row in rows.items():
        a, rho = (row[parameter][figure] for parameter in names)
        assert f"| {name} | {a:.4f} | {rho:.5f} |" in text
    best, counts, history = (rows[name] for name in ("particles, joint score", "twenty counts", "histories"))
    assert len(found["counts"]) == 20
    for parameter in names:
        assert history[parameter][figure] < best[parameter][figure] <= counts[parameter][figure]
    told = found["variants"]["particles, joint score"]
    assert 15 <= told["hold the truth"] <= 25
    assert told["intervals"] == 30
    assert f"{told['hold the truth']} of the 30" in text
    for row in told["slopes"]:
        assert abs(row["slope"] - 1) < 0.03 + row["error"], row


@pytest.mark.parametrize(
    "path",
    [pytest.param(p, marks=pytest.mark.slow) if p.stem in SLOW else p for p in NOTEBOOKS],
    ids=lambda p: p.stem,
)
def test_notebook(path: Path):
    nbformat = pytest.importorskip("nbformat")
    from nbclient import NotebookClient

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the notebook machinery, not ours
        notebook = nbformat.read(path, as_version=4)
        NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    assert not [
        cell for cell in notebook.cells if cell.cell_type == "code" and cell.outputs and cell.execution_count is None
    ]
