"""The whole line on a generator whose truth is known: it must give that truth back, with honest errors."""

import json
import re

import numpy as np
import pytest
from helpers import toyline
from helpers.ears import Ears

from sbitune.data import yoda
from sbitune.data.errors import ComputationError, InputError
from sbitune.data.scan import Scan
from sbitune.fitting.likelihood.gaussian import residual_terms
from sbitune.fitting.likelihood.problem import total_covariance
from sbitune.report.tune.write import write_report
from sbitune.tuning.card import load_card
from sbitune.tuning.record.result import read_record
from sbitune.tuning.stages.fitstage import fit_stage
from sbitune.tuning.stages.fitted import read_fitted
from sbitune.tuning.stages.pipeline import tune
from sbitune.tuning.stages.training import train_stage
from sbitune.tuning.tools.models import matched_with
from sbitune.workflow.runs.scanning import load_scan, make_scan


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    directory = tmp_path_factory.mktemp("toy")
    return tune(toyline.make(directory))


def test_the_truth_comes_back(tuned):
    record = tuned.record
    a, b = record.parameters["a"], record.parameters["b"]
    # the data have no noise: what is left is the surrogate's error, below that of the fit
    assert abs(a.value - 1.3) < 0.5 * a.error
    assert abs(b.value - 0.4) < 0.5 * b.error
    assert record.chi2 < 17
    assert record.ndf == 17 - 2
    assert record.status == "converged"
    # error of a alone from d01: 0.02 / sqrt(sum (x exp(-a x))^2), an upper bound
    x = 0.5 * (toyline.X[1:] + toyline.X[:-1])
    assert 0.002 < a.error < 0.025 / np.sqrt(np.sum((x * np.exp(-1.3 * x)) ** 2))


def test_everything_is_left_behind(tuned):
    directory = tuned.loaded.directory
    assert read_record(directory / "result.yaml") == tuned.record
    text = (directory / "tune.cmnd").read_text()
    lines = dict(
        (part.strip() for part in line.split("!")[0].split("="))
        for line in text.splitlines()
        if not line.startswith("!") and "=" in line
    )
    for name in ("a", "b"):
        assert float(lines[name]) == pytest.approx(tuned.record.parameters[name].value, rel=1e-6)
    assert set(yoda.read(directory / "validation.yoda")) == {"/TOY/d01", "/TOY/d02", "/TOY/d03"}
    validation = tuned.record.validation
    assert validation.chi2_tuned < validation.chi2_default
    # 17 bins: the rms pull of surrogate and run has an error of 1/sqrt(34)
    assert validation.surrogate_pull == pytest.approx(1.0, abs=4 / np.sqrt(34))
    assert sum(o.chi2_tuned for o in tuned.record.observables) == pytest.approx(validation.chi2_tuned)


def test_the_report_is_one_page_that_says_it_all(tuned):
    page = write_report(tuned)
    text = page.read_text()
    assert "The tune beats the values before tuning on this data" in text
    assert "http" not in text.replace("http://www.w3.org", "").replace("http://purl.org", "")
    assert "<script src" not in text
    for word in ("/TOY/d01", "/TOY/d03", "nobody", "MINOS", "Correlations", "How these numbers were made"):
        assert word in text
    # every section can be reached from the top
    assert set(re.findall(r'<h2 id="([a-z-]+)"', text)) == set(re.findall(r'<a href="#([a-z-]+)"', text))
    # parameters, correlations; two figures and one of single bins; the same three to be moved, each with a second layer
    assert text.count("<svg") == 2 + 3 + 2 * 3
    assert page.stat().st_size < 600_000


def test_it_resumes_and_gives_the_same(tuned):
    directory = tuned.loaded.directory
    before = (directory / "result.yaml").read_bytes()
    stamps = {p: p.stat().st_mtime_ns for p in (directory / "work").rglob("run.json")}
    again = tune(load_card(directory))
    assert (directory / "result.yaml").read_bytes() == before
    assert {p: p.stat().st_mtime_ns for p in (directory / "work").rglob("run.json")} == stamps
    assert again.record == tuned.record


