"""A card whose ratios float in the fit: their error is in that of the fit, and is what was propagated before."""

import json

import numpy as np
import pytest
from helpers.calling import call
from helpers.mixturecard import CARD, write_mixture

from sbitune.ratios.record import read_record

pytestmark = pytest.mark.slow


def test_the_error_of_ratios_that_float_is_that_which_is_propagated(tmp_path):
    place = write_mixture(tmp_path / "card", n=1500)
    text = CARD.replace("epochs: 6", "epochs: 3")
    first, last = text.index("    responses:"), text.index("network:")
    text = text[:first] + text[last:]
    text = text.replace("  nu: {low: -2, high: 2, measured: {error: 1}}\n", "")
    (place / "card.yaml").write_text(text.replace("toys: 20", "toys: 0"))
    apart = json.loads(call("fit", place, "--json").stdout)["parameters"]["mu"]
    (place / "card.yaml").write_text(text.replace("toys: 20", "toys: 0") + "ratio_error: nuisances\n")
    said = call("fit", place, "--json")
    assert "learn" not in said.stderr
    found = json.loads(said.stdout)
    mu, directions = found["parameters"].pop("mu"), found["parameters"]
    assert all(name == f"ratio[{i}]" for i, name in enumerate(directions))
    assert all(0.3 < row["error"] <= 1.01 for row in directions.values())
    # what the data say of the ratio themselves makes it smaller, if anything
    both = np.hypot(apart["error"], apart["ratio_error"])
    assert apart["error"] < mu["error"] < 1.1 * both
    assert mu["ratio_error"] == 0
    assert mu["value"] == pytest.approx(apart["value"], abs=2 * apart["ratio_error"])
    record = read_record(place / "result.yaml")
    assert record.parameters["ratio[0]"].measured == (0.0, 1.0)
