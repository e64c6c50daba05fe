"""Gaussian processes against the textbook, components against what is known of them."""

import jax
import numpy as np
import pytest
from helpers.smoothscan import probabilities, smooth_scan

from sbitune.data.bins import Bins
from sbitune.data.parameter import Parameter
from sbitune.data.scan import Scan
from sbitune.tuning.surrogates.components.components import make_components
from sbitune.tuning.surrogates.forms.kernel import Form, kernel
from sbitune.tuning.surrogates.gaussian.config import GaussianConfig
from sbitune.tuning.surrogates.gaussian.fit import fit_gaussian
from sbitune.tuning.surrogates.gaussian.kernels import Free, Runs, decompose, fit_kernel, round_form
from sbitune.tuning.surrogates.gaussian.marginal import best_scales, kernel_gradient
from sbitune.tuning.surrogates.heldout.evaluation import evaluate
from sbitune.tuning.surrogates.polynomial.config import PolynomialConfig
from sbitune.tuning.surrogates.training import train

BOX = (Parameter("a", 0.0, 2.0), Parameter("b", -1.0, 1.0))


def scan_of(values: np.ndarray, errors: np.ndarray, theta: np.ndarray, correlation=None) -> Scan:
    n = values.shape[1]
    bins = Bins(np.full(n, "/toy"), np.arange(n), np.arange(n), np.arange(n) + 1)
    runs = tuple(f"{i:04d}" for i in range(len(theta)))
    return Scan(BOX, theta, values, errors, bins, runs, correlation)


def points(n: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).uniform([0, -1], [2, 1], (n, 2))


def test_prediction_is_that_of_the_textbook() -> None:
    # Rasmussen & Williams, eqs. 2.25 and 2.26, with the amplitude, noise and kernel that the fit chose
    theta = points(40)
    u = theta - [1, 0]
    random = np.random.default_rng(2)
    values = np.sin(2 * u[:, :1]) + u[:, 1:] ** 2 + random.normal(0, 0.1, (40, 1))
    scan = scan_of(values, np.full((40, 1), 0.1), theta)
    surrogate = fit_gaussian(scan, GaussianConfig(groups=1, log_inputs=False), 1, "linear")
    post, x = surrogate.posterior, surrogate.inputs
    k = post.amplitude[0] * kernel(x, x, post.forms[0])
    nu = 0.1**2 / post.scale[0] ** 2 + post.extra[0]
    y = (values[:, 0] - post.shift[0]) / post.scale[0]
    new = np.array([[0.3, 0.4], [1.9, -0.9]])
    across = post.amplitude[0] * kernel(new - [1, 0], x, post.forms[0])
    mean = across @ np.linalg.solve(k + nu * np.eye(40), y)
    prior = post.amplitude[0] * np.diag(kernel(new - [1, 0], new - [1, 0], post.forms[0]))
    variance = prior - np.sum(across * np.linalg.solve(k + nu * np.eye(40), across.T).T, axis=1) + post.extra[0]
    found = surrogate.predict_many(new)
    np.testing.assert_allclose(found.mean[:, 0], mean * post.scale[0] + post.shift[0], rtol=1e-3)
    np.testing.assert_allclose(found.error[:, 0], np.sqrt(variance) * post.scale[0], rtol=1e-2)


def test_the_gradient_of_the_marginal_likelihood_is_that_of_differences() -> None:
    random = np.random.default_rng(3)
    x, y, noise = random.uniform(-1, 1, (30, 2)), random.normal(size=(30, 3)), np.array([0.1, 0.3, 0.5])
    direction = random.normal(size=(30, 30))
    direction += direction.T
    matrix = kernel(x, x, Form(np.diag(np.exp([-0.1, -0.2])), np.exp(-1.0))) + 0.5 * np.eye(30)
    eigenvalues, vectors = decompose(matrix)
    scales = best_scales(eigenvalues, vectors.T @ y, noise, extra=False)
    slope = np.sum(kernel_gradient(vectors, eigenvalues, vectors.T @ y, scales, noise) * direction)

    def density(step: float) -> float:
        total = 0.0
        for b in range(3):
            v = scales.amplitude[b] * (matrix + step * direction) + noise[b] * np.eye(30)
            total -= 0.5 * (y[:, b] @ np.linalg.solve(v, y[:, b]) + np.linalg.slogdet(v)[1])
        return total

    assert slope == pytest.approx((density(1e-5) - density(-1e-5)) / 2e-5, rel=1e-5)


def test_scales_are_where_the_likelihood_is_highest() -> None:
    random = np.random.default_rng(4)
    eigenvalues = np.geomspace(1e-3, 30, 60)
    z = random.normal(size=(60, 2)) * np.sqrt(np.array([2.0, 0.5]) * eigenvalues[:, None] + 0.2)
    found = best_scales(eigenvalues, z, np.full(2, 0.2), extra=False)
    for b in range(2):
        grid = found.amplitude[b] * np.geomspace(0.5, 2, 41)
        d = grid * eigenvalues[:, None] + 0.2
        density = -0.5 * np.sum(z[:, b : b + 1] ** 2 / d + np.log(d), axis=0)
        assert np.argmax(density) == pytest.approx(20, abs=1)
        assert found.log_density[b] == pytest.approx(density.max(), abs=1e-3)


