"""Correlations from residuals of runs that a fit has seen."""

import numpy as np

from sbitune.data.correlation import SMALLEST_SHRINKAGE, shrink_correlation


def test_what_a_fit_took_comes_back() -> None:
    """Noise with a known correlation, of which a fit took a third along two directions."""
    random = np.random.default_rng(1)
    n, k = 20_000, 8
    a = random.normal(size=(k, k))
    covariance = a @ a.T + np.eye(k)
    spread = np.sqrt(np.diag(covariance))
    truth = covariance / np.outer(spread, spread)
    root = np.linalg.cholesky(truth)
    keep = np.ones(k)
    keep[:2] = np.sqrt(2 / 3)
    seen = random.normal(size=(n, k)) @ (root * keep).T
    taken = (root * (1 - keep**2)) @ root.T
    found = shrink_correlation(seen, taken=taken)
    # coefficients of n residuals scatter by 1/sqrt(n); the admixture moves them by less than it
    np.testing.assert_allclose(found, truth, atol=5 / np.sqrt(n) + SMALLEST_SHRINKAGE)
    assert np.abs(shrink_correlation(seen) - truth).max() > 0.05
