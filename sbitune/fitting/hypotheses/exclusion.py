"""Is a value of a parameter, the strength of a signal say, excluded?

CLs = p_sb / p_b (A. L. Read, J. Phys. G 28 (2002) 2693), by the asymptotic formulae or by toys. Nuisance parameters of
toys and of Asimov data have the values that fit the data best with the strength held, auxiliary measurements too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import numpy as np

from sbitune.data.errors import InputError
from sbitune.fitting.hypotheses.asimov import Asimov, asimov_data
from sbitune.fitting.hypotheses.asymptotic import BANDS, deviate, expected_cls, p_values
from sbitune.fitting.hypotheses.profiled import Fits, Profiled
from sbitune.fitting.hypotheses.statistics import LEAST, Statistics, Upper, statistics
from sbitune.fitting.likelihood.product import Product
from sbitune.fitting.likelihood.terms.counts import CountedBins
from sbitune.fitting.likelihood.terms.unbinned import UnbinnedEvents
from sbitune.fitting.results import Fit

#: statistics this much apart are the same: of whole counts many toys have the same one
SAME = 1e-6
#: where fewer events are expected without signal the asymptotic formulae are off by a tenth and more
_FEW = 3.0


@dataclass(frozen=True, eq=False)
class Exclusion:
    """A test of a value of a parameter against no signal."""

    parameter: str
    value: float  #: that is tested
    best: float  #: where the data have it
    statistic: float  #: of the data: q or q~
    p_signal: float  #: p_sb: how often data with the signal are as unlike it
    p_background: float  #: p_b: the same without signal
    cls: float  #: their ratio: at .05 the value is excluded at 95 %
    cls_error: float | None  #: of the number of toys; None for the asymptotic formulae
    expected: tuple[float, ...]  #: CLs where the background fluctuates by -2 .. 2 standard errors
    expected_signal: tuple[float, ...]  #: p_sb there
    notes: tuple[str, ...]
    toys: int = 0  #: of each kind that count; 0 for the asymptotic formulae
    failed: int = 0  #: toys that could not be fitted

    def __str__(self) -> str:
        """One line, as a terminal shows it."""
        spread = "" if self.cls_error is None else f" +- {self.cls_error:.2g}"
        return f"{self.parameter} = {self.value:g}: CLs = {self.cls:.4g}{spread} (expected {self.expected[2]:.4g})"


class UpperTests:
    """Tests of values of a parameter against the data of a problem, which share what they have in common.

    Args:
        problem: the fit.
        name: the parameter.
        kind: `q_tilde` for strengths that cannot be negative, or `q`.
        best: a fit of the data to begin from.

    Raises:
        InputError: if the parameter is not free, there is no likelihood, or its range begins above 0.
        ComputationError: if the data cannot be fitted.
    """

    def __init__(self, problem: Product, name: str, kind: Upper = "q_tilde", best: Fit | None = None) -> None:
        self.problem, self.profiled = problem, Profiled(problem, name)
        self.kind: Upper = kind
        if not self.profiled.ends[0] <= LEAST < self.profiled.ends[1]:
            raise InputError(
                f"{name} is looked for from {self.profiled.ends[0]:g} on, and compared with no signal, {name} = 0; let "
                "its range hold 0",
                code="test-range",
            )
        self.free = self.profiled.best(best)
        self._known: dict[float, tuple[Statistics, float]] = {}

    @property
    def best(self) -> float:
        """Where the data have the parameter."""
        return float(self.profiled.values(self.free)[0])

    @cached_property
    def background(self) -> Fits:
        """The fit of the data without signal."""
        found = self.profiled.held([self.profiled.observed()], LEAST, self.free.u)
        return self.profiled.need_all(found, f"the data at {self.profiled.name} = 0")

    @cached_property
    def asimov(self) -> Asimov:
        """Data without signal."""
        return asimov_data(self.problem, self.profiled.frame.to_theta(self.background.u[0]))

    @cached_property
    def _asimov_free(self) -> Fits:
        found = self.profiled.free([self.asimov.data], self.background.u)
        return self.profiled.need_all(found, "Asimov data")

    def at(self, mu: float) -> tuple[Statistics, float]:
        """The statistic of the data at a value, and the root of that of Asimov data."""
        if mu not in self._known:
            data = statistics(self.profiled, self.kind, mu, [self.profiled.observed()], self.free.u, self.free)
            ours = statistics(self.profiled, self.kind, mu, [self.asimov.data], self.background.u, self._asimov_free)
            for found, what in ((data, "the data"), (ours, "Asimov data")):
                self.profiled.need_all(Fits(found.held.u, found.value), f"{what} at {self.profiled.name} = {mu:g}")
            self._known[mu] = data, float(np.sqrt(ours.value[0]))
        return self._known[mu]

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What to know of the asymptotic formulae here."""
        found = expected_number(self.problem, self.asimov)
        few = f"{found:.2g} events are expected without signal: the asymptotic formulae do not hold; use toys"
        return self.asimov.notes + ((few,) if found < _FEW else ())

    def asymptotic(self, mu: float) -> Exclusion:
        """The test of a value by the asymptotic formulae."""
        data, s = self.at(mu)
        q, name = float(data.value[0]), self.profiled.name
        p_signal, p_background, cls = p_values(deviate(self.kind, q, s), s)
        ps = tuple(p_values(-band, s)[0] for band in BANDS)
        return Exclusion(name, mu, self.best, q, p_signal, p_background, cls, None, expected_cls(s), ps, self.notes)


