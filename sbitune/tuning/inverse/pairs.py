"""Pairs (theta, bins) as the measurement would have them, from a surrogate or from the runs of a scan."""

from typing import NamedTuple

import jax
import numpy as np

from sbitune.data.errors import ComputationError, InputError
from sbitune.data.parameter import parameter_box
from sbitune.data.scan import Scan
from sbitune.fitting.likelihood.measured import Measured
from sbitune.fitting.likelihood.precision import double_precision
from sbitune.tuning.surrogates.protocols import Surrogate

#: points x bins that a surrogate is asked for at a time; inside, it may hold some hundred numbers for each
_BLOCK_NUMBERS = 50_000


class Pairs(NamedTuple):
    """Points and the contents of the measured bins there, before the data's own noise is added."""

    unit: np.ndarray  #: (n, n_parameters) the box being [-1, 1]
    mean: np.ndarray  #: (n, n_bins) what the surrogate or the run says
    error: np.ndarray  #: (n, n_bins) how uncertain this is
    values: np.ndarray  #: (n, n_bins) mean, moved by its error where it does not contain it already

    def take(self, rows: np.ndarray) -> "Pairs":
        """Return the pairs of these rows."""
        return Pairs(*(part[rows] for part in self))


class Noise(NamedTuple):
    """The noise of the data."""

    covariance: np.ndarray  #: (n_bins, n_bins)
    factor: np.ndarray  #: (n_bins, n_bins) lower triangle with factor @ factor.T = covariance

    def draw(self, key: jax.Array, n: int) -> np.ndarray:
        """Draw fluctuations of the data (n, n_bins)."""
        return _normal(key, (n, len(self.factor))) @ self.factor.T


def make_noise(measured: Measured, correlation: np.ndarray | None) -> Noise:
    """Collect V_d, see `fitting.likelihood.problem`; `correlation` (n_bins, n_bins) is that of Monte Carlo errors.

    Raises `InputError` for a correlation of another shape, `ComputationError` if V_d is not positive definite.
    """
    n = len(measured.bins)
    if correlation is not None and correlation.shape != (n, n):
        raise InputError(f"the correlation has shape {correlation.shape}, expected {(n, n)}: the measured bins")
    covariance = measured.covariance(correlation)
    scale = np.sqrt(np.diag(covariance))
    wrong = ~(np.isfinite(scale) & (scale > 0))
    if wrong.any():
        label = measured.bins.take(np.flatnonzero(wrong)[:1]).labels()[0]
        raise ComputationError(f"bin {label} has no error: leave it out or give it one")
    try:
        factor = scale[:, None] * np.linalg.cholesky(covariance / np.outer(scale, scale))
    except np.linalg.LinAlgError as error:
        raise ComputationError("the covariance matrix of the measured bins is not positive definite") from error
    return Noise(covariance, factor)


def surrogate_correlation(surrogate: Surrogate, measured: Measured) -> np.ndarray:
    """Return the correlation (n_bins, n_bins) of the surrogate's errors in the measured bins, at the box's centre.

    Sizes of errors are taken point by point, but one correlation has to do for all: factorising a matrix of all bins
    at every point would cost more than everything else together.
    """
    centre = parameter_box(surrogate.parameters)[0]
    with double_precision(small=False):
        covariance = np.asarray(surrogate.covariance(centre, measured.indices), np.float64)
    scale = np.sqrt(np.diag(covariance))
    scale = np.where(scale > 0, scale, 1.0)
    correlation = covariance / np.outer(scale, scale)
    np.fill_diagonal(correlation, 1.0)
    return correlation


def average_covariance(error: np.ndarray, correlation: np.ndarray | None) -> np.ndarray:
    """Return S R S (n_bins, n_bins) with the root mean square of errors (n, n_bins); R is 1 if not given."""
    rms = np.sqrt(np.mean(error**2, axis=0))
    return np.diag(rms**2) if correlation is None else np.outer(rms, rms) * correlation


def from_surrogate(key: jax.Array, surrogate: Surrogate, measured: Measured, correlation: np.ndarray, n: int) -> Pairs:
    """Ask a surrogate at `n` points drawn uniformly from its box; its error moves every answer.

    `correlation` (n_bins, n_bins) is that of its errors.

    Raises `ComputationError` naming the bin where it is not finite.
    """
    point_key, error_key = jax.random.split(key)
    centre, half = parameter_box(surrogate.parameters)
    unit = np.asarray(jax.random.uniform(point_key, (n, len(centre)), minval=-1.0, maxval=1.0), np.float64)
    size = max(16, _BLOCK_NUMBERS // len(surrogate.bins))
    blocks = [surrogate.predict_many(centre + half * unit[i : i + size]) for i in range(0, n, size)]
    mean, error = (np.concatenate([np.asarray(b[i])[:, measured.indices] for b in blocks]) for i in (0, 1))
    bad = ~(np.isfinite(mean) & np.isfinite(error)).all(axis=0)
    if bad.any():
        label = measured.bins.take(np.flatnonzero(bad)[:1]).labels()[0]
        raise ComputationError(f"the surrogate is not finite at {label} somewhere in the box of the scan")
    moves = _normal(error_key, mean.shape) @ _root(correlation).T
    return Pairs(unit, mean, error, mean + error * moves)


def from_runs(scan: Scan, measured: Measured) -> Pairs:
    """Take the runs of a scan, whose values contain their Monte Carlo errors already."""
    values, errors = scan.values[:, measured.indices], scan.errors[:, measured.indices]
    return Pairs(scan.unit(), values, errors, values)


def _root(correlation: np.ndarray) -> np.ndarray:
    """Return a matrix A with A A^T = correlation, which may be singular."""
    eigenvalues, vectors = np.linalg.eigh(correlation)
    return vectors * np.sqrt(np.maximum(eigenvalues, 0.0))


def _normal(key: jax.Array, shape: tuple[int, ...]) -> np.ndarray:
    return np.asarray(jax.random.normal(key, shape), np.float64)
