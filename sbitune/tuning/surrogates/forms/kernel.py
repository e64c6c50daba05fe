"""The kernel of the Gaussian processes: a smooth function with lengths of its own, on top of a straight line.

    k(x, x') = exp(-1/2 |(x - x') L|^2) + c (1 + sum_i x_i x'_i)

L is lower triangular: along the axes of the ellipsoid |x L| = 1 the function has different lengths, and these need not
be those of the inputs, as observables respond to combinations of parameters (a full matrix in place of automatic
relevance determination: F. Vivarelli, C. Williams, NIPS 11 (1998) 613). A long length makes a direction irrelevant. The
straight line spares the smooth part from spending its length on a trend.
"""

from typing import Any, NamedTuple

import numpy as np


class Form(NamedTuple):
    """What a kernel is like."""

    metric: np.ndarray  #: (n_features, n_features) L
    line: float  #: c


def kernel(x: Any, y: Any, form: Form, xp: Any = np) -> Any:
    """k(x, x') for x (..., n_features) and y (n, n_features), as (..., n)."""
    scaled_x, scaled_y = x @ form.metric, y @ form.metric
    square = xp.sum(scaled_x**2, axis=-1)[..., None] + xp.sum(scaled_y**2, axis=-1) - 2 * scaled_x @ scaled_y.T
    return xp.exp(-0.5 * xp.maximum(square, 0.0)) + form.line * (1 + x @ y.T)


def self_kernel(x: Any, form: Form, xp: Any = np) -> Any:
    """k(x, x) (...,) for x (..., n_features)."""
    return 1 + form.line * (1 + xp.sum(x**2, axis=-1))
