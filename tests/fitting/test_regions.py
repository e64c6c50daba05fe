"""Coverage of credible regions in all parameters: exact, too narrow, too wide, and what each check cannot see."""

import jax
import numpy as np
import pytest
from scipy import stats

from sbitune.data.errors import InputError
from sbitune.fitting.checks.regions import RegionCoverage, expected_coverage, tarp

KEY = jax.random.key(1)
N_PAIRS, N_DRAWS, N_PARAMETERS = 300, 200, 3


def posteriors(scale: float, seed: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Truths from N(0, 1), x = truth + noise, and draws from N(x / 2, scale^2 / 2): exact for 1. Truths, draws, x."""
    random = np.random.default_rng(seed)
    truth = random.normal(size=(N_PAIRS, N_PARAMETERS))
    x = truth + random.normal(size=truth.shape)
    draws = x[:, None] / 2 + scale / np.sqrt(2) * random.normal(size=(N_PAIRS, N_DRAWS, N_PARAMETERS))
    return truth, draws, x


def by_tarp(scale: float) -> RegionCoverage:
    truth, draws, _ = posteriors(scale)
    return tarp(KEY, truth, draws)


def by_density(scale: float) -> RegionCoverage:
    truth, draws, x = posteriors(scale)
    return expected_coverage(KEY, -np.sum((truth - x / 2) ** 2, -1), -np.sum((draws - x[:, None] / 2) ** 2, -1))


@pytest.mark.parametrize("check", [by_tarp, by_density])
def test_exact_narrow_and_wide_posteriors_are_told_apart(check) -> None:
    exact, narrow, wide = (check(scale) for scale in (1.0, 0.5, 2.0))
    assert (exact.verdict, narrow.verdict, wide.verdict) == ("consistent", "too narrow", "too wide")
    assert exact.p_value > 0.01
    assert max(narrow.p_value, wide.p_value) < 1e-6  # of 300 pairs
    pulls = (exact.levels.coverage - exact.levels.levels) / exact.levels.error
    assert np.abs(pulls).max() < 3.5
    assert narrow.narrow > 3.5 > -3.5 > wide.narrow


def test_expected_coverage_is_that_of_the_closed_form() -> None:
    """A region with the part q of N(m, s^2) has |z|^2 / s^2 below the chi2 quantile of q."""
    for scale in (0.7, 1.0, 1.3):
        found = by_density(scale).levels
        claimed = stats.chi2.cdf(scale**2 * stats.chi2.ppf(found.levels, N_PARAMETERS), N_PARAMETERS)
        error = np.sqrt(claimed * (1 - claimed) / N_PAIRS) + 1 / N_DRAWS
        assert (np.abs(found.coverage - claimed) < 3.5 * error).all()


@pytest.mark.slow
def test_p_values_are_uniform_for_exact_posteriors() -> None:
    found = []
    for seed in range(100):
        truth, draws, _ = posteriors(1.0, seed)
        found.append(tarp(jax.random.key(seed), truth[:100], draws[:100]).p_value)
    assert stats.kstest(found, "uniform").pvalue > 0.01


def test_a_posterior_that_is_the_prior_is_seen_with_references_that_know_the_data() -> None:
    truth, _, x = posteriors(1.0)
    prior = np.random.default_rng(9).normal(size=(N_PAIRS, N_DRAWS, N_PARAMETERS))
    assert tarp(KEY, truth, prior).verdict == "consistent"
    found = tarp(KEY, truth, prior, references=x)
    assert found.p_value < 1e-6


def test_draws_with_weights_count_as_often() -> None:
    truth, _, x = posteriors(1.0)
    # points of the prior, weighted by the likelihood: 4000 are worth some hundred draws each
    points = np.random.default_rng(5).normal(size=(4000, N_PARAMETERS))
    weights = np.exp(-0.5 * np.sum((points - x[:, None]) ** 2, -1))
    density = -0.5 * np.sum((points - x[:, None]) ** 2 + points**2, -1)
    at_truth = -0.5 * np.sum((truth - x) ** 2 + truth**2, -1)
    weighted = expected_coverage(KEY, at_truth, density, weights)
    assert weighted.verdict == "consistent"
    np.testing.assert_allclose(weighted.ranks, by_density(1.0).ranks, atol=0.25)
    # grid points that are all alike tell nothing: ties are broken at random
    flat = expected_coverage(KEY, np.zeros(300), np.zeros((300, 7)), np.ones((300, 7)))
    assert flat.p_value > 0.01


def test_faulty_posteriors_are_refused() -> None:
    truth, draws, _ = posteriors(1.0)
    infinite = np.where(np.arange(N_PAIRS)[:, None, None] == 2, np.inf, draws)
    faults = [
        (lambda: expected_coverage(KEY, np.zeros(3), np.zeros((2, 5))), "draws-wrong-shape", r"\(3,\) .* \(2, 5\)"),
        (
            lambda: expected_coverage(KEY, np.zeros(2), np.array([[0], [np.nan]])),
            "draws-not-finite",
            "draw of pair 1",
        ),
        (lambda: tarp(KEY, truth, draws[..., :2]), "draws-wrong-shape", r"\(300, 3\) and draws \(300, 200, 2\)"),
        (lambda: tarp(KEY, truth, infinite), "draws-not-finite", "a draw of pair 2 is not finite"),
        (lambda: tarp(KEY, truth * [1, 0, 1], draws), None, "parameter 1 has one value in all pairs"),
        (lambda: tarp(KEY, truth, draws, references=truth[:2]), None, r"references have the shape \(2, 3\)"),
    ]
    for call, code, words in faults:
        with pytest.raises(InputError, match=words) as caught:
            call()
        assert caught.value.code == code
