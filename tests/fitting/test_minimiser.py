"""Fits whose answer is known: linear least squares, correlated errors, several minima, limits."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.toys import Formula, NoisySlope, linear_model, make_bins, measure

from sbitune.data.errors import ComputationError, InputError
from sbitune.data.parameter import Parameter
from sbitune.fitting.config import FitConfig
from sbitune.fitting.likelihood.density import minus_two_log_likelihood
from sbitune.fitting.likelihood.measured import Measured
from sbitune.fitting.likelihood.precision import double_precision
from sbitune.fitting.likelihood.problem import BinnedProblem
from sbitune.fitting.minimise.minimiser import fit

TRUTH = np.array([0.8, 1.5])


def least_squares(model, measured, variance=None):
    """Closed form with M = W V^-1 W: theta = B A^T M (d - offset), covariance B A^T M V M A B, B = (A^T M A)^-1."""
    if variance is None:
        variance = np.diag(measured.errors**2 + model.error**2) + measured.shifts.T @ measured.shifts
    w = np.diag(measured.weights)
    lever = w @ np.linalg.inv(variance) @ w @ model.slope
    bread = np.linalg.inv(model.slope.T @ lever)
    covariance = bread @ lever.T @ variance @ lever @ bread
    return bread @ lever.T @ (measured.values - model.offset), covariance


def noisy(model, seed=2, **kwargs) -> Measured:
    rng = np.random.default_rng(seed)
    errors = rng.uniform(0.1, 0.3, len(model.bins))
    with jax.enable_x64(True):
        return measure(model, TRUTH, errors, rng.normal(0, errors), **kwargs)


def test_linear_fit_is_least_squares():
    model = linear_model(error=0.05)
    measured = noisy(model)
    tune = fit(BinnedProblem(model, measured))
    theta, covariance = least_squares(model, measured)
    np.testing.assert_allclose(tune.values, theta, atol=1e-3 * tune.errors.min())
    np.testing.assert_allclose(tune.covariance, covariance, rtol=1e-7)
    for i, name in enumerate(tune.names):
        np.testing.assert_allclose(tune.minos[name], np.array([-1, 1]) * tune.errors[i], rtol=2e-3)
    assert tune.ndf == 18
    assert tune.hesse_difference < 1e-3
    assert tune.status == "converged"
    assert tune.chi2 == pytest.approx(tune.chi2_unit)
    assert sum(o.chi2 for o in tune.observables) == pytest.approx(tune.chi2_unit)


def test_correlated_sources_and_weights_enter_as_a_full_covariance_would():
    model = linear_model()
    rng = np.random.default_rng(5)
    shifts, weights = rng.normal(0, 0.3, (3, 20)), rng.uniform(0.5, 3, 20)
    measured = noisy(model, shifts=shifts, weights=weights)
    tune = fit(BinnedProblem(model, measured))
    theta, covariance = least_squares(model, measured)
    np.testing.assert_allclose(tune.values, theta, atol=1e-3 * tune.errors.min())
    np.testing.assert_allclose(tune.covariance, covariance, rtol=1e-6)
    residual = model.offset + model.slope @ theta - measured.values
    v = np.diag(measured.errors**2) + shifts.T @ shifts
    assert tune.chi2 == pytest.approx((weights * residual) @ np.linalg.solve(v, weights * residual), rel=1e-6)
    assert tune.chi2_unit == pytest.approx(residual @ np.linalg.solve(v, residual), rel=1e-5)


def test_ignoring_the_models_error_changes_chi2_as_it_must():
    model = linear_model(error=0.2)
    measured = noisy(model)
    with_error, without = fit(BinnedProblem(model, measured)), fit(BinnedProblem(model, measured, model_error=False))
    assert without.chi2 > with_error.chi2
    np.testing.assert_allclose(
        without.values, least_squares(model, measured, np.diag(measured.errors**2))[0], atol=1e-3 * without.errors.min()
    )


def test_the_best_of_several_minima_is_found_and_the_others_reported():
    parameters = (Parameter("x", -2.0, 2.0, None),)
    bins = make_bins(2)

    # minima near x = -1 and x = +1; the tilt makes the one at -1 the lower
    def double_well(theta):
        return jnp.stack([3 * (theta[0] ** 2 - 1), 0.5 * (theta[0] + 1.5)])

    measured = Measured(np.arange(2), bins, np.zeros(2), np.ones(2), np.zeros((0, 2)), np.ones(2))
    tune = fit(BinnedProblem(Formula(parameters, bins, double_well), measured), FitConfig(starts=8))
    assert tune.values[0] == pytest.approx(-1.007, abs=0.005)
    assert len({round(s.value, 1) for s in tune.starts}) == 2
    assert any("higher minimum" in note for note in tune.notes)
    assert [m.theta[0] for m in tune.others] == pytest.approx([0.99], abs=0.02)
    r = np.array([3 * (tune.others[0].theta[0] ** 2 - 1), 0.5 * (tune.others[0].theta[0] + 1.5)])
    assert tune.others[0].above == pytest.approx(r @ r - tune.chi2, rel=1e-3)
    assert any("another minimum lies" in note for note in tune.notes)


def test_asymmetric_minos_errors_of_an_exponential():
    # f = exp(x) measured as 1 +- 0.2: chi2 = 1 at exp(x) = 0.8 and 1.2 exactly
    parameters, bins = (Parameter("x", -2.0, 2.0, None),), make_bins(1)
    measured = Measured(np.arange(1), bins, np.ones(1), np.array([0.2]), np.zeros((0, 1)), np.ones(1))
    tune = fit(BinnedProblem(Formula(parameters, bins, jnp.exp), measured))
    np.testing.assert_allclose(tune.minos["x"], [np.log(0.8), np.log(1.2)], rtol=5e-3)
    assert tune.errors[0] == pytest.approx(0.2, rel=1e-4)


def test_a_fixed_parameter_stays_and_the_other_is_fitted_given_it():
    model = linear_model()
    measured = noisy(model)
    tune = fit(BinnedProblem(model, measured, fixed={"String:sigma": 1.0}))
    assert tune.values[1] == pytest.approx(1.0, abs=1e-12)
    assert tune.free == ("Shower:alpha",)
    assert tune.errors[1] == 0.0
    assert tune.ndf == 19
    a, w = model.slope[:, 0], 1 / measured.errors**2
    expected = np.sum(a * w * (measured.values - model.offset - model.slope[:, 1])) / np.sum(a * a * w)
    assert tune.values[0] == pytest.approx(expected, rel=1e-7)


def test_a_parameter_at_its_limit_is_flagged():
    model = linear_model()
    tune = fit(BinnedProblem(model, noisy(model), limits={"String:sigma": (-3.0, 0.5)}))
    assert tune.at_limit == ("String:sigma",)
    assert tune.status == "at a limit"
    assert tune.values[1] == pytest.approx(0.5, abs=0.01)
    assert any("String:sigma" in note for note in tune.notes)


def test_a_model_without_slope_fails_and_says_so():
    parameters, bins = (Parameter("x", -2.0, 2.0, None), Parameter("y", 0.0, 1.0, None)), make_bins(3)
    flat = Formula(parameters, bins, lambda theta: jnp.ones(3) * theta[0])
    measured = Measured(np.arange(3), bins, np.ones(3), np.ones(3), np.zeros((0, 3)), np.ones(3))
    with pytest.raises(ComputationError, match="fit failed"):
        fit(BinnedProblem(flat, measured))


def test_a_model_that_is_not_finite_is_named():
    parameters, bins = (Parameter("x", -2.0, 2.0, None),), make_bins(2)
    bad = Formula(parameters, bins, lambda theta: jnp.stack([theta[0], jnp.log(-1.0 - theta[0] ** 2)]))
    measured = Measured(np.arange(2), bins, np.ones(2), np.ones(2), np.zeros((0, 2)), np.ones(2))
    with pytest.raises(ComputationError, match=r"not finite at /TOY/d01-x01-y01#1"):
        fit(BinnedProblem(bad, measured))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"limits": {"Sower:alpha": (0, 1)}}, "Sower:alpha is no parameter"),
        ({"fixed": {"x": 1.0}}, "x is no parameter"),
        ({"limits": {"Shower:alpha": (0.5, 3.0)}}, "not inside the model's range"),
        ({"fixed": {"Shower:alpha": 9.0}}, "outside the model's range"),
        ({"fixed": {"Shower:alpha": 1.0, "String:sigma": 0.0}}, "every parameter is fixed"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    model = linear_model()
    with pytest.raises(InputError, match=message):
        fit(BinnedProblem(model, noisy(model), **settings))


def test_float64_stays_inside():
    model = linear_model()
    fit(BinnedProblem(model, noisy(model)))
    assert jnp.ones(1).dtype == jnp.float32


def test_toys_pull_to_unit_width():
    model = linear_model(n_bins=8)
    rng = np.random.default_rng(11)
    errors = np.full(8, 0.3)  # the compiled chi2 serves all toys
    pulls = []
    for _ in range(60):
        with jax.enable_x64(True):
            measured = measure(model, TRUTH, errors, rng.normal(0, errors))
        tune = fit(BinnedProblem(model, measured), FitConfig(starts=1, minos=False))
        pulls.append((tune.values - TRUTH) / tune.errors)
    # 60 toys x 2 parameters: the width of 120 pulls has an error of 1/sqrt(240) = 0.065
    assert np.std(pulls) == pytest.approx(1.0, abs=3.5 * 0.065)
    assert abs(np.mean(pulls)) < 3.5 / np.sqrt(120)


def correlated_case():
    """Six bins that fluctuate together, as pseudo-data and as the model's error do."""
    matrix = 0.9 * np.ones((6, 6)) + 0.1 * np.eye(6)
    model = replace(linear_model(n_bins=6, error=0.1), correlation=matrix)
    return model, matrix, np.full(6, 0.2)


