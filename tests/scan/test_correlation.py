"""The correlation of Monte Carlo fluctuations between bins, estimated from parts of runs."""

import numpy as np
import pytest

from sbitune.data.bins import Bins
from sbitune.data.correlation import pool_correlation
from sbitune.data.errors import InputError
from sbitune.data.scan import Parameter, Scan

#: bins 0 and 1 move together, 2 against them, 3 alone
TRUE = np.array([[1, 0.8, -0.5, 0], [0.8, 1, -0.3, 0], [-0.5, -0.3, 1, 0], [0, 0, 0, 1.0]])


def parts(rng, runs, n=16):
    """Runs with other means and other scales each: only the correlation is common."""
    for _ in range(runs):
        noise = rng.multivariate_normal(np.zeros(4), TRUE, n)
        yield rng.uniform(1, 9, 4) + noise * rng.uniform(0.1, 3, 4)


def test_a_known_correlation_is_found():
    found = pool_correlation(parts(np.random.default_rng(1), 100))
    # 1500 degrees of freedom: errors up to 1/sqrt(1500) = 0.026, and a shrinkage of 1 %
    np.testing.assert_allclose(found, TRUE, atol=4 * 0.026 + 0.01)
    np.testing.assert_array_equal(np.diag(found), 1)
    np.testing.assert_array_equal(found, found.T)


def test_bins_filled_by_the_same_entries_leave_a_matrix_that_can_be_inverted():
    rng = np.random.default_rng(2)
    twice = [np.repeat(run, 2, axis=1) for run in parts(rng, 50)]
    found = pool_correlation(twice)
    assert found[0, 1] == pytest.approx(0.99, abs=0.005)
    assert np.linalg.eigvalsh(found).min() > 0.005


def test_few_parts_are_shrunk_towards_independence():
    rng = np.random.default_rng(3)
    independent = [rng.normal(size=(8, 60)) for _ in range(2)]
    found = pool_correlation(independent)
    raw = np.corrcoef(np.concatenate([run - run.mean(0) for run in independent]).T)
    off = ~np.eye(60, dtype=bool)
    assert np.abs(found[off]).mean() < 0.2 * np.abs(raw[off]).mean()
    assert np.linalg.eigvalsh(found).min() > 0


def test_empty_and_constant_bins_are_independent_of_all_others():
    rng = np.random.default_rng(4)
    runs = [np.column_stack([run, np.full(len(run), np.nan), np.ones(len(run))]) for run in parts(rng, 20)]
    found = pool_correlation(runs)
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found[4:], np.eye(6)[4:])


def test_without_parts_nothing_is_known():
    assert pool_correlation([]) is None


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
