"""Posteriors known in closed form: Gaussian, cut off at a limit, with two minima; files, predictions, notes."""

import json
import subprocess
import sys
import warnings
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.toys import Formula, Linear, NoisySlope, linear_model, make_bins, measure
from scipy import stats

from sbitune.data.errors import InputError
from sbitune.data.parameter import Parameter
from sbitune.fitting.bridges.arviz_groups import arviz_groups, read_arviz, to_arviz, write_arviz
from sbitune.fitting.config import FitConfig
from sbitune.fitting.likelihood.density import minus_two_log_likelihood
from sbitune.fitting.likelihood.problem import BinnedProblem
from sbitune.fitting.minimise.minimiser import fit
from sbitune.fitting.sampling.chains import Posterior, convergence_notes, diagnose, load_posterior
from sbitune.fitting.sampling.posterior import sample_posterior
from sbitune.fitting.sampling.predictive import predictive
from sbitune.fitting.sampling.sampling import PosteriorConfig
from sbitune.fitting.sampling.target import Limits

TRUTH = np.array([0.8, 1.5])
CONFIG = PosteriorConfig(warmup=150, samples=1000)


def noisy(model, seed=2, theta=TRUTH, **kwargs):
    rng = np.random.default_rng(seed)
    errors = rng.uniform(0.1, 0.3, len(model.bins))
    with jax.enable_x64(True):
        return measure(model, theta, errors, rng.normal(0, errors), **kwargs)


def closed_form(model, measured):
    """Least squares: mean and covariance of the parameters, where no limit is near."""
    inverse = np.linalg.inv(np.diag(measured.errors**2 + model.error**2))
    covariance = np.linalg.inv(model.slope.T @ inverse @ model.slope)
    return covariance @ model.slope.T @ inverse @ (measured.values - model.offset), covariance


@pytest.fixture(scope="module")
def linear():
    model = linear_model(error=0.05)
    measured = noisy(model)
    problem = BinnedProblem(model, measured)
    tune = fit(problem, FitConfig(starts=2))
    return problem, tune, sample_posterior(jax.random.key(5), problem, CONFIG, tune), closed_form(model, measured)


def test_a_linear_model_has_a_gaussian_posterior(linear):
    _, _, posterior, (mean, covariance) = linear
    assert posterior.converged, posterior.notes
    assert posterior.samples.shape == (4, 1000, 2)
    assert posterior.samples.dtype == np.float64
    errors = np.sqrt(np.diag(covariance))
    ess = np.array([posterior.diagnoses[name].ess_mean for name in posterior.names])
    assert (np.abs(posterior.mean - mean) < 4 * errors / np.sqrt(ess)).all()
    # a variance of independent draws has the relative error sqrt(2 / n); squares mix slower than the draws themselves
    tails = min(d.ess_tail for d in posterior.diagnoses.values())
    tolerance = 4 * np.sqrt(2 / tails) * np.outer(errors, errors)
    assert (np.abs(posterior.covariance - covariance) < tolerance).all()
    assert (np.abs(posterior.errors / errors - 1) < 4 / np.sqrt(2 * tails)).all()


def test_intervals_agree_with_minos(linear):
    _, tune, posterior, _ = linear
    for name, value, (low, high) in zip(tune.names, tune.values, posterior.intervals(), strict=True):
        below, above = tune.minos[name]
        assert (high - low) / (above - below) == pytest.approx(1, abs=0.05)
        assert low == pytest.approx(value + below, abs=0.1 * (above - below))
    with pytest.raises(InputError, match="between 0 and 1"):
        posterior.intervals(68.0)


def test_minus_two_log_is_that_of_the_objective(linear):
    _, tune, posterior, (_, covariance) = linear
    apart = posterior.samples[0, :20] - tune.values
    expected = np.einsum("ni,ij,nj->n", apart, np.linalg.inv(covariance), apart)
    minimum = posterior.minus_two_log[0, :20] - expected
    np.testing.assert_allclose(minimum, minimum[0], atol=1e-3)
    assert minimum[0] == pytest.approx(tune.chi2, abs=1e-3)
    # chi2 above its minimum is distributed as chi2 with two degrees of freedom
    rise = posterior.minus_two_log - tune.chi2
    assert rise.mean() == pytest.approx(2, abs=4 * 2 / np.sqrt(1000))


