"""A card whose data have weights: errors of weighted events, and what is refused of them."""

import json

import numpy as np
import pytest
from helpers.calling import call
from helpers.mixture import draw
from helpers.mixturecard import CARD, table, write_mixture

from sbitune.data.events import write_events
from sbitune.ratios.record import read_record

pytestmark = pytest.mark.slow


def test_data_with_weights_of_both_signs(tmp_path):
    """Half of the events of three times the data, each of weight 2 / 3, and 500 that a sideband subtracts: 500 more of
    background are in the data, and -1 times 500 others.
    """
    place = write_mixture(tmp_path / "card", n=2000)
    text = CARD.replace("epochs: 6", "epochs: 3")
    first, last = text.index("    responses:"), text.index("network:")
    text = text[:first] + text[last:]
    text = text.replace("  nu: {low: -2, high: 2, measured: {error: 1}}\n", "")
    rng = np.random.default_rng(3)
    x = np.concatenate([draw(rng, 75, 1500), draw(rng, 0, 500), draw(rng, 0, 500)])
    weights = np.concatenate([np.full(1575, 2 / 3), np.ones(500), -np.ones(500)])
    write_events(place / "data.npz", table(x, weights=weights))
    (place / "card.yaml").write_text(text)
    assert "or say `weighted_data: true` if they shall count" in call("fit", place, code=2).stderr
    (place / "card.yaml").write_text(text + "weighted_data: true\n")
    said = call("infer", place, "--json")
    assert "no toys: the data have weights" in said.stderr
    record = read_record(place / "result.yaml")
    assert record.events == pytest.approx(1050)
    assert any("weighted events" in note for note in record.notes)
    # sqrt(sum w^2) of 1575 (2/3)^2 + 1000 events instead of 1050 is 1.27, of which not all is under the signal
    mu = json.loads(said.stdout)["parameters"]["mu"]
    assert 1.0 < mu["error"] / 0.329 < 1.5
    assert abs(mu["value"] - 1) < 4 * mu["error"]
    assert mu["minos"][1] == pytest.approx(mu["error"], rel=0.1)
    assert "not checked: coverage by toys" in record.verdict or "to be read with care" in record.verdict
    assert "[events-weighted-toys]" in call("coverage", place, "--toys", 5, code=2).stderr
    assert "[events-weighted-toys]" in call("posterior", place, code=2).stderr
    assert "weights other than 1 have none" in call("limit", place, "mu", code=2).stderr
    found = json.loads(call("profile", place, "mu", "--points", "3", "--json").stdout)
    assert min(found["profile"].values()) < 0.1
    assert "or leave the weights out" in call("export", place, "--to", "pyhf", "-o", tmp_path / "w.json", code=2).stderr
