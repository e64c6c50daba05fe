"""What functions miss of the runs beyond their noise: tau, see `polynomial.surrogate`.

Mandel & Paule, Analytical Chemistry 42 (1970) 1194, here for a regression, less what chance would give.
"""

import numpy as np

#: standard deviations by which chi2 may exceed ndf before it counts as more than chance: with 1 errors of parameters
#: from 24 to 128 runs come out 15 % too large, with 3 what a low order misses of few runs is overlooked
CHANCE = 1.5


def find_tau(residuals: np.ndarray, noise: np.ndarray, ndf: int | np.ndarray) -> np.ndarray:
    """Return tau (n_bins,) with sum(residuals^2 / (noise^2 + tau^2)) = ndf + what chance adds, by Newton's method; 0
    where none is needed. See above.

    The sum falls and is convex in tau^2: from below, steps never go too far.
    """
    squares, variance = residuals**2, noise**2
    scatter = np.sqrt(2 * np.asarray(ndf, float))
    chi2 = np.sum(np.divide(squares, variance, out=np.full_like(squares, np.inf), where=variance > 0), axis=0)
    ndf = ndf + scatter * CHANCE**2 / np.maximum((chi2 - ndf) / scatter, CHANCE)
    tau2 = np.maximum(np.sum(squares, axis=0) / ndf - variance.max(axis=0), 0.0)
    for _ in range(100):
        total = variance + tau2
        ratio = np.divide(squares, total, out=np.zeros_like(squares), where=total > 0)
        slope = np.sum(np.divide(ratio, total, out=np.zeros_like(squares), where=total > 0), axis=0)
        above = np.sum(ratio, axis=0) - ndf
        step = np.where(above > 0, above / np.where(slope > 0, slope, 1.0), 0.0)
        tau2 = tau2 + step
        if (step <= 1e-10 * tau2).all():
            break
    return np.sqrt(tau2)
