"""Cards: every fault is named with file, line, key and remedy, before anything runs."""

import jax
import pytest
from helpers import toyline
from helpers.faults import refused
from helpers.ownanalysis import own_card

from sbitune.generators.config import spell_key
from sbitune.tuning.card import load_card
from sbitune.tuning.surrogates.network.config import NetworkConfig
from sbitune.tuning.surrogates.network.fit import fit_network
from sbitune.tuning.surrogates.polynomial.fit import fit_polynomial
from sbitune.tuning.surrogates.polynomial.orders import choose_order
from sbitune.tuning.surrogates.rational.fit import fit_rational
from sbitune.tuning.surrogates.rational.orders import choose_orders
from sbitune.workflow.runs.checking import check
from sbitune.workflow.runs.scanning import make_scan
from sbitune.workflow.runs.tasks import design

FAULTS = [
    ("runs: 24", "rums: 24", "yaml-unknown-key", "card.yaml:10: ", "'scan.rums'", "'runs'"),
    ("title: toy", "titel: toy", "yaml-unknown-key", "card.yaml:2: ", "'titel'", "'title'"),
    ("title: toy", "title: toy\nseed: 4", "yaml-unknown-key", "card.yaml:3: ", "'seed'", "'scan.seed' or 'fit.seed'"),
    ("runs: 24", "runs: 24, toys: 5", "yaml-unknown-key", "card.yaml:10: ", "'scan.toys'", "'fit.toys'"),
    ("low: 0.5, ", "", "yaml-missing-key", "card.yaml:8: parameters.a: ", "`low`"),
    ("low: -1.0", "low: minus", "yaml-wrong-type", "card.yaml:9: parameters.b.low: ", "'minus'"),
    ("low: -1.0", "low: 2.0", "card-empty-range", "card.yaml:9: parameters.b: low 2 ", "high 1"),
    ("low: -1.0", "low: -.inf", "card-not-finite", "card.yaml:9: parameters.b.low: -inf "),
    ("low: -1.0", 'low: -1.0, unit: "a\\u200bb"', "name-odd-character", "card.yaml:9: parameters.b: "),
    (
        "low: -1.0",
        "low: 0.9999999999999999",
        "parameter-narrow-range",
        "card.yaml:9: parameters.b: ",
        "0.9999999999999999",
    ),
    ("runs: 24", "runs: 0", "yaml-outside-range", "card.yaml:10: scan.runs: ", ">= 1", "'0'"),
    ("runs: 24", "runs: 24, runs: 25", "yaml-repeated-key", "card.yaml:10: 'runs' ", "line 10"),
    ("runs: 24", "runs: [24", "yaml-syntax", "card.yaml:10: "),
    (
        "kind: command",
        "kind: comand",
        "yaml-unknown-value",
        "card.yaml:4: generator.kind: ",
        "'comand'",
        "pythia or command",
    ),
    ("order: 3", "ordr: 3", "yaml-unknown-key", "card.yaml:14: ", "'surrogate.ordr'", "'order'"),
    ("observables:\n  /TOY: 1", "fit: {}", "card-selection-missing", "card.yaml: "),
    ("/TOY: 1", "/TOY: 0", "selector-all-zero", "card.yaml:12: observables: "),
    ("/TOY: 1", "/TAY: 1", "selector-no-bin", "card.yaml:13: observables./TAY: ", "'/TAY'", "nearest", "/TOY"),
    ("/TOY: 1", "/TOY/d4: 1", "selector-no-bin", "'/TOY/d4'", "/TOY/d01", "/TOY/d02", "/TOY/d03"),
    ("/TOY: 1", "/TOY/d01#9: 1", "selector-no-bin", "'/TOY/d01' in these bins", "8 bins, from 0 to 1"),
    ("/TOY: 1", "/TOY[: 1", "pattern-unreadable", "card.yaml:13: observables./TOY[: ", "'/TOY['"),
    ("/TOY: 1", "(/TOY|/T.*)*: 1", "pattern-costly", "card.yaml:13: observables.(/TOY|/T.*)*: "),
    ("/TOY: 1", "/" + 1001 * "T" + ": 1", "pattern-too-long", "card.yaml:13: observables./T", " letters"),
    ("/TOY: 1", "/TOY#1@2: 1", "selector-unreadable", "card.yaml:13: observables./TOY#1@2: ", "'/TOY#1@2'"),
    ("/TOY: 1", "/TOY#3:1: 1", "selector-bad-interval", "card.yaml:13: observables./TOY#3:1: ", "'3:1'"),
    ("/TOY: 1", "/TOY: -1", "selector-bad-weight", "card.yaml:13: observables./TOY: ", "-1.0"),
    ("/TOY: 1", "/TOY: 1\nweights: w.dat", "card-selection-twice", "card.yaml:14: weights: "),
    ("observables:\n  /TOY: 1", "weights: w.dat", "file-unreadable", "card.yaml:12: weights: ", "w.dat"),
    ("[data.yoda]", "[data.yoda, nodata.yoda]", "reference-absent", "card.yaml:11: reference[1]: ", "nodata.yoda"),
    ("[data.yoda]", "[]", "card-reference-missing", "card.yaml:11: reference: "),
    (
        "{a} {b} {SEED}",
        "{a} {b} {SEEDS}",
        "template-unknown-name",
        "card.yaml:5: generator.command: {SEEDS} ",
        "a, b, SEED",
    ),
    ("{a} {b} {SEED}", "{a} {SEED}", "command-unused-parameter", "card.yaml:9: parameters.b: {b} "),
    ("{a} {b} {SEED}", "{{a}} {b} {SEED}", "template-bad-place", "card.yaml:5: generator.command: {{a}} "),
    ("  a: {low", "  SEED: {low", "command-reserved-name", "card.yaml:8: parameters.SEED: {SEED} "),
    (
        "output: out.yoda",
        "output: out.yoda\n  templates: [run.in]",
        "file-unreadable",
        "card.yaml:7: generator.templates[0]: ",
        "run.in",
    ),
    (
        "output: out.yoda",
        "output: out.yoda\n  templates: [generator.py, ../{here}/generator.py]",
        "command-overwritten-file",
        "card.yaml:7: generator.templates[1]: ",
        "generator.py",
    ),
    ("output: out.yoda", "output: /tmp/out.yoda", "command-output", "card.yaml:6: generator.output: '/tmp/out.yoda' "),
    ("title: toy", "title: toy\nfit: {fixed: {aa: 1}}", "card-parameter-unknown", "card.yaml:3: fit.fixed.aa: ", " a?"),
    ("title: toy", "title: toy\nfit: {fixed: {a: 3.0}}", "card-outside-range", "fit.fixed.a: 3 ", "[0.5, 2]"),
    ("title: toy", "title: toy\nfit: {limits: {a: [0.1, 1]}}", "card-outside-range", "fit.limits.a: [0.1, 1] "),
    (
        "title: toy",
        "title: toy\nfit: {limits: {a: [1, 0.6]}}",
        "card-empty-range",
        "card.yaml:3: fit.limits.a: 1 ",
        "0.6",
    ),
    ("title: toy", "title: toy\nfit: {fixed: {a: 1, b: 0}}", "card-all-fixed", "card.yaml:3: fit.fixed: "),
    (
        "title: toy",
        "title: toy\nfit:\n  theory_error: {/TOY: fitted}",
        "fit-theory-error",
        "card.yaml:4: fit.theory_error: ",
        "/TOY/d03",
        "such as `/TOY/d03: 0.05`",
    ),
    ("title: toy", "title: toy\nfit: {theory_error: {/TAY: 0.1}}", "fit-theory-error", "fit.theory_error: '/TAY' "),
    ("title: toy", "title: !new toy", "yaml-tag", "card.yaml:2: ", "!new"),
    ("title: toy", "title: 0x10", "yaml-ambiguous-number", "card.yaml:2: ", "0x10"),
    ("title: toy", "title: " + 101 * "1", "yaml-long-number", "card.yaml:2: ", "101"),
    ("title: toy", 'title: "a\\x07"', "yaml-odd-character", "card.yaml:2: ", r"'\x07'"),
    ("title: toy", "title: " + 40 * "[", "yaml-too-deep", "card.yaml:2: "),
    ("title: toy", "title: toy\nmany: [" + 50_001 * "1," + "]", "yaml-too-large", "card.yaml:3: ", "50000"),
    ("title: toy", "title: toy\n{a: 1}: 2", "yaml-bad-key", "card.yaml:3: "),
    ("title: toy", "title: &all [*all]", "yaml-recursive-alias", "card.yaml:2: "),
    ("title: toy", "title: 12", "yaml-wrong-type", "card.yaml:2: title: ", "'12'"),
    ("workers: 2", "workers: two", "yaml-wrong-type", "card.yaml:10: scan.workers: ", "'two'"),
    (
        "seed: 4",
        "seed: 4, design: sobool",
        "yaml-unknown-value",
        "card.yaml:10: scan.design: ",
        "'sobool'",
        " or sobol or ",
    ),
    ("order: 3", "order: cubic", "yaml-unknown-value", "card.yaml:14: surrogate.order: ", "'cubic'", "whole number"),
    ("/TOY: 1", "1: 1", "yaml-bad-key", "card.yaml:13: observables: "),
    ("title: toy", "title: toy\nfamily: 3", "card-family-unknown", "card.yaml:3: family: ", "'3'"),
    ("title: toy", "title: toy\nfamily: hunt", "card-family-other", "card.yaml:3: family: ", "'hunt'"),
    # a polynomial of order 3 in 2 parameters has binomial(5, 3) = 10 terms, and errors want one run more
    ("runs: 24", "runs: 10", "surrogate-too-few-runs", "card.yaml:10: scan.runs: ", " 11 runs", " 10;"),
]


