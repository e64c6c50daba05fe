"""Several regions in one card: events, counts in bins, workspaces of pyhf, with parameters shared by name."""

import json

import jax
import numpy as np
import pytest
from helpers.calling import call
from helpers.faults import refused
from helpers.mixture import draw
from helpers.mixturecard import CARD, table, write_mixture

from sbitune.data.events import write_events
from sbitune.data.reporting import QUIET
from sbitune.fitting.bridges.pyhf_import import read_workspace
from sbitune.fitting.config import FitConfig
from sbitune.fitting.hypotheses.impacts import impacts
from sbitune.fitting.hypotheses.limits import upper_limit
from sbitune.fitting.hypotheses.neyman import neyman_belt
from sbitune.fitting.likelihood.product import Product
from sbitune.fitting.minimise.minimiser import fit
from sbitune.fitting.minimise.profiles import profile
from sbitune.fitting.sampling.posterior import sample_posterior
from sbitune.fitting.sampling.sampling import PosteriorConfig
from sbitune.ratios.card import load_card
from sbitune.ratios.columns import column_histogram
from sbitune.ratios.record import read_record
from sbitune.ratios.stages.fitstage import card_fit
from sbitune.ratios.stages.observed import read_data

#: half of the signal and .1587 of the background are below x = 0
REGIONS = """regions:
  low: {kind: events, select: x < 0, expected: {signal: 25, background: 158.7}}
  bins:
    kind: counts
    observed: [210, 195]
    samples:
      background: {expected: [200, 200], errors: [4, 4], responses: {nu: {rate: [0.8, 1.25]}}}
      signal: {expected: [2, 3], scale: mu}
  top: {kind: workspace, file: top.json}
"""


def workspace(background=(300.0, 100.0), name="control"):
    """Background that a free factor `k` scales, and nu moves."""
    modifiers = [
        {"name": "k", "type": "normfactor", "data": None},
        {"name": "nu", "type": "histosys", "data": {"hi_data": [330.0, 90.0], "lo_data": [270.0, 110.0]}},
    ]
    sample = {"name": "background", "data": list(background), "modifiers": modifiers}
    return {
        "channels": [{"name": name, "samples": [sample]}],
        "observations": [{"name": name, "data": [310.0, 101.0]}],
        "measurements": [{"name": "m", "config": {"poi": "k", "parameters": []}}],
        "version": "1.0.0",
    }


def write_regions(place, n=2000, toys=0):
    """A card with an events region beside its own, counts and a workspace."""
    write_mixture(place, n=n)
    text = CARD.replace("toys: 20", f"toys: {toys}").replace("epochs: 6", "epochs: 3")
    first, last = text.index("    responses:"), text.index("network:")
    text = text[:first] + text[last:]  # nu moves bins only: less is compiled
    text = text.replace("expected: 50", "expected: 25").replace("expected: 1000", "expected: 841.3")
    (place / "card.yaml").write_text(text.replace("data: data.npz\n", "select: x >= 0\ndata: data.npz\n") + REGIONS)
    (place / "top.json").write_text(json.dumps(workspace()))
    return place


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    place = write_regions(tmp_path_factory.mktemp("regions") / "card")
    return place, json.loads(call("infer", place, "--json").stdout)


