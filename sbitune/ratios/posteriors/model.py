"""A trained ensemble: the logarithm of a posterior density, a likelihood or a ratio, as a function of theta and x."""

from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sbitune.learning.keys import check_key
from sbitune.ratios.posteriors.methods.method import Method, Pairs
from sbitune.ratios.posteriors.methods.registry import find_kind
from sbitune.ratios.posteriors.prior import Prior
from sbitune.ratios.posteriors.simulations import Scaling, check_observation

#: rows, and draws, of one call: always as many, so that all calls share what was compiled once
_ROWS, _DRAWS = 8192, 2048


@dataclass(frozen=True, eq=False)
class Model:
    """A trained ensemble of one method. Networks are averaged as densities, or as ratios: arithmetically.

    Of NPE `log_value` is log p(theta | x), of NLE log p(x | theta), of NRE log p(x | theta) / p(x), with p(x) the mean
    of p(x | theta) over the simulations.
    """

    kind: str  #: npe, nle or nre
    prior: Prior
    columns: tuple[str, ...]  #: (n_columns,) in the order in which x is given
    scaling: Scaling
    config: Any  #: the settings of the method
    networks: Any  #: a stack
    losses: np.ndarray  #: (2, n_epochs, n_members) of training and validation
    best_epochs: np.ndarray  #: (n_members,) whose networks are kept; -1: as they started
    mean: (
        np.ndarray
    )  #: (2,) of NRE the logarithm of E[r] over independent pairs, which is subtracted; its error. 0: others
    preference: np.ndarray  #: (2,) part of validation pairs that it prefers to shuffled ones, .5 by chance; its error
    rounds: int  #: of simulations that were trained on
    simulations: int  #: how many
    simulations_hash: str  #: of their numbers
    notes: tuple[str, ...] = ()  #: what a reader must know
    observation: np.ndarray | None = field(default=None)  #: (n_columns,) that truncated rounds were made for

    @property
    def method(self) -> Method:
        """How it was learnt."""
        return find_kind(self.kind).method

    def log_value(self, theta: Any, x: Any) -> np.ndarray:
        """Return the logarithm of what was learnt (...,), of theta (..., n_parameters) and x (n_columns,) or (...,
        n_columns).

        Raises:
            InputError: x with other columns, or not finite.
        """
        theta = np.asarray(theta, np.float64)
        x = self.scaling.apply(check_columns(self.columns, x))
        rows = theta.reshape(-1, theta.shape[-1])
        given = np.broadcast_to(x, (*theta.shape[:-1], x.shape[-1])).reshape(-1, x.shape[-1])
        pairs = Pairs(self.prior.to_real(rows), self.prior.to_unit(rows), given)
        return (self.log_of_pairs(pairs) + self.method.log_unit(self.prior, self.scaling.scale, rows)).reshape(
            theta.shape[:-1]
        )

    def log_of_pairs(self, pairs: Pairs) -> np.ndarray:
        """The same (n,) of pairs in the coordinates of networks, whose densities it has."""
        n = len(pairs.real)
        blocks = [self._log_values(*(_block(part, start) for part in pairs)) for start in range(0, n, _ROWS)]
        return np.concatenate([np.asarray(block, np.float64) for block in blocks])[:n] - self.mean[0]

    def draw(self, key: jax.Array, x: np.ndarray, n: int) -> np.ndarray:
        """Draw theta (n, n_parameters) given x (n_columns,): of NPE alone. Every member draws as many, in any order."""
        members = jax.tree.leaves(self.networks)[0].shape[0]
        each = -(-n // members)
        draw_key, order_key = jax.random.split(check_key(key))
        keys = jax.random.split(draw_key, -(-each // _DRAWS))
        given = jnp.asarray(self.scaling.apply(x))
        z = np.concatenate([np.asarray(self._draws(k, given)) for k in keys], axis=1)[:, :each]
        order = np.asarray(jax.random.permutation(order_key, each * members))[:n]
        return self.prior.from_real(z.reshape(each * members, -1)[order])

    def minus_log_posterior(self, networks: Any, x: jax.Array, z: jax.Array) -> jax.Array:
        """At z (n_parameters,), given scaled x (m, n_columns) of one theta, up to a constant, as JAX traces it."""
        unit = self.prior.unit_of_real(z)
        return 0.5 * jnp.sum(z**2) - jnp.sum(_average(self.method, networks, z, unit, x))

    @cached_property
    def _log_values(self) -> Any:
        return partial(jax.jit(partial(_average, self.method)), self.networks)

    @cached_property
    def _draws(self) -> Any:
        sample = self.method.sample
        assert sample is not None  # asked of posteriors only

        @jax.jit
        def draw(networks: Any, key: jax.Array, x: jax.Array) -> jax.Array:
            keys = jax.random.split(key, jax.tree.leaves(networks)[0].shape[0])
            return jax.vmap(lambda network, key: sample(network, key, x, _DRAWS))(networks, keys)

        return partial(draw, self.networks)


def check_columns(columns: tuple[str, ...], x: Any) -> np.ndarray:
    """Return x (..., n_columns). Raises `InputError` for another number of columns, or numbers that are not finite."""
    x = np.asarray(x, np.float64)
    check_observation(columns, x.reshape(-1, x.shape[-1]) if x.ndim > 2 else x)
    return x


def _average(method: Method, networks: Any, real: Any, unit: Any, x: Any) -> Any:
    """The logarithm of the mean over members."""
    each = jax.vmap(lambda network: method.log_value(network, real, unit, x))(networks)
    return jax.scipy.special.logsumexp(each, axis=0) - jnp.log(len(each))


def _block(array: np.ndarray, start: int) -> np.ndarray:
    block = array[start : start + _ROWS].astype(np.float32)
    return np.concatenate([block, np.repeat(block[-1:], _ROWS - len(block), axis=0)])
