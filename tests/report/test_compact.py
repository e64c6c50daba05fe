"""Surrogates as polynomials: exact where they are polynomials, and as good as they say where they are not."""

import itertools
from dataclasses import dataclass

import numpy as np
import pytest

from sbitune.data.bins import Bins
from sbitune.data.errors import ComputationError, InputError
from sbitune.data.parameter import Parameter
from sbitune.data.scan import Scan
from sbitune.fitting.likelihood.protocols import Prediction
from sbitune.tuning.surrogates.forms.compact import compact
from sbitune.tuning.surrogates.polynomial.fit import fit_polynomial
from sbitune.tuning.surrogates.regression.basis import count_terms

BOX = (Parameter("a", 0.5, 2.0), Parameter("b", -1.0, 1.0))


@dataclass(frozen=True)
class Smooth:
    """Contents over four orders of magnitude, one that changes its sign and one that does not move."""

    parameters: tuple[Parameter, ...] = BOX

    def predict_many(self, theta: np.ndarray) -> Prediction:
        a, b = theta[:, :1], theta[:, 1:2]
        x = np.linspace(0, 4, 6)
        falling = np.exp(-a * x + 0.3 * np.sin(2 * b))
        mean = np.concatenate([falling, np.sin(2 * a) * b, np.full_like(a, 7.0)], axis=1)
        # an error of 0 is one, too
        error = np.concatenate([0.01 * falling * (1 + b**2), 0.02 + 0.01 * a, np.zeros_like(a)], axis=1)
        return Prediction(mean, error)


def inside(parameters: tuple[Parameter, ...], n: int) -> np.ndarray:
    """Random points of the box and its corners."""
    low, high = np.array([(p.low, p.high) for p in parameters]).T
    corners = list(itertools.product(*zip(low, high, strict=True)))
    return np.concatenate([np.random.default_rng(5).uniform(low, high, (n, len(low))), corners])


@pytest.fixture(scope="module")
def polynomial():
    random = np.random.default_rng(1)
    parameters = (*BOX, Parameter("c", 10, 30))
    theta = inside(parameters, 60)
    truth = 5 + theta @ random.normal(size=(3, 4)) + theta[:, :1] ** 2 * theta[:, 1:2] * random.normal(size=4)
    bins = Bins(np.full(4, "/toy"), np.arange(4), np.arange(4), np.arange(4) + 1)
    errors = np.full_like(truth, 0.1)
    values = truth + errors * random.normal(size=truth.shape)
    return fit_polynomial(Scan(parameters, theta, values, errors, bins, tuple(map(str, range(len(theta))))), 3)


def test_a_polynomial_comes_back_to_rounding(polynomial) -> None:
    found = compact(polynomial, tolerance=1e-9)
    assert found.order == 3
    assert not found.log.any()
    assert found.coefficients.shape == (count_terms(3, 3), 4)
    theta = inside(polynomial.parameters, 500)
    mean, error = polynomial.predict_many(theta)
    np.testing.assert_allclose(found.predict_many(theta).mean, mean, rtol=0, atol=1e-12 * np.abs(mean).max())
    np.testing.assert_allclose(found.coefficients, polynomial.coefficients, atol=1e-12 * np.abs(mean).max())
    # the error is the root of a polynomial: not exact, but as close as it is said to be
    off = found.predict_many(theta[:500]).error / error[:500] - 1
    assert np.sqrt(np.mean(off**2)) == pytest.approx(found.typical_error, rel=0.3)
    assert found.typical_error < 0.05


def test_it_is_as_good_as_it_says_where_it_has_not_looked() -> None:
    unit = np.array([0.02, 0.01, 0.005, 1e-3, 5e-4, 2e-4, 0.05, 0.1])
    found = compact(Smooth(), unit=unit, seed=3)
    assert 0 < found.worst <= 0.1
    theta = inside(BOX, 4000)
    mean = Smooth().predict_many(theta).mean
    off = np.abs(found.predict_many(theta).mean - mean) / unit
    # the greatest of 1028 checked points is nearly the greatest of all
    assert off.max() < 1.5 * found.worst
    assert np.sqrt(np.mean(off**2)) == pytest.approx(found.typical, rel=0.3)
    assert found.log[:6].any()
    assert not found.log[6:].any()
    np.testing.assert_allclose(found.predict_many(theta).mean[:, 7], 7.0, rtol=1e-13)
    assert found.predict_many(theta).error[:, 7].max() < 1e-8


def test_a_smaller_tolerance_raises_the_order_and_is_met() -> None:
    found = [compact(Smooth(), unit=np.full(8, 0.01), tolerance=t) for t in (1.0, 0.1, 1e-4)]
    assert [f.order for f in found] == sorted({f.order for f in found})
    assert all(f.worst <= t for f, t in zip(found, (1.0, 0.1, 1e-4), strict=True))


def test_it_is_right_at_the_anchor_however_coarse() -> None:
    tune = np.array([1.234, 0.567])
    coarse = compact(Smooth(), unit=np.full(8, 1e-3), anchor=tune, max_numbers=50)
    assert coarse.order == 1
    assert coarse.worst > 1
    mean, error = Smooth().predict_many(tune[None])
    found = coarse.predict_many(tune[None])
    np.testing.assert_allclose(found.mean, mean, rtol=1e-12)
    np.testing.assert_allclose(found.error[:, :7], error[:, :7], rtol=1e-12)


def test_bins_are_chosen(polynomial) -> None:
    all_of, some = compact(polynomial, tolerance=1e-9), compact(polynomial, bins=np.array([2, 0]), tolerance=1e-9)
    np.testing.assert_allclose(some.coefficients, all_of.coefficients[:, [2, 0]], atol=1e-12)


def test_the_limit_of_size_holds() -> None:
    for limit in (60, 200, 500):
        found = compact(Smooth(), tolerance=1e-12, max_numbers=limit)
        assert found.coefficients.size + found.error_coefficients.size <= limit
    with pytest.raises(InputError, match="8 bins in 2 parameters need over 40 numbers"):
        compact(Smooth(), max_numbers=40)


def test_a_unit_that_is_not_positive_is_refused() -> None:
    with pytest.raises(InputError, match="must be positive"):
        compact(Smooth(), unit=np.array([1, 1, 1, 0, 1, 1, 1, 1.0]))


def test_a_surrogate_that_is_not_finite_is_named_with_the_point() -> None:
    class Broken(Smooth):
        def predict_many(self, theta: np.ndarray) -> Prediction:
            mean, error = super().predict_many(theta)
            return Prediction(np.where(theta[:, :1] > 1.9, np.nan, mean), error)

    with pytest.raises(ComputationError, match=r"not finite for a = (1\.9\d*|2), b = "):
        compact(Broken())
