"""Goodness of fit by toys, and the asymptotic one beside it.

Toys of the model at the fitted parameters are fitted as the data were. With k of n toys having a chi2 not below that
of the data, p = (k + 1) / (n + 1), which is never 0 and never too small (B. Phipson, G. K. Smyth, Stat. Appl. Genet.
Mol. Biol. 9 (2010) 39). The asymptotic value takes residuals r to have the covariance V_r = V - J (J^T V^-1 J)^-1 J^T
that a fit leaves of V. Then chi2 follows its distribution for bins - parameters degrees of freedom. The part of an
observable with the bins D is r^T S r with S = (D V^-1 + V^-1 D) / 2, of mean tr(S V_r) and variance 2 tr(S V_r S V_r);
it is taken to follow a scaled chi2 with the same two (F. E. Satterthwaite, Biometrics Bull. 2 (1946) 110).
"""

from dataclasses import dataclass

import jax
import msgspec
import numpy as np
from scipy import stats

from sbitune.data.reporting import QUIET, Reporter
from sbitune.fitting.checks.toys import Failure, ToyConfig, fit_toys, to_box
from sbitune.fitting.likelihood.frame import Frame
from sbitune.fitting.likelihood.objective import few_threads
from sbitune.fitting.likelihood.problem import Problem
from sbitune.fitting.likelihood.quick import Point, Quick
from sbitune.fitting.likelihood.response import CompiledResponse
from sbitune.fitting.minimise.refit import invert_positive
from sbitune.fitting.results import Tune


@dataclass(frozen=True, eq=False)
class Agreement:
    """How often toys are described no better than the data are."""

    chi2: float  #: of the data at the minimum, as `Tune.chi2`; that of an observable may be negative, terms are shared
    bins: int
    expected: float  #: mean of chi2 if the model is true: bins, less what they contribute to the fit
    p_value: float  #: by toys
    p_error: float  #: its binomial error
    asymptotic: float | None  #: of the chi2 distribution; None with weights, or if the fit leaves nothing


@dataclass(frozen=True, eq=False)
class Goodness:
    """Goodness of a fit, in all and per observable."""

    total: Agreement
    observables: dict[str, Agreement]  #: path -> its agreement
    toys: int  #: number of toys that count
    failed: tuple[Failure, ...]  #: toys that could not be fitted, which do not count


def find_goodness(
    key: jax.Array, problem: Problem, tune: Tune, n: int, config: ToyConfig, reporter: Reporter = QUIET
) -> Goodness:
    """Compare the data with n toys at the tune.

    Raises:
        InputError: for a tune of another problem, or fewer than one toy.
        ComputationError: if the data cannot be fitted again from the tune, or no toy can.
    """
    frame = Frame(problem)
    u = to_box(frame, tune.values)
    with jax.enable_x64(True), few_threads(problem):
        quick = Quick(problem, frame, CompiledResponse(problem, frame))
        point = quick.minimise(problem.measured.values, u)
        moments = _Moments(quick, point)
    toys = fit_toys(key, problem, tune.values, n, msgspec.structs.replace(config, errors=False), reporter)
    terms, bins = point.terms(problem.measured.weights), problem.measured.bins
    of_path = {path: bins.of(path) for path in toys.observables}
    return Goodness(
        total=_agreement(terms, moments, np.arange(len(bins)), toys.chi2),
        observables={
            path: _agreement(terms, moments, mine, toys.chi2_of[:, i]) for i, (path, mine) in enumerate(of_path.items())
        },
        toys=len(toys.toys),
        failed=toys.failed,
    )


def p_value(observed: float, toys: np.ndarray) -> tuple[float, float]:
    """Share of toys (n,) that are not below what was observed, as above, and its binomial error."""
    n = len(toys)
    p = (int(np.sum(toys >= observed)) + 1) / (n + 1)
    return p, float(np.sqrt(p * (1 - p) / n))


class _Moments:
    """Means and variances of parts of chi2 with unit weights, at a minimum."""

    def __init__(self, quick: Quick, point: Point) -> None:
        limits, p = quick.frame.limits, point.held.inverse
        inside = ~quick.frame.fixed & (point.u > limits[:, 0]) & (point.u < limits[:, 1])
        slopes = quick.response.slopes(point.u)[:, inside]
        self.known = bool(np.all(quick.problem.measured.weights == 1.0))
        self._left = quick.total(point.u) - slopes @ invert_positive(slopes.T @ p @ slopes) @ slopes.T  # V_r
        self._one = p @ self._left
        self._two = self._one @ p

    def of(self, mine: np.ndarray) -> tuple[float, float]:
        """Mean and variance of the terms of the bins `mine`."""
        these = np.ix_(mine, mine)
        variance = np.sum(self._one[these] * self._one[these].T) + np.sum(self._two[these] * self._left[these])
        return float(np.trace(self._one[these])), float(variance)


def _agreement(terms: np.ndarray, moments: _Moments, mine: np.ndarray, toys: np.ndarray) -> Agreement:
    chi2, (mean, variance) = float(terms[mine].sum()), moments.of(mine)
    p, error = p_value(chi2, toys)
    asymptotic = None
    if moments.known and mean > 1e-6:
        asymptotic = float(stats.chi2.sf(chi2 * 2 * mean / variance, 2 * mean**2 / variance))
    return Agreement(chi2, len(mine), mean, p, error, asymptotic)