@pytest.mark.parametrize(
    ("old", "new", "code", "parts"), [(old, new, code, parts) for old, new, code, *parts in FAULTS]
)
def test_faults_are_named(tmp_path, old, new, code, parts):
    toyline.make(tmp_path)
    toyline.edit(tmp_path, old, new.replace("{here}", tmp_path.name))
    with refused(code, *parts):
        check(load_card(tmp_path))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["card.yaml", "data.yoda", "generator.py"]


ENOUGH = [
    ("{kind: polynomial, order: 3}", 11),
    ("{kind: polynomial, order: 0}", 2),
    # of 5 runs in 5 folds 4 are fitted at a time: one more than the 3 terms of the first order
    ("{kind: polynomial, folds: 5}", 5),
    # of 6 runs in 2 folds 3 are fitted at a time, of 7 at least 3, of 8 4
    ("{kind: polynomial, folds: 2}", 8),
    ("{kind: polynomial, max_order: 0}", 5),
    ("{kind: network, folds: 7}", 14),
    # numerator and denominator of 2 parameters: 10 + 3 terms, of which one is 1 by convention
    ("{kind: rational, numerator: 3, denominator: 1}", 13),
    ("{kind: rational, numerator: 0, denominator: 0}", 2),
    # of 8 runs in 3 folds 5 are fitted at a time, of 9 6: one more than the 5 terms of the orders 1/1
    ("{kind: rational}", 9),
    # 3 + 6 - 1 = 8 terms of the orders 1/2: of 12 runs in 4 folds 9 are fitted at a time
    ("{kind: rational, denominator: 2, folds: 4}", 12),
]


