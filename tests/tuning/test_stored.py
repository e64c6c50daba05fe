"""Cards that name a surrogate's file: the same tune as from the scan that it was learnt from, without a run of it."""

import json
import shutil

import numpy as np
import pytest
from helpers import toyline
from helpers.calling import call
from helpers.faults import refused

from sbitune.report.tune.write import write_report
from sbitune.tuning.card import load_card
from sbitune.tuning.inverse.config import InverseConfig
from sbitune.tuning.inverse.stage import invert
from sbitune.tuning.stages.fitstage import fit_stage
from sbitune.tuning.stages.fitted import read_fitted
from sbitune.tuning.stages.pipeline import tune
from sbitune.tuning.stages.scans import stored_scan
from sbitune.tuning.stages.training import surrogate_stage
from sbitune.tuning.studies.refitting import bootstrap
from sbitune.tuning.studies.sequential import propose_next
from sbitune.tuning.tools.models import open_model, run_names_at
from sbitune.workflow.runs.scanning import load_scan, make_scan

#: what a card has less and more, whose surrogate is a file
SCAN = "scan: {runs: 24, events: 100, seed: 4, workers: 2}\n"
PARAMETERS = """parameters:
  a: {low: 0.5, high: 2.0, default: 1.0}
  b: {low: -1.0, high: 1.0, default: 0.0}
"""
KIND = "{kind: polynomial, order: 3}"


def name_file(directory, path):
    for old in (SCAN, PARAMETERS):
        toyline.edit(directory, old, "")
    toyline.edit(directory, KIND, f"{{kind: file, path: {path}}}")
    return load_card(directory)


@pytest.fixture(scope="module")
def learnt(tmp_path_factory):
    """A card with its scan, its tune, and its surrogate in both formats."""
    directory = tmp_path_factory.mktemp("learnt") / "toy"
    fitted = tune(toyline.make(directory))
    call("convert", directory / "work/surrogate.npz", directory / "ipol.dat")
    return fitted


@pytest.fixture
def copied(learnt, tmp_path):
    """The card and the surrogates alone."""
    for name in ("card.yaml", "generator.py", "data.yoda", "ipol.dat"):
        shutil.copy(learnt.loaded.directory / name, tmp_path)
    shutil.copy(learnt.loaded.work / "surrogate.npz", tmp_path / "s.npz")
    return tmp_path


def test_a_tune_with_the_file_is_that_with_the_scan(learnt, copied):
    loaded = name_file(copied, "s.npz")
    fitted = tune(loaded)
    for name, p in learnt.record.parameters.items():
        again = fitted.record.parameters[name]
        assert again.value == pytest.approx(p.value, abs=1e-4 * p.error)
        assert (again.error, again.minos) == (pytest.approx(p.error, rel=1e-3), pytest.approx(p.minos, rel=1e-3))
        assert (again.low, again.high, again.default) == (p.low, p.high, p.default)
    assert fitted.record.chi2 == pytest.approx(learnt.record.chi2, rel=1e-4)
    # the generator was run at the tune and before it, and nowhere else
    assert fitted.record.validation.chi2_default > fitted.record.validation.chi2_tuned
    assert not (loaded.work / "scan").exists()
    assert fitted.record.surrogate["file"] == "s.npz"
    page = write_report(fitted).read_text()
    assert "Scan: none; the surrogate was read from s.npz." in page
    again = read_fitted(loaded)
    assert again.record == fitted.record
    np.testing.assert_array_equal(again.matched.measured.indices, fitted.matched.measured.indices)
    assert open_model(copied).model.parameters == learnt.surrogate.parameters


@pytest.mark.slow
def test_an_ipol_is_fitted_with_all_that_a_card_can_ask_for(learnt, copied):
    toyline.edit(copied, "validation:", "fit: {toys: 0, minos: false, limits: {a: [0.9, 1.9]}}\nvalidation:")
    loaded = name_file(copied, "ipol.dat")
    scan = stored_scan(loaded)
    plain = fit_stage(loaded, scan, surrogate_stage(loaded, scan)).record
    assert (plain.surrogate["kind"], plain.surrogate["order"]) == ("ipol", 3)
    for name, p in learnt.record.parameters.items():
        # its polynomials are those of the surrogate, its errors no longer shared between bins
        assert plain.parameters[name].value == pytest.approx(p.value, abs=0.1 * p.error)
        assert plain.parameters[name].error == pytest.approx(p.error, rel=0.05)
    toyline.edit(copied, "toys: 0,", "toys: 0, theory_error: {/TOY: 0.1},")
    robust = load_card(copied)
    wider = fit_stage(robust, scan, surrogate_stage(robust, scan)).record
    assert all(wider.parameters[name].error > plain.parameters[name].error for name in "ab")
    said = json.loads(call("fit", copied, "--json").stdout)
    assert said["parameters"]["a"]["value"] == pytest.approx(wider.parameters["a"].value)
    assert open_model(copied).runs == learnt.scan.runs  # the file tells of which runs it is


def test_what_needs_runs_says_that_there_are_none(copied):
    toyline.edit(copied, "validation:", "fit: {toys: 0, minos: false}\nvalidation:")
    loaded = name_file(copied, "s.npz")
    scan = stored_scan(loaded)
    fitted = fit_stage(loaded, scan, surrogate_stage(loaded, scan))
    needing = (
        lambda: make_scan(loaded),
        lambda: load_scan(copied),
        lambda: run_names_at(copied),
        lambda: bootstrap(1, fitted, "runs", 3),
        lambda: propose_next(fitted, 2, 1),
        lambda: invert(1, fitted, InverseConfig()),
    )
    for call_it in needing:
        with refused("card-without-scan", "card.yaml:10: surrogate.path: "):
            call_it()


FAULTS = [
    ("path: s.npz", "path: t.npz", "file-absent", "card.yaml:10: surrogate.path: ", "t.npz"),
    ("path: s.npz", "path: data.yoda", "surrogate-file", "card.yaml:10: surrogate.path: ", "data.yoda"),
    ("path: s.npz", "path: s.npz, order: 3", "yaml-unknown-key", "card.yaml:10: ", "'surrogate.order'"),
    ("path: s.npz", "file: s.npz", "yaml-unknown-key", "card.yaml:10: ", "'surrogate.file'"),
    ("title: toy", "title: toy\nscan: {runs: 24}", "card-surrogate-stored", "card.yaml:3: scan.runs: "),
    ("title: toy", "title: toy\nscan: {directory: x}", "card-surrogate-stored", "card.yaml:3: scan.directory: "),
    ("title: toy", "title: toy\n" + PARAMETERS, "card-surrogate-stored", "card.yaml:3: parameters: "),
    ("{a} {b} {SEED}", "{a} {b} {SEEDS}", "template-unknown-name", "card.yaml:5: generator.command: {SEEDS} ", "a, b"),
    ("{a} {b}", "{a}", "command-unused-parameter", "card.yaml:10: surrogate.path: its parameter b: {b} "),
]


@pytest.mark.parametrize(
    ("old", "new", "code", "parts"), [(old, new, code, parts) for old, new, code, *parts in FAULTS]
)
def test_faults_are_named(copied, old, new, code, parts):
    name_file(copied, "s.npz")
    toyline.edit(copied, old, new)
    with refused(code, *parts):
        tune(load_card(copied))
    assert not (copied / "work").exists()


def test_a_card_without_scan_and_without_a_file_is_told_what_to_give(tmp_path):
    toyline.make(tmp_path)
    toyline.edit(tmp_path, SCAN, "")
    with refused("card-scan-size-missing", "scan.runs: "):
        load_card(tmp_path)
