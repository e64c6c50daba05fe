"""Which polynomial order: the one that predicts held-out runs best, by cross-validation."""

from typing import NamedTuple

import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.scan import Scan
from sbitune.tuning.surrogates.basis import count_terms, has_room, has_time
from sbitune.tuning.surrogates.outputs import Scale, make_targets
from sbitune.tuning.surrogates.polynomial import fit_polynomial

#: standard errors by which a lower order may trail the best and still be taken
_EQUAL = 0.5
#: terms of the highest order that is tried, in units of the runs that are left to it
_FULLEST = 0.8
#: bins that vote, at most, spread evenly over all
_VOTERS = 400


class OrderScore(NamedTuple):
    """How well one order predicts the held-out runs."""

    order: int
    n_terms: int
    log_density: float  #: mean over runs and bins of log p(MC value | prediction, all errors); higher is better
    log_density_error: float  #: standard error of its mean, from the scatter over runs
    rms_pull: float  #: rms of (prediction - MC) / smoothed MC error
    pull_width: float  #: the same with the surrogate's own error in quadrature: 1 if its errors are true


class OrderChoice(NamedTuple):
    """The order with the highest score, and the table for the report."""

    order: int
    scores: tuple[OrderScore, ...]  #: lowest order first; orders that the number of runs allows


def choose_order(
    scan: Scan, max_order: int, seed: int, folds: int = 5, scale: Scale = "linear", shrinkage: bool = True
) -> OrderChoice:
    """Choose one order for all bins, so that the errors of neighbouring bins stay comparable.

    Every run is predicted by a fit to the other folds. The score is the predictive log density of the held-out
    values, which punishes wrong errors as well as wrong means: an order too high is punished although its fit of
    its own runs is perfect. Bins for which no run quotes an error do not vote, and
    of very many only some.

    Args:
        scan: the runs.
        max_order: highest order to try; orders for which the folds leave too few runs, or which would take too much
            memory or time, are not tried.
        seed: shuffles the runs into folds.
        folds: number of parts, 2 or more.
        scale: see `fit_polynomial`.
        shrinkage: see `fit_polynomial`.

    Raises:
        InputError: no order can be tried, or no bin has an error.
    """
    if folds < 2 or folds > len(scan.runs):
        raise InputError(f"cross-validation with {folds} folds of {len(scan.runs)} runs: need 2 to all runs")
    size = len(scan.bins)
    scan = scan.take_bins(np.unique(np.linspace(0, size - 1, min(size, _VOTERS)).astype(int)))
    part = np.random.default_rng(seed).permutation(len(scan.runs)) % folds
    smallest = len(scan.runs) - int(np.bincount(part).max())
    n_parameters = len(scan.parameters)
    most = _FULLEST * smallest
    tried = [order for order in range(max_order + 1) if count_terms(n_parameters, order) < max(most, 2)]
    sizes = {order: (size, count_terms(n_parameters, order)) for order in tried}
    tried = [order for order in tried if has_room(*sizes[order]) and (order < 2 or has_time(*sizes[order]))]
    if not tried:
        raise InputError(f"{len(scan.runs)} runs in {folds} folds are too few for any polynomial; add runs")
    noise = make_targets(scan, "linear").errors
    voting = noise.max(axis=0) > 0
    if not voting.any():
        raise InputError("no bin of the scan has a Monte Carlo error: choose the order yourself")
    scores = tuple(_score(scan, order, part, noise, voting, scale, shrinkage) for order in tried)
    best = max(scores, key=lambda score: score.log_density)
    # shrunk terms cost little, so higher orders trail by less than they are known: the lowest of the equals is taken
    equals = [s for s in scores if s.log_density >= best.log_density - _EQUAL * best.log_density_error]
    return OrderChoice(min(equals, key=lambda score: score.order).order, scores)


def _score(
    scan: Scan, order: int, part: np.ndarray, noise: np.ndarray, voting: np.ndarray, scale: Scale, shrinkage: bool
) -> OrderScore:
    mean, error = np.empty_like(scan.values), np.empty_like(scan.values)
    for fold in range(int(part.max()) + 1):
        held = part == fold
        surrogate = fit_polynomial(scan.take_runs(~held), order, scale, shrinkage)
        mean[held], error[held] = surrogate.predict_many(scan.theta[held])
    difference, noise = (scan.values - mean)[:, voting], noise[:, voting]
    variance = error[:, voting] ** 2 + noise**2
    density = -0.5 * (difference**2 / variance + np.log(2 * np.pi * variance))
    of_run = density.mean(axis=1)
    return OrderScore(
        order=order,
        n_terms=count_terms(len(scan.parameters), order),
        log_density=float(of_run.mean()),
        log_density_error=float(of_run.std(ddof=1) / np.sqrt(len(of_run))),
        rms_pull=float(np.sqrt(np.mean((difference / noise) ** 2))),
        pull_width=float(np.sqrt(np.mean(difference**2 / variance))),
    )
