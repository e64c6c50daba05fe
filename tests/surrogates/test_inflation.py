"""Errors that are widened until parameters come out within them."""

import jax
import numpy as np
import pytest
from surrogates.test_contract import CONFIGS, scans  # noqa: F401  (a fixture)

from sbitune.data.scan import Parameter
from sbitune.fitting.protocols import Prediction
from sbitune.tuning.surrogates.inflation import HeldOut, find_inflation, inflate, spread_evenly
from sbitune.tuning.surrogates.training import train

N_BINS, N_RUNS = 40, 200
EVERY = np.arange(N_BINS)


class Straight:
    """Bins that are straight lines in two parameters."""

    parameters = (Parameter("a", -1.0, 1.0), Parameter("b", -2.0, 2.0))
    slopes = np.stack([np.cos(EVERY), np.sin(EVERY / 3)])

    def predict_many(self, theta: np.ndarray) -> Prediction:
        mean = theta @ self.slopes
        return Prediction(mean, np.ones_like(mean))


def held(along: float, everywhere: float, seed: int = 1) -> list[HeldOut]:
    """Runs whose residuals are wider than C says: everywhere, and along the slopes, by these factors."""
    random = np.random.default_rng(seed)
    orthonormal = np.linalg.qr(Straight.slopes.T)[0]
    found = []
    for theta in random.uniform([-1, -2], [1, 2], (N_RUNS, 2)):
        own = everywhere * random.normal(size=N_BINS)
        own += (along / everywhere - 1) * orthonormal @ (orthonormal.T @ own)
        residuals = 2.0 * own + 0.5 * random.normal(size=N_BINS)
        found.append(HeldOut(theta, residuals, 4.0 * np.eye(N_BINS), 0.25 * np.eye(N_BINS)))
    return found


def kappa(**factors: float) -> float:
    return find_inflation(Straight(), EVERY, held(**factors))


def test_true_errors_stay() -> None:
    # 400 pulls: their mean square has an error of 0.07, kappa one of half of it, and it is never below 1
    assert 1 <= kappa(along=1.0, everywhere=1.0) < 1.08


def test_errors_that_are_too_small_everywhere_are_widened_by_the_factor() -> None:
    assert kappa(along=1.5, everywhere=1.5) == pytest.approx(1.5, rel=0.08)


def test_parameters_decide_as_far_as_bins_allow() -> None:
    # along the slopes errors are half of what they should be: bins alone would not show it
    assert kappa(along=1.1, everywhere=1.0) == pytest.approx(1.1, abs=0.05)
    # rms of residual / error of all bins is 1.05 before; 0.9 is reached with (2^2 k^2 + 0.25) 0.81 = their mean square
    wide = held(along=2.5, everywhere=1.0)
    square = np.mean([one.residuals**2 for one in wide])
    most = np.sqrt((square / 0.81 - 0.25) / 4)
    assert find_inflation(Straight(), EVERY, wide) == pytest.approx(most, abs=0.02)


def test_errors_that_are_too_large_stay_and_few_runs_tell_nothing() -> None:
    assert kappa(along=0.5, everywhere=0.5) == 1.0
    assert find_inflation(Straight(), EVERY, held(along=2.0, everywhere=2.0)[:2]) == 1.0


def test_a_dead_parameter_does_no_harm() -> None:
    class Dead(Straight):
        slopes = np.stack([np.cos(EVERY), np.zeros(N_BINS)])

    assert find_inflation(Dead(), EVERY, held(along=1.0, everywhere=1.0)) < 1.15


@pytest.mark.parametrize("name", ["polynomial", "gaussian", "rational", "network"])
def test_inflated_errors_are_multiplied_and_means_stay(name: str, scans) -> None:  # noqa: F811
    surrogate = train(jax.random.key(1), scans[0], CONFIGS[name])
    wider = inflate(surrogate, 1.7)
    theta = scans[1].theta[:5]
    before, after = surrogate.predict_many(theta), wider.predict_many(theta)
    np.testing.assert_array_equal(after.mean, before.mean)
    np.testing.assert_allclose(after.error, 1.7 * before.error, rtol=1e-6)
    with jax.enable_x64(True):
        one, other = (np.asarray(s.covariance(theta[0], np.arange(2))) for s in (surrogate, wider))
    np.testing.assert_allclose(other, 1.7**2 * one, rtol=1e-6)


@pytest.mark.parametrize("name", ["polynomial", "gaussian of every bin", "network"])
def test_covariances_in_numpy_are_those_of_jax(name: str, scans) -> None:  # noqa: F811
    from sbitune.tuning.surrogates.covariance import covariances

    surrogate = train(jax.random.key(1), scans[0], CONFIGS[name])
    theta = scans[1].theta[:3]
    for point, found in zip(theta, covariances(surrogate, theta, np.arange(3)), strict=True):
        with jax.enable_x64(True):
            np.testing.assert_allclose(found, surrogate.covariance(point, np.arange(3)), rtol=1e-9, atol=1e-12)


def test_indices_are_spread_evenly() -> None:
    np.testing.assert_array_equal(spread_evenly(5, 10), np.arange(5))
    np.testing.assert_array_equal(spread_evenly(10, 4), [0, 3, 6, 9])
