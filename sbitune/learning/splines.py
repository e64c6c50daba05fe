"""Monotone rational-quadratic splines of one variable, the identity outside an interval.

C. Durkan, A. Bekasov, I. Murray, G. Papamakarios, "Neural Spline Flows", arXiv:1906.04032, eqs. 4 to 8, after J. A.
Gregory, R. Delbourgo, IMA J. Numer. Anal. 2 (1982) 123. Between knots (x_k, y_k) with slopes d_k, with
t = (x - x_k) / w, w and h the sizes of the interval along x and y and r = h / w,

    y = y_k + h (r t^2 + d_k t (1 - t)) / (r + (d_k + d_(k+1) - 2 r) t (1 - t)).

Numbers that are all zero give the identity.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

#: the spline acts in [-BOUND, BOUND]
BOUND = 4.0
#: no interval is smaller than this part of the average one, and no slope smaller than this
SMALLEST = 1e-2
#: of a slope: softplus(_UNIT_SLOPE) + SMALLEST = 1
_UNIT_SLOPE = float(np.log(np.expm1(1 - SMALLEST)))


class _Piece(NamedTuple):
    """The interval that holds a point; all like the point."""

    x: jax.Array  #: left end along x
    y: jax.Array  #: left end along y
    width: jax.Array
    height: jax.Array
    left: jax.Array  #: slope at the left end
    right: jax.Array


def count_numbers(knots: int) -> int:
    """Return how many numbers describe a spline with `knots` intervals: sizes along x and y, and inner slopes."""
    return 3 * knots - 1


def apply_spline(x: jax.Array, numbers: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return the spline at x (...,) and the logarithm of its slope, for numbers (..., n_numbers)."""
    inside = jnp.clip(x, -BOUND, BOUND)
    piece = _find(inside, numbers, along_y=False)
    ratio = piece.height / piece.width
    t = jnp.clip((inside - piece.x) / piece.width, 0.0, 1.0)
    mixed = t * (1 - t)
    below = ratio + (piece.left + piece.right - 2 * ratio) * mixed
    y = piece.y + piece.height * (ratio * t**2 + piece.left * mixed) / below
    above = piece.right * t**2 + 2 * ratio * mixed + piece.left * (1 - t) ** 2
    log_slope = 2 * jnp.log(ratio) + jnp.log(above) - 2 * jnp.log(below)
    outside = jnp.abs(x) > BOUND
    return jnp.where(outside, x, y), jnp.where(outside, 0.0, log_slope)


def invert_spline(y: jax.Array, numbers: jax.Array) -> jax.Array:
    """Return x (...,) where the spline is y."""
    inside = jnp.clip(y, -BOUND, BOUND)
    piece = _find(inside, numbers, along_y=True)
    ratio = piece.height / piece.width
    up = inside - piece.y
    bend = piece.left + piece.right - 2 * ratio
    a = piece.height * (ratio - piece.left) + up * bend
    b = piece.height * piece.left - up * bend
    c = -ratio * up
    # of the two forms of the root the one that does not subtract nearly equal numbers
    t = 2 * c / (-b - jnp.sqrt(jnp.maximum(b**2 - 4 * a * c, 0.0)))
    return jnp.where(jnp.abs(y) > BOUND, y, piece.x + jnp.clip(t, 0.0, 1.0) * piece.width)


def _find(point: jax.Array, numbers: jax.Array, along_y: bool) -> _Piece:
    n = (numbers.shape[-1] + 1) // 3
    widths, heights = _sizes(numbers[..., :n]), _sizes(numbers[..., n : 2 * n])
    x, y = jnp.cumsum(widths, axis=-1) - BOUND, jnp.cumsum(heights, axis=-1) - BOUND  # right ends
    slopes = SMALLEST + jax.nn.softplus(numbers[..., 2 * n :] + _UNIT_SLOPE)
    edge = jnp.ones_like(widths[..., :1])
    passed = point[..., None] >= (y if along_y else x)[..., :-1]
    ends = [(0, 0)] * (passed.ndim - 1)
    # True for the one interval that is reached but not passed; a sum is faster than a gather, and so is its gradient
    here = jnp.pad(passed, [*ends, (1, 0)], constant_values=True) & ~jnp.pad(passed, [*ends, (0, 1)])

    def pick(values: jax.Array) -> jax.Array:
        return jnp.sum(jnp.where(here, values, 0.0), axis=-1)

    return _Piece(
        pick(x - widths),
        pick(y - heights),
        pick(widths),
        pick(heights),
        pick(jnp.concatenate([edge, slopes], axis=-1)),
        pick(jnp.concatenate([slopes, edge], axis=-1)),
    )


def _sizes(numbers: jax.Array) -> jax.Array:
    parts = SMALLEST / numbers.shape[-1] + (1 - SMALLEST) * jax.nn.softmax(numbers, axis=-1)
    return 2 * BOUND * parts
