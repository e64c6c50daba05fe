r"""Numbers phi in which a loss is convex, fitted to events, with the sandwich covariance.

At the minimum of a sum of losses of single events, sum_i w_i l_i(phi), the covariance of phi is H^-1 S H^-1 with the
second derivatives H of the sum and the summed squares S of the slopes of single events (P. J. Huber, Proc. 5th Berkeley
Symp. 1 (1967) 221): it holds for events with weights of either sign and for models that are not quite right, too.
"""

from collections.abc import Callable

import numpy as np
import scipy.linalg

from sbitune.data.errors import ComputationError

#: phi is held near where it begins as by so many events in every direction: members may be alike
_HELD = 1.0
_STEPS, _SETTLED = 50, 1e-10

#: phi -> minus the slope (n_phi,) of the sum, H and S (n_phi, n_phi)
Derivatives = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]


def fit_with_sandwich(
    start: np.ndarray, derivatives: Derivatives, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Find phi (n_phi,) and its covariance by Newton's method.

    Args:
        start: (n_phi,) where to begin; directions that the events leave open stay there.
        derivatives: of the sum over all events.
        weights: (n_events,) of these.

    Raises:
        ComputationError: if the loss has no minimum: weights that are negative for most events of a place.
    """
    held = _HELD * np.eye(len(start)) * np.abs(weights).mean()
    total, phi = np.abs(weights).sum(), start.copy()
    for _ in range(_STEPS):
        slope, bread, meat = derivatives(phi)
        slope, bread = slope - held @ (phi - start), bread + held
        try:
            factor = scipy.linalg.cho_factor(bread)
        except (np.linalg.LinAlgError, ValueError):  # not convex, or not finite
            break
        step = scipy.linalg.cho_solve(factor, slope)
        gain = float(slope @ step)
        if gain < _SETTLED * max(1.0, total):
            inverse = np.linalg.inv(bread)
            return phi + step, inverse @ meat @ inverse
        phi = phi + step / max(1.0, np.sqrt(gain / total) / 2)  # far away steps are shortened
    raise ComputationError(
        "the ensemble cannot be combined: its loss over the events that were held back has no minimum; give more "
        "events, or fewer negative weights"
    )
