"""Cards: every fault is named with file, line, key and remedy, before anything runs."""

import jax
import numpy as np
import pytest
import toyline

from sbitune.data import yoda
from sbitune.data.errors import InputError
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
    ("runs: 24", "rums: 24", r"card.yaml:10: unknown key 'scan.rums'; did you mean 'runs'"),
    ("title: toy", "titel: toy", r"card.yaml:2: unknown key 'titel'; did you mean 'title'"),
    ("title: toy", "title: toy\nseed: 4", r"card.yaml:3: unknown key 'seed'; did you mean 'scan.seed' or 'fit.seed'"),
    ("runs: 24", "runs: 24, toys: 5", r"card.yaml:10: unknown key 'scan.toys'; did you mean 'fit.toys'"),
    ("low: 0.5, ", "", r"card.yaml:8: parameters.a: the key `low` is missing"),
    ("low: -1.0", "low: minus", r"card.yaml:9: parameters.b.low: Expected `number`, got `text`"),
    ("low: -1.0", "low: 2.0", r"card.yaml:9: parameters.b: low 2 is not below high 1"),
    ("low: -1.0", "low: -.inf", r"card.yaml:9: parameters.b.low: -inf is not a finite number"),
    ("runs: 24", "runs: 0", r"card.yaml:10: scan.runs: Expected `whole number` >= 1"),
    ("runs: 24", "runs: 24, runs: 25", r"card.yaml:10: 'runs' is given twice, first in line 10"),
    ("runs: 24", "runs: [24", r"not valid YAML"),
    ("kind: command", "kind: comand", r"card.yaml:4: generator.kind: Invalid value 'comand'; choose pythia or command"),
    ("order: 3", "ordr: 3", r"unknown key 'surrogate.ordr'; did you mean 'order'"),
    ("observables:\n  /TOY: 1", "fit: {}", r"give either observables or weights"),
    ("/TOY: 1", "/TOY: 0", r"card.yaml:12: observables: every weight is 0"),
    ("/TOY: 1", "/TAY: 1", r"card.yaml:13: observables./TAY: no measured bin matches '/TAY'; the nearest .* are /TOY"),
    ("/TOY: 1", "/TOY/d4: 1", r"matches '/TOY/d4'; the nearest observables are /TOY/d0\d, /TOY/d0\d, /TOY/d0\d"),
    ("/TOY: 1", "/TOY/d01#9: 1", r"no measured bin matches '/TOY/d01' in these bins; /TOY/d01 has 8 bins, from 0 to 1"),
    ("/TOY: 1", "/TOY: -1", r"card.yaml:13: observables./TOY: the weight of '/TOY' is -1.0"),
    ("/TOY: 1", "/TOY: 1\nweights: w.dat", r"card.yaml:14: weights: give either observables or weights, not both"),
    ("observables:\n  /TOY: 1", "weights: w.dat", r"card.yaml:12: weights: weight file .*w.dat: No such file"),
    (
        "[data.yoda]",
        "[data.yoda, nodata.yoda]",
        r"card.yaml:11: reference\[1\]: .*nodata.yoda is neither a file nor a directory, and there is no",
    ),
    ("[data.yoda]", "[]", r"card.yaml:11: reference: give the measured data"),
    (
        "{a} {b} {SEED}",
        "{a} {b} {SEEDS}",
        r"card.yaml:5: generator.command: \{SEEDS\} names no parameter; there are a, b, SEED",
    ),
    (
        "{a} {b} {SEED}",
        "{a} {SEED}",
        r"card.yaml:9: parameters.b: \{b\} stands neither in generator.command nor in a template",
    ),
    (
        "output: out.yoda",
        "output: out.yoda\n  templates: [run.in]",
        r"generator.templates\[0\]: .*run.in: No such file",
    ),
    (
        "output: out.yoda",
        "output: out.yoda\n  templates: [generator.py, ../{here}/generator.py]",
        r"card.yaml:7: generator.templates\[1\]: .* would overwrite generator.py",
    ),
    ("output: out.yoda", "output: /tmp/out.yoda", r"card.yaml:6: generator.output: '/tmp/out.yoda' must be the name"),
    ("title: toy", "title: toy\nfit: {fixed: {aa: 1}}", r"card.yaml:3: fit.fixed.aa: no such .* did you mean a\?"),
    ("title: toy", "title: toy\nfit: {fixed: {a: 3.0}}", r"fit.fixed.a: 3 is not inside .* range \[0.5, 2\]"),
    ("title: toy", "title: toy\nfit: {limits: {a: [0.1, 1]}}", r"fit.limits.a: \[0.1, 1\] is not inside"),
    ("title: toy", "title: toy\nfit: {limits: {a: [1, 0.6]}}", r"card.yaml:3: fit.limits.a: 1 is not below 0.6"),
    ("title: toy", "title: toy\nfit: {fixed: {a: 1, b: 0}}", r"card.yaml:3: fit.fixed: every parameter is fixed"),
    (
        "title: toy",
        "title: toy\nfit:\n  theory_error: {/TOY: fitted}",
        r"card.yaml:4: fit.theory_error: no error can be fitted to /TOY/d03: it has 1 bin .* such as `/TOY/d03: 0.05`",
    ),
    ("title: toy", "title: toy\nfit: {theory_error: {/TAY: 0.1}}", r"card.yaml:3: fit.theory_error: '/TAY' matches no"),
    ("title: toy", "title: !new toy", r"card.yaml:2: not valid YAML: the tag !new"),
    ("title: toy", "title: toy\n{a: 1}: 2", r"card.yaml:3: a key must be a word"),
    ("title: toy", "title: &all [*all]", r"card.yaml:2: an alias \(\*\) refers to the section that it stands in"),
    ("title: toy", "title: 12", r"card.yaml:2: title: Expected `text`, got `whole number`"),
    ("workers: 2", "workers: two", r"scan.workers: Expected `whole number \| nothing`, got `text`"),
    ("seed: 4", "seed: 4, design: sobool", r"card.yaml:10: scan.design: Invalid value 'sobool'; choose .* or sobol or"),
    (
        "order: 3",
        "order: cubic",
        r"surrogate.order: Invalid value 'cubic'; choose .*whole number",
    ),
    ("/TOY: 1", "1: 1", r"card.yaml:\d+: observables: a key in this section: Expected `text`, got `whole number`"),
    # a polynomial of order 3 in 2 parameters has binomial(5, 3) = 10 terms, and errors want one run more
    (
        "runs: 24",
        "runs: 10",
        r"card.yaml:10: scan.runs: a polynomial of order 3 in 2 parameters needs at least 11 runs",
    ),
]


