"""ipol.dat as a surrogate, and surrogates as ipol.dat: exact where both are polynomials."""

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sbitune.data.bins import Bins
from sbitune.data.formats.ipol import Interpolation, Polynomial, exponents, monomials, write_ipol
from sbitune.data.formats.ipol_reader import read_ipol
from sbitune.data.parameter import Parameter
from sbitune.data.scan import Scan
from sbitune.fitting.config import FitConfig
from sbitune.fitting.likelihood.measured import Measured
from sbitune.fitting.likelihood.problem import BinnedProblem
from sbitune.fitting.minimise.minimiser import fit
from sbitune.tuning.surrogates.gaussian.config import GaussianConfig
from sbitune.tuning.surrogates.ipol.export import legendre_to_monomials, to_ipol
from sbitune.tuning.surrogates.ipol.surrogate import IpolSurrogate
from sbitune.tuning.surrogates.polynomial.config import PolynomialConfig
from sbitune.tuning.surrogates.regression.basis import count_terms, evaluate_basis, list_exponents
from sbitune.tuning.surrogates.storage import load_with_runs, save_surrogate
from sbitune.tuning.surrogates.training import train

BOX = (Parameter("Shower:alphaS", 0.5, 2.0), Parameter("String:sigma", -3.0, 5.0))
LOW, HIGH = np.array([(p.low, p.high) for p in BOX]).T


def bins_of(n: int) -> Bins:
    return Bins(np.full(n, "/TOY/d01-x01-y01"), np.arange(n), np.arange(n), np.arange(n) + 1)


def random_interpolation(orders: list[int], error_orders: list[int], seed: int = 1) -> Interpolation:
    """Bins of several orders; the last has a box of its own."""
    random = np.random.default_rng(seed)

    def polynomial(i: int, order: int, size: float) -> Polynomial:
        low = LOW - 0.25 if i == len(orders) - 1 else LOW
        return Polynomial(order, size * random.normal(size=count_terms(2, order)), low, HIGH)

    value = tuple(polynomial(i, order, 1.0) for i, order in enumerate(orders))
    error = tuple(polynomial(i, order, 0.1) for i, order in enumerate(error_orders))
    return Interpolation(BOX, bins_of(len(orders)), value, error, ("0000", "0001"))


def test_it_predicts_what_professor_evaluates() -> None:
    interpolation = random_interpolation([3, 1, 0, 3], [2, 2, 1, 0])
    surrogate = IpolSurrogate(interpolation)
    theta = np.random.default_rng(2).uniform(LOW, HIGH, (50, 2))
    values, errors = interpolation.evaluate(theta)
    assert (errors == 0).any()  # negative polynomials of errors count as 0
    many = surrogate.predict_many(theta)
    np.testing.assert_array_equal(many.mean, values)
    with jax.enable_x64(True):
        mean, error = jax.jit(jax.vmap(surrogate.predict))(theta)
        covariance = surrogate.covariance(theta[0], np.array([1, 3]))
        slope = jax.jacfwd(lambda at: surrogate.predict(at).mean)(LOW)  # at a corner powers are those of 0
    np.testing.assert_allclose(mean, values, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(error, errors, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(covariance, np.diag(errors[0, [1, 3]] ** 2), rtol=1e-12)
    step = 1e-6 * np.eye(2)
    difference = (interpolation.evaluate(LOW + step)[0] - interpolation.evaluate(LOW - step)[0]) / 2e-6
    np.testing.assert_allclose(slope, difference.T, rtol=1e-6, atol=1e-7)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 4), st.integers(0, 6), st.integers(0, 10**6))
