"""Whether a measurement is like those of the scan: p-values are uniform for such, and tiny for others."""

import numpy as np
from helpers.lineartoy import make_bins
from scipy import stats

from sbitune.tuning.inverse.compression import make_compression
from sbitune.tuning.inverse.inside import look_inside, make_cloud

RANDOM = np.random.default_rng(8)
BINS = make_bins(20)
SLOPE = 3 * RANDOM.normal(size=(20, 2))


def simulate(n: int) -> np.ndarray:
    return RANDOM.uniform(-1, 1, (n, 2)) @ SLOPE.T + RANDOM.normal(size=(n, 20))


UNIT = RANDOM.uniform(-1, 1, (1000, 2))
COMPRESSION = make_compression(UNIT, UNIT @ SLOPE.T, np.eye(20), np.zeros((20, 20)), 6, BINS)
CLOUD = make_cloud(COMPRESSION, COMPRESSION.apply(simulate(4000)), simulate(4000))
REACHED = np.stack([-np.abs(SLOPE).sum(1), np.abs(SLOPE).sum(1)])


def look(values: np.ndarray):
    return look_inside(CLOUD, COMPRESSION, values, REACHED, np.ones(20), BINS)


def test_p_values_of_like_measurements_are_uniform() -> None:
    found = [look(values) for values in simulate(400)]
    assert stats.kstest([f.p_distance for f in found], "uniform").pvalue > 1e-3
    assert stats.kstest([f.p_remainder for f in found], "uniform").pvalue > 1e-3
    assert np.mean([f.p_value < 0.05 for f in found]) < 0.05 + 4 * np.sqrt(0.05 * 0.95 / 400)


def test_far_along_the_signal_and_off_it_are_both_seen() -> None:
    along = look(np.array([4.0, -4.0]) @ SLOPE.T)
    assert along.p_distance < 1e-3
    assert along.p_value < 1e-3
    assert along.p_remainder > 0.5
    off = np.linalg.svd(SLOPE.T)[2][-1] * 9  # a direction that no parameter makes
    across = look(off)
    assert across.p_remainder < 1e-3
    assert across.p_distance > 0.01
    assert across.p_value < 1e-3
    assert "NOT" in across.notes()[0]


def test_bins_that_no_run_reaches_are_named_with_their_distance() -> None:
    values = np.zeros(20)
    values[7] = REACHED[1, 7] + 2.5
    values[3] = REACHED[0, 3] - 0.5
    found = look(values).outside
    assert [o.label for o in found] == ["/TOY/d02#2", "/TOY/d01#3"]
    np.testing.assert_allclose([o.distance for o in found], [2.5, 0.5])
    assert (found[0].low, found[0].high) == (REACHED[0, 7], REACHED[1, 7])
    named = look(values).notes()[-1]
    assert "/TOY/d02#2 (2.5 errors)" in named
    assert "d01#3" not in named  # by less than its error
