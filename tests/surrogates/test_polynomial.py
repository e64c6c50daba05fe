from dataclasses import replace
from math import comb

import jax
import numpy as np
import pytest
from helpers.faults import refused
from scipy.special import eval_legendre

from sbitune.data.errors import InputError
from sbitune.tuning.surrogates.heldout.evaluation import evaluate
from sbitune.tuning.surrogates.polynomial.fit import fit_polynomial
from sbitune.tuning.surrogates.regression.basis import count_terms, evaluate_basis, list_exponents


def cubic(theta: np.ndarray) -> list[float]:
    a, b = theta[0] - 1, (theta[1] - 15) / 5
    return [2 + a - 3 * b + a * b**2 - a**3, 0.0 * a + 7, 1e4 * b**3]


@pytest.mark.parametrize(("n", "order"), [(1, 0), (1, 5), (3, 2), (8, 3)])
def test_the_basis_holds_every_product_up_to_the_order_once(n: int, order: int) -> None:
    exponents = list_exponents(n, order)
    assert len(exponents) == len({tuple(row) for row in exponents}) == count_terms(n, order) == comb(n + order, order)
    assert exponents.sum(axis=1).max() == order
    assert exponents[0].tolist() == [0] * n


def test_the_basis_is_made_of_legendre_polynomials() -> None:
    unit = np.random.default_rng(1).uniform(-1.2, 1.2, (5, 2))
    exponents = list_exponents(2, 4)
    expected = np.prod([eval_legendre(exponents[:, j], unit[:, j, None]) for j in range(2)], axis=0)
    np.testing.assert_allclose(evaluate_basis(unit, exponents), expected, atol=1e-14)


@pytest.mark.parametrize("order", [3, 4])
def test_a_polynomial_is_reproduced(make_scan, order: int) -> None:
    scan = make_scan(cubic, 60, 0.0)
    surrogate = fit_polynomial(replace(scan, errors=np.full_like(scan.values, 0.1)), order, shrinkage=False)
    new = make_scan(cubic, 40, 0.0, seed=2)
    np.testing.assert_allclose(surrogate.predict_many(new.theta).mean, new.values, rtol=1e-10, atol=1e-10)
    assert surrogate.chi2.max() < 1e-12
    assert (surrogate.tau == 0).all()


def test_the_errors_of_the_coefficients_are_those_of_least_squares(make_scan) -> None:
    scan = make_scan(cubic, 200, 0.3)
    surrogate = fit_polynomial(scan, 3, shrinkage=False)
    design = evaluate_basis(scan.unit(), list_exponents(2, 3))
    covariance = np.linalg.inv(design.T @ design) * 0.3**2
    new = evaluate_basis(scan.unit()[:5], list_exponents(2, 3))
    expected = np.sqrt(np.einsum("nt,tu,nu->n", new, covariance, new))
    # a bin whose chi2 exceeds ndf by more than 1.5 standard deviations has a lack of fit, too
    described = surrogate.tau == 0
    np.testing.assert_array_equal(described, surrogate.chi2 <= surrogate.ndf + 1.5 * np.sqrt(2 * surrogate.ndf))
    assert described.sum() >= 2
    error = surrogate.predict_many(scan.theta[:5]).error
    np.testing.assert_allclose(error[:, described], np.repeat(expected[:, None], described.sum(), axis=1), rtol=1e-9)


def test_quoted_errors_cover(make_scan) -> None:
    """Pulls of predictions against the truth have width 1: 200 toys in independent bins, at 8 points each."""
    n_toys = 200
    scan = make_scan(lambda theta: np.full(n_toys, cubic(theta)[0]), 60, 0.2)
    new = make_scan(lambda theta: np.full(n_toys, cubic(theta)[0]), 8, 0.0, seed=2)
    mean, error = fit_polynomial(scan, 3).predict_many(new.theta)
    pulls = (mean - new.values) / error
    of_toy = np.mean(pulls**2, axis=0)
    # errors of the coefficients are not widened by chi2; one toy in 15 has a tau by chance
    tolerance = 4 * of_toy.std(ddof=1) / np.sqrt(n_toys)
    assert of_toy.mean() == pytest.approx(1 - 0.03, abs=tolerance)


def test_the_error_counts_what_the_polynomial_misses(make_scan) -> None:
    """A line through a cubic wave, with many runs: the error of the coefficients vanishes, the miss does not."""

    def wave(theta: np.ndarray) -> list[float]:
        return [np.sin(3 * theta[0]), theta[0]]

    surrogate = fit_polynomial(make_scan(wave, 2000, 0.01), 1)
    new = make_scan(wave, 2000, 0.01, seed=2)
    mean = surrogate.predict_many(new.theta).mean
    miss = np.sqrt(np.mean((mean - new.values)[:, 0] ** 2))
    assert surrogate.tau[0] == pytest.approx(miss, rel=0.1)
    assert surrogate.tau[1] == 0
    width = evaluate(surrogate, new).pull_width_of_bin
    assert width[0] == pytest.approx(1, abs=0.1)
    assert width[1] == pytest.approx(1, abs=4 / np.sqrt(2 * 2000))
    assert evaluate(surrogate, new).rms_pull_of_bin[0] > 20


def test_bins_without_errors_are_fitted_and_scaled_by_their_residuals(make_scan) -> None:
    scan = make_scan(lambda theta: [theta[0], 3.0], 100, np.array([0.5, 0.0]))
    surrogate = fit_polynomial(replace(scan, errors=np.zeros_like(scan.errors)), 1)
    mean, error = surrogate.predict_many(scan.theta)
    honest = fit_polynomial(scan, 1).predict_many(scan.theta).error
    # chi2/ndf of 97 degrees of freedom scatters by sqrt(2 / 97)
    np.testing.assert_allclose(error[:, 0], honest[:, 0], rtol=4 * np.sqrt(2 / 97) / 2)
    np.testing.assert_allclose(mean[:, 1], 3.0, rtol=1e-14)
    assert error[:, 1].max() < 1e-13


