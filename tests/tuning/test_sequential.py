"""Sequential design: what a run teaches is what refits with the run say; the choice is the best there is."""

from dataclasses import replace

import jax
import numpy as np
import pytest
from helpers.toys import Formula

from sbitune.data.bins import Bins
from sbitune.data.errors import InputError
from sbitune.data.parameter import Parameter
from sbitune.data.scan import Scan
from sbitune.fitting.likelihood.measured import Measured
from sbitune.fitting.likelihood.problem import BinnedProblem
from sbitune.tuning.studies.information_gain import find_outputs, make_lever, surrogate_share
from sbitune.tuning.studies.sequential import posterior_points, propose
from sbitune.tuning.surrogates.forms.kernel import kernel
from sbitune.tuning.surrogates.gaussian.config import GaussianConfig
from sbitune.tuning.surrogates.gaussian.fit import fit_gaussian
from sbitune.tuning.surrogates.polynomial.config import PolynomialConfig
from sbitune.tuning.surrogates.polynomial.fit import fit_polynomial
from sbitune.tuning.surrogates.regression.inputs import make_features
from sbitune.tuning.surrogates.regression.noise import loudness
from sbitune.tuning.surrogates.regression.outputs import make_targets
from sbitune.tuning.surrogates.training import train

BOX = (Parameter("a", 1.0, 3.0), Parameter("b", -10.0, 10.0))
LOW, HIGH = np.array([(p.low, p.high) for p in BOX]).T
SLOPES = np.random.default_rng(5).normal(size=(12, 2))
NOISE = 0.3
TUNE = np.array([1.6, 3.0])


def response(theta: np.ndarray) -> np.ndarray:
    return 10 + 2 * ((theta - LOW) / (HIGH - LOW) - 0.5) @ SLOPES.T


def bins_of(n: int) -> Bins:
    k = np.arange(n)
    return Bins(np.full(n, "/TOY/d01"), k, k.astype(float), k + 1.0)


def scan_at(theta: np.ndarray, seed: int | None = None) -> Scan:
    """Straight lines in every bin, with noise or just with its size."""
    values = response(theta)
    if seed is not None:
        values = values + NOISE * np.random.default_rng(seed).normal(size=values.shape)
    names = tuple(f"{i:04d}" for i in range(len(theta)))
    return Scan(BOX, theta, values, np.full(values.shape, NOISE), bins_of(12), names)


