"""Ranks of truths among draws: uniform if the posterior is exact, and what departures from that say.

With n ranks u in [0, 1], the mean of u scatters by sqrt(1/12 n) and that of (u - 1/2)^2 by sqrt(1/180 n).
"""

from typing import NamedTuple

import jax
import numpy as np
from scipy import stats

#: deviations from uniform ranks are told if they exceed so many standard deviations
SIGNIFICANT = 3.5
#: credible levels at which coverage is counted
CREDIBILITIES = np.linspace(0.05, 0.95, 19)


class Uniformity(NamedTuple):
    """How far ranks are from uniform ones."""

    shift: np.ndarray | float  #: standard deviations by which their mean is above 1/2
    width: np.ndarray | float  #: the same of their mean square about 1/2: too many near 0 and 1


def uniform_ranks(key: jax.Array, below: np.ndarray, n_draws: int) -> np.ndarray:
    """(n_pairs, ...) ranks u of truths that have `below` (n_pairs, ...) of so many draws below them, ties at random."""
    return (below + np.asarray(jax.random.uniform(key, below.shape), np.float64)) / (n_draws + 1)


def uniformity(ranks: np.ndarray) -> Uniformity:
    """Compare the moments of ranks (n_pairs, ...) with uniform ones."""
    n = len(ranks)
    shift = (ranks.mean(axis=0) - 0.5) * np.sqrt(12 * n)
    return Uniformity(shift, (((ranks - 0.5) ** 2).mean(axis=0) - 1 / 12) * np.sqrt(180 * n))


def p_of_uniform(ranks: np.ndarray) -> float:
    """Probability that ranks (n_pairs,) differ so much from uniform ones (Kolmogorov and Smirnov)."""
    return float(stats.kstest(ranks, "uniform").pvalue)


class Levels(NamedTuple):
    """How often regions of given credibility hold the truth."""

    levels: np.ndarray  #: (n_levels,)
    coverage: np.ndarray  #: (n_levels,) part of the regions that hold it
    error: np.ndarray  #: (n_levels,) binomial standard deviation, if the posterior is exact


def count_levels(ranks: np.ndarray, levels: np.ndarray = CREDIBILITIES) -> Levels:
    """Count ranks (n_pairs,) below levels."""
    coverage = np.mean(ranks[:, None] < levels, axis=0)
    return Levels(levels, coverage, np.sqrt(levels * (1 - levels) / len(ranks)))
