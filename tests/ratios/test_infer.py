"""From a card of events to a fit and its page: the line as users run it."""

import json

import numpy as np
import pytest
from helpers.calling import call
from helpers.faults import refused
from helpers.mixture import SIGNAL, Mixture, draw
from helpers.mixturecard import CARD, table, write_mixture

from sbitune.data.events import Events, from_counts, read_events, write_events
from sbitune.ratios.card import load_card
from sbitune.ratios.mixture.storage import load_mixture, save_mixture
from sbitune.ratios.record import read_record
from sbitune.ratios.stages.fitstage import read_fitted
from sbitune.ratios.stages.training import train_stage


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """A card whose line was run."""
    place = write_mixture(tmp_path_factory.mktemp("ratios") / "card")
    figures = json.loads(call("infer", place, "--json").stdout)
    return place, figures


def test_the_line_leaves_a_result_and_a_page(fitted):
    place, figures = fitted
    # 0.355 and 0.035 with exact ratios; 4,000 events a sample move these by some of it
    assert figures["parameters"]["mu"]["error"] == pytest.approx(0.355, rel=0.15)
    assert figures["parameters"]["nu"]["error"] == pytest.approx(0.0353, rel=0.15)
    assert abs(figures["parameters"]["mu"]["value"] - 1) < 4 * 0.355
    record = read_record(place / "result.yaml")
    assert record.events == len(read_events(place / "data.npz"))
    assert record.processes["signal"].fitted == pytest.approx(SIGNAL * record.parameters["mu"].value)
    assert record.parameters["nu"].pull == pytest.approx(record.parameters["nu"].value)
    assert {check.name for check in record.checks} >= {"networks learnt", "reweighted events", "calibration"}
    page = (place / "report.html").read_text()
    for words in ("Parameters", "Data and fit", "Reweighted events", "Calibration", "Coverage", record.verdict[1:20]):
        assert words in page
    assert page.count("<svg") == 2 + 2 + 8 + 2 + 1 + 2


def test_what_is_there_is_not_made_again(fitted):
    place, _ = fitted
    again = call("fit", place, "--json")
    assert "learning" not in again.stderr
    assert json.loads(again.stdout)["parameters"] == fitted[1]["parameters"]
    asked = json.loads(call("ls", place, "--json").stdout)
    assert asked["samples"] == {"signal": 50.0, "background": 1000.0}
    assert asked["result"] == fitted[1]["parameters"]
    trained = json.loads(call("train", place, "--json").stdout)
    assert trained["losses"]["ratios"]["validation"][0] < trained["losses"]["ratios"]["guessing"]
    assert json.loads(call("report", place, "--json").stdout)["events"] == fitted[1]["events"]


def test_verbs_of_a_fit_take_the_card(fitted):
    place, figures = fitted
    found = json.loads(call("profile", place, "mu", "--points", "5", "--json").stdout)
    value, error = figures["parameters"]["mu"]["value"], figures["parameters"]["mu"]["error"]
    assert found["value"] == value
    middle = [rise for at, rise in found["profile"].items() if abs(float(at) - value) < 1e-3 * error]
    assert middle == [pytest.approx(0, abs=1e-3)] or value < 3 * error  # else the range ends before three errors
    toys = json.loads(call("coverage", place, "--toys", "30", "--json").stdout)
    assert toys["coverage68"] == pytest.approx(0.683, abs=4 * 0.06)


@pytest.mark.slow
def test_changed_data_and_samples_are_noticed(fitted, tmp_path):
    place, _ = fitted
    other = tmp_path / "card"
    other.mkdir()
    for file in place.rglob("*"):
        if file.is_file() and file.name != ".lock":
            (other / file.relative_to(place)).parent.mkdir(exist_ok=True)
            (other / file.relative_to(place)).write_bytes(file.read_bytes())
    write_events(other / "data.npz", table(draw(np.random.default_rng(5), 40, 900)))
    assert "data changed since; run `sbitune infer" in call("profile", other, "mu", code=2).stderr
    rows = np.random.default_rng(6).normal(size=(4000, 2))
    write_events(other / "signal.npz", table(rows))
    (other / "card.yaml").write_text(CARD.replace("epochs: 6", "epochs: 2").replace("toys: 20", "toys: 0"))
    said = call("infer", other).stderr
    assert "the ratios are learned again: the samples and columns, samples or networks of the card changed" in said
    assert "not checked: coverage by toys" in read_record(other / "result.yaml").verdict


@pytest.mark.slow
def test_without_data_errors_are_expected_ones(tmp_path):
    place = write_mixture(tmp_path / "card")
    (place / "card.yaml").write_text(CARD.replace("data: data.npz\n", "").replace("toys: 20", "toys: 0"))
    figures = json.loads(call("infer", place, "--json").stdout)
    assert figures["data"] == "Asimov"
    assert figures["parameters"]["mu"]["value"] == pytest.approx(1, abs=0.1)
    assert figures["parameters"]["mu"]["error"] == pytest.approx(0.355, rel=0.15)
    assert "There are no data" in (place / "report.html").read_text()


