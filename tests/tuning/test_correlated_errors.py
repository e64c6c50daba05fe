"""What cards, results and pages say of correlated errors, and what labels do to a tune."""

import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from helpers.calling import call

from sbitune.data import yoda
from sbitune.data.bins import Bins
from sbitune.data.formats.professor_writer import write_runs
from sbitune.data.parameter import Parameter
from sbitune.data.scan import Scan
from sbitune.tuning.card import load_card
from sbitune.tuning.stages.matching import match
from sbitune.workflow.runs.checking import reference_of
from sbitune.workflow.runs.scanning import make_scan

BINS, TRUTH, ERROR = 8, 0.3, 2.0
EDGES = np.arange(BINS + 1.0)
CARD = """
title: eight bins
scan: {directory: scan}
reference: REFERENCE
observables: {/MY_ANA/d01-x01-y01: 1}
surrogate: {kind: polynomial, order: 3}
fit: {toys: 0}
"""


def contents(p: np.ndarray) -> np.ndarray:
    i = np.arange(BINS)
    return 100 * (1 + 0.5 * p * np.cos(i) + 0.1 * i + 0.08 * p**2 * np.sin(2 * i))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Sixteen runs of one parameter."""
    place, rng = tmp_path_factory.mktemp("errors"), np.random.default_rng(7)
    theta = np.linspace(-1, 1, 16)[:, None]
    bins = Bins(np.full(BINS, "/MY_ANA/d01-x01-y01"), np.arange(BINS), EDGES[:-1], EDGES[1:])
    values = contents(theta) * (1 + 0.01 * rng.normal(size=(16, BINS)))
    names = tuple(f"{i:04d}" for i in range(16))
    write_runs(place / "scan", Scan((Parameter("P", -1, 1),), theta, values, 0.01 * values, bins, names))
    return place


def write(folder: Path, reference: str, label: str | None) -> None:
    """A card, and data whose errors have a label, or none."""
    noise = np.random.default_rng(8).normal(size=BINS)
    points = np.stack([EDGES[:-1] + 0.5, contents(np.array(TRUTH)) + ERROR * noise], axis=1)
    errors = np.stack([np.full(BINS, 0.5), np.full(BINS, ERROR)], axis=1)
    sources = {} if label is None else {label: np.tile([-ERROR, ERROR], (BINS, 1))}
    yoda.write(folder / "ref.yoda", [yoda.Scatter("/REF/MY_ANA/d01-x01-y01", points, errors, errors, sources)])
    (folder / "card.yaml").write_text(CARD.replace("REFERENCE", reference))


def covariance(folder: Path, reference: str, label: str | None) -> np.ndarray:
    """(BINS, BINS) of the data, as a fit of the card has it."""
    write(folder, reference, label)
    card = load_card(folder)
    return match(make_scan(card), reference_of(card), card.rules()).measured.covariance()


@pytest.mark.parametrize("label", [None, "stat", "Data stat.", "Data statistical error", "sys,uncorr"])
def test_labels_that_say_independent_and_none_make_the_same_covariance(folder, label):
    np.testing.assert_allclose(covariance(folder, "[ref.yoda]", label), ERROR**2 * np.eye(BINS))


def test_labels_that_name_a_source_make_bins_move_together(folder):
    found = covariance(folder, "[ref.yoda]", "stat,MUON_EFF_STAT")
    np.testing.assert_allclose(found, np.full((BINS, BINS), ERROR**2), rtol=1e-5)
    np.testing.assert_allclose(covariance(folder, "[{file: ref.yoda, shared: [stat]}]", "stat"), found)


def test_the_card_has_the_last_word_and_result_and_page_say_so(folder):
    write(folder, "[{file: ref.yoda, independent: [JES]}]", "JES")
    call("tune", folder)
    result = yaml.safe_load((folder / "result.yaml").read_text())
    assert result["parameters"]["P"]["value"] == pytest.approx(TRUTH, abs=3 * result["parameters"]["P"]["error"])
    assert result["parameters"]["P"]["error"] == pytest.approx(0.019, abs=0.002)
    assert result["chi2"] < 30
    why = "the card says so: reference[0]"
    assert result["error_sources"] == [{"label": "JES", "bins": "independent", "why": why, "observables": 1}]
    page = (folder / "report.html").read_text()
    assert f"<td>JES</td><td>independent from bin to bin</td><td>{why}</td>" in page


@pytest.mark.slow
@pytest.mark.parametrize("label", ["Data stat.", "JES"])
def test_a_label_is_worth_a_factor_in_chi2(folder, label):
    write(folder, "[ref.yoda]", label)
    call("fit", folder)
    result = yaml.safe_load((folder / "result.yaml").read_text())
    if label == "JES":
        assert result["chi2"] > 50  # below 30 where the label says that bins are independent
        assert result["error_sources"][0]["bins"] == "shared"
        assert any("say so in the card" in note for note in result["notes"])
    else:
        assert result["chi2"] < 30
        assert result["error_sources"][0]["bins"] == "independent"


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("[{file: ref.yoda, independent: [lumi]}]", r"yaml:4: reference\[0\]: reference ref.yoda: no error source is"),
        ("[{file: ref.yoda, correlated: [JES]}]", r"unknown key 'reference\[0\].correlated'"),
        ("[{independent: [JES]}]", "reference.0.: the key `file` is missing"),
        ("[{file: none.yoda}]", r"yaml:4: reference\[0\]: reference none.yoda: .* is neither a file"),
    ],
)  # fmt: skip
def test_a_reference_that_cannot_be_meant_is_refused(folder, reference, message):
    (folder / "card.yaml").write_text(CARD.replace("REFERENCE", reference))
    assert re.search(message, call("fit", folder, code=2).stderr)
