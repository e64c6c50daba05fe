"""Calibration of log ratios: what is right is left, what is wrong is mended, and what events cannot tell is refused."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from sbitune.data.errors import InputError
from sbitune.data.storage.arrays import read_arrays, write_arrays
from sbitune.learning.calibration.curve import calibration_curve
from sbitune.learning.calibration.kinds import KINDS, calibrate, stored_calibration

APART = 1.5


def draw(seed: int, n: int, negative: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Exact log ratios, labels and weights of events of N(0, 1) and N(1.5, 1), some of weight -1."""
    random = np.random.default_rng(seed)
    label = np.arange(n) % 2
    log_ratio = APART * (random.normal(size=n) + APART * label) - APART**2 / 2
    return log_ratio, label, np.where(random.random(n) < negative, -1.0, 1.0)


def distort(log_ratio: np.ndarray) -> np.ndarray:
    """A rising function of it, whose mean ratio is 2.8."""
    return 1.4 * log_ratio + 0.3 + 0.3 * np.sin(log_ratio)


def rms(x: Any) -> float:
    return float(np.sqrt(np.mean(np.asarray(x) ** 2)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("negative", [0.0, 0.2])
def test_a_distorted_ratio_is_mended(kind: str, negative: float) -> None:
    log_ratio, label, weights = draw(1, 40000, negative)
    calibration = calibrate(kind, distort(log_ratio), label, weights)
    exact, of, _ = draw(2, 40000)
    found = np.asarray(calibration(distort(exact)))
    assert rms(distort(exact) - exact) > 0.6
    assert rms(found - exact) < 0.2
    # r has a variance of exp(1.5^2) - 1 over class 0
    error = np.sqrt((np.exp(APART**2) - 1) / 20000)
    assert np.exp(found[of == 0]).mean() == pytest.approx(1, abs=4 * 1.5 * error)
    own = np.exp(np.asarray(calibration(distort(log_ratio)), np.float64))
    assert np.sum(own * weights * (label == 0)) == pytest.approx(np.sum(weights * (label == 0)), rel=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_weights_of_events_count_as_repeated_events_do(kind: str) -> None:
    log_ratio, label, _ = draw(3, 3000)
    repeats = 1 + np.arange(3000) // 2 % 2
    drawn = [np.repeat(array, repeats) for array in (log_ratio, label)]
    weighted = calibrate(kind, distort(log_ratio), label, repeats, **_few_bins(kind))
    at = np.linspace(-3, 3, 7)
    # bins are closed when effective events are enough, of which repeated ones have more
    np.testing.assert_allclose(
        weighted(at), calibrate(kind, distort(drawn[0]), drawn[1], **_few_bins(kind))(at), atol=0.1
    )
    # and of a class with ten times the weight the ratio is the same
    tenfold = calibrate(kind, distort(log_ratio), label, repeats * (1 + 9.0 * label), **_few_bins(kind))
    np.testing.assert_allclose(tenfold(at), weighted(at), rtol=1e-5, atol=1e-5)


def _few_bins(kind: str) -> dict[str, int]:
    return {"n_bins": 10} if kind == "histogram" else {}


def test_isotonic_ratios_rise_and_are_never_nothing_or_infinite() -> None:
    log_ratio, label, _ = draw(4, 2000)
    calibration = calibrate("isotonic", log_ratio, label)
    at = np.linspace(-1e6, 1e6, 20001)
    found = np.asarray(calibration(np.concatenate([at, np.linspace(-8, 8, 500)])))
    assert np.isfinite(found).all()
    assert (np.diff(found[-500:]) >= 0).all()
    # the outermost blocks have ten events of either class of 1000
    assert np.log(10 / 1000) - 1 < found.min() < found.max() < np.log(1000 / 10) + 1


def test_the_shift_of_a_bin_is_the_log_of_the_ratio_of_its_classes() -> None:
    """Two log ratios only: 100 and 300 events of class 1, 200 and 100 of class 0."""
    log_ratio = np.repeat([-1.0, 0.5, -1.0, 0.5], [100, 300, 200, 100])
    label = np.repeat([1, 0], [400, 300])
    exact = [np.log(0.25 / (2 / 3)), np.log(0.75 / (1 / 3))]
    for kind in KINDS:
        calibration = calibrate(kind, log_ratio, label, **({"n_bins": 3} if kind == "histogram" else {}))
        np.testing.assert_allclose(calibration(np.array([-1.0, 0.5])), exact, rtol=1e-5)
    histogram: Any = calibrate("histogram", log_ratio, label, n_bins=3)
    np.testing.assert_allclose(histogram.errors, [np.sqrt(1 / 100 + 1 / 200), np.sqrt(1 / 300 + 1 / 100)])
    # beyond the bins the learned log ratio goes on
    np.testing.assert_allclose(histogram(3.5) - histogram(0.5), 3, rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_calibrations_are_pytrees_and_come_back_from_files(kind: str, tmp_path: Path) -> None:
    log_ratio, label, _ = draw(5, 4000)
    calibration = calibrate(kind, log_ratio, label)
    at = jnp.linspace(-5, 5, 11)
    expected = calibration(at)
    np.testing.assert_allclose(jax.jit(lambda c, s: c(s))(calibration, at), expected, rtol=1e-5)
    write_arrays(tmp_path / "c.npz", calibration.arrays())
    back = stored_calibration(kind, "c.npz", read_arrays(tmp_path / "c.npz", "calibration"))
    np.testing.assert_array_equal(back(at), expected)
    with pytest.raises(InputError, match=r"c.npz: the array 'calibration_\w+' is missing"):
        stored_calibration(kind, "c.npz", {"calibration_nodes": np.zeros(3)})


@pytest.mark.parametrize("negative", [0.0, 0.1])
def test_p_values_of_exact_ratios_are_uniform_and_the_curve_is_within_errors(negative: float) -> None:
    curves = [calibration_curve(*draw(100 + i, 1000, negative), n_bins=6) for i in range(200)]
    assert stats.kstest([curve.p_value for curve in curves], "uniform").pvalue > 0.01
    pulls = np.concatenate([curve.pulls for curve in curves])
    assert pulls.std() == pytest.approx(1, abs=4 / np.sqrt(2 * len(pulls)))
    ratios = np.array([(curve.mean_ratio - 1) / curve.mean_ratio_error for curve in curves])
    assert abs(np.median(ratios)) < 0.5


def test_a_wrong_ratio_is_seen_by_its_curve() -> None:
    log_ratio, label, _ = draw(7, 4000)
    curve = calibration_curve(distort(log_ratio), label)
    assert curve.p_value < 1e-6
    assert curve.mean_ratio > 2
    assert (curve.pulls[:3] > 2).any()  # too small where it is small
    mended = calibration_curve(calibrate("histogram", distort(log_ratio), label)(distort(log_ratio)), label)
    assert mended.chi2 < 20


def test_what_events_cannot_tell_is_refused() -> None:
    log_ratio, label, weights = draw(8, 300)
    with pytest.raises(InputError, match=r"fill \d of 30 bins with 10 effective events .* at most \d+ bins") as caught:
        calibrate("histogram", log_ratio, label)
    assert caught.value.code == "calibration-few-events"
    with pytest.raises(InputError, match="46 effective events of class 1 and 54 of class 0, at least 100 of each"):
        calibrate("isotonic", log_ratio[:100], np.arange(100) >= 54)
    with pytest.raises(InputError, match="does not rise"):
        calibrate("isotonic", -log_ratio, label)
    with pytest.raises(InputError, match="fewer bins"):
        calibration_curve(log_ratio, label, n_bins=40)
    weights = np.where((log_ratio > 1) & (label == 0) & (np.arange(300) % 3 > 0), -1.0, 1.0)
    with pytest.raises(
        InputError, match=r"weights of class 0 sum to -[\d.]+ of all of it where the log ratio"
    ) as caught:
        calibration_curve(log_ratio, label, weights, n_bins=5)
    assert caught.value.code == "calibration-negative-bin"
    faults = [
        ((np.where(np.arange(300) == 7, np.inf, log_ratio), label), "log ratio of event 7 is inf"),
        ((log_ratio, label * 2), "label of event 1 is 2, expected 0 or 1"),
        ((log_ratio, np.zeros(300)), "weights of class 1 sum to 0"),
        ((log_ratio, label, np.ones(3)), r"shapes \(300,\), \(300,\) and \(3,\)"),
    ]
    for given, words in faults:
        with pytest.raises(InputError, match=words) as caught:
            calibrate("isotonic", *given)
        assert caught.value.code == "calibration-no-ratio"
    with pytest.raises(InputError, match="no kind 'isotone'; the nearest are isotonic"):
        calibrate("isotone", log_ratio, label)