def points(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(LOW, HIGH, (n, 2))


def data(values: np.ndarray, error: float = 0.2) -> Measured:
    n = len(values)
    return Measured(np.arange(n), bins_of(n), values, np.full(n, error), np.zeros((0, n)), np.ones(n))


def linear_problem(theta: np.ndarray, measured: Measured | None = None) -> BinnedProblem:
    """Least squares of straight lines, whose covariance is known in closed form."""
    model = fit_polynomial(scan_at(theta), 1, shrinkage=False)
    return BinnedProblem(model, measured or data(response(TUNE[None])[0]))


def design_matrix(theta: np.ndarray) -> np.ndarray:
    return np.column_stack([np.ones(len(theta)), 2 * (theta - LOW) / (HIGH - LOW) - 1])


CONFIGS = {
    "gaussian": GaussianConfig(),
    "polynomial": PolynomialConfig(order=2),
    "logarithms": GaussianConfig(scale="log"),
    "gaussian of every bin": GaussianConfig(components=False, groups=2),
    "polynomial of every bin": PolynomialConfig(order=2, components=False),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_covariance_between_points_has_the_predicted_variance_on_its_diagonal(name) -> None:
    scan = scan_at(points(40, 1), seed=2)
    model = train(jax.random.key(1), scan, CONFIGS[name])
    (outputs, *_) = find_outputs(BinnedProblem(model, data(response(TUNE[None])[0])), scan)
    where = points(7, 3)
    k = outputs.covariance(where, where)
    np.testing.assert_allclose(k, k.transpose(0, 2, 1), atol=1e-9 * np.abs(k).max())
    inner, post = outputs.inner, getattr(outputs.inner, "posterior", None)
    beyond = post.extra * post.scale**2 if post else inner.tau**2
    log = post.log if post else inner.log
    mean, error = inner.predict_many(where)
    variance = (error / np.where(log, mean, 1.0)) ** 2 - beyond
    np.testing.assert_allclose(np.einsum("oaa->ao", k), variance, rtol=1e-6, atol=1e-9)
    # and a new run scatters with the Monte Carlo error at least: 1 for components
    least = 1.0 if CONFIGS[name].components else np.mean((NOISE / np.where(log, 10, 1)) ** 2)
    assert (outputs.noise > 0.9 * least).all()


def test_gaussian_covariance_after_a_run_is_that_of_a_process_conditioned_on_it() -> None:
    scan = scan_at(points(30, 1), seed=2)
    model = fit_gaussian(scan, GaussianConfig(components=False, groups=1), 1, "log")
    (outputs,) = find_outputs(BinnedProblem(model, data(response(TUNE[None])[0])), scan)
    x, where = points(1, 8), points(5, 9)
    k, cross, own = (outputs.covariance(*pair) for pair in ((where, where), (where, x), (x, x)))
    after = k - cross @ cross.transpose(0, 2, 1) / (own + outputs.noise[:, None, None])
    post = model.posterior
    theta = np.concatenate([scan.theta, x])
    inputs = make_features(theta, BOX, model.log_inputs, np)
    f = make_features(where, BOX, model.log_inputs, np)
    prior, between = (kernel(inputs, y, post.forms[0]) for y in (inputs, f))
    errors = make_targets(scan, "log").errors
    loud = loudness(errors)
    typical = np.mean((errors / loud[:, None]) ** 2, axis=0)
    for o in range(12):
        scale = post.scale[o] ** 2
        # the runs that were learnt from, each with its own noise, and the new one
        noise = np.append(loud**2 * (typical[o] + post.extra[o] * scale), outputs.noise[o])
        v = post.amplitude[o] * prior + np.diag(noise) / scale
        a = post.amplitude[o] * between
        exact = scale * (post.amplitude[o] * kernel(f, f, post.forms[0]) - a.T @ np.linalg.solve(v, a))
        np.testing.assert_allclose(after[o], exact, rtol=1e-3, atol=1e-3 * exact.max())


def test_share_of_straight_lines_in_closed_form() -> None:
    """C_s = sum_b L_b L_b^T sigma^2 phi^T (X^T X)^-1 phi where the data lie on the model."""
    theta = points(25, 1)
    problem = linear_problem(theta)
    share = surrogate_share(problem, scan_at(theta), TUNE)
    x = design_matrix(theta)
    phi = design_matrix(TUNE[None])[0]
    variance = NOISE**2 * phi @ np.linalg.inv(x.T @ x) @ phi
    slopes = 2 * SLOPES / (HIGH - LOW)
    total = 0.2**2 + variance
    covariance = np.linalg.inv(slopes.T @ slopes) * total
    np.testing.assert_allclose(share.total, covariance, rtol=1e-6)
    np.testing.assert_allclose(share.quoted, covariance * variance / total, rtol=1e-6)
    np.testing.assert_allclose(share.teachable, covariance * variance / total, rtol=1e-6)
    assert share.fraction() == pytest.approx(variance / total, rel=1e-6)
    fixed = surrogate_share(replace(problem, fixed={"b": 3.0}), scan_at(theta), TUNE)
    assert fixed.total[1].tolist() == fixed.teachable[1].tolist() == [0, 0]
    assert fixed.fraction() == pytest.approx(variance / total, rel=1e-6)


def test_share_is_the_scatter_of_tunes_over_scans_also_where_the_data_do_not_fit() -> None:
    """The data lie far from the model, so that errors of the slopes move the tune; scans differ by their noise only."""
    theta = points(60, 1)
    away = np.random.default_rng(3).normal(0, 3.0, 12)
    slopes = 2 * SLOPES / (HIGH - LOW)
    away -= slopes @ np.linalg.lstsq(slopes, away, rcond=None)[0]  # the tune stays
    problem = replace(linear_problem(theta, data(response(TUNE[None])[0] + away)), model_error=False)
    scan = scan_at(theta)
    share = surrogate_share(problem, scan, TUNE)
    random = np.random.default_rng(4)
    x = np.column_stack([np.ones(60), theta])
    n = 4000
    values = scan.values + NOISE * random.normal(size=(n, 60, 12))
    coefficients = np.linalg.pinv(x) @ values  # (n, 3, 12)
    offset, slope = coefficients[:, 0], coefficients[:, 1:].transpose(0, 2, 1)
    r = problem.measured.values - offset
    tunes = np.linalg.solve(slope.transpose(0, 2, 1) @ slope, slope.transpose(0, 2, 1) @ r[:, :, None])[:, :, 0]
    # a variance from n draws is known to sqrt(2/n) = 2 %; beyond first order there are slopes squared
    np.testing.assert_allclose(np.diag(np.cov(tunes.T)), np.diag(share.teachable), rtol=0.12)
    values_only = surrogate_share(linear_problem(theta), scan, TUNE).teachable
    assert (np.diag(share.teachable) > 3 * np.diag(values_only)).all()


def test_expected_share_is_that_of_refits_with_the_proposed_runs() -> None:
    theta = points(25, 1)
    problem = linear_problem(theta, data(response(TUNE[None])[0] + np.random.default_rng(3).normal(0, 1, 12)))
    where = posterior_points(
        jax.random.key(1), problem, TUNE, surrogate_share(problem, scan_at(theta), TUNE).total, n=9
    )
    found = propose(jax.random.key(2), problem, scan_at(theta), where, 5)
    assert found.method == "expected gain"
    lever = make_lever(problem, where.mean(axis=0))

    def share_of(runs: np.ndarray) -> float:
        (outputs,) = find_outputs(linear_problem(runs, problem.measured), scan_at(runs))
        total = 0.0
        for x in where:
            stencil = lever.stencil(x)
            w = lever.weigh(outputs, stencil)
            k = outputs.covariance(stencil, stencil)
            total += np.trace(np.linalg.solve(lever.covariance, (w @ k @ w.transpose(0, 2, 1)).sum(axis=0)))
        return total / len(where) / 2

    # the refit's predictions are the same: the runs lie on the lines
    assert found.before == pytest.approx(share_of(theta), rel=1e-6)
    for i in range(5):
        assert found.after[i] == pytest.approx(share_of(np.concatenate([theta, found.points[: i + 1]])), rel=1e-6)
    # the first is the best of all candidates, by brute force
    candidates = points(40, 6)
    first = propose(jax.random.key(2), problem, scan_at(theta), where, 1, candidates).points[0]
    shares = [share_of(np.concatenate([theta, x[None]])) for x in candidates]
    np.testing.assert_array_equal(first, candidates[np.argmin(shares)])


@pytest.mark.parametrize("name", CONFIGS)
def test_proposed_runs_teach_more_than_as_many_spread_over_the_box(name) -> None:
    theta = points(24, 1)
    scan = scan_at(theta, seed=2)
    measured = data(response(TUNE[None])[0])
    problem = BinnedProblem(train(jax.random.key(1), scan, CONFIGS[name]), measured)
    where = posterior_points(jax.random.key(1), problem, TUNE, surrogate_share(problem, scan, TUNE).total)
    found = propose(jax.random.key(2), problem, scan, where, 8)
    assert ((found.points >= LOW) & (found.points <= HIGH)).all()
    assert len(np.unique(found.points, axis=0)) == 8
    steps = -np.diff([found.before, *found.after])
    assert (steps > 0).all()
    assert (np.diff(steps) < 1e-12).all()  # every run teaches less than the one before it
    random = propose(jax.random.key(2), problem, scan, where, 8, points(8, 7))
    assert random.after[-1] > found.after[-1]
    again = propose(jax.random.key(2), problem, scan, where, 8)
    np.testing.assert_array_equal(found.points, again.points)


def test_without_a_known_covariance_runs_go_to_the_posterior_and_to_empty_space() -> None:
    model = Formula(BOX, bins_of(3), lambda theta: theta[0] * np.arange(1.0, 4.0) + theta[1])
    problem = BinnedProblem(model, data(np.array([4.6, 6.2, 7.8])))
    theta = points(20, 1)
    theta[:, 0] = 1 + 0.4 * (theta[:, 0] - 1)  # nothing beyond a = 1.8
    where = posterior_points(jax.random.key(1), problem, TUNE, np.diag([0.02, 0.3]) ** 2)
    found = propose(jax.random.key(2), problem, scan_at(theta), where, 6)
    assert found.method == "space and posterior"
    assert np.isnan(found.before)
    near, far = found.points[::2], found.points[1::2]
    assert (np.abs(near - TUNE) < 4 * 3 * np.array([0.02, 0.3])).all()
    assert (far[:, 0] > 1.8).all()
    gaps = np.linalg.norm((far[:, None] - far) / (HIGH - LOW), axis=-1)[np.triu_indices(3, 1)]
    assert gaps.min() > 0.2


def test_posterior_points_have_the_moments_of_the_tune_and_keep_to_its_limits() -> None:
    problem = linear_problem(points(25, 1))
    covariance = np.array([[0.01, 0.05], [0.05, 1.0]])
    drawn = posterior_points(jax.random.key(1), problem, TUNE, covariance, n=4000)
    assert (np.abs(drawn.mean(axis=0) - TUNE) < 4 * np.sqrt(np.diag(covariance) / 4000)).all()
    np.testing.assert_allclose(np.cov(drawn.T), covariance, rtol=0.15)
    limited = replace(problem, limits={"a": (1.6, 3.0)})
    half = posterior_points(jax.random.key(1), limited, TUNE, covariance, n=4000)
    assert (half[:, 0] >= 1.6).all()
    # the mean of half a normal distribution is sqrt(2/pi) of its width away
    assert half[:, 0].mean() - 1.6 == pytest.approx(0.1 * np.sqrt(2 / np.pi), abs=0.004)
    fixed = posterior_points(jax.random.key(1), problem, TUNE, np.diag([0.01, 0.0]))
    assert (fixed[:, 1] == 3.0).all()


def test_wrong_candidates_are_named() -> None:
    theta = points(25, 1)
    problem, scan, where = linear_problem(theta), scan_at(theta), TUNE + np.array([[0.0, 0], [0.1, 1], [0.05, 0]])
    with pytest.raises(InputError, match="5 of 3 candidates cannot be chosen"):
        propose(jax.random.key(1), problem, scan, where, 5, points(3, 1))
    outside = points(9, 1)
    outside[4, 1] = 10.5
    with pytest.raises(InputError, match=r"candidate 4: b = 10.5 is not inside \[-10, 10\]"):
        propose(jax.random.key(1), problem, scan, where, 5, outside)
