"""Belts against the tables of Feldman and Cousins (physics/9711021) and against exact sums; their coverage."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import ndtr, xlogy
from scipy.stats import poisson

from sbitune.data.errors import ComputationError, InputError
from sbitune.data.parameter import Parameter
from sbitune.fitting.hypotheses.neyman import belt_coverage, belt_interval, neyman_belt
from sbitune.fitting.likelihood.product import Product
from sbitune.fitting.likelihood.terms.constraints import Constraint
from sbitune.fitting.likelihood.terms.counts import CountedBins


def gaussian(x):
    """A mean that is 0 at least, measured with the error 1: table X."""
    return Product([Constraint("mu", x, 1.0)], [Parameter("mu", 0.0, 8.0)])


def exact_critical(mu, level):
    """C of the Gaussian: t = (x - mu)^2 for x > 0, mu^2 - 2 x mu else."""

    def covered(c):
        low = mu - np.sqrt(c) if mu > np.sqrt(c) else (mu**2 - c) / (2 * max(mu, 1e-9))
        return ndtr(np.sqrt(c)) - ndtr(low - mu)

    return brentq(lambda c: covered(c) - level, 1e-6, 8)


#: measured, confidence -> interval, from table X
TABLE = {(-3.0, 0.6827): (0, 0.04), (-1.0, 0.6827): (0, 0.27), (0.0, 0.6827): (0, 1.00), (2.0, 0.6827): (1.0, 3.0),
         (-1.0, 0.9): (0, 0.81), (0.0, 0.9): (0, 1.64), (1.0, 0.9): (0, 2.64), (2.0, 0.9): (0.58, 3.64)}  # fmt: skip


def exact_interval(x, level):
    """Where t of x is below the exact critical value."""
    grid = np.linspace(1e-4, 6, 400)
    t = (x - grid) ** 2 if x >= 0 else grid**2 - 2 * x * grid
    excess = np.sqrt(t) - np.sqrt([exact_critical(mu, level) for mu in grid])
    inside = np.flatnonzero(excess <= 0)
    ends = [np.interp(0, s * excess[[k, k + 1]], grid[[k, k + 1]]) for k, s in ((inside[0] - 1, -1), (inside[-1], 1))]
    return 0.0 if inside[0] == 0 else ends[0], ends[1]


def test_the_table_is_what_exact_integrals_give():
    for (x, level), ends in TABLE.items():
        np.testing.assert_allclose(exact_interval(x, level), ends, atol=0.012)


@pytest.mark.slow
def test_a_belt_of_a_bounded_gaussian_is_that_of_the_table():
    problem = gaussian(0.0)
    points = np.array([0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.5, 4.0])
    belt = neyman_belt(jax.random.key(1), problem, "mu", points, toys=1500, level=0.6827)
    for mu, c, error in zip(points[1:], belt.critical[1:], belt.critical_error[1:], strict=True):
        assert c == pytest.approx(exact_critical(mu, 0.6827), abs=4 * error)
    assert belt.data.intervals[0] == pytest.approx((0.0, 1.0), abs=0.12)
    assert belt.data.at_end == (True, False)
    assert belt.data.notes == ()
    assert str(belt).startswith("mu: [0, ")
    with pytest.raises(ComputationError, match="no point between 0 and 4 is accepted, the best value is 7"):
        neyman_belt(jax.random.key(1), problem.with_data((np.array(7.0),)), "mu", np.array([0.0, 4.0]), 100)


@pytest.mark.slow
def test_intervals_of_the_table_and_coverage():
    points, problem = np.linspace(0, 5, 21), gaussian(0.0)
    for level in (0.6827, 0.9):
        belt = neyman_belt(jax.random.key(2), problem, "mu", points, toys=3000, level=level)
        for x in (x for x, of in TABLE if of == level):
            found = belt_interval(belt, problem.with_data((np.array(x),)))
            np.testing.assert_allclose(found.intervals[0], TABLE[x, level], atol=0.1 if x > -2 else 0.03)
        found = belt_coverage(jax.random.key(3), belt, problem, [0.13, 0.6, 1.9, 3.1], toys=3000)
        # of the toys and of the critical values
        np.testing.assert_allclose(found.covered, level, atol=4 * np.sqrt(2) * found.error.max())


#: with the background 3, at 90 %: observed counts -> interval, from table IV
POISSON = {0: (0.0, 1.08), 1: (0.0, 1.88), 3: (0.0, 4.42), 9: (1.88, 12.30)}


def exact_poisson(s):
    """Values of t for counts with the background 3, and how often each is not exceeded, by sums."""
    n = np.arange(80)
    best = np.maximum(n - 3.0, 0.0) + 3.0
    t = 2 * (s + 3.0 - best - xlogy(n, (s + 3.0) / best))
    order = np.argsort(t)
    return t[order], np.cumsum(poisson.pmf(n, s + 3.0)[order])


@pytest.mark.slow
def test_counts_with_a_background_are_those_of_the_table():
    bins = CountedBins("bins", np.array([0.0]), lambda p: jnp.stack([p["s"] + 3.0]))
    problem = Product([bins], [Parameter("s", 0.0, 30.0)])
    points = np.concatenate([np.arange(0, 3, 0.15), np.arange(3, 16, 0.3)])
    belt = neyman_belt(jax.random.key(4), problem, "s", points, toys=2500, level=0.9)
    spread = 4 * np.sqrt(0.9 * 0.1 / 2500)
    for s, c in zip(points, belt.critical, strict=True):
        t, not_exceeded = exact_poisson(s)
        low, high = (t[np.searchsorted(not_exceeded, 0.9 + side * spread)] for side in (-1, 1))
        assert low - 1e-5 <= c <= high + 1e-5
    for n, ends in POISSON.items():  # rounded, and made to move steadily with the background
        found = belt_interval(belt, problem.with_data((np.array([float(n)]),))).intervals
        np.testing.assert_allclose((found[0][0], found[-1][1]), ends, atol=0.35)


@pytest.mark.slow
def test_nuisance_parameters_are_profiled():
    """A count of s e + b, with e and b measured: coverage at the values that the data have."""
    bins = CountedBins("bins", np.array([25.0]), lambda p: jnp.stack([p["s"] * p["e"] + p["b"]]))
    problem = Product(
        [bins, Constraint("e", 1.0, 0.1), Constraint("b", 10.0, 2.0)],
        [Parameter("s", 0.0, 60.0), Parameter("e", 0.3, 1.7), Parameter("b", 0.5, 20.0)],
    )
    belt = neyman_belt(jax.random.key(5), problem, "s", np.linspace(0, 40, 17), toys=1500)
    # far from 0 the interval is that of the rise by 1
    assert belt.critical[8] == pytest.approx(1.0, abs=4 * belt.critical_error[8] + 0.03)
    found = belt_coverage(jax.random.key(6), belt, problem, [3.0, 15.0, 21.0], toys=2000)
    np.testing.assert_allclose(found.covered, 0.683, atol=0.04)


def test_what_is_no_belt_is_refused():
    problem = gaussian(1.0)
    for points, toys, says in (
        ([1.0], 100, "two points or more"),
        ([1.0, 0.5], 100, "each above the one before"),
        ([0.0, 9.0], 100, "mu = 9: the fit has it between 0 and 8"),
        ([0.0, 1.0], 20, "20 toys at each point say nothing of a confidence of 0.68"),
    ):
        with pytest.raises(InputError, match=says):
            neyman_belt(jax.random.key(1), problem, "mu", np.array(points), toys)
