"""Calibration tells an exact posterior from one that is too narrow, too wide, shifted, or wrongly correlated."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sbitune.data.parameter import Parameter
from sbitune.fitting.checks.calibration import calibrate
from sbitune.fitting.checks.toys import throw
from sbitune.fitting.config import FitConfig
from sbitune.fitting.likelihood.product import Product
from sbitune.fitting.likelihood.terms.constraints import Constraint
from sbitune.fitting.likelihood.terms.counts import CountedBins
from sbitune.fitting.minimise.minimiser import fit
from sbitune.fitting.sampling.posterior import sample_posterior
from sbitune.fitting.sampling.sampling import PosteriorConfig

N_PAIRS, N_DRAWS = 600, 100
CORRELATION = np.array([[1.0, 0.8], [0.8, 1.0]])


def ranks_of(scale: float = 1.0, shift: float = 0.0, correlation: np.ndarray = CORRELATION):
    """Calibrate N(m, scale^2 correlation) while truths scatter about m with `CORRELATION`."""
    random = np.random.default_rng(7)
    mean = random.normal(size=(N_PAIRS, 2))
    truth = mean + random.multivariate_normal(np.zeros(2), CORRELATION, N_PAIRS)
    centre = mean + np.array([shift, 0.0])
    covariance = scale**2 * correlation
    draws = centre[:, None] + random.multivariate_normal(np.zeros(2), covariance, (N_PAIRS, N_DRAWS))

    def density(at: np.ndarray, about: np.ndarray) -> np.ndarray:
        return -0.5 * np.sum((at - about) * np.linalg.solve(covariance, (at - about)[..., None])[..., 0], axis=-1)

    given = (truth, draws, density(truth, centre), density(draws, centre[:, None]))
    return calibrate(jax.random.key(1), ("a", "b"), *given)


def test_an_exact_posterior_is_consistent() -> None:
    found = ranks_of()
    assert found.verdicts() == {"a": "consistent", "b": "consistent"}
    assert found.p_value > 0.01
    assert found.notes() == ()
    assert found.coverage_error == pytest.approx([np.sqrt(0.68 * 0.32 / 600), np.sqrt(0.95 * 0.05 / 600)])
    assert np.abs((found.coverage.T - [0.68, 0.95]) / found.coverage_error).max() < 3.5
    assert np.abs((found.joint_coverage - [0.68, 0.95]) / found.coverage_error).max() < 3.5


@pytest.mark.parametrize(("scale", "verdict"), [(0.7, "too narrow"), (1.4, "too wide")])
def test_wrong_widths_are_told_apart(scale: float, verdict: str) -> None:
    found = ranks_of(scale)
    assert found.verdicts() == {"a": verdict, "b": verdict}
    assert found.p_value < 1e-3
    assert all(verdict in note for note in found.notes())
    # the interval of 68 % is 0.994 s wide on either side, and the truth scatters with 1
    expected = {0.7: 0.513, 1.4: 0.836}[scale]
    assert found.coverage[0] == pytest.approx([expected] * 2, abs=4 * found.coverage_error[0])
    assert (found.joint_coverage[0] < 0.68) == (scale < 1)


def test_a_shift_is_seen_and_its_direction_told() -> None:
    for shift, verdict in ((0.3, "too high"), (-0.3, "too low")):
        assert ranks_of(shift=shift).verdicts() == {"a": verdict, "b": "consistent"}


def test_a_wrong_correlation_is_seen_by_the_density_only() -> None:
    found = ranks_of(correlation=np.eye(2))
    assert set(found.verdicts().values()) == {"consistent"}
    assert found.p_value < 0.02
    opposite = ranks_of(correlation=np.array([[1.0, -0.8], [-0.8, 1.0]]))
    assert set(opposite.verdicts().values()) == {"consistent"}
    assert "together" in opposite.notes()[0]


RANGES = [Parameter("background", 2400.0, 7200.0), Parameter("efficiency", 0.7, 1.3)]


def counting(error: float) -> Product:
    """A control region whose efficiency is known to so much, by far the larger error of 4800 counts."""
    control = CountedBins("control", np.array([4800.0]), lambda p: jnp.stack([p["background"] * p["efficiency"]]))
    return Product([control, Constraint("efficiency", 1.0, error)], RANGES)


BELIEVED = counting(0.05)


@pytest.mark.slow
@pytest.mark.parametrize(("true", "verdict"), [(0.05, "consistent"), (0.1, "too narrow"), (0.025, "too wide")])
def test_posteriors_of_nuts_are_told_exact_narrow_and_wide(true: float, verdict: str) -> None:
    """The prior is that of the posterior, uniform in the box; measurements of the efficiency scatter by `true`."""
    thrower, n_pairs, config = counting(true), 100, PosteriorConfig(warmup=60, samples=100, chains=2)
    low, high = np.array([(p.low, p.high) for p in RANGES]).T
    truth = np.random.default_rng(3).uniform(low, high, (n_pairs, 2))
    draws, at_truth, at_draws = [], [], []
    for theta, key in zip(truth, jax.random.split(jax.random.key(2), n_pairs), strict=True):
        (data,) = throw(key, thrower, theta, 1)
        problem = BELIEVED.with_data(data)
        found = sample_posterior(key, problem, config, fit(problem, FitConfig(starts=1, minos=False)))
        draws.append(found.samples[:, ::4].reshape(-1, 2))  # which depend on each other hardly
        at_draws.append(found.minus_two_log[:, ::4].reshape(-1))
        with problem.computing():
            at_truth.append(problem.objective().values(problem.frame().to_unit(theta)[None])[0])
    density = -0.5 * np.array(at_truth), -0.5 * np.array(at_draws)
    found = calibrate(jax.random.key(1), ("background", "efficiency"), truth, np.array(draws), *density)
    assert found.verdicts() == {"background": verdict, "efficiency": verdict}
    assert (found.p_value > 0.01) == (verdict == "consistent")
