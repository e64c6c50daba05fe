"""Rounds, and samplers above three dimensions."""

import jax
import numpy as np
import pytest
from scipy import stats
from scipy.special import logsumexp

from sbitune.data.errors import ComputationError, InputError
from sbitune.ratios.posteriors.config import DensityConfig, RatioConfig
from sbitune.ratios.posteriors.inference import NLE, NPE, NRE, Inference
from sbitune.ratios.posteriors.prior import Normal, make_prior
from sbitune.ratios.posteriors.rounds import propose, run_rounds
from sbitune.ratios.posteriors.sampling.chains import draw_by_nuts
from sbitune.ratios.posteriors.sampling.grid import draw_from_grid, make_grid
from sbitune.ratios.posteriors.sampling.likelihood import Likelihood
from sbitune.ratios.posteriors.sampling.populations import draw_from_population, find_population, log_normal

KEY = jax.random.key(11)
OBSERVED = np.array([-0.3, 0.2])


def two_moons(key: jax.Array, theta: np.ndarray) -> np.ndarray:
    """The toy of the sbibm suite (J.-M. Lueckmann et al., arXiv:2101.04653)."""
    random = np.random.default_rng(np.asarray(jax.random.key_data(key)).tolist())
    angle, radius = random.uniform(-np.pi / 2, np.pi / 2, len(theta)), random.normal(0.1, 0.01, len(theta))
    return _place(theta) + np.stack([radius * np.cos(angle) + 0.25, radius * np.sin(angle)], axis=1)


def _place(theta: np.ndarray) -> np.ndarray:
    return np.stack([-np.abs(theta.sum(axis=1)), theta[:, 1] - theta[:, 0]], axis=1) / np.sqrt(2)


def check_two_moons(theta: np.ndarray, width: float) -> None:
    """Of the posterior radius and angle are as in the simulation, and both moons hold a half."""
    away = OBSERVED - _place(theta) - [0.25, 0]
    radius, angle = np.hypot(*away.T), np.arctan2(away[:, 1], away[:, 0])
    assert np.median(radius) == pytest.approx(0.1, abs=0.006)
    low, high = np.quantile(radius, [0.16, 0.84])
    assert 0.006 < (high - low) / 2 < width  # .01 if exact
    assert (theta.sum(axis=1) > 0).mean() == pytest.approx(0.5, abs=0.08)
    assert np.abs(np.quantile(angle, [0.25, 0.5, 0.75]) / (np.pi / 4) - [-1, 0, 1]).max() < 0.3


FLOW = DensityConfig(members=1, layers=3, hidden=(32,), width=32, knots=8, epochs=40, batch_size=128)


def inference(kind: str) -> Inference:
    face, config = {"npe": (NPE, FLOW), "nle": (NLE, FLOW), "nre": (NRE, RatioConfig(epochs=40))}[kind]
    return face(make_prior({"a": (-1, 1), "b": (-1, 1)}), config)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["npe", "nle", "nre"])
def test_two_moons_are_found_in_two_rounds(kind: str) -> None:
    learner = inference(kind)
    posterior = run_rounds(KEY, learner, two_moons, OBSERVED, rounds=2, simulations=1000)
    draws = posterior.sample((2000,), x=OBSERVED, key=KEY)
    assert learner.prior.contains(draws).all()
    check_two_moons(draws, width=0.025)
    with pytest.raises(InputError, match="rounds for one observation"):
        posterior.sample((10,), x=OBSERVED + 0.1, key=KEY)
    proposal = propose(KEY, posterior, OBSERVED)
    if kind == "npe":
        with pytest.raises(InputError, match="not of the proposal, a truncated prior") as caught:
            learner.append_simulations([[0.9, 0.9]], [[0.0, 0.0]], proposal=proposal)
        assert caught.value.code == "posterior-outside-prior"


