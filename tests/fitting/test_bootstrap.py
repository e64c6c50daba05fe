"""Refits: their spread is the closed form of linear least squares; refits of other models are those of `fit`."""

from dataclasses import replace

import jax
import numpy as np
import pytest
from helpers.linearfits import linear_problem, model, solve, variance
from helpers.toys import NoisySlope, linear_model, make_bins

from sbitune.data.errors import ComputationError, InputError
from sbitune.data.parameter import Parameter
from sbitune.fitting.binned.bootstrap import (
    bootstrap_data,
    draw_bootstrap,
    draw_combinations,
    draw_jackknife,
    draw_trainings,
    refit_model,
    refit_runs,
    split_errors,
)
from sbitune.fitting.checks.toys import ToyConfig
from sbitune.fitting.config import FitConfig
from sbitune.fitting.likelihood.measured import Measured
from sbitune.fitting.likelihood.problem import BinnedProblem
from sbitune.fitting.minimise.minimiser import fit

KEY, CONFIG = jax.random.key(6), ToyConfig(errors=False)
QUICKLY = FitConfig(starts=1, minos=False)


def lever(problem: BinnedProblem) -> np.ndarray:
    """(n_bins, p): the fitted parameters are this, transposed, times the data, up to a constant."""
    return np.linalg.solve(variance(problem), problem.model.slope) @ solve(problem).covariance


@pytest.mark.parametrize("model_error", [True, False])
def test_spread_of_a_data_bootstrap_is_the_closed_form(model_error):
    problem, n = linear_problem(), 600
    tune, best = fit(problem, QUICKLY), solve(problem)
    refits = bootstrap_data(KEY, problem, tune, n, CONFIG, model_error)
    v = variance(problem) if model_error else problem.measured.covariance()
    expected = lever(problem).T @ v @ lever(problem)
    scatter = np.sqrt((expected**2 + np.outer(np.diag(expected), np.diag(expected))) / n)
    assert np.all(np.abs(refits.covariance - expected) < 3.5 * scatter)
    assert np.all(np.abs(refits.mean - best.theta) < 3.5 * np.sqrt(np.diag(expected) / n))
    np.testing.assert_allclose(refits.quoted, np.sqrt(np.diag(expected)), rtol=1e-5)
    np.testing.assert_allclose(refits.ratio, 1.0, atol=3.5 / np.sqrt(2 * n))
    assert refits.failed == ()
    assert refits.names == ("Shower:alpha", "String:sigma")


def test_fluctuations_other_than_the_quoted_errors_show_in_the_ratio():
    problem = linear_problem()
    tune = fit(problem, QUICKLY)
    wide = replace(problem.measured, errors=2 * problem.measured.errors, shifts=2 * problem.measured.shifts)
    refits = bootstrap_data(KEY, replace(problem, measured=wide), tune, 200, CONFIG, False)
    assert np.all(np.abs(refits.ratio - 1) < 3.5 / np.sqrt(400))  # quoted of the problem that is asked
    small = split_errors(problem, tune)[0]
    assert np.all(refits.spread / small > 1.5)


def test_errors_split_into_those_of_data_and_model():
    problem = linear_problem()
    tune = fit(problem, QUICKLY)
    data, of_model = split_errors(problem, tune)
    expected = lever(problem).T @ np.diag(problem.model.error**2) @ lever(problem)
    np.testing.assert_allclose(of_model, np.sqrt(np.diag(expected)), rtol=1e-5)
    np.testing.assert_allclose(np.hypot(data, of_model), tune.errors, rtol=1e-5)


RUNS = np.random.default_rng(3).normal(0, 0.3, (40, 20))  #: what every run makes of the offsets of a model


def retrain(runs: np.ndarray):
    return replace(model(), offset=model().offset + RUNS[runs].mean(0))


def of_all_runs() -> BinnedProblem:
    """The model is a mean over runs, so that the fit is a mean over runs, too."""
    return replace(linear_problem(), model=retrain(np.arange(40)))


def due_to_runs(problem: BinnedProblem) -> np.ndarray:
    """Covariance (p, p) of a mean over 40 runs."""
    return lever(problem).T @ np.cov(RUNS, rowvar=False) @ lever(problem) / 40


@pytest.mark.slow
def test_leaving_out_one_run_at_a_time_gives_the_error_of_a_mean_exactly():
    problem = of_all_runs()
    tune = fit(problem, QUICKLY)
    choices = draw_jackknife(1, 40, 40)
    assert [len(runs) for runs in choices.runs] == [39] * 40
    refits = refit_runs(problem, tune, retrain, choices)
    expected = due_to_runs(problem)
    np.testing.assert_allclose(refits.covariance, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())
    np.testing.assert_allclose(refits.quoted, split_errors(problem, tune)[1])


