from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.faults import refused
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from sbitune.data.errors import ComputationError, InputError
from sbitune.fitting.likelihood.protocols import Prediction
from sbitune.tuning.surrogates.description import describe, in_words
from sbitune.tuning.surrogates.forms.compact import compact
from sbitune.tuning.surrogates.heldout.inflation import missing
from sbitune.tuning.surrogates.polynomial.fit import fit_polynomial
from sbitune.tuning.surrogates.rational.config import RationalConfig
from sbitune.tuning.surrogates.rational.fit import fit_rational
from sbitune.tuning.surrogates.rational.orders import choose_orders
from sbitune.tuning.surrogates.rational.positive import DELTA, bernstein_rows, least
from sbitune.tuning.surrogates.rational.surrogate import RationalSurrogate
from sbitune.tuning.surrogates.regression.basis import count_terms, evaluate_basis, list_exponents
from sbitune.tuning.surrogates.storage import load_surrogate, save_surrogate
from sbitune.tuning.surrogates.training import train

N_TOYS = 60
GRID = np.stack(np.meshgrid(*[np.linspace(-1, 1, 201)] * 2), axis=-1).reshape(-1, 2)


def scaled(theta: np.ndarray) -> tuple[float, float]:
    """The box of `make_scan` as [-1, 1]."""
    return theta[0] - 1, (theta[1] - 15) / 5


def steep(theta: np.ndarray) -> np.ndarray:
    """The same in all toys; infinite on a line 0.1/0.9 of the way from the corner (1, 1) outwards."""
    x, y = scaled(theta)
    return np.full(N_TOYS, (1 - 0.3 * x + 0.5 * y) / (1 - 0.6 * x - 0.3 * y))


def parabola(theta: np.ndarray) -> np.ndarray:
    x, y = scaled(theta)
    return np.full(N_TOYS, 3 + x - 0.5 * y + 0.3 * x * y)


def off(found: Prediction, truth: np.ndarray) -> float:
    return float(np.sqrt(np.mean((found.mean - truth) ** 2)))


def width(found: Prediction, truth: np.ndarray) -> float:
    return float(np.sqrt(np.mean(((found.mean - truth) / found.error) ** 2)))


@pytest.mark.parametrize(("n", "order"), [(1, 1), (1, 3), (2, 2), (3, 1), (3, 2)])
def test_bernstein_coefficients_are_those_of_the_denominator(n: int, order: int) -> None:
    random = np.random.default_rng(1)
    rows, b = bernstein_rows(n, order), random.normal(size=count_terms(n, order) - 1)
    degree = round(len(rows) ** (1 / n)) - 1
    x = random.uniform(-1, 1, (50, n))
    q = 1 + evaluate_basis(x, list_exponents(n, order))[:, 1:] @ b
    bernstein = np.ones((50, 1))
    for column in x.T:
        one = binom.pmf(np.arange(degree + 1), degree, (1 + column[:, None]) / 2)
        bernstein = (bernstein[:, :, None] * one[:, None, :]).reshape(50, -1)
    np.testing.assert_allclose(bernstein @ (1 + rows @ b), q, rtol=1e-12, atol=1e-12)
    assert least(rows, b[:, None])[0] <= q.min()


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(-0.6, 0.6), min_size=5, max_size=5))
def test_no_denominator_falls_below_its_bound(b: list[float]) -> None:
    values = 1 + evaluate_basis(GRID, list_exponents(2, 2))[:, 1:] @ np.array(b)
    bound = least(bernstein_rows(2, 2), np.array(b)[:, None])[0]
    assert bound <= values.min() + 1e-12
    straight = 1 + GRID @ np.array(b[:2])
    # of first order the bound is reached, in a corner
    assert least(bernstein_rows(2, 1), np.array(b[:2])[:, None])[0] == pytest.approx(straight.min(), abs=1e-12)


@pytest.mark.parametrize("orders", [(1, 1), (2, 1), (2, 2)])
def test_a_rational_function_is_found_where_polynomials_fail(make_scan, orders: tuple[int, int]) -> None:
    noise = 0.02
    scan, new = make_scan(steep, 80, noise), make_scan(steep, 50, 0.0, seed=2)
    surrogate = fit_rational(scan, *orders)
    found = surrogate.predict_many(new.theta)
    # 5 numbers are there to be learnt from 80 runs: the error is sqrt(5/80) = 0.25 of the noise and little more
    assert off(found, new.values) < 0.3 * noise
    # 10 terms, more than any of these
    assert off(fit_polynomial(scan, 3).predict_many(new.theta), new.values) > 10 * off(found, new.values)
    # 60 toys, each with 5 independent numbers: the width has an error of 1/sqrt(600) = 0.04
    assert width(found, new.values) == pytest.approx(1.0, abs=0.12)
    # chi2 exceeds ndf by more than a standard deviation in 16 % of 60 toys
    assert np.mean(surrogate.tau > 0) == pytest.approx(0.16, abs=4 * np.sqrt(0.16 * 0.84 / N_TOYS))
    assert np.mean(surrogate.chi2 / surrogate.ndf) == pytest.approx(1, abs=4 * np.sqrt(2 / 75 / N_TOYS))
    if orders == (1, 1):
        expected = np.tile([[-0.3], [-0.6]], (1, N_TOYS))  # terms of degree 1, the last parameter first
        np.testing.assert_allclose(surrogate.denominators, expected, atol=0.02)


