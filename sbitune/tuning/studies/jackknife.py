"""How much a tune owes to the order of the polynomial, and to single runs.

The orders are compared by cross-validation (`polynomial.orders`) and by the values that each of them would be fitted
to. Runs are left out by the delete-d jackknife: with d of n runs missing in each of N combinations, values theta_s and
their mean m, M combinations being possible,

    error^2 = (n - d) / d * (M - 1) / M * sum_s (theta_s - m)^2 / (N - 1)

estimates the variance that the values owe to which runs were made (J. Shao and C. F. J. Wu, A General Theory for
Jackknife Variance Estimation, Ann. Statist. 17 (1989) 1176). Combinations of several sizes have a spread, but no such
error. Professor calls them run combinations. Runs that share measurements are left out together, and n, d and M count
what is independent; of combinations that take such runs apart no error can be told.
"""

from collections import Counter
from collections.abc import Sequence
from math import comb
from typing import NamedTuple

import jax
import msgspec
import numpy as np

from sbitune.data.blocks import linked_groups, linked_runs
from sbitune.data.errors import ComputationError, InputError
from sbitune.data.formats.combinations import sample
from sbitune.data.reporting import QUIET, Reporter
from sbitune.data.scan import Scan
from sbitune.fitting.minimise.minimiser import fit
from sbitune.fitting.results import BinnedFit
from sbitune.tuning.card import LoadedCard
from sbitune.tuning.stages.fitted import make_problem
from sbitune.tuning.stages.matching import Matched
from sbitune.tuning.surrogates.choice.choice import chosen_config
from sbitune.tuning.surrogates.kindconfig import SurrogateSection
from sbitune.tuning.surrogates.polynomial.config import polynomial_of
from sbitune.tuning.surrogates.training import train


class Refit(NamedTuple):
    """A fit of a card with another surrogate."""

    name: str  #: the order, or which combination
    values: np.ndarray | None  #: (n_parameters,) fitted; None: the fit failed
    errors: np.ndarray | None  #: (n_parameters,)
    chi2: float  #: with unit weights; NaN if it failed
    note: str  #: why it failed, or what it says of itself


class Stability(NamedTuple):
    """Values over run combinations."""

    mean: np.ndarray  #: (n_parameters,)
    spread: np.ndarray  #: (n_parameters,) standard deviation over the combinations
    error: np.ndarray | None  #: (n_parameters,) jackknife error; None for combinations of several sizes
    combinations: int  #: that were fitted
    failed: int


def fit_orders(
    loaded: LoadedCard, scan: Scan, matched: Matched, orders: Sequence[int], reporter: Reporter = QUIET
) -> tuple[Refit, ...]:
    """Fit a card with polynomials of given orders in place of its surrogate.

    Args:
        loaded: the card; its `fit` section counts, and what it says of polynomials beside the order.
        scan: the card's.
        matched: what `matching.match` found for it.
        orders: that the runs allow.
        reporter: hears of progress.
    """
    found = []
    for number, order in enumerate(orders):
        reporter.progress("orders", number, len(orders))
        config = polynomial_of(loaded.card.surrogate, order)
        found.append(_refit(f"order {order}", loaded, scan, matched, config))
    reporter.progress("orders", len(orders), len(orders))
    return tuple(found)


def fit_combinations(
    loaded: LoadedCard,
    scan: Scan,
    matched: Matched,
    combinations: Sequence[Sequence[str]],
    reporter: Reporter = QUIET,
) -> tuple[Refit, ...]:
    """Train and fit on run combinations; an automatic surrogate is chosen once, on all runs.

    Raises:
        InputError: for a run that the scan does not have.
    """
    config = chosen_config(jax.random.key(loaded.card.fit.seed), scan, loaded.training_config, reporter)
    found = []
    for number, runs in enumerate(combinations):
        reporter.progress("combinations", number, len(combinations))
        found.append(_refit(f"combination {number}", loaded, scan.take_runs(runs), matched, config))
    reporter.progress("combinations", len(combinations), len(combinations))
    return tuple(found)


def _refit(name: str, loaded: LoadedCard, scan: Scan, matched: Matched, config: SurrogateSection) -> Refit:
    try:
        tune = _fit(loaded, scan, matched, config)
    except (ComputationError, InputError) as error:  # too few runs for an order, or a fit that does not converge
        return Refit(name, None, None, np.nan, str(error))
    return Refit(name, tune.values, tune.errors, tune.chi2_unit, "; ".join(tune.notes))


def _fit(loaded: LoadedCard, scan: Scan, matched: Matched, config: SurrogateSection) -> BinnedFit:
    card = loaded.card
    surrogate = train(jax.random.key(card.fit.seed), scan, config)
    how = msgspec.structs.replace(card.fit, starts=min(2, card.fit.starts), minos=False)
    return fit(make_problem(loaded, surrogate, matched), how)


def draw_combinations(
    scan: Scan, number: int, left_out: int, seed: int, reporter: Reporter = QUIET
) -> tuple[tuple[str, ...], ...]:
    """Combinations of all runs but `left_out`; runs that share measurements are left out together.

    Raises `InputError` as `combinations.sample`, and if all runs are linked by what they share.
    """
    groups, runs = linked_groups(scan), len(scan.runs)
    if len(groups) == runs:
        return sample(scan.runs, number, left_out, seed)
    if len(groups) == 1:
        raise InputError(f"each of the {runs} runs shares measurements with others, so that none can be left out alone")
    fewer = max(1, round(left_out * len(groups) / runs))
    reporter.say(f"runs that share measurements are left out together: {fewer} of {len(groups)} groups of {runs} runs")
    width = len(str(len(groups)))
    drawn = sample([f"{i:0{width}d}" for i in range(len(groups))], number, fewer, seed)
    return tuple(tuple(scan.runs[row] for i in chosen for row in groups[int(i)]) for chosen in drawn)


def independent_sizes(scan: Scan, combinations: Sequence[Sequence[str]]) -> tuple[list[int], int]:
    """How many independent groups of runs each combination has, 0 where it takes one apart, and how many there are."""
    linked = dict(zip(scan.runs, linked_runs(scan).tolist(), strict=True))
    sizes = Counter(linked.values())
    found = []
    for chosen in combinations:
        counts = Counter(linked[run] for run in chosen)
        found.append(len(counts) if all(sizes[group] == n for group, n in counts.items()) else 0)
    return found, len(sizes)


def stability(refits: Sequence[Refit], sizes: Sequence[int], runs: int) -> Stability:
    """Spread of the values over combinations.

    Args:
        refits: of `fit_combinations`.
        sizes: number of runs of each combination; of independent groups, where runs share measurements, or 0.
        runs: of the whole scan; likewise.

    Raises:
        ComputationError: fewer than two fits succeeded.
    """
    good = [(refit.values, size) for refit, size in zip(refits, sizes, strict=True) if refit.values is not None]
    if len(good) < 2:
        reasons = next((refit.note for refit in refits if refit.values is None), "only one combination is given")
        raise ComputationError(f"{len(good)} of {len(refits)} combinations could be fitted: {reasons}")
    values = np.array([value for value, _ in good])
    error = None
    kept = {size for _, size in good}
    if len(kept) == 1 and 0 not in kept and (left := runs - kept.pop()) > 0:
        possible = comb(runs, left)  # some of them drawn without replacement: their variance is that of all
        error = np.sqrt((runs - left) / left * (1 - 1 / possible) * values.var(axis=0, ddof=1))
    return Stability(values.mean(axis=0), values.std(axis=0, ddof=1), error, len(good), len(refits) - len(good))
