"""From a card with simulations and an observation to a posterior and its page: the line as users run it."""

import json

import jax
import numpy as np
import pytest
from helpers.calling import call

from sbitune.data.events import Events, write_events
from sbitune.data.storage.arrays import read_arrays
from sbitune.ratios.posteriors.line.card import load_card
from sbitune.ratios.posteriors.line.record import read_record
from sbitune.ratios.posteriors.line.sampling import read_sampled

CARD = """family: posteriors
title: two numbers, linear and Gaussian
columns: [x0, x1]
parameters:
  a: {mean: 0, deviation: 1}
  b: {low: -4, high: 4, unit: GeV}
simulations: simulations.npz
observation: observation.npz
density: {epochs: 8, members: 1, width: 16, layers: 2, learning_rate: 0.01}
draws: 4000
checks: {pairs: 120, draws: 50, permutations: 10}
"""
#: x0 = a + .5 e0, x1 = a + b + .3 e1; of the observation (.5, 1) and b free in a range that is wide enough
MEAN, SD = np.array([0.4, 0.6]), np.array([1 / np.sqrt(5), np.sqrt(0.2 + 0.09)])


def simulate(rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
    a, b = rng.normal(size=n), rng.uniform(-4, 4, n)
    return {"a": a, "b": b, "x0": a + 0.5 * rng.normal(size=n), "x1": a + b + 0.3 * rng.normal(size=n)}


def write_card(place, n: int = 4000):
    place.mkdir()
    (place / "card.yaml").write_text(CARD)
    write_events(place / "simulations.npz", Events.of(simulate(np.random.default_rng(1), n)))
    write_events(place / "observation.npz", Events.of({"x0": np.array([0.5]), "x1": np.array([1.0])}))
    return place


@pytest.fixture(scope="module")
def sampled(tmp_path_factory):
    """A card whose line was run."""
    place = write_card(tmp_path_factory.mktemp("posteriors") / "card")
    return place, json.loads(call("infer", place, "--json").stdout)


def test_the_line_leaves_a_posterior_and_a_page(sampled):
    place, figures = sampled
    for name, mean, sd in zip("ab", MEAN, SD, strict=True):
        found = figures["parameters"][name]
        assert found["mean"] == pytest.approx(mean, abs=0.3 * sd)
        assert found["sd"] == pytest.approx(sd, rel=0.2)
    assert figures["parameters"]["a"]["shrinkage"] == pytest.approx(0.8, abs=0.08)
    record = read_record(place / "result.yaml")
    assert record.correlation[0][1] == pytest.approx(-0.2 / (SD[0] * SD[1]), abs=0.08)
    names = ["networks learnt", "observation among simulations", "ranks", "expected coverage", "TARP"]
    assert [check.name for check in record.checks] == [*names, "posterior of the observation"]
    assert all(check.outcome == "passed" for check in record.checks[:2])
    draws = read_arrays(place / "posterior.npz", "posterior")["samples"]
    assert draws.shape == (4000, 2)
    groups = json.loads((place / "posterior.json").read_text())
    np.testing.assert_array_equal(groups["posterior"]["b"][0], draws[:, 1])
    page = (place / "report.html").read_text()
    for words in ("b / GeV", "L-C2ST", "Calibration", record.verdict[1:]):
        assert words in page


def test_what_is_there_is_not_made_again(sampled):
    place, figures = sampled
    again = call("posterior", place, "--json")
    assert "learning" not in again.stderr
    assert json.loads(again.stdout)["parameters"] == figures["parameters"]
    assert json.loads(call("ls", place, "--json").stdout)["result"] == figures["parameters"]
    assert json.loads(call("report", place, "--json").stdout)["draws"] == 4000
    trained = json.loads(call("train", place, "--json").stdout)
    assert trained["preference"][0] > 0.85
    found = read_sampled(load_card(place))
    other = found.posterior.sample((500,), x=np.array([-1.0, 0.0]), key=jax.random.key(1))
    assert np.mean(other[:, 0]) == pytest.approx(-0.8, abs=0.35)


def test_an_observation_far_from_all_simulations_is_told(sampled, tmp_path):
    place, _ = sampled
    other = tmp_path / "card"
    other.mkdir()
    (other / "card.yaml").write_text(CARD)
    (other / "simulations.npz").symlink_to(place / "simulations.npz")
    (other / "work").mkdir()
    for file in ("model.npz", "model.json"):
        (other / "work" / file).write_bytes((place / "work" / file).read_bytes())
    write_events(other / "observation.npz", Events.of({"x0": np.array([9.0]), "x1": np.array([1.0])}))
    figures = json.loads(call("infer", other, "--json").stdout)
    assert figures["verdict"].startswith("to be read with care: the observation is outside of all simulations")
    assert "x0 is observed" in figures["warnings"][0]


@pytest.mark.slow
@pytest.mark.parametrize("method", ["nle", "nre"])
def test_several_rows_are_independent_observations(sampled, tmp_path, method):
    """Of 6 rows the posterior of a has the precision 1 + 6 / .25 (x0), as b is free and x1 knows a + b only."""
    place, _ = sampled
    other = tmp_path / "card"
    other.mkdir()
    (other / "simulations.npz").symlink_to(place / "simulations.npz")
    card = CARD.replace("density: {", "method: nle\ndensity: {") if method == "nle" else "\n".join(
        line for line in CARD.splitlines() if not line.startswith("density")
    ) + "\nmethod: nre\nratio: {epochs: 12}\n"  # fmt: skip
    (other / "card.yaml").write_text(card.replace("pairs: 120", "pairs: 0"))
    rng = np.random.default_rng(2)
    x0, x1 = 0.5 + 0.5 * rng.normal(size=6), 1 + 0.3 * rng.normal(size=6)
    write_events(other / "observation.npz", Events.of({"x0": x0, "x1": x1}))
    figures = json.loads(call("infer", other, "--json").stdout)
    found = figures["parameters"]["a"]
    assert found["sd"] == pytest.approx(0.2, rel=0.35)
    assert found["mean"] == pytest.approx(24 * x0.mean() / 25, abs=0.15)
    assert "not checked: ranks, coverage and the test at the observation" in figures["verdict"]


@pytest.mark.slow
def test_too_narrow_posteriors_are_found_out(tmp_path):
    """A flow that is trained long on few simulations, without a look at others, claims too much."""
    place = write_card(tmp_path / "card", 400)
    card = CARD.replace("{epochs: 8, members: 1, width: 16, layers: 2, learning_rate: 0.01}",
                        "{epochs: 300, patience: 300, members: 1, hidden: [256, 256], width: 128, "
                        "validation_fraction: 0.1, learning_rate: 0.005}")  # fmt: skip
    (place / "card.yaml").write_text(card.replace("pairs: 120", "held: 0.4, pairs: 160"))
    figures = json.loads(call("infer", place, "--json").stdout)
    assert figures["checks"]["expected coverage"] == "failed"
    assert "too narrow" in figures["verdict"]


@pytest.mark.slow
def test_columns_that_know_nothing_give_no_posterior(tmp_path):
    place = write_card(tmp_path / "card", 1000)
    rng, columns = np.random.default_rng(9), simulate(np.random.default_rng(1), 1000)
    write_events(
        place / "simulations.npz",
        Events.of({"a": columns["a"], "b": columns["b"], "x0": rng.normal(size=1000), "x1": rng.normal(size=1000)}),
    )
    assert "learnt nothing" in call("infer", place, code=1).stderr
    assert not (place / "result.yaml").exists()


@pytest.mark.parametrize(
    ("old", "new", "code", "message"),
    [
        ("{mean: 0, deviation: 1}", "{mean: 0}", None, "a prior has `low` and `high`, or `mean` and `deviation`"),
        ("{mean: 0, deviation: 1}", "{low: 1, high: 0}", None, "parameters"),
        ("density: {", "method: nre\ndensity: {", "posterior-other-method", "the method is nre"),
        ("[x0, x1]", "[x0, a]", "posterior-columns", "a is a parameter"),
        ("[x0, x1]", "[x0, x2]", None, "x2"),
        ("low: -4, high: 4", "low: -2, high: 2", None, "is outside the prior"),
        (
            "observation: observation",
            "observation: simulations",
            "posterior-columns",
            "npe learns the posterior of one",
        ),
        ("observation.npz", "absent.npz", None, "there is no such file"),
        ("draws: 4000", "draws: 4000\nselect: x0 > 0", "yaml-unknown-key", "select"),
    ],
)
def test_cards_that_cannot_be(sampled, tmp_path, old, new, code, message):
    assert old in CARD
    other = tmp_path / "card"
    other.mkdir()
    for file in ("simulations.npz", "observation.npz"):
        (other / file).symlink_to(sampled[0] / file)
    (other / "card.yaml").write_text(CARD.replace(old, new))
    said = call("train", other, code=2).stderr
    assert message in said
    if code is not None:
        assert said.endswith(f"[{code}]\n")


def test_simulations_with_weights_are_refused(sampled, tmp_path):
    place = write_card(tmp_path / "card", 200)
    weights = np.where(np.arange(200) % 2, 1.0, 2.0)
    write_events(place / "simulations.npz", Events.of(simulate(np.random.default_rng(1), 200), weights))
    assert call("train", place, code=2).stderr.endswith("[posterior-weighted]\n")
