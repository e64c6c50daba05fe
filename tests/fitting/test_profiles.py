"""Profiles are parabolas and contours ellipses where the model is linear, and true to the objective where it is not."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest
from helpers.linearfits import linear_problem, solve
from helpers.toys import Formula, make_bins
from scipy import stats

from sbitune.data.errors import InputError
from sbitune.data.parameter import Parameter
from sbitune.fitting.config import FitConfig
from sbitune.fitting.likelihood.measured import Measured
from sbitune.fitting.likelihood.problem import BinnedProblem
from sbitune.fitting.minimise.migrad import migrad
from sbitune.fitting.minimise.minimiser import fit
from sbitune.fitting.minimise.profiles import contour, profile, profile_delta
from sbitune.fitting.minimise.surroundings import LowerMinimum

QUICKLY = FitConfig(starts=1, minos=False)


def test_profiles_of_a_linear_model_are_parabolas():
    problem = linear_problem()
    tune, best = fit(problem, QUICKLY), solve(problem)
    for i, name in enumerate(tune.names):
        points = best.theta[i] + np.array([1.5, -2.0, 0.0, 3.0, -0.5]) * tune.errors[i]  # in no order
        found = profile(problem, tune, name, points)
        np.testing.assert_allclose(found.delta, [2.25, 4.0, 0.0, 9.0, 0.25], atol=1e-3)
        other, c = 1 - i, best.covariance
        expected = best.theta[other] + c[other, i] / c[i, i] * (points - best.theta[i])
        np.testing.assert_allclose(found.values[:, other], expected, atol=1e-3 * tune.errors[other])
        np.testing.assert_allclose(found.values[:, i], points)
        assert found.notes == ()
        assert not found.at_limit.any()


def test_delta_of_given_values():
    problem = linear_problem()
    tune, best = fit(problem, QUICKLY), solve(problem)
    theta = np.array([0.9, 1.0])
    expected = (theta - best.theta) ** 2 / np.diag(best.covariance)
    np.testing.assert_allclose(profile_delta(problem, tune, theta), expected, rtol=2e-3)
    fixed = linear_problem(fixed={"String:sigma": 1.5})
    delta = profile_delta(fixed, fit(fixed, QUICKLY), theta)
    assert np.isfinite(delta[0])
    assert np.isnan(delta[1])


def test_a_weighted_chi2_rises_by_one_at_its_quoted_errors():
    problem = linear_problem()
    measured = replace(problem.measured, weights=np.linspace(0.5, 3.0, 20))
    problem = replace(problem, measured=measured)
    tune = fit(problem, QUICKLY)
    np.testing.assert_allclose(profile_delta(problem, tune, tune.values + tune.errors), 1.0, rtol=5e-3)
    (found,) = contour(problem, tune, tune.names, (0.68,), n=12)
    away = found.points - tune.values
    expected = stats.chi2.ppf(0.68, 2)
    np.testing.assert_allclose(np.sum(away * np.linalg.solve(tune.covariance, away.T).T, 1), expected, rtol=1e-2)


def test_contours_of_a_linear_model_are_ellipses():
    problem = linear_problem()
    tune, best = fit(problem, QUICKLY), solve(problem)
    for found, coverage in zip(contour(problem, tune, tune.names, (0.68, 0.95), n=16), (0.68, 0.95), strict=True):
        away = found.points - best.theta
        heights = np.sum(away * np.linalg.solve(best.covariance, away.T).T, axis=1)
        np.testing.assert_allclose(heights, -2 * np.log(1 - coverage), rtol=2e-3)  # the quantile for two parameters
        assert found.delta == pytest.approx(-2 * np.log(1 - coverage))
        assert found.coverage == coverage
        assert not found.at_limit.any()
        angle = np.unwrap(np.arctan2(*(away / tune.errors).T[::-1]))
        assert np.all(np.diff(angle) > 0)
        assert angle[-1] - angle[0] < 2 * np.pi


def bent() -> BinnedProblem:
    """Three parameters, of which two make a banana and one is an exponential."""
    parameters = tuple(Parameter(name, -2.0, 2.0, None) for name in "xyz")
    bins = make_bins(4)
    model = Formula(
        parameters,
        bins,
        lambda t: jnp.stack([t[0] + 0.5 * t[1] ** 2, t[1] + 0.1 * t[2], jnp.exp(t[2]), t[0] - t[2]]),
    )
    errors = np.array([0.2, 0.4, 0.3, 0.5])
    values = np.array([0.3, 0.2, 1.0, 0.1])
    return BinnedProblem(model, Measured(np.arange(4), bins, values, errors, np.zeros((0, 4)), np.ones(4)))


def test_profiles_and_contours_of_a_bent_model_are_migrads():
    problem = bent()
    tune = fit(problem)
    for name in tune.names:
        ends = tune.values[tune.names.index(name)] + np.array(tune.minos[name])
        np.testing.assert_allclose(profile(problem, tune, name, ends).delta, 1.0, atol=5e-3)
    (found,) = contour(problem, tune, ("x", "y"), (0.68,), n=8)
    frame = problem.frame()
    with problem.computing():
        objective = problem.objective()
        least = migrad(objective, frame.to_unit(tune.values)).fval
        for x, y in found.points:
            start = frame.to_unit(np.array([x, y, tune.values[2]]))
            height = migrad(objective, start, fixed=frozenset({0, 1})).fval
            assert height - least == pytest.approx(found.delta, rel=2e-3)


def test_contours_end_where_the_range_does():
    problem = linear_problem(limits={"Shower:alpha": (0.0, 0.85)})
    tune, best = fit(problem, QUICKLY), solve(problem)
    (found,) = contour(problem, tune, tune.names, (0.95,), n=24)
    assert 0 < found.at_limit.sum() < 24
    np.testing.assert_allclose(found.points[found.at_limit, 0], 0.85, atol=1e-9)
    away = found.points[~found.at_limit] - best.theta
    heights = np.sum(away * np.linalg.solve(best.covariance, away.T).T, axis=1)
    least = solve_at(problem, tune.values) - best.chi2
    np.testing.assert_allclose(heights - least, found.delta, rtol=3e-3)
    assert np.all(found.points[:, 0] <= 0.85 + 1e-12)


def solve_at(problem: BinnedProblem, theta: np.ndarray) -> float:
    best = solve(problem)
    away = theta - best.theta
    return best.chi2 + float(away @ np.linalg.solve(best.covariance, away))


def test_others_at_the_end_of_their_range_are_flagged():
    free = solve(linear_problem())
    end = free.theta[0] + np.sqrt(free.covariance[0, 0])
    problem = linear_problem(limits={"Shower:alpha": (0.0, end)})
    tune = fit(problem, QUICKLY)
    sign = np.sign(free.covariance[0, 1])
    points = tune.values[1] + sign * np.array([-40.0, 40.0]) * tune.errors[1]
    np.testing.assert_array_equal(profile(problem, tune, "String:sigma", points).at_limit[:, 0], [False, True])


def test_a_lower_minimum_is_an_error():
    parameters, bins = (Parameter("x", -2.0, 2.0, None), Parameter("y", -1.0, 1.0, None)), make_bins(3)
    wells = Formula(parameters, bins, lambda t: jnp.stack([3 * (t[0] ** 2 - 1), 0.5 * (t[0] + 1.5), t[1]]))
    problem = BinnedProblem(wells, Measured(np.arange(3), bins, np.zeros(3), np.ones(3), np.zeros((0, 3)), np.ones(3)))
    higher = fit(replace(problem, limits={"x": (0.2, 2.0)}), QUICKLY)
    with pytest.raises(LowerMinimum, match=r"x = -1, .*raise `starts`"):
        profile(problem, higher, "x", np.array([-1.0]))


def test_bad_questions_are_refused():
    problem = linear_problem(fixed={"String:sigma": 1.5})
    tune = fit(problem, QUICKLY)
    with pytest.raises(InputError, match="String:sigma is no free parameter"):
        profile(problem, tune, "String:sigma", np.array([1.0]))
    with pytest.raises(InputError, match="between 0 and 2"):
        profile(problem, tune, "Shower:alpha", np.array([0.8, 2.5]))
    with pytest.raises(InputError, match="two different parameters"):
        contour(problem, tune, ("Shower:alpha", "Shower:alpha"))
