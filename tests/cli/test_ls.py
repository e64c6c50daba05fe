"""`sbitune ls`: what there is, with titles, and what may stand in a card."""

import json
import re
from pathlib import Path
from typing import get_args

from helpers import toyline
from helpers.calling import call
from helpers.places import ROOT

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
    assert one["observables"]["/ALEPH_1996_S3486095/d18-x01-y01"]["bins"] == 26
    # a card's own reference data have the first word
    data = list(yoda.read(tmp_path / "data.yoda").values())
    data[0].annotations["Title"] = "how it falls"
    yoda.write(tmp_path / "titled.yoda", data)
    (tmp_path / "card.yaml").write_text((tmp_path / "card.yaml").read_text().replace("data.yoda", "titled.yoda"))
    assert json.loads(call("ls", tmp_path, "--json").stdout)["observables"] == {
        "/TOY/d01": {"bins": 8, "title": "how it falls"},
        "/TOY/d02": {"bins": 8, "title": None},
        "/TOY/d03": {"bins": 1, "title": None},
    }
    assert "  /TOY/d01: 8 bins, how it falls\n  /TOY/d02: 8 bins\n  /TOY/d03: 1 bin\n" in call("ls", tmp_path).stdout
    assert json.loads(call("ls", tmp_path / "titled.yoda", "--json").stdout)["objects"]["/REF/TOY/d01"] == (
        "Scatter, how it falls"
    )


def test_ls_says_where_rivet_fills_something_else_than_was_measured():
    rows = json.loads(call("ls", "ATLAS_2010_S8894728", "--json").stdout)["observables"]
    noted = {path for path, row in rows.items() if "note" in row}
    assert noted == {f"/ATLAS_2010_S8894728/{table}-x01-y01" for table in ("d21", "d22")}
    text = call("ls", "ATLAS_2010_S8894728", "d21").stdout
    assert "(filled at the signed eta of the leading track as Rivet 3.1.7 does" in text
    assert "/ATLAS_2010_S8894728_ABSETA/d21-x01-y01 is filled at |eta|" in text
    assert "/ATLAS_2010_S8894728_ABSETA/d21-x01-y01: 50 bins" in call("ls", "ATLAS_2010_S8894728_ABSETA").stdout


def test_ls_card_describes_every_key_of_a_card():
    sections, text = json.loads(call("ls", "card", "--json").stdout), call("ls", "card").stdout
    assert "\n  title: text, required. What is done with which data, in one line.\n" in text
    assert "\n  runs: whole number >= 1, " in text
    assert "\n  bad_runs: `drop` or `stop`, default stop. What to do with a run that failed" in text
    assert "\n  kind: `pythia`, required. Pythia 8 " in text
    assert "\n  unit: text, default none. Unit for plots and tables.\n" in text
    assert "[number, number]" in sections["fit"]["limits"]["type"]
    # every alternative that a card may choose, and a line for every key
    for kind in ("pythia", "command"):
        assert f"generator (kind: {kind})" in sections
    for config in get_args(SurrogateConfig):
        keys = sections[f"surrogate (kind: {config.__struct_config__.tag})"]
        assert set(keys) == {"kind", *config.__struct_fields__}
    assert set(sections["card"]) == set(Card.__struct_fields__)
    for keys in sections.values():
        for key, words in keys.items():
            assert re.search(r"^\S.*\.$", words["text"]), f"{key}: {words}: no line of documentation under the field"
    # what the cards of the project use is described
    for word in re.findall(r"^ *([a-z_]+):", (ROOT / "tunes/lep/card.yaml").read_text(), re.MULTILINE):
        assert f"  {word}: " in text


