"""Do credible regions hold the truth as often as they claim? Regions of highest density, and random ones.

Both look at all parameters together. For pairs (theta, x) drawn as in training:

- expected coverage (J. Hermans et al., "A crisis in simulation-based inference? Beware, your posterior approximations
  can be unfaithful", arXiv:2110.06581): the part of the posterior with higher density than the truth is uniform. Its
  mean is larger than 1/2 for a posterior that is too narrow, smaller for one that is too wide. It needs densities,
  which need not be normalised.
- TARP (P. Lemos, A. Coogan, Y. Hezaveh, L. Perreault-Levasseur, "Sampling-based accuracy testing of posterior
  estimators for general inference", arXiv:2302.03026): the part of the draws that are nearer to a reference point than
  the truth is uniform, too. It needs draws only. With references that do not depend on x, a posterior that is the prior
  whatever x passes; with those that do, the test sees any posterior that is wrong.

Both are judged by Kolmogorov and Smirnov's test of these parts themselves, one for each pair. (A test of the two curves
of levels and coverage as samples of points sees next to nothing.)
"""

from typing import NamedTuple

import jax
import numpy as np

from sbitune.data.errors import InputError
from sbitune.fitting.checks.ranks import SIGNIFICANT, Levels, count_levels, p_of_uniform, uniform_ranks, uniformity

#: two-sided probability of `SIGNIFICANT` standard deviations
_LEAST = 4.7e-4


class RegionCoverage(NamedTuple):
    """Coverage of credible regions in all parameters together."""

    ranks: np.ndarray  #: (n_pairs,) smallest credibility of a region that holds the truth, uniform if all is exact
    levels: Levels  #: coverage at levels of credibility, with errors
    narrow: float  #: standard deviations by which regions are too small; < 0: too large
    p_value: float  #: that ranks are uniform

    @property
    def verdict(self) -> str:
        """`consistent`, `too narrow` (or shifted), `too wide`, or `wrong` if it is neither but not uniform."""
        if abs(self.narrow) > SIGNIFICANT:
            return "too narrow" if self.narrow > 0 else "too wide"
        return "wrong" if self.p_value < _LEAST else "consistent"


def expected_coverage(
    key: jax.Array, density_truth: np.ndarray, density_draws: np.ndarray, weights: np.ndarray | None = None
) -> RegionCoverage:
    """Count how often regions of highest density hold the truth.

    Args:
        key: breaks ties.
        density_truth: (n_pairs,) log density of the posterior at the truth, up to a constant for each pair.
        density_draws: (n_pairs, n_draws) the same at draws from it.
        weights: (n_pairs, n_draws) posterior weights of the draws, of points of a grid say; None: all alike.

    Raises:
        InputError: other shapes, or densities that are NaN.
    """
    truth, draws = np.asarray(density_truth, np.float64), np.asarray(density_draws, np.float64)
    if truth.ndim != 1 or draws.ndim != 2 or len(draws) != len(truth) or not draws.size:
        raise InputError(
            f"coverage: densities have the shapes {truth.shape} at the truth and {draws.shape} at draws, expected "
            "(n_pairs,) and (n_pairs, n_draws)",
            code="draws-wrong-shape",
        )
    for name, density in (("the truth", truth), ("a draw", draws)):
        if np.isnan(density).any():
            pair = int(np.argwhere(np.isnan(density))[0][0])
            raise InputError(
                f"coverage: the density at {name} of pair {pair} is NaN: did the posterior fail there?",
                code="draws-not-finite",
            )
    higher = draws > truth[:, None]
    if weights is None:
        ranks = uniform_ranks(key, higher.sum(axis=1), draws.shape[1])
    else:
        equal = draws == truth[:, None]
        share = np.asarray(jax.random.uniform(key, truth.shape), np.float64)
        parts = [(weights * part).sum(axis=1) for part in (higher, equal)]
        ranks = (parts[0] + share * parts[1]) / np.sum(weights, axis=1)
    return RegionCoverage(ranks, count_levels(ranks), float(uniformity(ranks).shift), p_of_uniform(ranks))


def tarp(key: jax.Array, truth: np.ndarray, draws: np.ndarray, references: np.ndarray | None = None) -> RegionCoverage:
    """Count how often random regions hold the truth.

    Args:
        key: draws references, and breaks ties.
        truth: (n_pairs, n_parameters).
        draws: (n_pairs, n_draws, n_parameters) from the posterior that belongs to each.
        references: (n_pairs, n_parameters) points, which may depend on x but not on the truth; None: uniform between
            the smallest and largest truths.

    Raises:
        InputError: other shapes, numbers that are not finite, a parameter that is always the same.
    """
    truth, draws = _check_tarp(truth, draws)
    reference_key, rank_key = jax.random.split(key)
    low, high = truth.min(axis=0), truth.max(axis=0)
    if references is None:
        references = low + np.asarray(jax.random.uniform(reference_key, truth.shape), np.float64) * (high - low)
    points = np.asarray(references, np.float64)
    if points.shape != truth.shape:
        raise InputError(f"TARP: references have the shape {points.shape}, expected {truth.shape}")
    unit = truth.std(axis=0)
    distance = np.sum(((truth - points) / unit) ** 2, axis=1)
    nearer = np.stack(  # pair by pair: all at once would take twice the memory of the draws
        [(np.sum(((d - r) / unit) ** 2, axis=1) < a).sum() for d, r, a in zip(draws, points, distance, strict=True)]
    )
    ranks = uniform_ranks(rank_key, nearer, draws.shape[1])
    moments = uniformity(ranks)
    # too narrow: the truth is often beyond all draws or before them; in many dimensions beyond, as it scatters more
    narrow = max(moments, key=abs)
    return RegionCoverage(ranks, count_levels(ranks), float(narrow), p_of_uniform(ranks))


def _check_tarp(truth: np.ndarray, draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    truth, draws = np.asarray(truth, np.float64), np.asarray(draws, np.float64)
    if truth.ndim != 2 or draws.ndim != 3 or (len(truth), truth.shape[1]) != (len(draws), draws.shape[2]):
        raise InputError(
            f"TARP: truths have the shape {truth.shape} and draws {draws.shape}, expected (n_pairs, n_parameters) and "
            "(n_pairs, n_draws, n_parameters)",
            code="draws-wrong-shape",
        )
    for name, numbers in (("truth", truth), ("draw", draws)):
        if not np.isfinite(numbers).all():
            pair = int(np.argwhere(~np.isfinite(numbers))[0][0])
            raise InputError(
                f"TARP: a {name} of pair {pair} is not finite: leave failed posteriors out, and say so",
                code="draws-not-finite",
            )
    same = truth.min(axis=0) == truth.max(axis=0)
    if same.any():
        raise InputError(f"TARP: parameter {int(np.argmax(same))} has one value in all pairs: leave it out")
    return truth, draws
