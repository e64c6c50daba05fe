"""Goodness of fit: p-values are uniform where the model is true, and only there."""

from dataclasses import replace

import jax
import numpy as np
import pytest
from helpers.linearfits import TRUTH, linear_problem, solve
from scipy import stats

from sbitune.fitting.checks.goodness import find_goodness, p_value
from sbitune.fitting.checks.toys import ToyConfig, fit_toys, throw
from sbitune.fitting.config import FitConfig
from sbitune.fitting.likelihood.problem import BinnedProblem
from sbitune.fitting.minimise.minimiser import fit

KEY, CONFIG = jax.random.key(8), ToyConfig(errors=False)


def judge(problem, n=300):
    return find_goodness(KEY, problem, fit(problem, FitConfig(starts=1, minos=False)), n, CONFIG)


def test_p_values_of_true_models_are_uniform():
    problem = linear_problem()
    observed = fit_toys(jax.random.key(1), problem, TRUTH, 400, CONFIG)
    toys = fit_toys(jax.random.key(2), problem, TRUTH, 2000, CONFIG)
    assert stats.kstest(toys.statistic, stats.chi2(18).cdf).pvalue > 0.01
    for these, those in [(observed.statistic, toys.statistic), (observed.statistics[:, 1], toys.statistics[:, 1])]:
        p = np.array([p_value(chi2, those)[0] for chi2 in these])
        # toys are shared by all p-values, so that they count as 400 x 2000 / 2400 independent ones
        far = np.max(np.abs(np.sort(p) - (np.arange(400) + 0.5) / 400)) * np.sqrt(400 * 2000 / 2400)
        assert stats.kstwobign.sf(far) > 0.01


def test_p_values_have_binomial_errors():
    toys = np.arange(99.0)
    assert p_value(89.0, toys) == (pytest.approx(0.11), pytest.approx(np.sqrt(0.11 * 0.89 / 99)))
    assert p_value(1e9, toys)[0] == pytest.approx(0.01)
    assert p_value(-1.0, toys)[0] == 1.0


def test_goodness_of_a_linear_fit_is_that_of_chi2():
    problem = linear_problem()
    found, chi2 = judge(problem), solve(problem).chi2
    assert found.total.statistic == pytest.approx(chi2, abs=1e-3)
    assert found.total.asymptotic == pytest.approx(stats.chi2.sf(chi2, 18), rel=1e-3)
    assert found.toys == 300
    assert found.failed == ()
    for agreement in [found.total, *found.parts.values()]:
        # an observable's chi2 is only nearly of the shape that its two moments have: 0.02
        assert abs(agreement.p_value - agreement.asymptotic) < 3.5 * agreement.p_error + 0.02
    assert sum(a.expected for a in found.parts.values()) == pytest.approx(18)
    assert sum(a.statistic for a in found.parts.values()) == pytest.approx(found.total.statistic)


def test_moments_of_an_observables_chi2_are_those_of_toys():
    problem, n = linear_problem(), 1500
    toys, found = fit_toys(KEY, problem, TRUTH, n, CONFIG), judge(problem, 20)
    for i, agreement in enumerate(found.parts.values()):
        mine = toys.statistics[:, i]
        assert mine.mean() == pytest.approx(agreement.expected, abs=4 * mine.std() / np.sqrt(n))


@pytest.mark.parametrize(("factor", "low", "high"), [(1.0, 0.02, 0.98), (0.4, 0.0, 0.004), (4.0, 0.996, 1.0)])
def test_errors_that_are_too_small_or_too_large_show(factor, low, high):
    problem = linear_problem()
    m, model = problem.measured, problem.model
    problem = BinnedProblem(
        replace(model, error=factor * model.error), replace(m, errors=factor * m.errors, shifts=factor * m.shifts)
    )
    found = judge(problem)
    assert low <= found.total.p_value <= high
    assert low <= found.total.asymptotic <= high


def test_one_bad_observable_is_found():
    problem = linear_problem()
    values = problem.measured.values.copy()
    values[5:10] += np.array([1, -1, 1, -1, 1]) * 4 * problem.measured.errors[5:10]
    found = judge(replace(problem, measured=replace(problem.measured, values=values)))
    p = {path: agreement.p_value for path, agreement in found.parts.items()}
    assert min(p, key=p.get) == "/TOY/d02-x01-y01"
    assert p["/TOY/d02-x01-y01"] == pytest.approx(1 / 301)
    assert p["/TOY/d04-x01-y01"] > 0.01


def test_a_weighted_chi2_has_no_asymptotic_p_value():
    problem = linear_problem()
    weights = np.linspace(0.5, 2.0, 20)
    weighted = replace(problem, measured=replace(problem.measured, weights=weights))
    found = judge(weighted)
    assert found.total.asymptotic is None
    # by toys the p-value of true data is as good as ever
    data = throw(jax.random.key(3), weighted, TRUTH, 1)[0]
    again = judge(replace(weighted, measured=replace(weighted.measured, values=data)))
    assert 0.01 < again.total.p_value < 0.99