def test_a_model_that_is_read_back_gives_the_same_bits(fitted, tmp_path):
    place, _ = fitted
    mixture = train_stage(load_card(place)).mixture
    save_mixture(tmp_path / "model.npz", mixture)
    x = draw(np.random.default_rng(2), 5, 5)
    for ours, theirs in zip(mixture.prepare(x), load_mixture(tmp_path / "model.npz").prepare(x), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    with refused(None, "not a whole sbitune mixture of events"):
        load_mixture(place / "data.npz")


def test_intensities_are_those_of_the_densities(fitted):
    """Learned and exact intensities relative to the background, where there are events."""
    place, _ = fitted
    found = read_fitted(load_card(place))
    mixture, exact = found.trained.mixture, Mixture(1.0)
    x = draw(np.random.default_rng(3), 500, 500)
    theta = {"mu": 1.0, "nu": 0.5}
    with found.problem.computing():
        ours = np.asarray(mixture.log_intensity(theta, mixture.prepare(x)))
        true = np.asarray(exact.log_intensity(theta, exact.prepare(x)))
        ratio = np.log((1 + np.exp(1 - x.sum(1))) / 2)  # of the reference, half of each, to the background
        off = ours + ratio - true
        assert np.sqrt(np.mean(off**2)) < 0.25
        assert float(mixture.expected(theta)) == 1050.0
        # normalised at every nu: the pool has 1,400 events of the background
        weights = mixture.pool[1]
        for nu in (-1.0, 0.0, 0.5):
            total = weights @ np.exp(
                np.asarray(mixture.log_intensity({"mu": 1.0, "nu": nu}, mixture.prepare(mixture.held.x)))
            )
            assert total == pytest.approx(1050, rel=0.01 + 3 * np.sqrt(np.expm1(nu**2) / 1400))


@pytest.mark.parametrize(
    ("old", "new", "code", "message"),
    [
        ("scale: mu", "scale: nu", "ratios-scale-negative", "begin its range at 0"),
        ("scale: mu", "scale: m", "card-parameter-unknown", "nearest"),
        (", measured: {error: 1}", "", "ratios-unmeasured", "measured: {value: 0, error: 1}"),
        ("extrapolate: true", "extrapolate: false", "ratios-range-untrained", "between -1 and 1; narrow the range"),
        ("value: 1}", "value: 0}", "ratios-response-alike", "leave it out"),
        ("up.npz", "background.npz", "ratios-response-alike", "are those of"),
        ("low: 0, high: 6", "low: 6, high: 0", "card-empty-range", "low 6 is not below high 0"),
        ("low: 0, high: 6", "low: 0, high: 6, nominal: 7", "card-outside-range", "nominal 7"),
        ("[x, y]", "[x, z]", None, "there is no column 'z'"),
        ("network:", "reference: {signl: 1}\nnetwork:", "ratios-reference", "nearest"),
        ("network:", "reference: {signal: 0}\nnetwork:", "ratios-reference", "add up to nothing"),
        ("parameters:\n", "parameters:\n  a: {low: 0, high: 1}\n", "ratios-parameter-unused", "scaled or moved by a"),
        ("fit: {", "fit: {fixed: {b: 1}, ", "card-parameter-unknown", "fit.fixed.b"),
        ("hidden: [8]", "hiden: [8]", "yaml-unknown-key", "hidden"),
        ("signal.npz", "absent.npz", None, "there is no such file"),
        ("data: data.npz", "select: x > 100\ndata: data.npz", "ratios-too-few-events", "'x > 100'"),
        ("network:", "split: {held: 0.9}\nnetwork:", "yaml-outside-range", "leave less than 5 %"),
    ],
)
def test_what_is_wrong_with_a_card_is_said(tmp_path, fitted, old, new, code, message):
    assert old in CARD
    for file in fitted[0].glob("*.npz"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "card.yaml").write_text(CARD.replace(old, new))
    with refused(code, message):
        train_stage(load_card(tmp_path))


def test_what_is_wrong_with_events_is_said(tmp_path):
    place = write_mixture(tmp_path / "card", n=400)
    x = draw(np.random.default_rng(1), 400, 0)
    for events, code, message in (
        (table(x[:50]), "ratios-too-few-events", "50 events; at least 100"),
        (table(x, weights=-np.ones(400)), "ratios-no-weight", "weights add up to -"),
        (table(x, weights=np.zeros(400)), "ratios-no-weight", "weights add up to 0"),
        (table(x * [1, np.nan]), None, "'y' is nan at row 0"),
        (table(x * [1, 0]), "column-constant", "'y'"),
    ):
        write_events(place / "signal.npz", events)
        write_events(place / "background.npz", events if code == "column-constant" else table(x))
        with refused(code, message):
            train_stage(load_card(place))
    write_mixture(place, n=400)
    particles = from_counts(np.ones(200), np.full(100, 2))
    write_events(place / "signal.npz", Events.of({"x": particles, "y": x[:100, 1]}))
    with refused("ratios-column-ragged", "column 'x' has several numbers"):
        train_stage(load_card(place))
    write_mixture(place, n=400)
    write_events(place / "data.npz", table(x, weights=np.full(400, 2.0)))
    assert "[ratios-data-weighted]" in call("infer", place, code=2).stderr


def test_events_of_one_group_have_one_use(tmp_path):
    """Nominal events and the same ones varied are on one side of the split."""
    place = write_mixture(tmp_path / "card", n=400)
    rng = np.random.default_rng(3)
    for name in ("background", "up", "down"):
        write_events(place / f"{name}.npz", table(draw(rng, 0, 400), groups=np.arange(400) // 3))
    from sbitune.ratios.samples import read_samples

    samples = read_samples(load_card(place))
    roles = [samples.nominal["background"].role] + [s.role for s in samples.varied["background", "nu"]]
    for group in range(133):
        assert len({int(role) for one in roles for role in one[3 * group : 3 * group + 3]}) == 1