def test_what_the_function_misses_counts_as_error(make_scan) -> None:
    def wavy(theta: np.ndarray) -> np.ndarray:
        x, y = scaled(theta)
        return 5 + np.sin(2.5 * x + np.linspace(0, 3, N_TOYS)) + 0.5 * y

    scan, new = make_scan(wavy, 120, 0.02), make_scan(wavy, 200, 0.0, seed=2)
    surrogate = fit_rational(scan, 2, 1)
    assert (surrogate.tau > 0.02).mean() > 0.9
    # 60 phases of one wave: some 10 independent shapes with 200 places
    assert width(surrogate.predict_many(new.theta), new.values) == pytest.approx(1.0, abs=0.25)


def pole_inside(theta: np.ndarray) -> list[float]:
    x, y = scaled(theta)
    return [1 / (x - 0.2 * y - 0.4), x / (0.1 + x**2 - 0.3 * y)]


@pytest.mark.parametrize("orders", [(1, 1), (2, 2), (3, 2)])
def test_poles_in_the_box_are_excluded(make_scan, orders: tuple[int, int]) -> None:
    scan = make_scan(pole_inside, 60, 0.05)
    unit, exponents = scan.unit(), [list_exponents(2, order) for order in orders]
    phi, psi = evaluate_basis(unit, exponents[0]), evaluate_basis(unit, exponents[1])[:, 1:]
    below = evaluate_basis(GRID, exponents[1])[:, 1:]
    for value in scan.values.T:  # p - y q = y, without a constraint
        b = np.linalg.lstsq(np.concatenate([phi, -value[:, None] * psi], axis=1), value, rcond=None)[0][phi.shape[1] :]
        assert (1 + below @ b).min() < 0 < (1 + below @ b).max()
    surrogate = fit_rational(scan, *orders)
    certified = surrogate.least_denominators()
    assert (certified >= DELTA).all()
    q = 1 + below @ surrogate.denominators
    assert (q.min(axis=0) >= certified - 1e-12).all()
    low, high = (np.array([getattr(p, end) for p in scan.parameters]) for end in ("low", "high"))
    found = surrogate.predict_many(low + (high - low) * (GRID + 1) / 2)
    assert np.isfinite(found.mean).all()
    assert np.isfinite(found.error).all()
    assert (surrogate.tau > 0).all()  # it cannot describe them, and says so


@pytest.mark.parametrize("orders", [(2, 1), (2, 2)])
def test_of_a_polynomial_the_denominator_vanishes_and_the_errors_stay(make_scan, orders: tuple[int, int]) -> None:
    scan, new = make_scan(parabola, 80, 0.02), make_scan(parabola, 200, 0.0, seed=2)
    surrogate = fit_rational(scan, *orders)
    found, plain = (model.predict_many(new.theta) for model in (surrogate, fit_polynomial(scan, 2)))
    assert np.sqrt(np.mean(surrogate.denominators**2)) < 0.05
    assert np.sqrt(np.mean(found.error**2)) == pytest.approx(np.sqrt(np.mean(plain.error**2)), rel=0.1)
    assert off(found, new.values) < 1.1 * off(plain, new.values)