@pytest.mark.parametrize(("surrogate", "needed"), ENOUGH)
def test_runs_must_be_enough_for_the_surrogate(tmp_path, surrogate, needed):
    toyline.make(tmp_path)
    toyline.edit(tmp_path, "{kind: polynomial, order: 3}", surrogate)
    toyline.edit(tmp_path, "runs: 24", f"runs: {needed}")
    check(load_card(tmp_path))
    toyline.edit(tmp_path, f"runs: {needed}", f"runs: {needed - 1}")
    with refused("surrogate-too-few-runs", "card.yaml:10: scan.runs: ", f" {needed} runs", "raise scan.runs"):
        check(load_card(tmp_path))


def test_too_few_runs_are_what_the_surrogate_itself_refuses(tmp_path):
    """The count before the scan is that of the training: neither refuses what the other takes."""
    loaded = toyline.make(tmp_path, runs=11)
    scan = make_scan(loaded)
    assert fit_polynomial(scan, 3).ndf == 1
    with refused("surrogate-too-few-runs", " 11 runs"):
        fit_polynomial(scan.take_runs(scan.runs[:10]), 3)
    with refused("surrogate-too-few-runs", " 14 runs"):
        fit_network(jax.random.key(1), scan, NetworkConfig(folds=7))
    assert fit_rational(scan.take_runs(scan.runs[:9]), 2, 1).order == (2, 1)
    with refused("surrogate-too-few-runs", " 9 runs"):
        fit_rational(scan.take_runs(scan.runs[:8]), 2, 1)
    assert choose_orders(scan.take_runs(scan.runs[:9]), "auto", "auto", 1).scores[0].n_terms == 5
    with refused("surrogate-too-few-runs", "8 runs in 3 folds"):
        choose_orders(scan.take_runs(scan.runs[:8]), "auto", "auto", 1)
    assert choose_order(scan.take_runs(scan.runs[:5]), 1, 1, folds=5).scores[-1].order == 1
    assert choose_order(scan.take_runs(scan.runs[:7]), 1, 1, folds=2).scores[-1].order == 0


