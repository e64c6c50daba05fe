"""The measured side of a fit of bins."""

from dataclasses import dataclass

import numpy as np

from sbitune.data.bins import Bins


@dataclass(frozen=True, eq=False)
class Measured:
    """The measured side of a fit, bin by bin in the order of the model's bins `indices`."""

    indices: np.ndarray  #: (n_bins,) which of the model's bins these are
    bins: Bins
    values: np.ndarray  #: (n_bins,)
    errors: np.ndarray  #: (n_bins,) the independent part of the error
    shifts: np.ndarray  #: (n_sources, n_bins) correlated shifts
    weights: np.ndarray  #: (n_bins,) > 0
    noise: np.ndarray | float = 0.0  #: (n_bins,) Monte Carlo errors of pseudo-data, which fluctuate as the scan's do
    names: tuple[str, ...] = ()  #: (n_sources,) what shifts them

    @property
    def total_errors(self) -> np.ndarray:
        """(n_bins,) all errors in quadrature."""
        return np.sqrt(self.errors**2 + np.sum(self.shifts**2, axis=0) + self.noise**2)

    def covariance(self, correlation: np.ndarray | None = None) -> np.ndarray:
        """V_d (n_bins, n_bins), with the correlation R (n_bins, n_bins) of Monte Carlo errors, or None for 1."""
        noise = np.broadcast_to(self.noise, self.errors.shape)
        v = noise_covariance(noise, correlation)
        if len(self.shifts):
            v += self.shifts.T @ self.shifts
        v[np.diag_indices_from(v)] += self.errors**2
        return v


def noise_covariance(noise: np.ndarray, correlation: np.ndarray | None) -> np.ndarray:
    """Covariance (n_bins, n_bins) of Monte Carlo errors (n_bins,) with their correlation; None: independent."""
    return np.diag(noise**2) if correlation is None else np.outer(noise, noise) * correlation
