r"""E_ref[r(. | theta)] = 1: what a ratio of densities must fulfil at every theta: checked, and enforced.

Errors of a learned c(theta), the part of log r that all events share, move a fit by as much in every event, where those
that depend on x average out. The mean over events of the reference,

    N(theta) = sum_i w_i r(x_i | theta) / sum_i w_i,

measures them, with the known error of a mean of numbers that may spread widely. So log r is corrected by log N(theta)
only as far as that is larger than its own error. log N is found at many theta of the box, all from the same events,
with the covariance of their means, and described by a polynomial g(theta), 0 at the reference if that is a point. It is
cut in parts along the eigenvectors of its covariance, in units in which the sum of their squares is the mean of g^2
over the box. A part d with the variance v is kept if d^2 > 2 v: then its true size, d^2 - v by estimate, is more than
what correcting by d adds. So the correction is a smooth function of theta wherever a fit goes.

Events that a network was trained on have the mean 1 too easily; others are better, and many.
"""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sbitune.data.errors import ComputationError, InputError
from sbitune.data.parameter import parameter_box
from sbitune.data.sobol import sobol_points
from sbitune.ratios.parameterised.correction import Correction
from sbitune.ratios.parameterised.inputs import pick_events
from sbitune.ratios.parameterised.kinds.kind import all_pairs
from sbitune.ratios.parameterised.ratio import LearnedRatio, mean_log
from sbitune.ratios.parameterised.samples import RatioEvents

#: terms of the polynomial, and its order, at most: more cost points, and more events to determine them
_MOST_TERMS, _HIGHEST = 150, 6
#: points of theta for each term of the polynomial
_POINTS_PER_TERM = 3
#: events that are computed at once, times points
_SLICE = 1 << 20
#: events whose x networks look at together: sets of particles of like length among them are
_PREPARED = 1 << 16
#: events from which the derivatives of means in what combines members are found, at most
_FOR_SLOPES = 1 << 14
#: a part of the correction is kept if its square is larger than this many times its variance
_THRESHOLD = 2.0


class Means(NamedTuple):
    """E_ref[r] at points."""

    theta: np.ndarray  #: (n, n_parameters)
    mean: np.ndarray  #: (n,)
    covariance: np.ndarray  #: (n, n) of the means, from the spread of the events

    @property
    def error(self) -> np.ndarray:
        """(n,) Monte Carlo error."""
        return np.sqrt(np.maximum(np.diag(self.covariance), 0.0))  # where r is 1 rounding makes it negative