@pytest.mark.slow
@pytest.mark.parametrize(
    "choices", [draw_bootstrap(2, 40, 40), draw_combinations(3, 40, 20, 40)], ids=["bootstrap", "combinations"]
)
def test_drawn_runs_give_the_error_of_a_mean(choices):
    problem = of_all_runs()
    refits = refit_runs(problem, fit(problem, QUICKLY), retrain, choices)
    expected = np.sqrt(np.diag(due_to_runs(problem)))
    # 40 draws tell a spread to 1/sqrt(80); a bootstrap of 40 runs is short of 1/80
    np.testing.assert_allclose(refits.spread / expected, 1.0, atol=3.5 / np.sqrt(80) + 0.013)


@pytest.mark.slow
def test_trainings_that_draw_at_random_have_a_spread_of_their_own():
    problem, random = of_all_runs(), np.random.default_rng(4)
    tune = fit(problem, QUICKLY)

    def shaken(runs: np.ndarray):
        trained = retrain(runs)
        return replace(trained, offset=trained.offset + random.normal(0, 0.1, 20))

    expected = 0.1 * np.sqrt(np.sum(lever(problem) ** 2, axis=0))
    refits = refit_runs(problem, tune, shaken, draw_trainings(40, 30))
    np.testing.assert_allclose(refits.spread / expected, 1.0, atol=3.5 / np.sqrt(60))
    np.testing.assert_array_equal(refit_runs(problem, tune, retrain, draw_trainings(40, 2)).spread, 0.0)


def test_choices_of_runs_are_what_they_say():
    drawn = draw_bootstrap(1, 30, 5)
    assert [len(runs) for runs in drawn.runs] == [30] * 5
    assert any(len(set(runs)) < 30 for runs in drawn.runs)
    parts = draw_jackknife(1, 30, 4)
    left_out = np.concatenate([np.setdiff1d(np.arange(30), runs) for runs in parts.runs])
    np.testing.assert_array_equal(np.sort(left_out), np.arange(30))
    kept = draw_combinations(1, 30, 10, 6)
    assert all(len(set(runs)) == 20 for runs in kept.runs)
    assert kept.factor == 2.0


@pytest.mark.parametrize("weights", [np.ones(8), np.linspace(0.5, 2.0, 8)], ids=["likelihood", "weighted chi2"])
def test_a_refit_of_another_model_is_its_fit(weights):
    parameters = (Parameter("x", 0.2, 3.0, None),)
    first = NoisySlope(parameters, make_bins(8), np.linspace(0.5, 1.5, 8), 0.3)
    other = replace(first, slope=1.1 * first.slope + 0.1 * np.sin(np.arange(8)), noise=0.25)
    measured = Measured(np.arange(8), first.bins, 1.2 * first.slope, np.full(8, 0.1), np.zeros((0, 8)), weights)
    problem = BinnedProblem(first, measured)
    tune, expected = fit(problem, QUICKLY), fit(replace(problem, model=other), QUICKLY)
    found = refit_model(problem, other, tune.values)
    assert found == pytest.approx(expected.values, abs=(2e-3 if weights[0] == 1 else 1e-2) * expected.errors[0])
    assert abs(found[0] - tune.values[0]) > 0.01 * tune.errors[0]


def test_refits_that_fail_are_named():
    problem = of_all_runs()
    tune = fit(problem, QUICKLY)

    def sometimes(runs: np.ndarray):
        if 0 not in runs:
            raise ComputationError("no training without run 0")
        return retrain(runs)

    refits = refit_runs(problem, tune, sometimes, draw_jackknife(1, 40, 4))
    assert len(refits.values) == 3
    assert [failure.reason for failure in refits.failed] == ["no training without run 0"]
    assert 0 <= refits.failed[0].toy < 4


def test_bad_requests_are_refused():
    problem = of_all_runs()
    tune = fit(problem, QUICKLY)
    with pytest.raises(InputError, match="1 data sets"):
        bootstrap_data(KEY, problem, tune, 1, CONFIG)
    with pytest.raises(InputError, match="9 parts of 8 runs"):
        draw_jackknife(1, 8, 9)
    with pytest.raises(InputError, match="8 of 8 runs"):
        draw_combinations(1, 8, 8, 3)
    with pytest.raises(InputError, match="1 choices of 8 runs"):
        draw_bootstrap(1, 8, 1)
    with pytest.raises(InputError, match="the parameters, their ranges and the bins"):
        refit_model(problem, linear_model(n_bins=10), tune.values)
