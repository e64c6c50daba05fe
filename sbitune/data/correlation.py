"""How the Monte Carlo fluctuations of different bins move together.

The same events fill all histograms: a run with a few hard jets too many has them in thrust, in C and in every jet rate,
and two experiments' momentum spectra are filled by the same particles. Bins are therefore not independent, and errors
of parameters that take them to be are too small. A run is filled in parts; the scatter of the parts around their mean,
pooled over all runs of a scan, gives the correlation matrix.
"""

from collections.abc import Iterable

import numpy as np

#: a correlation matrix of more bins than this takes more memory than it is worth; bins are taken to be independent then
MOST_BINS = 4000
#: smallest admixture of the unit matrix: bins that are filled by the same entries would make the matrix singular
SMALLEST_SHRINKAGE = 0.01


def pool_correlation(parts: Iterable[np.ndarray]) -> np.ndarray | None:
    """Estimate the correlation between bins from the parts of runs.

    Args:
        parts: for every run an array (n_parts, n_bins) of contents made from its parts; what is not finite (a profile's
            bin without entries) counts as not deviating.

    Returns:
        (n_bins, n_bins) correlation matrix, shrunk towards the unit matrix by lambda = sum var(r_ij) / sum r_ij^2
        (J. Schaefer, K. Strimmer, Stat. Appl. Genet. Mol. Biol. 4 (2005) 32). None without parts.
    """
    total, freedom = None, 0
    for run in parts:
        if len(run) < 2:
            continue
        z = _standardised(run)
        total = z.T @ z if total is None else total + z.T @ z
        freedom += len(run) - 1
    return None if total is None else _shrunk(total, freedom)


def _standardised(run: np.ndarray) -> np.ndarray:
    values = np.asarray(run, float)
    finite = np.isfinite(values).all(axis=0)
    values = np.where(finite, values, 0.0)
    deviation = values - values.mean(axis=0)
    scale = deviation.std(axis=0, ddof=1)
    return deviation / np.where(scale > 0, scale, 1.0)


def shrink_correlation(residuals: np.ndarray, prior: np.ndarray | None = None) -> np.ndarray:
    """Estimate the correlation between bins from residuals (n_runs, n_bins).

    Args:
        residuals: with zero mean.
        prior: (n_bins, n_bins) what the estimate is shrunk towards; None: the unit matrix.
    """
    deviation = residuals - residuals.mean(axis=0)
    prior = np.eye(deviation.shape[1]) if prior is None else prior
    spread = deviation.std(axis=0)
    z = deviation / np.where(spread > 0, spread, 1.0)
    r = z.T @ z / len(z)
    np.fill_diagonal(r, 1.0)
    difference = np.sum((r - prior) ** 2)
    noise = np.sum((1 - r**2) ** 2) / max(1, len(z) - 1)
    amount = 1.0 if difference == 0 else np.clip(noise / difference, SMALLEST_SHRINKAGE, 1.0)
    return (1 - amount) * r + amount * prior


def _shrunk(total: np.ndarray, freedom: int) -> np.ndarray:
    spread = np.sqrt(np.diag(total))
    spread = np.where(spread > 0, spread, 1.0)
    r = total / np.outer(spread, spread)
    np.fill_diagonal(r, 0.0)
    squares = np.sum(r**2)
    # variance of a sample correlation coefficient of normal variables
    noise = np.sum((1 - r**2) ** 2) - len(r)
    amount = 1.0 if squares == 0 else noise / freedom / squares
    r *= 1 - np.clip(amount, SMALLEST_SHRINKAGE, 1.0)
    np.fill_diagonal(r, 1.0)
    return r