def test_legendre_products_become_monomials_exactly(n: int, order: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    legendre, u = random.normal(size=count_terms(n, order)), random.uniform(size=(20, n))
    one = evaluate_basis(2 * u - 1, list_exponents(n, order)) @ legendre
    other = monomials(u, order) @ legendre_to_monomials(n, order) @ legendre
    # coefficients of P_6(2u - 1) reach 3000 in one parameter and cancel: their product bounds the rounding
    largest = np.abs(legendre_to_monomials(n, order)).max()
    np.testing.assert_allclose(one, other, rtol=0, atol=1e-13 * largest * len(legendre))
    assert len(exponents(n, order)) == len(legendre)


def scan_of(function, noise: float, runs: int = 120, seed: int = 3) -> Scan:
    random = np.random.default_rng(seed)
    theta = random.uniform(LOW, HIGH, (runs, 2))
    exact = np.array([function(*point) for point in theta])
    errors = np.full_like(exact, noise)
    values = exact + errors * random.normal(size=exact.shape)
    return Scan(BOX, theta, values, errors, bins_of(exact.shape[1]), tuple(f"{i:04d}" for i in range(runs)))


def falling(a: float, b: float) -> list[float]:
    return [np.exp(-a * x) * (5 + b) + x for x in np.linspace(0, 2, 12)]


@pytest.mark.parametrize("components", [True, False])
@pytest.mark.parametrize("order", [1, 3])
def test_a_polynomial_surrogate_becomes_ipol_exactly(order: int, components: bool, tmp_path) -> None:
    scan = scan_of(falling, 0.05)
    surrogate = train(jax.random.key(1), scan, PolynomialConfig(order=order, components=components))
    interpolation, accuracy = to_ipol(surrogate, scan.runs)
    assert (accuracy.exact, accuracy.order, accuracy.worst) == (True, order, 0.0)
    write_ipol(tmp_path / "ipol.dat", interpolation)
    back = read_ipol(tmp_path / "ipol.dat")
    assert back.runs == scan.runs
    theta = np.random.default_rng(5).uniform(LOW, HIGH, (200, 2))
    mine, theirs = surrogate.predict_many(theta), IpolSurrogate(back).predict_many(theta)
    np.testing.assert_allclose(theirs.mean, mine.mean, rtol=1e-11)
    off = theirs.error / mine.error - 1
    # the rms at these points is that which was quoted, up to their number
    assert np.sqrt(np.mean(off**2)) == pytest.approx(accuracy.typical_error, rel=0.5)
    assert np.abs(off).max() < 1.5 * accuracy.worst_error


def test_the_header_has_the_runs_as_far_as_the_format_can_hold_them(tmp_path) -> None:
    scan = scan_of(falling, 0.05)
    surrogate = train(jax.random.key(1), scan, PolynomialConfig(order=1))
    save_surrogate(tmp_path / "s.npz", surrogate, scan.runs)
    assert load_with_runs(tmp_path / "s.npz")[1] == scan.runs

    def header(runs: tuple[str, ...]) -> list[str]:
        write_ipol(tmp_path / "ipol.dat", to_ipol(surrogate, runs)[0])
        lines = (tmp_path / "ipol.dat").read_text().partition("---")[0].splitlines()
        return [line for line in lines if line.startswith(("NumInputs", "Runs"))]

    assert header(("0000", "1/0001")) == ["NumInputs: 2", "Runs: 0000 1/0001"]
    # the number alone where names cannot be held, and no 0 where nobody knows
    assert header(("first run", "0001", "#3")) == ["NumInputs: 3"]
    save_surrogate(tmp_path / "unknown.npz", surrogate)
    assert header(load_with_runs(tmp_path / "unknown.npz")[1]) == []


def test_others_are_projected_and_it_is_said_how_well() -> None:
    surrogate = train(jax.random.key(1), scan_of(falling, 0.05), GaussianConfig())
    interpolation, accuracy = to_ipol(surrogate)
    assert not accuracy.exact
    theta = np.random.default_rng(5).uniform(LOW, HIGH, (300, 2))
    mine, theirs = surrogate.predict_many(theta), interpolation.evaluate(theta)[0]
    off = np.abs(theirs - mine.mean) / mine.error
    assert 0 < off.max() < 1.5 * accuracy.worst
    assert accuracy.worst < 0.5
    assert np.sqrt(np.mean(off**2)) < 2 * accuracy.typical
    assert "as rms" in accuracy.note
    again, same = to_ipol(IpolSurrogate(interpolation))
    assert again is interpolation
    assert same.exact


def test_a_fit_of_an_ipol_is_the_closed_form_of_a_line() -> None:
    random = np.random.default_rng(8)
    n = 30
    coefficients = random.normal(size=(n, 3))
    value = tuple(Polynomial(1, row, LOW, HIGH) for row in coefficients)
    error = tuple(Polynomial(0, np.array([0.03]), LOW, HIGH) for _ in range(n))
    surrogate = IpolSurrogate(Interpolation(BOX, bins_of(n), value, error))
    u = np.array([0.4, 0.6])
    data = coefficients @ [1, *u] + 0.05 * random.normal(size=n)
    measured = Measured(np.arange(n), bins_of(n), data, np.full(n, 0.04), np.zeros((0, n)), np.ones(n))
    tune = fit(BinnedProblem(surrogate, measured), FitConfig(starts=2, minos=False))
    design = coefficients[:, 1:]
    best = np.linalg.lstsq(design, data - coefficients[:, 0], rcond=None)[0]
    np.testing.assert_allclose(tune.values, LOW + best * (HIGH - LOW), rtol=1e-5)
    covariance = np.linalg.inv(design.T @ design) * 0.05**2  # 0.03 of the file and 0.04 of the data
    np.testing.assert_allclose(tune.errors, np.sqrt(np.diag(covariance)) * (HIGH - LOW), rtol=1e-3)
