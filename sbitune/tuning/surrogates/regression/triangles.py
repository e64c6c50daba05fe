"""Inverses of many small matrices, by the few steps of LAPACK that a triangle takes."""

import numpy as np
from scipy.linalg.lapack import dpotrf, dtrtri  # pyright: ignore[reportAttributeAccessIssue]


def invert_triangles(triangles: np.ndarray) -> np.ndarray:
    """Inverses (n, k, k) of upper triangular matrices."""
    found = np.empty_like(triangles)
    for i, triangle in enumerate(triangles):
        found[i] = dtrtri(triangle)[0]
    return found


def inverse_roots(matrices: np.ndarray, more: np.ndarray) -> np.ndarray:
    """Upper triangular U (n, k, k) with U @ U.T the inverse of positive matrices (n, k, k) + diagonals (n, k)."""
    total = matrices.copy()
    diagonal = np.arange(matrices.shape[1])
    total[:, diagonal, diagonal] += more
    found = np.empty_like(total)
    for i, matrix in enumerate(total):
        found[i] = dtrtri(dpotrf(matrix.T, lower=1)[0], lower=1)[0].T
    return found
