"""What stages leave is used again only for what it was made of; what is stale, damaged or another's is said."""

import fcntl
import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
import yaml
from helpers import toyline
from helpers.calling import call
from helpers.ears import Ears

from sbitune.data.errors import InputError
from sbitune.data.storage.sealed import read_sealed, write_sealed
from sbitune.report.tune.write import write_report
from sbitune.tuning.card import load_card
from sbitune.tuning.stages.comparison import validate_stage
from sbitune.tuning.stages.fitstage import fit_stage
from sbitune.tuning.stages.fitted import read_fitted
from sbitune.tuning.stages.pipeline import tune
from sbitune.tuning.stages.products import training_key
from sbitune.tuning.stages.scans import stored_scan
from sbitune.tuning.stages.training import train_stage
from sbitune.workflow.runs.scanning import make_scan, scan_at_hand

#: as few runs and as little work as a tune can do with
QUICK = "fit: {toys: 0, minos: false, starts: 2}\nvalidation:"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    directory = tmp_path_factory.mktemp("made") / "card"
    toyline.make(directory, runs=12)
    toyline.edit(directory, "order: 3", "order: 1")
    toyline.edit(directory, "validation:", QUICK)
    tune(load_card(directory))
    return directory


@pytest.fixture
def card(made, tmp_path):
    shutil.copytree(made, tmp_path / "card")
    return tmp_path / "card"


def again(directory, scan=None):
    """What is said when the surrogate is asked for."""
    loaded, ears = load_card(directory), Ears()
    train_stage(loaded, stored_scan(loaded) if scan is None else scan, ears)
    return [words for words in ears.words if "again" in words]


def value(directory):
    return yaml.safe_load((directory / "result.yaml").read_text())["parameters"]["a"]["value"]


def test_a_surrogate_belongs_to_every_number_of_its_scan(card):
    assert again(card) == []
    scan = stored_scan(load_card(card))
    other = replace(scan, correlation=0.9 * np.eye(len(scan.bins)) + 0.1)
    assert again(card, other) == ["the surrogate is trained again: the scan changed"]
    assert again(card, other) == []
    keys = {
        training_key(load_card(card), changed)["scan"]
        for changed in (
            scan,
            other,
            replace(scan, scaling=np.full(len(scan.bins), 1.1)),
            replace(scan, errors=1.01 * scan.errors),
            replace(scan, runs=tuple(f"other {run}" for run in scan.runs)),
        )
    }
    assert len(keys) == 5


@pytest.mark.slow
def test_a_surrogate_belongs_to_options_and_to_the_code_that_made_it(card):
    for old, new in (
        ("toys: 0,", "toys: 0, seed: 7,"),
        ("seed: 7,", "seed: 7, fixed: {a: 1.2},"),
        ("order: 1", "order: 1, components: false"),
    ):
        toyline.edit(card, old, new)
        said = "the surrogate is trained again: the card's `surrogate`, `fit.seed` or `fit.fixed` changed"
        assert again(card) == [said]
        assert again(card) == []
    note = card / "work/surrogate.json"
    for key, words in (("code", "the version of sbitune"), ("format", "the format of the file")):
        content = read_sealed(note, "note")
        content["made_of"][key] = "another"
        write_sealed(note, content)
        assert again(card) == [f"the surrogate is trained again: {words} changed"]
    note.write_text(json.dumps({"made_of": "9e107d9d372bb682", "about": {}}))  # as an older sbitune wrote it
    (words,) = again(card)
    assert "its content is not what this sbitune wrote" in words


@pytest.mark.slow
def test_the_surrogate_of_another_card_is_not_used(card, tmp_path):
    other = tmp_path / "other"
    toyline.make(other, a=0.8, runs=12)
    toyline.edit(other, "order: 3", "order: 1")
    toyline.edit(other, "seed: 4", "seed: 5")
    loaded = load_card(other)
    train_stage(loaded, make_scan(loaded))
    before = value(card)
    shutil.copy(other / "work/surrogate.npz", card / "work")
    said = call("report", card, code=2).stderr
    assert "surrogate.npz: not the surrogate that the fit was made with; run `sbitune fit" in said
    said = call("fit", card).stderr
    assert f"the surrogate is trained again: {card}/work/surrogate.npz is not what was trained" in said
    assert value(card) == before
    shutil.copy(other / "work/scan.npz", card / "work")
    assert "scan.npz: not the scan that was made; run `sbitune scan" in call("fit", card, code=2).stderr
    assert "not the scan that was made" in call("report", card, code=2).stderr


def test_a_report_believes_no_spoilt_result(card):
    result, fit = card / "result.yaml", card / "work/fit.npz"
    text = result.read_text()
    number = repr(value(card))
    assert number in text
    for spoilt, words in (
        (text.replace(number, repr(value(card) + 0.01)), "is not what sbitune wrote: it was changed or damaged"),
        (text[: text.rindex("\n#") + 1], "the result is not whole, its last line is missing"),
        ("", "the result is empty"),
    ):
        result.write_text(spoilt)
        said = call("report", card, code=2).stderr
        assert f"{result}: " in said
        assert words in said
        assert "run `sbitune fit" in said
    result.write_text(text)
    with np.load(fit) as stored:
        arrays = dict(stored)
    np.savez(fit, **(arrays | {"errors": 1.1 * arrays["errors"]}))  # as after a kill between two fits
    assert f"fit.npz: not of the fit in {result}; run `sbitune fit" in call("report", card, code=2).stderr


