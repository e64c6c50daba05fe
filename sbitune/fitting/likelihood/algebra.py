"""Positive matrices: inverted once, in one way, with one message for each of two reasons."""

from collections.abc import Sequence

import numpy as np
import scipy.linalg
from scipy.linalg.lapack import dpotrf, dpotri  # pyright: ignore[reportAttributeAccessIssue]

from sbitune.data.bins import Bins
from sbitune.data.errors import ComputationError

#: rows and columns that are mirrored at once
_MIRRORED = 512
#: why second derivatives are not positive
UNDETERMINED = "the data do not determine the parameters; take more data, narrow the ranges or fix a parameter"
#: components of a direction in parameter space below this part of the largest are not worth naming
_WORTH_NAMING = 0.3


def invert(v: np.ndarray, bins: Bins) -> tuple[np.ndarray, float]:
    """Inverse and log determinant of a covariance matrix, through its correlation matrix, which has no units.

    Raises `ComputationError` naming a bin without error, or if the matrix is not positive definite.
    """
    scale = np.sqrt(np.diag(v))
    if not (np.isfinite(scale).all() and (scale > 0).all()):
        label = bins.take(np.flatnonzero(~(scale > 0) | ~np.isfinite(scale))[:1]).labels()[0]
        raise ComputationError(f"bin {label} has no error: leave it out or give it one")
    # in place, as there may be thousands of bins; Fortran's order, in which LAPACK copies nothing
    matrix = np.divide(v, scale, order="F")
    matrix /= scale[:, None]
    lower, failed = dpotrf(matrix, lower=1, overwrite_a=1, clean=0)
    if not failed:
        log_determinant = float(2 * np.sum(np.log(np.diag(lower) * scale)))
        lower, failed = dpotri(lower, lower=1, overwrite_c=1)
    if failed:
        raise ComputationError("the covariance matrix of the bins is not positive definite")
    lower /= scale
    lower /= scale[:, None]
    _mirror(lower)
    return lower, log_determinant


def _mirror(matrix: np.ndarray) -> None:
    """Make a matrix symmetric in place from what stands below its diagonal."""
    for start in range(0, len(matrix), _MIRRORED):
        stop = min(start + _MIRRORED, len(matrix))
        matrix[start:stop, stop:] = matrix[stop:, start:stop].T
        corner = np.tril(matrix[start:stop, start:stop])
        matrix[start:stop, start:stop] = corner + np.tril(corner, -1).T


def root_of_covariance(v: np.ndarray) -> np.ndarray:
    """Lower triangle L (n, n) with L L^T = v, for fluctuations. Raises `ComputationError` if v is not positive."""
    scale = np.sqrt(np.diag(v))
    try:
        return scale[:, None] * np.linalg.cholesky(v / np.outer(scale, scale))
    except np.linalg.LinAlgError:
        raise ComputationError("the covariance matrix of the bins is not positive definite") from None


def is_positive(matrix: np.ndarray) -> bool:
    """Whether a symmetric matrix is positive definite."""
    try:
        np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        return False
    return True


def undetermined_names(matrix: np.ndarray, names: Sequence[str]) -> list[str]:
    """The parameters (n,) along which a matrix (n, n) of second derivatives rises least, or falls."""
    direction = np.abs(np.linalg.eigh(matrix)[1][:, 0])
    return [name for name, part in zip(names, direction, strict=True) if part > _WORTH_NAMING * direction.max()]


def invert_positive(matrix: np.ndarray, why: str = UNDETERMINED) -> np.ndarray:
    """Inverse of a positive matrix: second derivatives, say. Raises `ComputationError` with `why` if it is not."""
    return scipy.linalg.cho_solve((root_of_positive(matrix, why), True), np.eye(len(matrix)))


def root_of_positive(matrix: np.ndarray, why: str = UNDETERMINED) -> np.ndarray:
    """Lower triangle of a positive matrix. Raises `ComputationError` with `why` if it is not."""
    try:
        return scipy.linalg.cholesky(matrix, lower=True)
    except np.linalg.LinAlgError:
        raise ComputationError(why) from None
