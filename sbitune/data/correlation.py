"""How much the contents of bins fluctuate, and how the fluctuations of different bins move together.

The same events fill all histograms: a run with a few hard jets too many has them in thrust, in C and in every jet rate,
and two experiments' momentum spectra are filled by the same particles. Bins are therefore not independent, and errors
of parameters that take them to be are too small. A run is filled in parts; the scatter of the parts around their mean,
pooled over all runs of a scan, gives the correlation matrix.

Nor is the error that a histogram quotes, the root of the sum of squared weights, always the scatter of its content. It
counts every entry as independent of all others. A mean charged multiplicity is filled once for every particle, but a
jet gives a pion of each charge together and energy conservation keeps the number of particles from fluctuating as much
as a Poisson number; a bin that takes a good part of all events fluctuates less than its root, since all events are
counted. The parts tell this too.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

#: a correlation matrix of more bins than this takes more memory than it is worth; bins are taken to be independent then
MOST_BINS = 4000
#: smallest admixture of the unit matrix: bins that are filled by the same entries would make the matrix singular
SMALLEST_SHRINKAGE = 0.01
#: degrees of freedom that stand for what the file quotes, when the scatter of parts is pooled with it
PRIOR_FREEDOM = 10


class Parts(NamedTuple):
    """What the parts of one run gave."""

    values: np.ndarray  #: (n_parts, n_bins) contents, each made from one part alone
    events: np.ndarray  #: (n_parts,) events in each part

    def take(self, chosen: np.ndarray) -> "Parts":
        """Only these bins: a boolean mask (n_bins,) or indices."""
        return self._replace(values=self.values[:, chosen])

    def deviations(self) -> tuple[np.ndarray, np.ndarray]:
        """Deviations (n_parts, n_bins) from the run's mean, scaled so that all parts have the same variance, that of a
        part of average size; and (n_bins,) whether the bin is finite in all parts, else its deviations are 0.
        """
        values = np.asarray(self.values, float)
        finite = np.isfinite(values).all(axis=0)
        values = np.where(finite, values, 0.0)
        weights = (self.events / self.events.mean())[:, None]
        return np.sqrt(weights) * (values - np.mean(weights * values, axis=0)), finite


def pool_correlation(parts: Iterable[Parts]) -> np.ndarray | None:
    """Estimate the correlation between bins from the parts of runs.

    Args:
        parts: of every run; a bin that is not finite in some part (a profile's bin without entries) counts as not
            deviating in that run.

    Returns:
        (n_bins, n_bins) correlation matrix, shrunk towards the unit matrix by lambda = sum var(r_ij) / sum r_ij^2
        (J. Schaefer, K. Strimmer, Stat. Appl. Genet. Mol. Biol. 4 (2005) 32). None without parts.
    """
    total, freedom = None, 0
    for run in parts:
        if len(run.events) < 2:
            continue
        deviation = run.deviations()[0]
        scale = np.sqrt(np.sum(deviation**2, axis=0) / (len(deviation) - 1))
        z = deviation / np.where(scale > 0, scale, 1.0)
        total = z.T @ z if total is None else total + z.T @ z
        freedom += len(z) - 1
    return None if total is None else _shrunk(total, freedom)


def measure_errors(runs: Iterable[tuple[Parts, np.ndarray]], n_bins: int) -> np.ndarray:
    """Compare the scatter of the parts of runs with the errors that the runs quote.

    Args:
        runs: the parts of every run, and the errors (n_bins,) that the whole run quotes. A bin that is not finite in
            some part does not count in that run.
        n_bins: number of bins.

    Returns:
        (n_bins,) factor by which the quoted errors have to be multiplied, from the variances pooled over all runs with
        `PRIOR_FREEDOM` degrees of freedom that say 1 (a moderated variance: G. Smyth, Stat. Appl. Genet. Mol. Biol. 3
        (2004) 3). 1 for bins without a quoted error, without scatter and without parts.
    """
    scatter, quoted, freedom = np.zeros(n_bins), np.zeros(n_bins), np.zeros(n_bins)
    for parts, errors in runs:
        n_parts = len(parts.events)
        if n_parts < 2:
            continue
        deviation, finite = parts.deviations()
        used = finite & np.isfinite(errors)
        scatter[used] += np.sum(deviation[:, used] ** 2, axis=0) / n_parts
        quoted[used] += errors[used] ** 2 * (n_parts - 1)
        freedom[used] += n_parts - 1
    known = (scatter > 0) & (quoted > 0)
    ratio = np.divide(scatter, quoted, out=np.ones(n_bins), where=known)
    return np.sqrt((freedom * ratio + PRIOR_FREEDOM) / (freedom + PRIOR_FREEDOM))


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