def test_ls_card_gives_numbers():
    sections = json.loads(call("ls", "card", "--json").stdout)
    scan, auto = sections["scan"], sections["surrogate (kind: auto)"]
    about = scan["time_limit"]
    assert about.pop("text").startswith("Seconds after which")
    assert about == {
        "type": "number > 0, <= 8.64e+06", "required": False, "default": 3600.0, "low": 0, "high": 8_640_000,
        "excluded": ["low"],
    }  # fmt: skip
    assert (scan["runs"]["low"], scan["runs"]["high"], scan["runs"]["excluded"]) == (1, 100_000, [])
    assert (auto["holdout"]["low"], auto["holdout"]["high"], auto["holdout"]["excluded"]) == (0, 0.5, ["low", "high"])
    assert scan["seed"]["default"] == 1
    assert scan["design"]["default"] == "sobol"
    assert sections["card"]["title"]["required"] is True
    assert sections["card"]["surrogate"]["default"] == {"kind": "auto"}
    assert sections["fit"]["limits"]["default"] == {}


def test_ls_of_a_card_before_its_scan(tmp_path, lep_card):
    (tmp_path / "card.yaml").write_text(lep_card.read_text())
    listed = json.loads(call("ls", tmp_path, "--json").stdout)
    assert listed["runs_to_make"] == 128
    # the default is Pythia's own, after the card's settings
    assert listed["parameters"]["StringZ:aLund"] == {"low": 0.3, "high": 1.1, "default": 0.68}
    assert listed["observables"]["/ALEPH_1996_S3486095/d18-x01-y01"]["bins"] == 26
    assert sum(row["bins"] for row in listed["observables"].values()) == 235
    assert list(json.loads(call("ls", tmp_path, "d18", "--json").stdout)["observables"]) == [
        "/ALEPH_1996_S3486095/d18-x01-y01"
    ]
    assert [p.name for p in tmp_path.iterdir()] == ["card.yaml"]


def test_ls_of_a_card_of_an_existing_scan_and_of_a_surrogate(tmp_path):
    toyline.make(tmp_path / "toy", runs=12)
    call("scan", tmp_path / "toy")
    call("train", tmp_path / "toy/work/scan.npz", "--kind", "polynomial", "--order", "1", "-o", tmp_path / "s.npz")
    card = (
        (tmp_path / "toy/card.yaml")
        .read_text()
        .replace("[data.yoda]", "[../toy/data.yoda]")
        .replace("/TOY:", "/TOY/d02:")
    )
    for name, old, new in (
        ("theirs", "scan: {runs: 12, events: 100, seed: 4, workers: 2}", "scan: {directory: ../toy/work/scan}"),
        ("stored", "{kind: polynomial, order: 3}", "{kind: file, path: ../s.npz}"),
    ):
        (tmp_path / name).mkdir()
        text = card.replace(old, new)
        if name == "stored":
            lines = text.splitlines(keepends=True)
            text = "".join(line for line in lines if not re.match(r"scan|parameters|  [ab]: ", line))
        (tmp_path / name / "card.yaml").write_text(text)
        listed = json.loads(call("ls", tmp_path / name, "--json").stdout)
        assert list(listed["observables"]) == ["/TOY/d02"]
        assert list(listed["parameters"]) == ["a", "b"]
        assert listed.get("runs") == (12 if name == "theirs" else None)
        assert [p.name for p in (tmp_path / name).iterdir()] == ["card.yaml"]


def test_ls_of_an_ipol_tells_runs_only_where_it_knows_them(tmp_path):
    toyline.make(tmp_path, runs=12)
    call("scan", tmp_path)
    words = ("--kind", "polynomial", "--order", "1", "--per-bin")
    call("train", tmp_path / "work/scan.npz", *words, "-o", tmp_path / "s.npz")
    call("convert", tmp_path / "s.npz", tmp_path / "ipol.dat")
    assert json.loads(call("ls", tmp_path / "ipol.dat", "--json").stdout)["runs"] == 12
    text = (tmp_path / "ipol.dat").read_text()
    unknown = "".join(line for line in text.splitlines(keepends=True) if not re.match("Runs|NumInputs", line))
    assert unknown != text
    (tmp_path / "ipol.dat").write_text(unknown)
    assert "runs" not in json.loads(call("ls", tmp_path / "ipol.dat", "--json").stdout)


def test_ls_card_of_one_key():
    assert list(json.loads(call("ls", "card", "scan.time", "--json").stdout)) == ["scan"]
    assert "no key of a card has 'tme_limit'" in call("ls", "card", "tme_limit", code=2).stderr
