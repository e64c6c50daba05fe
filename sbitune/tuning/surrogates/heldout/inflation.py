r"""Errors of a surrogate wide enough for parameters, not only for bins.

The errors of single bins may be true and those of parameters still too small: what a surrogate misses is not spread
over all directions in the space of the bins alike, and there is more of it in the few that parameters move them in (a
length that is wrong moves all bins as a parameter would). So runs that were held out are fitted: with f the prediction,
y the run, N the covariance of its Monte Carlo errors, C that of what the surrogate learnt and C' of what its components
leave over, as it was measured,

    t = chi2(truth) - min chi2(theta),   chi2 = (y - f(theta))^T V^-1 (y - f(theta)),   V = kappa^2 C + C' + N,

with the minimum within the box and V that of the truth. For data that scatter around f(truth) with V the mean of t is
found from toys; it is the number of parameters where the problem is linear and limits are far. The learnt errors of the
surrogate are multiplied by the kappa >= 1 that is most probable,

    ((mean of t over the runs - that of toys) / its standard error)^2 + (ln kappa / ln 1.5)^2 = min:

few runs, or errors C far below the noise, say next to nothing of kappa, and what they say by chance must not make
errors several times too wide. Nor are errors of bins made too wide by more than a tenth. What then is missing shows in
closure.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import brentq, minimize_scalar

from sbitune.data.blocks import mean_error
from sbitune.data.errors import ComputationError, InputError
from sbitune.data.scan import Scan
from sbitune.fitting.likelihood.protocols import Prediction
from sbitune.tuning.surrogates.heldout.refits import Refits
from sbitune.tuning.surrogates.protocols import TrainedSurrogate
from sbitune.tuning.surrogates.regression.lack_of_fit import CHANCE
from sbitune.tuning.surrogates.regression.noise import smooth_errors

#: so many runs and bins are looked at, at most, spread evenly over all
MOST_RUNS, MOST_BINS = 80, 300
#: kappa is found as exactly as that, and is never greater than the second
_EXACT, _GREATEST = 0.03, 3.0
#: width of what is expected of ln kappa before runs are looked at: errors are seldom off by more than this factor
_EXPECTED = np.log(1.5)
#: toys in the place of every run
_TOYS = 2
#: rms of residual / error over all bins that is wide enough
_LEAST_WIDTH = 0.9
#: of a covariance's variances that keeps it positive
_JITTER = 1e-9


class HeldOut(NamedTuple):
    """Runs that a surrogate has not seen, and what it says of them in some of their bins."""

    surrogate: Any
    theta: np.ndarray  #: (n, n_parameters) of the runs
    bins: np.ndarray  #: (k,) which
    residuals: np.ndarray  #: (n, k) run - prediction
    learnt: np.ndarray  #: (n, k, k) covariance of the prediction, as far as `inflate` multiplies it
    others: np.ndarray  #: (n, k, k) the rest of that, and the covariance of the runs' Monte Carlo errors


def missing(scan: Scan, prediction: Prediction, kind: str) -> float:
    """Variance, in units of the noise, that makes the squared pulls of runs that were predicted 1 on average, or as
    much more as they are uncertain by; 0 if they are not wider than that.

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
    known = noise.max(axis=0) > 0
    difference = (prediction.mean - scan.values)[:, known] ** 2
    error, noise = prediction.error[:, known] ** 2, noise[:, known] ** 2

    def squares(ratio: float) -> np.ndarray:
        return np.mean(difference / (error + (1 + ratio) * noise), axis=1)

    if not known.any() or len(difference) < 2:
        return 0.0
    of_run = squares(0.0)
    scatter = mean_error(of_run)
    # by how many standard errors they exceed 1: what a fluctuation would give is taken off, as in `lack_of_fit`
    beyond = (of_run.mean() - 1) / scatter if scatter > 0 else np.inf * np.sign(of_run.mean() - 1)
    if not beyond > CHANCE:
        return 0.0

    def excess(ratio: float) -> float:
        return float(squares(ratio).mean() - 1 - scatter * CHANCE**2 / beyond)

    high = 1.0
    while excess(high) > 0:
        high *= 2
    return float(brentq(excess, 0.0, high, xtol=1e-4))  # pyright: ignore[reportArgumentType]