def test_density_and_its_derivatives_are_those_of_the_likelihood():
    slope = np.random.default_rng(1).normal(0, 1, 8)
    model = NoisySlope((Parameter("x", 0.5, 3.0),), make_bins(8), slope, 0.2)
    with jax.enable_x64(True):
        measured = measure(model, np.array([1.3]), np.full(8, 0.4), np.linspace(-0.5, 0.5, 8))
        problem = BinnedProblem(model, measured)
        frame, objective = problem.frame(), problem.objective()
        held = objective.hold(frame.centre)
        numbers, density = objective.numbers(held), objective.traceable(held)
        for u in (np.array([-0.4]), np.array([0.7])):
            theta = jnp.asarray(frame.to_theta(u))
            reference = jax.value_and_grad(lambda t: minus_two_log_likelihood(model, t, numbers))(theta)
            value, gradient = jax.value_and_grad(density)(jnp.asarray(u))
            assert float(value) == pytest.approx(float(reference[0]), rel=1e-10)
            np.testing.assert_allclose(gradient, reference[1] * frame.half, rtol=1e-9)


def test_coordinates_without_limits():
    with jax.enable_x64(True):
        limits = Limits(*(jnp.asarray(x) for x in ([-1.0, 0.2], [1.0, 0.9], [0.05, 0.1])))
        u = jnp.asarray([[-0.999, 0.2001], [0.0, 0.5], [0.9999, 0.89]])
        np.testing.assert_allclose(limits.to_u(limits.from_u(u)), u, rtol=1e-10)
        z = limits.from_u(u)
        for point in z:
            slopes = np.diag(jax.jacfwd(limits.to_u)(point))
            np.testing.assert_allclose(np.exp(limits.log_slopes(point)), slopes, rtol=1e-9)
        np.testing.assert_allclose(np.exp(limits.log_slopes(z[1])), limits.width, rtol=0.08)  # linear inside
        far = limits.to_u(jnp.asarray([[-40.0, -40.0], [200.0, 200.0]]))
        np.testing.assert_allclose(far, [limits.low, limits.high], atol=1e-12)


def test_a_narrow_valley_between_limits():
    # two parameters with the correlation -0.995, each free to go 3 standard deviations to its limits
    slope = np.array([[1.0, 1.0]] * 10 + [[0.05, -0.05]] * 10)
    parameters = (Parameter("a", -3.0, 3.0), Parameter("b", -3.0, 3.0))
    model = Linear(parameters, make_bins(20), np.zeros(20), slope, np.zeros(20))
    with jax.enable_x64(True):
        problem = BinnedProblem(model, measure(model, np.zeros(2), np.full(20, 0.3158)))
    covariance = closed_form(model, problem.measured)[1]
    assert covariance[0, 1] / covariance[0, 0] < -0.99
    assert np.sqrt(covariance[0, 0]) == pytest.approx(1.0, abs=0.02)
    tune = fit(problem, FitConfig(starts=1, minos=False))
    posterior = sample_posterior(jax.random.key(6), problem, PosteriorConfig(), tune)
    assert posterior.converged, posterior.notes
    assert (np.abs(posterior.draws) < 3).all()
    # the limits cut the long axis at 3 of its standard deviations
    tails = min(d.ess_tail for d in posterior.diagnoses.values())
    expected = np.sqrt(covariance[0, 0]) * stats.truncnorm(-3, 3).std()
    np.testing.assert_allclose(posterior.errors, expected, rtol=4 / np.sqrt(2 * tails))


def test_a_limit_cuts_the_gaussian_off():
    model = linear_model()
    measured = noisy(model)
    mean, covariance = closed_form(model, measured)
    errors = np.sqrt(np.diag(covariance))
    edge = mean[0] - 0.5 * errors[0]  # half a standard deviation below the unlimited minimum
    problem = BinnedProblem(model, measured, limits={"Shower:alpha": (0.0, float(edge))})
    tune = fit(problem, FitConfig(starts=2, minos=False))
    assert tune.at_limit == ("Shower:alpha",)
    posterior = sample_posterior(jax.random.key(1), problem, CONFIG, tune)
    assert posterior.converged, posterior.notes
    assert posterior.draws[:, 0].max() <= edge
    cut = stats.truncnorm(-np.inf, -0.5, mean[0], errors[0])
    slope = covariance[0, 1] / covariance[0, 0]  # the other parameter follows linearly
    expected = np.array([cut.mean(), mean[1] + slope * (cut.mean() - mean[0])])
    rest = covariance[1, 1] - slope**2 * covariance[0, 0]
    widths = np.array([cut.std(), np.sqrt(rest + slope**2 * cut.var())])
    ess = np.array([posterior.diagnoses[name].ess_mean for name in posterior.names])
    assert (np.abs(posterior.mean - expected) < 4 * widths / np.sqrt(ess)).all()
    tails = min(d.ess_tail for d in posterior.diagnoses.values())
    np.testing.assert_allclose(posterior.errors, widths, rtol=4 / np.sqrt(tails))
    ends = cut.ppf([0.15865, 0.84135])
    np.testing.assert_allclose(posterior.intervals()[0], ends, atol=0.1 * cut.std())


