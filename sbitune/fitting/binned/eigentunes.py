"""Eigentunes: two tunes per direction of the parameters' covariance, at a stated coverage.

Directions are the eigenvectors of the covariance of the free parameters, scaled to the model's box. Along each, both
ways, the objective is followed until it has risen by Delta; its other parameters are not minimised again. Delta is the
quantile of objective(truth) - objective(best) over toys of the fit, so that all parameters together are within Delta
of the minimum with the stated coverage; for a likelihood that is quadratic it is the quantile of chi2 for as many
degrees of freedom as there are free parameters (S. S. Wilks, Ann. Math. Stat. 9 (1938) 60), which is quoted beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import jax
import msgspec
import numpy as np
from scipy import stats

from sbitune.data.errors import InputError
from sbitune.data.reporting import QUIET, Reporter
from sbitune.fitting.checks.toys import Failure, ToyConfig, fit_toys, rise
from sbitune.fitting.likelihood.problem import BinnedProblem
from sbitune.fitting.minimise.surroundings import Minimum, climb, room
from sbitune.fitting.results import BinnedFit


class Quantile(NamedTuple):
    """A quantile of a sample."""

    value: float
    error: float  #: half of what lies between the order statistics one standard deviation below and above


#: P value of chi2 below which the data are not described
_DESCRIBED = 1e-3


@dataclass(frozen=True, eq=False)
class EigenTunes:
    """Eigentunes of one coverage. Row 2i is eigenvector i followed forwards, 2i + 1 backwards, the widest first."""

    coverage: float
    delta: float  #: rise of the objective that has this coverage, by toys
    delta_error: float  #: from the number of toys
    conventional: float  #: the quantile of chi2 for k degrees of freedom
    names: tuple[str, ...]  #: (n_parameters,)
    labels: tuple[str, ...]  #: (2k,) "1+", "1-", "2+", ...
    theta: np.ndarray  #: (2k, n_parameters) in the generator's units
    rises: np.ndarray  #: (2k,) of the objective; below delta where clipped
    clipped: np.ndarray  #: (2k,) True where the range ended before delta was reached
    directions: np.ndarray  #: (k, n_parameters) eigenvectors in the generator's units, one standard deviation long
    toys: int  #: number of toys that count
    failed: tuple[Failure, ...]  #: toys that could not be fitted, which do not count
    notes: tuple[str, ...]


def find_eigentunes(
    key: jax.Array,
    problem: BinnedProblem,
    fitted: BinnedFit,
    n: int,
    config: ToyConfig,
    coverages: Sequence[float] = (0.68, 0.95),
    reporter: Reporter = QUIET,
) -> tuple[EigenTunes, ...]:
    """Find the eigentunes of a fit at every coverage, with Delta from n toys.

    Raises:
        InputError: for coverages that are none, or too few toys for one.
        ComputationError: if no toy can be fitted, or the minimum cannot be found again from the fit's.
    """
    for coverage in coverages:
        if not 0 < coverage < 1 or n * min(coverage, 1 - coverage) < 5:
            raise InputError(f"a coverage of {coverage:g} cannot be told from {n} toys: 5 at least on either side")
    toys = fit_toys(key, problem, fitted.values, n, msgspec.structs.replace(config, errors=False), reporter)
    with problem.computing():
        minimum = Minimum(problem, fitted)
        return tuple(
            _at(minimum, coverage, quantile(toys.rise, coverage), len(toys.toys), toys.failed, _not_described(fitted))
            for coverage in coverages
        )


def quantile(sample: np.ndarray, coverage: float) -> Quantile:
    """A quantile of a sample (n,). How many lie below the true one is binomial, which gives its error."""
    ordered, n = np.sort(sample), len(sample)
    spread = np.sqrt(n * coverage * (1 - coverage))
    low, high = (int(np.clip(round(n * coverage + side * spread) - 0.5, 0, n - 1)) for side in (-1, 1))
    return Quantile(float(np.quantile(ordered, coverage)), float(0.5 * (ordered[high] - ordered[low])))


def _not_described(fitted: BinnedFit) -> list[str]:
    """A note if chi2 says that the prediction misses more than the toys know of."""
    if fitted.ndf < 1 or stats.chi2.sf(fitted.chi2_unit, fitted.ndf) > _DESCRIBED:
        return []
    scale = np.sqrt(fitted.chi2_unit / fitted.ndf)
    return [
        f"chi2 = {fitted.chi2_unit:.0f} for {fitted.ndf} degrees of freedom: the data are not described within their "
        f"errors, of which alone toys know; errors scaled by sqrt(chi2/ndf) are {scale:.2f} times as large. "
        "A theory error in `fit` gives eigentunes that count it"
    ]


def _at(
    minimum: Minimum, coverage: float, delta: Quantile, toys: int, failed: tuple[Failure, ...], notes: list[str]
) -> EigenTunes:
    frame, names = minimum.frame, minimum.frame.names
    used = np.flatnonzero(np.diag(minimum.parabola.covariance) > 0)
    directions = np.zeros((len(used), len(names)))
    directions[:, used] = _axes(minimum.parabola.covariance[np.ix_(used, used)])
    notes = notes + [
        f"{name} is at its limit: no eigentune moves it"
        for i, name in enumerate(names)
        if not frame.fixed[i] and i not in used
    ]
    rows, labels = [], []
    for k, direction in enumerate(directions):
        for sign, mark in ((1, "+"), (-1, "-")):
            rows.append(_move(minimum, sign * direction, delta.value))
            labels.append(f"{k + 1}{mark}")
            if rows[-1][2]:
                notes.append(
                    f"eigentune {labels[-1]} ends at a limit, where the objective has risen by {rows[-1][1]:.3g}"
                )
    return EigenTunes(
        coverage=coverage,
        delta=delta.value,
        delta_error=delta.error,
        conventional=float(stats.chi2.ppf(coverage, len(used))),
        names=names,
        labels=tuple(labels),
        theta=frame.to_theta(np.array([row[0] for row in rows])),
        rises=np.array([row[1] for row in rows]),
        clipped=np.array([row[2] for row in rows]),
        directions=directions * frame.half,
        toys=toys,
        failed=failed,
        notes=tuple(notes),
    )


def _axes(covariance: np.ndarray) -> np.ndarray:
    """(k, k) eigenvectors of one standard deviation, the longest first; their largest component is positive."""
    values, vectors = np.linalg.eigh(covariance)
    axes = (vectors * np.sqrt(values)).T[::-1]
    largest = np.take_along_axis(axes, np.argmax(np.abs(axes), axis=1)[:, None], axis=1)
    return axes * np.sign(largest)


def _move(minimum: Minimum, direction: np.ndarray, delta: float) -> tuple[np.ndarray, float, bool]:
    """Follow the objective along a direction until it has risen by delta."""
    origin, limits = minimum.point.u, minimum.frame.limits
    moving = direction != 0

    def height(distance: float) -> float:
        u = np.clip(origin + distance * direction, *limits.T)
        return max(rise(minimum.objective, minimum.point, u), 0.0)

    found = climb(height, delta, room(origin[moving], direction[moving], limits[moving]))
    return np.clip(origin + found.distance * direction, *limits.T), found.height, found.clipped