def expected_number(problem: Product, asimov: Asimov) -> float:
    """How many events are expected in all counted bins and samples of events; infinite if there are none of these."""
    found = [
        float(np.sum(data.counts if isinstance(term, UnbinnedEvents) else data))
        for term, data in zip(problem.terms, asimov.data, strict=True)
        if isinstance(term, CountedBins | UnbinnedEvents)
    ]
    return sum(found) if found else np.inf


def exclude(
    problem: Product,
    name: str,
    value: float,
    kind: Upper = "q_tilde",
    best: Fit | None = None,
    key: jax.Array | None = None,
    toys: int = 0,
) -> Exclusion:
    """Test a value of a parameter against no signal, by the asymptotic formulae or by so many toys of each kind.

    Args:
        problem: the fit.
        name: the parameter.
        value: that is tested, within its range.
        kind: the statistic, `q_tilde` for strengths that cannot be negative, or `q`.
        best: a fit of the data to begin from.
        key: throws toys; needed if there are any.
        toys: number with the signal, and as many without.

    Raises:
        InputError: as `UpperTests`, for a value outside the range or not above 0, or toys without a key.
        ComputationError: if the data cannot be fitted, or more than 5 % of the toys.
    """
    need_key(key, toys)
    if not value > LEAST:
        raise InputError(f"{name} = {value:g}: a value above 0 is tested against 0", code="test-range")
    Profiled(problem, name).unit(value)
    tests = UpperTests(problem, name, kind, best)
    if not toys or key is None:
        return tests.asymptotic(value)
    return exclude_by_toys(tests, value, *(ToysAt(tests, one, mu, toys) for one, mu in both(key, value)))


def exclusions(
    problem: Product, name: str, values: Sequence[float], kind: Upper = "q_tilde", best: Fit | None = None
) -> tuple[Exclusion, ...]:
    """Tests of several values above 0 by the asymptotic formulae, for a picture. Raises as `exclude`."""
    tests = UpperTests(problem, name, kind, best)
    return tuple(tests.asymptotic(value) for value in values)


def need_key(key: jax.Array | None, toys: int) -> None:
    """Refuse toys without a key."""
    if toys < 0 or (toys and key is None):
        raise InputError(
            "toys need a key of random numbers, `jax.random.key(1)` say, and a number that is not negative"
        )


def both(key: jax.Array, mu: float) -> list[tuple[jax.Array, float]]:
    """Keys of toys with and without signal."""
    return list(zip(jax.random.split(key), (mu, LEAST), strict=True))


class ToysAt:
    """Toys thrown at a value of the parameter, the others as the data have them there, and their statistics."""

    def __init__(self, tests: UpperTests, key: jax.Array, mu: float, n: int) -> None:
        self._tests = tests
        self.u = tests.at(mu)[0].held.u[0] if mu > LEAST else tests.background.u[0]
        self.data: Any = tests.profiled.throw(key, self.u, n)
        self.free = tests.profiled.free(self.data, self.u)

    def statistics(self, mu: float) -> tuple[np.ndarray, int]:
        """(n,) the statistic at a value of the toys that could be fitted, and how many could not."""
        profiled = self._tests.profiled
        found = statistics(profiled, self._tests.kind, mu, self.data, self.free.u, self.free)
        good = profiled.kept(found.value, self.free.value)
        return found.value[good], int(np.sum(~good))


def share(observed: Any, toys: np.ndarray) -> np.ndarray:
    """Share of toys whose statistic is not below what was observed, (...,) as that has."""
    ordered = np.sort(toys)
    return (len(toys) - np.searchsorted(ordered, np.asarray(observed) - SAME)) / len(toys)


def exclude_by_toys(tests: UpperTests, mu: float, signal: ToysAt, background: ToysAt) -> Exclusion:
    """The test of a value by toys with and without signal."""
    data = tests.at(mu)[0]
    q, (with_signal, lost), (without, missing) = float(data.value[0]), signal.statistics(mu), background.statistics(mu)
    p_signal, p_background = float(share(q, with_signal)), float(share(q, without))
    # a share of 0 of n toys is known to be below 1/n or so
    floor_signal, floor_background = max(p_signal, 1 / len(with_signal)), max(p_background, 1 / len(without))
    cls = p_signal / floor_background
    parts = [(1 - p) / (p * len(toys)) for p, toys in ((floor_signal, with_signal), (floor_background, without))]
    p_toys = share(without, with_signal)  # which toy of no signal is how much like it, and what it would exclude
    ratios = p_toys / np.maximum(share(without, without), 1 / len(without))
    bands = [np.quantile(p, _BAND_SHARES, method="inverted_cdf") for p in (ratios, p_toys)]
    return Exclusion(
        parameter=tests.profiled.name,
        value=mu,
        best=tests.best,
        statistic=q,
        p_signal=p_signal,
        p_background=p_background,
        cls=cls,
        cls_error=float(floor_signal / floor_background * np.sqrt(sum(parts))),
        expected=tuple(bands[0].tolist()),
        expected_signal=tuple(bands[1].tolist()),
        notes=tests.asimov.notes,
        toys=min(len(with_signal), len(without)),
        failed=lost + missing,
    )


#: share of background toys that are less like signal than one that fluctuates by -2 .. 2 standard errors
_BAND_SHARES = tuple(p_values(-band, 0.0)[1] for band in BANDS)
