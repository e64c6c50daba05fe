"""From many bins to a few numbers that keep what the bins tell of the parameters.

A flow that read a thousand bins would spend its training on learning that nearly all of their differences are noise.
That much is known beforehand, as the covariance V of the noise is. So the bins are whitened, w = V^(-1/2) (x - centre),
which makes the noise of all directions alike, and projected to orthonormal directions:

* first the best linear estimates of every parameter, (S + 1)^-1 C with S the covariance of the noiseless w over the
  scan and C that of w with theta: these are the canonical directions, and if w were linear in theta nothing would be
  lost with them alone;
* then the principal directions of what is left of S, loudest first: curvature, which tells apart what the linear
  estimates confuse. Where the signal's variance is far below the noise (1 in these units), a direction tells nothing.

Principal directions alone would do worse: the curvature of strong parameters can crowd out a weak one.
"""

from dataclasses import dataclass

import numpy as np
import scipy.linalg

from sbitune.data.bins import Bins
from sbitune.data.errors import ComputationError

#: directions are dropped if the variance of their signal is below this part of the noise's
SMALLEST_SIGNAL = 1e-2
#: a direction that is left out is noted if the variance of its signal exceeds this part of the noise's
LOUD = 1.0


@dataclass(frozen=True, eq=False)
class Compression:
    """A linear map of the bins to k numbers, with noise of about unit variance."""

    centre: np.ndarray  #: (n_bins,) mean of the training values
    whitening: np.ndarray  #: (n_bins, n_bins) V^(-1/2), V being the noise at an average point of the scan
    directions: np.ndarray  #: (n_bins, k) orthonormal, in the whitened bins
    jitter: np.ndarray  #: (k, k) lower triangle: a factor of the covariance of the data's noise after the projection
    left_out: float  #: variance of the signal in the loudest direction that was left out; the noise's is 1

    def notes(self) -> tuple[str, ...]:
        """Say what a reader must know; empty if there is nothing."""
        if self.left_out <= LOUD:
            return ()
        return (
            f"the compression of {len(self.centre)} bins to {self.directions.shape[1]} numbers leaves out a direction "
            f"in which the signal's variance is {self.left_out:.1f} times the noise's: raise directions_per_parameter",
        )

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Project values (..., n_bins) to (..., k)."""
        return self.whitened(values) @ self.directions

    def whitened(self, values: np.ndarray) -> np.ndarray:
        """Whiten values (..., n_bins)."""
        return (values - self.centre) @ self.whitening.T

    def remainder(self, values: np.ndarray) -> np.ndarray:
        """(...,) squared length of what the projection does not see; for noise alone about n_bins - k."""
        w = self.whitened(values)
        return np.maximum(np.sum(w**2, axis=-1) - np.sum((w @ self.directions) ** 2, axis=-1), 0.0)


def make_compression(
    unit: np.ndarray, values: np.ndarray, covariance: np.ndarray, model_covariance: np.ndarray, most: int, bins: Bins
) -> Compression:
    """Find the directions.

    Args:
        unit: (n, n_parameters) points of the scan, the box being [-1, 1].
        values: (n, n_bins) noiseless (or nearly so) contents at these points.
        covariance: (n_bins, n_bins) of the data's noise.
        model_covariance: (n_bins, n_bins) of the noise of the runs or of the surrogate at an average point.
        most: directions at most.
        bins: for messages.

    Raises `ComputationError` naming the bin if one has no noise at all, or if the covariance is singular.
    """
    total = covariance + model_covariance
    scale = np.sqrt(np.diag(total))
    if not (scale > 0).all():
        label = bins.take(np.flatnonzero(~(scale > 0))[:1]).labels()[0]
        raise ComputationError(f"bin {label} has no error: leave it out or give it one")
    try:
        lower = np.linalg.cholesky(total / np.outer(scale, scale))
    except np.linalg.LinAlgError as error:
        raise ComputationError("the covariance matrix of the bins is not positive definite") from error
    whitening = scipy.linalg.solve_triangular(lower, np.diag(1 / scale), lower=True)
    centre = values.mean(axis=0)
    directions, left_out = _find_directions(unit - unit.mean(axis=0), (values - centre) @ whitening.T, most)
    projected = directions.T @ whitening
    noise = projected @ covariance @ projected.T
    return Compression(centre, whitening, directions, np.linalg.cholesky(noise), left_out)


def _find_directions(unit: np.ndarray, w: np.ndarray, most: int) -> tuple[np.ndarray, float]:
    """Return orthonormal directions (n_bins, k) and the signal's variance in the next one."""
    n_bins = w.shape[1]
    signal = w.T @ w / len(w)
    canonical = np.linalg.solve(signal + np.eye(n_bins), w.T @ unit / len(w))
    first = _orthonormal(canonical)[:, :most]
    rest = w - (w @ first) @ first.T
    _, singular, principal = np.linalg.svd(rest, full_matrices=False)
    variance = singular**2 / len(w)
    n = min(most - first.shape[1], int(np.sum(variance > SMALLEST_SIGNAL)), n_bins - first.shape[1])
    left = variance[n] if n < len(variance) else 0.0
    return np.column_stack([first, principal[:n].T]), float(left)


def _orthonormal(columns: np.ndarray) -> np.ndarray:
    """Return an orthonormal basis of the columns (n, m), without those that add nothing."""
    size = np.linalg.norm(columns, axis=0)
    basis, singular, _ = np.linalg.svd(columns / np.where(size > 0, size, 1.0), full_matrices=False)
    return basis[:, singular > 1e-6]
