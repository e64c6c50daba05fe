"""Size and correlation of Monte Carlo fluctuations, estimated from parts of runs."""

import numpy as np
import pytest

from sbitune.data.bins import Bins
from sbitune.data.correlation import PRIOR_FREEDOM, Parts, measure_errors, pool_correlation
from sbitune.data.errors import InputError
from sbitune.data.parameter import Parameter
from sbitune.data.scan import Scan

#: bins 0 and 1 move together, 2 against them, 3 alone
TRUE = np.array([[1, 0.8, -0.5, 0], [0.8, 1, -0.3, 0], [-0.5, -0.3, 1, 0], [0, 0, 0, 1.0]])


def parts(rng, runs, n=16):
    """Runs with other means and other scales each: only the correlation is common."""
    for _ in range(runs):
        noise = rng.multivariate_normal(np.zeros(4), TRUE, n)
        yield equal(rng.uniform(1, 9, 4) + noise * rng.uniform(0.1, 3, 4))


def equal(values):
    """Parts of equal size."""
    return Parts(values, np.ones(len(values)))


def test_a_known_correlation_is_found():
    found = pool_correlation(parts(np.random.default_rng(1), 100))
    # 1500 degrees of freedom: errors up to 1/sqrt(1500) = 0.026, and a shrinkage of 1 %
    np.testing.assert_allclose(found, TRUE, atol=4 * 0.026 + 0.01)
    np.testing.assert_array_equal(np.diag(found), 1)
    np.testing.assert_array_equal(found, found.T)


def test_bins_filled_by_the_same_entries_leave_a_matrix_that_can_be_inverted():
    rng = np.random.default_rng(2)
    twice = [equal(np.repeat(run.values, 2, axis=1)) for run in parts(rng, 50)]
    found = pool_correlation(twice)
    assert found[0, 1] == pytest.approx(0.99, abs=0.005)
    assert np.linalg.eigvalsh(found).min() > 0.005


def test_few_parts_are_shrunk_towards_independence():
    rng = np.random.default_rng(3)
    independent = [equal(rng.normal(size=(8, 60))) for _ in range(2)]
    found = pool_correlation(independent)
    raw = np.corrcoef(np.concatenate([run.values - run.values.mean(0) for run in independent]).T)
    off = ~np.eye(60, dtype=bool)
    assert np.abs(found[off]).mean() < 0.2 * np.abs(raw[off]).mean()
    assert np.linalg.eigvalsh(found).min() > 0


def test_empty_and_constant_bins_are_independent_of_all_others():
    rng = np.random.default_rng(4)
    runs = [
        equal(np.column_stack([run.values, np.full(len(run.values), np.nan), np.ones(len(run.values))]))
        for run in parts(rng, 20)
    ]
    found = pool_correlation(runs)
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found[4:], np.eye(6)[4:])


def test_without_parts_nothing_is_known():
    assert pool_correlation([]) is None


def events_with(rng, sizes):
    """Contents of parts that hold so many events: a mean multiplicity of 8 pairs with a variance of 2, and the part of
    the events in a bin that takes 30 % of them; with the errors that histograms of them quote.
    """
    pairs = [rng.normal(8, np.sqrt(2), size) for size in sizes]
    inside = [rng.random(size) < 0.3 for size in sizes]
    values = np.array([[2 * p.mean(), i.mean()] for p, i in zip(pairs, inside, strict=True)])
    total = sum(sizes)
    n_charged, n_inside = 2 * np.concatenate(pairs).sum(), np.concatenate(inside).sum()
    return Parts(values, np.array(sizes)), np.sqrt([n_charged, n_inside]) / total


@pytest.mark.parametrize("sizes", [[100] * 16, [200] * 7 + [60, 140]])
def test_errors_are_those_of_the_scatter_and_not_of_the_entries(sizes):
    rng = np.random.default_rng(5)
    factor = measure_errors((events_with(rng, sizes) for _ in range(300)), 2)
    # the mean of 2 n with var(n) = 2 has variance 8/N, the entries claim 16/N; a binomial has p(1 - p)/N, not p/N
    freedom = 300 * (len(sizes) - 1)
    np.testing.assert_allclose(factor**2, [0.5, 0.7], rtol=4 * np.sqrt(2 / freedom) + PRIOR_FREEDOM / freedom)


def test_a_handful_of_parts_changes_errors_by_what_they_can_tell():
    rng = np.random.default_rng(6)
    factors = np.array([measure_errors([events_with(rng, [100] * 6)], 2) for _ in range(400)])
    # 5 degrees of freedom beside the 10 that say 1: on average a third of the way
    expected = (5 * np.array([0.5, 0.7]) + 10) / 15
    scatter = np.array([0.5, 0.7]) * np.sqrt(2 / 5) / 3 / np.sqrt(400)
    np.testing.assert_allclose((factors**2).mean(axis=0), expected, atol=4 * scatter.max())


def test_bins_without_error_or_scatter_keep_what_they_quote():
    values = np.array([[1.0, 2.0, np.nan, 3.0], [1.0, 4.0, 1.0, 5.0], [1.0, 6.0, 2.0, 4.0]])
    factor = measure_errors([(equal(values), np.array([0.3, 0.0, 0.3, np.inf]))], 4)
    np.testing.assert_array_equal(factor, 1)
    np.testing.assert_array_equal(measure_errors([], 3), 1)


def test_a_scan_keeps_it(tmp_path):
    bins = Bins(["/A/h"] * 4, np.arange(4), np.arange(4.0), np.arange(4.0) + 1)
    args = ((Parameter("p", 0.0, 1.0),), np.array([[0.2], [0.7]]), np.ones((2, 4)), np.ones((2, 4)), bins, ("a", "b"))
    scan = Scan(*args, correlation=TRUE)
    scan.save(tmp_path / "s.npz")
    np.testing.assert_array_equal(Scan.load(tmp_path / "s.npz").correlation, TRUE)
    np.testing.assert_array_equal(scan.take_bins([2, 0]).correlation, TRUE[np.ix_([2, 0], [2, 0])])
    np.testing.assert_array_equal(scan.take_bins(np.array([True, False, True, False])).correlation, TRUE[::2, ::2])
    assert Scan(*args).correlation is None
    with pytest.raises(InputError, match="correlation has shape"):
        Scan(*args, correlation=TRUE[:2])
