"""A run compared with data and with a surrogate: figures against what many runs would scatter by."""

from dataclasses import replace

import numpy as np
import pytest

from sbitune.data.bins import Bins
from sbitune.data.errors import ComputationError
from sbitune.data.histograms import Histograms
from sbitune.fitting.likelihood.measured import Measured
from sbitune.tuning.checks.validation import agreement, compare, compare_chi2

N = 30
RANDOM = np.random.default_rng(4)
EDGES = np.arange(N + 1.0)
BINS = Bins(np.full(N, "/TOY/d01-x01-y01"), np.arange(N), EDGES[:-1], EDGES[1:])
CORRELATION = 0.6 * np.ones((N, N)) + 0.4 * np.eye(N)
NOISE = RANDOM.uniform(0.5, 1.5, N)
MEASURED = Measured(np.arange(N), BINS, np.zeros(N), np.ones(N), np.zeros((0, N)), np.ones(N))


def runs(n: int, truth: np.ndarray) -> np.ndarray:
    return truth + RANDOM.multivariate_normal(np.zeros(N), np.outer(NOISE, NOISE) * CORRELATION, n)


@pytest.mark.slow
def test_the_error_of_chi2_is_the_scatter_of_runs() -> None:
    found = [
        agreement(Histograms(BINS, x, NOISE, NOISE), NOISE, MEASURED, CORRELATION) for x in runs(800, np.full(N, 1.5))
    ]
    chi2 = np.array([one.chi2 for one in found])
    # 800 runs know their scatter to 2.5 %, more or less as chi2 is skewed
    assert np.sqrt(np.mean([one.error**2 for one in found])) == pytest.approx(chi2.std(), rel=0.12)
    assert found[0].weighted == pytest.approx(found[0].chi2)


@pytest.mark.parametrize(("shift", "telling"), [(0.0, False), (2.0, True)])
def test_a_surrogate_that_is_off_is_found_out(shift: float, telling: bool) -> None:
    covariance = 0.25 * np.eye(N)
    truth = np.linspace(1, 3, N)
    p, chi2, pulls = [], [], []
    for x in runs(300, truth):
        mean = truth + shift * np.cos(np.arange(N)) + RANDOM.normal(0, 0.5, N)
        one = compare(Histograms(BINS, x, NOISE, NOISE), NOISE, mean, covariance, CORRELATION)
        p.append(one.p), chi2.append(one.chi2), pulls.append(one.pull)
    if telling:
        assert np.mean(np.array(p) < 1e-3) > 0.95
        return
    assert np.mean(chi2) == pytest.approx(N, abs=4 * np.sqrt(2 * N / 300))
    assert np.mean(np.array(p) < 0.1) == pytest.approx(0.1, abs=4 * 0.3 / np.sqrt(300))
    assert np.mean(pulls) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("misfit", [0.0, 3.0])
@pytest.mark.parametrize(("claimed", "low", "high"), [(1.0, -0.35, 0.35), (0.1, -50, -4), (3.0, 0.35, 20)])
def test_chi2_of_fit_and_generator_differ_as_their_errors_allow(claimed, low, high, misfit) -> None:
    """`claimed`: errors of the surrogate in units of the true ones, 0.5; `misfit`: data that no generator describes."""
    deviations, noise = [], 0.1 * NOISE
    for x in 0.1 * runs(300, np.zeros(N)):
        mean, data = RANDOM.normal(0, 0.5, N), RANDOM.normal(0, 1, N) + misfit * np.cos(np.arange(N))
        measured, covariance = replace(MEASURED, values=data), (0.5 * claimed) ** 2 * np.eye(N)
        one = compare_chi2(Histograms(BINS, x, noise, noise), noise, mean, covariance, measured, CORRELATION)
        deviations.append(one.deviations)
    if claimed == 1:
        assert low < np.mean(deviations) < high
        assert np.std(deviations) == pytest.approx(1, abs=0.2)
    elif not misfit:  # where the data are far off, that hides what the surrogate's errors do
        assert low < np.mean(deviations) < high


def test_a_run_and_a_surrogate_without_errors_cannot_be_compared() -> None:
    none = np.zeros(N)
    with pytest.raises(ComputationError, match="neither the run nor the surrogate has an error in any of 30 bins"):
        compare(Histograms(BINS, none, none, none), none, np.ones(N), np.zeros((N, N)), None)
