"""Which orders of numerator and denominator: those that predict held-out runs best, by cross-validation."""

from itertools import product
from typing import Literal, NamedTuple

from sbitune.data.errors import InputError
from sbitune.data.scan import Scan
from sbitune.tuning.surrogates.heldout.crossvalidation import Folds, simplest
from sbitune.tuning.surrogates.kindconfig import Scale
from sbitune.tuning.surrogates.rational.fit import fit_rational
from sbitune.tuning.surrogates.rational.positive import is_provable
from sbitune.tuning.surrogates.regression.basis import count_terms, has_room

Order = int | Literal["auto"]

#: what is tried if both orders are to be chosen, and each of them if the other is given
TRIED = ((1, 1), (2, 1), (3, 1), (2, 2), (3, 2), (4, 1), (4, 2), (5, 2))
NUMERATORS, DENOMINATORS = (1, 2, 3, 4, 5), (1, 2)


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
    """Choose orders for all bins, as `polynomial.orders.choose_order` does for polynomials.

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
    dealt, n = Folds(scan, folds, seed), len(scan.parameters)
    tried = [pair for pair in _candidates(numerator, denominator) if _terms(n, pair) < dealt.smallest]
    tried = [pair for pair in tried if has_room(len(scan.bins), _terms(n, pair))]
    tried = sorted((pair for pair in tried if is_provable(n, pair[1])), key=lambda pair: _terms(n, pair))
    if not tried:
        raise InputError(
            f"{len(scan.runs)} runs in {folds} folds are too few for any rational function of {n} parameters; add runs",
            code="surrogate-too-few-runs",
        )
    noise = dealt.noise("choose the orders yourself")
    scores = tuple(
        RationalScore(
            *pair,
            _terms(n, pair),
            *dealt.score(lambda part, p=pair: fit_rational(part, *p, scale, log_inputs), noise)[:2],
        )
        for pair in tried
    )
    taken = simplest(scores)
    return RationalChoice(taken.numerator, taken.denominator, scores)


def _candidates(numerator: Order, denominator: Order) -> tuple[tuple[int, int], ...]:
    if numerator == "auto" and denominator == "auto":
        return TRIED
    above = NUMERATORS if numerator == "auto" else (numerator,)
    below = DENOMINATORS if denominator == "auto" else (denominator,)
    return tuple(product(above, below))


def _terms(n_parameters: int, orders: tuple[int, int]) -> int:
    return count_terms(n_parameters, orders[0]) + count_terms(n_parameters, orders[1]) - 1