@pytest.mark.slow
def test_regions_share_parameters(fitted):
    place, figures = fitted
    parameters = figures["parameters"]
    assert list(parameters) == ["mu", "nu", "bins_simulated[0]", "bins_simulated[1]", "k"]
    # counts and the errors of what is expected know nu to .25 and better, by its response of 23 %
    assert 0.15 < parameters["nu"]["error"] < 0.3
    assert parameters["k"]["value"] == pytest.approx(411 / 400, abs=0.1)
    # 411 counts; nu moves their sum by 5 %
    assert parameters["k"]["error"] == pytest.approx(np.sqrt(411) / 400, rel=0.1)
    assert parameters["mu"]["error"] == pytest.approx(0.329, rel=0.2)
    record = read_record(place / "result.yaml")
    assert [(row.name, row.kind, row.data) for row in record.channels] == [
        ("events", "events", "data.npz"),
        ("low", "events", "data.npz"),
        ("bins", "counts", "card"),
        ("control", "counts", "top.json"),
    ]
    assert sum(row.observed[0] for row in record.channels[:2]) == 1050
    bins = record.channels[2]
    mu, nu = parameters["mu"]["value"], parameters["nu"]["value"]
    np.testing.assert_allclose(bins.fitted["signal"], mu * np.array([2, 3]))
    factors = [parameters[f"bins_simulated[{i}]"]["value"] for i in (0, 1)]
    rate = np.exp(nu * np.log(1.25))  # code 4 of .8 and 1.25 is an exponential
    np.testing.assert_allclose(bins.fitted["background"], 200 * np.array(factors) * rate, rtol=1e-6)
    assert parameters["bins_simulated[0]"]["pull"] == pytest.approx((factors[0] - 1) / 0.02)
    names = {check.name for check in record.checks}
    assert {"low: networks learnt", "bins: counts and fit", "data and fit", "low: simulated events"} <= names
    page = (place / "report.html").read_text()
    for words in ("Regions", "Calibration: low", "data, low", "control"):
        assert words in page


@pytest.mark.slow
def test_what_verbs_do_takes_regions(fitted):
    """Profiles, limits, impacts, belts and posteriors of one problem, so that little is compiled."""
    place, figures = fitted
    assert json.loads(call("ls", place, "--json").stdout)["regions"]["low"] == {"signal": 25, "background": 158.7}
    trained = json.loads(call("train", place, "--json").stdout)
    assert trained["regions"]["low"]["losses"]["ratios"]["guessing"] == pytest.approx(np.log(2), abs=1e-6)
    opened = card_fit(load_card(place), QUIET)
    problem, best = opened.problem, opened.fit
    assert isinstance(problem, Product)
    at = best.values[best.names.index("k")]
    assert profile(problem, best, "k", np.array([at])).delta[0] == pytest.approx(0, abs=1e-3)
    mu = figures["parameters"]["mu"]
    assert upper_limit(problem, "mu", best=best).observed > mu["value"]
    moved = {row.parameter for row in impacts(problem, "mu", best).rows}
    assert moved == {"nu", "bins_simulated[0]", "bins_simulated[1]"}
    belt = neyman_belt(jax.random.key(1), problem, "mu", np.array([0.0, 1.5, 3.0]), 40, best=best)
    assert belt.data.intervals
    config = PosteriorConfig(warmup=200, samples=200)
    posterior = sample_posterior(jax.random.key(2), problem, config, best)
    spread = posterior.samples[..., best.names.index("k")].std()
    assert spread == pytest.approx(figures["parameters"]["k"]["error"], rel=0.2)
    histogram = column_histogram(opened.details, "x", {"mu": 1.0, "nu": 0.0}, 10, "low")
    assert histogram.values().sum() == pytest.approx(183.7, rel=0.05)


@pytest.mark.slow
def test_a_workspace_of_all_regions_says_the_same(fitted, tmp_path):
    place, figures = fitted
    call("export", place, "--to", "pyhf", "-o", tmp_path / "all.json")
    opened = read_workspace(tmp_path / "all.json")
    assert {channel.name for channel in opened.model.channels} == {"events", "low", "bins", "control"}
    binned = fit(opened.problem, FitConfig(minos=False))
    errors = dict(zip(binned.names, np.sqrt(np.diag(binned.covariance)), strict=True))
    assert errors["k"] == pytest.approx(figures["parameters"]["k"]["error"], rel=0.05)
    assert errors["mu"] > figures["parameters"]["mu"]["error"]  # bins, and few simulated events in them
    beside = json.loads((tmp_path / "all.unbinned.json").read_text())
    assert beside["regions"]["low"]["model"]["file"].endswith("work/ratios.low.npz")


