"""From a scan and a config to a trained surrogate."""

from dataclasses import replace

import jax
import msgspec
import numpy as np
from threadpoolctl import threadpool_limits

from sbitune.data.correlation import MOST_BINS as MOST_CORRELATED
from sbitune.data.errors import InputError
from sbitune.data.scan import Scan, describe_bad
from sbitune.learning.keys import check_key
from sbitune.learning.training import Progress
from sbitune.tuning.surrogates.components.blockwise import train_blocks
from sbitune.tuning.surrogates.components.components import make_components
from sbitune.tuning.surrogates.components.compound import ComponentSurrogate, Inner
from sbitune.tuning.surrogates.components.joined import JoinedSurrogate
from sbitune.tuning.surrogates.config import (
    AutoConfig,
    GaussianConfig,
    NetworkConfig,
    PolynomialConfig,
    RationalConfig,
    SurrogateConfig,
)
from sbitune.tuning.surrogates.gaussian.surrogate import GaussianSurrogate, fit_gaussian
from sbitune.tuning.surrogates.heldout.inflation import MOST_BINS, find_inflation, inflate, learnt_covariances, missing
from sbitune.tuning.surrogates.heldout.trials import make_trials, predict_in_turn, said_by_groups, said_by_trials
from sbitune.tuning.surrogates.network.surrogate import NeuralSurrogate, fit_network
from sbitune.tuning.surrogates.polynomial.orders import choose_order
from sbitune.tuning.surrogates.polynomial.surrogate import PolynomialSurrogate, fit_polynomial
from sbitune.tuning.surrogates.rational.orders import choose_orders
from sbitune.tuning.surrogates.rational.surrogate import RationalSurrogate, fit_rational
from sbitune.tuning.surrogates.regression.basis import spread_evenly
from sbitune.tuning.surrogates.regression.covariance import residual_correlation
from sbitune.tuning.surrogates.regression.outputs import Scale

OfBins = PolynomialConfig | GaussianConfig | RationalConfig
OfBlock = PolynomialSurrogate | GaussianSurrogate | RationalSurrogate | NeuralSurrogate | ComponentSurrogate
Trained = OfBlock | JoinedSurrogate


#: with fewer runs none can be spared
_FEWEST_RUNS = 24
#: runs whose predictions' covariances are averaged
_FOR_CORRELATIONS = 40
#: no content of a bin is as great as this
_GREATEST = 1e100
#: of finding how wide errors must be
_TURNS = 2


def train(key: jax.Array, scan: Scan, config: SurrogateConfig, progress: Progress | None = None) -> Trained:
    """Train the surrogate that `config` describes.

    Args:
        key: a typed random key; a polynomial of given order does not use it.
        scan: the runs to learn from. Bins that several runs have from one measurement are learnt by themselves.
        config: what to train, see `config`.
        progress: called after every epoch of a network.

    Raises:
        InputError: too few runs for the config.
        ComputationError: the training failed.
    """
    check_key(key)
    _check_size(scan)
    if scan.copies and not isinstance(config, AutoConfig):
        return train_blocks(key, scan, config, lambda one, block, how: train(one, block, how, progress))
    seed = int(jax.random.randint(key, (), 0, 2**31 - 1))
    if isinstance(config, AutoConfig):
        raise InputError("`choice.choose` finds the kind first; train what it returns")
    if isinstance(config, NetworkConfig):
        surrogate, groups = fit_network(key, scan, config, progress)
        return inflate(surrogate, find_inflation(said_by_groups(groups, scan, surrogate)))

    with threadpool_limits(1):  # the matrices are small: threads that wait for each other cost more than they bring
        if config.components or (isinstance(config, GaussianConfig) and len(scan.bins) <= MOST_CORRELATED):
            return _by_components(scan, config, seed)
        surrogate = _with_correlation(scan, _learn(scan, config, seed, config.scale))
        if len(scan.runs) < _FEWEST_RUNS or _as_professor(config):
            return surrogate
        config = _with_orders(config, surrogate)
        some = spread_evenly(len(scan.bins), MOST_BINS)  # of many bins a part says enough
        few = scan.take_bins(some)
        trials = make_trials(
            few, seed, lambda part: _with_correlation(part, _learn(part, config, seed, config.scale, surrogate))
        )
        known = None if surrogate.correlation is None else surrogate.correlation[np.ix_(some, some)]
        return inflate(surrogate, find_inflation(said_by_trials(few, trials, known, 0.0)))