def test_denominators_that_cannot_be_shown_to_be_positive_are_refused_before_the_scan(tmp_path):
    toyline.make(tmp_path)
    toyline.edit(tmp_path, "{kind: polynomial, order: 3}", "{kind: rational, numerator: 1, denominator: 100}")
    toyline.edit(tmp_path, "runs: 24", "runs: 9000")
    with refused("surrogate-denominator", " order 100 in 2 parameters"):
        check(load_card(tmp_path))


def test_places_are_those_of_the_file(tmp_path):
    loaded = toyline.make(tmp_path)
    lines = loaded.path.read_text().splitlines()
    for steps, word in [
        (("scan", "runs"), "scan"),
        (("parameters", "b", "low"), "b:"),
        (("reference", 0), "data.yoda"),
    ]:
        file, line, key = loaded.place(*steps).split(":")
        assert file == str(loaded.path)
        assert word in lines[int(line) - 1]
        assert key.strip() == spell_key(*steps)
    # what is not there has the line of its section; what has none, the file
    assert loaded.place("scan", "workers", "x").endswith("card.yaml:10: scan.workers.x")
    assert loaded.place("fit", "starts") == f"{loaded.path}: fit.starts"


def test_dates_are_text(tmp_path):
    toyline.make(tmp_path)
    toyline.edit(tmp_path, "title: toy", "title: 2026-13-40")
    assert load_card(tmp_path).card.title == "2026-13-40"


def test_no_card(tmp_path):
    with refused("card-absent", "nowhere"):
        load_card(tmp_path / "nowhere")
    (tmp_path / "card.yaml").write_text("")
    with refused("yaml-empty", "card.yaml"):
        load_card(tmp_path)


def test_exponents_are_numbers(tmp_path):
    toyline.make(tmp_path)
    toyline.edit(tmp_path, "low: 0.5", "low: 5e-1")
    assert load_card(tmp_path).card.parameters["a"].low == 0.5


def test_the_design_lies_in_the_box(tmp_path):
    loaded = toyline.make(tmp_path)
    theta = design(loaded)
    assert theta.shape == (24, 2)
    assert (theta.min(0) >= [0.5, -1.0]).all()
    assert (theta.max(0) <= [2.0, 1.0]).all()