def test_the_same_card_elsewhere_gives_the_same_numbers(tuned, tmp_path):
    other = tune(toyline.make(tmp_path / "other"))
    assert other.record.parameters == tuned.record.parameters
    assert other.record.validation == tuned.record.validation


def test_stages_read_what_others_left(tuned):
    again = read_fitted(tuned.loaded)
    assert again.record == tuned.record
    np.testing.assert_array_equal(again.scan.values, tuned.scan.values)
    # errors are those of the fit, which took them at the tune
    v = total_covariance(again.problem, again.theta)
    mean = again.surrogate.predict_many(again.theta[None]).mean[0, again.measured.indices]
    terms = residual_terms(mean, again.measured, v)
    assert terms.sum() == pytest.approx(tuned.record.chi2_unit, rel=1e-7)
    assert list(again.record.answer["near"]) == ["a", "b"]
    assert isinstance(load_scan(tuned.loaded.directory / "work" / "scan"), Scan)


def test_a_stage_whose_input_is_missing_names_the_command(tmp_path):
    loaded = toyline.make(tmp_path)
    with pytest.raises(InputError, match=r"run `sbitune scan"):
        read_fitted(loaded)


def test_a_changed_card_is_not_mixed_with_old_runs(tmp_path):
    loaded = toyline.make(tmp_path, runs=12)
    make_scan(loaded)
    toyline.edit(tmp_path, "events: 100, seed", "events: 200, seed")
    with pytest.raises(InputError, match="was made with other settings"):
        make_scan(load_card(tmp_path))


def test_more_runs_extend_a_scan(tmp_path):
    make_scan(toyline.make(tmp_path, runs=12))
    toyline.edit(tmp_path, "runs: 12", "runs: 15")
    scan = make_scan(load_card(tmp_path))
    assert len(scan.runs) == 15


def test_a_failed_run_stops_the_line_unless_the_card_says_drop(tmp_path):
    toyline.make(tmp_path, runs=14)
    program = tmp_path / "generator.py"
    program.write_text(program.read_text() + "\nif a > 1.85: sys.exit('a too large')\n")
    with pytest.raises(ComputationError, match="a too large"):
        make_scan(load_card(tmp_path))
    toyline.edit(tmp_path, "workers: 2", "workers: 2, bad_runs: drop")
    ears = Ears()
    scan = make_scan(load_card(tmp_path), ears)
    dropped = [w for w in ears.words if "left out: run" in w and "a too large" in w]
    assert len(scan.runs) == 14 - len(dropped)
    assert dropped
    assert scan.theta[:, 0].max() <= 1.85


def test_a_failed_fit_writes_no_tune(tmp_path, monkeypatch):
    loaded = toyline.make(tmp_path, runs=12)
    scan = make_scan(loaded)
    flat = Scan(scan.parameters, scan.theta, np.ones_like(scan.values), scan.errors, scan.bins, scan.runs)
    toyline.edit(tmp_path, "order: 3", "order: 0")
    loaded = load_card(tmp_path)
    surrogate = train_stage(loaded, flat)
    with pytest.raises(ComputationError, match="fit failed"):
        fit_stage(loaded, flat, surrogate)
    assert not (tmp_path / "result.yaml").exists()
    assert not (tmp_path / "tune.cmnd").exists()


@pytest.mark.slow
def test_another_fit_does_not_keep_the_validation_of_the_one_before(tmp_path):
    fitted = tune(toyline.make(tmp_path, runs=15))
    write_report(fitted)
    toyline.edit(tmp_path, "/TOY: 1", "/TOY/d01: 1\n  /TOY/d02: 1")
    with pytest.raises(InputError, match="the card asks for another scan, observables changed"):
        read_fitted(load_card(tmp_path))
    loaded = load_card(tmp_path)
    scan = make_scan(loaded)
    record = fit_stage(loaded, scan, train_stage(loaded, scan)).record
    assert record.validation is None
    assert not (tmp_path / "validation.yoda").exists()
    assert not (tmp_path / "report.html").exists()
    # zero weights, unknown to the scan since it keeps only selected bins, do not stop the line
    toyline.edit(tmp_path, "/TOY/d02: 1", "/TOY/d02: 1\n  /TOY/d02#0: 0\n  /TOY/d03: 0")
    assert tune(load_card(tmp_path)).record.ndf == 15 - 2


