"""Calibration recovers the a and c that made the residuals, whether the spread is exact, too small or too large."""

import numpy as np
import pytest

from sbitune.tuning.surrogates.network.calibration import calibrate

N_RUNS, N_BINS = 400, 50


@pytest.mark.parametrize(("a", "c"), [(1.0, 0.0), (4.0, 0.0), (0.25, 0.0), (0.0, 0.5), (1.0, 0.3)])
def test_pulls_have_unit_width_afterwards(a: float, c: float) -> None:
    random = np.random.default_rng(1)
    spread = random.lognormal(size=(N_RUNS, N_BINS))
    noise = np.full((N_RUNS, N_BINS), 0.2)
    truth = noise**2 + 0.1 * spread**2 + a * spread**2 + c
    residuals = np.sqrt(truth) * random.normal(size=truth.shape)
    found = calibrate(residuals, noise, spread, mean_factor=0.1)
    variance = noise**2 + (0.1 + found.spread_factor) * spread**2 + found.floor
    fresh = np.sqrt(truth) * random.normal(size=truth.shape)
    # two numbers per bin are fitted to 400 runs: fresh pulls are wider by about (2 / 2) / 400
    assert np.mean(fresh**2 / variance) == pytest.approx(1, abs=4 * np.sqrt(2 / fresh.size) + 0.01)
    assert np.median(found.spread_factor) == pytest.approx(a, rel=0.2, abs=0.05)
    assert np.median(found.floor) == pytest.approx(c, rel=0.2, abs=0.02)


def test_a_bin_without_residuals_has_no_error() -> None:
    zero = np.zeros((5, 1))
    found = calibrate(zero, zero, zero)
    assert found.spread_factor.tolist() == found.floor.tolist() == [0.0]