def find_inflation(held: Sequence[HeldOut]) -> float:
    """Kappa, at least 1; runs that are not more than parameters tell nothing, nor do bins without errors."""
    held = [group for group in held if len(group.theta) and len(group.bins)]
    if not held or sum(len(group.theta) for group in held) <= held[0].theta.shape[1]:
        return 1.0
    squares, learnt, others = (np.concatenate(part) for part in zip(*map(_variances, held), strict=True))

    def excess_of_bins(kappa: float) -> float:
        return float(np.mean(squares / (kappa**2 * learnt + others))) - _LEAST_WIDTH**2

    greatest = _root(excess_of_bins, _GREATEST)
    if greatest == 1:
        return 1.0
    refits = [Refits(group.surrogate, group.theta, group.bins) for group in held]
    expected = _mean_fall_of_toys(held, refits)

    falls = _falls(held, refits, 1.0)
    if falls.mean() <= expected:
        return 1.0
    error = mean_error(falls)

    def improbable(log_kappa: float) -> float:
        off = (float(_falls(held, refits, np.exp(log_kappa)).mean()) - expected) / error
        return off**2 + (log_kappa / _EXPECTED) ** 2

    found = minimize_scalar(improbable, bounds=(0.0, np.log(greatest)), method="bounded", options={"xatol": _EXACT})
    return float(np.exp(found.x))  # pyright: ignore[reportAttributeAccessIssue]


def _variances(group: HeldOut) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(n, k) squared residuals, and the diagonals of both covariances."""
    return group.residuals**2, *(np.einsum("nkk->nk", part) for part in (group.learnt, group.others))


def _falls(held: Sequence[HeldOut], refits: Sequence[Refits], kappa: float) -> np.ndarray:
    """(n_runs,) t of every run."""
    falls = [
        refit.falls(group.residuals, _whiten(kappa**2 * group.learnt + group.others)[0])
        for group, refit in zip(held, refits, strict=True)
    ]
    return np.concatenate(falls)


def _mean_fall_of_toys(held: Sequence[HeldOut], refits: Sequence[Refits]) -> float:
    """Mean of t over toys in the places of the runs."""
    falls = []
    for number, (group, refit) in enumerate(zip(held, refits, strict=True)):
        white, triangle = _whiten(group.learnt + group.others)
        for turn in range(_TOYS):
            draws = np.random.default_rng([turn, number]).normal(size=group.residuals.shape)
            falls.append(refit.falls(np.einsum("nkl,nl->nk", triangle, draws), white))
    return float(np.mean(np.concatenate(falls)))


def _whiten(v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n, k, k) matrices that make residuals with the covariances v independent, and their inverses."""
    scale = np.sqrt(np.einsum("nkk->nk", v))
    unit = v / (scale[:, :, None] * scale[:, None]) + _JITTER * np.eye(v.shape[1])
    triangle = np.linalg.cholesky(unit)
    return np.linalg.inv(triangle) / scale[:, None], scale[:, :, None] * triangle


def _root(falling: Callable[[float], float], greatest: float) -> float:
    """Where a falling function is 0, between 1 and `greatest`, or the end that is nearer to that."""
    if falling(1.0) <= 0:
        return 1.0
    if falling(greatest) >= 0:
        return greatest
    return float(brentq(falling, 1.0, greatest, xtol=_EXACT))  # pyright: ignore[reportArgumentType]


def inflate(surrogate: TrainedSurrogate, factor: float) -> TrainedSurrogate:
    """The same surrogate with the errors of what it learnt multiplied; its means stay, and what components leave.

    Raises `InputError` naming a surrogate that cannot be widened.
    """
    if factor == 1:
        return surrogate
    if not callable(getattr(surrogate, "wider", None)):
        raise InputError(
            f"{type(surrogate).__name__}: an unknown kind of surrogate: it has no errors that can be widened"
        )
    return surrogate.wider(factor)
