"""What surrogates see of theta: the box scaled to [-1, 1] and, where it helps, logarithms.

Rates of rare processes are products of powers of parameters whose box begins close to zero: straight lines in the
logarithm.
"""

from typing import Any

import numpy as np

from sbitune.data.parameter import Parameter, parameter_box

#: a box begins close to zero if 0 <= low < this fraction of high
LOG_BELOW = 0.05
#: added to theta / high before the logarithm, which is finite for theta = 0 then
LOG_OFFSET = 3e-3


def begin_near_zero(parameters: tuple[Parameter, ...]) -> np.ndarray:
    """(n_parameters,) True for parameters whose logarithm is worth a look."""
    return np.array([0 <= p.low < LOG_BELOW * p.high for p in parameters])


def make_features(theta: Any, parameters: tuple[Parameter, ...], log_inputs: np.ndarray, xp: Any) -> Any:
    """Return theta (..., n_parameters) and the chosen logarithms behind it, both with the box scaled to [-1, 1].

    Args:
        theta: points in the generator's units.
        parameters: with the box.
        log_inputs: (n_parameters,) True for parameters of which the logarithm is shown, too.
        xp: `numpy`, or `jax.numpy` to trace the evaluation.
    """
    centre, half = (xp.asarray(part, dtype=theta.dtype) for part in parameter_box(parameters))
    chosen = np.flatnonzero(log_inputs)
    low, high = (
        xp.asarray([getattr(parameters[i], end) for i in chosen], dtype=theta.dtype) for end in ("low", "high")
    )
    logs = xp.log(xp.maximum(theta[..., chosen] / high, 0.0) + LOG_OFFSET)
    ends = xp.log(low / high + LOG_OFFSET), np.log1p(LOG_OFFSET)
    logs = (2 * logs - ends[0] - ends[1]) / (ends[1] - ends[0])
    return xp.concatenate([(theta - centre) / half, logs], axis=-1)
