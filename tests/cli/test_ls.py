"""`sbitune ls`: what there is, with titles, and what may stand in a card."""

import json
import re
from pathlib import Path
from typing import get_args

import toyline
from calling import call
from conftest import ROOT

from sbitune.data import yoda
from sbitune.tuning.card import Card
from sbitune.tuning.surrogates.config import SurrogateConfig

DATA = Path(__file__).resolve().parents[1] / "data"


def test_ls_shows_titles(tmp_path):
    toyline.make(tmp_path, runs=12)
    call("scan", tmp_path)
    rivet = json.loads(call("ls", DATA / "lep91_200.rivet317.yoda.gz", "--json").stdout)["objects"]
    assert rivet["/ALEPH_1996_S3486095/d01-x01-y01"] == "Histo1D, Sphericity, $S$ (charged)"
    one = json.loads(call("ls", "ALEPH_1996_S3486095", "d18", "--json").stdout)
    assert "Phys. Rept. 294" in one["citation"]
    assert one["observables"]["/ALEPH_1996_S3486095/d18-x01-y01"].startswith("26 bins, ")
    # a card's own reference data have the first word
    data = list(yoda.read(tmp_path / "data.yoda").values())
    data[0].annotations["Title"] = "how it falls"
    yoda.write(tmp_path / "titled.yoda", data)
    (tmp_path / "card.yaml").write_text((tmp_path / "card.yaml").read_text().replace("data.yoda", "titled.yoda"))
    assert json.loads(call("ls", tmp_path, "--json").stdout)["observables"] == {
        "/TOY/d01": "8 bins, how it falls",
        "/TOY/d02": "8 bins",
        "/TOY/d03": "1 bin",
    }
    assert json.loads(call("ls", tmp_path / "titled.yoda", "--json").stdout)["objects"]["/REF/TOY/d01"] == (
        "Scatter, how it falls"
    )


def test_ls_card_describes_every_key_of_a_card():
    sections = json.loads(call("ls", "card", "--json").stdout)
    assert sections["card"]["title"] == "text, required. What is tuned to what, in one line."
    assert sections["scan"]["runs"].startswith("whole number >= 1, ")
    assert sections["scan"]["bad_runs"].startswith("`drop` or `stop`, default stop. What to do with a run that failed")
    assert sections["generator (kind: pythia)"]["kind"].startswith("`pythia`, required. Pythia 8 ")
    assert sections["parameters.NAME"]["unit"] == "text, default none. Unit for plots and tables."
    assert "[number, number]" in sections["fit"]["limits"]
    # every alternative that a card may choose, and a line for every key
    for kind in ("pythia", "command"):
        assert f"generator (kind: {kind})" in sections
    for config in get_args(SurrogateConfig):
        keys = sections[f"surrogate (kind: {config.__struct_config__.tag})"]
        assert set(keys) == {"kind", *config.__struct_fields__}
    assert set(sections["card"]) == set(Card.__struct_fields__)
    for keys in sections.values():
        for key, words in keys.items():
            assert re.search(r"\. \S.*\.$", words), f"{key}: {words}: no line of documentation under the field"
    # what the cards of the project use is described
    text = call("ls", "card").stdout
    for word in re.findall(r"^ *([a-z_]+):", (ROOT / "tunes/lep/card.yaml").read_text(), re.MULTILINE):
        assert f"  {word}: " in text


def test_ls_card_of_one_key():
    assert list(json.loads(call("ls", "card", "scan.time", "--json").stdout)) == ["scan"]
    assert "no key of a card has 'tme_limit'" in call("ls", "card", "tme_limit", code=2).stderr
