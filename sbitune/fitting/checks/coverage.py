"""Do the quoted intervals hold the truth as often as they say? Counted on fits whose truth is known, see `known_fits`.

For each fit and parameter a root r is a standard normal variable if all is well: |r| < 1 if the 68.3 % interval holds
the truth, |r| < 1.96 for 95 %. How often the intervals that are quoted hold the truth, limits or not, is counted beside
it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from scipy import stats

from sbitune.data.blocks import mean_error
from sbitune.data.errors import ComputationError
from sbitune.data.reporting import QUIET, Reporter
from sbitune.fitting.checks.known_fits import KnownFit, fit_known
from sbitune.fitting.checks.toys import throw
from sbitune.fitting.likelihood.frame import Frame
from sbitune.fitting.likelihood.protocols import Problem

#: what intervals claim: one standard deviation, and 95 %
CLAIM68, CLAIM95 = float(stats.chi2.cdf(1.0, 1)), 0.95
_RISE95 = float(stats.chi2.ppf(CLAIM95, 1))
#: a coverage is off if it differs from its claim by more standard errors than this
_TOLERATED = 3.0
#: fewer effective points than this make a root rough
_FEW = 60
#: toys that are fitted between two words about progress
_AT_ONCE = 10
#: the same where many fits are made at once
_MANY = 256


@dataclass(frozen=True, eq=False)
class Coverage:
    """Fits whose truth is known, and what they amount to. Parameters that were not free do not count."""

    names: tuple[str, ...]  #: (p,) free parameters
    truth: np.ndarray  #: (n, p) in the model's units
    values: np.ndarray  #: (n, p) fitted
    roots: np.ndarray  #: (n, p) standard normal if errors are true
    quoted: np.ndarray  #: (n, p) signed roots of the rise: quoted intervals hold the truth below 1, and 1.96
    rough: int  #: fits at a limit whose posterior was found from few points
    at_limit: np.ndarray  #: (n, p)
    statistic: float  #: mean over the fits of what describes them, over degrees of freedom: chi2/ndf for bins
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
            "chi2_per_ndf": self.statistic,
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


def collect(
    problem: Problem[Any],
    labels: Sequence[str],
    truths: np.ndarray,
    fits: Sequence[KnownFit | str],
    linked: np.ndarray | None = None,
) -> Coverage:
    """Put fits together, `linked` (n,) of them see `Coverage`.

    Raises `ComputationError` if none converged; the reason is that of the first.
    """
    frame = problem.frame()
    good = [(truth, fit) for truth, fit in zip(truths, fits, strict=True) if isinstance(fit, KnownFit)]
    failed = tuple((label, fit) for label, fit in zip(labels, fits, strict=True) if isinstance(fit, str))
    if not good:
        raise ComputationError(f"none of {len(fits)} fits converged; {failed[0][0]}: {failed[0][1]}")
    free = ~frame.fixed
    return Coverage(
        names=frame.free,
        truth=np.array([truth for truth, _ in good])[:, free],
        values=np.array([fit.values for _, fit in good])[:, free],
        roots=np.array([fit.roots for _, fit in good])[:, free],
        quoted=np.array([fit.quoted for _, fit in good])[:, free],
        rough=sum(fit.effective < _FEW for _, fit in good),
        at_limit=np.array([fit.at_limit for _, fit in good])[:, free],
        statistic=float(np.mean([fit.statistic for _, fit in good]) / problem.ndf),
        failed=failed,
        ranges=(frame.half * np.ptp(frame.limits, axis=1))[free],
        linked=None if linked is None else linked[[isinstance(fit, KnownFit) for fit in fits]],
    )


def coverage_of_toys(
    key: jax.Array, problem: Problem[Any], theta: np.ndarray | None, n: int, reporter: Reporter = QUIET
) -> Coverage:
    """Fit n toys thrown from the model: for bins with its own errors, those of the data and their correlations.

    Args:
        key: throws the toys.
        problem: as it is fitted.
        theta: (n_parameters,) where to throw them; None: every toy at a random point of the limits.
        n: number of toys.
        reporter: told about progress.
    """
    where_key, toy_key = jax.random.split(key)
    truths = _random_points(where_key, problem.frame(), n) if theta is None else np.tile(theta, (n, 1))
    fits: list[KnownFit | str] = []
    if theta is not None:
        data = throw(toy_key, problem, theta, n)
        with problem.computing():
            step = _AT_ONCE if problem.objective().over_data is None else _MANY
        for start in range(0, n, step):
            fits += fit_known(problem, theta, data[start : start + step], thorough=False, spread=False)
            reporter.progress("coverage", len(fits), n)
    else:
        for i, one in enumerate(jax.random.split(toy_key, n)):
            fits += fit_known(problem, truths[i], throw(one, problem, truths[i], 1), thorough=True)
            reporter.progress("coverage", i + 1, n)
    return collect(problem, [f"toy {i}" for i in range(n)], truths, fits)


def _random_points(key: jax.Array, frame: Frame, n: int) -> np.ndarray:
    """(n, n_parameters) spread evenly over the limits, fixed parameters at their values."""
    low, high = (np.asarray(frame.to_theta(end)) for end in frame.limits.T)
    points = low + np.asarray(jax.random.uniform(key, (n, len(low)))) * (high - low)
    return np.where(frame.fixed, frame.to_theta(frame.centre), points)