def test_correlated_monte_carlo_errors_enter_as_a_full_covariance_would():
    model, matrix, noise = correlated_case()
    weights = np.array([1.0, 2.0, 1.0, 0.5, 1.0, 1.0])
    with jax.enable_x64(True):
        measured = measure(model, TRUTH, np.full(6, 0.05), np.linspace(-0.3, 0.2, 6), weights=weights)
    measured = replace(measured, noise=noise)
    tune = fit(BinnedProblem(model, measured, correlation=matrix))
    v = 0.05**2 * np.eye(6) + (0.1**2 + 0.2**2) * matrix
    theta, covariance = least_squares(model, measured, v)
    np.testing.assert_allclose(tune.values, theta, atol=1e-3 * tune.errors.min())
    np.testing.assert_allclose(tune.covariance, covariance, rtol=1e-6)


@pytest.mark.slow
def test_pulls_are_true_only_with_the_correlation():
    model, matrix, noise = correlated_case()
    # the first parameter moves all bins alike, as the fluctuations do: without R its error is far too small
    model = replace(model, error=np.zeros(6), slope=np.column_stack([np.ones(6), np.linspace(-1, 1, 6)]))
    rng = np.random.default_rng(12)
    pulls = {"known": [], "ignored": []}
    for _ in range(80):
        fluctuation = rng.multivariate_normal(np.zeros(6), matrix * np.outer(noise, noise))
        with jax.enable_x64(True):
            measured = replace(measure(model, TRUTH, np.zeros(6), fluctuation), noise=noise)
        for name, r in (("known", matrix), ("ignored", None)):
            tune = fit(BinnedProblem(model, measured, correlation=r), FitConfig(starts=1, minos=False))
            pulls[name].append((tune.values - TRUTH) / tune.errors)
    # 160 pulls: a width has an error of 1/sqrt(320) = 0.056
    assert np.sqrt(np.mean(np.square(pulls["known"]))) == pytest.approx(1.0, abs=4 * 0.056)
    assert abs(np.sqrt(np.mean(np.square(pulls["ignored"]))) - 1) > 8 * 0.056


