"""Cards: every fault is named with file, line, key and remedy, before anything runs."""

import pytest
import toyline

from sbitune.data.errors import InputError
from sbitune.tuning.card import load_card
from sbitune.tuning.scanning import check, design, make_scan

FAULTS = [
    ("runs: 24", "rums: 24", r"card.yaml:10: unknown key 'scan.rums'; did you mean 'runs'"),
    ("title: toy", "titel: toy", r"card.yaml:2: unknown key 'titel'; did you mean 'title'"),
    ("low: 0.5, ", "", r"card.yaml:8: parameters.a: .*missing required field `low`"),
    ("low: -1.0", "low: minus", r"card.yaml:9: parameters.b.low: Expected `float`, got `str`"),
    ("low: -1.0", "low: 2.0", r"parameters.b: low 2 is not below high 1"),
    ("runs: 24", "runs: 0", r"card.yaml:10: scan.runs: Expected `int` >= 1"),
    ("runs: 24", "runs: 24, runs: 25", r"card.yaml:10: 'runs' is given twice, first in line 10"),
    ("runs: 24", "runs: [24", r"not valid YAML"),
    ("kind: command", "kind: comand", r"card.yaml:4: generator.kind: Invalid value 'comand'"),
    ("order: 3", "ordr: 3", r"unknown key 'surrogate.ordr'; did you mean 'order'"),
    ("observables:\n  /TOY: 1", "fit: {}", r"give either observables or weights"),
    ("/TOY: 1", "/TOY: 0", r"every weight is 0"),
    ("/TOY: 1", "/TAY: 1", r"no bin matches '/TAY'"),
    ("[data.yoda]", "[nodata.yoda]", r"reference nodata.yoda: neither a file, a directory nor one of the embedded"),
    ("{a} {b} {SEED}", "{a} {b} {SEEDS}", r"generator.command: \{SEEDS\} names no parameter; there are a, b, SEED"),
    ("{a} {b} {SEED}", "{a} {SEED}", r"parameters.b: \{b\} stands neither in generator.command nor in a template"),
    ("output: out.yoda", "output: out.yoda\n  templates: [run.in]", r"run.in: No such file"),
    ("title: toy", "title: toy\nfit: {fixed: {c: 1.0}}", r"fit.fixed.c: no such parameter; there are a, b"),
]


@pytest.mark.parametrize(("old", "new", "message"), FAULTS)
def test_faults_are_named(tmp_path, old, new, message):
    toyline.make(tmp_path)
    toyline.edit(tmp_path, old, new)
    with pytest.raises(InputError, match=message):
        check(load_card(tmp_path))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["card.yaml", "data.yoda", "generator.py"]


def test_no_card(tmp_path):
    with pytest.raises(InputError, match="no such card"):
        load_card(tmp_path / "nowhere")
    (tmp_path / "card.yaml").write_text("")
    with pytest.raises(InputError, match="the card is empty"):
        load_card(tmp_path)


def test_exponents_are_numbers(tmp_path):
    toyline.make(tmp_path)
    toyline.edit(tmp_path, "low: 0.5", "low: 5e-1")
    assert load_card(tmp_path).card.parameters["a"].low == 0.5


def test_the_design_lies_in_the_box(tmp_path):
    loaded = toyline.make(tmp_path)
    theta = design(loaded.card)
    assert theta.shape == (24, 2)
    assert (theta.min(0) >= [0.5, -1.0]).all()
    assert (theta.max(0) <= [2.0, 1.0]).all()


PYTHIA_FAULTS = [
    (
        "StringZ:aLund: {low: 0.3",
        "StringZ:aLundd: {low: 0.3",
        r"no setting 'StringZ:aLundd'; did you mean StringZ:aLund",
    ),
    ("{low: 0.3, high: 1.1}", "{low: 0.3, high: 2.1}", r"outside Pythia's range \[0, 2\]"),
    ("Beams:eCM = 91.2", "Beams:eCMS = 91.2", r"generator.settings\[2\]: Pythia has no setting 'Beams:eCMS'"),
    ("    - DELPHI_1996_S3430090\n    -", "    - DELFI_1996_S3430090\n    -", r"there is no analysis 'DELFI_1996"),
    ("    - PDG_HADRON_MULTIPLICITIES\n\n", "\n", r"its analysis is not run; add PDG_HADRON_MULTIPLICITIES"),
    ("  - PDG_HADRON_MULTIPLICITIES\n\n# sel", "\n# sel", r"no bin matches '/PDG_HADRON_MULTIPLICITIES/d01"),
]


@pytest.mark.parametrize(("old", "new", "message"), PYTHIA_FAULTS)
def test_faults_of_a_pythia_card(tmp_path, lep_card, old, new, message):
    text = lep_card.read_text()
    assert old in text
    (tmp_path / "card.yaml").write_text(text.replace(old, new))
    with pytest.raises(InputError, match=message):
        check(load_card(tmp_path))


def test_the_cards_of_the_project_are_sound(lep_card):
    for path in lep_card.parents[1].glob("*/card.yaml"):
        parameters, _ = check(load_card(path))
        assert len(parameters) >= 5
        assert all(p.default is not None for p in parameters)


RUN_FAULTS = [
    ("runs: 24, ", "", r"scan.runs: give the number of runs, or an existing scan"),
    ("events: 100, seed", "seed", r"scan.events: give the number of events"),
    ("runs: 24, events: 100, seed: 4, workers: 2", "directory: nowhere", r"nowhere: no such file or directory"),
]


@pytest.mark.parametrize(("old", "new", "message"), RUN_FAULTS)
def test_a_scan_is_made_or_read(tmp_path, old, new, message):
    toyline.make(tmp_path)
    toyline.edit(tmp_path, old, new)
    with pytest.raises(InputError, match=message):
        make_scan(load_card(tmp_path))
