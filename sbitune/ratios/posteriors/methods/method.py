"""What a method is: networks, what they are shown, and the loss that makes their answer a density or a ratio."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import jax
import numpy as np

from sbitune.learning.keys import Keys
from sbitune.ratios.posteriors.prior import Prior


class Pairs(NamedTuple):
    """Simulations as methods see them."""

    real: np.ndarray  #: (n, n_parameters) parameters, standard normal under the prior
    unit: np.ndarray  #: (n, n_parameters) parameters in -1 to 1, or in standard deviations
    x: np.ndarray  #: (n, n_columns) scaled columns


class Method(Protocol):
    """One way from pairs to a posterior. `config` is the record of its settings."""

    name: str  #: in files and messages
    posterior: bool  #: whether `log_value` is the posterior's log density of z itself, and `sample` draws from it

    normalised: bool  #: whether the mean of what is learnt is 1 over independent theta and x

    def build(self, keys: jax.Array | Keys, config: Any, prior: Prior, n_columns: int, pairs: Pairs | None) -> Any:
        """Build untrained networks, a stack with one for every key; without pairs for the shapes of the arrays."""
        ...

    def events(self, pairs: Pairs) -> dict[str, np.ndarray]:
        """What the loss is shown."""
        ...

    def loss(self, config: Any) -> Any:
        """The loss, see `sbitune.learning.losses`."""
        ...

    def log_value(self, network: Any, real: jax.Array, unit: jax.Array, x: jax.Array) -> jax.Array:
        """The logarithm of what one network has learnt (...,), for parameters and columns (..., n)."""
        ...

    def log_unit(self, prior: Prior, scale: np.ndarray, theta: np.ndarray) -> np.ndarray | float:
        """What is added to `log_value` (n,) for densities in the units of theta (n, n_parameters) or of the columns,
        which were divided by `scale` (n_columns,).
        """
        ...

    @property
    def sample(self) -> Callable[[Any, jax.Array, jax.Array, int], jax.Array] | None:
        """Draws z (n, n_parameters) for a network, a key and one x (n_columns,), if `posterior`; else None."""
        ...