@pytest.mark.slow
def test_a_fixed_parameter_stays_v_is_held_and_the_same_key_gives_the_same_draws():
    model = linear_model(error=0.2)
    problem = BinnedProblem(model, noisy(model), fixed={"String:sigma": 1.4}, model_error=False)
    config, tune = PosteriorConfig(warmup=50, samples=150, chains=2), fit(problem, FitConfig(starts=1, minos=False))
    first, second = (sample_posterior(jax.random.key(9), problem, config, tune) for _ in range(2))
    np.testing.assert_array_equal(first.samples, second.samples)
    assert first.free == ("Shower:alpha",)
    np.testing.assert_allclose(first.samples[:, :, 1], 1.4, rtol=1e-12)
    assert first.errors[1] == pytest.approx(0, abs=1e-12)
    precision = np.sum(model.slope[:, 0] ** 2 / problem.measured.errors**2)
    d = first.diagnoses["Shower:alpha"]
    assert first.mean[0] == pytest.approx(tune.values[0], abs=4 / np.sqrt(precision * d.ess_mean))
    assert first.errors[0] == pytest.approx(1 / np.sqrt(precision), rel=4 / np.sqrt(2 * d.ess_tail))
    assert not first.converged  # 300 draws are too few, and that is said
    assert any("effective sample size" in note for note in first.notes)
    assert "(fixed)" in str(first)


def test_two_minima_are_flagged():
    bins = make_bins(6)
    model = Formula((Parameter("x", -2.0, 2.5),), bins, lambda theta: jnp.full(6, theta[0] ** 2))
    with jax.enable_x64(True):
        problem = BinnedProblem(model, measure(model, np.array([1.0]), np.full(6, 0.1)))
    tune = fit(problem, FitConfig(starts=8, minos=False))
    posterior = sample_posterior(jax.random.key(4), problem, PosteriorConfig(warmup=100, samples=200), tune)
    assert set(np.sign(posterior.samples[:, -1, 0])) == {-1.0, 1.0}  # chains sit in both
    assert posterior.diagnoses["x"].r_hat > 1.5
    assert any("the chains do not agree" in note for note in posterior.notes)


def test_the_judge_tells_good_chains_from_bad():
    rng = np.random.default_rng(3)
    good = rng.normal(0, 1, (4, 1000))
    d = diagnose(good)
    assert d.r_hat < 1.01
    assert d.ess == pytest.approx(4000, rel=0.15)
    assert convergence_notes({"x": d}, 0) == ()
    shifted = good + np.array([0.0, 0.0, 0.0, 0.5])[:, None]
    assert diagnose(shifted).r_hat > 1.02
    wider = good * np.array([1.0, 1.0, 1.0, 2.0])[:, None]  # same means: only distances from the median tell
    assert diagnose(wider).r_hat > 1.02
    slow = np.zeros((4, 1000))
    for i in range(1, 1000):  # autoregressive with 0.9: ESS = n (1 - 0.9) / (1 + 0.9)
        slow[:, i] = 0.9 * slow[:, i - 1] + rng.normal(0, 1, 4)
    assert diagnose(slow).ess_mean == pytest.approx(4000 * 0.1 / 1.9, rel=0.3)
    assert any("draw more" in note for note in convergence_notes({"x": diagnose(slow)}, 0))
    assert convergence_notes({"x": diagnose(np.ones((4, 100)))}, 0) != ()
    assert convergence_notes({"x": d}, 3) == ("3 trajectories diverged: raise target_accept",)


def test_diagnostics_are_those_of_arviz():
    arviz = pytest.importorskip("arviz", reason="arviz is not installed", exc_type=(ImportError, Warning))
    rng = np.random.default_rng(4)
    x = rng.normal(0, 1, (4, 500)).cumsum(axis=1) * 0.05 + rng.standard_t(3, (4, 500))
    d = diagnose(x)
    assert d.r_hat == pytest.approx(float(arviz.rhat(x)), rel=1e-6)
    assert d.ess == pytest.approx(float(arviz.ess(x, method="bulk")), rel=0.02)
    assert d.ess_tail == pytest.approx(float(arviz.ess(x, method="tail", prob=(0.05, 0.95))), rel=0.05)
    assert d.ess_mean == pytest.approx(float(arviz.ess(x, method="mean")), rel=0.02)


