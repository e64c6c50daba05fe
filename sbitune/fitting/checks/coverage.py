"""Do the quoted intervals hold the truth as often as they say? Counted on fits whose truth is known.

For each fit and parameter a root r tells how far the fitted value is from the truth, a standard normal variable if all
is well: |r| < 1 if the 68.3 % interval holds the truth, |r| < 1.96 for 95 %. Away from limits it is that of MINOS,

    r = sign(fitted - true) sqrt(rise of the objective when the parameter is held at the truth),

(fitted - true) / error where the problem is Gaussian; for a weighted chi2 divided by what MINOS errors are stretched by
(see `errors`). Where a limit is within reach, intervals that follow from a rise
of the objective hold the truth too often; there r is the normal quantile of the posterior probability that the
parameter lies above the truth, with a uniform prior within the limits: right on average over truths that are spread
evenly within the limits, as the points of a design are. For many fits of one truth near a limit that says nothing; then
r is from the rank of the signed rise among those of the linear problem within the limits (see `bounded`). How often the
intervals that are quoted hold the truth, limits or not, is counted beside it.
"""

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from sbitune.data.blocks import mean_error
from sbitune.data.errors import ComputationError
from sbitune.fitting.checks.bounded import Bounded, draw_bounded
from sbitune.fitting.config import FitConfig
from sbitune.fitting.likelihood.frame import Frame
from sbitune.fitting.likelihood.objective import Objective, few_threads
from sbitune.fitting.likelihood.problem import Problem
from sbitune.fitting.likelihood.quick import Held, Point, Quick
from sbitune.fitting.likelihood.response import CompiledResponse
from sbitune.fitting.minimise.minimiser import fit
from sbitune.fitting.minimise.refit import invert_positive
from sbitune.fitting.sampling.importance import likelihoods, sample, to_root

#: what intervals claim: one standard deviation, and 95 %
CLAIM68, CLAIM95 = float(stats.chi2.cdf(1.0, 1)), 0.95
_RISE95 = float(stats.chi2.ppf(CLAIM95, 1))
#: a coverage is off if it differs from its claim by more standard errors than this
_TOLERATED = 3.0
#: starting points of a thorough fit
_STARTS = 4
#: a limit is within reach if it is nearer than so many errors
_WITHIN_REACH = 3.0
#: a minimum is another one if it is lower by more
_LOWER = 1e-2
#: fewer effective points than this make a root rough
_FEW = 60


class KnownFit(NamedTuple):
    """A fit whose truth is known."""

    values: np.ndarray  #: (n_parameters,) fitted, in the generator's units
    roots: np.ndarray  #: (n_parameters,) r; 0 for fixed parameters
    quoted: np.ndarray  #: (n_parameters,) the signed root of the rise, limits or not
    effective: float  #: effective number of points behind the roots; infinite away from limits
    at_limit: np.ndarray  #: (n_parameters,) True within 1 % of the end of the range
    chi2: float