def test_terms_that_runs_do_not_determine_leave_errors_as_they_are(make_scan) -> None:
    """Of a straight line numerator and denominator can have any common factor; of a constant, the more so."""

    def dull(theta: np.ndarray) -> np.ndarray:
        return np.repeat([scaled(theta)[0], 0.0], N_TOYS // 2)

    scan = make_scan(dull, 60, 0.5)
    corners = np.array([[a, b] for a in (0.0, 2.0) for b in (10.0, 20.0)])
    found, plain = (m.predict_many(corners) for m in (fit_rational(scan, 3, 2), fit_polynomial(scan, 3)))
    assert found.error.max() < 0.5 * 2  # least squares without shrinkage: up to 0.5
    assert np.sqrt(np.mean(found.error**2)) < 1.25 * np.sqrt(np.mean(plain.error**2))


def test_a_bin_without_monte_carlo_error_is_reproduced(make_scan) -> None:
    scan, new = (
        make_scan(lambda t: [steep(t)[0], 7.0], 60, 0.0),
        make_scan(lambda t: [steep(t)[0], 7.0], 30, 0.0, seed=2),
    )
    found = fit_rational(scan, 1, 1).predict_many(new.theta)
    np.testing.assert_allclose(found.mean, new.values, rtol=1e-5)
    assert found.error.max() < 1e-4
    assert (found.error[:, 1] == 0).all()


def test_jax_gradients_are_finite_differences_and_nothing_is_infinite_outside_the_box(make_scan) -> None:
    scan = make_scan(steep, 80, 0.02)
    surrogate = fit_rational(scan, 2, 1, "log", log_inputs=True)
    assert surrogate.log_inputs.tolist() == [True, False]
    for theta in (np.array([1.4, 17.0]), np.array([3.5, 30.0])):  # the second is beyond the pole
        with jax.enable_x64(True):
            slopes = jax.jit(jax.jacfwd(surrogate.predict))(theta)
        for j in range(2):
            step = 1e-6 * np.eye(2)[j]
            ends = [surrogate.predict_many((theta + sign * step)[None]) for sign in (1, -1)]
            for slope, up, down in zip(slopes, *ends, strict=True):
                assert np.isfinite(slope).all()
                np.testing.assert_allclose(slope[:, j], (up - down)[0] / 2e-6, rtol=1e-4, atol=1e-6)


def test_errors_are_those_of_their_directions(make_scan) -> None:
    scan = make_scan(steep, 80, 0.1)
    surrogate = fit_rational(scan, 2, 1)
    directions = surrogate.directions(scan.theta)
    variance = np.sum(directions**2, axis=-1).T + surrogate.tau**2
    np.testing.assert_allclose(np.sqrt(variance), surrogate.predict_many(scan.theta).error, rtol=1e-12)
    covariance = surrogate.covariance(scan.theta[0], jnp.arange(3))
    np.testing.assert_allclose(np.sqrt(np.diag(covariance)), np.sqrt(variance[0, :3]), rtol=1e-4)


def test_runs_outside_the_box_keep_their_denominators_positive(make_scan) -> None:
    scan = make_scan(pole_inside, 60, 0.05)
    theta = scan.theta.copy()
    theta[:5] = [2.3, 21.0]
    surrogate = fit_rational(replace(scan, theta=theta), 2, 2)
    outside = evaluate_basis(replace(scan, theta=theta).unit()[:5], list_exponents(2, 2))[:, 1:]
    assert (1 + outside @ surrogate.denominators).min() > 0


def test_orders_are_chosen_by_held_out_runs(make_scan) -> None:
    scan = make_scan(steep, 80, 0.02)
    choice = choose_orders(scan, "auto", "auto", seed=1)
    assert (choice.numerator, choice.denominator) == (1, 1)
    assert [s.n_terms for s in choice.scores] == sorted(s.n_terms for s in choice.scores)
    given_one = choose_orders(scan, 2, "auto", seed=1)
    assert {(s.numerator, s.denominator) for s in given_one.scores} == {(2, 1), (2, 2)}
    few = choose_orders(scan.take_runs(scan.runs[:15]), "auto", "auto", seed=1)
    assert {(s.numerator, s.denominator) for s in few.scores} == {(1, 1), (2, 1)}  # 5 and 8 terms, 10 runs
    with pytest.raises(InputError, match="too few for any rational function"):
        choose_orders(scan.take_runs(scan.runs[:6]), "auto", "auto", seed=1)


def test_runs_and_orders_that_do_not_do_are_refused(make_scan) -> None:
    scan = make_scan(steep, 30, 0.1)
    with pytest.raises(InputError, match="orders 3 and 2 in 2 parameters needs at least 16 runs, the scan has 15"):
        fit_rational(scan.take_runs(scan.runs[:15]), 3, 2)
    with pytest.raises(InputError, match="must be 0 or more"):
        fit_rational(scan, 1, -1)
    flat = replace(scan, theta=np.column_stack([scan.theta[:, 0], np.full(30, 15.0)]))
    with refused("surrogate-undetermined", "order 1"):
        fit_rational(flat, 1, 1)
    with pytest.raises(InputError, match="no zero in the box cannot be shown"):
        bernstein_rows(14, 1)


def test_a_prediction_that_is_not_finite_is_named(make_scan) -> None:
    scan = make_scan(steep, 30, 0.1)
    mean = scan.values.copy()
    mean[4, 2] = np.nan
    with pytest.raises(ComputationError, match=r"kind: rational\).*/toy.* in run 0004 is not finite"):
        missing(scan, Prediction(mean, scan.errors), "rational")


def test_trained_on_components_it_is_stored_described_and_made_compact(make_scan, tmp_path) -> None:
    scan = make_scan(lambda t: steep(t)[:12] * np.linspace(1, 2, 12) + t[0] * np.linspace(0, 1, 12), 100, 0.02)
    trained = train(jax.random.key(1), scan, RationalConfig(scale="linear"))
    about = describe(trained)
    assert about["kind"] == "rational"
    assert DELTA <= about["least_denominator"] <= 0.2  # 0.1 in the corner (1, 1)
    assert "no pole in the box" in in_words(about)
    save_surrogate(tmp_path / "s.npz", trained)
    back = load_surrogate(tmp_path / "s.npz")
    assert isinstance(back.inner, RationalSurrogate)
    assert back.inner.order == trained.inner.order
    assert back.predict_many(scan.theta).error.tobytes() == trained.predict_many(scan.theta).error.tobytes()
    # the pole is close: polynomials of the page need a high order, and near its corner miss by two of the noise
    page = compact(trained, unit=np.full(12, 0.02))
    assert page.worst < 2.5
    assert page.typical < 0.3
    assert page.order > 4