@pytest.mark.slow
def test_a_changed_default_reaches_the_result(tmp_path):
    tune(toyline.make(tmp_path, runs=15))
    toyline.edit(tmp_path, "default: 1.0", "default: 0.7")
    assert tune(load_card(tmp_path)).record.parameters["a"].default == 0.7


def test_own_runs_with_other_bins_are_named(tmp_path):
    toyline.make(tmp_path, runs=12)
    program = tmp_path / "generator.py"
    program.write_text(
        program.read_text().replace("half = 0.5\n", "").replace("x = middle[i]", "x = (1 + (a > 1.6)) * middle[i]")
    )
    with pytest.raises(InputError, match=r"has other bins than in run 0000"):
        make_scan(load_card(tmp_path))


def test_a_card_of_another_name_keeps_its_results_apart(tmp_path):
    toyline.make(tmp_path, runs=12)
    (tmp_path / "card.yaml").rename(tmp_path / "mine.yaml")
    tune(load_card(tmp_path / "mine.yaml"))
    assert {p.name for p in tmp_path.iterdir() if p.name.startswith("mine.")} == {
        "mine.yaml", "mine.work", "mine.result.yaml", "mine.tune.cmnd", "mine.validation.yoda",
    }  # fmt: skip
    assert read_fitted(load_card(tmp_path / "mine.yaml")).record.status == "converged"


def test_references_that_do_not_fit(tmp_path):
    loaded = toyline.make(tmp_path, runs=12)
    scan = make_scan(loaded)
    objects = list(yoda.read(tmp_path / "data.yoda").values())
    short = objects[0]
    cut = yoda.Scatter(short.path, short.values[:4] * [1.1, 1], short.minus[:4], short.plus[:4])
    yoda.write(tmp_path / "data.yoda", [cut, *objects[1:]])
    with pytest.raises(InputError, match=r"observable /TOY/d01#0: the reference has no bin \[0, 0.125\]"):
        fit_stage(loaded, scan, train_stage(loaded, scan))
    # the line compares before it learns anything, and names the rule
    place = r"card.yaml:13: observables./TOY: observable /TOY/d01: "
    with pytest.raises(InputError, match=rf"{place}the scan has a bin \[0, 0.125\] that the reference does not have"):
        make_scan(loaded)
    yoda.write(tmp_path / "data.yoda", objects[1:])
    with pytest.raises(InputError, match=r"observable /TOY/d01: the reference has no such histogram"):
        fit_stage(loaded, scan, train_stage(loaded, scan))
    with pytest.raises(InputError, match=rf"{place}the reference has no such histogram; add its YODA file"):
        make_scan(loaded)


def test_a_reference_that_is_gone_has_its_place_in_the_card_at_every_stage(tmp_path):
    loaded = toyline.make(tmp_path)
    scan = make_scan(loaded)
    surrogate = train_stage(loaded, scan)
    fit_stage(loaded, scan, surrogate)
    (tmp_path / "data.yoda").unlink()
    stages = (
        lambda: fit_stage(loaded, scan, surrogate),
        lambda: read_fitted(loaded),
        lambda: matched_with(scan, loaded),
    )
    for stage in stages:
        with pytest.raises(InputError, match=r"card.yaml:11: reference\[0\]: .*data.yoda is neither a file"):
            stage()


def test_bins_without_an_error_are_left_out_with_the_reason(tmp_path):
    loaded = toyline.make(tmp_path, runs=12)
    scan = make_scan(loaded)
    objects = list(yoda.read(tmp_path / "data.yoda").values())
    first = objects[0]
    errors = first.minus.copy()
    errors[2, 1] = 0.0
    values = first.values.copy()
    values[5, 1] = np.nan
    yoda.write(tmp_path / "data.yoda", [yoda.Scatter(first.path, values, errors, errors), *objects[1:]])
    ears = Ears()
    fitted = fit_stage(loaded, scan, train_stage(loaded, scan), ears)
    assert fitted.record.excluded == [
        {"bin": "/TOY/d01#2", "reason": "the reference gives no error"},
        {"bin": "/TOY/d01#5", "reason": "the reference has no value"},
    ]
    assert fitted.record.ndf == 15 - 2
    assert "/TOY/d01#2" in "".join(ears.words)


