"""What disagrees after the fit: bins, observables, and the parameters without one of these.

With V the covariance of the data and P the projection that takes out what the parameters absorb (see `refit`):

- a bin given all others: pull (P r)_b / sqrt(P_bb), the residual of a fit to the other bins over its error;
- an observable given all others: q^T (P_oo)^-1 q with q = (P r)_o, a chi2 with as many degrees of freedom as P_oo has
  rank: how well a fit to the other observables predicts this one;
- an observable by itself: r_o^T (C_oo)^-1 r_o with C the covariance of the residuals of the fit;
- the parameters without an observable: how far they move, in their errors and in the errors of the move, which are
  those of the data propagated through the difference of the two fits. (For unit weights that is the covariance without
  the observable less that with it: J. A. Hausman, Econometrica 46 (1978) 1251.)

All of these are exact for linear models, and correlations of bins are in all of them. A P value says how often chi2 is
higher by chance; among n observables the lowest is expected near 1 / (n + 1).
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2

from sbitune.data.errors import ComputationError
from sbitune.fitting.binned.refit import (
    Linear,
    changed_errors,
    far_variance,
    linearise,
    refit,
    without,
)
from sbitune.fitting.binned.robust import leave_one_out
from sbitune.fitting.likelihood.algebra import invert_positive
from sbitune.fitting.likelihood.problem import BinnedProblem
from sbitune.fitting.results import BinnedFit

#: eigenvalues below this part of the largest are those of directions that the parameters absorb
_RANK = 1e-8
#: a parameter with an error as large as its range, in half widths, is not determined
_WHOLE_RANGE = 2.0
#: below this part of the variance of a parameter a change of it has no error to speak of
_NO_CHANGE = 1e-6


@dataclass(frozen=True, eq=False)
class Without:
    """The parameters of a fit to all other observables; NaN for those that these do not determine."""

    shift: np.ndarray  #: (n_parameters,) change of the parameters, in the generator's units
    in_errors: np.ndarray  #: (n_parameters,) the same in the errors of the fit; 0 for fixed parameters
    significance: np.ndarray  #: (n_parameters,) change of the linear problem in its own errors; 0 if it has none
    note: str = ""  #: why there is no answer


@dataclass(frozen=True, eq=False)
class ObservableTension:
    """How an observable agrees with the fit and with the others."""

    path: str
    bins: int
    chi2: float  #: of its bins at the fit's values, correlations and the fit's freedom included
    p: float  #: how often it is higher by chance
    chi2_given_rest: float  #: against what a fit to the other observables predicts; NaN if there are none
    ndf_given_rest: int
    p_given_rest: float
    jackknife: Without | None  #: the parameters without it; None if not asked for


@dataclass(frozen=True, eq=False)
class Tension:
    """What disagrees after a fit."""

    pulls: np.ndarray  #: (n_bins,) (prediction - data) given all other bins, over its error; NaN if it has no error
    observables: tuple[ObservableTension, ...]

    def worst_bins(self, n: int) -> list[int]:
        """Numbers of the n bins with the largest pulls."""
        sizes = np.nan_to_num(np.abs(self.pulls))
        return [int(i) for i in np.argsort(-sizes, kind="stable")[:n]]


def find_tension(problem: BinnedProblem, fitted: BinnedFit, jackknife: bool = True) -> Tension:
    """Find what disagrees in a fit of the problem; with `jackknife` one fit is made for every observable.

    Raises `ComputationError` if the data do not determine the parameters.
    """
    linear = linearise(problem, fitted.values)
    with problem.computing():
        residual, variance = leave_one_out(linear, np.zeros(len(linear.mean)))
        pulls = np.where(np.isfinite(variance), residual / np.sqrt(variance), np.nan)
        spread = _spread(problem, linear)
        p = linear.projection
    rows, paths = [], problem.measured.bins.paths()
    for path in paths:
        mine = problem.measured.bins.of(path)
        own, own_ndf = _chi2(spread[np.ix_(mine, mine)], linear.residual[mine])
        given, ndf = _chi2(p[np.ix_(mine, mine)], (p @ linear.residual)[mine])
        moved = leave_out(problem, fitted, linear, mine) if jackknife else None
        if len(paths) == 1:  # there are no others
            given, ndf = np.nan, 0
        rows.append(ObservableTension(path, len(mine), own, _p(own, own_ndf), given, ndf, _p(given, ndf), moved))
    return Tension(pulls, tuple(rows))


def _spread(problem: BinnedProblem, linear: Linear) -> np.ndarray:
    """Covariance (n_bins, n_bins) of the residuals of the fit, whatever its weights."""
    lever = _lever(linear, problem.measured.weights, len(linear.u))[linear.used]
    left = np.eye(len(linear.mean)) - linear.slopes @ lever
    return left @ linear.covariance @ left.T


def _chi2(matrix: np.ndarray, r: np.ndarray) -> tuple[float, int]:
    """r^T matrix^+ r and the rank, with the matrix scaled to have no units."""
    scale = np.sqrt(np.maximum(np.diag(matrix), 0.0))
    safe = np.where(scale > 0, scale, 1.0)
    eigenvalues, vectors = np.linalg.eigh(matrix / np.outer(safe, safe))
    kept = eigenvalues > _RANK * max(eigenvalues.max(), 1e-300)
    along = vectors.T @ (r / safe)
    return float(np.sum(along[kept] ** 2 / eigenvalues[kept])), int(kept.sum())


def _p(value: float, ndf: int) -> float:
    return float(chi2.sf(value, ndf)) if ndf > 0 else np.nan


def leave_out(problem: BinnedProblem, fitted: BinnedFit, linear: Linear, left_out: np.ndarray) -> Without:
    """Fit without the bins `left_out` (indices), starting from the fit's values, at which `linear` is."""
    n, w = len(fitted.values), problem.measured.weights
    try:
        other = refit(without(problem, linear, left_out), fitted.values)
        # of the linear problem, in which it belongs to the residuals alone: log det V moves the parameters as well
        unheard = changed_errors(problem, linear, far_variance(linear, left_out))
        difference = _lever(unheard, w, n) - _lever(linear, w, n)
    except ComputationError as error:
        nothing = np.full(n, np.nan)
        return Without(nothing, nothing, nothing, str(error))
    half = 0.5 * np.array([p.high - p.low for p in problem.parameters])
    shift = other.theta - fitted.values
    variance = np.einsum("ib,bc,ic->i", difference, linear.covariance, difference) * half**2
    errors = np.where(fitted.errors > 0, fitted.errors, 1.0)
    known = variance > _NO_CHANGE * errors**2
    moved = -(difference @ linear.residual) * half
    significance = np.where(known, moved / np.sqrt(np.where(known, variance, 1.0)), 0.0)
    names = np.array([p.name for p in problem.parameters])
    at_limit = [name for i, name in enumerate(names) if name in fitted.free and i not in other.used]
    lost = other.used[np.sqrt(np.diag(other.parameter_covariance)) > _WHOLE_RANGE]
    notes = [f"{name} ends at the limit of its range" for name in at_limit]
    notes += [f"{name} is not determined" for name in names[lost]]
    found = Without(shift, shift / errors, significance, "; ".join(notes))
    for array in found.shift, found.in_errors, found.significance:
        array[lost] = np.nan
    return found


def _lever(linear: Linear, weights: np.ndarray, n: int) -> np.ndarray:
    """(n_parameters, n_bins) derivatives of the fitted u with respect to the data; 0 where fixed or at a limit."""
    w = weights[:, None]
    pull = w * (linear.inverse @ (w * linear.slopes))
    lever = np.zeros((n, len(weights)))
    lever[linear.used] = invert_positive(linear.slopes.T @ pull) @ pull.T
    return lever
