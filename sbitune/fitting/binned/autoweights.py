"""Weights of observables chosen by what the fit is wanted for, not by hand.

W. Wang, M. Krishnamoorthy, J. Mueller, S. Mrenna, H. Schulz, X. Ju, S. Leyffer, Z. Marshall, "BROOD: Bilevel and Robust
Optimization and Outlier Detection for Efficient Tuning of High-Energy Physics Event Generators", arXiv:2103.05751, have
had the idea, and the names of the objectives are theirs. What stands here follows the abstract and descriptions of the
method; the equations were not compared with those of the paper, and weights need not agree with published ones. What
is computed is this. Inside, the parameters minimise a chi2 in which the observable O has the share omega_O >= 0, the
sum of which is 1; outside, the shares minimise an objective g of the parameters found. With the bins b of O, residuals
r_b, errors s_d of the data and s_f of the model,

    e_O = mean over b of r_b^2 / (s_d^2 + s_f^2),
    portfolio:    g = mean over O of e_O + variance over O of e_O, in the manner of H. Markowitz, J. Finance 7 (1952)
                  77: all are to be described well, and about equally well;
    meanscore:    g = sum over O of the mean over b of r_b^2 / s_d^2 + log s_d^2, after the scoring rule of A. Dawid,
                  P. Sebastiani, Ann. Stat. 27 (1999) 65; the logarithms do not depend on the shares;
    medianscore:  the same with medians, so that a few bins that cannot be described do not count.

Weighted chi2, A-optimality and D-optimality compare fits. The latter two are the trace and the logarithm of the
determinant of the covariance of the parameters (F. Pukelsheim, Optimal Design of Experiments, SIAM 2006, ch. 6; lower
is better), here in half widths of their ranges, so that units do not matter.

The outer objective has no derivatives and valleys of its own. It is interpolated by cubic radial basis functions with a
linear tail through all shares that were tried, and the next shares are those, of many drawn at random, that are low
there and far from what was tried, in changing proportion (H.-M. Gutmann, J. Glob. Optim. 19 (2001) 201; R. G. Regis,
C. A. Shoemaker, INFORMS J. Comput. 19 (2007) 497).

The weights that are quoted enter squared, as everywhere: w_O = sqrt(n omega_O), so that equal shares are weights of 1.
While shares are tried V is held at the fit with the weights as they were given. The errors of a weighted fit are
larger than those with unit weights, which use the data best; the comparison says by how much.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from scipy.interpolate import RBFInterpolator
from scipy.spatial.distance import cdist

from sbitune.data.errors import ArgumentError, ComputationError
from sbitune.fitting.binned.refit import linearise
from sbitune.fitting.config import BinnedFitConfig, OuterObjective
from sbitune.fitting.likelihood.problem import BinnedProblem
from sbitune.fitting.minimise.migrad import migrad
from sbitune.fitting.minimise.minimiser import fit
from sbitune.fitting.results import BinnedFit

#: shares drawn at random for the choice of the next ones
_CANDIDATES = 500
#: how much the interpolated objective counts in that choice, against the distance from what was tried; taken in turn
_PROPORTIONS = (0.3, 0.5, 0.8, 0.95)
#: no observable has less than this part of an equal share: the inner fit keeps its minimum
_LEAST = 1e-3


class Metrics(NamedTuple):
    """What fits with different weights are compared by."""

    outer: float  #: the outer objective
    weighted_chi2: float  #: sum over observables of n omega_O chi2_O, with the fit's own shares
    chi2: float  #: the same with unit weights
    a_optimality: float  #: trace of the covariance of the parameters, in half widths of their ranges
    d_optimality: float  #: log determinant of that covariance
    chi2_per_bin: dict[str, float]  #: path -> e_O

    @property
    def median(self) -> float:
        """Median over observables of e_O."""
        return float(np.median(list(self.chi2_per_bin.values())))

    def cumulative(self) -> tuple[np.ndarray, np.ndarray]:
        """e_O in rising order (n_observables,), and the part of the observables that has at most that much."""
        ordered = np.sort(list(self.chi2_per_bin.values()))
        return ordered, np.arange(1, len(ordered) + 1) / len(ordered)


@dataclass(frozen=True, eq=False)
class AutoWeights:
    """Automatic weights beside those that were given."""

    objective: OuterObjective
    weights: dict[str, float]  #: path -> weight, which enters squared; 1 for equal shares
    fitted: BinnedFit  #: with these weights
    problem: BinnedProblem  #: with these weights
    given: BinnedFit  #: with the weights as they were given
    automatic_metrics: Metrics
    given_metrics: Metrics
    history: np.ndarray  #: (n_fits,) outer objective of the shares that were tried; infinite where the fit failed


def choose_weights(problem: BinnedProblem, config: BinnedFitConfig) -> AutoWeights:
    """Choose weights with at most `config.weight_fits` fits, from `config.seed`; then fit with them from all starts.

    The outer objective is `config.automatic_weights` (true is "portfolio"). Weights within an observable become equal.

    Raises:
        InputError: if there is one observable, or fewer fits are allowed than are needed to begin.
        ComputationError: as `fit` does, or if no fit with equal shares converges.
    """
    paths = problem.measured.bins.paths()
    objective: OuterObjective = config.automatic_weights if isinstance(config.automatic_weights, str) else "portfolio"
    if len(paths) < 2:
        raise ArgumentError("automatic_weights: there is one observable; weights need two or more to choose between")
    if config.weight_fits < len(paths) + 2:
        raise ArgumentError(
            f"weight_fits: {config.weight_fits} fits cannot choose the weights of {len(paths)} observables; allow "
            f"{20 * len(paths)}, and not fewer than {len(paths) + 2}"
        )
    given = fit(problem, config)
    inner = _Inner(problem, given, objective)
    with problem.computing():
        shares, history = _search(inner, len(paths), config.weight_fits, np.random.default_rng(config.seed))
    chosen = with_weights(problem, dict(zip(paths, np.sqrt(len(paths) * shares), strict=True)))
    fitted = fit(chosen, config)
    return AutoWeights(
        objective,
        {path: float(np.sqrt(len(paths) * share)) for path, share in zip(paths, shares, strict=True)},
        fitted,
        chosen,
        given,
        find_metrics(chosen, fitted, objective),
        find_metrics(problem, given, objective),
        history,
    )


def with_weights(problem: BinnedProblem, weights: dict[str, float]) -> BinnedProblem:
    """The problem with other weights: path -> weight of all bins of an observable, for every observable."""
    own = np.array([weights[str(path)] for path in problem.measured.bins.path])
    return replace(problem, measured=replace(problem.measured, weights=own))


class _Inner:
    """The inner fit and what the outer objective says of it, with V held at the fit with the weights as given."""

    def __init__(self, problem: BinnedProblem, fitted: BinnedFit, objective: OuterObjective) -> None:
        self.problem = problem
        self.name: OuterObjective = objective
        with problem.computing():
            self.objective = problem.objective()
            self.u = self.objective.frame.to_unit(fitted.values)
            self.held = self.objective.hold(self.u)
        self.paths = problem.measured.bins.paths()
        self.places = [problem.measured.bins.of(path) for path in self.paths]

    def __call__(self, shares: np.ndarray) -> float:
        """The outer objective for shares (n_observables,), from the minimum that was found before."""
        weights = dict(zip(self.paths, np.sqrt(len(shares) * shares), strict=True))
        weighted = self.objective.with_weights(with_weights(self.problem, weights).measured.weights)
        m = migrad(weighted, self.u, self.held)
        if not m.valid:
            return np.inf
        self.u = np.array(m.values)
        r = weighted.point(self.u, self.held).residual
        data = self.problem.measured.total_errors**2
        return outer_objective(self.name, r, np.diag(self.held.covariance), data, self.places)


def outer_objective(
    name: OuterObjective, r: np.ndarray, variance: np.ndarray, data: np.ndarray, places: list[np.ndarray]
) -> float:
    """Compute g of residuals r (n_bins,), with their variances with and without the model's, and observables' bins."""
    if name == "portfolio":
        e = np.array([np.mean(r[mine] ** 2 / variance[mine]) for mine in places])
        return float(e.mean() + e.var())
    score = r**2 / data + np.log(data)
    middle = np.mean if name == "meanscore" else np.median
    return float(sum(middle(score[mine]) for mine in places))


def _search(
    g: Callable[[np.ndarray], float], n: int, fits: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The best shares (n,) and the history (fits,) of g."""
    first = [np.full(n, 1 / n), *rng.dirichlet(np.ones(n), size=min(2 * n, fits - 1))]
    tried = [_kept_up(shares) for shares in first]
    values = [g(shares) for shares in tried]
    if not np.isfinite(values[0]):
        raise ComputationError("the fit failed: it does not converge with equal weights; give weights by hand")
    while len(values) < fits:
        best = tried[int(np.argmin(values))]
        candidates = _candidates(best, n, rng)
        tried.append(candidates[_next(np.array(tried), np.array(values), candidates, len(values))])
        values.append(g(tried[-1]))
    return tried[int(np.argmin(values))], np.array(values)


