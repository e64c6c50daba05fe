r"""Errors of a surrogate wide enough for parameters, not only for bins.

The errors of single bins may be true and those of parameters still too small: what a surrogate misses is not spread
over all directions in the space of the bins alike, and there is more of it in the few that parameters move them in (a
length that is wrong moves all bins as a parameter would). So runs that were held out are fitted by linear least
squares: with J the slopes of the bins at the run's point, r its residuals, N the covariance of its Monte Carlo errors,
C that of what the surrogate learnt, and C' of what its components leave over, as it was measured,

    d = (J^T V^-1 J)^-1 J^T V^-1 r,   V = kappa^2 C + C' + N,

is how far parameters would come out from the truth. The learnt errors of the surrogate are multiplied by the kappa >= 1
for which (d / its error)^2 is 1 on average over runs and parameters; but not so far that errors of bins become too wide
by more than a tenth. What then is missing shows in closure.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import scipy.linalg
from scipy.optimize import brentq

from sbitune.data.errors import ComputationError
from sbitune.data.scan import Scan, parameter_box
from sbitune.fitting.protocols import Prediction
from sbitune.tuning.surrogates.calibration import Calibration
from sbitune.tuning.surrogates.compound import ComponentSurrogate
from sbitune.tuning.surrogates.gaussian import GaussianSurrogate
from sbitune.tuning.surrogates.neural import NeuralSurrogate
from sbitune.tuning.surrogates.noise import smooth_errors
from sbitune.tuning.surrogates.polynomial import PolynomialSurrogate
from sbitune.tuning.surrogates.rational import RationalSurrogate

Known = PolynomialSurrogate | GaussianSurrogate | RationalSurrogate | NeuralSurrogate | ComponentSurrogate

#: so many runs and bins are looked at, at most, spread evenly over all
MOST_RUNS, MOST_BINS = 80, 300
#: half of the step of differences, in widths of the box
_STEP = 0.02
#: kappa is found as exactly as that, and is never greater than the second
_EXACT, _GREATEST = 0.02, 3.0
#: rms of residual / error over all bins that is wide enough
_LEAST_WIDTH = 0.9
#: a factor, to see what it changes
_TWICE = 2.0
#: of a covariance's variances that keeps it positive
_JITTER = 1e-9


class HeldOut(NamedTuple):
    """What a surrogate that has not seen it says of a run, in some of its bins."""

    slopes: np.ndarray  #: (n_bins, n_parameters) of the prediction, in half widths of the box
    residuals: np.ndarray  #: (n_bins,) run - prediction
    covariance: np.ndarray  #: (n_bins, n_bins) of the prediction, as far as `inflate` multiplies it
    rest: np.ndarray  #: (n_bins, n_bins) of the prediction, as far as it does not
    noise: np.ndarray  #: (n_bins, n_bins) of the run's Monte Carlo errors


def missing(scan: Scan, prediction: Prediction, kind: str) -> float:
    """Variance, in units of the noise, that makes the pulls of runs that were predicted 1 on average; 0 if they are not
    wider.

    Raises:
        ComputationError: a prediction is not finite.
    """
    bad = np.argwhere(~(np.isfinite(prediction.mean) & np.isfinite(prediction.error)))
    if len(bad):
        run, label = scan.runs[bad[0, 0]], scan.bins.take(bad[:1, 1]).labels()[0]
        raise ComputationError(
            f"surrogate (kind: {kind}): what the other runs predict for {label} in run {run} is not finite; "
            "take another kind or scale"
        )
    noise = smooth_errors(scan)
    known = noise > 0
    difference = (prediction.mean - scan.values)[known] ** 2
    error, noise = prediction.error[known] ** 2, noise[known] ** 2

    def excess(ratio: float) -> float:
        return float(np.mean(difference / (error + (1 + ratio) * noise))) - 1

    if not known.any() or excess(0.0) <= 0:
        return 0.0
    high = 1.0
    while excess(high) > 0:
        high *= 2
    return float(brentq(excess, 0.0, high, xtol=1e-4))  # pyright: ignore[reportArgumentType]


def find_inflation(held: Sequence[HeldOut]) -> float:
    """Kappa, at least 1; runs that are not more than parameters tell nothing."""
    if not held or len(held) <= held[0].slopes.shape[1]:
        return 1.0

    def excess(kappa: float) -> float:
        pulls = [_pulls(one, kappa) for one in held]
        return float(np.mean(np.square(pulls))) - 1

    squares = np.array([one.residuals**2 for one in held])
    variances = np.array([np.diag(one.covariance) for one in held])
    others = np.array([np.diag(one.rest + one.noise) for one in held])

    def excess_of_bins(kappa: float) -> float:
        return float(np.mean(squares / (kappa**2 * variances + others))) - _LEAST_WIDTH**2

    greatest = _root(excess_of_bins, _GREATEST)
    return _root(excess, greatest)


def _root(falling: Callable[[float], float], greatest: float) -> float:
    """Where a falling function is 0, between 1 and `greatest`, or the end that is nearer to that."""
    if falling(1.0) <= 0:
        return 1.0
    if falling(greatest) >= 0:
        return greatest
    return float(brentq(falling, 1.0, greatest, xtol=_EXACT))  # pyright: ignore[reportArgumentType]


def find_slopes(surrogate: Any, theta: np.ndarray, bins: np.ndarray) -> np.ndarray:
    """(n, n_bins, n_parameters) derivatives in half widths of the box, from differences inside it."""
    centre, half = parameter_box(surrogate.parameters)
    n, p = theta.shape
    steps = 2 * _STEP * half[:, None] * np.eye(p)
    ends = np.clip(theta[:, None, None] + np.stack([-steps, steps]), centre - half, centre + half)
    means = surrogate.predict_many(ends.reshape(-1, p)).mean[:, bins].reshape(n, 2, p, len(bins))
    length = np.einsum("npp->np", (ends[:, 1] - ends[:, 0]) / half)
    return ((means[:, 1] - means[:, 0]) / length[:, :, None]).transpose(0, 2, 1)


def _pulls(one: HeldOut, kappa: float) -> np.ndarray:
    """(n_parameters,) d / its error; 0 for what the bins say nothing of."""
    v = kappa**2 * one.covariance + one.rest + one.noise
    scale = np.sqrt(np.diag(v))
    unit = v / np.outer(scale, scale) + _JITTER * np.eye(len(v))
    triangle = np.linalg.cholesky(unit)
    both = np.column_stack([one.slopes, one.residuals]) / scale[:, None]
    white = scipy.linalg.solve_triangular(triangle, both, lower=True)
    u, singular, vt = np.linalg.svd(white[:, :-1], full_matrices=False)
    told = singular > 1e-9 * singular[0]
    inverse = vt[told].T / singular[told]
    error = np.sqrt(np.sum(inverse**2, axis=1))
    return np.where(error > 0, inverse @ (u.T[told] @ white[:, -1]) / np.where(error > 0, error, 1.0), 0.0)


def inflate(surrogate: Any, factor: float) -> Any:
    """The same surrogate with the errors of what it learnt multiplied; its means stay, and what components leave."""
    if factor == 1:
        return surrogate
    if isinstance(surrogate, PolynomialSurrogate | RationalSurrogate):
        return replace(surrogate, factor=surrogate.factor * factor, tau=surrogate.tau * factor)
    if isinstance(surrogate, GaussianSurrogate):
        post, square = surrogate.posterior, factor**2
        wider = {name: getattr(post, name) * square for name in ("gain", "amplitude", "extra")}
        return replace(surrogate, posterior=post._replace(**wider))
    if isinstance(surrogate, NeuralSurrogate):
        return replace(surrogate, calibration=Calibration(*(part * factor**2 for part in surrogate.calibration)))
    left = None if surrogate.left is None else inflate(surrogate.left, factor)
    return replace(surrogate, inner=inflate(surrogate.inner, factor), left=left)


def learnt_covariances(surrogate: Any, theta: np.ndarray, bins: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """What `inflate` multiplies of the covariance (k, k) of bins (k,) at theta (n, n_parameters), and the rest."""
    if not isinstance(surrogate, ComponentSurrogate):
        for whole in surrogate.covariances(theta, bins):
            yield whole, np.zeros_like(whole)
        return
    both = (surrogate.covariances(theta, bins), inflate(surrogate, _TWICE).covariances(theta, bins))
    for whole, more in zip(*both, strict=True):
        learnt = (more - whole) / (_TWICE**2 - 1)
        yield learnt, whole - learnt
