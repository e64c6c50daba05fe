"""From a scan and a config to a trained surrogate."""

from collections.abc import Callable
from dataclasses import replace

import jax
import numpy as np
from scipy.optimize import brentq
from threadpoolctl import threadpool_limits

from sbitune.data.errors import InputError
from sbitune.data.scan import Scan
from sbitune.fitting.protocols import Prediction
from sbitune.learning.keys import check_key
from sbitune.learning.training import Progress
from sbitune.tuning.surrogates.components import make_components
from sbitune.tuning.surrogates.compound import ComponentSurrogate, Inner
from sbitune.tuning.surrogates.config import (
    AutoConfig,
    GaussianConfig,
    NetworkConfig,
    PolynomialConfig,
    SurrogateConfig,
)
from sbitune.tuning.surrogates.covariance import residual_correlation
from sbitune.tuning.surrogates.gaussian import GaussianSurrogate, fit_gaussian
from sbitune.tuning.surrogates.neural import NeuralSurrogate, fit_network
from sbitune.tuning.surrogates.noise import smooth_errors
from sbitune.tuning.surrogates.orders import choose_order
from sbitune.tuning.surrogates.outputs import Scale
from sbitune.tuning.surrogates.polynomial import PolynomialSurrogate, fit_polynomial

Learn = Callable[[Scan, Scale], Inner]
Trained = PolynomialSurrogate | GaussianSurrogate | NeuralSurrogate | ComponentSurrogate


#: one of so many parts of the runs is held out to learn what components miss; with fewer runs there are none to spare
_PARTS, _FEWEST_RUNS = 4, 24


def train(key: jax.Array, scan: Scan, config: SurrogateConfig, progress: Progress | None = None) -> Trained:
    """Train the surrogate that `config` describes.

    Args:
        key: a typed random key; a polynomial of given order does not use it.
        scan: the runs to learn from.
        config: what to train, see `config`.
        progress: called after every epoch of a network.

    Raises:
        InputError: too few runs for the config.
        ComputationError: the training failed.
    """
    check_key(key)
    seed = int(jax.random.randint(key, (), 0, 2**31 - 1))
    if isinstance(config, AutoConfig):
        raise InputError("`choice.choose` finds the kind first; train what it returns")
    if isinstance(config, NetworkConfig):
        return _with_correlation(scan, fit_network(key, scan, config, progress))

    def learn(runs: Scan, scale: Scale) -> Inner:
        if isinstance(config, GaussianConfig):
            return fit_gaussian(runs, config, seed, scale)
        return _polynomial(runs, config, seed, scale)

    with threadpool_limits(1):  # the matrices are small: threads that wait for each other cost more than they bring
        if config.components:
            return _by_components(scan, config, learn, seed)
        return _with_correlation(scan, learn(scan, config.scale))


def _polynomial(scan: Scan, config: PolynomialConfig, seed: int, scale: Scale) -> PolynomialSurrogate:
    order = config.order
    if order == "auto":
        order = choose_order(scan, config.max_order, seed, config.folds, scale, config.shrinkage).order
    return fit_polynomial(scan, order, scale, config.shrinkage)


def _by_components(
    scan: Scan, config: GaussianConfig | PolynomialConfig, learn: Learn, seed: int
) -> ComponentSurrogate:
    """Learn the components. Where the scan does not know how its Monte Carlo errors move together, a first turn that
    takes them to be independent tells from its residuals.
    """
    correlation = scan.correlation
    if correlation is None:
        first = _learn_components(scan, config, learn, None)[0]
        correlation = residual_correlation(scan, first.predict_many(scan.theta))
    surrogate, sigma = _learn_components(scan, config, learn, correlation)
    # what the components miss does not show in the runs that they were found in
    held = np.random.default_rng(seed).permutation(len(scan.runs)) % _PARTS == 0
    if len(scan.runs) < _FEWEST_RUNS:
        return surrogate
    trial = _learn_components(scan.take_runs(~held), config, learn, correlation)[0]
    ratio = _missing(scan, held, trial.predict_many(scan.theta[held]))
    return replace(surrogate, components=surrogate.components._replace(common=np.sqrt(ratio) * sigma))


def _learn_components(
    scan: Scan, config: GaussianConfig | PolynomialConfig, learn: Learn, correlation: np.ndarray | None
) -> tuple[ComponentSurrogate, np.ndarray]:
    reduced = make_components(scan, config.scale, correlation)
    left = None if reduced.left is None else learn(reduced.left, "linear")
    inner = learn(reduced.scan, "linear")
    parts = (scan.bins, reduced.components, inner, left, reduced.left_bins, correlation)
    return ComponentSurrogate(*parts), reduced.sigma


def _missing(scan: Scan, held: np.ndarray, prediction: Prediction) -> float:
    """Variance, in units of the noise, that makes the pulls of held-out runs 1 on average; 0 if they are not wider."""
    noise = smooth_errors(scan)[held]
    known = noise > 0
    difference = (prediction.mean - scan.values[held])[known] ** 2
    error, noise = prediction.error[known] ** 2, noise[known] ** 2

    def excess(ratio: float) -> float:
        return float(np.mean(difference / (error + (1 + ratio) * noise))) - 1

    if not known.any() or excess(0.0) <= 0:
        return 0.0
    high = 1.0
    while excess(high) > 0:
        high *= 2
    return float(brentq(excess, 0.0, high, xtol=1e-4))  # pyright: ignore[reportArgumentType]


def _with_correlation(scan: Scan, surrogate: PolynomialSurrogate | GaussianSurrogate | NeuralSurrogate) -> Trained:
    return replace(surrogate, correlation=residual_correlation(scan, surrogate.predict_many(scan.theta)))
