"""Chains of the No-U-Turn Sampler, side by side on the cores of a machine.

Chains that are vectorised wait for the longest trajectory; these run in threads, which share one compiled function. The
mass matrix is first that of the fit; after half of the warm-up it is replaced by the scatter of all chains around their
means. (numpyro's own adaptation, by each chain from its own few draws, left trajectories longer and chains slower.)
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Annotated, Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import jax.scipy.linalg as jsl
import msgspec
import numpy as np

from sbitune.fitting.likelihood.precision import double_precision
from sbitune.fitting.sampling.target import import_numpyro


class PosteriorConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """How the posterior is sampled."""

    warmup: Annotated[
        int,
        msgspec.Meta(
            ge=20,
            description="Draws of each chain in which step size and mass matrix are learnt; they are not kept. Half of "
            "them for each.",
        ),
    ] = 150
    samples: Annotated[int, msgspec.Meta(ge=4, description="Draws of each chain that are kept.")] = 400
    chains: Annotated[
        int, msgspec.Meta(ge=2, description="Number of chains; agreement between them is what shows convergence.")
    ] = 4
    target_accept: Annotated[
        float,
        msgspec.Meta(
            gt=0.0,
            lt=1.0,
            description="Probability of acceptance that the step size is chosen for; higher is slower and safer.",
        ),
    ] = 0.9
    max_tree_depth: Annotated[
        int, msgspec.Meta(ge=1, le=15, description="A trajectory has 2 to the power of this steps at most.")
    ] = 10


class HasPotential(Protocol):
    """What is sampled: a pytree, such as `Target`."""

    def potential(self, z: Any) -> Any:
        """-log density of z (n_free,), which runs over all numbers."""
        ...


class Whitening(NamedTuple):
    """Coordinates w with z = centre + root w, in which the posterior has about the widths 1 and no correlations."""

    centre: Any  #: (n_free,)
    root: Any  #: (n_free, n_free) lower triangle


class Drawn(NamedTuple):
    """What chains have drawn, in the coordinates of a `Target`."""

    z: Any  #: (chains, draws, n_free)
    potential: Any  #: (chains, draws)
    diverging: Any  #: (chains, draws)
    acceptance: Any  #: (chains, draws)
    steps: Any  #: (chains, draws)


def run_chains(
    key: jax.Array, target: HasPotential, starts: np.ndarray, white: Whitening, config: PosteriorConfig
) -> Drawn:
    """Run a chain from each of `starts` (chains, n_free). Use it inside `double_precision`."""
    learn, sample = jax.random.split(key)
    half = config.warmup // 2
    chain = _compiled(target, starts, white, config, half)
    first = _run(chain, learn, target, starts, white, half)
    settled = first.z[:, half // 3 : half]
    apart = (settled - settled.mean(axis=1, keepdims=True)).reshape(-1, starts.shape[1])  # each from its own minimum
    scatter = np.atleast_2d(np.cov(apart, rowvar=False))
    if np.linalg.eigvalsh(scatter)[0] > 0:
        white = Whitening(white.centre, np.linalg.cholesky(scatter))
    drawn = _run(chain, sample, target, settled[:, -1], white, half + config.samples)
    return Drawn(*(part[:, half:] for part in drawn))


@dataclass(frozen=True)
class _Program:
    """What is compiled: equal ones are compiled once. Posteriors of one likelihood and other data share it."""

    structure: Any  #: of the arguments; holds the function that computes the density
    shapes: tuple[tuple[tuple[int, ...], str], ...]  #: of their arrays, and their types
    config: PosteriorConfig
    warmup: int  #: step sizes are adapted in so many draws
    arguments: tuple[Any, ...] = field(compare=False)  #: of one call


def _compiled(
    target: HasPotential, starts: np.ndarray, white: Whitening, config: PosteriorConfig, warmup: int
) -> Callable[..., Drawn]:
    """A function (key, target, start, whitening, n) that makes n draws."""
    arguments = (jax.random.key(0), target, jnp.asarray(starts[0]), _to_jax(white), jnp.asarray(1))
    arrays, structure = jax.tree.flatten(arguments)
    shapes = tuple((np.shape(array), str(jnp.result_type(array))) for array in arrays)
    return _compile(_Program(structure, shapes, config, warmup, arguments))


@lru_cache(maxsize=4)
def _compile(program: _Program) -> Callable[..., Drawn]:
    nuts, config, warmup = import_numpyro().infer.NUTS, program.config, program.warmup

    def chain(key: Any, target: HasPotential, z: Any, white: Whitening, n: Any) -> Drawn:
        kernel = nuts(
            potential_fn=lambda w: target.potential(white.centre + white.root @ w),
            adapt_mass_matrix=False,
            target_accept_prob=config.target_accept,
            max_tree_depth=config.max_tree_depth,
        )
        state = kernel.init(key, warmup, jsl.solve_triangular(white.root, z - white.centre, lower=True), (), {})

        def read(state: Any) -> Drawn:
            z = white.centre + white.root @ state.z
            return Drawn(z, state.potential_energy, state.diverging, state.accept_prob, state.num_steps)

        def step(i: Any, carried: tuple[Any, Drawn]) -> tuple[Any, Drawn]:
            state = kernel.sample(carried[0], (), {})
            return state, jax.tree.map(lambda kept, one: kept.at[i].set(one), carried[1], read(state))

        most = warmup + config.samples
        empty = jax.tree.map(lambda one: jnp.zeros((most, *one.shape), one.dtype), read(state))
        return jax.lax.fori_loop(0, n, step, (state, empty))[1]

    return jax.jit(chain).lower(*program.arguments).compile()


def _run(
    chain: Callable[..., Drawn], key: jax.Array, target: HasPotential, starts: np.ndarray, white: Whitening, n: int
) -> Drawn:
    def one(key: Any, z: Any) -> Any:
        with double_precision(small=False):  # which every thread has for itself
            return jax.tree.map(np.asarray, chain(key, target, jnp.asarray(z), _to_jax(white), jnp.asarray(n)))

    with ThreadPoolExecutor(min(len(starts), os.cpu_count() or 1)) as pool:
        chains = list(pool.map(one, jax.random.split(key, len(starts)), starts))
    return Drawn(*(np.stack(part) for part in zip(*chains, strict=True)))


def _to_jax(white: Whitening) -> Whitening:
    return Whitening(jnp.asarray(white.centre), jnp.asarray(white.root))
