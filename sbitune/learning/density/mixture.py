"""The equal mixture of the members of an ensemble: a density in the box, given data."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import ndtr, ndtri

from sbitune.learning.density.members import Member
from sbitune.learning.flows import log_slope_of_box
from sbitune.learning.keys import check_key

#: parameters closer to the edge of the box than this part of its half width are moved to there
EDGE = 1e-6
#: data and draws of each member that one call computes, and densities: always as many, so that all calls share
#: what was compiled once
_GIVEN, _DRAWS, _DENSITIES = 64, 25, 4096


@dataclass(frozen=True, eq=False)
class Mixture:
    """Trained members. The box is [-1, 1] in every parameter here."""

    members: Member  #: a stack
    n_members: int

    def draw(self, key: jax.Array, c: np.ndarray, n: int) -> np.ndarray:
        """Draw (m, n_members, n, n_parameters) given m times c (m, k), n from every member."""
        repeats = -(-n // _DRAWS)
        given = _blocks(np.repeat(c, repeats, axis=0), _GIVEN)
        keys = jax.random.split(check_key(key), len(given))
        z = np.concatenate([np.asarray(self._draw(*pair), np.float64) for pair in zip(keys, given, strict=True)])
        z = z[: len(c) * repeats].reshape(len(c), repeats, self.n_members, _DRAWS, -1)
        every = z.swapaxes(1, 2).reshape(len(c), self.n_members, repeats * _DRAWS, -1)
        return 2 * ndtr(every[:, :, :n]) - 1

    def sample(self, key: jax.Array, c: np.ndarray, n: int) -> np.ndarray:
        """Draw (n, n_parameters) given c (k,). Every member makes the same number of draws, to one; their order is
        random.
        """
        draw_key, order_key = jax.random.split(check_key(key))
        draws = self.draw(draw_key, c[None], -(-n // self.n_members))[0]
        every = draws.reshape(-1, draws.shape[-1])
        return every[np.asarray(jax.random.permutation(order_key, len(every)))[:n]]

    def log_prob(self, unit: np.ndarray, c: np.ndarray) -> np.ndarray:
        """Return the log density (...,) at unit (..., n_parameters) given c (k,) or (..., k); minus infinity outside
        the box.
        """
        c = np.broadcast_to(c, (*unit.shape[:-1], c.shape[-1])).reshape(-1, c.shape[-1])
        points = unit.reshape(-1, unit.shape[-1])
        blocks = zip(_blocks(to_real(points), _DENSITIES), _blocks(c, _DENSITIES), strict=True)
        density = np.concatenate([np.asarray(self._density(*pair), np.float64) for pair in blocks])[: len(points)]
        return np.where((np.abs(points) > 1).any(axis=-1), -np.inf, density).reshape(unit.shape[:-1])

    @cached_property
    def _draw(self) -> Any:
        def one(members: Member, key: jax.Array, c: jax.Array) -> jax.Array:
            keys = jax.random.split(key, self.n_members)
            return jax.vmap(lambda member, key: member.sample(key, c, _DRAWS))(members, keys)

        @jax.jit
        def draw(members: Member, key: jax.Array, c: jax.Array) -> jax.Array:
            return jax.vmap(one, in_axes=(None, 0, 0))(members, jax.random.split(key, len(c)), c)

        return lambda key, c: draw(self.members, key, c)

    @cached_property
    def _density(self) -> Any:
        @jax.jit
        def density(members: Member, z: jax.Array, c: jax.Array) -> jax.Array:
            each = jax.vmap(lambda member: member.log_prob(z, c))(members)
            mixture = jax.scipy.special.logsumexp(each, axis=0) - jnp.log(self.n_members)
            return mixture + log_slope_of_box(z).sum(axis=-1)

        return lambda z, c: density(self.members, z, c)


def to_real(unit: np.ndarray, edge: float = EDGE) -> np.ndarray:
    """Map parameters (..., n_parameters) from the box to the real line, as `box_to_real` does, in float32."""
    return ndtri((1 + np.clip(unit, edge - 1, 1 - edge)) / 2).astype(np.float32)


def _blocks(rows: np.ndarray, size: int) -> list[np.ndarray]:
    """Cut rows (m, ...) to blocks of `size` in float32; the last row fills up the last block."""
    padded = np.concatenate([rows, np.repeat(rows[-1:], -len(rows) % size, axis=0)]).astype(np.float32)
    return np.split(padded, len(padded) // size)
