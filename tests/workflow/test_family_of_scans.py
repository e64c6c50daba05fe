"""A method family whose cards have a scan: the commands that are about scans serve it as they serve a tune."""

import json
from typing import Any

import pytest
from helpers import toyline
from helpers.calling import call

from sbitune.workflow.cards.cardfile import read_card_file
from sbitune.workflow.cards.scancard import ScanCard, ScanCardFile, check_scan_card
from sbitune.workflow.families import FAMILIES, Family, register


class Card(ScanCard, forbid_unknown_fields=True, frozen=True, tag_field="family", tag="spread"):
    """How far the bins of a scan spread."""


def load_card(place: Any) -> ScanCardFile[Card]:
    loaded = read_card_file(place, Card, ScanCardFile, "spread")
    check_scan_card(loaded)
    return loaded


def summary(loaded: ScanCardFile[Card]) -> dict[str, Any]:
    return {"spread of": loaded.card.title}


@pytest.fixture(autouse=True)
def family():
    register(Family("spread", "how bins spread", f"{__name__}:Card", f"{__name__}:load_card", None))
    yield FAMILIES["spread"]
    del FAMILIES["spread"]


@pytest.fixture
def place(tmp_path):
    toyline.make(tmp_path, runs=12)
    text = (tmp_path / "card.yaml").read_text()
    kept = text.split("surrogate:")[0]  # what only tunes have
    (tmp_path / "card.yaml").write_text(f"family: spread\n{kept}")
    return tmp_path


def test_its_scan_is_listed_made_written_and_learnt_from(place, tmp_path, family, monkeypatch):
    asked = json.loads(call("ls", place, "--json").stdout)
    assert (asked["title"], asked["runs_to_make"], list(asked["parameters"])) == ("toy", 12, ["a", "b"])
    call("sample", place, "-o", tmp_path / "points")
    assert len(list((tmp_path / "points").glob("*/params.dat"))) == 12
    assert json.loads(call("scan", place, "--json").stdout)["runs"] == 12
    listed = json.loads(call("ls", place / "card.yaml", "--json").stdout)
    assert (listed["runs"], listed["observables"]["/TOY/d01"]["bins"]) == (12, 8)
    monkeypatch.setitem(FAMILIES, "spread", family._replace(summary=f"{__name__}:summary"))
    assert json.loads(call("ls", place, "--json").stdout) == listed | {"spread of": "toy"}
    call("convert", place, tmp_path / "scan.h5")
    assert json.loads(call("ls", tmp_path / "scan.h5", "--json").stdout)["runs"] == 12
    options = ("--kind", "polynomial", "--order", "1", "--per-bin", "-o", tmp_path / "s.npz")
    assert json.loads(call("train", place, *options, "--json").stdout)["runs"] == 12
    call("runcombs", place, "-n", "2", "--leave-out", "3", "-o", tmp_path / "runcombs.dat")
    assert "[card-without-verb]" in call("fit", place, code=2).stderr