def test_a_grid_draws_a_narrow_ring_exactly() -> None:
    """A thousandth of the range wide, not centred on any cell."""

    def log_likelihood(v: np.ndarray) -> np.ndarray:
        radius = np.hypot(*(v - [0.3711, 0.6123]).T)
        return stats.norm.logpdf(radius, 0.1234, 0.001) - np.log(2 * np.pi * radius)

    grid = make_grid(log_likelihood, 2)
    assert grid.log_evidence == pytest.approx(0, abs=1e-3)  # the density integrates to one
    v = draw_from_grid(np.random.default_rng(1), grid, log_likelihood, 4000) - [0.3711, 0.6123]
    radius, angle = np.hypot(*v.T), np.arctan2(v[:, 1], v[:, 0])
    assert stats.kstest(radius, stats.norm(0.1234, 0.001).cdf).pvalue > 1e-3
    assert stats.kstest(angle, stats.uniform(-np.pi, 2 * np.pi).cdf).pvalue > 1e-3
    with pytest.raises(ComputationError, match="not finite"):
        make_grid(lambda v: np.full(len(v), np.nan), 2)


def test_weighted_points_find_four_modes_of_six_parameters_with_their_weights() -> None:
    parts, width = np.array([0.4, 0.3, 0.2, 0.1]), 0.1
    centres = np.zeros((4, 6))
    centres[:, :2] = [(1, 1), (1, -1), (-1, 1), (-1, -1)]

    def log_likelihood(z: np.ndarray) -> np.ndarray:
        each = [
            np.log(part) + stats.norm.logpdf(z, centre, width).sum(axis=1)
            for part, centre in zip(parts, centres, strict=True)
        ]
        return logsumexp(each, axis=0) - log_normal(z)

    random = np.random.default_rng(2)
    population = find_population(random, log_likelihood, 6, 4000)
    assert population.log_evidence == pytest.approx(0, abs=0.05)
    z = draw_from_population(random, population, 4000)
    found = [np.mean((z[:, :2] * centre[:2] > 0).all(axis=1)) for centre in centres]
    np.testing.assert_allclose(found, parts, atol=0.03)
    within = z - centres[np.argmin(((z[:, None] - centres) ** 2).sum(axis=2), axis=1)]
    np.testing.assert_allclose(within.std(axis=0), width, rtol=0.05)


@pytest.mark.slow
def test_linear_gaussian_simulations_have_their_exact_posterior_whatever_draws_it() -> None:
    """Four parameters: by NPE, by weighted points and by NUTS of NLE. The flows start there, and may stay."""
    random = np.random.default_rng(4)
    prior = make_prior({name: Normal(1.0, 2.0) for name in "abcd"})
    theta = prior.draw(KEY, 3000)
    x = theta + random.normal(size=theta.shape)
    observed = np.array([0.0, 1.0, 2.0, 3.0])
    mean, width = (1 / 4 + observed) / (1 / 4 + 1), 1 / np.sqrt(1 / 4 + 1)
    config = DensityConfig(members=1, layers=2, hidden=(16,), width=16, knots=4, epochs=3)
    npe, nle = (face(prior, config).append_simulations(theta, x) for face in (NPE, NLE))
    draws = []
    for learner in (npe, nle):
        learner.train(KEY)
        posterior = learner.build_posterior()
        draws.append(posterior.sample((4000,), x=observed, key=KEY))
        at = mean + width * random.normal(size=(50, 4))
        exact = stats.norm.logpdf(at, mean, width).sum(axis=1)
        assert np.abs(posterior.log_prob(at, observed) - exact).mean() < 0.15
    likelihood = Likelihood.of(posterior.model, observed)
    population = find_population(random, likelihood.at_real, 4, 2000)
    draws.append(prior.from_real(draw_by_nuts(KEY, likelihood, population, 4000)))
    for each in draws:
        np.testing.assert_allclose(each.mean(axis=0), mean, atol=0.12 * width)
        np.testing.assert_allclose(each.std(axis=0), width, rtol=0.08)
        assert np.abs(np.corrcoef(each.T) - np.eye(4)).max() < 0.1
