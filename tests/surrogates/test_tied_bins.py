"""Scans whose bins move as one, and scans of a single run."""

import jax
import numpy as np
import pytest

from sbitune.data.bins import Bins
from sbitune.data.errors import InputError
from sbitune.data.parameter import Parameter
from sbitune.data.scan import Scan
from sbitune.tuning.surrogates.gaussian.config import GaussianConfig
from sbitune.tuning.surrogates.polynomial.config import PolynomialConfig
from sbitune.tuning.surrogates.rational.config import RationalConfig
from sbitune.tuning.surrogates.training import train

NOISE = 0.05
#: the last two are those of a normalised histogram, whose sum is 1
TIED = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, -1.0], [0.0, -1.0, 1.0]])


def contents(x: np.ndarray) -> np.ndarray:
    """(n, 3) at x (n,)."""
    return np.stack([3 + 0.5 * x, 0.4 + 0.1 * x, 0.6 - 0.1 * x], axis=1)


def make_scan(n_runs: int, correlation: np.ndarray = TIED) -> Scan:
    random = np.random.default_rng(3)
    x = np.linspace(-1, 1, n_runs)
    one, two = random.normal(size=(2, n_runs))
    values = contents(x) + NOISE * np.stack([one, two, -two], axis=1)
    places = np.arange(3)
    bins = Bins(np.full(3, "/A/d01-x01-y01"), places, places.astype(float), places + 1.0)
    runs = tuple(f"{i:02d}" for i in range(n_runs))
    parameters = (Parameter("p", -1.0, 1.0),)
    return Scan(parameters, x[:, None], values, np.full_like(values, NOISE), bins, runs, correlation=correlation)


@pytest.mark.parametrize("config", [PolynomialConfig(order=1), GaussianConfig(scale="linear")])
def test_bins_that_move_as_one_are_learnt(config):
    surrogate = train(jax.random.key(1), make_scan(40), config)
    at = np.array([0.3])
    prediction = surrogate.predict_many(at[:, None])
    assert np.abs(prediction.mean - contents(at)).max() < NOISE
    assert prediction.mean[0, 1:].sum() == pytest.approx(1.0, abs=1e-3)
    covariance = next(surrogate.covariances(at[:, None], np.arange(3)))
    assert np.sqrt(np.diag(covariance)) == pytest.approx(prediction.error[0], rel=1e-3)
    assert covariance[1, 2] == pytest.approx(-covariance[1, 1], rel=0.05)


def test_a_correlation_that_cannot_be_one_is_refused():
    impossible = np.array([[1.0, 0.9, -0.9], [0.9, 1.0, 0.9], [-0.9, 0.9, 1.0]])
    with pytest.raises(InputError, match="negative variance"):
        train(jax.random.key(1), make_scan(40, impossible), PolynomialConfig(order=1))


@pytest.mark.parametrize("config", [PolynomialConfig(order=1), GaussianConfig(), RationalConfig()])
def test_a_single_run_is_refused(config):
    with pytest.raises(InputError, match=r"^too few runs to learn from: 1"):
        train(jax.random.key(1), make_scan(1), config)
