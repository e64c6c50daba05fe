"""Eigentunes: Delta is what toys say, and the tunes lie where the objective has risen by it."""

from dataclasses import replace

import jax
import numpy as np
import pytest
from helpers.linearfits import linear_problem, solve
from helpers.toys import NoisySlope, make_bins
from scipy import stats

from sbitune.data.errors import InputError
from sbitune.data.parameter import Parameter
from sbitune.fitting.binned.eigentunes import find_eigentunes, quantile
from sbitune.fitting.checks.toys import ToyConfig, fit_toys
from sbitune.fitting.config import FitConfig
from sbitune.fitting.likelihood.measured import Measured
from sbitune.fitting.likelihood.problem import BinnedProblem
from sbitune.fitting.minimise.minimiser import fit

KEY, CONFIG = jax.random.key(4), ToyConfig(errors=False)
QUICKLY = FitConfig(starts=1, minos=False)


def test_delta_of_a_linear_model_is_the_quantile_of_chi2():
    problem = linear_problem()
    tune = fit(problem, QUICKLY)
    for found in find_eigentunes(KEY, problem, tune, 1000, CONFIG):
        assert found.conventional == pytest.approx(stats.chi2.ppf(found.coverage, 2))
        # a quantile scatters by sqrt(c (1 - c) / n) / density
        expected = np.sqrt(found.coverage * (1 - found.coverage) / 1000) / stats.chi2.pdf(found.conventional, 2)
        assert found.delta_error == pytest.approx(expected, rel=0.5)
        assert abs(found.delta - found.conventional) < 3.5 * expected
        assert (found.toys, found.failed, found.notes) == (1000, (), ())


def test_eigentunes_of_a_linear_model_are_on_the_axes_of_its_ellipse():
    problem = linear_problem()
    tune, best = fit(problem, QUICKLY), solve(problem)
    (found,) = find_eigentunes(KEY, problem, tune, 100, CONFIG, (0.68,))
    assert found.labels == ("1+", "1-", "2+", "2-")
    half = problem.frame().half
    away = found.theta - best.theta
    heights = np.sum(away * np.linalg.solve(best.covariance, away.T).T, axis=1)
    np.testing.assert_allclose(heights, found.delta, rtol=2e-3)
    np.testing.assert_allclose(found.rises, found.delta, rtol=1e-3)
    np.testing.assert_allclose(away[::2], -away[1::2], atol=2e-3 * np.abs(away).max())
    # in scaled coordinates the axes are at right angles and are those of the covariance, the longest first
    axes = found.directions / half
    assert axes[0] @ axes[1] == pytest.approx(0, abs=1e-9)
    np.testing.assert_allclose(axes.T @ axes, best.covariance / np.outer(half, half), rtol=1e-4)
    assert axes[0] @ axes[0] > axes[1] @ axes[1]
    np.testing.assert_allclose(away[::2], np.sqrt(found.delta) * found.directions, atol=2e-3 * np.abs(away).max())


@pytest.mark.parametrize(("factor", "verdict"), [(1.0, "true"), (0.6, "too small"), (1.6, "too large")])
def test_the_stated_coverage_is_had_where_the_errors_are_true(factor, verdict):
    problem = linear_problem()
    m, model = problem.measured, problem.model
    claimed = BinnedProblem(
        replace(model, error=factor * model.error), replace(m, errors=factor * m.errors, shifts=factor * m.shifts)
    )
    (found,) = find_eigentunes(KEY, claimed, fit(claimed, QUICKLY), 500, CONFIG, (0.68,))
    # measurements of the true problem, in units of what the claimed one takes for its errors
    others = fit_toys(jax.random.key(9), problem, solve(problem).theta, 500, CONFIG).rise / factor**2
    z = (np.mean(others < found.delta) - 0.68) / np.sqrt(2 * 0.68 * 0.32 / 500)
    assert {"true": abs(z) < 3, "too small": z < -6, "too large": z > 5}[verdict]


def curved() -> BinnedProblem:
    n = 6
    model = NoisySlope((Parameter("x", 0.2, 1.5, None),), make_bins(n), np.linspace(0.5, 1.5, n), 0.3)
    measured = Measured(np.arange(n), model.bins, model.slope, np.full(n, 0.1), np.zeros((0, n)), np.ones(n))
    return BinnedProblem(model, measured)


def test_curved_objectives_are_followed_to_delta_or_to_the_end_of_the_range():
    problem = curved()
    tune = fit(problem, QUICKLY)
    low, high = find_eigentunes(KEY, problem, tune, 200, CONFIG)
    assert low.delta != pytest.approx(low.conventional, rel=1e-3)
    frame = problem.frame()
    with problem.computing():
        objective = problem.objective()
        least = objective.point(frame.to_unit(tune.values)).value
        for found in (low, high):
            heights = np.array([objective.point(frame.to_unit(theta)).value - least for theta in found.theta])
            np.testing.assert_allclose(heights, found.rises, atol=2e-3)
            np.testing.assert_allclose(heights[~found.clipped], found.delta, rtol=2e-3)
    up, down = low.theta[:, 0] - tune.values[0]
    assert up > -1.05 * down > 0  # the errors of the model grow with x
    narrow = replace(problem, limits={"x": (0.2, tune.values[0] + 0.5 * up)})
    (clipped,) = find_eigentunes(KEY, narrow, fit(narrow, QUICKLY), 200, CONFIG, (0.68,))
    np.testing.assert_array_equal(clipped.clipped, [True, False])
    assert clipped.theta[0, 0] == pytest.approx(tune.values[0] + 0.5 * up)
    assert clipped.rises[0] < 0.5 * clipped.delta
    assert clipped.notes == (f"eigentune 1+ ends at a limit, where the objective has risen by {clipped.rises[0]:.3g}",)


def test_parameters_that_are_fixed_or_at_a_limit_stay():
    fixed = linear_problem(fixed={"String:sigma": 1.5})
    (found,) = find_eigentunes(KEY, fixed, fit(fixed, QUICKLY), 50, CONFIG, (0.68,))
    assert found.theta.shape == (2, 2)
    np.testing.assert_allclose(found.theta[:, 1], 1.5, atol=1e-12)
    assert found.conventional == pytest.approx(stats.chi2.ppf(0.68, 1))


def test_quantiles_have_the_errors_that_samples_show():
    random = np.random.default_rng(1)
    found = [quantile(random.normal(size=400), 0.68) for _ in range(400)]
    values, errors = np.array(found).T
    assert values.mean() == pytest.approx(stats.norm.ppf(0.68), abs=0.01)
    # 400 samples tell their spread to 3.5 %; order statistics give it to some percent
    assert np.sqrt(np.mean(errors**2)) == pytest.approx(values.std(), rel=0.15)


def test_coverages_that_toys_cannot_tell_are_refused():
    problem = linear_problem()
    tune = fit(problem, QUICKLY)
    for coverage, n in [(1.0, 100), (0.95, 50)]:
        with pytest.raises(InputError, match=f"coverage of {coverage:g} cannot be told from {n} toys"):
            find_eigentunes(KEY, problem, tune, n, CONFIG, (coverage,))
