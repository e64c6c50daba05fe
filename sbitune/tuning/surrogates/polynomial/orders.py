"""Which polynomial order: the one that predicts held-out runs best, by cross-validation."""

from typing import NamedTuple

import jax

from sbitune.data.errors import InputError
from sbitune.data.scan import Scan
from sbitune.tuning.surrogates.components.blockwise import train_blocks
from sbitune.tuning.surrogates.heldout.crossvalidation import Folds, simplest
from sbitune.tuning.surrogates.kindconfig import Scale
from sbitune.tuning.surrogates.polynomial.config import PolynomialConfig
from sbitune.tuning.surrogates.polynomial.fit import fit_polynomial
from sbitune.tuning.surrogates.protocols import TrainedSurrogate
from sbitune.tuning.surrogates.regression.basis import count_terms, has_room, has_time, spread_evenly

#: terms of the highest order that is tried, in units of the runs that are left to it
_FULLEST = 0.8
#: what the runs do is no constant if that misses them by more than so many times what another order does
_RESPONDS = 1.2
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

    It is that which predicts held-out runs best, see `heldout.crossvalidation`; of very many bins only some vote.

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
    size, n_parameters = len(scan.bins), len(scan.parameters)
    dealt = Folds(scan.take_bins(spread_evenly(size, _VOTERS)), folds, seed)
    terms = {order: count_terms(n_parameters, order) for order in range(max_order + 1)}
    most = max(_FULLEST * dealt.smallest, 2)
    tried = [order for order, n in terms.items() if n < most and has_room(size, n) and (order < 2 or has_time(size, n))]
    if not tried:
        raise InputError(
            f"{len(scan.runs)} runs in {folds} folds are too few for any polynomial; add runs",
            code="surrogate-too-few-runs",
        )
    noise = dealt.noise("choose the order yourself")
    scores: list[OrderScore] = []
    for order in tried:
        try:
            score = dealt.score(lambda part, o=order: _fit(part, o, scale, shrinkage), noise)
        except InputError:  # a grid of 5 values does not determine order 5, nor any that is higher
            if not scores:
                raise
            break
        scores.append(OrderScore(order, terms[order], *score))
    return OrderChoice(simplest(_without_constant(scores)).order, tuple(scores))


def _without_constant(scores: list[OrderScore]) -> list[OrderScore]:
    """The scores less that of order 0 if it misses the runs by far more than the others do: of few runs a single one
    that is badly predicted makes all scores so uncertain that a constant, which no fit can use, would be good enough.
    """
    others = [score for score in scores if score.order]
    responds = others and scores[0].rms_pull > _RESPONDS * min(score.rms_pull for score in others)
    return others if responds else scores


def _fit(scan: Scan, order: int, scale: Scale, shrinkage: bool) -> TrainedSurrogate:
    if not scan.copies:
        return fit_polynomial(scan, order, scale, shrinkage)
    config, none = PolynomialConfig(order=order), jax.random.key(0)  # nothing is drawn

    def fit_block(_: jax.Array, block: Scan) -> TrainedSurrogate:
        return fit_polynomial(block, int(config.reduced(*block.theta.shape).order), scale, shrinkage)

    return train_blocks(none, scan, fit_block)