def means_of_ratio(ratio: LearnedRatio, reference: RatioEvents, theta: np.ndarray) -> Means:
    """E_ref[r] at theta (n, n_parameters) and its covariance, from events of the reference.

    Raises `InputError` for theta outside the box and weights without a sum above 0, `ComputationError` for a ratio that
    is not finite.
    """
    ratio.check_theta(theta)
    total = reference.weight.sum()
    if not total > 0:
        raise InputError(f"the weights of the reference sum to {total:g}", code="ratio-no-weight")
    first, second, cross, square = 0.0, np.zeros((len(theta),) * 2), 0.0, (reference.weight**2).sum()
    step = max(1, _SLICE // len(theta))
    for part, prepared in _prepared(ratio, reference, step):
        r = np.exp(np.asarray(_all_logs(ratio.networks, prepared, theta.astype(np.float32)), float))
        r *= np.exp(-np.asarray(ratio.log_mean(theta), float))
        weighted = reference.weight[part, None] * r
        first, cross = first + weighted.sum(axis=0), cross + reference.weight[part] @ weighted
        second += weighted.T @ weighted
    mean = first / total
    spread = second - np.outer(mean, cross) - np.outer(cross, mean) + square * np.outer(mean, mean)
    if not np.isfinite(spread).all():
        raise ComputationError("the mean ratio over the reference is not finite: the networks did not learn")
    return Means(theta, mean, spread / total**2)


def means_along(ratio: LearnedRatio, reference: RatioEvents, n: int = 9) -> dict[str, Means]:
    """E_ref[r] along every parameter, at n points of its range, with the others at the reference or in the middle."""
    centre, _ = parameter_box(ratio.parameters)
    at = centre if ratio.point is None else ratio.point
    found = {}
    for i, p in enumerate(ratio.parameters):
        theta = np.tile(at, (n, 1))
        theta[:, i] = np.linspace(p.low, p.high, n)
        found[p.name] = means_of_ratio(ratio, reference, theta)
    return found


def normalise(ratio: LearnedRatio, reference: RatioEvents, order: int | None = None) -> LearnedRatio:
    """Return the ratio divided by a smooth E_ref[r], as far as that is larger than its own error; see the module.

    Args:
        ratio: as learned; a correction that it has is replaced.
        reference: events of the reference, many, and better not those that it was learned from.
        order: of the polynomial; by default the highest, up to 6, for which it has no more than 150 terms.

    Raises:
        InputError, ComputationError: as `means_of_ratio`.
    """
    ratio = replace(ratio, correction=None)
    powers = _powers(len(ratio.parameters), order or _order(len(ratio.parameters)), constant=ratio.point is None)
    low, high = np.array([(p.low, p.high) for p in ratio.parameters]).T
    theta = low + (high - low) * sobol_points(_POINTS_PER_TERM * len(powers), len(low), seed=0)
    means = means_of_ratio(ratio, reference, theta)
    if not (means.mean > 0).all():
        raise ComputationError("the mean ratio over the reference is not positive: its weights cancel")
    none = np.zeros(len(powers))
    blank = Correction(powers, none, none, 0, np.diag(none), none[:, None][:, :0])
    point = None if ratio.point is None else ratio.scaled(ratio.point)
    terms = np.asarray(blank.terms(ratio.scaled(theta), point), float)
    relative = means.covariance / np.outer(means.mean, means.mean)
    away = np.log(means.mean) - terms @ np.linalg.lstsq(terms, np.log(means.mean))[0]
    # near the reference means are known far better than the polynomial can follow
    error = np.hypot(np.sqrt(np.diag(relative)), np.sqrt(np.mean(away**2)))
    solve = np.linalg.pinv(terms / error[:, None]) / error
    found, covariance = solve @ np.log(means.mean), solve @ relative @ solve.T
    project, n_kept = _significant(found, covariance, terms)
    correction = Correction(
        powers,
        project @ found,
        np.sqrt(np.diag(covariance)),
        n_kept,
        project @ covariance @ project.T,
        project @ solve @ _slopes(ratio, reference, theta),
    )
    return replace(ratio, correction=correction)


def _significant(found: np.ndarray, covariance: np.ndarray, terms: np.ndarray) -> tuple[np.ndarray, int]:
    """The projection (n_terms, n_terms) to the parts that are larger than their errors, and the number of these."""
    factor = np.linalg.cholesky(terms.T @ terms / len(terms))  # |factor^T c|^2 is the mean of g^2
    variance, vectors = np.linalg.eigh(factor.T @ covariance @ factor)
    parts = vectors.T @ (factor.T @ found)
    keep = parts**2 > _THRESHOLD * np.maximum(variance, 0)
    return np.linalg.solve(factor.T, (vectors * keep) @ vectors.T @ factor.T), int(keep.sum())


def _slopes(ratio: LearnedRatio, reference: RatioEvents, theta: np.ndarray) -> np.ndarray:
    """Derivatives (n, n_phi) of log E_ref[r] at theta (n, n_parameters) in what combines the members."""
    if ratio.combination is None:
        return np.zeros((len(theta), 0))
    at, found = theta.astype(np.float32), np.zeros((len(theta), 1 + len(ratio.combination)))
    for part, prepared in _prepared(ratio, reference, max(1, _SLICE // len(theta)), _FOR_SLOPES):
        found += np.asarray(_mean_and_slopes(ratio.networks, prepared, reference.weight[part], at))
    return found[:, 1:] / found[:, :1]


def _order(n_parameters: int) -> int:
    return max(n for n in range(1, _HIGHEST + 1) if n == 1 or math.comb(n_parameters + n, n) <= _MOST_TERMS)


def _powers(n_parameters: int, order: int, constant: bool) -> np.ndarray:
    """Exponents (n_terms, n_parameters) of all products up to an order."""
    grid = np.stack(np.meshgrid(*[np.arange(order + 1)] * n_parameters, indexing="ij"), -1).reshape(-1, n_parameters)
    total = grid.sum(axis=1)
    return grid[(total <= order) & (total >= (0 if constant else 1))]


def _prepared(
    ratio: LearnedRatio, reference: RatioEvents, step: int, most: int | None = None
) -> Iterator[tuple[slice, np.ndarray]]:
    """Slices of at most `step` of the first events, and what networks make of their x."""
    n = len(reference) if most is None else min(most, len(reference))
    for begin in range(0, n, _PREPARED):
        rows = slice(begin, min(begin + _PREPARED, n))
        prepared = ratio.prepare(pick_events(reference.given, rows))
        for first in range(0, len(prepared), step):
            part = prepared[first : first + step]
            yield slice(begin + first, begin + first + len(part)), part


@jax.jit
def _mean_and_slopes(networks: Any, prepared: Any, weight: Any, theta: Any) -> Any:
    """Sums (n_theta, 1 + n_phi) of r and of its derivatives in phi."""

    def total(phi: Any) -> Any:
        return weight @ jnp.exp(_all_logs(replace(networks, phi=phi[None]), prepared, theta))

    phi = jnp.asarray(networks.phi[0])
    return jnp.concatenate([total(phi)[:, None], jax.jacfwd(total)(phi)], axis=1)


@jax.jit
def _all_logs(networks: Any, prepared: Any, theta: Any) -> Any:
    """Log r (n_events, n_theta) of all with all, averaged over the members."""
    return mean_log(jax.vmap(lambda net, part: all_pairs(net, net.embed(theta), part), (0, 1))(networks, prepared))
