"""Smoothed errors: they conserve what the runs quote, and remove the bias of weights that know the fluctuation."""

from dataclasses import replace

import numpy as np
import pytest

from sbitune.tuning.surrogates.polynomial.fit import fit_polynomial
from sbitune.tuning.surrogates.regression.noise import smooth_errors, smooth_variance


@pytest.fixture
def poisson(make_scan):
    """400 runs of 100 bins of Poisson counts, 5 to 20 expected, with the error sqrt(count) of each run."""

    def truth(theta: np.ndarray) -> np.ndarray:
        return np.full(100, 5 + 7.5 * theta[0])

    scan = make_scan(truth, 400, 0.0, n_parameters=1)
    counts = np.random.default_rng(3).poisson(scan.values).astype(float)
    return scan.values, replace(scan, values=counts, errors=np.sqrt(counts))


def test_the_smoothed_error_is_the_expected_one(poisson) -> None:
    expected, scan = poisson
    smooth = smooth_errors(scan)
    # three terms from 400 counts: the variance is known to sqrt(3 / (400 * 12)) = 2.5 % in the middle of the box
    ratio = smooth**2 / expected
    assert ratio.mean() == pytest.approx(1, abs=0.01)
    assert ratio.std() < 0.06


def test_the_sum_of_the_variances_is_conserved(poisson) -> None:
    _, scan = poisson
    # the ridge acts on the other terms only; clipping touches the extremes alone
    np.testing.assert_allclose((smooth_errors(scan) ** 2).sum(axis=0), (scan.errors**2).sum(axis=0), rtol=1e-3)


def test_weights_from_smoothed_errors_remove_the_bias(poisson) -> None:
    _, scan = poisson
    new = np.array([[0.4], [1.0], [1.6]])
    truth = 5 + 7.5 * new
    mean, error = fit_polynomial(scan, 1).predict_many(new)
    pulls = (mean - truth) / error
    # 100 independent bins: the mean pull scatters by 0.1, the mean squared one by sqrt(2 / 100)
    assert np.abs(pulls.mean(axis=1)).max() < 0.4
    assert np.mean(pulls**2) == pytest.approx(1, abs=4 * np.sqrt(2 / 100))

    raw = np.maximum(scan.errors, 1.0)  # the usual cure for empty bins
    design = np.column_stack([np.ones(400), scan.theta[:, 0]])
    biased = np.array(
        [
            np.linalg.lstsq(design / raw[:, b, None], scan.values[:, b] / raw[:, b], rcond=None)[0] @ [1, 1.0]
            for b in range(100)
        ]
    )
    # with each run's own error the fit is low by about one count, many of its errors
    assert np.mean(biased - truth[1]) == pytest.approx(-1.0, abs=0.25)
    assert np.mean((biased - truth[1]) / error[1]) < -3


def test_empty_bins_get_an_error_and_unknown_ones_stay_zero() -> None:
    unit = np.linspace(-1, 1, 40)[:, None]
    variance = np.column_stack([np.where(unit[:, 0] < 0, 0.0, 4.0), np.zeros(40), np.full(40, 9.0)])
    smooth = smooth_variance(unit, variance)
    assert (smooth[:, 0] > 0).all()
    assert (smooth[:, 1] == 0).all()
    np.testing.assert_allclose(smooth[:, 2], 9.0, rtol=1e-6)


def test_few_runs_are_averaged() -> None:
    unit = np.random.default_rng(1).uniform(-1, 1, (10, 8))
    variance = np.random.default_rng(2).uniform(1, 2, (10, 3))
    np.testing.assert_allclose(smooth_variance(unit, variance), np.tile(variance.mean(axis=0), (10, 1)), rtol=1e-6)


def test_an_exponential_variance_is_recovered() -> None:
    unit = np.random.default_rng(1).uniform(-1, 1, (300, 2))
    variance = np.exp(3 * unit[:, :1] - unit[:, 1:] + unit[:, :1] ** 2)
    np.testing.assert_allclose(smooth_variance(unit, variance), variance, rtol=0.05)
