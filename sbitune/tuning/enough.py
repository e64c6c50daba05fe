"""Are there enough runs for what is to be learnt from them?"""

import math

from sbitune.data.errors import InputError
from sbitune.tuning.surrogates.config import (
    AutoConfig,
    GaussianConfig,
    NetworkConfig,
    PolynomialConfig,
    RationalConfig,
    SurrogateConfig,
)
from sbitune.tuning.surrogates.rational.positive import is_provable


def check_enough_runs(
    surrogate: SurrogateConfig, runs: int, dimensions: int, where: str, more: str = "raise scan.runs"
) -> None:
    """Refuse a number of runs from which a surrogate could not be learnt.

    Args:
        surrogate: what is to be learnt.
        runs: number of runs to learn from, held-out ones not counted.
        dimensions: number of parameters.
        where: place of the scan, for the message.
        more: how to get more runs, for the message.

    Raises:
        InputError: with the number of runs that is needed.
    """
    if isinstance(surrogate, NetworkConfig) and runs < 2 * surrogate.folds:
        raise InputError(
            f"{where}: a network with {surrogate.folds} folds needs at least {2 * surrogate.folds} runs, not {runs}; "
            f"{more} or lower surrogate.folds"
        )
    if isinstance(surrogate, GaussianConfig | AutoConfig) and runs < (needed := 2 * dimensions + 10):
        raise InputError(
            f"{where}: {runs} runs are too few to learn {dimensions} parameters from, at least {needed} runs are "
            f"needed; {more}, or name a polynomial of low order as surrogate"
        )
    if isinstance(surrogate, RationalConfig):
        _check_rational(surrogate, runs, dimensions, where, more)
        return
    if not isinstance(surrogate, PolynomialConfig):
        if runs < (needed := dimensions + 2):
            raise InputError(
                f"{where}: {runs} runs are too few to learn {dimensions} parameters from, at least {needed} runs are "
                f"needed; {more}"
            )
        return
    order = surrogate.order
    if order == "auto":
        _check_folds(surrogate, runs, dimensions, where, more)
    elif runs < (needed := math.comb(dimensions + order, order) + 1):
        raise InputError(
            f"{where}: a polynomial of order {order} in {dimensions} parameters needs at least {needed} runs, "
            f"not {runs}; {more} or lower its order"
        )


def _check_rational(surrogate: RationalConfig, runs: int, dimensions: int, where: str, more: str) -> None:
    """Both polynomials of given orders must leave a degree of freedom; with `auto` the first orders must leave one to
    all folds but one. Denominators that could not be shown to be positive are refused, too.
    """
    above = 1 if surrogate.numerator == "auto" else surrogate.numerator
    below = 1 if surrogate.denominator == "auto" else surrogate.denominator
    if not is_provable(dimensions, below):
        raise InputError(
            f"{where}: that a denominator of order {below} in {dimensions} parameters has no zero in the box cannot be "
            "shown; lower the order of the denominator, or take another kind of surrogate"
        )
    # the constant of the denominator is 1
    terms = math.comb(dimensions + above, above) + math.comb(dimensions + below, below) - 1
    chosen = "auto" in (surrogate.numerator, surrogate.denominator)
    needed = _with_folds(terms, surrogate.folds) if chosen else terms + 1
    if runs >= needed:
        return
    what = (
        f"to choose the orders of a rational function in {dimensions} parameters with {surrogate.folds} folds"
        if chosen
        else f"a rational function of orders {above}/{below} in {dimensions} parameters"
    )
    raise InputError(f"{where}: {what} needs at least {needed} runs, not {runs}; {more} or lower its orders")


def _with_folds(terms: int, folds: int) -> int:
    """Runs of which all folds but one are more than the terms."""
    needed = folds
    while needed - -(-needed // folds) <= terms:
        needed += 1
    return needed


def _check_folds(surrogate: PolynomialConfig, runs: int, dimensions: int, where: str, more: str) -> None:
    """With `order: auto` the first order at least must leave the fit to all folds but one a degree of freedom."""
    order = min(1, surrogate.max_order)
    needed = _with_folds(math.comb(dimensions + order, order), surrogate.folds)
    if runs < needed:
        raise InputError(
            f"{where}: to choose the order of a polynomial in {dimensions} parameters with {surrogate.folds} folds at "
            f"least {needed} runs are needed, not {runs}; {more}"
        )
