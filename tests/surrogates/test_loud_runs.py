"""Runs of fewer events than others: their errors say so, and what the others teach is not lost."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from sbitune.data.bins import Bins
from sbitune.data.checks.outlying import compare_runs
from sbitune.data.parameter import Parameter
from sbitune.data.scan import Scan
from sbitune.tuning.surrogates.gaussian.config import GaussianConfig
from sbitune.tuning.surrogates.network.config import NetworkConfig
from sbitune.tuning.surrogates.polynomial.config import PolynomialConfig
from sbitune.tuning.surrogates.rational.config import RationalConfig
from sbitune.tuning.surrogates.regression.noise import loudness, smooth_errors
from sbitune.tuning.surrogates.training import train

PARAMETERS = (Parameter("a", 0.0, 1.0), Parameter("b", 0.0, 1.0))
N_BINS = 20


def truth(theta: np.ndarray) -> np.ndarray:
    k = np.arange(N_BINS)
    return 10 + np.sin(2 * theta[:, :1] + 0.2 * k) + 0.5 * np.cos(3 * theta[:, 1:] * (1 + 0.05 * k))


def make(loud: np.ndarray, seed: int = 3) -> Scan:
    """Runs whose errors are 0.01 times `loud` (n_runs,) in all bins."""
    random = np.random.default_rng(seed)
    theta = random.random((len(loud), 2))
    errors = 0.01 * loud[:, None] * np.ones(N_BINS)
    place = np.arange(N_BINS)
    bins = Bins(np.full(N_BINS, "/A/d01"), place, place * 1.0, place + 1.0)
    values = truth(theta) + errors * random.normal(size=errors.shape)
    return Scan(PARAMETERS, theta, values, errors, bins, tuple(f"{i:04d}" for i in range(len(loud))))


KINDS = [
    PolynomialConfig(),
    PolynomialConfig(components=False, order=4),
    RationalConfig(scale="linear"),
    GaussianConfig(scale="linear"),
    GaussianConfig(scale="linear", components=False),
]


#: runs of few events are every second one, or one in thirty; processes of every bin take long
CASES = [
    pytest.param(config, every, times, id=f"{every}-{type(config).__name__}-{config.components}", marks=marks)
    for every, times in ((2, 100.0), (30, 30.0))
    for config in KINDS
    for marks in [[pytest.mark.slow] if config is KINDS[-1] and every == 30 else []]
]


@pytest.mark.parametrize(("config", "every", "times"), CASES)
def test_loud_runs_make_nothing_worse(config, every, times):
    loud = np.where(np.arange(120) % every == 1, times, 1.0)
    scan = make(loud)
    at = np.random.default_rng(5).random((400, 2))
    both, alone = (train(jax.random.key(1), s, config).predict_many(at) for s in (scan, scan.take_runs(loud == 1)))
    off, of_quiet = (np.sqrt(np.mean((p.mean - truth(at)) ** 2)) for p in (both, alone))
    assert off < (1.5 if every == 2 else 1.2) * of_quiet  # with errors that do not tell runs apart 10 to 26 times
    assert np.sqrt(np.mean(both.error**2)) < 2 * np.sqrt(np.mean(alone.error**2))
    assert 0.7 < np.sqrt(np.mean(((both.mean - truth(at)) / both.error) ** 2)) < 1.8


@pytest.mark.slow
def test_networks_learn_from_quiet_runs_among_loud_ones():
    loud = np.where(np.arange(120) % 30 == 1, 30.0, 1.0)
    scan = make(loud)
    at = np.random.default_rng(5).random((400, 2))
    both, alone = (
        train(jax.random.key(1), s, NetworkConfig(scale="linear")).predict_many(at)
        for s in (scan, scan.take_runs(loud == 1))
    )
    off, of_quiet = (np.sqrt(np.mean((p.mean - truth(at)) ** 2)) for p in (both, alone))
    assert off < 1.5 * of_quiet


def test_a_run_has_a_factor_of_its_own_only_if_all_bins_say_so():
    loud = np.where(np.arange(60) % 20 == 1, 5.0, 1.0)
    scan = make(loud)
    np.testing.assert_allclose(smooth_errors(scan), scan.errors, rtol=1e-3)
    # counts scatter by themselves: 4 to 16 expected, in bins of their own
    counts = np.random.default_rng(2).poisson(4 + 12 * scan.theta[:, :1], (60, N_BINS)).astype(float)
    by_chance = replace(scan, values=counts, errors=np.sqrt(counts))
    expected = np.sqrt(4 + 12 * scan.theta[:, 0])
    ratio = smooth_errors(by_chance).mean(axis=1) / expected
    assert np.abs(ratio - 1).max() < 0.1
    fewer = replace(by_chance, errors=by_chance.errors * loud[:, None])
    ratio = smooth_errors(fewer).mean(axis=1) / expected / loud
    assert np.abs(ratio - 1).max() < 0.25  # of 20 bins of some ten counts


def test_loudness_is_1_for_what_most_is_learnt_from():
    assert loudness(np.full((5, 3), 0.1)) == pytest.approx(np.ones(5))
    found = loudness(np.array([1.0, 1.0, 1.0, 30.0])[:, None] * np.array([0.1, 0.2]))
    assert found[3] / found[0] == pytest.approx(30)
    assert np.mean(found**-2.0) == pytest.approx(1)
    assert loudness(np.zeros((4, 2))) == pytest.approx(np.ones(4))


def test_few_events_are_no_reason_to_be_outlying():
    scan = make(np.where(np.arange(120) % 30 == 1, 100.0, 1.0))
    assert compare_runs(scan).outlying == ()
    silent = replace(scan, errors=np.full(scan.errors.shape, 0.01))
    found = {one.row for one in compare_runs(silent).outlying}
    assert found
    assert found <= {1, 31, 61, 91}
