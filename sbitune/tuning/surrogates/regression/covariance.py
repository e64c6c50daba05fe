"""How the errors of a surrogate that learnt every bin alone move together.

They stem from the Monte Carlo fluctuations of the runs, which different bins share, and from what the surrogate cannot
describe, which neighbouring bins share, too. Both show in the residuals of the runs.
"""

from collections.abc import Iterable
from typing import Any

import jax.numpy as jnp
import numpy as np

from sbitune.data.correlation import MOST_BINS, shrink_correlation
from sbitune.data.scan import Scan
from sbitune.fitting.likelihood.protocols import Prediction
from sbitune.tuning.surrogates.regression.outputs import make_targets


def correlate(error: Any, correlation: np.ndarray | None, indices: Any, xp: Any = jnp) -> Any:
    """(n, n) covariance of errors (n_bins,) in the bins `indices`, for a correlation (n_bins, n_bins) or None for 1."""
    chosen = error[indices]
    if correlation is None:
        return xp.diag(chosen**2)
    return xp.outer(chosen, chosen) * xp.asarray(correlation, error.dtype)[indices][:, indices]


def residual_correlation(
    scan: Scan, prediction: Prediction, taken: Iterable[tuple[int, np.ndarray]] = ()
) -> np.ndarray | None:
    """Correlation (n_bins, n_bins) of the residuals of a scan's runs; None if there are too many bins.

    Args:
        scan: the runs. If it knows the correlation of its Monte Carlo errors, that is what few runs fall back on;
            otherwise the unit matrix.
        prediction: of these runs, mean (n_runs, n_bins).
        taken: covariances (n_bins, n_bins) of the prediction at some of the runs, with their numbers. Residuals of the
            runs that a least-squares fit or a Gaussian process has seen lack just that of the noise; where every bin is
            learnt alone, all lack about the same part, and correlations stay.
    """
    if len(scan.bins) > MOST_BINS:
        return None
    noise = make_targets(scan, "linear").errors
    noise = np.where(noise > 0, noise, 1.0)
    lacking = [covariance / np.outer(noise[run], noise[run]) for run, covariance in taken]
    residuals = (scan.values - prediction.mean) / noise
    return shrink_correlation(residuals, scan.correlation, sum(lacking) / max(1, len(lacking)))
