"""Limits, belts and impacts by their commands, of a family in twenty lines: a count beside a known background."""

import csv
import json
from typing import Any

import jax.numpy as jnp
import msgspec
import numpy as np
import pytest
from helpers.calling import call

from sbitune.data.parameter import Parameter
from sbitune.data.storage.files import hash_bytes
from sbitune.fitting.config import FitConfig
from sbitune.fitting.likelihood.product import Product
from sbitune.fitting.likelihood.terms.constraints import Constraint
from sbitune.fitting.likelihood.terms.counts import CountedBins
from sbitune.fitting.minimise.minimiser import fit
from sbitune.report.beside.hypotheses import hypothesis_sections
from sbitune.report.pieces.page import page
from sbitune.workflow.cards.cardfile import CardFile, read_card_file
from sbitune.workflow.families import FAMILIES, Family, register
from sbitune.workflow.opening import open_card


class Card(msgspec.Struct, forbid_unknown_fields=True, frozen=True, tag_field="family", tag="count"):
    """A count; with terms or without them."""

    seen: float
    terms: bool = True


def load_card(place: Any) -> CardFile[Card]:
    return read_card_file(place, Card, CardFile, "count")


def problem_of(card: Card) -> Product:
    """N events of which s and 10 + nu are expected, nu = 0 +- 1."""
    bins = CountedBins("bins", np.array([card.seen]), lambda p: jnp.stack([p["s"] + 10.0 + p["nu"]]))
    parameters = [Parameter("s", 0.0, 40.0, 5.0), Parameter("nu", -5.0, 5.0, 0.0)]
    return Product([bins, Constraint("nu", 0.0, 1.0)], parameters)


def fitted(loaded: CardFile[Card], reporter: Any) -> Any:
    if not loaded.card.terms:
        return object(), None
    problem = problem_of(loaded.card)
    best = fit(problem, FitConfig(starts=1, minos=False))
    return problem, best, {"card": hash_bytes(loaded.path.read_bytes())}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A card of the family, known as long as the tests run."""
    card = tmp_path_factory.mktemp("count") / "card.yaml"
    card.write_text("family: count\nseen: 16\n")
    here = __name__
    register(Family("count", "a count", f"{here}:Card", f"{here}:load_card", fitted=f"{here}:fitted"))
    yield card
    del FAMILIES["count"]


def figures(*words):
    return json.loads(call(*words, "--json").stdout)


def rows_of(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def sections(card) -> str:
    loaded = open_card(card)
    parts = hypothesis_sections(loaded, ("s", "nu"), {"card": hash_bytes(card.read_bytes())})
    return page("count", parts)


def test_impacts_of_a_count_are_exact(place, tmp_path):
    """The fit is s = n - 10 - nu: an error of 1 moves it by 1, and the count leaves its root."""
    found = figures("impacts", place, "s", "-o", tmp_path / "i.csv", "-o", tmp_path / "i.svg")
    assert (found["value"], found["error"]) == (pytest.approx(6, abs=1e-4), pytest.approx(17**0.5, rel=1e-5))
    assert found["statistical"] == pytest.approx(4, rel=1e-5)
    row = found["impacts"]["nu"]
    assert [row[key] for key in ("pull", "constraint", "down", "up")] == pytest.approx([0, 1, 1, -1], abs=1e-4)
    assert float(rows_of(tmp_path / "i.csv")[0]["shift"]) == pytest.approx(-1, abs=1e-5)
    assert (tmp_path / "i.svg").read_text().startswith("<svg")
    assert found["result"] == str(place.parent / "impacts.s.yaml")
    assert "the data alone leave ± 4." in sections(place)


def test_a_limit_is_where_cls_is_so(place, tmp_path):
    found = figures("limit", place, "s", "-o", tmp_path / "l.csv", "-o", tmp_path / "l.svg")
    expected = list(found["expected"].values())
    assert expected == sorted(expected)
    assert found["significance"] == pytest.approx(found["q0"] ** 0.5)
    assert found["expected_significance"] is not None
    rows = rows_of(tmp_path / "l.csv")
    at = [float(row["s"]) for row in rows]
    for column, where in (("CLs", found["limit"]), ("expected0", expected[2])):
        values = np.log([float(row[column]) for row in rows])
        assert np.exp(np.interp(where, at, values)) == pytest.approx(0.05, rel=0.05)
    said = sections(place)
    assert f"s &lt; {found['limit']:.4g} at 95 % (CLs), by the asymptotic formulae" in said


@pytest.mark.slow
def test_a_belt_holds_what_it_says(place, tmp_path):
    words = ("--points", 9, "--toys", 300, "--range", 0, 16, "-o", tmp_path / "b.csv", "-o", tmp_path / "b.svg")
    found = figures("neyman", place, "s", *words)
    ((low, high),) = found["intervals"]
    assert (low, high) == (pytest.approx(6 - 4.1, abs=1), pytest.approx(6 + 4.1, abs=1.5))
    rows = rows_of(tmp_path / "b.csv")
    assert [float(row["s"]) for row in rows] == list(range(0, 17, 2))
    assert all(float(row["accepted_low"]) <= float(row["s"]) <= float(row["accepted_high"]) for row in rows)
    assert "Confidence belt: s" in sections(place)
    text = place.read_text()
    place.write_text(text + "# another fit\n")
    assert "neyman.s.yaml beside the card is of another fit and is not shown" in sections(place)
    place.write_text(text)


@pytest.mark.slow
def test_a_limit_by_toys(place, tmp_path):
    """Toys fluctuate the count and the measurement: p0 is the share of sums over nu of Poisson tails."""
    found = figures("limit", place, "s", "--toys", 1500, "-o", tmp_path / "l.csv", "-o", tmp_path / "l.svg")
    asymptotic = figures("limit", place, "s")
    assert found["limit"] == pytest.approx(
        asymptotic["limit"], abs=4 * found["limit_error"] + 0.05 * asymptotic["limit"]
    )
    assert found["asymptotic_significance"] == pytest.approx(asymptotic["significance"])
    assert found["p0"] == pytest.approx(asymptotic["p0"], abs=0.03)
    assert found["toys"] == 1500
    assert all(row["CLs_error"] for row in rows_of(tmp_path / "l.csv"))
    far = tmp_path / "far"
    far.mkdir()
    (far / "card.yaml").write_text("family: count\nseen: 26\n")
    assert "p0 is an upper limit" in call("limit", far, "s", "--toys", 100).stderr


def test_what_cannot_be_tested_is_refused(place, tmp_path):
    assert "no free parameter" in call("limit", place, "t", code=2).stderr
    assert ".csv" in call("impacts", place, "s", "-o", tmp_path / "i.pdf", code=2).stderr
    (tmp_path / "card.yaml").write_text("family: count\nseen: 16\nterms: false\n")
    for verb in ("limit", "neyman", "impacts"):
        said = call(verb, tmp_path, "s", code=2).stderr
        assert "[card-without-terms]" in said
        assert f"`sbitune {verb}`" in said
