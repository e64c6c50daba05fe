"""Which orders of numerator and denominator: those that predict held-out runs best, by cross-validation."""

from itertools import product
from typing import Literal, NamedTuple

import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.scan import Scan
from sbitune.tuning.surrogates.basis import count_terms, has_room
from sbitune.tuning.surrogates.outputs import Scale, make_targets
from sbitune.tuning.surrogates.rational import fit_rational
from sbitune.tuning.surrogates.rational_positive import is_provable

Order = int | Literal["auto"]

#: what is tried if both orders are to be chosen, and each of them if the other is given
TRIED = ((1, 1), (2, 1), (3, 1), (2, 2), (3, 2), (4, 1), (4, 2), (5, 2))
NUMERATORS, DENOMINATORS = (1, 2, 3, 4, 5), (1, 2)
#: standard errors by which fewer terms may trail the best and still be taken
_EQUAL = 0.5


class RationalScore(NamedTuple):
    """How well two orders predict the held-out runs."""

    numerator: int
    denominator: int
    n_terms: int  #: of both
    log_density: float  #: mean over runs and bins of log p(MC value | prediction, all errors); higher is better
    log_density_error: float  #: standard error of its mean, from the scatter over runs


class RationalChoice(NamedTuple):
    """The orders with the highest score, and the table."""

    numerator: int
    denominator: int
    scores: tuple[RationalScore, ...]  #: fewest terms first; orders that the number of runs allows


def choose_orders(
    scan: Scan,
    numerator: Order,
    denominator: Order,
    seed: int,
    folds: int = 3,
    scale: Scale = "linear",
    log_inputs: bool = False,
) -> RationalChoice:
    """Choose orders for all bins, as `orders.choose_order` does for polynomials.

    Args:
        scan: the runs.
        numerator: its order, or `auto`.
        denominator: its order, or `auto`.
        seed: shuffles the runs into folds.
        folds: number of parts, 2 or more.
        scale: see `fit_rational`.
        log_inputs: see `fit_rational`.

    Raises:
        InputError: no orders can be tried, or no bin has an error.
    """
    if folds < 2 or folds > len(scan.runs):
        raise InputError(f"cross-validation with {folds} folds of {len(scan.runs)} runs: need 2 to all runs")
    part = np.random.default_rng(seed).permutation(len(scan.runs)) % folds
    smallest = len(scan.runs) - int(np.bincount(part).max())
    n = len(scan.parameters)
    tried = [pair for pair in _candidates(numerator, denominator) if _terms(n, pair) < smallest]
    tried = [pair for pair in tried if has_room(len(scan.bins), _terms(n, pair))]
    tried = sorted((pair for pair in tried if is_provable(n, pair[1])), key=lambda pair: _terms(n, pair))
    if not tried:
        raise InputError(
            f"{len(scan.runs)} runs in {folds} folds are too few for any rational function of {n} parameters; add runs"
        )
    noise = make_targets(scan, "linear").errors
    voting = noise.max(axis=0) > 0
    if not voting.any():
        raise InputError("no bin of the scan has a Monte Carlo error: choose the orders yourself")
    scores = tuple(_score(scan, pair, part, noise, voting, scale, log_inputs) for pair in tried)
    best = max(scores, key=lambda score: score.log_density)
    equals = (s for s in scores if s.log_density >= best.log_density - _EQUAL * best.log_density_error)
    taken = next(equals)
    return RationalChoice(taken.numerator, taken.denominator, scores)


def _candidates(numerator: Order, denominator: Order) -> tuple[tuple[int, int], ...]:
    if numerator == "auto" and denominator == "auto":
        return TRIED
    above = NUMERATORS if numerator == "auto" else (numerator,)
    below = DENOMINATORS if denominator == "auto" else (denominator,)
    return tuple(product(above, below))


def _terms(n_parameters: int, orders: tuple[int, int]) -> int:
    return count_terms(n_parameters, orders[0]) + count_terms(n_parameters, orders[1]) - 1


def _score(
    scan: Scan,
    orders: tuple[int, int],
    part: np.ndarray,
    noise: np.ndarray,
    voting: np.ndarray,
    scale: Scale,
    log_inputs: bool,
) -> RationalScore:
    mean, error = np.empty_like(scan.values), np.empty_like(scan.values)
    for fold in range(int(part.max()) + 1):
        held = part == fold
        surrogate = fit_rational(scan.take_runs(~held), *orders, scale, log_inputs)
        mean[held], error[held] = surrogate.predict_many(scan.theta[held])
    difference = (scan.values - mean)[:, voting]
    variance = error[:, voting] ** 2 + noise[:, voting] ** 2
    of_run = (-0.5 * (difference**2 / variance + np.log(2 * np.pi * variance))).mean(axis=1)
    error_of_mean = float(of_run.std(ddof=1) / np.sqrt(len(of_run)))
    return RationalScore(*orders, _terms(len(scan.parameters), orders), float(of_run.mean()), error_of_mean)
