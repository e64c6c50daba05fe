"""The compression loses nothing of a linear model, keeps weak parameters, and its noise is what it says."""

import jax
import numpy as np
import pytest
from helpers.lineartoy import make_bins, make_toy, measure

from sbitune.data.errors import ComputationError, InputError
from sbitune.tuning.inverse.compression import make_compression
from sbitune.tuning.inverse.pairs import average_covariance, from_surrogate, make_noise, surrogate_correlation

RANDOM = np.random.default_rng(6)


def information(slope: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    return slope.T @ np.linalg.solve(covariance, slope)


def test_a_linear_model_loses_no_information() -> None:
    slope = RANDOM.normal(size=(60, 4)) * [5, 1, 0.3, 0.05]
    root = RANDOM.normal(size=(60, 60)) / 8
    covariance = root @ root.T + np.diag(RANDOM.uniform(0.1, 2, 60))
    unit = RANDOM.uniform(-1, 1, (500, 4))
    found = make_compression(unit, unit @ slope.T, covariance, np.zeros((60, 60)), 12, make_bins(60))
    assert found.directions.shape == (60, 4)  # nothing more is there
    assert found.left_out < 1e-9
    projected = found.apply(slope.T + found.centre).T
    noise = found.jitter @ found.jitter.T
    np.testing.assert_allclose(noise, np.eye(4), atol=1e-9)
    np.testing.assert_allclose(information(projected, noise), information(slope, covariance), rtol=1e-6, atol=1e-9)


def test_a_weak_parameter_is_kept_beside_the_curvature_of_strong_ones() -> None:
    u = RANDOM.uniform(-1, 1, (2000, 3))
    vectors = np.linalg.qr(RANDOM.normal(size=(30, 6)))[0].T * [[40], [40], [1], [30], [30], [30]]
    shapes = np.column_stack([u, u[:, 0] ** 2, u[:, 1] ** 2, u[:, 0] * u[:, 1]])
    found = make_compression(u, shapes @ vectors, np.eye(30), np.zeros((30, 30)), 4, make_bins(30))
    weak = vectors[2]
    assert np.linalg.norm(found.directions.T @ weak) > 0.95 * np.linalg.norm(weak)
    assert found.left_out > 1
    assert "raise directions_per_parameter" in found.notes()[0]
    assert not make_compression(u, shapes @ vectors, np.eye(30), np.zeros((30, 30)), 9, make_bins(30)).notes()


def test_the_remainder_of_noise_is_chi2() -> None:
    unit = RANDOM.uniform(-1, 1, (500, 2))
    slope = RANDOM.normal(size=(20, 2))
    found = make_compression(unit, unit @ slope.T, np.eye(20), np.zeros((20, 20)), 6, make_bins(20))
    left = found.remainder(found.centre + RANDOM.normal(size=(4000, 20)))
    assert left.mean() == pytest.approx(18, abs=4 * np.sqrt(2 * 18 / 4000))


def test_noise_has_the_covariance_of_the_measurement() -> None:
    toy = make_toy(2, 5, error=0.7, correlation=0.6)
    measured = measure(toy, np.zeros(2), 1, np.array([[1.0, 2, 3, -1, 0]]))
    correlation = np.full((5, 5), 0.6) + 0.4 * np.eye(5)
    noise = make_noise(measured, None)
    n = 40000
    covariance = np.eye(5) + measured.shifts.T @ measured.shifts
    drawn = np.cov(noise.draw(jax.random.key(1), n), rowvar=False)
    size = np.sqrt(np.diag(covariance))
    assert np.abs((drawn - covariance) / np.outer(size, size)).max() < 4 * np.sqrt(2 / n)
    np.testing.assert_allclose(surrogate_correlation(toy, measured), correlation, atol=1e-6)
    pairs = from_surrogate(jax.random.key(2), toy, measured, correlation, n)
    moves = np.corrcoef(pairs.values - pairs.mean, rowvar=False)
    assert np.abs(moves - correlation).max() < 4 / np.sqrt(n)
    assert (pairs.values - pairs.mean).std() == pytest.approx(0.7, abs=4 * 0.7 / np.sqrt(2 * n))
    np.testing.assert_allclose(average_covariance(pairs.error, correlation), 0.49 * correlation)
    low, high = np.array([(p.low, p.high) for p in toy.parameters]).T
    np.testing.assert_allclose(pairs.mean, toy.predict_many(low + (pairs.unit + 1) / 2 * (high - low)).mean)
    assert pairs.unit.std(axis=0) == pytest.approx([3**-0.5] * 2, rel=0.02)


def test_bins_without_errors_are_named() -> None:
    toy = make_toy(2, 5)
    measured = measure(toy, np.zeros(2), 1)
    measured.errors[3] = 0
    with pytest.raises(ComputationError, match=r"d01#3 has no error"):
        make_noise(measured, None)
    with pytest.raises(InputError, match=r"shape \(4, 4\), expected \(5, 5\)"):
        make_noise(measured, np.eye(4))