def test_an_irrelevant_input_gets_a_long_length() -> None:
    random = np.random.default_rng(5)
    x = random.uniform(-1, 1, (80, 2))
    y = np.sin(3 * x[:, :1]) + random.normal(0, 0.05, (80, 1))
    form = fit_kernel(Runs(x, y - y.mean(), np.ones(len(x))), np.array([0.0025]), round_form(2, 2.0), 60, tilted=False)
    assert form.metric[0, 0] > 5 * form.metric[1, 1]


def test_axes_turn_to_where_a_function_varies() -> None:
    random = np.random.default_rng(5)
    x = random.uniform(-1, 1, (100, 2))
    y = np.sin(2 * (x[:, :1] + x[:, 1:])) + random.normal(0, 0.05, (100, 1))
    form = fit_kernel(Runs(x, y - y.mean(), np.ones(len(x))), np.array([0.0025]), round_form(2, 2.0), 60, tilted=True)
    values, vectors = np.linalg.eigh(form.metric @ form.metric.T)
    assert values[1] > 25 * values[0]  # five times longer across
    assert abs(vectors[:, 1] @ [np.sqrt(0.5), np.sqrt(0.5)]) > 0.99


def test_the_slope_of_the_marginal_likelihood_in_the_form_is_that_of_differences() -> None:
    random = np.random.default_rng(6)
    x, y, noise = random.uniform(-1, 1, (30, 3)), random.normal(size=(30, 2)), np.array([0.1, 0.3])
    runs = Runs(x, y, random.uniform(0.3, 3, 30))
    free = Free(Form(np.tril(random.normal(size=(3, 3))) + 2 * np.eye(3), 0.7), tilted=True)
    slope = free.loss(runs, noise, free.start)[1]
    for i, step in enumerate(1e-5 * np.eye(len(free.start))):
        up, down = (free.loss(runs, noise, free.start + s)[0] for s in (step, -step))
        assert slope[i] == pytest.approx((up - down) / 2e-5, rel=2e-3, abs=1e-6)  # scales are at their best to 1e-3


def many_bins(n_runs: int, n_bins: int, seed: int) -> tuple[Scan, np.ndarray, np.ndarray]:
    """Bins that move along two directions, noise that neighbours share; also the slopes and the noise's covariance."""
    random = np.random.default_rng(seed)
    theta = points(n_runs, seed)
    slopes = np.outer([1.0, 0.0], np.sin(np.arange(n_bins))) + np.outer([0.0, 1.0], np.cos(np.arange(n_bins) / 3))
    correlation = 0.9 ** np.abs(np.subtract.outer(np.arange(n_bins), np.arange(n_bins)))
    noise = random.normal(size=(n_runs, n_bins)) @ np.linalg.cholesky(correlation).T
    values = 50 + (theta - [1, 0]) @ slopes + noise
    return scan_of(values, np.ones_like(values), theta, correlation), slopes, correlation


def test_components_are_the_directions_that_respond() -> None:
    scan, slopes, correlation = many_bins(100, 60, 6)
    reduced = make_components(scan, "linear", correlation)
    assert len(reduced.components.loadings) == 2
    assert reduced.left is None
    # the slopes lie in the span of the loadings, up to the noise of 100 runs
    part = np.linalg.lstsq(reduced.components.loadings.T, slopes.T, rcond=None)[0]
    white = np.linalg.solve(np.linalg.cholesky(correlation), slopes.T - reduced.components.loadings.T @ part)
    assert np.sqrt(np.mean(white**2)) < 3 / np.sqrt(100 / 3)


@pytest.mark.slow
def test_a_smooth_scan_is_learnt_to_its_noise() -> None:
    scan = smooth_scan(240, 100_000, 3)
    held, used = scan.split(scan.runs[40:])
    for config in (GaussianConfig(), GaussianConfig(components=False)):
        surrogate = train(jax.random.key(1), used, config)
        found = evaluate(surrogate, held)
        assert found.rms_pull < 1.25
        assert 0.8 < found.pull_width < 1.1  # wider than bins need, as parameters need it
        # against the closed form: what is left is the surrogate's own error
        width = scan.bins.high - scan.bins.low
        exact = np.array([probabilities(theta) for theta in held.theta[:60]])
        off = surrogate.predict_many(held.theta[:60]).mean * width - exact
        assert np.sqrt(np.mean(off**2 / (exact / 100_000))) < 0.85  # measured: 0.69, and 0.51 for bins alone


def test_the_covariance_has_the_errors_on_its_diagonal_and_is_positive() -> None:
    scan, _, _ = many_bins(40, 12, 8)
    for config in (GaussianConfig(), GaussianConfig(components=False, groups=2), PolynomialConfig(order=2)):
        surrogate = train(jax.random.key(1), scan, config)
        theta, indices = np.array([0.4, 0.3]), np.arange(2, 12, 3)
        with jax.enable_x64(True):
            v = np.asarray(surrogate.covariance(theta, indices))
            error = np.asarray(surrogate.predict(theta).error)[indices]
        np.testing.assert_allclose(np.sqrt(np.diag(v)), error, rtol=1e-9)
        assert np.linalg.eigvalsh(v).min() > -1e-12 * error.max() ** 2


def test_an_order_that_hardly_fits_the_runs_is_learnt_all_the_same() -> None:
    scan, _, _ = many_bins(27, 12, 9)
    surrogate = train(jax.random.key(1), scan, PolynomialConfig(order=5))  # 21 terms; three quarters of 27 are 20
    assert np.isfinite(surrogate.predict_many(scan.theta).error).all()
