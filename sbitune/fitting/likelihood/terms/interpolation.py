r"""Interpolation between what a nuisance parameter does at -1, 0 and +1: of bins, and of ratios of single events.

Codes have the numbers of HistFactory (K. Cranmer et al., CERN-OPEN-2012-016). With the ratios r+ and r- to the nominal:

    code 0   1 + a (r+ - 1) for a > 0, 1 + a (1 - r-) else: lines, a kink at 0;
    code 1   r+^a for a > 0, r-^-a else: powers, a kink at 0;
    code 4   powers beyond |a| = 1, between a polynomial of the sixth degree with value and two derivatives of these;
    code 4p  lines beyond |a| = 1, between a polynomial of the sixth degree with value and two derivatives of these;
    log-quadratic  log r = a (log r+ - log r-) / 2 + a^2 (log r+ + log r-) / 2 for all a.

Codes 0 and 4p add; 1, 4 and the last multiply. Ratios of events so made have no mean of 1 between the samples: unless
the log-quadratic form is exact they must be divided by their mean over events of the nominal sample, `log_mean`.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

#: from nuisance and log ratios (n_events,) of up and of down to the nominal, to the log ratio (n_events,)
EventInterpolation = Callable[[Any, Any, Any], Any]


def code0(alpha: Any, up: Any, down: Any) -> Any:
    """What is added, with the differences `up` and `down` to the nominal."""
    return jnp.where(alpha > 0, alpha * up, -alpha * down)


def code4p(alpha: Any, up: Any, down: Any) -> Any:
    """What is added, with the differences `up` and `down` to the nominal."""
    inside = jnp.clip(alpha, -1.0, 1.0)
    square = inside**2
    even = square * (15 + square * (3 * square - 10)) / 16
    between = inside * (up - down) / 2 + even * (up + down)
    return jnp.where(alpha > 1, alpha * up, jnp.where(alpha < -1, -alpha * down, between))


def code1(alpha: Any, log_up: Any, log_down: Any) -> Any:
    """The factor, with logs of the ratios to the nominal."""
    return jnp.exp(log_code1(alpha, log_up, log_down))


def code4(alpha: Any, log_up: Any, log_down: Any, between: Any = None) -> Any:
    """The factor, with logs of the ratios to the nominal, and `code4_between` of these if it is known."""
    inside = 1 + _polynomial(alpha, code4_between(log_up, log_down) if between is None else between)
    return jnp.where(jnp.abs(alpha) >= 1, jnp.exp(log_code1(alpha, log_up, log_down)), inside)


def log_code1(alpha: Any, log_up: Any, log_down: Any) -> Any:
    """Log of the factor."""
    return jnp.where(alpha > 0, alpha * log_up, -alpha * log_down)


def log_code4(alpha: Any, log_up: Any, log_down: Any) -> Any:
    """Log of the factor; NaN where the polynomial is not positive, for ratios that are wide apart."""
    between = jnp.log1p(_polynomial(alpha, code4_between(log_up, log_down)))
    return jnp.where(jnp.abs(alpha) >= 1, log_code1(alpha, log_up, log_down), between)


def log_code0(alpha: Any, log_up: Any, log_down: Any) -> Any:
    """Log of 1 + what is added; NaN where that is not positive."""
    return jnp.log1p(code0(alpha, jnp.expm1(log_up), jnp.expm1(log_down)))


def log_code4p(alpha: Any, log_up: Any, log_down: Any) -> Any:
    """Log of 1 + what is added; NaN where that is not positive."""
    return jnp.log1p(code4p(alpha, jnp.expm1(log_up), jnp.expm1(log_down)))


def log_quadratic(alpha: Any, log_up: Any, log_down: Any) -> Any:
    """Log of the factor: exact for a Gaussian whose mean moves in proportion to alpha."""
    return alpha * (log_up - log_down) / 2 + alpha**2 * (log_up + log_down) / 2


def code4_between(log_up: Any, log_down: Any) -> Any:
    """(6, ...) coefficients of the polynomial of code 4, less 1; of NumPy arrays NumPy arrays.

    Its odd and its even part have, at 1, the value, slope and curvature of the odd and the even part of the powers.
    """
    xp = jnp if isinstance(log_up, jax.Array) or isinstance(log_down, jax.Array) else np
    up, down = xp.exp(log_up), xp.exp(log_down)
    values, slopes, bends = (
        ((x - y) / 2, (x + y) / 2)
        for x, y in ((up, down), (log_up * up, -log_down * down), (log_up**2 * up, log_down**2 * down))
    )
    odd, even = (values[0], slopes[1], bends[0]), (values[1] - 1, slopes[0], bends[1])
    return xp.stack(
        [
            (15 * odd[0] - 7 * odd[1] + odd[2]) / 8,
            3 * even[0] - (9 * even[1] - even[2]) / 8,
            (-5 * odd[0] + 5 * odd[1] - odd[2]) / 4,
            -3 * even[0] + (7 * even[1] - even[2]) / 4,
            (3 * odd[0] - 3 * odd[1] + odd[2]) / 8,
            even[0] - (5 * even[1] - even[2]) / 8,
        ]
    )


def _polynomial(alpha: Any, coefficients: Any) -> Any:
    """Without a constant, for |alpha| < 1."""
    inside = jnp.clip(alpha, -1.0, 1.0)
    value = coefficients[5]
    for k in (4, 3, 2, 1, 0):
        value = coefficients[k] + inside * value
    return inside * value


def log_mean(log_ratio: Any, weights: Any) -> Any:
    """Log of the weighted mean of ratios over events (n_events,) of the reference: what is subtracted from a log ratio
    so that it is normalised. Weights may be negative.
    """
    return jax.scipy.special.logsumexp(log_ratio, b=weights) - jnp.log(jnp.sum(weights))


def normalised(code: EventInterpolation, log_up: Any, log_down: Any, weights: Any) -> EventInterpolation:
    """The same interpolation, divided by its mean E_ref[r] at each value of the nuisance.

    Args:
        code: one of `EVENT_CODES`.
        log_up: (n_reference,) log ratios of events of the nominal sample, by the million if a per mille counts.
        log_down: (n_reference,)
        weights: (n_reference,)
    """

    def divided(alpha: Any, up: Any, down: Any) -> Any:
        return code(alpha, up, down) - log_mean(code(alpha, log_up, log_down), weights)

    return divided


#: name -> interpolation of ratios of events
EVENT_CODES: Mapping[str, EventInterpolation] = {
    "code0": log_code0,
    "code1": log_code1,
    "code4": log_code4,
    "code4p": log_code4p,
    "log_quadratic": log_quadratic,
}
