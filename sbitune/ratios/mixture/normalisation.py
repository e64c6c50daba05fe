"""What makes a density of a response: the mean over nominal events, at every value of the nuisance parameters.

    log Z(nu) = log E_nominal[exp(sum_k log g_k(x; nu_k))]

is taken off the log ratio. Without it a fit is off by up to one and a half of its errors where a nuisance moves the
events by their width. Of one parameter, log Z is a polynomial (Chebyshev) between the ends of its range, found once and
compared with log Z between its nodes; of several it is computed anew from events that were held back, in slices.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.polynomial import chebyshev

from sbitune.data.errors import ComputationError
from sbitune.fitting.likelihood.precision import double_precision
from sbitune.fitting.likelihood.terms.interpolation import log_mean
from sbitune.ratios.mixture.responses import Response

#: degree of the polynomial, and by how much it may be off: a thousandth of a standard deviation of a million events
_DEGREE, _OFF = 24, 1e-6


@dataclass(frozen=True, eq=False)
class Normalisation:
    """log Z of the responses of one sample."""

    log_mean: Callable[[Mapping[str, Any]], Any]  #: from parameters by name to log Z; can be traced by JAX
    is_polynomial: bool


def normalise(
    responses: Sequence[Response],
    coefficients: Sequence[np.ndarray],
    weights: np.ndarray,
    ranges: Mapping[str, tuple[float, float]],
) -> Normalisation:
    """Find log Z.

    Args:
        responses: of one sample, to as many nuisance parameters.
        coefficients: of each (order, n_events), of events of the nominal sample.
        weights: (n_events,) of these.
        ranges: nuisance parameter -> ends.

    Raises:
        ComputationError: if a mean is not positive, or not a number, somewhere in the range.
    """
    if not responses:
        return Normalisation(lambda theta: 0.0, True)

    def direct(theta: Mapping[str, Any]) -> Any:
        of_each = zip(responses, coefficients, strict=True)
        return log_mean(sum(r.log_response(theta[r.nuisance], jnp.asarray(c, float)) for r, c in of_each), weights)

    if len(responses) > 1:
        return Normalisation(direct, False)
    name, (low, high) = responses[0].nuisance, ranges[responses[0].nuisance]
    nodes = np.cos(np.pi * (np.arange(_DEGREE + 1) + 0.5) / (_DEGREE + 1))
    between = np.linspace(-1, 1, 41)
    with double_precision():
        at = jax.jit(lambda nu: direct({name: nu}))
        values, there = (
            np.array([float(at(low + (t + 1) * (high - low) / 2)) for t in points]) for points in (nodes, between)
        )
    if not (np.isfinite(values).all() and np.isfinite(there).all()):
        raise ComputationError(
            f"{responses[0].sample}: the mean response to {name} is no positive number somewhere between {low:g} and "
            f"{high:g}; narrow its range, or take another form of the response"
        )
    series = chebyshev.chebfit(nodes, values, _DEGREE)
    if np.abs(chebyshev.chebval(between, series) - there).max() > _OFF:
        return Normalisation(direct, False)

    def of_polynomial(theta: Mapping[str, Any]) -> Any:
        t = 2 * (jnp.asarray(theta[name], float) - low) / (high - low) - 1
        # the recurrence of Clenshaw
        last, before = jnp.zeros(()), jnp.zeros(())
        for c in series[:0:-1]:
            last, before = 2 * t * last - before + c, last
        return t * last - before + series[0]

    return Normalisation(of_polynomial, True)
