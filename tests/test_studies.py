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
