"""Theory errors: given ones enter as variances, fitted ones are those of the restricted likelihood."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.toys import Formula, linear_model, make_bins
from scipy.optimize import minimize_scalar

from sbitune.data.errors import InputError
from sbitune.data.parameter import Parameter
from sbitune.fitting.binned.extra import fit_extra
from sbitune.fitting.binned.refit import linearise, refit, without
from sbitune.fitting.binned.theory import fit_errors, wanted_errors
from sbitune.fitting.config import BinnedFitConfig
from sbitune.fitting.likelihood.measured import Measured
from sbitune.fitting.likelihood.problem import BinnedProblem
from sbitune.fitting.minimise.minimiser import fit

QUICK = BinnedFitConfig(starts=1, minos=False)
TRUTH = np.array([0.8, 1.5])
PATHS = [f"/TOY/d0{i}-x01-y01" for i in (1, 2, 3)]


def asking(theory, **settings):
    return BinnedFitConfig(starts=1, minos=False, theory_error=theory, **settings)


def constant(values, sigma, per_histogram=100):
    """n measurements of one number."""
    n = len(values)
    bins = make_bins(n, per_histogram)
    model = Formula((Parameter("x", 0.0, 20.0, None),), bins, lambda theta: jnp.ones(n) * theta[0])
    return BinnedProblem(model, Measured(np.arange(n), bins, values, np.full(n, sigma), np.zeros((0, n)), np.ones(n)))


MODEL = replace(linear_model(n_bins=60), bins=make_bins(60, 20))


def three_observables(eps, seed=3):
    """Linear in two parameters; predictions of around 10 are off by parts `eps` of themselves."""
    mean, sigma = MODEL.offset + MODEL.slope @ TRUTH, np.full(60, 0.2)
    values = mean + np.random.default_rng(seed).normal(0, np.hypot(sigma, np.repeat(eps, 20) * mean))
    return BinnedProblem(MODEL, Measured(np.arange(60), MODEL.bins, values, sigma, np.zeros((0, 60)), np.ones(60)))


def least_squares(problem, variance):
    model, values = problem.model, problem.measured.values
    lever = model.slope.T @ np.linalg.inv(variance)
    covariance = np.linalg.inv(lever @ model.slope)
    return covariance @ lever @ (values - model.offset), covariance


def test_nothing_asked_is_the_plain_fit():
    problem = three_observables([0, 0, 0])
    tune, extra = fit_extra(problem, QUICK)
    plain = fit(problem, QUICK)
    np.testing.assert_array_equal(tune.values, plain.values)
    np.testing.assert_array_equal(tune.covariance, plain.covariance)
    assert extra.theory == ()
    assert not extra.added.any()


def test_given_errors_enter_as_variances_of_the_prediction():
    problem = three_observables([0, 0, 0])
    tune, extra = fit_extra(problem, asking({"/TOY": 0.05, PATHS[1]: 0.1, "/TOY/d03": 0.0}))
    prediction = problem.model.offset + problem.model.slope @ tune.values
    eps = np.repeat([0.05, 0.1, 0.0], 20)
    theta, covariance = least_squares(problem, np.diag(0.2**2 + (eps * prediction) ** 2))
    np.testing.assert_allclose(tune.values, theta, atol=2e-3 * tune.errors.min())
    np.testing.assert_allclose(tune.covariance, covariance, rtol=1e-3)
    np.testing.assert_allclose(extra.added, eps * prediction, rtol=1e-3)
    assert [row.relative for row in extra.theory] == [0.05, 0.1, 0.0]
    assert not any(row.fitted for row in extra.theory)


def test_the_fitted_error_of_a_constant_is_its_unbiased_sample_variance():
    # with one mean fitted to n values the restricted likelihood gives S^2 / (n - 1); the likelihood would give S^2 / n
    values = np.random.default_rng(4).normal(10.0, 1.0, 8)
    tune, extra = fit_extra(constant(values, 0.3), asking({"/": "fitted"}))
    expected = np.sqrt(np.var(values, ddof=1) - 0.3**2) / values.mean()
    assert tune.values[0] == pytest.approx(values.mean(), rel=1e-6)
    assert extra.theory[0].relative == pytest.approx(expected, rel=1e-4)
    assert tune.errors[0] == pytest.approx(np.std(values, ddof=1) / np.sqrt(8), rel=1e-3)
    assert tune.chi2 == pytest.approx(tune.ndf, rel=1e-3)
    assert extra.theory[0].low < expected < extra.theory[0].high
    assert any("theory errors found" in note for note in tune.notes)


def test_the_interval_is_where_the_restricted_likelihood_rises_by_one():
    values = np.random.default_rng(4).normal(10.0, 1.0, 8)
    _, extra = fit_extra(constant(values, 0.3), asking({"/": "fitted"}))
    sum_of_squares, row = np.sum((values - values.mean()) ** 2), extra.theory[0]

    def restricted(eps):
        v = 0.3**2 + (eps * values.mean()) ** 2
        return sum_of_squares / v + 7 * np.log(v)

    for end in (row.low, row.high):
        assert restricted(end) - restricted(row.relative) == pytest.approx(1.0, abs=2e-3)


def test_data_that_scatter_less_than_their_errors_give_no_theory_error():
    values = 10 + 0.05 * np.array([1.0, -1.0, 1.0, -1.0, 1.0, -1.0])
    tune, extra = fit_extra(constant(values, 0.3), asking({"/": "fitted"}))
    assert extra.theory[0].relative == 0.0
    assert extra.theory[0].low == 0.0
    assert 0 < extra.theory[0].high < 0.1
    assert tune.errors[0] == pytest.approx(0.3 / np.sqrt(6), rel=1e-6)


def test_steps_in_one_dimension_find_the_minimum_of_the_whole_restricted_likelihood():
    problem = three_observables([0.02, 0.05, 0.1])
    shifts = np.random.default_rng(8).normal(0, 0.4, (2, 60))
    problem = replace(problem, measured=replace(problem.measured, shifts=shifts))
    linear = linearise(problem, TRUTH)
    found = fit_errors(linear, problem.measured.bins, dict.fromkeys(PATHS, 0.0))

    def restricted(eps):
        v = linear.covariance + np.diag((np.repeat(eps, 20) * linear.mean) ** 2)
        inverse, slopes, r = np.linalg.inv(v), linear.slopes, linear.residual
        bread = slopes.T @ inverse @ slopes
        lever = inverse @ slopes
        p = inverse - lever @ np.linalg.inv(bread) @ lever.T
        return r @ p @ r + np.linalg.slogdet(v)[1] + np.linalg.slogdet(bread)[1]

    best = np.array([found[path].relative for path in PATHS])
    for i in range(3):

        def along(x, i=i):
            return restricted(np.where(np.arange(3) == i, x, best))

        end = minimize_scalar(along, bounds=(0, 0.5), method="bounded", options={"xatol": 1e-7})
        assert best[i] == pytest.approx(end.x, abs=2e-5)
        assert along(found[PATHS[i]].high) - along(best[i]) == pytest.approx(1.0, abs=1e-3)


@pytest.mark.slow
def test_toys_find_the_error_and_pull_to_unit_width():
    eps, rows, pulls, plain = [0.0, 0.05, 0.1], [], [], []
    for seed in range(30):
        problem = three_observables(eps, seed=100 + seed)
        tune, extra = fit_extra(problem, asking({"/TOY/d0[23]": "fitted"}))
        rows.append([row.relative for row in extra.theory])
        pulls.append((tune.values - TRUTH) / tune.errors)
        bare = fit(problem, QUICK)
        plain.append((bare.values - TRUTH) / bare.errors)
    # 20 bins know a standard deviation to 1/sqrt(40) = 16 %, 30 toys their mean to 2.9 %
    np.testing.assert_allclose(np.mean(rows, axis=0), eps[1:], rtol=3.5 * 0.029)
    # 60 pulls: the width has an error of 1/sqrt(120) = 0.09
    assert np.sqrt(np.mean(np.square(pulls))) == pytest.approx(1.0, abs=3.5 * 0.09)
    assert np.sqrt(np.mean(np.square(plain))) > 2


@pytest.mark.slow
@pytest.mark.parametrize("claimed", [1.0, 0.5, 2.0])
def test_fitted_errors_make_good_what_is_missing_and_cannot_take_away_what_is_too_much(claimed):
    """Predictions near 10 are right, and data scatter about them by 0.2, which is 2 %."""
    n, rows, pulls = 20, [], []
    for seed in range(n):
        problem = three_observables([0, 0, 0], seed=300 + seed)
        problem = replace(problem, measured=replace(problem.measured, errors=claimed * problem.measured.errors))
        tune, extra = fit_extra(problem, asking({"/TOY": "fitted"}))
        rows += extra.theory
        pulls.append((tune.values - TRUTH) / tune.errors)
    found, seen = np.mean([row.relative for row in rows]), np.mean([row.low > 0 for row in rows])
    width, error = np.sqrt(np.mean(np.square(pulls))), 1 / np.sqrt(4 * n)
    if claimed == 1:  # what chance adds: 0.02 (2 / 20)^(1/4) sqrt(max(z, 0)) of a normal z; significant in one of six
        assert found == pytest.approx(0.02 * 0.1**0.25 * 0.411, abs=3.5 * 0.006 / np.sqrt(3 * n))
        assert seen < 1 / 6
        assert width == pytest.approx(1, abs=3.5 * error)
    elif claimed < 1:  # three quarters of the variance are missing; 20 bins know them to 1/sqrt(40) of all
        assert found == pytest.approx(0.02 * np.sqrt(0.75), rel=3.5 / np.sqrt(40 * 3 * n) / 0.75)
        assert seen == 1
        assert width == pytest.approx(1, abs=3.5 * error)
    else:
        assert found == seen == 0
        assert width == pytest.approx(0.5, abs=3.5 * 0.5 * error)


def test_a_single_bin_has_no_scatter_and_needs_a_number():
    values = np.append(np.full(5, 10.0), 12.0)
    problem = constant(values, 0.1, per_histogram=5)
    with pytest.raises(InputError, match=rf"theory_error: no error can be fitted to {PATHS[1]}: it has 1 bin in"):
        fit_extra(problem, asking({"/TOY": "fitted"}))
    tune, extra = fit_extra(problem, asking({"/TOY": "fitted", PATHS[1]: 0.05}))
    assert [row.relative for row in extra.theory] == [0.0, 0.05]  # the others do not scatter
    variance = np.append(np.full(5, 0.1**2), 0.1**2 + (0.05 * tune.values[0]) ** 2)
    assert tune.values[0] == pytest.approx(np.average(values, weights=1 / variance), rel=1e-5)
    with pytest.raises(InputError, match=r"d02-x01-y01 \(nor of 1 others: /TOY/d03-x01-y01\): it has 1 bin"):
        wanted_errors({"/": "fitted"}, make_bins(6, 2).take(np.array([0, 1, 2, 4])))


def test_two_bins_are_hardly_believed_and_named_with_their_number():
    values = np.append(np.full(5, 10.0), [12.0, 13.0])
    problem = constant(values, 0.1, per_histogram=5)
    tune, extra = fit_extra(problem, asking({PATHS[1]: "fitted"}))
    assert extra.theory[0].relative > 0.1
    assert any(f"few bins ({PATHS[1]}: 2 bins)" in note for note in tune.notes)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"/NOWHERE": 0.1}, "/NOWHERE' matches no observable"),
        ({"/TOY/(": 0.1}, "is not a regular expression"),
        ({"/TOY": -0.1}, "-0.1 is no error"),
        ({"/TOY": float("nan")}, "nan is no error"),
    ],
)
def test_bad_theory_errors_are_refused(asked, message):
    with pytest.raises(InputError, match=message):
        fit_extra(three_observables([0, 0, 0]), asking(asked))


def test_the_last_match_wins_and_options_of_a_path_do_not_count():
    bins = make_bins(4, 2)
    assert wanted_errors({"/TOY": 0.1, "/TOY/d02": "fitted"}, bins) == {PATHS[0]: 0.1, PATHS[1]: "fitted"}
    assert wanted_errors({"/TOY/d02": "fitted", "/TOY": 0.1}, bins) == {PATHS[0]: 0.1, PATHS[1]: 0.1}


def test_a_fit_that_starts_from_another_is_the_same_fit():
    problem = three_observables([0, 0, 0])
    tune = fit(problem, QUICK)
    linear = refit(problem, np.array([1.0, 0.0]))
    np.testing.assert_allclose(linear.theta, tune.values, atol=1e-3 * tune.errors.min())
    scale = 0.5 * np.array([p.high - p.low for p in problem.parameters])
    np.testing.assert_allclose(linear.parameter_covariance * np.outer(scale, scale), tune.covariance, rtol=1e-6)


def test_leaving_bins_out_is_the_fit_of_the_others():
    problem = three_observables([0, 0, 0])
    left = problem.measured.bins.of(PATHS[1])
    linear = refit(without(problem, linearise(problem, TRUTH), left), TRUTH)
    keep = np.setdiff1d(np.arange(60), left)
    model, values = problem.model, problem.measured.values
    theta = np.linalg.lstsq(model.slope[keep], (values - model.offset)[keep], rcond=None)[0]
    np.testing.assert_allclose(linear.theta, theta, atol=1e-5)


def test_float64_stays_inside():
    fit_extra(three_observables([0, 0, 0]), asking({"/": "fitted"}))
    assert jnp.ones(1).dtype == jnp.float32
    assert not jax.config.jax_enable_x64  # pyright: ignore[reportAttributeAccessIssue]
