"""Errors expected before there are data, and what columns bring, against integrals of the exact densities."""

import json

import numpy as np
import pytest
from helpers.calling import call
from helpers.faults import refused
from helpers.mixture import BACKGROUND, SIGNAL
from helpers.mixturecard import CARD, write_mixture
from scipy import integrate
from scipy.stats import norm

from sbitune.ratios.card import load_card
from sbitune.ratios.planning.expected import parse_point
from sbitune.ratios.planning.plan import read_plan


def exact_error(mu: float, columns: int) -> float:
    """1 / sqrt(int s^2 / lambda) of one or both columns; along the sum of two the densities are as far apart."""
    apart = np.sqrt(columns)

    def information(x):
        s = SIGNAL * norm.pdf(x)
        return s**2 / (mu * s + BACKGROUND * norm.pdf(x - apart))

    return 1 / np.sqrt(integrate.quad(information, -10, 10)[0])


def test_points_that_are_none_are_refused(tmp_path):
    (tmp_path / "card.yaml").write_text(CARD)
    loaded = load_card(tmp_path)
    assert parse_point("mu=1.5, nu = 0.2", loaded) == {"mu": 1.5, "nu": 0.2}
    assert parse_point("", loaded) == {}
    for text, code, words in (
        ("mu", "plan-point", "mu=1.5,nu=0.2"),
        ("mu=x", "plan-point", "mu=x"),
        ("mu=7", "plan-point", "inside its range [0, 6]"),
        ("mew=1", "card-parameter-unknown", "there are mu, nu"),
    ):
        with refused(code, words):
            parse_point(text, loaded)


@pytest.mark.slow
def test_expected_errors_are_those_of_the_densities(tmp_path):
    assert exact_error(1, 2) == pytest.approx(0.3293, abs=1e-4)
    place = write_mixture(tmp_path / "card", n=6000)
    text = CARD.replace("epochs: 6", "epochs: 8").replace("data: data.npz\n", "")
    first, last = text.index("    responses:"), text.index("network:")
    text = text[:first] + text[last:]
    (place / "card.yaml").write_text(text.replace("  nu: {low: -2, high: 2, measured: {error: 1}}\n", ""))
    found = json.loads(call("plan", place, "--at", "mu=1", "--at", "mu=3", "--json").stdout)
    for point, mu in zip(found["points"], (1, 3), strict=True):
        assert point["at"]["mu"] == mu
        assert point["errors"]["mu"] == pytest.approx(exact_error(mu, 2), rel=0.06)
        assert 0 < point["ratio_errors"]["mu"] < point["errors"]["mu"]
    assert found["all_columns"]["mu"] == pytest.approx(exact_error(1, 2), rel=0.08)
    for column, other in (("x", "y"), ("y", "x")):
        row = found["columns"][column]
        assert row["alone"]["mu"] == pytest.approx(exact_error(1, 1), rel=0.08)
        assert row["without"] == found["columns"][other]["alone"]
    plan = read_plan(load_card(place))
    assert plan.points[0].information[0][0] == pytest.approx(found["points"][0]["errors"]["mu"] ** -2)
    page = (place / "plan.html").read_text()
    for words in ("Expected errors: mu = 1", "Expected errors: mu = 3", "Columns", "error of it alone"):
        assert words in page
