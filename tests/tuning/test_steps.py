"""Single steps of a tune, answers in closed form: samples, envelopes, sensitivities, residuals, runs left out."""

import numpy as np
import pytest
from helpers import toyline

from sbitune.data.bins import Bins
from sbitune.data.errors import ComputationError, InputError
from sbitune.data.formats.combinations import sample
from sbitune.data.formats.ipol import Interpolation, Polynomial, exponents
from sbitune.data.formats.parameters import read_values
from sbitune.data.formats.selection import read_weights
from sbitune.data.histograms import Histograms
from sbitune.data.parameter import Parameter
from sbitune.data.reference import Reference
from sbitune.data.scan import Scan
from sbitune.fitting.likelihood.measured import Measured
from sbitune.tuning.checks import residuals, sensitivities
from sbitune.tuning.checks.envelopes import find_envelopes, reach_of_observables
from sbitune.tuning.stages.matching import match
from sbitune.tuning.studies.jackknife import Refit, stability
from sbitune.tuning.surrogates.ipol.surrogate import IpolSurrogate
from sbitune.tuning.tools.models import as_scan, point_of, run_names_at, values_of_words
from sbitune.tuning.tools.sampling import check_own, design_in_limits, design_of_card, read_own, write_design
from sbitune.workflow.runs.scanning import make_scan

BOX = (Parameter("a", 1.0, 3.0), Parameter("b", 0.0, 2.0))
LOW, HIGH = np.array([(p.low, p.high) for p in BOX]).T


def bins_of(n: int, per_histogram: int = 2) -> Bins:
    k = np.arange(n)
    paths = np.array([f"/TOY/d{i // per_histogram + 1:02d}" for i in k])
    return Bins(paths, k % per_histogram, (k % per_histogram).astype(float), k % per_histogram + 1.0)


def scan_of(values: np.ndarray, errors: np.ndarray, theta: np.ndarray | None = None) -> Scan:
    n = len(values)
    theta = np.random.default_rng(1).uniform(LOW, HIGH, (n, 2)) if theta is None else theta
    return Scan(BOX, theta, values, errors, bins_of(values.shape[1]), tuple(f"{i:04d}" for i in range(n)))


def measured(values: list[float], errors: list[float]) -> Measured:
    n = len(values)
    return Measured(np.arange(n), bins_of(n), np.array(values), np.array(errors), np.zeros((0, n)), np.ones(n))


def test_samples_in_limits_are_in_them_and_templates_are_filled(tmp_path) -> None:
    (tmp_path / "limits.dat").write_text("a 1 3   # the first\nfix 7\nb -1 0\n")
    (tmp_path / "run.in").write_text("set {a} {b} {fix}; seed={SEED} n={EVENTS} run={RUN} {shell}\n")
    design = design_in_limits(tmp_path / "limits.dat", 64, seed=5)
    assert design.names == ("a", "b")
    # a Sobol design of 2^6 points has one in every 64th of a range
    for column, low, high in ((0, 1, 3), (1, -1, 0)):
        cells = np.floor((design.points[:, column] - low) / (high - low) * 64)
        assert sorted(cells) == list(range(64))
    names = write_design(tmp_path / "out", design, read_own([tmp_path / "run.in"], list(design.values(0))), 1000)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == names == [f"{i:04d}" for i in range(64)]
    seeds = set()
    for row, name in enumerate(names):
        values = read_values(tmp_path / "out" / name / "params.dat")
        assert values == {"a": design.points[row, 0], "b": design.points[row, 1], "fix": 7.0}
        text = (tmp_path / "out" / name / "run.in").read_text()
        assert f"set {values['a']!r} {values['b']!r} 7.0; seed=" in text
        assert text.endswith(f"n=1000 run={name} {{shell}}\n")  # other braces are not ours
        seeds.add(text.split("seed=")[1].split()[0])
    assert len(seeds) == 64
    with pytest.raises(InputError, match="is there already, and not empty"):
        write_design(tmp_path / "out", design)
    own = read_own([tmp_path / "run.in"], list(design.values(0)))
    with pytest.raises(InputError, match=r"run.in: \{EVENTS\} stands there, and nothing says how many; give --events"):
        write_design(tmp_path / "other", design, own)
    assert not (tmp_path / "other").exists()
    with pytest.raises(InputError, match=r"parameter c has no place in the templates \(run.in: \{NAME\} is a place"):
        check_own(own, ["a", "b", "c"])


def test_samples_of_a_card_are_those_of_its_scan(tmp_path) -> None:
    loaded = toyline.make(tmp_path / "toy", runs=12)
    design, templates, events = design_of_card(loaded)
    write_design(tmp_path / "out", design, templates, events, loaded.directory, loaded.card.generator.command)
    script = (tmp_path / "out/0005/run.sh").read_text()
    assert f"generator.py {float(design.points[5, 0])!r} {float(design.points[5, 1])!r} " in script
    made = make_scan(loaded)
    np.testing.assert_array_equal(made.theta, design.points)
    seed = (loaded.work / "scan/0005/run.json").read_text().split('"seed": ')[1].split(",")[0]
    assert script.split()[-1] == seed
    assert run_names_at(tmp_path / "toy") == run_names_at(loaded.work / "scan") == made.runs


