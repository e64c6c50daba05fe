"""Limits, belts and impacts of a card of events by their commands: numbers, files, pictures, the page, refusals."""

import csv
import json

import numpy as np
import pytest
from helpers.calling import call
from helpers.faults import refused
from helpers.mixturecard import CARD, write_mixture
from scipy.stats import norm

from sbitune.data.reporting import QUIET
from sbitune.fitting.bridges.pyhf_import import open_workspace
from sbitune.fitting.config import FitConfig
from sbitune.fitting.hypotheses.exclusion import exclude
from sbitune.fitting.minimise.minimiser import fit
from sbitune.ratios.card import load_card
from sbitune.ratios.columns import column_histogram
from sbitune.ratios.mixture.storage import load_mixture
from sbitune.ratios.stages.fitstage import card_fit

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """A card whose ratios were learned and fitted."""
    place = write_mixture(tmp_path_factory.mktemp("hypotheses") / "card", n=1500)
    (place / "card.yaml").write_text(CARD.replace("toys: 20", "toys: 0").replace("epochs: 6", "epochs: 3"))
    call("fit", place)
    return place


def figures(*words):
    return json.loads(call(*words, "--json").stdout)


def rows_of(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def test_a_limit_and_its_page(fitted, tmp_path):
    found = figures("limit", fitted, "mu", "-o", tmp_path / "l.csv", "-o", tmp_path / "l.svg")
    expected = list(found["expected"].values())
    assert expected == sorted(expected)
    # sigma(mu) is 0.355 with exact ratios: without signal 1.64 of it and, for CLs, some more
    assert 0.4 < expected[2] < 1.1
    assert found["limit"] > found["best"] > 0
    assert found["significance"] == pytest.approx(np.sqrt(found["q0"]))
    rows = rows_of(tmp_path / "l.csv")
    at = [float(row["mu"]) for row in rows]
    values = np.log([float(row["CLs"]) for row in rows])
    assert np.exp(np.interp(found["limit"], at, values)) == pytest.approx(0.05, rel=0.05)
    middle = np.log([float(row["expected0"]) for row in rows])
    assert np.exp(np.interp(expected[2], at, middle)) == pytest.approx(0.05, rel=0.08)
    assert (tmp_path / "l.svg").read_text().startswith("<svg")
    less = figures("limit", fitted, "mu", "--no-cls", "--level", "0.9")
    assert less["limit"] < found["limit"]
    assert less["method"] == "p_sb"
    call("report", fitted)
    page = (fitted / "report.html").read_text()
    assert "Limit: mu" in page
    assert f"mu &lt; {less['limit']:.4g} at 90 % (p_sb)" in page


def test_impacts_add_up(fitted, tmp_path):
    found = figures("impacts", fitted, "mu", "-o", tmp_path / "i.csv", "-o", tmp_path / "i.svg")
    one = found["impacts"]["nu"]
    assert found["error"] ** 2 == pytest.approx(found["statistical"] ** 2 + one["shift"] ** 2)
    assert float(rows_of(tmp_path / "i.csv")[0]["up"]) == pytest.approx(one["shift"], rel=0.3)
    assert one["constraint"] == pytest.approx(0.035, rel=0.4)


def test_a_belt_and_its_page(fitted, tmp_path):
    words = ("--points", 4, "--toys", 40, "--range", 0, 3, "-o", tmp_path / "b.csv", "-o", tmp_path / "b.svg")
    found = figures("neyman", fitted, "mu", *words)
    ((low, high),) = found["intervals"]
    assert low < found["best"] < high
    assert high - low == pytest.approx(2 * 0.36, rel=0.5)
    rows = rows_of(tmp_path / "b.csv")
    assert [float(row["mu"]) for row in rows] == [0, 1, 2, 3]
    assert all(float(row["accepted_low"]) <= float(row["mu"]) <= float(row["accepted_high"]) for row in rows)
    call("report", fitted)
    assert "Confidence belt: mu" in (fitted / "report.html").read_text()


def test_what_cannot_be_tested_is_refused(fitted):
    assert "no free parameter" in call("limit", fitted, "mew", code=2).stderr


def test_histograms_of_columns_are_expected_counts(fitted):
    opened = card_fit(load_card(fitted), QUIET).details
    edges = np.linspace(-8, 8, 9)
    found = column_histogram(opened, "x", {"mu": 1.0, "nu": 0.0}, edges)
    # 50 signal events around 0 and 1,000 around 1
    exact = 50 * np.diff(norm.cdf(edges)) + 1000 * np.diff(norm.cdf(edges - 1))
    off = (found.values() - exact)[exact > 5]
    np.testing.assert_array_less(np.abs(off), 5 * np.sqrt(found.variances()[exact > 5]) + 0.05 * exact[exact > 5])
    assert found.values().sum() == pytest.approx(1050, rel=0.03)
    double = column_histogram(opened, "x", {"mu": 2.0, "nu": 0.0}, edges)
    assert double.values().sum() - found.values().sum() == pytest.approx(50, rel=0.05)
    # the second column moves with nu
    up, down = (column_histogram(opened, "y", {"mu": 1.0, "nu": nu}, edges) for nu in (0.5, -0.5))
    middle = up.axes[0].centers
    means = [h.values() @ middle / h.values().sum() for h in (up, down)]
    assert means[0] - means[1] == pytest.approx(1000 / 1050, rel=0.2)
    for column, theta, code in (("z", {}, None), ("x", {"m": 1.0}, "card-parameter-unknown")):
        with refused(code):
            column_histogram(opened, column, theta)


@pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")  # as pyhf 0.7.6 uses it
def test_a_workspace_is_one_for_pyhf_and_for_us(fitted, tmp_path):
    pyhf = pytest.importorskip("pyhf")

    out = tmp_path / "w.json"
    found = figures("export", fitted, "--to", "pyhf", "-o", out, "--bins", 8)
    assert (found["interest"], found["bins"]) == ("mu", 8)
    content = json.loads(out.read_text())
    workspace = pyhf.Workspace(content)  # validates
    model = workspace.model()
    data = workspace.data(model)
    start = model.config.suggested_init()
    assert model.expected_actualdata(start).sum() == pytest.approx(1050, rel=1e-3)
    assert sum(content["observations"][0]["data"]) == 1050
    kinds = {m["type"] for s in content["channels"][0]["samples"] for m in s["modifiers"]}
    assert kinds == {"normfactor", "histosys", "staterror"}
    ours = open_workspace(content).problem
    theirs = pyhf.infer.hypotest(2.0, data, model, test_stat="qtilde", return_expected=True)
    test = exclude(ours, "mu", 2.0)
    assert test.cls == pytest.approx(float(theirs[0]), rel=2e-3)
    assert test.expected[2] == pytest.approx(float(theirs[1]), rel=2e-3)
    # the binned fit knows less than the unbinned one: 0.43 to 0.35 of 8,000 events a sample; here 525 make templates
    binned = fit(ours, FitConfig(starts=1, minos=False))
    unbinned = card_fit(load_card(fitted), QUIET)
    errors = binned.errors[binned.names.index("mu")], unbinned.fit.errors[0]
    assert 0.95 < errors[0] / errors[1] < 3
    beside = json.loads((tmp_path / "w.unbinned.json").read_text())
    assert beside["parameters"]["nu"] == {"value_at_0": 0.0, "value_at_1": 1.0}
    mixture = load_mixture(tmp_path / beside["model"]["file"])
    assert list(mixture.columns) == beside["columns"]
    column = figures("export", fitted, "--to", "pyhf", "-o", out, "--observable", "y")
    assert (column["discriminant"], column["bins"]) == ("y", 12)
    assert sum(json.loads(out.read_text())["observations"][0]["data"]) == 1050
    for words in (("--components", 3), ("--observable", "z")):
        call("export", fitted, "--to", "pyhf", "-o", out, *words, code=2)