def test_the_scale_of_the_weights_drops_out_of_the_errors():
    model = linear_model()
    one, five = noisy(model), noisy(model, weights=np.full(20, 5.0))
    light, heavy = fit(BinnedProblem(model, one)), fit(BinnedProblem(model, five))
    np.testing.assert_allclose(heavy.covariance, light.covariance, rtol=1e-4)
    np.testing.assert_allclose(heavy.minos["Shower:alpha"], light.minos["Shower:alpha"], rtol=1e-2)
    assert heavy.chi2 == pytest.approx(25 * light.chi2, rel=1e-6)


def noisy_slopes(n: int, spread: float, noise: float, rng) -> tuple[np.ndarray, np.ndarray, float]:
    """True slopes, what is measured of them, and the part of a measured slope that is not noise."""
    slopes = rng.normal(0, spread, n)
    return slopes, slopes + rng.normal(0, noise, n), spread**2 / (spread**2 + noise**2)


@pytest.mark.slow
def test_noise_in_slopes_biases_raw_estimates_and_not_posterior_means():
    # 150 bins with slopes of 0.1, measured to 0.1: half of what looks like information is noise
    n, spread, noise, truth = 150, 0.1, 0.1, 4.0
    parameters, bins = (Parameter("x", -20.0, 20.0, None),), make_bins(n)
    rng = np.random.default_rng(21)
    found = {"raw": [], "posterior": []}
    for _ in range(16):
        slopes, seen, part = noisy_slopes(n, spread, noise, rng)
        values = slopes * truth + rng.normal(0, 1.0, n)
        measured = Measured(np.arange(n), bins, values, np.ones(n), np.zeros((0, n)), np.ones(n))
        models = {
            "raw": (NoisySlope(parameters, bins, seen, 1e-3), False),
            "posterior": (NoisySlope(parameters, bins, part * seen, np.sqrt(part) * noise), True),
        }
        for name, (model, counted) in models.items():
            tune = fit(BinnedProblem(model, measured, model_error=counted), FitConfig(starts=1, minos=False))
            found[name].append([tune.values[0], tune.errors[0]])
    raw, posterior = np.array(found["raw"]), np.array(found["posterior"])
    # the raw fit is attenuated to one half; errors of the means are 0.2 and 0.3
    assert raw[:, 0].mean() == pytest.approx(truth / 2, abs=0.6)
    assert posterior[:, 0].mean() == pytest.approx(truth, abs=1.0)
    pulls = (posterior[:, 0] - truth) / posterior[:, 1]
    assert np.sqrt(np.mean(pulls**2)) == pytest.approx(1.0, abs=3.5 / np.sqrt(32))
    assert np.sqrt(np.mean(((raw[:, 0] - truth) / raw[:, 1]) ** 2)) > 2