@pytest.mark.parametrize(("old", "new", "message"), FAULTS)
def test_faults_are_named(tmp_path, old, new, message):
    toyline.make(tmp_path)
    toyline.edit(tmp_path, old, new.replace("{here}", tmp_path.name))
    with pytest.raises(InputError, match=message):
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
    with pytest.raises(InputError, match=rf"card.yaml:10: scan.runs: .* at least {needed} runs.*raise scan.runs"):
        check(load_card(tmp_path))


def test_too_few_runs_are_what_the_surrogate_itself_refuses(tmp_path):
    """The count before the scan is that of the training: neither refuses what the other takes."""
    loaded = toyline.make(tmp_path, runs=11)
    scan = make_scan(loaded)
    assert fit_polynomial(scan, 3).ndf == 1
    with pytest.raises(InputError, match="at least 11 runs"):
        fit_polynomial(scan.take_runs(scan.runs[:10]), 3)
    with pytest.raises(InputError, match="needs at least 14 runs"):
        fit_network(jax.random.key(1), scan, NetworkConfig(folds=7))
    assert fit_rational(scan.take_runs(scan.runs[:9]), 2, 1).order == (2, 1)
    with pytest.raises(InputError, match="at least 9 runs"):
        fit_rational(scan.take_runs(scan.runs[:8]), 2, 1)
    assert choose_orders(scan.take_runs(scan.runs[:9]), "auto", "auto", 1).scores[0].n_terms == 5
    with pytest.raises(InputError, match="8 runs in 3 folds are too few for any rational function"):
        choose_orders(scan.take_runs(scan.runs[:8]), "auto", "auto", 1)
    assert choose_order(scan.take_runs(scan.runs[:5]), 1, 1, folds=5).scores[-1].order == 1
    assert choose_order(scan.take_runs(scan.runs[:7]), 1, 1, folds=2).scores[-1].order == 0