def test_files_can_be_read_again(linear, tmp_path):
    _, _, posterior, _ = linear
    posterior.save(tmp_path / "posterior.npz")
    again = load_posterior(tmp_path / "posterior.npz")
    assert isinstance(again, Posterior)
    for name in ("samples", "minus_two_log", "diverging", "acceptance", "steps"):
        np.testing.assert_array_equal(getattr(again, name), getattr(posterior, name))
    assert (again.parameters, again.free) == (posterior.parameters, posterior.free)
    assert (again.diagnoses, again.notes) == (posterior.diagnoses, posterior.notes)
    write_arviz(tmp_path / "posterior.json", arviz_groups(posterior))
    read = json.loads((tmp_path / "posterior.json").read_text())
    assert {group: {name: np.shape(x) for name, x in members.items()} for group, members in read.items()} == {
        "posterior": dict.fromkeys(posterior.names, (4, 1000)),
        "sample_stats": dict.fromkeys(("lp", "diverging", "acceptance_rate", "n_steps"), (4, 1000)),
    }
    assert read["posterior"]["Shower:alpha"][2][10] == posterior.samples[2, 10, 0]
    with pytest.raises(InputError, match=r"\.npz"):
        posterior.save(tmp_path / "posterior.nc")
    with pytest.raises(InputError, match=r"\.json"):
        write_arviz(tmp_path / "posterior.nc", {})
    with pytest.raises(InputError, match="not a posterior"):
        load_posterior(tmp_path / "posterior.json")


def left_out(problem, i):
    """log density of the datum i of a linear model, given a fit to all others, uniform prior."""
    model, measured = problem.model, problem.measured
    rest = np.arange(len(measured.values)) != i
    variance = measured.errors**2 + model.error**2
    slope, r = model.slope, measured.values - model.offset
    covariance = np.linalg.inv(slope[rest].T @ (slope[rest] / variance[rest, None]))
    mean = covariance @ slope[rest].T @ (r[rest] / variance[rest])
    return stats.norm(slope[i] @ mean, np.sqrt(variance[i] + slope[i] @ covariance @ slope[i])).logpdf(r[i])


def test_arviz_reads_it(linear, tmp_path):
    arviz = pytest.importorskip("arviz", reason="arviz is not installed", exc_type=(ImportError, Warning))
    problem, _, posterior, _ = linear
    summary = arviz.summary(to_arviz(arviz_groups(posterior)), round_to="none")
    np.testing.assert_allclose(summary["mean"], posterior.mean, rtol=1e-12)
    made = predictive(jax.random.key(3), posterior, problem)
    write_arviz(tmp_path / "posterior.json", arviz_groups(posterior, made, problem.measured))
    read = read_arviz(tmp_path / "posterior.json")
    np.testing.assert_array_equal(read.posterior["String:sigma"].values, posterior.samples[:, :, 1])
    assert int(read.sample_stats["diverging"].sum()) == posterior.divergences
    np.testing.assert_array_equal(read.observed_data["contents"].values, problem.measured.values)
    assert list(read.posterior_predictive["bin"].values) == problem.measured.bins.labels()
    assert read.posterior_predictive["contents"].shape == (4, 1000, 20)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a bin that matters much is told in pareto_k
        loo = arviz.loo(read, pointwise=True)
    good = loo.pareto_k.values < 0.5
    assert good.sum() > 10
    exact = np.array([left_out(problem, i) for i in range(20)])
    each = loo.loo_i if hasattr(loo, "loo_i") else loo.elpd_i  # arviz 0.x, 1.x
    np.testing.assert_allclose(each.values[good], exact[good], atol=0.1)
    if hasattr(arviz, "from_json"):
        theirs = arviz.from_json(str(tmp_path / "posterior.json"))
        np.testing.assert_array_equal(theirs.posterior["String:sigma"].values, posterior.samples[:, :, 1])
    fewer = arviz_groups(posterior, predictive(jax.random.key(3), posterior, problem, 100), problem.measured)
    assert "log_likelihood" not in fewer  # arviz.loo would pair it with other draws
    assert fewer["posterior_predictive"]["contents"].shape == (4, 100, 20)