def test_envelopes_by_hand() -> None:
    scan = scan_of(np.array([[1.0, 1, 5, 0], [2, 3, 6, 0], [1.5, 2, 4, 1]]), np.full((3, 4), 0.1))
    found = find_envelopes(scan, measured([1.5, 3.5, 2.0, 1.0], [0.1, 1.0, 0.5, 0.1]))
    assert found.inside.tolist() == [True, False, False, True]
    np.testing.assert_allclose(found.gap, [0, 0.5, -4, 0])
    assert found.outside() == [2, 1]
    rows = reach_of_observables(found)
    assert [(r.path, r.bins, r.inside, r.within_error, r.farthest) for r in rows] == [
        ("/TOY/d01", 2, 1, 2, 0.5), ("/TOY/d02", 2, 1, 1, 4.0)
    ]  # fmt: skip


def power_model() -> IpolSurrogate:
    """In a box from 0: f = a^2 b, 5 + b, 7 and -1."""
    box = (Parameter("a", 0.0, 2.0), Parameter("b", 0.0, 3.0))
    low, high = np.zeros(2), np.array([2.0, 3.0])
    terms = {(2, 1): 4 * 3, (0, 0): 5, (0, 1): 3}

    def polynomial(*chosen: tuple[int, int], constant: float | None = None) -> Polynomial:
        rows = [tuple(row) for row in exponents(2, 3).tolist()]
        numbers = np.array([float(terms[row]) if row in chosen else 0.0 for row in rows])
        numbers[0] = numbers[0] if constant is None else constant
        return Polynomial(3, numbers, low, high)

    value = (polynomial((2, 1)), polynomial((0, 0), (0, 1)), polynomial(constant=7), polynomial(constant=-1))
    return IpolSurrogate(Interpolation(box, bins_of(4), value))


