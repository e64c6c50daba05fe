"""Goodness of fit by toys, and the asymptotic one beside it where it is known.

Toys of the model at the fitted parameters are fitted as the data were. With k of n toys being described no better than
the data (for bins: having a chi2 not below theirs), p = (k + 1) / (n + 1), which is never 0 and never too small
(B. Phipson, G. K. Smyth, Stat. Appl. Genet. Mol. Biol. 9 (2010) 39). For bins the asymptotic value follows from the
residuals that a fit leaves, see `likelihood.gaussian`: chi2 of all has the distribution for bins - parameters degrees
of freedom, and the part of an observable is taken to follow a scaled chi2 with the same mean and variance
(F. E. Satterthwaite, Biometrics Bull. 2 (1946) 110).
"""

from dataclasses import dataclass
from typing import Any

import jax
import msgspec
import numpy as np
from scipy import stats

from sbitune.data.reporting import QUIET, Reporter
from sbitune.fitting.checks.toys import Failure, ToyConfig, fit_toys
from sbitune.fitting.likelihood.protocols import PartMoments, Problem
from sbitune.fitting.minimise.descent import minimise
from sbitune.fitting.results import Fit


@dataclass(frozen=True, eq=False)
class Agreement:
    """How often toys are described no better than the data are."""

    statistic: float  #: chi2 of the data at the minimum, as `BinnedFit.chi2`; that of an observable may be negative,
    #: as terms are shared; -2 log L where there are no bins
    expected: float  #: its mean if the model is true: for bins their number, less what they contribute to the fit
    p_value: float  #: by toys
    p_error: float  #: its binomial error
    asymptotic: float | None  #: of the chi2 distribution; None for what is none, as with weights, or is 0 in any fit


@dataclass(frozen=True, eq=False)
class Goodness:
    """Goodness of a fit, in all and of its parts."""

    total: Agreement
    parts: dict[str, Agreement]  #: path of an observable, or name of a term -> its agreement
    toys: int  #: number of toys that count
    failed: tuple[Failure, ...]  #: toys that could not be fitted, which do not count


def find_goodness(
    key: jax.Array, problem: Problem[Any], fit: Fit, n: int, config: ToyConfig, reporter: Reporter = QUIET
) -> Goodness:
    """Compare the data with n toys at the fit.

    Raises:
        InputError: for a fit of another problem, or fewer than one toy.
        ComputationError: if the data cannot be fitted again from the fit, or no toy can.
    """
    u = problem.frame().place(fit.values)
    with problem.computing():
        objective = problem.objective()
        point = minimise(objective, u)
        observed, moments = objective.statistic(point), objective.moments(point)
    toys = fit_toys(key, problem, fit.values, n, msgspec.structs.replace(config, errors=False), reporter)
    if moments is None:
        moments = (None,) * (len(toys.parts) + 1)
    return Goodness(
        total=_agreement(float(observed.sum()), moments[0], toys.statistic),
        parts={
            part: _agreement(float(observed[i]), moments[i + 1], toys.statistics[:, i])
            for i, part in enumerate(toys.parts)
        },
        toys=len(toys.toys),
        failed=toys.failed,
    )


def p_value(observed: float, toys: np.ndarray) -> tuple[float, float]:
    """Share of toys (n,) that are not below what was observed, as above, and its binomial error."""
    n = len(toys)
    p = (int(np.sum(toys >= observed)) + 1) / (n + 1)
    return p, float(np.sqrt(p * (1 - p) / n))


def _agreement(observed: float, moments: PartMoments | None, toys: np.ndarray) -> Agreement:
    p, error = p_value(observed, toys)
    mean, asymptotic = float(np.mean(toys)), None
    if moments is not None:
        mean, variance = moments.mean, moments.variance
        if moments.is_exact and mean > 1e-6:
            asymptotic = float(stats.chi2.sf(observed * 2 * mean / variance, 2 * mean**2 / variance))
    return Agreement(observed, mean, p, error, asymptotic)