ALEPH = "observables./ALEPH_1996_S3486095"
PYTHIA_FAULTS = [
    (
        "StringZ:aLund: {low: 0.3",
        "StringZ:aLundd: {low: 0.3",
        "pythia-unknown-setting",
        "card.yaml:25: parameters.StringZ:aLundd: ",
        "did you mean StringZ:aLund,",
    ),
    (
        "{low: 0.3, high: 1.1}",
        "{low: 0.3, high: 2.1}",
        "pythia-outside-range",
        "card.yaml:25: ",
        "aLund.high: ",
        "[0, 2]",
    ),
    (
        "{low: 0.3, high: 1.1}",
        "{low: 0.3, high: 1.1, default: 3}",
        "pythia-outside-range",
        "card.yaml:25: parameters.StringZ:aLund.default: StringZ:aLund = 3 ",
        "[0, 2]",
    ),
    (
        "Beams:eCM = 91.2",
        "Beams:eCMS = 91.2",
        "pythia-unknown-setting",
        "card.yaml:10: generator.settings[2]: ",
        "'Beams:eCMS'",
    ),
    ("Beams:eCM = 91.2", "Beams:eCM", "pythia-bad-line", "card.yaml:10: generator.settings[2]: ", "'Beams:eCM'"),
    ("Beams:eCM = 91.2", "Beams:eCM = 91,2", "pythia-bad-value", "card.yaml:10: generator.settings[2]: ", "'91,2'"),
    (
        "Beams:eCM = 91.2",
        "Random:seed = 4",
        "pythia-refused-line",
        "card.yaml:10: generator.settings[2]: ",
        "scan.seed",
    ),
    ("Beams:eCM = 91.2", '"Beams:eCM = 91.2\\na"', "card-setting-lines", "card.yaml:10: generator.settings[2]: "),
    ("  StringZ:aLund: {", "  Main:numberOfEvents: {", "pythia-not-varied", "parameters.Main:numberOfEvents: "),
    (
        "  StringZ:aLund: {",
        "  stringz:alund: {low: 0.3, high: 1.1}\n  StringZ:aLund: {",
        "pythia-repeated-setting",
        "card.yaml:26: parameters.StringZ:aLund: ",
        "stringz:alund",
    ),
    (
        "    - DELPHI_1996_S3430090\n    -",
        "    - DELFI_1996_S3430090\n    -",
        "analysis-unknown",
        "card.yaml:17: generator.analyses[1]: ",
        "'DELFI_1996_S3430090'; did you mean DELPHI_1996_S3430090? Available: ALEPH",
    ),
    (
        "    - PDG_HADRON_MULTIPLICITIES\n\n",
        "\n",
        "selector-not-filled",
        "card.yaml:56: observables./PDG_HADRON_MULTIPLICITIES/d01-x01-y03: ",
        "add PDG_HADRON_MULTIPLICITIES to generator.analyses",
    ),
    (
        "  - PDG_HADRON_MULTIPLICITIES\n\n# sel",
        "\n# sel",
        "selector-no-bin",
        "card.yaml:56: ",
        "the analyses fill /PDG_HADRON_MULTIPLICITIES/d01",
    ),
    # beams and energy
    (
        "Beams:eCM = 91.2",
        "Beams:eCM = 200",
        "analysis-other-beams",
        "card.yaml:16: generator.analyses[0]: ",
        " 200 GeV",
        "change Beams:idA",
    ),
    ("Beams:idB = -11", "Beams:idB = 11", "analysis-other-beams", "generator.analyses[0]: ", "e- e-"),
    (
        "    - Beams:eCM = 91.2",
        "    - Beams:frameType = 2\n    - Beams:eA = 60\n    - Beams:eB = 60",
        "analysis-other-beams",
        "card.yaml:18: generator.analyses[0]: ",
        " 120 GeV",
    ),
    (
        "  StringZ:aLund: {low: 0.3, high: 1.1}",
        "  Beams:eCM: {low: 91, high: 93}",
        "analysis-other-beams",
        "generator.analyses[0]: ",
        " 93 GeV",
    ),
    # what the analyses do not book
    (
        "  /ALEPH_1996_S3486095/d18-x01-y01: 1",
        "  /ALEPH_1996_S3486095/d13-x01-y01: 1",
        "selector-not-filled",
        f"card.yaml:50: {ALEPH}/d13-x01-y01: ",
        "/d13-x01-y01 at 91.2 GeV; ",
        "nearest observables are /ALEPH_1996_S3486095/d1",
    ),
    (
        "  /ALEPH_1996_S3486095/d18-x01-y01: 1",
        "  /ALEPH_1996_S3486095/d18-x01-y02: 1",
        "selector-no-bin",
        f"card.yaml:50: {ALEPH}/d18-x01-y02: ",
        "nearest observables are /ALEPH_1996_S3486095/d18-x01-y01",
    ),
    (
        "  /PDG_HADRON_MULTIPLICITIES/d01-x01-y03: 1",
        "  /PDG_HADRON_MULTIPLICITIES/d01-x01: 1",
        "selector-not-filled",
        "card.yaml:57: ",
        "/d01-x01-y01 (and 2 others that are selected) at 91.2 GeV; ",
        "nearest observables are /PDG_HADRON_MULTIPLICITIES/d01-x01-y03",
    ),
    (
        "  /ALEPH_1996_S3486095/d18-x01-y01: 1",
        "  /ALEPH_1996_S3486095/d18-x01-y01@100:200: 1",
        "selector-no-bin",
        "card.yaml:50: ",
        " in these bins; /ALEPH_1996_S3486095/d18-x01-y01 has 26 bins, from 3 ",
    ),
]