def test_sensitivities_of_powers() -> None:
    model = power_model()
    theta = np.array([1.2, 0.9])
    data = Measured(np.array([0, 1]), bins_of(2), np.ones(2), np.array([0.5, 0.25]), np.zeros((0, 2)), np.ones(2))
    found = sensitivities.find_sensitivities(model, theta, data, np.array([0.1, 0.0]))
    np.testing.assert_allclose(found.logarithmic[0], [2, 1], rtol=1e-12)  # f = a^2 b
    np.testing.assert_allclose(found.logarithmic[1], [0, 0.9 / 5.9], rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(found.logarithmic[2], [0, 0], atol=1e-15)
    assert np.isnan(found.logarithmic[3]).all()
    # over the ranges [0, 2] and [0, 3]: a^2 b by 4 * 0.9 and 1.44 * 3
    np.testing.assert_allclose(found.by_range[:2], [[4 * 0.9 / 0.5, 1.44 * 3 / 0.5], [0, 3 / 0.25]], atol=1e-12)
    assert np.isnan(found.by_range[2:]).all()
    np.testing.assert_allclose(found.by_fitted_error[0], [2 * 1.2 * 0.9 * 0.1 / 0.5, 0], rtol=1e-12)
    rows = sensitivities.sensitivities_of_observables(found)
    np.testing.assert_allclose(rows[0].logarithmic, [np.sqrt(2), np.sqrt((1 + (0.9 / 5.9) ** 2) / 2)])
    assert np.isnan(rows[1].by_range).all()
    assert list(sensitivities.columns_of(found))[:3] == ["prediction", "dlnf/dlnp a", "dlnf/dlnp b"]


def constant_model(n: int, value: float, error: float) -> IpolSurrogate:
    def same(x: float) -> tuple[Polynomial, ...]:
        return tuple(Polynomial(0, np.array([x]), LOW, HIGH) for _ in range(n))

    return IpolSurrogate(Interpolation(BOX, bins_of(n), same(value), same(error)))


def test_residuals_have_the_widths_that_they_must() -> None:
    n_runs, n_bins = 200, 50
    noise = 0.4 * np.random.default_rng(3).normal(size=(n_runs, n_bins))
    errors = np.full((n_runs, n_bins), 0.4)
    errors[:, 7] = 0.0
    noise[13, 21] = 4.0
    scan = scan_of(5 + noise, errors)
    found = residuals.find_residuals(constant_model(n_bins, 5.0, 0.3), scan)
    total = residuals.overall(found)
    assert (total.pulls, found.without_error) == (n_runs * 49, n_runs)
    # 9800 pulls, one of them 10: their mean square is 1 + 100 / 9800, its error sqrt(2 / 9800)
    assert total.rms_pull**2 == pytest.approx(1 + 100 / 9800, abs=4 * np.sqrt(2 / 9800))
    assert total.pull_width == pytest.approx(0.8 * total.rms_pull, rel=1e-12)  # 0.4 / hypot(0.4, 0.3)
    first = residuals.worst(found, 1)[0]
    assert (first.run, first.bin) == ("0013", "/TOY/d11#1")
    assert first.pull == pytest.approx(-8.0)
    assert [row.pulls for row in residuals.by_observable(found)][:5] == [400, 400, 400, 200, 400]
    assert {row.pulls for row in residuals.by_run(found)} == {49}
    by_bin = residuals.columns_of(found)
    assert np.isnan(by_bin["rms_pull"][7])
    np.testing.assert_allclose(np.nansum(by_bin["rms_pull"] ** 2 * by_bin["pulls"]), total.rms_pull**2 * 9800)


def test_residuals_match_parameters_by_name_and_bins_by_edges() -> None:
    scan = scan_of(np.full((5, 4), 5.0), np.full((5, 4), 1.0), theta=np.tile([2.0, 1.0], (5, 1)))
    turned = Scan(
        BOX[::-1], scan.theta[:, ::-1], scan.values[:, ::-1], scan.errors, scan.bins.take([3, 2, 1, 0]), scan.runs
    )
    model = constant_model(6, 6.0, 0.0)
    found = residuals.find_residuals(model, turned)
    assert found.bins.labels() == ["/TOY/d02#1", "/TOY/d02#0", "/TOY/d01#1", "/TOY/d01#0"]
    assert (found.pulls == 1).all()
    assert found.left_out == ("/TOY/d03#0", "/TOY/d03#1")
    assert found.outside == ()
    far = Scan(BOX, scan.theta + 5, scan.values, scan.errors, scan.bins, scan.runs)
    assert residuals.find_residuals(model, far).outside == scan.runs
    other = Scan((BOX[0], Parameter("c", 0, 2)), scan.theta, scan.values, scan.errors, scan.bins, scan.runs)
    with pytest.raises(InputError, match="parameter b is not one of the scan"):
        residuals.find_residuals(model, other)


def test_leaving_one_out_gives_the_error_of_a_mean() -> None:
    x = np.random.default_rng(4).normal(size=(20, 2))
    names = [f"{i:02d}" for i in range(20)]
    combinations = sample(names, 20, 1, seed=1)
    means = [x[[int(name) for name in chosen]].mean(axis=0) for chosen in combinations]
    refits = [Refit(str(i), mean, np.ones(2), 1.0, "") for i, mean in enumerate(means)]
    found = stability(refits, [19] * 20, 20)
    np.testing.assert_allclose(found.error, x.std(axis=0, ddof=1) / np.sqrt(20), rtol=1e-12)
    np.testing.assert_allclose(found.mean, x.mean(axis=0), atol=1e-14)
    failed = Refit("f", None, None, np.nan, "no start converged")
    mixed = stability([*refits, failed], [19] * 19 + [18, 19], 20)
    assert (mixed.error, mixed.failed, mixed.combinations) == (None, 1, 20)
    with pytest.raises(ComputationError, match="1 of 2 combinations could be fitted: no start converged"):
        stability([refits[0], failed], [19, 19], 20)


def test_extra_errors_of_a_weight_file_enter_in_quadrature(tmp_path) -> None:
    (tmp_path / "old.weights").write_text(
        "/TOY/d01 1.0 extraerr=10%\n/TOY/d02:0:1 2.0 extraerr=0.3\n/TOY/d02:1:2 1.0\n"
    )
    scan = scan_of(np.ones((3, 4)), np.full((3, 4), 0.1))
    values, errors = np.array([5.0, -4.0, 2.0, 1.0]), np.array([0.2, 0.0, 0.4, 0.1])
    reference = Reference(Histograms(bins_of(4), values, errors, errors))
    found = match(scan, reference, read_weights(tmp_path / "old.weights"))
    np.testing.assert_allclose(found.measured.errors, [np.hypot(0.2, 0.5), 0.4, 0.5, 0.1])  # no error of its own: kept
    np.testing.assert_array_equal(found.measured.weights, [1, 1, 2, 1])
    assert found.excluded == ()
    assert any("3 bins" in note for note in found.notes)


def test_points_by_name(tmp_path) -> None:
    (tmp_path / "params.dat").write_text("b 0.5\nfixed 3\na 1.5\n")
    words = [str(tmp_path / "params.dat"), "a=2.5"]
    values = values_of_words(words, BOX)
    assert point_of(BOX, values).tolist() == [2.5, 0.5]
    for given, message in (
        (["a=2"], "no value is given for b"),
        (["a=2", "B=1"], "B: no such parameter; there are a, b"),
        (["a=x", "b=1"], "'x' is not a number"),
        (["a=4", "b=1"], r"a = 4 is outside the range \[1, 3\]"),
        (["nowhere.dat"], "neither NAME=VALUE nor a file"),
    ):
        with pytest.raises(InputError, match=message):
            point_of(BOX, values_of_words(given, BOX))
    assert point_of(BOX, {"a": 4.0, "b": 1.0}, extrapolate=True).tolist() == [4.0, 1.0]
    assert as_scan(constant_model(4, 5.0, 0.3)).values.tolist() == np.full((32, 4), 5.0).tolist()
