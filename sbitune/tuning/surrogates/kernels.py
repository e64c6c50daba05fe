"""The kernel of the Gaussian processes: a smooth function with a length for every input, on top of a straight line.

    k(x, x') = exp(-1/2 sum_i (x_i - x'_i)^2 / l_i^2) + c (1 + sum_i x_i x'_i)

A long length makes an input irrelevant (automatic relevance determination, Rasmussen & Williams section 5.1). The
straight line spares the smooth part from spending its length on a trend.
"""

from typing import Any

import numpy as np
from scipy.optimize import minimize

from sbitune.tuning.surrogates.marginal import Scales, best_scales, kernel_gradient

#: the lengths are sought between these, in half widths of the box; and the weight c of the straight line
SHORTEST, LONGEST = 0.15, 60.0
LEAST_LINE, MOST_LINE = 1e-3, 1e3


def kernel(x: Any, y: Any, logs: Any, xp: Any = np) -> Any:
    """k(x, x') for x (..., n_features) and y (n, n_features), as (..., n); `logs` (n_features + 1,) log l and log c."""
    scaled_x, scaled_y = x / xp.exp(logs[:-1]), y / xp.exp(logs[:-1])
    square = xp.sum(scaled_x**2, axis=-1)[..., None] + xp.sum(scaled_y**2, axis=-1) - 2 * scaled_x @ scaled_y.T
    return xp.exp(-0.5 * xp.maximum(square, 0.0)) + xp.exp(logs[-1]) * (1 + x @ y.T)


def self_kernel(x: Any, logs: Any, xp: Any = np) -> Any:
    """k(x, x) (...,) for x (..., n_features)."""
    return 1 + xp.exp(logs[-1]) * (1 + xp.sum(x**2, axis=-1))


def decompose(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues (n,), none negative, and eigenvectors (n, n) of a kernel matrix."""
    eigenvalues, vectors = np.linalg.eigh(matrix)
    return np.maximum(eigenvalues, 0.0), vectors


def fit_kernel(x: np.ndarray, y: np.ndarray, noise: np.ndarray, start: np.ndarray, iterations: int) -> np.ndarray:
    """Find the lengths and the line's weight that make a group of bins most probable.

    Args:
        x: (n, n_features) inputs.
        y: (n, n_bins) values with mean 0.
        noise: (n_bins,) their variance.
        start: (n_features + 1,) log l and log c to start from.
        iterations: of L-BFGS-B, at most.
    """
    distances = [(x[:, None, i] - x[None, :, i]) ** 2 for i in range(x.shape[1])]
    dot = 1 + x @ x.T

    def loss(logs: np.ndarray) -> tuple[float, np.ndarray]:
        smooth = np.exp(-0.5 * sum(d * s for d, s in zip(distances, np.exp(-2 * logs[:-1]), strict=True)))
        line = np.exp(logs[-1]) * dot
        eigenvalues, vectors = decompose(smooth + line)
        z = vectors.T @ y
        scales = best_scales(eigenvalues, z, noise, extra=False)
        slope = kernel_gradient(vectors, eigenvalues, z, scales, noise)
        weighted = slope * smooth
        by_length = [np.sum(weighted * d) * s for d, s in zip(distances, np.exp(-2 * logs[:-1]), strict=True)]
        gradient = np.array([*by_length, np.sum(slope * line)])
        return -float(scales.log_density.sum()) / y.size, -gradient / y.size

    bounds = [(np.log(SHORTEST), np.log(LONGEST))] * x.shape[1] + [(np.log(LEAST_LINE), np.log(MOST_LINE))]
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": iterations})
    return found.x


def score_bins(x: np.ndarray, y: np.ndarray, noise: np.ndarray, logs: np.ndarray) -> Scales:
    """Scales and log p of every bin under one kernel."""
    eigenvalues, vectors = decompose(kernel(x, x, logs))
    return best_scales(eigenvalues, vectors.T @ y, noise)
