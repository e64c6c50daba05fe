"""Upper limits: the value of a parameter at which CLs, or p_sb, is one less the confidence, found as a root.

A limit that is not inside the range of the parameter is an error with what is at the range's end, never that end.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

import jax
import numpy as np
from scipy.optimize import brentq

from sbitune.data.errors import ComputationError, InputError
from sbitune.fitting.hypotheses.asymptotic import BANDS, root_at
from sbitune.fitting.hypotheses.exclusion import Exclusion, ToysAt, UpperTests, exclude_by_toys, need_key
from sbitune.fitting.hypotheses.profiled import Profiled
from sbitune.fitting.hypotheses.statistics import LEAST, Upper
from sbitune.fitting.likelihood.product import Product
from sbitune.fitting.results import Fit

#: limits are found to this part of themselves
_NEAR = 1e-5
#: values of a picture, and how far it goes beyond limits
_VALUES, _BEYOND = 16, 1.25
#: brackets grow by this factor
_GROWTH = 1.6
#: the smallest value that is tried, as a part of the range: none of a signal can be seen there
_LEAST = 1e-6
#: toys: values between which a limit is interpolated are no further apart than this factor; as many are tried at most
_APART, _MOST = 1.2, 40


@dataclass(frozen=True, eq=False)
class UpperLimit:
    """An upper limit of a parameter."""

    parameter: str
    level: float  #: its confidence
    observed: float
    observed_error: float | None  #: of the number of toys; None for the asymptotic formulae
    expected: tuple[float, ...]  #: without signal, where the background fluctuates by -2 .. 2 standard errors
    best: float  #: where the data have the parameter
    method: str  #: `CLs` or `p_sb`
    tests: tuple[Exclusion, ...]  #: that were made on the way, by value
    notes: tuple[str, ...]

    def __str__(self) -> str:
        """One line, as a terminal shows it."""
        spread = "" if self.observed_error is None else f" +- {self.observed_error:.2g}"
        low, high = self.expected[1], self.expected[3]
        return (
            f"{self.parameter} < {self.observed:.4g}{spread} at {100 * self.level:g} % ({self.method}); expected "
            f"{self.expected[2]:.4g} ({low:.4g} to {high:.4g})"
        )


def upper_limit(
    problem: Product,
    name: str,
    level: float = 0.95,
    kind: Upper = "q_tilde",
    use_cls: bool = True,
    best: Fit | None = None,
    key: jax.Array | None = None,
    toys: int = 0,
) -> UpperLimit:
    """The upper limit of a parameter, by the asymptotic formulae, or by so many toys of each kind at every value.

    Args:
        problem: the fit.
        name: the parameter; no signal is 0.
        level: the confidence.
        kind: the statistic, `q_tilde` for strengths that cannot be negative, or `q`.
        use_cls: whether CLs is what reaches 1 - level, or p_sb.
        best: a fit of the data to begin from.
        key: throws toys; needed if there are any.
        toys: number with the signal at every value that is tried, and as many without.

    Raises:
        InputError: as `exclude`, or for a level that is not between 0 and 1.
        ComputationError: if the limit is outside the range of the parameter, or fits fail.
    """
    need_key(key, toys)
    if not 0 < level < 1:
        raise InputError(f"a confidence is between 0 and 1, not {level:g}")
    tests = UpperTests(problem, name, kind, best)
    asymptotic = _Asymptotic(tests, level, use_cls)
    if not toys or key is None:
        return asymptotic.limit()
    return _ByToys(asymptotic, key, toys).limit()


def scan_values(problem: Product, limit: UpperLimit) -> tuple[float, ...]:
    """Values up to beyond a limit and its expectation, within the range of the parameter, for a picture of p-values."""
    profiled = Profiled(problem, limit.parameter)
    last = min(_BEYOND * max(limit.observed, limit.expected[4]), profiled.ends[1])
    return tuple((last * np.arange(1, _VALUES + 1) / _VALUES).tolist())


class _Asymptotic:
    """Tests at every value that a search asks for."""

    def __init__(self, tests: UpperTests, level: float, use_cls: bool) -> None:
        self.tests, self.level, self.use_cls, self.method = tests, level, use_cls, "CLs" if use_cls else "p_sb"
        self.made: dict[float, Exclusion] = {}

    def test(self, mu: float) -> Exclusion:
        if mu not in self.made:
            self.made[mu] = self.tests.asymptotic(mu)
        return self.made[mu]

    def log_p(self, mu: float) -> float:
        """Log of what falls to 1 - level, over that."""
        found = self.test(mu)
        return float(np.log(max(found.cls if self.use_cls else found.p_signal, 1e-300) / (1 - self.level)))

    def limit(self) -> UpperLimit:
        low, high = max(self.tests.best, LEAST), self.tests.profiled.ends[1]
        expected = self.expected(low, high)
        first = min(max(expected[2], low * (1 + _NEAR)), high)
        observed = find_root(self.log_p, low, first, high, lambda at: outside_range(self, at))
        tests = tuple(self.made[mu] for mu in sorted(self.made))
        return UpperLimit(
            self.tests.profiled.name,
            self.level,
            observed,
            None,
            expected,
            self.tests.best,
            self.method,
            tests,
            self.tests.notes,
        )

    def expected(self, low: float, high: float) -> tuple[float, ...]:
        """Where the root of the statistic of Asimov data is what a fluctuation needs."""
        found: list[float] = []
        for band in BANDS:
            needed = root_at(self.level, band, self.use_cls)
            if needed <= 0:  # every value would be excluded, as p_sb may
                found.append(LEAST)
                continue

            def missing(mu: float, needed: float = needed) -> float:
                return needed - self.tests.at(mu)[1]

            def outside(at: float, band: int = band) -> NoReturn:
                raise ComputationError(
                    f"the limit of {self.tests.profiled.name} that is expected where the background fluctuates by "
                    f"{band} standard errors is beyond {at:g}, where its range ends; widen the range"
                )

            found.append(
                find_root(
                    missing, LEAST, found[-1] if found and found[-1] > LEAST else (low + high) / 20, high, outside
                )
            )
        return tuple(found)

    def guess(self) -> tuple[float, tuple[float, ...]]:
        """Limits from which those of toys are sought, within the range."""
        try:
            found = self.limit()
        except ComputationError:  # toys may find them where the formulae do not
            middle = sum(self.tests.profiled.ends) / 2
            return middle, (middle,) * len(BANDS)
        return found.observed, found.expected


def find_root(
    falling: Callable[[float], float], low: float, first: float, high: float, outside: Callable[[float], NoReturn]
) -> float:
    """The root of a falling function between low, where it need not be known, and high; sought around `first`.

    `outside` raises for the end of the range behind which the root lies.
    """
    least = low + _LEAST * (high - low)
    at = min(max(first, least), high)
    value = falling(at)
    while True:
        if value > 0 and at >= high:
            outside(high)
        if value <= 0 and at <= least:
            outside(low)
        step = low + (at - low) * (_GROWTH if value > 0 else 1 / _GROWTH)
        other = min(max(step, least), high)
        reached = falling(other)
        if (reached > 0) != (value > 0):
            ends = sorted((at, other))
            return float(brentq(falling, ends[0], ends[1], xtol=_NEAR * ends[0]))  # pyright: ignore
        at, value = other, reached


def outside_range(search: "_Asymptotic | _ByToys", at: float) -> NoReturn:
    """Raise because a limit is behind an end of the range."""
    name, (low, high) = search.tests.profiled.name, search.tests.profiled.ends
    found = (1 - search.level) * np.exp(search.log_p(max(at, LEAST + _LEAST * (high - low))))
    where = f"{search.method} is {found:.3g} there, {'above' if at >= high else 'below'} {1 - search.level:.3g}"
    if at >= high:
        words = f"is beyond {high:g}, where its range ends: {where}; widen the range"
    else:
        words = f"is not above {at:g}: {where}, so that every value is excluded; the data are unlike the model without "
        words += "signal, too: look at its goodness, or take CLs, which does not exclude what the data cannot see"
    raise ComputationError(f"the upper limit of {name} {words}")


class _ByToys:
    """Tests at a few values, each by its own toys; in between log p is a line."""

    def __init__(self, asymptotic: _Asymptotic, key: jax.Array, toys: int) -> None:
        self.tests, self.level, self.use_cls = asymptotic.tests, asymptotic.level, asymptotic.use_cls
        self.method, self._guess = asymptotic.method, asymptotic.guess()
        key, other = jax.random.split(key)
        self._key, self._toys = key, toys
        self._background = ToysAt(self.tests, other, LEAST, toys)
        self.made: dict[float, Exclusion] = {}

    def _test(self, mu: float) -> Exclusion:
        if mu not in self.made:  # the same random numbers everywhere: p is smoother
            self.made[mu] = exclude_by_toys(
                self.tests, mu, ToysAt(self.tests, self._key, mu, self._toys), self._background
            )
        return self.made[mu]

    def _log(self, p: float) -> float:
        return float(np.log(max(p, 0.5 / self._toys) / (1 - self.level)))

    def log_p(self, mu: float) -> float:
        found = self._test(mu)
        return self._log(found.cls if self.use_cls else found.p_signal)

    def _expected(self, band: int) -> Callable[[float], float]:
        def log_p(mu: float) -> float:
            found = self._test(mu)
            return self._log((found.expected if self.use_cls else found.expected_signal)[band])

        return log_p

    def limit(self) -> UpperLimit:
        observed, slope = self._root(self.log_p, self._guess[0])
        expected = tuple(self._root(self._expected(k), at)[0] for k, at in enumerate(self._guess[1]))
        near = min(self.made.values(), key=lambda test: abs(test.value - observed))
        p = near.cls if self.use_cls else near.p_signal
        error = (near.cls_error or 0.0) / max(p, 0.5 / self._toys) / slope
        tests = tuple(self.made[mu] for mu in sorted(self.made))
        name, notes = self.tests.profiled.name, self.tests.asimov.notes
        return UpperLimit(name, self.level, observed, error, expected, self.tests.best, self.method, tests, notes)

    def _root(self, log_p: Callable[[float], float], guess: float) -> tuple[float, float]:
        """Where a logarithm is 0, and how much it falls there for each unit of the value."""
        high = self.tests.profiled.ends[1]
        least = LEAST + _LEAST * (high - LEAST)
        at = min(max(guess, least), high)
        for _ in range(_MOST):
            log_p(at)
            places = np.array(sorted(self.made))
            logs = np.array([log_p(mu) for mu in places.tolist()])
            two = int(np.argmax(logs <= 0)) if np.any(logs <= 0) else len(logs)
            if two in (0, len(logs)):
                edge = float(places[max(two - 1, 0)])
                if edge >= high or edge <= least:
                    outside_range(self, edge)
                at = min(edge * _APART**2, high) if two else max(edge / _APART**2, least)
                continue
            one = two - 1
            slope = float((logs[one] - logs[two]) / (places[two] - places[one]))
            root = float(places[one] + logs[one] / slope)
            if places[two] <= _APART * places[one]:
                return root, slope
            at = root if 1.05 * places[one] < root < places[two] / 1.05 else float(np.sqrt(places[one] * places[two]))
        raise ComputationError(
            f"the upper limit of {self.tests.profiled.name}: toys at {_MOST} values do not enclose it; throw more toys"
        )