@pytest.mark.slow
def test_the_page_shows_the_runs_that_the_result_is_about(card):
    shutil.copy(card / "work/validation/default.yoda", card / "work/validation/tuned.yoda")
    said = call("report", card, code=2).stderr
    assert "tuned.yoda: missing, or not what the validation made; run `sbitune validate" in said
    call("validate", card)
    call("report", card)


def test_a_card_that_asks_for_another_scan(card):
    for old, new, key in (
        ("runs: 12", "runs: 14", "scan.runs"),
        ("events: 100, seed: 4", "events: 200, seed: 5", "scan.events and scan.seed"),
        ("{a} {b}", "{a}  {b}", "generator"),
    ):
        text = (card / "card.yaml").read_text()
        toyline.edit(card, old, new)
        said = call("fit", card, code=2).stderr
        assert f"scan.npz: the card asks for another scan, {key} changed; run `sbitune scan" in said
        (card / "card.yaml").write_text(text)
    toyline.edit(card, "workers: 2", "workers: 1")
    toyline.edit(card, "  /TOY: 1", "  /TOY: 2\n  /TOY/d03: 0")
    assert len(stored_scan(load_card(card)).bins) == 17  # fewer bins, other weights
    call("scan", card)
    toyline.edit(card, "\n  /TOY/d03: 0", "")
    assert "another scan, observables changed" in call("fit", card, code=2).stderr


@pytest.mark.slow
def test_a_scan_of_others_is_read_again_if_what_was_read_is_stale(made, tmp_path):
    (tmp_path / "card.yaml").write_text(
        f"title: theirs\nscan: {{directory: {made}/work/scan}}\nreference: [{made}/data.yoda]\n"
        "observables: {'/TOY/d0[12]': 1}\nsurrogate: {kind: polynomial, order: 1}\n"
    )
    loaded, ears = load_card(tmp_path), Ears()
    assert len(scan_at_hand(loaded, ears).bins) == 16
    toyline.edit(tmp_path, "d0[12]", "d0")
    assert len(scan_at_hand(load_card(tmp_path), ears).bins) == 17
    (tmp_path / "work/scan.npz").write_bytes(b"")
    assert len(scan_at_hand(load_card(tmp_path), ears).bins) == 17
    stale, damaged = [words for words in ears.words if words.startswith("the scan is read again: ")]
    assert "observables changed" in stale
    assert "scan.npz" in damaged


def as_of_old(card):
    """Take away what a card of the version before had not."""
    result = card / "result.yaml"
    text = result.read_text().replace("format: 2\n", "format: 1\n")
    lines = [
        line
        for line in text.splitlines()
        if not line.startswith(("# hash of", "  surrogate: ", "  fit: ", "  files: "))
    ]
    result.write_text("\n".join(lines) + "\n")
    content = json.loads((card / "work/findings.json").read_text())
    (card / "work/findings.json").write_text(json.dumps(content["findings"]))
    about = json.loads((card / "work/surrogate.json").read_text())["about"]
    (card / "work/surrogate.json").write_text(json.dumps({"made_of": "0123456789abcdef", "about": about}))
    for record in card.glob("work/*/*/run.json"):
        said = json.loads(record.read_text())
        record.write_text(json.dumps({key: said[key] for key in said if key not in ("files", "hash")}))


def test_cards_of_an_older_sbitune_go_on(card):
    write_report(read_fitted(load_card(card)))
    page, before = (card / "report.html").read_text(), value(card)
    as_of_old(card)
    call("report", card)
    hashes = re.compile(r"<tr><td>(surrogate|fit)</td><td>[0-9a-f]{16}</td></tr>\n?")
    assert (card / "report.html").read_text() == hashes.sub("", page)
    said = call("tune", card).stderr
    assert said.count("were made by an older sbitune, which kept no hashes") == 1
    assert "the surrogate is trained again" in said
    assert value(card) == before
    assert "older sbitune" not in call("tune", card).stderr


@pytest.mark.slow
def test_one_sbitune_at_a_time_works_on_a_card(card):
    with (card / "work/.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for command in ("fit", "scan", "validate"):
            assert f"another sbitune is at work on {card}/card.yaml" in call(command, card, code=2).stderr
        call("report", card)
    call("fit", card)


@pytest.mark.slow
def test_what_was_found_out_of_a_fit_is_not_written_to_another(card):
    loaded = load_card(card)
    before = read_fitted(loaded)
    toyline.edit(card, "toys: 0", "toys: 0, limits: {a: [1.31, 2.0]}")
    now = load_card(card)
    scan = stored_scan(now)
    after = fit_stage(now, scan, train_stage(now, scan))
    assert after.record.parameters != before.record.parameters
    with pytest.raises(InputError, match="fitted again meanwhile"):
        validate_stage(before)
    assert read_fitted(now).record == after.record
