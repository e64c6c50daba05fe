"""Surrogates: what a scan teaches about every bin between its runs.

All satisfy `sbitune.fitting.protocols.BinnedModel`.
"""

import jax

from sbitune.data.scan import Scan
from sbitune.learning.keys import check_key
from sbitune.learning.training import Progress
from sbitune.tuning.surrogates.config import NetworkConfig, PolynomialConfig, SurrogateConfig
from sbitune.tuning.surrogates.evaluation import Evaluation, Surrogate, evaluate
from sbitune.tuning.surrogates.neural import NeuralSurrogate, fit_network
from sbitune.tuning.surrogates.noise import smooth_errors
from sbitune.tuning.surrogates.orders import OrderChoice, OrderScore, choose_order
from sbitune.tuning.surrogates.polynomial import PolynomialSurrogate, fit_polynomial
from sbitune.tuning.surrogates.storage import load_surrogate, save_surrogate

__all__ = [
    "Evaluation",
    "NetworkConfig",
    "NeuralSurrogate",
    "OrderChoice",
    "OrderScore",
    "PolynomialConfig",
    "PolynomialSurrogate",
    "Surrogate",
    "SurrogateConfig",
    "choose_order",
    "evaluate",
    "fit_network",
    "fit_polynomial",
    "load_surrogate",
    "save_surrogate",
    "smooth_errors",
    "train",
]


def train(
    key: jax.Array, scan: Scan, config: SurrogateConfig, progress: Progress | None = None
) -> PolynomialSurrogate | NeuralSurrogate:
    """Train the surrogate that `config` describes.

    Args:
        key: a typed random key; a polynomial of given order does not use it.
        scan: the runs to learn from.
        config: `PolynomialConfig` or `NetworkConfig`.
        progress: called after every epoch of a network.

    Raises:
        InputError: too few runs for the config.
        ComputationError: the training failed.
    """
    check_key(key)
    if isinstance(config, NetworkConfig):
        return fit_network(key, scan, config, progress)
    order = config.order
    if order == "auto":
        seed = int(jax.random.randint(key, (), 0, 2**31 - 1))
        choice = choose_order(scan, config.max_order, seed, config.folds, config.scale, config.shrinkage)
        order = choice.order
    return fit_polynomial(scan, order, config.scale, config.shrinkage)
