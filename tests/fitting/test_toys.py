"""Toys: thrown as V says, fitted as MIGRAD fits, and true to the stated coverage only if V is."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.linearfits import TRUTH, linear_problem, solve, variance
from helpers.toys import Formula, NoisySlope, make_bins
from scipy import stats

from sbitune.data.errors import ComputationError, InputError
from sbitune.data.parameter import Parameter
from sbitune.data.reporting import Reporter
from sbitune.fitting.checks.toys import ToyConfig, fit_data, fit_toys, throw
from sbitune.fitting.config import FitConfig
from sbitune.fitting.likelihood.measured import Measured
from sbitune.fitting.likelihood.problem import BinnedProblem
from sbitune.fitting.minimise.minimiser import fit

KEY = jax.random.key(5)
QUICKLY = ToyConfig(errors=False)


def test_toys_have_the_models_mean_and_the_covariance_of_the_fit():
    problem, n = linear_problem(), 4000
    data, v = throw(KEY, problem, TRUTH, n), variance(problem)
    f = problem.model.offset + problem.model.slope @ TRUTH
    assert np.max(np.abs(data.mean(0) - f) / np.sqrt(np.diag(v) / n)) < 4
    # an element of a sample covariance scatters by sqrt((v_ij^2 + v_ii v_jj) / n)
    scatter = np.sqrt((v**2 + np.outer(np.diag(v), np.diag(v))) / n)
    assert np.max(np.abs(np.cov(data, rowvar=False) - v) / scatter) < 4.5
    assert data.dtype == np.float64
    np.testing.assert_array_equal(data, throw(KEY, problem, TRUTH, n))


def test_toys_of_a_linear_model_are_least_squares():
    problem = linear_problem()
    data = throw(KEY, problem, TRUTH, 30)
    toys = fit_toys(KEY, problem, TRUTH, 30, ToyConfig())
    assert toys.failed == ()
    np.testing.assert_array_equal(toys.toys, np.arange(30))
    for values, error, chi2, rise, d in zip(toys.values, toys.errors, toys.statistic, toys.rise, data, strict=True):
        theta, covariance, expected = solve(problem, d)
        np.testing.assert_allclose(error, np.sqrt(np.diag(covariance)), rtol=1e-6)
        np.testing.assert_allclose(values, theta, atol=1e-3 * error.min())
        assert chi2 == pytest.approx(expected, abs=1e-5)
        assert rise == pytest.approx((TRUTH - theta) @ np.linalg.solve(covariance, TRUTH - theta), abs=1e-5)
    np.testing.assert_allclose(toys.statistics.sum(1), toys.statistic)
    assert toys.parts == tuple(problem.measured.bins.paths())
    np.testing.assert_allclose(toys.pulls, (toys.values - TRUTH) / toys.errors)


def curved(weights: np.ndarray | None = None) -> BinnedProblem:
    """A model whose slopes and errors change with the parameter."""
    n = 10
    model = NoisySlope((Parameter("x", 0.2, 3.0, None),), make_bins(n), np.linspace(0.5, 1.5, n), 0.3)
    errors, weights = np.linspace(0.05, 0.2, n), np.ones(n) if weights is None else weights
    return BinnedProblem(
        model, Measured(np.arange(n), model.bins, 1.2 * model.slope, errors, np.zeros((0, n)), weights)
    )


@pytest.mark.parametrize("weights", [None, np.linspace(0.5, 2.0, 10)], ids=["likelihood", "weighted chi2"])
def test_quick_fits_are_migrads(weights):
    problem = curved(weights)
    data = throw(KEY, problem, np.array([1.2]), 6)
    toys = fit_data(problem, np.array([1.2]), data, ToyConfig())
    for i, values in enumerate(data):
        measured = replace(problem.measured, values=values)
        tune = fit(replace(problem, measured=measured), FitConfig(starts=1, minos=False))
        # of a weighted chi2 the V that is held is brought up to date to 0.01 errors only
        assert toys.values[i] == pytest.approx(tune.values, abs=(2e-3 if weights is None else 1e-2) * tune.errors[0])
        assert toys.errors[i] == pytest.approx(tune.errors, rel=1e-3 if weights is None else 1e-2)
        assert toys.statistic[i] == pytest.approx(tune.chi2, rel=1e-3 if weights is None else 1e-2)


def test_parameters_stop_at_their_limits_where_the_others_have_their_minimum():
    problem = linear_problem(limits={"String:sigma": (-3.0, 1.5)})
    data = throw(KEY, problem, TRUTH, 40)
    toys = fit_data(problem, TRUTH, data, ToyConfig())
    beyond = np.array([solve(problem, d).theta[1] > 1.5 for d in data])
    assert 10 < beyond.sum() < 30
    np.testing.assert_allclose(toys.values[beyond, 1], 1.5, atol=1e-9)
    for d, theta, at_limit in zip(data[beyond], toys.values[beyond], toys.at_limit[beyond], strict=True):
        best, covariance, _ = solve(problem, d)
        expected = best[0] + covariance[0, 1] / covariance[1, 1] * (1.5 - best[1])
        assert theta[0] == pytest.approx(expected, abs=2e-3 * np.sqrt(covariance[0, 0]))
        np.testing.assert_array_equal(at_limit, [False, True])


def test_fixed_parameters_stay():
    toys = fit_toys(KEY, linear_problem(fixed={"String:sigma": 1.5}), TRUTH, 5, ToyConfig())
    np.testing.assert_allclose(toys.values[:, 1], 1.5, atol=1e-12)
    assert toys.free == ("Shower:alpha",)
    np.testing.assert_array_equal(toys.errors[:, 1], 0.0)


@pytest.mark.parametrize(("factor", "verdict"), [(1.0, "true"), (0.6, "too small"), (1.6, "too large")])
def test_coverage_tells_true_errors_from_small_and_large_ones(factor, verdict):
    problem, n = linear_problem(), 300
    data = throw(KEY, problem, TRUTH, n)
    m = problem.measured
    model = replace(problem.model, error=factor * problem.model.error)
    claimed = BinnedProblem(model, replace(m, errors=factor * m.errors, shifts=factor * m.shifts))
    inside = fit_data(claimed, TRUTH, data, QUICKLY).rise < stats.chi2.ppf(0.68, 2)
    z = (inside.mean() - 0.68) / np.sqrt(0.68 * 0.32 / n)
    assert {"true": abs(z) < 3, "too small": z < -8, "too large": z > 5}[verdict]


def test_toys_that_cannot_be_fitted_are_named_and_the_others_stay():
    # the model is not finite below x = 0.5, where the second data set pulls it
    parameters, bins = (Parameter("x", 0.0, 2.0, None),), make_bins(2)
    model = Formula(parameters, bins, lambda theta: jnp.log(theta[0] - 0.5) * jnp.array([1.0, 2.0]))
    measured = Measured(np.arange(2), bins, np.zeros(2), np.ones(2), np.zeros((0, 2)), np.ones(2))
    data = np.array([[-1.0, -2.0], [-90.0, -180.0], [0.0, 0.0]])
    toys = fit_data(BinnedProblem(model, measured), np.array([1.0]), data, QUICKLY)
    assert [failure.toy for failure in toys.failed] == [1]
    assert toys.failed[0].reason
    np.testing.assert_array_equal(toys.toys, [0, 2])
    np.testing.assert_allclose(toys.values[:, 0], [0.5 + np.exp(-1), 1.5], atol=1e-3)
    with pytest.raises(ComputationError, match="none of 1 toys"):
        fit_data(BinnedProblem(model, measured), np.array([1.0]), data[1:2], QUICKLY)


def test_threads_change_nothing_and_progress_is_told():
    class Told(Reporter):
        def __init__(self) -> None:
            self.lines = []

        def progress(self, what, done, total):
            self.lines.append((what, done, total))

    problem, told = linear_problem(), Told()
    alone = fit_toys(KEY, problem, TRUTH, 50, QUICKLY)
    both = fit_toys(KEY, problem, TRUTH, 50, ToyConfig(errors=False, workers=2), told)
    np.testing.assert_array_equal(alone.values, both.values)
    assert told.lines == [("toys", i + 1, 50) for i in range(50)]


@pytest.mark.parametrize(
    ("theta", "message"),
    [
        (np.array([0.8]), "1 values for 2 parameters"),
        (np.array([2.5, 0.0]), "Shower:alpha = 2.5: the fit has it between 0 and 2"),
        (np.array([0.8, np.nan]), "String:sigma = nan"),
    ],
)
def test_truths_outside_the_fit_are_refused(theta, message):
    with pytest.raises(InputError, match=message):
        throw(KEY, linear_problem(), theta, 2)


def test_bad_toys_are_refused():
    problem = linear_problem()
    with pytest.raises(InputError, match="0 toys"):
        fit_toys(KEY, problem, TRUTH, 0, QUICKLY)
    with pytest.raises(InputError, match=r"finite numbers \(n, 20\)"):
        fit_data(problem, TRUTH, np.ones((3, 4)), QUICKLY)
    with pytest.raises(InputError, match="set `errors`"):
        _ = fit_toys(KEY, problem, TRUTH, 2, QUICKLY).pulls
    with pytest.raises(TypeError, match="typed random key"):
        throw(jax.random.PRNGKey(1), problem, TRUTH, 2)