@pytest.mark.parametrize(
    ("old", "new", "code", "parts"), [(old, new, code, parts) for old, new, code, *parts in PYTHIA_FAULTS]
)
def test_faults_of_a_pythia_card(tmp_path, lep_card, old, new, code, parts):
    text = lep_card.read_text()
    assert old in text
    (tmp_path / "card.yaml").write_text(text.replace(old, new))
    with refused(code, *parts):
        check(load_card(tmp_path))


def test_the_cards_of_the_project_are_sound(lep_card):
    for path in lep_card.parents[1].glob("*/card.yaml"):
        parameters, _ = check(load_card(path))
        assert len(parameters) >= 5
        assert all(p.default is not None for p in parameters)


SCAN = "runs: 24, events: 100, seed: 4, workers: 2"
RUN_FAULTS = [
    ("runs: 24, ", "", "card-scan-size-missing", "scan.runs: "),
    ("events: 100, seed", "seed", "card-scan-size-missing", "scan.events: "),
    (SCAN, "directory: nowhere", "scan-absent", "card.yaml:10: scan.directory: ", "nowhere"),
    (SCAN, "directory: .", "card-own-directory", "card.yaml:10: scan.directory: "),
    (SCAN, "directory: generator.py", "scan-unknown-format", "card.yaml:10: scan.directory: ", "generator.py"),
    (SCAN, "directory: nowhere, runs: 3", "card-scan-made-and-read", "card.yaml:10: scan: "),
    (SCAN, "directory: nowhere, extra: points.txt", "card-extra-points", "card.yaml:10: scan.extra: "),
    ("seed: 4", "seed: 4, design: grid", "design-grid-runs", "card.yaml:10: scan.design: ", "24 is none, 25 is"),
    ("low: -1.0,", "low: -1.0, bias: log(x),", "design-bad-bias", "card.yaml:9: parameters.b.bias: 'log(x)' "),
]