def test_gradient_and_likelihood_agree_with_what_jax_derives():
    model = replace(linear_model(n_bins=8, error=0.1), correlation=0.5 * np.eye(8) + 0.5)
    with double_precision():
        measured = measure(model, TRUTH, np.full(8, 0.2), np.linspace(-0.3, 0.3, 8))
        problem = BinnedProblem(model, measured)
        frame, objective = problem.frame(), problem.objective()
        u, held = np.array([0.3, -0.2]), objective.hold(frame.centre)
        numbers = objective.numbers(held)

        def loss(u):
            return minus_two_log_likelihood(model, frame.to_theta(u), numbers)

        point = objective.point(u)
        assert point.value - held.log_determinant == pytest.approx(float(loss(u)), rel=1e-10)
        np.testing.assert_allclose(objective.gradient(point), jax.grad(loss)(u), rtol=1e-9)
        np.testing.assert_allclose(objective.hessian(point), jax.jacrev(jax.grad(loss))(jnp.asarray(u)), rtol=1e-6)
        np.testing.assert_allclose(objective.hessian(point, central=False), objective.hessian(point), rtol=1e-3)


def test_objectives_compute_in_double_precision_only():
    model = linear_model()
    problem = BinnedProblem(model, noisy(model))
    with pytest.raises(RuntimeError, match="inside `double_precision"):
        problem.objective()
    with problem.computing():
        assert problem.objective().point(np.zeros(2)).value > 0


def test_fewer_bins_than_parameters_are_refused():
    model = linear_model(n_bins=1)
    with pytest.raises(InputError, match="1 bins cannot determine 2 parameters"):
        fit(BinnedProblem(model, noisy(model)))


def test_a_chi2_of_zero_is_a_number():
    model = linear_model()
    with jax.enable_x64(True):
        measured = measure(model, TRUTH, np.full(20, 0.1))
    tune = fit(BinnedProblem(model, measured), FitConfig(starts=3))
    assert all(np.isfinite(start.value) for start in tune.starts)
    assert tune.chi2 == pytest.approx(0.0, abs=1e-6)