@dataclass(frozen=True, eq=False)
class Coverage:
    """Fits whose truth is known, and what they amount to. Parameters that were not free do not count."""

    names: tuple[str, ...]  #: (p,) free parameters
    truth: np.ndarray  #: (n, p) in the generator's units
    values: np.ndarray  #: (n, p) fitted
    roots: np.ndarray  #: (n, p) standard normal if errors are true
    quoted: np.ndarray  #: (n, p) signed roots of the rise: quoted intervals hold the truth below 1, and 1.96
    rough: int  #: fits at a limit whose posterior was found from few points
    at_limit: np.ndarray  #: (n, p)
    chi2_per_ndf: float  #: mean over the fits
    failed: tuple[tuple[str, str], ...]  #: (which, why) of fits that did not converge
    ranges: np.ndarray  #: (p,) width of the limits
    linked: np.ndarray | None = None  #: (n,) equal numbers for fits that share measurements; None: all independent

    @property
    def independent(self) -> int:
        """Number of fits of which none shares a measurement with another."""
        return len(self.values) if self.linked is None else len(np.unique(self.linked))

    @property
    def bias(self) -> np.ndarray:
        """(p,) mean root; its standard error is 1/sqrt(n), n independent fits."""
        return self.roots.mean(axis=0)

    @property
    def width(self) -> np.ndarray:
        """(p,) rms root, 1 if errors are true; its standard error is 1/sqrt(2 n)."""
        return np.sqrt(np.mean(self.roots**2, axis=0))

    @property
    def total_width(self) -> float:
        """The rms of all roots."""
        return float(np.sqrt(np.mean(self.roots**2)))

    @property
    def width_error(self) -> float:
        """Standard error of the rms of all roots: the parameters of one fit need not be independent, nor fits that
        share measurements.
        """
        squares = np.mean(self.roots**2, axis=1)
        least = 1 / np.sqrt(2 * self.roots.size)
        return float(max(least, self._mean_error(squares) / 2 if self.independent > 1 else 1.0))

    def _mean_error(self, x: np.ndarray) -> float:
        """Standard error of the mean of x (n,), of at least two independent fits."""
        if self.linked is None:
            return float(x.std(ddof=1) / np.sqrt(len(x)))
        return mean_error(x, np.unique(self.linked, return_inverse=True)[1].reshape(-1))

    def _error(self, inside: np.ndarray, claim: float) -> float:
        """Standard error of the part that is inside (n, p)."""
        binomial = np.sqrt(claim * (1 - claim) / inside.size)
        if self.independent < 2:
            return float(np.sqrt(claim * (1 - claim)))
        return float(max(binomial, self._mean_error(inside.mean(axis=1))))

    def inside(self, rise: float) -> np.ndarray:
        """(n, p) True where the interval of this rise holds the truth."""
        return self.roots**2 < rise

    def mean_error(self, unit: np.ndarray) -> float:
        """Mean of |fitted - true| / unit over fits and parameters, unit (p,)."""
        return float(np.mean(np.abs(self.values - self.truth) / unit))

    @property
    def mean_relative_error(self) -> float:
        """Mean of |fitted - true| / |true| over fits and parameters whose truth is not 0."""
        known = np.abs(self.truth) > 0
        return float(np.mean(np.abs(self.values - self.truth)[known] / np.abs(self.truth)[known]))

    def figures(self) -> dict[str, object]:
        """All figures with their standard errors, as commands print them."""
        n = self.independent
        of68, of95 = self.inside(1.0), self.inside(_RISE95)
        rows = {
            name: {
                "bias": float(self.bias[i]),
                "bias_error": float(1 / np.sqrt(n)),
                "pull_width": float(self.width[i]),
                "pull_width_error": float(1 / np.sqrt(2 * n)),
                "coverage68": float(of68[:, i].mean()),
                "coverage68_error": float(np.sqrt(CLAIM68 * (1 - CLAIM68) / n)),
                "coverage95": float(of95[:, i].mean()),
                "coverage95_error": float(np.sqrt(CLAIM95 * (1 - CLAIM95) / n)),
                "at_limit": int(self.at_limit[:, i].sum()),
            }
            for i, name in enumerate(self.names)
        }
        return {
            "fits": len(self.values),
            "coverage68": float(of68.mean()),
            "coverage68_error": self._error(of68, CLAIM68),
            "coverage95": float(of95.mean()),
            "coverage95_error": self._error(of95, CLAIM95),
            "pull_width": self.total_width,
            "pull_width_error": self.width_error,
            "quoted68": float(np.mean(self.quoted**2 < 1.0)),
            "quoted95": float(np.mean(self.quoted**2 < _RISE95)),
            "mean_relative_error": self.mean_relative_error,
            "mean_error_of_range": self.mean_error(self.ranges),
            "chi2_per_ndf": self.chi2_per_ndf,
            "failed": len(self.failed),
            "rough": self.rough,
            "parameters": rows,
            "failures": [f"{which}: {why}" for which, why in self.failed],
            "warnings": self.warnings(),
        }

    def warnings(self) -> list[str]:
        """What is off by more than three standard errors, in words; over all, and in single parameters."""
        said = []
        for rise, claim, words in ((1.0, CLAIM68, "68 %"), (_RISE95, CLAIM95, "95 %")):
            inside = self.inside(rise)
            off = inside.mean() - claim
            if abs(off) > _TOLERATED * self._error(inside, claim):
                size = "too small" if off < 0 else "too large"
                said.append(
                    f"{words} intervals hold the truth in {100 * inside.mean():.1f} % of cases: errors are {size}"
                )
        width = self.total_width
        if abs(width - 1) > _TOLERATED * self.width_error and not said:
            said.append(f"errors are too {_size(width > 1)}: the width of all pulls is {width:.2f}")
        for i, (name, bias) in enumerate(zip(self.names, self.bias, strict=True)):
            if abs(bias) > _TOLERATED / np.sqrt(self.independent):
                said.append(f"{name} is off by {bias:+.2f} of its error on average")
            said += self._warnings_of(i)
        if self.failed:
            said.append(f"{len(self.failed)} of {len(self.failed) + len(self.values)} fits failed")
        return said

    def _warnings_of(self, i: int) -> list[str]:
        """What is off by more than chance in the errors of one parameter, of as many as there are."""
        n, least = self.independent, 2 * stats.norm.sf(_TOLERATED) / len(self.names)
        alone = n / len(self.values)  # fits that share measurements count as one
        tail = stats.chi2.cdf(alone * np.sum(self.roots[:, i] ** 2), n)
        if 2 * min(tail, 1 - tail) < least:
            width = f"the width of its pulls is {self.width[i]:.2f}"
            return [f"errors of {self.names[i]} are too {_size(bool(tail > 0.5))}: {width}"]
        for rise, claim, words in ((1.0, CLAIM68, "68 %"), (_RISE95, CLAIM95, "95 %")):
            held = round(alone * int(self.inside(rise)[:, i].sum()))
            if stats.binomtest(held, n, claim).pvalue < least:
                size = _size(bool(held < claim * n))
                share = f"its {words} intervals hold the truth in {100 * held / n:.1f} % of cases"
                return [f"errors of {self.names[i]} are too {size}: {share}"]
        return []