def test_booked_bins_are_compared_with_the_measured_ones(tmp_path, lep_card):
    check(own_card(tmp_path, lep_card, [0, 0.1, 0.2, 0.3], "/MINE/h"))
    # a part of the measured bins, and bins that no selected rule asks for
    check(own_card(tmp_path, lep_card, [0, 0.1, 0.2, 0.3, 0.4], "/MINE/h#0:3"))
    with refused("selector-not-filled", "/MINE/h: ", " [0.3, 0.4] ", "3 bins, from 0 to 0.3; "):
        check(own_card(tmp_path, lep_card, [0, 0.1, 0.2, 0.3, 0.4], "/MINE/h"))
    with refused("selector-not-filled", "/MINE/h: ", " [0, 0.15] "):
        check(own_card(tmp_path, lep_card, [0, 0.15, 0.3], "/MINE/h"))
    # fewer measured bins than booked: the run's bins would find no value
    with refused("selector-not-measured", " [0.2, 0.3] ", "2 bins"):
        check(own_card(tmp_path, lep_card, [0, 0.1, 0.2], "/MINE/h"))
    with refused("selector-not-measured", "observable /MINE/extra: "):
        check(own_card(tmp_path, lep_card, [0, 0.1, 0.2, 0.3], "/MINE"))
    # what only finishing makes is not known before the first event
    check(own_card(tmp_path, lep_card, [0, 1], "/MINE/mean", name="mean"))
    assert sorted(p.name for p in tmp_path.iterdir() if p.name != "__pycache__") == [
        "card.yaml",
        "mine.py",
        "mine.yoda",
    ]


def test_tunes_of_pythia_are_the_values_before_tuning(tmp_path, lep_card):
    # 3: the tune of 2009 by Hoeth, aLund 0.3 and alphaSvalue 0.1383 in Pythia's manual, "Tunes"
    text = lep_card.read_text().replace("- PDF:lepton = off", "- PDF:lepton = off\n    - Tune:ee = 3")
    (tmp_path / "card.yaml").write_text(text)
    before = {p.name: p.default for p in check(load_card(tmp_path))[0]}
    assert (before["StringZ:aLund"], before["TimeShower:alphaSvalue"]) == (0.3, 0.1383)


@pytest.mark.parametrize(
    ("old", "new", "code", "parts"), [(old, new, code, parts) for old, new, code, *parts in RUN_FAULTS]
)
def test_a_scan_is_made_or_read(tmp_path, old, new, code, parts):
    toyline.make(tmp_path)
    toyline.edit(tmp_path, old, new)
    with refused(code, *parts):
        make_scan(load_card(tmp_path))


def test_codes_of_faults_that_need_files_or_sections_taken_away(tmp_path, lep_card):
    loaded = toyline.make(tmp_path)
    text = loaded.path.read_text()
    generator = text[text.index("generator:") : text.index("parameters:")]
    parameters = text[text.index("parameters:") : text.index("scan:")]
    for taken, code in ((generator, "card-generator-missing"), (parameters, "card-parameters-missing")):
        loaded.path.write_text(text.replace(taken, ""))
        with refused(code, "card.yaml"):
            load_card(tmp_path)
    loaded.path.write_text(text.replace("  a: {", "  '': {"))
    with refused("card-parameter-unnamed", "card.yaml:7: parameters: "):
        load_card(tmp_path)
    lep = lep_card.read_text()
    analyses = lep[lep.index("  analyses:") : lep.index("parameters:")]
    loaded.path.write_text(lep.replace(analyses, "  analyses: []\n"))
    with refused("card-analyses-missing", "generator.analyses: "):
        load_card(tmp_path)
    loaded.path.write_text(lep.replace("  analyses:", "  analysis_files: [mine.py]\n  analyses:"))
    with refused("analysis-file", "generator.analysis_files[0]: ", "mine.py"):
        check(load_card(tmp_path))
    (tmp_path / "points.txt").write_text("a c\n1 0\n")
    loaded.path.write_text(text.replace("runs: 24", "runs: 24, extra: points.txt"))
    with refused("card-extra-points", "points.txt: ", "a, c"):
        check(load_card(tmp_path))
    loaded.path.write_bytes(b"\xff\xfe\x80")
    with refused("file-not-text", "card.yaml"):
        load_card(tmp_path)