def _kept_up(shares: np.ndarray) -> np.ndarray:
    least = _LEAST / shares.shape[-1]
    return least + (1 - _LEAST) * shares


def _candidates(best: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Shares (n_candidates, n): half anywhere, half near the best so far, with some observables changed by factors."""
    anywhere = rng.dirichlet(np.ones(n), size=_CANDIDATES // 2)
    changed = rng.random((_CANDIDATES // 2, n)) < np.maximum(0.2, 1 / n)
    near = best * np.exp(np.where(changed, rng.normal(0, 1.0, changed.shape), 0.0))
    return _kept_up(np.concatenate([anywhere, near / near.sum(1, keepdims=True)]))


def _next(tried: np.ndarray, values: np.ndarray, candidates: np.ndarray, turn: int) -> int:
    """Which candidate is low where g is interpolated, and far from what was tried."""
    # the shares sum to 1, so that the last says nothing; high values are levelled, as only the valleys matter
    levelled = np.minimum(values, np.median(values))
    model = RBFInterpolator(tried[:, :-1], levelled, kernel="cubic", degree=1, smoothing=1e-9)
    low = _to_unit(model(candidates[:, :-1]))
    near = _to_unit(-cdist(candidates, tried).min(1))
    proportion = _PROPORTIONS[turn % len(_PROPORTIONS)]
    return int(np.argmin(proportion * low + (1 - proportion) * near))


def _to_unit(x: np.ndarray) -> np.ndarray:
    spread = x.max() - x.min()
    return (x - x.min()) / spread if spread > 0 else np.zeros_like(x)


def find_metrics(problem: BinnedProblem, fitted: BinnedFit, objective: OuterObjective) -> Metrics:
    """The metrics of a fit of the problem, with V at its values."""
    measured, linear = problem.measured, linearise(problem, fitted.values)
    places = {path: measured.bins.of(path) for path in measured.bins.paths()}
    r, variance = linear.residual, np.diag(linear.covariance)
    terms = r * (linear.inverse @ r)
    squares = np.array([np.mean(measured.weights[mine] ** 2) for mine in places.values()])
    shares = squares / squares.sum()
    per_observable = np.array([terms[mine].sum() for mine in places.values()])
    half = 0.5 * np.array([p.high - p.low for p in problem.parameters])
    moved = fitted.errors > 0
    covariance = (fitted.covariance / np.outer(half, half))[np.ix_(moved, moved)]
    return Metrics(
        outer_objective(objective, r, variance, measured.total_errors**2, list(places.values())),
        float(len(shares) * shares @ per_observable),
        float(terms.sum()),
        float(np.trace(covariance)),
        float(np.linalg.slogdet(covariance)[1]),
        {path: float(np.mean(r[mine] ** 2 / variance[mine])) for path, mine in places.items()},
    )
