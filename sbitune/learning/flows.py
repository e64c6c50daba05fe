"""Conditional normalising flows: densities q(z | x) that can be evaluated and sampled.

A flow maps z (n_out,) to u = f(z; x), and u is standard normal: log q(z | x) = log N(u; 0, 1) + log |det df/dz|. The
map is a chain. First comes the best linear model, e = L^-1 (z - shift - slope x), a constant found by least squares:
were (z, x) jointly Gaussian it would be all. Then masked autoregressive layers,

    u_i = spline_i((e_i - m_i) exp(-s_i)),   m_i, s_i and the spline's knots functions of e_1 .. e_(i-1) and x,

so the Jacobian is triangular and one pass through the network gives the density. Successive layers take the components
in opposite order. All layers share one unmasked network of x: the first component of a masked network sees few hidden
units, and would otherwise learn its dependence on x with these alone. Sampling inverts the layers, n_out passes each.

G. Papamakarios, T. Pavlakou, I. Murray, "Masked Autoregressive Flow for Density Estimation", arXiv:1705.07057; the
masks are those of M. Germain et al., "MADE", arXiv:1502.03509; the spline in `splines.py`.

A flow covers all real numbers. Bounded quantities are mapped there with `box_to_real`, so that no probability leaves
the box. The map is the normal quantile and not the logit: a quantity that is uniform in its box becomes standard
normal, which is the flow that has learnt nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.scipy.special import ndtr, ndtri

from sbitune.data.errors import ComputationError
from sbitune.learning.initial import WeightKeys, host_keys, kernel_init, repeat_constant, zeros_init
from sbitune.learning.keys import Keys
from sbitune.learning.networks import ACTIVATIONS, Fixed, Network, build_mlp, wrap_module
from sbitune.learning.splines import apply_spline, count_numbers, invert_spline

#: |s| stays below this: a layer stretches by less than e^4, whatever x it is shown
LARGEST_LOG_SCALE = 4.0
#: estimates are shown to a flow up to this part of a box
_WITHIN = 0.995
_LOG_ROOT_TWO_PI = 0.5 * np.log(2 * np.pi)


class LinearGaussian(NamedTuple):
    """z = shift + slope x + factor u with standard normal u: what a flow starts from."""

    slope: Any  #: (n_in, n_out)
    shift: Any  #: (n_out,)
    factor: Any  #: (n_out, n_out) lower triangle, positive diagonal


@partial(jax.tree_util.register_dataclass, data_fields=["linear", "context", "layers"], meta_fields=[])
@dataclass(frozen=True)
class Flow:
    """A density of z (n_out,) given x (n_in,). A pytree; made by `build_flow`."""

    linear: Fixed  #: `LinearGaussian`
    context: Network  #: x (..., n_in) -> what the layers know of it (..., width)
    layers: Network  #: stack of (e, context) -> numbers of the map of every component (..., n_out, n_numbers)

    def log_prob(self, z: jax.Array, x: jax.Array) -> jax.Array:
        """Return log q(z | x) (...,) of z (..., n_out) given x (..., n_in)."""
        given = self.linear.value
        e = _solve_lower(given.factor, z - given.shift - x @ given.slope)
        log_slope = jnp.full(z.shape[:-1], -jnp.log(jnp.diagonal(given.factor)).sum(), e.dtype)
        context = self.context(x)

        # a scan over the layers compiles one of them, where a loop would compile them all
        def apply(carry: tuple, layer: Network) -> tuple[tuple, None]:
            e, log_slope = carry
            e, logs = _normalise(e, layer(e, context))
            return (e[..., ::-1], log_slope + logs.sum(axis=-1)), None

        (e, log_slope), _ = jax.lax.scan(apply, (e, log_slope), self.layers)
        return log_slope - jnp.sum(0.5 * e**2 + _LOG_ROOT_TWO_PI, axis=-1)

    def sample(self, key: jax.Array, x: jax.Array, n: int) -> jax.Array:
        """Draw z (n, n_out) for one x (n_in,)."""
        given = self.linear.value
        n_out = len(given.shift)
        context = self.context(x)
        context = jnp.broadcast_to(context, (n, len(context)))

        def invert(e: jax.Array, layer: Network) -> tuple[jax.Array, None]:
            u = e[..., ::-1]
            # component i is right after pass i, as it needs those before it only
            return jax.lax.fori_loop(0, n_out, lambda _, e: _denormalise(u, layer(e, context)), jnp.zeros_like(u)), None

        e, _ = jax.lax.scan(invert, jax.random.normal(key, (n, n_out)), self.layers, reverse=True)
        return given.shift + x @ given.slope + e @ given.factor.T


def build_flow(
    key: jax.Array | Keys,
    linear: LinearGaussian,
    *,
    layers: int = 3,
    hidden: Sequence[int] = (64, 64),
    width: int = 32,
    knots: int = 8,
    activation: str = "silu",
) -> Flow:
    """Build a flow that starts as `linear`, whatever the key.

    Args:
        key: draws the initial weights. A row of keys (n_members,) gives a stack of flows.
        linear: the linear model, whose arrays give n_in and n_out.
        layers: autoregressive layers.
        hidden: widths of the network of x that all layers share.
        width: its number of outputs, and hidden units of every layer's masked network.
        knots: intervals of the splines.
        activation: a name in `ACTIVATIONS`.
    """
    keys = host_keys(key)
    context_keys, layer_keys = (keys.split(2).take(i) for i in range(2))
    n_in, n_out = linear.slope.shape
    linear = LinearGaussian(*(repeat_constant(keys, np.asarray(part, np.float32)) for part in linear))
    context = build_mlp(context_keys, n_in, width, hidden, activation)
    conditioner = Conditioner(layer_keys.split(layers), n_out, width, 2 + count_numbers(knots), activation)
    return Flow(Fixed(linear), context, wrap_module(conditioner))


def build_flow_of(key: jax.Array | Keys, config: Any, linear: LinearGaussian) -> Flow:
    """Build a flow of the sizes that settings have: `layers`, `hidden`, `width`, `knots` and `activation`."""
    names = ("layers", "hidden", "width", "knots", "activation")
    return build_flow(key, linear, **{name: getattr(config, name) for name in names})


class Constant(nnx.Variable):
    """An array of a module that is not trained."""


class Conditioner(nnx.Module):
    """Masked network (e, context) -> (..., n_out, n_numbers): row i depends on e_1 .. e_(i-1) and the context.

    Its last weights start at zero, so that the layer starts as the identity.
    """

    def __init__(self, keys: Keys, n_out: int, width: int, n_numbers: int, activation: str) -> None:
        rngs: Any = WeightKeys(keys)
        # hidden unit h sees components up to degree[h] (counted from 1) and feeds those after it
        degree = np.arange(width) % max(n_out - 1, 1) + (n_out > 1)
        row = np.arange(1, n_out + 1)
        first_mask = row[:, None] <= degree
        last_mask = np.repeat(degree[:, None] < row, n_numbers, axis=1)
        self.first_mask = Constant(repeat_constant(keys, first_mask.astype(np.float32)))
        self.last_mask = Constant(repeat_constant(keys, last_mask.astype(np.float32)))
        linear = partial(nnx.Linear, kernel_init=kernel_init, bias_init=zeros_init, rngs=rngs)
        self.first = linear(n_out, width, use_bias=False)
        self.given = linear(width, width)
        self.last = linear(width, n_out * n_numbers, use_bias=False, kernel_init=zeros_init)
        self.direct = linear(width, n_out * n_numbers, kernel_init=zeros_init)
        self.activation = ACTIVATIONS[activation]
        self.shape = (n_out, n_numbers)

    def __call__(self, e: jax.Array, context: jax.Array) -> jax.Array:
        """Evaluate e (..., n_out) and context (..., width)."""
        hidden = self.activation(e @ (self.first.kernel[...] * self.first_mask[...]) + self.given(context))
        numbers = hidden @ (self.last.kernel[...] * self.last_mask[...]) + self.direct(context)
        return numbers.reshape(*numbers.shape[:-1], *self.shape)


def fit_linear_gaussian(z: np.ndarray, x: np.ndarray) -> LinearGaussian:
    """Fit the linear model to z (n, n_out) and x (n, n_in) by least squares, in float64.

    Raises `ComputationError` if a component of z does not scatter about it.
    """
    design = np.column_stack([x, np.ones(len(x))])
    solution = np.linalg.lstsq(design, z, rcond=None)[0]
    scatter = np.cov(z - design @ solution, rowvar=False).reshape(z.shape[1], z.shape[1])
    try:
        factor = np.linalg.cholesky(scatter)
    except np.linalg.LinAlgError as error:
        raise ComputationError(
            f"{len(z)} events do not determine a linear model with {x.shape[1]} inputs and {z.shape[1]} outputs: "
            "take more events"
        ) from error
    return LinearGaussian(solution[:-1], solution[-1], factor)


def box_to_real(unit: jax.Array) -> jax.Array:
    """Map numbers in (-1, 1) to the real line; what is uniform becomes standard normal."""
    return ndtri((1 + jnp.asarray(unit)) / 2)


def estimate_to_real(unit: Any) -> jax.Array:
    """Map estimates of numbers in (-1, 1), which may lie beyond, to the real line: cut off near the ends."""
    return box_to_real(jnp.clip(unit, -_WITHIN, _WITHIN))


def real_to_box(z: Any) -> Any:
    """The inverse of `box_to_real`."""
    return 2 * ndtr(jnp.asarray(z)) - 1


def log_slope_of_box(z: Any) -> Any:
    """Return log |dz / d unit| at z, elementwise."""
    return 0.5 * jnp.asarray(z) ** 2 + _LOG_ROOT_TWO_PI - np.log(2)


def _normalise(e: jax.Array, numbers: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Map every component of e (..., n_out) towards the normal; return it and the log slopes (..., n_out)."""
    log_scale = _bounded(numbers[..., 1])
    u, logs = apply_spline((e - numbers[..., 0]) * jnp.exp(-log_scale), numbers[..., 2:])
    return u, logs - log_scale


def _denormalise(u: jax.Array, numbers: jax.Array) -> jax.Array:
    return invert_spline(u, numbers[..., 2:]) * jnp.exp(_bounded(numbers[..., 1])) + numbers[..., 0]


def _bounded(log_scale: jax.Array) -> jax.Array:
    return LARGEST_LOG_SCALE * jnp.tanh(log_scale / LARGEST_LOG_SCALE)


def _solve_lower(factor: jax.Array, e: jax.Array) -> jax.Array:
    # an explicit inverse of a small constant triangle: a batched triangular solve is far slower on a CPU
    inverse = jax.scipy.linalg.solve_triangular(factor, jnp.eye(len(factor), dtype=factor.dtype), lower=True)
    return e @ inverse.T
