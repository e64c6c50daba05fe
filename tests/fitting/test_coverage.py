"""Coverage of known truths: exact errors, errors too small and too large told apart; limits treated as they must be."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.toys import Formula, linear_model, make_bins, measure
from scipy import stats

from sbitune.data.parameter import Parameter
from sbitune.fitting.checks.bounded import draw_bounded
from sbitune.fitting.checks.coverage import collect, coverage_of_toys, fit_known
from sbitune.fitting.likelihood.problem import BinnedProblem
from sbitune.fitting.sampling.importance import sample, to_root

TRUTH = np.array([0.8, 1.5])
N = 150


def covered(scale: float, truth: np.ndarray = TRUTH, thorough: bool = False):
    """Data that scatter by 0.3, fitted with errors of 0.3 scale."""
    model = linear_model(n_bins=8)
    with jax.enable_x64(True):
        measured = measure(model, truth, np.full(8, 0.3))
    data = measured.values + np.random.default_rng(3).normal(0, 0.3, (N, 8))
    problem = BinnedProblem(model, replace(measured, errors=measured.errors * scale))
    fits = fit_known(problem, truth, data, thorough)
    return collect(problem, [str(i) for i in range(N)], np.tile(truth, (N, 1)), fits)


def test_exact_errors_are_found_exact() -> None:
    found = covered(1.0)
    figures = found.figures()
    assert figures["failed"] == 0
    assert figures["warnings"] == []
    # 300 roots, independent between the fits
    assert figures["coverage68"] == pytest.approx(0.683, abs=3 * 0.038)
    assert figures["coverage95"] == pytest.approx(0.95, abs=3 * 0.018)
    np.testing.assert_allclose(found.width, 1, atol=3.5 / np.sqrt(2 * N))


@pytest.mark.parametrize(("scale", "words", "width"), [(0.5, "too small", 2.0), (2.0, "too large", 0.5)])
def test_wrong_errors_are_told_apart(scale: float, words: str, width: float) -> None:
    figures = covered(scale).figures()
    assert any(words in warning for warning in figures["warnings"])
    assert figures["pull_width"] == pytest.approx(width, rel=0.2)


@pytest.mark.parametrize("weights", [np.full(8, 2.0), np.array([3.0, 1, 1, 1, 1, 1, 1, 3.0])], ids=["all", "some"])
@pytest.mark.parametrize("spread", [True, False])
def test_weights_do_not_change_what_errors_claim(weights: np.ndarray, spread: bool) -> None:
    """Roots are (fitted - true) / error with the error of the sandwich, which knows that data scatter by 0.3."""
    model = linear_model(n_bins=8)
    with jax.enable_x64(True):
        measured = measure(model, TRUTH, np.full(8, 0.3))
    data = measured.values + np.random.default_rng(3).normal(0, 0.3, (N, 8))
    problem = BinnedProblem(model, replace(measured, weights=weights))
    fits = fit_known(problem, TRUTH, data, thorough=False, spread=spread)
    found = collect(problem, [str(i) for i in range(N)], np.tile(TRUTH, (N, 1)), fits)
    np.testing.assert_allclose(found.width, 1, atol=3.5 / np.sqrt(2 * N))
    assert found.figures()["warnings"] == []
    if weights[1] == weights[0]:
        unit = fit_known(replace(problem, measured=measured), TRUTH, data[:5], thorough=False, spread=False)
        same = collect(problem, list("abcde"), np.tile(TRUTH, (5, 1)), unit)
        np.testing.assert_allclose(found.values[:5], same.values, atol=1e-3)
        if not spread:
            np.testing.assert_allclose(found.roots[:5], same.roots, atol=0.02)


@pytest.mark.parametrize(("scale", "words"), [(1.5, "errors of b are too small"), (0.6, "errors of b are too large")])
def test_errors_of_a_single_parameter_are_told_apart(scale: float, words: str) -> None:
    """Over all parameters that are too small and too large they may look right."""
    exact = covered(1.0)
    roots = np.random.default_rng(5).normal(size=(100, 3))
    many = replace(exact, names=("a", "b", "c"), values=np.zeros((100, 3)), roots=roots)
    assert many.warnings() == []
    said = replace(many, roots=roots * [1.0, scale, 1.0]).warnings()
    assert any(word.startswith(words) for word in said)
    assert not any("of a are" in word or "of c are" in word for word in said)


def test_roots_inside_are_pulls() -> None:
    found = covered(1.0)
    model = linear_model(n_bins=8)
    covariance = 0.09 * np.linalg.inv(model.slope.T @ model.slope)
    pulls = (found.values - TRUTH) / np.sqrt(np.diag(covariance))
    # a limit is within four errors of some: theirs come from some hundred points of the posterior
    assert np.sqrt(np.mean((found.roots - pulls) ** 2)) < 0.12
    assert np.median(np.abs(found.roots - pulls)) < 0.05


def test_a_thorough_fit_finds_the_same() -> None:
    model = linear_model(n_bins=8)
    with jax.enable_x64(True):
        measured = measure(model, TRUTH, np.full(8, 0.3), np.linspace(-0.2, 0.2, 8))
    quick, thorough = (
        fit_known(BinnedProblem(model, measured), TRUTH, [measured.values], how)[0] for how in (False, True)
    )
    np.testing.assert_allclose(quick.values, thorough.values, atol=1e-4)


def test_truths_all_over_a_narrow_box_are_covered_as_claimed() -> None:
    # the box is as wide as the errors: intervals by a rise of 1 would hold nearly every truth
    model = linear_model(n_bins=8)
    covariance = 0.09 * np.linalg.inv(model.slope.T @ model.slope)
    half = np.sqrt(np.diag(covariance))
    limits = {p.name: (t - h, t + h) for p, t, h in zip(model.parameters, TRUTH, half, strict=True)}
    random = np.random.default_rng(5)
    truths, fits = TRUTH + half * random.uniform(-1, 1, (N, 2)), []
    for truth in truths:
        with jax.enable_x64(True):
            measured = measure(model, truth, np.full(8, 0.3), random.normal(0, 0.3, 8))
        problem = BinnedProblem(model, measured, limits=limits)
        fits += fit_known(problem, truth, [measured.values], thorough=False)
    found = collect(problem, [str(i) for i in range(N)], truths, fits)
    assert found.figures()["coverage68"] == pytest.approx(0.683, abs=3 * 0.038)
    assert found.rough == 0
    assert found.at_limit.mean() > 0.2


def test_importance_sampling_knows_a_gaussian_cut_off_at_a_limit() -> None:
    # N(0, 1) within [0, 3]: the median is at the quantile 0.5 (1 + Phi(3) - ...) of the whole
    found = sample(lambda u: np.sum(u**2, axis=1), np.zeros(1), np.eye(1), np.array([[0.0, 3.0]]), seed=4)
    from scipy import stats

    median = stats.norm.ppf(0.5 * (stats.norm.cdf(0) + stats.norm.cdf(3)))
    below = found.below(np.array([median]))
    assert below[0] == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(found.effective))
    assert found.effective > 300
    assert to_root(np.array([0.5]), 100)[0] == pytest.approx(0)
    assert to_root(np.array([0.8413]), 1000)[0] == pytest.approx(-1, abs=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("away", [0.0, 0.5])
def test_toys_of_a_truth_at_its_limit_are_covered_as_claimed(away: float) -> None:
    """Both parameters within a standard deviation of a limit, one below and one above."""
    model = linear_model(n_bins=8)
    errors = np.sqrt(np.diag(0.09 * np.linalg.inv(model.slope.T @ model.slope)))
    ends = TRUTH + np.array([-away, away]) * errors
    limits = {"Shower:alpha": (ends[0], 2.0), "String:sigma": (-3.0, ends[1])}
    with jax.enable_x64(True):
        measured = measure(model, TRUTH, np.full(8, 0.3))
    data = measured.values + np.random.default_rng(3).normal(0, 0.3, (4 * N, 8))

    def found(scale: float):
        problem = BinnedProblem(model, replace(measured, errors=measured.errors * scale), limits=limits)
        fits = fit_known(problem, TRUTH, data, thorough=False, spread=False)
        return collect(problem, [str(i) for i in range(len(data))], np.tile(TRUTH, (len(data), 1)), fits)

    exact = found(1.0)
    assert exact.figures()["warnings"] == []
    assert exact.at_limit.mean() > 0.25
    np.testing.assert_allclose(exact.width, 1, atol=3.5 / np.sqrt(8 * N))
    np.testing.assert_allclose(exact.bias, 0, atol=3.5 / np.sqrt(4 * N))
    assert any("too small" in warning for warning in found(0.4).figures()["warnings"])
    assert any("too large" in warning for warning in found(2.5).figures()["warnings"])


def test_of_a_truth_on_a_limit_half_of_all_fits_end_there() -> None:
    found = draw_bounded(np.array([[4.0]]), np.array([-1.0]), np.array([[-1.0, 50.0]]), seed=1)
    t = found.sorted_t[0]
    # Chernoff's mixture: 0 in half of all cases, a half normal variable in the others
    assert np.mean(t == 0) == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(len(t)))
    assert np.mean(t < 1) == pytest.approx(stats.norm.cdf(1), abs=4 * 0.37 / np.sqrt(len(t)))


def test_a_minimum_near_the_middle_is_not_taken_for_the_lowest() -> None:
    """Half of the bins repeat themselves along the parameter, which makes minima that the other half tells apart."""

    def wave(theta):
        return jnp.concatenate([jnp.full(4, theta[0] + 1.2 * jnp.sin(3 * theta[0])), jnp.full(4, theta[0])])

    model = Formula((Parameter("x", -2.5, 2.5),), make_bins(8), wave)
    truth = np.array([1.8])
    with jax.enable_x64(True):
        problem = BinnedProblem(model, measure(model, truth, np.repeat([0.4, 0.8], 4)))
    found = coverage_of_toys(jax.random.key(1), problem, truth, 200)
    assert not found.failed
    assert np.median(found.values) == pytest.approx(1.8, abs=0.05)  # from the middle alone: 0.23
    assert found.width[0] == pytest.approx(1, abs=4 / np.sqrt(400))
    assert found.inside(1.0).mean() == pytest.approx(0.683, abs=4 * np.sqrt(0.683 * 0.317 / 200))


def test_of_very_many_bins_toys_share_the_covariance_of_their_truth() -> None:
    model = linear_model(n_bins=620, error=0.2)
    with jax.enable_x64(True):
        problem = BinnedProblem(model, measure(model, TRUTH, np.full(620, 0.3)))
    found = coverage_of_toys(jax.random.key(2), problem, TRUTH, 60)
    assert not found.failed
    assert found.width == pytest.approx(np.ones(2), abs=4 / np.sqrt(120))
    assert np.abs(found.bias).max() < 4 / np.sqrt(60)
    # chi2 of data that scatter with V, in the covariance V
    assert found.statistic == pytest.approx(1, abs=4 * np.sqrt(2 / 618 / 60))