@pytest.mark.slow
def test_without_data_all_regions_are_asimov(tmp_path):
    place = write_regions(tmp_path / "card", n=1000)
    text = (place / "card.yaml").read_text().replace("data: data.npz\n", "").replace("observed: [210, 195]", "")
    (place / "card.yaml").write_text(text)
    call("fit", place)
    record = read_record(place / "result.yaml")
    assert [row.data for row in record.channels] == ["Asimov"] * 4
    np.testing.assert_allclose(record.channels[3].observed, [300, 100])
    assert record.parameters["k"].value == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(
    ("old", "new", "code", "message"),
    [
        ("  low:", "  events:", "ratios-region-name", "rename the region"),
        ("  bins:", "  control:", "ratios-region-name", "the channel control has the name of another region"),
        ("signal: 25", "signl: 15.4", "ratios-region-sample", "signl: no such sample; the nearest are signal"),
        ("{signal: 25", "{background: 158.7}, rates: {signal: {nu: [1, 2]}}} #", "ratios-region-sample", "signal"),
        ("158.7}", "158.7}, rates: {signal: {nu: [1, 2]}}", "card-parameter-unknown", "nu: no such parameter"),
        ("[210, 195]", "[210]", "channel-counts", "1 counts for 2 bins"),
        ("    observed: [210, 195]\n", "", "ratios-region-data", "give `observed`"),
        ("expected: [2, 3]", "expected: [2]", "channel-samples", "1 bins"),
        ("[2, 3], scale: mu", "[2, 3], scale: mew", "card-parameter-unknown", "regions.bins.samples.signal"),
        ("{rate: [0.8, 1.25]}", "{}", "ratios-response-alike", "`down` and `up` both"),
        ("{rate: [0.8, 1.25]}", "{down: [200, 200], up: [200, 200]}", "modifier-up-is-down", "mirror"),
        ("responses: {nu: {rate", "responses: {mu: {rate", "ratios-unmeasured", "measured: {value: 0, error: 1}"),
        (
            "measured: {error: 1}",
            "measured: {error: 2}",
            "ratios-region-measured",
            "0 +- 2 and the workspace",
        ),
        ("errors: [4, 4]", "errors: [4]", "modifier-bins", "1 bins"),
        ("top.json", "absent.json", "file-unreadable", "absent.json: No such file"),
        ("kind: workspace", "kind: worksheet", "yaml-unknown-value", "choose events or counts or workspace"),
    ],
)
def test_what_is_wrong_with_a_region_is_said(tmp_path, old, new, code, message):
    (tmp_path / "top.json").write_text(json.dumps(workspace()))
    text = CARD + REGIONS
    assert old in text
    (tmp_path / "card.yaml").write_text(text.replace(old, new, 1))
    with refused(code, message):
        load_card(tmp_path)


def test_a_workspace_that_is_none_is_refused_with_its_place(tmp_path):
    (tmp_path / "card.yaml").write_text(CARD + REGIONS)
    broken = workspace()
    broken["channels"][0]["samples"][0]["modifiers"][0]["type"] = "normfaktor"
    (tmp_path / "top.json").write_text(json.dumps(broken))
    with refused("workspace-schema", "regions.top.file", "top.json"):
        load_card(tmp_path)
    (tmp_path / "top.json").write_text(json.dumps(workspace()))
    text = CARD.replace("low: 0, high: 6}", "low: 0, high: 6}\n  k: {low: -1, high: 3}") + REGIONS
    (tmp_path / "card.yaml").write_text(text)
    with refused("ratios-scale-negative", "k multiplies bins"):
        load_card(tmp_path)
    (tmp_path / "other.json").write_text(json.dumps(workspace()))
    text = REGIONS + "  other: {kind: workspace, file: other.json}\n"
    (tmp_path / "card.yaml").write_text(CARD + text)
    with refused("ratios-region-name", "control has the name of another region"):
        load_card(tmp_path)


def test_events_in_two_regions_are_refused(tmp_path):
    (tmp_path / "top.json").write_text(json.dumps(workspace()))
    (tmp_path / "card.yaml").write_text(CARD + REGIONS)
    write_events(tmp_path / "data.npz", table(draw(np.random.default_rng(1), 50, 1000)))
    with refused("ratios-regions-overlap", "events and low both", "x < 0"):
        read_data(load_card(tmp_path))
