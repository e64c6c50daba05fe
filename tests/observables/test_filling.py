import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sbitune.generators.observables.framework.accumulators import Histogram, Profile, Tally


def axis(seed, n, gaps):
    """Bins of very different widths, some with gaps between them."""
    rng = np.random.default_rng(seed)
    edges = np.cumsum(np.concatenate([[rng.normal()], rng.exponential(size=2 * n) ** 3 + 1e-6]))
    return (edges[:-1:2], edges[1::2]) if gaps else (edges[:n], edges[1 : n + 1])


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 40), gaps=st.booleans())
def test_bins_are_found_by_definition(seed, n, gaps):
    low, high = axis(seed, n, gaps)
    rng = np.random.default_rng(seed + 1)
    span = high[-1] - low[0]
    x = np.concatenate([rng.uniform(low[0] - 0.1 * span, high[-1] + 0.1 * span, 300), low, high])
    w = rng.normal(size=len(x))
    histogram = Histogram("/h", low, high)
    histogram.fill(x, w)
    result = histogram.result()
    inside = (x[:, None] >= result.low) & (x[:, None] < result.high)
    terms = np.stack([w, w**2, w * x, w * x**2, np.ones(len(x))], axis=1)
    np.testing.assert_allclose(result.sums, inside.T.astype(float) @ terms, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(result.total, terms.sum(axis=0), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(result.underflow, terms[x < low[0]].sum(axis=0), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(result.overflow, terms[x >= high[-1]].sum(axis=0), rtol=1e-9, atol=1e-9)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 20), gaps=st.booleans())
def test_profiles_find_the_bins_of_histograms(seed, n, gaps):
    low, high = axis(seed, n, gaps)
    rng = np.random.default_rng(seed)
    x, y, w = rng.uniform(low[0] - 1, high[-1] + 1, 200), rng.normal(size=200), rng.normal(size=200)
    histogram, profile = Histogram("/h", low, high), Profile("/p", low, high)
    histogram.fill(x, w)
    profile.fill(x, y, w)
    np.testing.assert_allclose(profile.sums[:, [0, 1, 2, 3, 6]], histogram.sums)
    inside = (x[:, None] >= profile.low) & (x[:, None] < profile.high)  # gaps that are slivers are closed
    np.testing.assert_allclose(profile.result().sums[:, 4], inside.T @ (w * y), atol=1e-10)
    np.testing.assert_allclose(profile.result().total[5], (w * y * y).sum())


def test_gaps_count_in_the_total_only():
    histogram = Histogram("/h", np.array([0.0, 3.0]), np.array([1.0, 4.0]))
    histogram.fill(np.array([0.5, 2.0, 3.0, 4.0, -1.0]), np.ones(5))
    result = histogram.result()
    np.testing.assert_array_equal(result.sums[:, 0], [1, 1])
    assert (result.total[0], result.underflow[0], result.overflow[0]) == (5, 1, 1)


def test_nan_is_dropped_and_infinity_overflows():
    histogram = Histogram("/h", np.array([0.0]), np.array([1.0]))
    histogram.fill(np.array([np.nan, np.inf, -2.0, 0.5]), np.ones(4))
    result = histogram.result()
    assert result.total[4] == 3
    assert (result.underflow[4], result.sums[0, 4], result.overflow[4]) == (1, 1, 1)


def test_almost_touching_bins_touch():
    histogram = Histogram("/h", np.array([0.0, 0.10001]), np.array([0.1, 0.2]))
    np.testing.assert_array_equal(histogram.result().low, [0, 0.1])


def test_fill_at_one_place():
    histogram = Histogram("/h", np.array([90.5]), np.array([91.5]))
    histogram.fill(histogram.centre[0], np.array([1.0, -2.0]))
    np.testing.assert_allclose(histogram.result().sums, [[-1, 5, -91, -8281, 2]])


def test_fill_bins_is_filling_centres():
    low, high = np.array([0.0, 1.0, 3.0]), np.array([1.0, 3.0, 4.0])
    chosen = np.array([[True, True, False], [False, True, True]])
    weight, factor = np.array([2.0, -1.0]), high - low
    bins, points = Histogram("/a", low, high), Histogram("/b", low, high)
    bins.fill_bins(chosen, weight, factor)
    event, k = np.nonzero(chosen)
    points.fill(points.centre[k], weight[event] * factor[k])
    np.testing.assert_allclose(bins.sums, points.sums)


def test_tally():
    tally = Tally("/t")
    tally.fill(np.array([1.0, -3.0]))
    result = tally.result()
    assert (result.sumw, result.sumw2, result.entries) == (-2, 10, 2)


def test_results_do_not_change_with_later_fills():
    histogram = Histogram("/h", np.array([0.0]), np.array([1.0]))
    before = histogram.result()
    histogram.fill(np.array([0.5]), np.ones(1))
    assert before.sums[0, 0] == pytest.approx(0)
