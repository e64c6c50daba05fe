r"""What a fit inherits from numbers that it took for known: by implicit differentiation.

A model may have been fixed by numbers phi with a covariance C: weights of networks, means over simulated events. With
L = -2 log L of the data, fitted parameters theta follow them as

    d theta / d phi = -(d2 L / d theta2)^-1 d2 L / (d theta d phi),

so that they have the covariance (d theta / d phi) C (d theta / d phi)^T from this, beside that from the data.
"""

from collections.abc import Sequence

import numpy as np

from sbitune.data.errors import ComputationError
from sbitune.fitting.likelihood.curvature import inverse_curvature
from sbitune.fitting.likelihood.precision import double_precision
from sbitune.fitting.likelihood.product import Product
from sbitune.fitting.results import Fit


def carried_covariance(problem: Product, best: Fit, sources: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """The covariance (n_parameters, n_parameters) of fitted parameters from others; rows of fixed ones are 0.

    Args:
        problem: what was fitted, with the data.
        best: its fit.
        sources: d2 (-2 log L) / (d theta d phi), (n_parameters, n_phi), and the covariance (n_phi, n_phi), of one set
            of numbers after the other; sets are independent.

    Raises `ComputationError` if the second derivatives at the fit are not positive, or a derivative is not finite.
    """
    frame = problem.frame()
    with double_precision():
        u, objective = frame.to_unit(best.values), problem.objective()
        inverse, _ = inverse_curvature(frame, u, np.asarray(objective.hessian(objective.point(u))) / 2)
    covariance = np.zeros_like(inverse)
    for mixed, of_phi in sources:
        moves = -inverse @ (frame.half[:, None] * mixed) / 2
        covariance += moves @ of_phi @ moves.T
    covariance *= np.outer(frame.half, frame.half)
    if not np.isfinite(covariance).all():
        raise ComputationError("the error from the ratios is not finite; look at the calibration of the ratios")
    return covariance