def test_a_small_line_with_pythia(tmp_path, lep_card):
    text = lep_card.read_text()
    for old, new in (
        ("runs: 128", "runs: 24"),
        ("events: 4500", "events: 1200"),
        ("kind: auto", "kind: polynomial\n  order: 1"),
    ):
        assert old in text
        text = text.replace(old, new)
    # so few events tell two parameters; of five the fit would say that the surrogate's noise drowns them
    fixed = (
        "starts: 2\n  toys: 0\n  fixed: {StringZ:aLund: 0.68, StringFlav:probStoUD: 0.217, StringFlav:probQQtoQ: 0.081}"
    )
    text = text.replace("events: 100000", "events: 400").replace("starts: 8", fixed)
    (tmp_path / "card.yaml").write_text(text)
    fitted = tune(load_card(tmp_path))
    assert fitted.scan.values.shape[0] == 24
    assert len(fitted.measured.bins) >= 150
    assert len({path.split("_")[0] for path in fitted.measured.bins.paths()}) >= 3
    assert fitted.record.validation.events == 400
    page = write_report(fitted)
    assert "Monash 2013" in page.read_text()
    record = json.loads((tmp_path / "work/scan/0000/run.json").read_text())
    assert record["events"] == 1200


def test_tune_cmnd_is_read_by_pythia(tmp_path, lep_card):
    pythia8mc = pytest.importorskip("pythia8mc")
    cmnd = lep_card.parent / "tune.cmnd"
    pythia = pythia8mc.Pythia("", False)
    assert pythia.readFile(str(cmnd))
    wanted = read_record(lep_card.parent / "result.yaml").parameters
    for name, parameter in wanted.items():
        assert pythia.settings.parm(name) == pytest.approx(parameter.value, rel=1e-8)


def test_an_analysis_of_ones_own_is_tuned_to(tmp_path, lep_card):
    text = lep_card.read_text()
    head, tail = text.split("  analyses:")[0], "parameters:" + text.split("parameters:")[1].split("scan:")[0]
    (tmp_path / "card.yaml").write_text(
        f"{head}  analysis_files: [mine.py]\n  analyses: [MINE]\n{tail}"
        "scan: {runs: 9, events: 100, seed: 1}\nreference: [mine.yoda]\nobservables: {/MINE: 1}\n"
        "surrogate: {kind: polynomial, order: 1}\nvalidation: {events: 100}\n"
    )
    (tmp_path / "mine.py").write_text(
        "from sbitune.generators.observables import Analysis, Energy\n"
        "edges = [0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5]\n"
        "ANALYSIS = Analysis('MINE', 'thrust', None, (11, -11), (Energy.near(91.2),),\n"
        "    lambda booking: booking.histogram('h', edges=edges),\n"
        "    lambda events, booking: booking['h'].fill(1 - events.charged.thrust, events.weight),\n"
        "    lambda raw: raw.normalized(['h']))\n"
    )
    edges = np.array([0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5])
    x, half = 0.5 * (edges[1:] + edges[:-1]), 0.5 * np.diff(edges)
    values = np.exp(-12 * x) * 12
    e = np.stack([half, 0.1 * values], axis=1)
    yoda.write(tmp_path / "mine.yoda", [yoda.Scatter("/REF/MINE/h", np.stack([x, values], axis=1), e, e)])
    loaded = load_card(tmp_path)
    scan = make_scan(loaded)
    assert scan.bins.paths() == ["/MINE/h"]
    (tmp_path / "mine.py").write_text((tmp_path / "mine.py").read_text() + "# changed\n")
    with pytest.raises(InputError, match="was made with other settings"):
        make_scan(loaded)
    (tmp_path / "mine.py").write_text("ANALYSIS = 1\n")
    with pytest.raises(InputError, match=r"mine.py: it must define ANALYSIS = Analysis"):
        make_scan(loaded)