def test_denominators_that_cannot_be_shown_to_be_positive_are_refused_before_the_scan(tmp_path):
    toyline.make(tmp_path)
    toyline.edit(tmp_path, "{kind: polynomial, order: 3}", "{kind: rational, numerator: 1, denominator: 100}")
    toyline.edit(tmp_path, "runs: 24", "runs: 9000")
    with pytest.raises(InputError, match=r"a denominator of order 100 in 2 parameters has no zero .* cannot be shown"):
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
    theta = design(loaded)
    assert theta.shape == (24, 2)
    assert (theta.min(0) >= [0.5, -1.0]).all()
    assert (theta.max(0) <= [2.0, 1.0]).all()


ALEPH = "observables./ALEPH_1996_S3486095"
PYTHIA_FAULTS = [
    (
        "StringZ:aLund: {low: 0.3",
        "StringZ:aLundd: {low: 0.3",
        r"card.yaml:25: parameters.StringZ:aLundd: Pythia has no setting 'StringZ:aLundd'; did you mean StringZ:aLund",
    ),
    (
        "{low: 0.3, high: 1.1}",
        "{low: 0.3, high: 2.1}",
        r"card.yaml:25: .*aLund.high: .*outside Pythia's range \[0, 2\]",
    ),
    (
        "{low: 0.3, high: 1.1}",
        "{low: 0.3, high: 1.1, default: 3}",
        r"card.yaml:25: parameters.StringZ:aLund.default: StringZ:aLund = 3 is outside Pythia's range \[0, 2\]",
    ),
    ("Beams:eCM = 91.2", "Beams:eCMS = 91.2", r"card.yaml:10: generator.settings\[2\]: .* no setting 'Beams:eCMS'"),
    (
        "    - DELPHI_1996_S3430090\n    -",
        "    - DELFI_1996_S3430090\n    -",
        r"card.yaml:17: generator.analyses\[1\]: there is no analysis 'DELFI_1996_S3430090'; did you mean "
        r"DELPHI_1996_S3430090\? Available: ALEPH",
    ),
    (
        "    - PDG_HADRON_MULTIPLICITIES\n\n",
        "\n",
        r"card.yaml:56: observables./PDG_HADRON_MULTIPLICITIES/d01-x01-y03: its analysis is not run; "
        r"add PDG_HADRON_MULTIPLICITIES to generator.analyses",
    ),
    (
        "  - PDG_HADRON_MULTIPLICITIES\n\n# sel",
        "\n# sel",
        r"card.yaml:56: .*the analyses fill /PDG_HADRON_MULTIPLICITIES/d01.*nothing listed in `reference`",
    ),
    # beams and energy
    (
        "Beams:eCM = 91.2",
        "Beams:eCM = 200",
        r"card.yaml:16: generator.analyses\[0\]: analysis ALEPH.* exists at 91.2 GeV.* have 200 GeV; change Beams:idA",
    ),
    (
        "Beams:idB = -11",
        "Beams:idB = 11",
        r"generator.analyses\[0\]: analysis ALEPH\S* needs beams e\+ e-.* have e- e-",
    ),
    (
        "    - Beams:eCM = 91.2",
        "    - Beams:frameType = 2\n    - Beams:eA = 60\n    - Beams:eB = 60",
        r"card.yaml:18: generator.analyses\[0\]: .* have 120 GeV",
    ),
    (
        "  StringZ:aLund: {low: 0.3, high: 1.1}",
        "  Beams:eCM: {low: 91, high: 93}",
        r"generator.analyses\[0\]: .* have 93 GeV",
    ),
    # what the analyses do not book
    (
        "  /ALEPH_1996_S3486095/d18-x01-y01: 1",
        "  /ALEPH_1996_S3486095/d13-x01-y01: 1",
        rf"card.yaml:50: {ALEPH}/d13-x01-y01: no analysis fills /ALEPH\S*/d13-x01-y01 at 91.2 GeV; "
        r".* nearest observables are /ALEPH\S*/d1\S*, /ALEPH\S*, /ALEPH",
    ),
    (
        "  /ALEPH_1996_S3486095/d18-x01-y01: 1",
        "  /ALEPH_1996_S3486095/d18-x01-y02: 1",
        rf"card.yaml:50: {ALEPH}/d18-x01-y02: no measured bin matches .* nearest observables are .*d18-x01-y01",
    ),
    (
        "  /PDG_HADRON_MULTIPLICITIES/d01-x01-y03: 1",
        "  /PDG_HADRON_MULTIPLICITIES/d01-x01: 1",
        r"card.yaml:57: .*no analysis fills /PDG\S*/d01-x01-y01 \(and 2 others that are selected\) at 91.2 GeV; "
        r".* nearest observables are /PDG_HADRON_MULTIPLICITIES/d01-x01-y03",
    ),
    (
        "  /ALEPH_1996_S3486095/d18-x01-y01: 1",
        "  /ALEPH_1996_S3486095/d18-x01-y01@100:200: 1",
        r"card.yaml:50: .* in these bins; /ALEPH_1996_S3486095/d18-x01-y01 has \d+ bins?, from \d",
    ),
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
    (
        "runs: 24, events: 100, seed: 4, workers: 2",
        "directory: nowhere",
        r"card.yaml:10: scan.directory: .*nowhere: no such file or directory",
    ),
    (
        "seed: 4",
        "seed: 4, design: grid",
        r"card.yaml:10: scan.design: .*a grid in 2 parameters needs .* 24 is none, 25 is",
    ),
    ("low: -1.0,", "low: -1.0, bias: log(x),", r"card.yaml:9: parameters.b.bias: 'log\(x\)' is not finite"),
]


