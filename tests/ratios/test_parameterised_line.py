"""From a card with events at many settings to a fit and its page: the line as users run it."""

import json

import numpy as np
import pytest
from helpers.calling import call
from helpers.parameterisedcard import CARD, N_DATA, TOY, TRUTH, write_shifted

from sbitune.data.events import Events, read_events, write_events
from sbitune.ratios.parameterised.line.card import load_card
from sbitune.ratios.parameterised.line.fitstage import read_fitted
from sbitune.ratios.record import read_record

#: of each mean, as the observed information of a Gaussian of unit width
ERROR = 1 / np.sqrt(N_DATA)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A card with few events, whose line was not run."""
    return write_shifted(tmp_path_factory.mktemp("written") / "card", 400)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """A card whose line was run."""
    place = write_shifted(tmp_path_factory.mktemp("parameterised") / "card")
    return place, json.loads(call("infer", place, "--json").stdout)


def copy(place, other, card: str):
    """A card of the same events in another directory."""
    other.mkdir()
    for file in place.glob("*.npz"):
        (other / file.name).symlink_to(file)
    (other / "card.yaml").write_text(card)
    return other


@pytest.mark.slow
def test_the_line_leaves_a_result_and_a_page(fitted):
    place, figures = fitted
    data = read_events(place / "data.npz")
    for i, truth in enumerate(TRUTH):
        found = figures["parameters"][f"mean{i}"]
        assert found["error"] == pytest.approx(ERROR, rel=0.08)
        exact = np.mean(data[f"x{i}"])  # the maximum of the exact likelihood
        assert found["value"] == pytest.approx(exact, abs=1.5 * ERROR)
        assert abs(found["value"] - truth) < 4 * ERROR
    record = read_record(place / "result.yaml")
    assert record.events == N_DATA
    assert record.processes == {}
    assert {check.name for check in record.checks} >= {"networks learnt", "reweighted events", "mean responses"}
    page = (place / "report.html").read_text()
    for words in ("Parameters", "Reweighted events", "Calibration", "Mean ratios", "the reference", record.verdict[1:]):
        assert words in page
    found = read_fitted(load_card(place))
    x = np.random.default_rng(3).normal(size=(2000, 2))
    off = found.trained.ratio.log_ratios(x, TRUTH) - TOY.log_ratio(x, TRUTH)
    assert np.sqrt(np.mean(off**2)) < 0.1


@pytest.mark.slow
def test_what_is_there_is_not_made_again_and_verbs_take_the_card(fitted):
    place, figures = fitted
    again = call("fit", place, "--json")
    assert "learning" not in again.stderr
    assert json.loads(again.stdout)["parameters"] == figures["parameters"]
    asked = json.loads(call("ls", place, "--json").stdout)
    assert asked["events"] == ["events.npz"]
    assert asked["result"] == figures["parameters"]
    profile = json.loads(call("profile", place, "mean0", "--points", "3", "--json").stdout)
    assert profile["value"] == figures["parameters"]["mean0"]["value"]
    trained = json.loads(call("train", place, "--json").stdout)
    # the mean of log r - log 1 by the exact ratio is half the mean of |theta|^2, 1/3; that of the cross entropy less
    assert 0.02 < trained["gain"][0] < 0.4
    assert json.loads(call("report", place, "--json").stdout)["events"] == N_DATA


@pytest.mark.slow
def test_a_number_that_depends_on_parameters_adds_its_information(fitted, tmp_path):
    """With nu = n (1 + a theta0) events expected, their number adds (n a)^2 / n = n a^2 to the information n."""
    place, _ = fitted
    n, a = 200.0, 0.7
    card = CARD.replace("data: data.npz", f"expected: {n:g} * (1 + {a} * mean0)").replace("toys: 20", "toys: 0")
    figures = json.loads(call("infer", copy(place, tmp_path / "card", card), "--json").stdout)
    assert figures["data"] == "Asimov"
    assert figures["events"] == pytest.approx(n, rel=0.02)
    assert figures["parameters"]["mean0"]["error"] == pytest.approx(1 / np.sqrt(n * (1 + a**2)), rel=0.06)
    assert figures["parameters"]["mean1"]["error"] == pytest.approx(1 / np.sqrt(n), rel=0.06)
    assert figures["processes"]["all"]["nominal"] == n


@pytest.mark.slow
def test_without_a_reference_all_events_are_it(fitted, tmp_path):
    place, figures = fitted
    card = CARD.replace("reference: reference.npz\npoint: {mean0: 0, mean1: 0}\n", "").replace("toys: 20", "toys: 0")
    found = json.loads(call("infer", copy(place, tmp_path / "card", card), "--json").stdout)
    for name, row in figures["parameters"].items():
        assert found["parameters"][name]["value"] == pytest.approx(row["value"], abs=1.5 * ERROR)
        assert found["parameters"][name]["error"] == pytest.approx(ERROR, rel=0.15)


@pytest.mark.slow
def test_what_the_simulator_knows_is_learned_from(fitted, tmp_path):
    place, _ = fitted
    truth = "truth: {score: {mean0: score0, mean1: score1}}\n"
    card = CARD.replace("ratio: {", f"{truth}ratio: {{loss: cascal, ").replace("toys: 20", "toys: 0")
    place = copy(place, tmp_path / "card", card)
    figures = json.loads(call("infer", place, "--json").stdout)
    data = read_events(place / "data.npz")
    for i in range(2):
        # all events have the exact score here: the fit is the exact one but for what normalises it
        assert figures["parameters"][f"mean{i}"]["value"] == pytest.approx(np.mean(data[f"x{i}"]), abs=ERROR)


@pytest.mark.slow
def test_optimal_observables_are_learned_from_scores_at_the_reference(fitted, tmp_path):
    place, _ = fitted
    truth = "truth: {score: {mean0: score0, mean1: score1}}\n"
    card = CARD.replace("ratio: {", f"{truth}ratio: {{kind: local, loss: sally, ").replace("toys: 20", "toys: 0")
    place = copy(place, tmp_path / "card", card.replace("reference: reference.npz\n", ""))
    assert "not at the point of the reference" in call("infer", place, code=2).stderr
    table = read_events(place / "reference.npz")
    columns = {name: table[name] for name in ("x0", "x1")}
    at_reference = {f"score{i}": columns[f"x{i}"] for i in range(2)} | {
        f"mean{i}": np.zeros(len(table)) for i in range(2)
    }
    (place / "events.npz").unlink()
    write_events(place / "events.npz", Events.of(columns | at_reference))
    figures = json.loads(call("infer", place, "--json").stdout)
    data = read_events(place / "data.npz")
    for i in range(2):
        # the score is exact: what is left is the error of the normalisation by 6,000 events
        assert figures["parameters"][f"mean{i}"]["value"] == pytest.approx(np.mean(data[f"x{i}"]), abs=ERROR)


def test_events_that_are_alike_say_that_nothing_was_learned(tmp_path):
    place = write_shifted(tmp_path / "card", 600)
    rng = np.random.default_rng(1)
    theta = rng.uniform(-1, 1, (600, 2))
    x = rng.normal(size=(600, 2))
    columns = {"x0": x[:, 0], "x1": x[:, 1], "mean0": theta[:, 0], "mean1": theta[:, 1]}
    write_events(place / "events.npz", Events.of(columns))
    assert "nothing was learned" in call("infer", place, code=1).stderr
    assert not (place / "result.yaml").exists()


@pytest.mark.parametrize(
    ("old", "new", "code", "message"),
    [
        ("mean1: 0}", "mean2: 0}", "card-parameter-unknown", "point.mean2"),
        ("mean0: 0, mean1: 0}", "mean0: 0}", "ratio-point", "where is mean1"),
        ("mean1: 0}", "mean1: 3}", "card-outside-range", "3 is outside the range"),
        ("reference: reference.npz\n", "", "ratio-point", "none is named"),
        ("ratio: {", "ratio: {loss: alices, ", "ratio-lacks-truth", "truth: {score: ...}"),
        ("ratio: {", "truth: {score: {mean2: s}}\nratio: {", "card-parameter-unknown", "truth.score.mean2"),
        ("columns: [x0, x1]\n", "", "ratio-other-columns", "name some"),
        ("columns: [x0, x1]", "sets: {jets: [x0]}", "ratio-other-columns", "a set of particles has another number"),
        ("ratio: {", "ratio: {kind: factored, ", None, "there is no kind 'factored'"),
        ("ratio: {", "ratio: {loss: binari, ", None, "there is no loss 'binari'"),
        ("data: data.npz\n", "", "ratio-no-number", "say one of both"),
        ("data: data.npz\n", "expected: 100 * mean0\n", "ratio-no-number", "must be above 0 everywhere"),
        ("data: data.npz\n", "expected: 100 * mean\n", None, "mean"),
        ("data: data.npz\n", "expected: mean0 > 0\n", "ratio-no-number", "is a condition"),
        ("data: data.npz\n", "expected: 0\n", "ratio-no-number", "0: the number of expected events must be above 0"),
        ("[x0, x1]", "[x0, x2]", None, "x2"),
        ("events: events.npz", "events: reference.npz", "ratio-lacks-parameters", "mean0, mean1"),
        ("low: -1, high: 1}\n  mean1", "low: -0.5, high: 0.5}\n  mean1", "ratio-outside-box", "widen the range"),
        ("fit: {", "select: x0 > 100\nfit: {", "ratios-too-few-events", "0 events that are selected by 'x0 > 100'"),
        ("events: events.npz", "events: [events.npz, absent.npz]", None, "absent.npz: there is no such file"),
    ],
)
def test_cards_that_cannot_be(written, tmp_path, old, new, code, message):
    assert old in CARD
    place = copy(written, tmp_path / "card", CARD.replace(old, new))
    said = call("train", place, code=2).stderr
    assert message in said
    if code is not None:
        assert said.endswith(f"[{code}]\n")


@pytest.mark.slow
def test_changed_data_are_noticed(fitted, tmp_path):
    place, _ = fitted
    card = place / "data.npz"
    before = card.read_bytes()
    try:
        write_events(card, TOY.draw(np.random.default_rng(9), 300, TRUTH))
        assert "data changed since; run `sbitune infer" in call("profile", place, "mean0", code=2).stderr
    finally:
        card.write_bytes(before)
