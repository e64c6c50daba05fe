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
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

#: a correlation matrix of more bins than this takes more memory than it is worth; bins are taken to be independent then
MOST_BINS = 4000
#: smallest admixture of the unit matrix: bins that are filled by the same entries would make the matrix singular
SMALLEST_SHRINKAGE = 0.005
#: admixtures that are tried
_AMOUNTS = 40
#: degrees of freedom that stand for what the file quotes, when the scatter of parts is pooled with it
PRIOR_FREEDOM = 10


class Parts(NamedTuple):
    """What the parts of one run gave."""

    values: np.ndarray  #: (n_parts, n_bins) contents, each made from one part alone
    events: np.ndarray  #: (n_parts,) events in each part

    def take(self, chosen: Any) -> "Parts":
        """Only these bins: a boolean mask (n_bins,) or indices."""
        return self._replace(values=self.values[:, chosen])

    def deviations(self) -> tuple[np.ndarray, np.ndarray]:
        """Deviations (n_parts, n_bins) from the run's mean, scaled so that all parts have the same variance, that of a
        part of average size; and (n_bins,) whether the bin is finite in all parts, else its deviations are 0.
        """
        values = np.asarray(self.values, float)
        finite = np.asarray(np.isfinite(values).all(axis=0))
        values = np.where(finite, values, 0.0)
        weights = (self.events / self.events.mean())[:, None]
        return np.sqrt(weights) * (values - np.mean(weights * values, axis=0)), finite


def pool_correlation(parts: Iterable[Parts]) -> np.ndarray | None:
    """Estimate the correlation between bins from the parts of runs.

    Args:
        parts: of every run; a bin that is not finite in some part (a profile's bin without entries) counts as not
            deviating in that run.

    Returns:
        (n_bins, n_bins) correlation matrix, shrunk towards the unit matrix: by what makes one half of the runs say most
        of the other; with parts of one run only, by lambda = sum var(r_ij) / sum r_ij^2 (J. Schaefer, K. Strimmer,
        Stat. Appl. Genet. Mol. Biol. 4 (2005) 32). That lambda is best for the coefficients, but too much for the
        inverse of the matrix, which the likelihood needs. None without parts.
    """
    halves = [_Pool(), _Pool()]
    for number, run in enumerate(run for run in parts if len(run.events) > 1):
        halves[number % 2].add(run)
    first, second = halves
    if first.total is None:
        return None
    if second.total is None:
        return _shrunk(first.matrix(), _amount(first.matrix(), first.freedom))
    both = _Pool(first.total + second.total, first.freedom + second.freedom)
    # the admixture is noise / (noise + signal), and all the runs have half the noise of one half of them
    half = _best_amount(first, second)
    return _shrunk(both.matrix(), max(half / (2 - half), SMALLEST_SHRINKAGE))


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


def shrink_correlation(
    residuals: np.ndarray, prior: np.ndarray | None = None, taken: np.ndarray | float = 0.0
) -> np.ndarray:
    """Estimate the correlation between bins from residuals (n_runs, n_bins).

    Args:
        residuals: with zero mean.
        prior: (n_bins, n_bins) what the estimate is shrunk towards; None: the unit matrix.
        taken: (n_bins, n_bins) covariance that the residuals lack, as a fit to the same runs took it.
    """
    deviation = residuals - residuals.mean(axis=0)
    prior = np.eye(deviation.shape[1]) if prior is None else prior
    r = _normalised(deviation.T @ deviation / len(deviation) + taken)
    difference = np.sum((r - prior) ** 2)
    noise = np.sum((1 - r**2) ** 2) / max(1, len(deviation) - 1)
    amount = 1.0 if difference == 0 else np.clip(noise / difference, SMALLEST_SHRINKAGE, 1.0)
    return (1 - amount) * r + amount * prior


@dataclass
class _Pool:
    """Sums over runs."""

    total: np.ndarray | None = None  #: (n_bins, n_bins) of products of standardised deviations
    freedom: int = 0  #: of what is summed

    def add(self, run: Parts) -> None:
        deviation = run.deviations()[0]
        freedom = len(deviation) - 1
        scale = np.sqrt(np.sum(deviation**2, axis=0) / freedom)
        z = deviation / np.where(scale > 0, scale, 1.0)
        self.total = z.T @ z if self.total is None else self.total + z.T @ z
        self.freedom += freedom

    def matrix(self) -> np.ndarray:
        """Sample correlation; bins that never scatter are independent."""
        assert self.total is not None
        return _normalised(self.total)


def _normalised(covariance: np.ndarray) -> np.ndarray:
    """Correlation of a covariance; bins that never scatter are independent."""
    spread = np.sqrt(np.diag(covariance))
    r = covariance / np.outer(*[np.where(spread > 0, spread, 1.0)] * 2)
    np.fill_diagonal(r, 1.0)
    return r


def _shrunk(r: np.ndarray, amount: float) -> np.ndarray:
    r = (1 - amount) * r
    np.fill_diagonal(r, 1.0)
    return r


def _amount(r: np.ndarray, freedom: int) -> float:
    """Admixture of the unit matrix from one sample: noise over signal of the coefficients."""
    squares = np.sum(r**2) - len(r)
    # variance of a sample correlation coefficient of normal variables
    noise = np.sum((1 - r**2) ** 2)
    return 1.0 if squares <= 0 else float(np.clip(noise / freedom / squares, SMALLEST_SHRINKAGE, 1.0))


def _best_amount(first: _Pool, second: _Pool) -> float:
    """Admixture with which the matrix of one half of the runs gives the other half the highest normal likelihood."""
    amounts = np.geomspace(2 * SMALLEST_SHRINKAGE, 1.0, _AMOUNTS)
    loss = np.zeros(len(amounts))
    for known, new in ((first, second), (second, first)):
        values, vectors = np.linalg.eigh(known.matrix())
        spread = np.sum(vectors * (new.matrix() @ vectors), axis=0)
        eigenvalues = (1 - amounts[:, None]) * values + amounts[:, None]
        loss += new.freedom * np.sum(np.log(eigenvalues) + spread / eigenvalues, axis=1)
    return float(amounts[np.argmin(loss)])