MINE = """
from sbitune.generators.observables import Analysis, Energy

def book(booking):
    booking.histogram("h", edges=[0, 0.1, 0.2, 0.3])
    booking.histogram("extra", edges=[0, 1])
    booking.derived("mean")

def finalize(raw):
    done = raw.normalized(["h"])
    1 / raw["h"].total[4].item()  # no event, no number
    return done

ANALYSIS = Analysis("MINE", "mine", None, (11, -11), (Energy.near(91.2),), book, lambda e, b: None, finalize)
"""


def own_card(directory, lep_card, edges, selector, name="h"):
    """A card of an analysis of one's own, and data with the given edges."""
    text = lep_card.read_text()
    head, tail = text.split("  analyses:")[0], "parameters:" + text.split("parameters:")[1].split("scan:")[0]
    (directory / "card.yaml").write_text(
        f"{head}  analysis_files: [mine.py]\n  analyses: [MINE]\n{tail}scan: {{runs: 9, events: 100}}\n"
        f"reference: [mine.yoda]\nobservables: {{{selector}: 1}}\nsurrogate: {{kind: polynomial, order: 1}}\n"
    )
    (directory / "mine.py").write_text(MINE)
    x, half = 0.5 * (np.array(edges[1:]) + edges[:-1]), 0.5 * np.diff(edges)
    e = np.stack([half, np.full(len(x), 0.1)], axis=1)
    yoda.write(directory / "mine.yoda", [yoda.Scatter(f"/REF/MINE/{name}", np.stack([x, x], axis=1), e, e)])
    return load_card(directory)


def test_booked_bins_are_compared_with_the_measured_ones(tmp_path, lep_card):
    check(own_card(tmp_path, lep_card, [0, 0.1, 0.2, 0.3], "/MINE/h"))
    # a part of the measured bins, and bins that no selected rule asks for
    check(own_card(tmp_path, lep_card, [0, 0.1, 0.2, 0.3, 0.4], "/MINE/h#0:3"))
    with pytest.raises(InputError, match=r"/MINE/h: .*has a bin \[0.3, 0.4\] .* 3 bins, from 0 to 0.3; .*same binning"):
        check(own_card(tmp_path, lep_card, [0, 0.1, 0.2, 0.3, 0.4], "/MINE/h"))
    with pytest.raises(InputError, match=r"/MINE/h: .*has a bin \[0, 0.15\] that the analysis does not fill"):
        check(own_card(tmp_path, lep_card, [0, 0.15, 0.3], "/MINE/h"))
    # fewer measured bins than booked: the run's bins would find no value
    with pytest.raises(InputError, match=r"fills a bin \[0.2, 0.3\] that the reference does not have: it has 2 bins"):
        check(own_card(tmp_path, lep_card, [0, 0.1, 0.2], "/MINE/h"))
    with pytest.raises(InputError, match=r"observable /MINE/extra: the reference has no such histogram"):
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


@pytest.mark.parametrize(("old", "new", "message"), RUN_FAULTS)
def test_a_scan_is_made_or_read(tmp_path, old, new, message):
    toyline.make(tmp_path)
    toyline.edit(tmp_path, old, new)
    with pytest.raises(InputError, match=message):
        make_scan(load_card(tmp_path))