def _size(small: bool) -> str:
    return "small" if small else "large"


def fit_known(
    problem: Problem, truth: np.ndarray, data: Iterable[np.ndarray], thorough: bool, spread: bool = True
) -> list[KnownFit | str]:
    """Fit data sets (n_bins,) whose truth (n_parameters,) is known; a fit that fails is the reason why.

    Args:
        problem: its measured values are not used.
        truth: in the generator's units, within the limits.
        data: measured values.
        thorough: whether to fit as data are fitted, from several starts; else from the middle of the limits and from
            the truth.
        spread: whether this is one of many truths that are spread evenly within the limits; else the only one.
    """
    frame = Frame(problem)
    with jax.enable_x64(True), few_threads(problem):
        quick = Quick(problem, frame, CompiledResponse(problem, frame))
        true = np.where(frame.fixed, frame.centre, frame.to_unit(truth))
        reference = None if spread else _reference(quick, true)
        return [_fit_one(quick, values, true, thorough, spread, reference, i) for i, values in enumerate(data)]


def _reference(quick: Quick, true: np.ndarray) -> Bounded | None:
    """What to expect of fits of this truth, if limits are within reach of it."""
    frame, free = quick.frame, np.flatnonzero(~quick.frame.fixed)
    information = _linear(quick, true, quick.hold(true)).information
    if not _near_limits(frame, true, information):
        return None
    return draw_bounded(information, true[free], frame.limits[free], seed=1)


def _minimise(quick: Quick, values: np.ndarray, true: np.ndarray, thorough: bool) -> Point:
    """As data are fitted, or the lower of the minima that are reached from the middle of the limits and the truth."""
    found = []
    for start in () if thorough else (quick.frame.centre, true):
        with contextlib.suppress(ComputationError):  # far away in a narrow valley
            found.append(quick.minimise(values, start, held=quick.hold_for_toys(true)))
    if found:
        return min(found, key=lambda point: point.value)
    return quick.minimise(values, _thorough_fit(quick.problem, values))


def _near_limits(frame: Frame, u: np.ndarray, information: np.ndarray) -> bool:
    """Whether a free parameter's limit is within reach of u (n_parameters,)."""
    free = ~frame.fixed
    room = np.min(np.abs(frame.limits - u[:, None]), axis=1)[free]
    return bool(np.any(room < _WITHIN_REACH / np.sqrt(np.diag(information) + 1e-12)))


def _fit_one(
    quick: Quick,
    values: np.ndarray,
    true: np.ndarray,
    thorough: bool,
    spread: bool,
    reference: Bounded | None,
    seed: int,
) -> KnownFit | str:
    frame = quick.frame
    try:
        best = _minimise(quick, values, true, thorough)
        free = ~frame.fixed
        best, quoted = _profile_roots(quick, values, best, true)
        linear, effective = _linear(quick, best.u, best.held), np.inf
        quoted[free] /= linear.stretch
        roots = quoted.copy()
        if spread and quick.is_likelihood and _near_limits(frame, best.u, linear.information):
            roots, effective = _posterior_roots(quick, values, best, linear.information, true, seed)
        if reference is not None:
            roots[free] = reference.roots(roots[free], np.random.default_rng(seed))
    except ComputationError as error:
        return str(error)
    room = np.min(np.abs(frame.limits - best.u[:, None]), axis=1)
    at_limit = room < 0.01 * np.ptp(frame.limits, axis=1)
    chi2 = float(best.terms(quick.problem.measured.weights).sum())
    roots, quoted = np.where(free, roots, 0.0), np.where(free, quoted, 0.0)
    return KnownFit(frame.to_theta(best.u), roots, quoted, effective, at_limit & free, chi2)