def _check_size(scan: Scan) -> None:
    """Raise `InputError` naming a run and a bin whose content is none: sums of squares would overflow; or if no bin
    changes.
    """
    if len(scan.runs) > 1 and not np.ptp(scan.values, axis=0).any() and not scan.errors.any():
        raise InputError(f"scan: its {len(scan.bins)} bins are the same in all {len(scan.runs)} runs: nothing to learn")
    great = (np.abs(scan.values) > _GREATEST) | (scan.errors > _GREATEST)
    if great.any():
        described = describe_bad(great, scan.values, scan.errors, scan.bins, scan.runs)
        raise InputError(f"scan: {described}: too great for a content; leave out these bins or these runs")


def _as_professor(config: OfBins) -> bool:
    """Polynomials of a given order for every bin: known for what they are, and for taking no time."""
    return isinstance(config, PolynomialConfig) and config.order != "auto"


def _learn(scan: Scan, config: OfBins, seed: int, scale: Scale, like: Trained | None = None) -> Inner:
    """Learn every bin of a scan alone, if need be beginning with what is `like` it."""
    if isinstance(config, GaussianConfig):
        return fit_gaussian(scan, config, seed, scale, like if isinstance(like, GaussianSurrogate) else None)
    if isinstance(config, RationalConfig):
        return _learn_rational(scan, config, seed, scale)
    order = config.order
    if order == "auto":
        order = choose_order(scan, config.max_order, seed, config.folds, scale, config.shrinkage).order
    return fit_polynomial(scan, order, scale, config.shrinkage)


def _learn_rational(scan: Scan, config: RationalConfig, seed: int, scale: Scale) -> RationalSurrogate:
    above, below = config.numerator, config.denominator
    # powers of parameters are straight lines only if both are logarithms; `scale` says nothing of components
    logs = config.log_inputs and config.scale == "log"
    if above == "auto" or below == "auto":
        above, below, _ = choose_orders(scan, above, below, seed, config.folds, scale, logs)
    return fit_rational(scan, above, below, scale, logs)


def _by_components(scan: Scan, config: OfBins, seed: int) -> ComponentSurrogate:
    """Learn the components, or as many combinations as there are bins, whose noise is independent: then errors of
    bins have the correlation of the noise. Where the scan does not know that, a first turn that takes them to be
    independent tells from its residuals.
    """
    correlation = scan.correlation
    if correlation is None and len(scan.bins) <= MOST_CORRELATED:
        first = _learn_components(scan, config, seed, None)[0]
        if isinstance(config, RationalConfig):  # to choose once is enough, and takes most of the time
            config = _with_orders(config, first.inner)
        some = spread_evenly(len(scan.runs), _FOR_CORRELATIONS)
        learnt = learnt_covariances(first, scan.theta[some], np.arange(len(scan.bins)))
        taken = ((int(run), covariance) for run, (covariance, _) in zip(some, learnt, strict=True))
        correlation = residual_correlation(scan, first.predict_many(scan.theta), taken)
    surrogate, sigma = _learn_components(scan, config, seed, correlation)
    if len(scan.runs) < _FEWEST_RUNS:
        return surrogate
    config = _with_orders(config, surrogate.inner)
    trials = make_trials(scan, seed, lambda part: _learn_components(part, config, seed, correlation, surrogate)[0])
    factor, ratio = 1.0, 0.0
    for _ in range(_TURNS):  # what is learnt explains a part of what bins miss, once its errors are wide enough
        ratio = missing(scan, predict_in_turn(scan, trials, factor), config.kind)
        factor = find_inflation(said_by_trials(scan, trials, correlation, ratio))
    parts = surrogate.components._replace(common=np.sqrt(ratio) * sigma)
    return inflate(replace(surrogate, components=parts), factor)


def _with_orders(config: OfBins, inner: Trained) -> OfBins:
    """The config with the orders that were chosen for the components."""
    if isinstance(config, PolynomialConfig) and isinstance(inner, PolynomialSurrogate):
        return msgspec.structs.replace(config, order=inner.order)
    if isinstance(config, RationalConfig) and isinstance(inner, RationalSurrogate):
        return msgspec.structs.replace(config, numerator=inner.order[0], denominator=inner.order[1])
    return config


def _learn_components(
    scan: Scan, config: OfBins, seed: int, correlation: np.ndarray | None, like: ComponentSurrogate | None = None
) -> tuple[ComponentSurrogate, np.ndarray]:
    reduced = make_components(scan, config.scale, correlation, every=not config.components)
    left = None if reduced.left is None else _learn(reduced.left, config, seed, "linear", like and like.left)
    inner = _learn(reduced.scan, config, seed, "linear", like and like.inner)
    parts = (scan.bins, reduced.components, inner, left, reduced.left_bins, correlation)
    return ComponentSurrogate(*parts), reduced.sigma


def _with_correlation(scan: Scan, surrogate: Inner) -> Inner:
    return replace(surrogate, correlation=residual_correlation(scan, surrogate.predict_many(scan.theta)))