def test_logarithms_reproduce_an_exponential_and_stay_positive(make_scan) -> None:
    scan = make_scan(lambda theta: [np.exp(3 * theta[0] - theta[1] / 5), theta[0] - 1], 40, 1e-9)
    surrogate = fit_polynomial(scan, 1, "log")
    assert surrogate.log.tolist() == [True, False]
    np.testing.assert_allclose(surrogate.predict_many(scan.theta).mean, scan.values, rtol=1e-7, atol=1e-7)
    relative = fit_polynomial(replace(scan, errors=0.01 * abs(scan.values)), 1, "log").predict_many(scan.theta)
    assert (relative.mean[:, 0] > 0).all()
    assert (relative.error[:, 0] / relative.mean[:, 0]).max() < 0.01


def test_jax_and_numpy_predict_alike_in_the_precision_of_the_input(make_scan) -> None:
    surrogate = fit_polynomial(make_scan(cubic, 60, 0.1), 3, "log")
    theta = np.array([0.3, 17.0])
    exact = surrogate.predict_many(theta[None])
    single = jax.jit(surrogate.predict)(theta)
    assert single.mean.dtype == np.float32
    np.testing.assert_allclose(single.mean, exact.mean[0], rtol=1e-4, atol=1e-4)
    with jax.enable_x64(True):
        double = jax.jit(surrogate.predict)(theta)
        slope = jax.jit(jax.jacfwd(lambda t: surrogate.predict(t).mean))(theta)
    assert double.mean.dtype == np.float64
    np.testing.assert_allclose(double.mean, exact.mean[0], rtol=1e-12)
    np.testing.assert_allclose(double.error, exact.error[0], rtol=1e-12)
    step = np.array([1e-5, 0.0])
    ends = surrogate.predict_many([theta + step, theta - step]).mean
    np.testing.assert_allclose(slope[:, 0], (ends[0] - ends[1]) / 2e-5, rtol=1e-6, atol=1e-4)


def test_the_gradient_of_a_vanishing_error_is_finite(make_scan) -> None:
    scan = make_scan(lambda theta: [3.0], 20, 0.0)
    surrogate = fit_polynomial(scan, 0)
    surrogate = replace(surrogate, factor=np.zeros_like(surrogate.factor))
    slope = jax.jit(jax.grad(lambda t: surrogate.predict(t).error[0]))(np.array([1.0, 12.0], np.float32))
    assert slope.tolist() == [0, 0]


def test_too_few_runs_are_refused_with_the_number_needed(make_scan) -> None:
    with pytest.raises(InputError, match="order 3 in 2 parameters needs at least 11 runs, the scan has 10"):
        fit_polynomial(make_scan(cubic, 10, 0.1), 3)
    assert fit_polynomial(make_scan(cubic, 11, 0.1), 3).ndf == 1
    with pytest.raises(InputError, match="order -1"):
        fit_polynomial(make_scan(cubic, 10, 0.1), -1)


def test_runs_on_a_line_are_refused(make_scan) -> None:
    scan = make_scan(cubic, 30, 0.1)
    flat = replace(scan, theta=np.column_stack([scan.theta[:, 0], np.full(30, 15.0)]))
    with refused("surrogate-undetermined", "order 1"):
        fit_polynomial(flat, 1)


def test_blocks_of_bins_give_the_same_fit(make_scan, monkeypatch: pytest.MonkeyPatch) -> None:
    scan = make_scan(cubic, 60, 0.1)
    whole = fit_polynomial(scan, 3).predict_many(scan.theta)
    monkeypatch.setattr("sbitune.tuning.surrogates.polynomial.fit.BLOCK_NUMBERS", 1)
    parts = fit_polynomial(scan, 3).predict_many(scan.theta)
    np.testing.assert_allclose(parts.mean, whole.mean, rtol=1e-10)
    np.testing.assert_allclose(parts.error, whole.error, rtol=1e-10)


def test_shrinkage_takes_the_noise_out_of_terms_that_are_not_there(make_scan) -> None:
    def line(theta: np.ndarray) -> list[float]:
        return [theta[0] + 0.1 * theta[1]] * 40

    scan, new = make_scan(line, 80, 0.3), make_scan(line, 200, 0.0, seed=2)
    plain, shrunk = (fit_polynomial(scan, 4, shrinkage=on).predict_many(new.theta) for on in (False, True))
    off = [np.sqrt(np.mean((found.mean - new.values) ** 2)) for found in (plain, shrunk)]
    # 15 terms, of which 3 are there: the variance of the prediction falls towards 3/15
    assert off[1] < 0.65 * off[0]
    # 40 bins x some 5 independent places: the width of the pulls has an error of about 1/sqrt(400)
    pulls = (shrunk.mean - new.values) / shrunk.error
    assert np.sqrt(np.mean(pulls**2)) == pytest.approx(1.0, abs=0.25)


def test_shrinkage_leaves_what_the_runs_determine(make_scan) -> None:
    scan, new = make_scan(cubic, 300, 0.01), make_scan(cubic, 50, 0.0, seed=2)
    plain, shrunk = (fit_polynomial(scan, 3, shrinkage=on).predict_many(new.theta) for on in (False, True))
    off = [np.sqrt(np.mean((found.mean - new.values) ** 2)) for found in (plain, shrunk)]
    assert off[1] < 1.05 * off[0]