class _Linear(NamedTuple):
    """The problem as linear least squares has it, in the free parameters (p)."""

    information: np.ndarray  #: (p, p) inverse covariance; of a weighted chi2 that of the sandwich, see `errors`
    stretch: np.ndarray | float  #: (p,) by which its errors are greater than a rise of 1 says; 1 for a likelihood


def _linear(quick: Quick, u: np.ndarray, held: Held) -> _Linear:
    slopes = quick.response.slopes(u)[:, ~quick.frame.fixed]
    bread = quick.information(slopes, held)
    if quick.is_likelihood:
        return _Linear(bread, 1.0)
    scatter = quick.scatter(u, slopes, held)
    plain = invert_positive(bread)
    stretch = np.sqrt(np.diag(plain @ scatter @ plain) / np.diag(plain))
    return _Linear(bread @ invert_positive(scatter) @ bread, stretch)


def _thorough_fit(problem: Problem, values: np.ndarray) -> np.ndarray:
    """(n_parameters,) scaled coordinates of the fit as data are fitted."""
    known = replace(problem, measured=replace(problem.measured, values=values))
    return Frame(problem).to_unit(fit(known, FitConfig(starts=_STARTS, minos=False)).values)


def _profile_roots(
    quick: Quick, values: np.ndarray, best: Point, true: np.ndarray, again: int = 3
) -> tuple[Point, np.ndarray]:
    """The roots, and the minimum: a lower one if a parameter that was held led there."""
    roots = np.zeros(len(true))
    held = None if quick.is_likelihood else best.held
    lowest = quick.point(values, best.u, held).value
    for i in map(int, np.flatnonzero(~quick.frame.fixed)):
        start = best.u.copy()
        start[i] = true[i]
        there = quick.minimise(values, start, frozenset([i]), held)
        if again and there.value < lowest - _LOWER:
            return _profile_roots(quick, values, quick.minimise(values, there.u), true, again - 1)
        roots[i] = np.sign(best.u[i] - true[i]) * np.sqrt(max(0.0, there.value - lowest))
    return best, roots


def _posterior_roots(
    quick: Quick, values: np.ndarray, best: Point, information: np.ndarray, true: np.ndarray, seed: int
) -> tuple[np.ndarray, float]:
    frame, free = quick.frame, np.flatnonzero(~quick.frame.fixed)
    objective = Objective(quick.problem, frame)
    numbers = objective.numbers()._replace(values=jnp.asarray(values))

    def target(u: np.ndarray) -> np.ndarray:
        every = np.tile(best.u, (len(u), 1))
        every[:, free] = u
        return likelihoods(quick.problem.model, every, frame.low, frame.half, numbers)

    found = sample(target, best.u[free], information, frame.limits[free], seed)
    roots = np.zeros(len(true))
    roots[free] = to_root(found.below(true[free]), found.effective)
    return roots, found.effective


def collect(
    problem: Problem,
    labels: Sequence[str],
    truths: np.ndarray,
    fits: Sequence[KnownFit | str],
    linked: np.ndarray | None = None,
) -> Coverage:
    """Put fits together, `linked` (n,) of them see `Coverage`.

    Raises `ComputationError` if none converged; the reason is that of the first.
    """
    frame = Frame(problem)
    good = [(truth, fit) for truth, fit in zip(truths, fits, strict=True) if isinstance(fit, KnownFit)]
    failed = tuple((label, fit) for label, fit in zip(labels, fits, strict=True) if isinstance(fit, str))
    if not good:
        raise ComputationError(f"none of {len(fits)} fits converged; {failed[0][0]}: {failed[0][1]}")
    free = ~frame.fixed
    ndf = max(1, len(problem.measured.bins) - int(free.sum()))
    return Coverage(
        names=frame.free,
        truth=np.array([truth for truth, _ in good])[:, free],
        values=np.array([fit.values for _, fit in good])[:, free],
        roots=np.array([fit.roots for _, fit in good])[:, free],
        quoted=np.array([fit.quoted for _, fit in good])[:, free],
        rough=sum(fit.effective < _FEW for _, fit in good),
        at_limit=np.array([fit.at_limit for _, fit in good])[:, free],
        chi2_per_ndf=float(np.mean([fit.chi2 for _, fit in good]) / ndf),
        failed=failed,
        ranges=(frame.half * np.ptp(frame.limits, axis=1))[free],
        linked=None if linked is None else linked[[isinstance(fit, KnownFit) for fit in fits]],
    )