def test_files_that_are_no_posterior_are_refused(tmp_path):
    pytest.importorskip("arviz", reason="arviz is not installed", exc_type=(ImportError, Warning))
    odd = (
        '{"posterior": {"a": [[1, 2], [3]]}}',
        '{"posterior": {"a": [[[1, 2]]]}, "coords": {"bin": ["x"]}, "dims": {"a": ["bin"]}}',
        '{"posterior": {"a": [[1]]}, "coords": 1.0}',
        '{"posterior": {"a": [[[1, 2]]]}, "dims": {"a": "é"}}',
        '{"posterior": {"a": [[1]]}, "sample_stats": 7}',
    )
    for content in ("{}", "[1]", '{"posterior": 1}', "[" * 100_000, "{", *odd):
        (tmp_path / "p.json").write_text(content)
        with pytest.raises(InputError, match=r"p.json: not a posterior that was written for arviz"):
            read_arviz(tmp_path / "p.json")


def test_predictions_spread_as_the_parameters_and_the_model_do(linear):
    problem, _, posterior, (mean, covariance) = linear
    made = predictive(jax.random.key(3), posterior, problem)
    assert made.values.shape == (4, 1000, 20)
    np.testing.assert_array_equal(made.theta, posterior.samples)
    model = problem.model
    expected = model.slope @ covariance @ model.slope.T + np.diag(model.error**2)
    center = model.offset + model.slope @ mean
    for drawn, spread in ((made.values, expected), (made.repeated, expected + np.diag(problem.measured.errors**2))):
        flat, errors = drawn.reshape(-1, 20), np.sqrt(np.diag(spread))
        assert (np.abs(flat.mean(axis=0) - center) < 4.5 * errors / np.sqrt(1500)).all()
        tolerance = 5 * np.sqrt(2 / 1500) * np.outer(errors, errors)
        assert (np.abs(np.cov(flat, rowvar=False) - spread) < tolerance).all()


def test_what_a_bin_adds_is_its_density_given_all_others(linear):
    problem, _, posterior, _ = linear
    shifts = 0.1 * np.ones((1, 20))  # one source of error that moves all bins together
    problem = replace(problem, measured=replace(problem.measured, shifts=shifts, names=("scale",)))
    made = predictive(jax.random.key(3), posterior, problem, 3)
    model = problem.model
    v = problem.measured.covariance(None) + np.diag(model.error**2)
    for theta, found in zip(made.theta[1], made.log_likelihood[1], strict=True):
        r = problem.measured.values - model.offset - model.slope @ theta
        for i in (0, 7, 19):
            rest = np.arange(20) != i
            weight = np.linalg.solve(v[np.ix_(rest, rest)], v[rest, i])
            expected = stats.norm(weight @ r[rest], np.sqrt(v[i, i] - weight @ v[rest, i])).logpdf(r[i])
            assert found[i] == pytest.approx(expected, abs=1e-8)


def test_the_p_value_tells_whether_the_data_look_like_the_model(linear):
    problem, tune, posterior, _ = linear
    good = predictive(jax.random.key(3), posterior, problem, 250)
    # chi2 at a draw is that at the minimum and a chi2 with two degrees of freedom
    rise = stats.chi2(2).ppf((np.arange(2000) + 0.5) / 2000)
    assert good.p_value == pytest.approx(stats.chi2.sf(tune.chi2 + rise, 20).mean(), abs=0.02)
    measured = problem.measured
    worse = replace(measured, values=measured.values + 0.6 * (-1.0) ** np.arange(20))
    assert predictive(jax.random.key(3), posterior, replace(problem, measured=worse), 50).p_value < 1e-3


def test_bad_input_is_refused(linear):
    problem, _, posterior, _ = linear
    weighted = replace(problem.measured, weights=np.full(20, 2.0))
    with pytest.raises(InputError, match="weights other than 1"):
        sample_posterior(jax.random.key(1), replace(problem, measured=weighted), CONFIG)
    with pytest.raises(InputError, match="at least one"):
        predictive(jax.random.key(1), posterior, problem, 0)
    other = replace(linear_model(), parameters=(Parameter("a", 0.0, 1.0), Parameter("b", 0.0, 1.0)))
    with pytest.raises(InputError, match="different parameters"):
        predictive(jax.random.key(1), posterior, replace(problem, model=other), 10)


def test_nothing_global_changes():
    code = (
        "import warnings, jax, sbitune.fitting.minimise.minimiser; before = list(warnings.filters);"
        "from sbitune.fitting.sampling.posterior import sample_posterior;"
        "from sbitune.fitting.sampling.target import import_numpyro;"
        "import_numpyro(); assert warnings.filters == before; assert not jax.config.jax_enable_x64; print('same')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "same"
