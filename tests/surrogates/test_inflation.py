"""Errors that are widened until parameters come out within them."""

import jax
import numpy as np
import pytest
from surrogates.test_contract import CONFIGS, scans  # noqa: F401  (a fixture)

from sbitune.data.parameter import Parameter
from sbitune.fitting.likelihood.protocols import Prediction
from sbitune.tuning.surrogates.heldout.inflation import HeldOut, find_inflation, inflate
from sbitune.tuning.surrogates.heldout.refits import Refits, find_slopes
from sbitune.tuning.surrogates.regression.basis import spread_evenly
from sbitune.tuning.surrogates.training import train

N_BINS, N_RUNS = 40, 200
EVERY = np.arange(N_BINS)


SLOPES = np.stack([np.cos(EVERY), np.sin(EVERY / 3)], axis=1)
NOISE = 0.5


class Bent:
    """Bins that are parabolas in two parameters."""

    parameters = (Parameter("a", -1.0, 1.0), Parameter("b", -2.0, 2.0))

    def predict_many(self, theta: np.ndarray) -> Prediction:
        mean = theta @ SLOPES.T + theta[:, :1] ** 2
        return Prediction(mean, np.ones_like(mean))


def test_slopes_are_derivatives_in_half_widths_also_at_the_end_of_the_box() -> None:
    theta = np.array([[0.3, 0.5], [1.0, -2.0]])
    found = find_slopes(Bent(), theta, EVERY[:7])
    exact = SLOPES[:7] * [1.0, 2.0] + 2 * theta[:, None, :1] * [1.0, 0.0]
    np.testing.assert_allclose(found[0], exact[0], atol=1e-12)
    np.testing.assert_allclose(found[1], exact[1], atol=0.05)  # to one side: half a step times the second derivative


class Straight:
    """Bins that are straight lines, in a box that ends far away or just beside the truth."""

    def __init__(self, slopes: np.ndarray = SLOPES, half: float = 100.0) -> None:
        self.slopes = slopes
        self.parameters = (Parameter("a", -half, half), Parameter("b", -half, half))

    def predict_many(self, theta: np.ndarray) -> Prediction:
        mean = theta @ self.slopes.T
        return Prediction(mean, np.ones_like(mean))


def held(along: float, everywhere: float, model: Straight | None = None, size: float = 2.0) -> list[HeldOut]:
    """Runs at 0 whose residuals are wider than C says: everywhere, and along the slopes, by these factors."""
    model = model or Straight()
    random = np.random.default_rng(1)
    orthonormal = np.linalg.qr(SLOPES)[0]
    own = everywhere * random.normal(size=(N_RUNS, N_BINS))
    own += (along / everywhere - 1) * own @ orthonormal @ orthonormal.T
    residuals = size * own + NOISE * random.normal(size=(N_RUNS, N_BINS))
    learnt, others = (np.tile(variance * np.eye(N_BINS), (N_RUNS, 1, 1)) for variance in (size**2, NOISE**2))
    return [HeldOut(model, np.zeros((N_RUNS, 2)), EVERY, residuals, learnt, others)]


def kappa(**factors: float) -> float:
    return find_inflation(held(**factors))


def test_the_fall_of_chi2_is_that_of_the_projection() -> None:
    """With straight lines and far limits t = |P r|^2, P the projection on the slopes of what is white."""
    (group,) = held(1.0, 1.0)
    white = np.tile(np.diag(1 / np.linspace(1, 3, N_BINS)), (N_RUNS, 1, 1))
    found = Refits(group.surrogate, group.theta, EVERY).falls(group.residuals, white)
    q = np.linalg.qr(white[0] @ SLOPES)[0]
    np.testing.assert_allclose(found, np.sum((group.residuals @ white[0] @ q) ** 2, axis=1), rtol=0.01, atol=0.05)


def test_fits_stay_in_the_box() -> None:
    (group,) = held(1.0, 1.0)
    white = np.tile(np.eye(N_BINS), (N_RUNS, 1, 1))
    edge = Refits(Straight(half=1e-9), group.theta, EVERY).falls(group.residuals, white)
    np.testing.assert_allclose(edge, 0, atol=1e-6)
    # a truth at the end of the box of a bent model: the minimum is never beyond, and chi2 never rises
    theta = np.tile([1.0, -2.0], (N_RUNS, 1))
    bent = Refits(Bent(), theta, EVERY).falls(group.residuals, white)
    free = np.sum((group.residuals @ np.linalg.qr(SLOPES * [1, 2] + 2 * np.array([1.0, 0.0]))[0]) ** 2, axis=1)
    assert (bent >= 0).all()
    assert np.mean(bent) < 0.7 * np.mean(free)


def test_true_errors_stay() -> None:
    # t of 200 runs and 400 toys has a mean with errors of 0.14 and 0.1 around 2: kappa^2 has one of 0.09
    assert 1 <= kappa(along=1.0, everywhere=1.0) < 1.12


def test_errors_that_are_too_small_everywhere_are_widened_by_the_factor() -> None:
    assert kappa(along=1.5, everywhere=1.5) == pytest.approx(1.5, rel=0.12)


def test_parameters_decide_as_far_as_bins_allow() -> None:
    # along the slopes errors are half of what they should be: bins alone would not show it
    assert kappa(along=1.15, everywhere=1.0) == pytest.approx(1.15, abs=0.1)
    # rms of residual / error of all bins is 1.05 before; 0.9 is reached with (2^2 k^2 + 0.25) 0.81 = their mean square
    wide = held(along=2.5, everywhere=1.0)
    most = np.sqrt((np.mean(wide[0].residuals ** 2) / 0.81 - 0.25) / 4)
    assert find_inflation(wide) == pytest.approx(most, abs=0.03)


def test_errors_that_are_too_large_stay_and_few_runs_tell_nothing() -> None:
    assert kappa(along=0.5, everywhere=0.5) == 1.0
    few = held(along=2.0, everywhere=2.0)[0]
    assert find_inflation([HeldOut(few.surrogate, few.theta[:2], few.bins, *(a[:2] for a in few[3:]))]) == 1.0
    assert find_inflation([]) == 1.0


@pytest.mark.parametrize(("wider", "fall"), [(1.0, 2.0), (2.0, 2.0), (0.5, 2 * (0.25 * 4 + NOISE**2) / (4 + NOISE**2))])
def test_parameters_come_out_within_errors_that_were_true_or_too_small(wider: float, fall: float) -> None:
    """Two parameters, so that chi2 of the truth is above its minimum by 2; errors that are too large stay so."""
    (group,) = held(along=wider, everywhere=wider)
    factor = find_inflation([group])
    white = np.linalg.inv(np.linalg.cholesky(factor**2 * group.learnt + group.others))
    found = Refits(group.surrogate, group.theta, EVERY).falls(group.residuals, white)
    # a chi2 of 2 degrees of freedom has a mean with an error of 2 / sqrt(200), in units of what it is scaled by
    assert found.mean() == pytest.approx(fall, rel=3.5 / np.sqrt(N_RUNS))


def test_a_dead_parameter_does_no_harm() -> None:
    assert find_inflation(held(1.0, 1.0, Straight(SLOPES * [1.0, 0.0]))) < 1.2


def test_parameters_are_widened_where_noise_hides_it_in_the_bins() -> None:
    """The surrogate's errors are two fifths of the noise, and half of what they should be along the slopes."""
    wide = held(along=2.0, everywhere=1.0, size=0.2)
    assert np.mean(wide[0].residuals ** 2) < 1.25 * NOISE**2
    # the variance of a pull is 0.25 + 0.16 where 0.25 + 0.04 k^2 is looked for; its error is 0.1 of it
    assert find_inflation(wide) == pytest.approx(2.0, abs=0.5)


@pytest.mark.parametrize("name", ["polynomial", "gaussian", "rational", "network"])
def test_inflated_errors_are_multiplied_and_means_stay(name: str, scans) -> None:  # noqa: F811
    surrogate = train(jax.random.key(1), scans[0], CONFIGS[name])
    wider = inflate(surrogate, 1.7)
    theta = scans[1].theta[:5]
    before, after = surrogate.predict_many(theta), wider.predict_many(theta)
    np.testing.assert_array_equal(after.mean, before.mean)
    bins = np.arange(2)
    with jax.enable_x64(True):
        one, other = (np.asarray(s.covariance(theta[0], bins)) for s in (surrogate, wider))
    learnt, rest = next(surrogate.learnt_covariances(theta[:1], bins))
    np.testing.assert_allclose(learnt + rest, one, rtol=1e-6)
    np.testing.assert_allclose(other, 1.7**2 * learnt + rest, rtol=1e-6)
    if name == "network":
        np.testing.assert_allclose(after.error, 1.7 * before.error, rtol=1e-6)
    else:  # what components leave over of a bin (see `test_few_runs`); here all is learnt
        assert np.trace(rest) >= -1e-9 * np.trace(one)


@pytest.mark.parametrize("name", ["polynomial", "gaussian of every bin", "network"])
def test_covariances_in_numpy_are_those_of_jax(name: str, scans) -> None:  # noqa: F811
    surrogate = train(jax.random.key(1), scans[0], CONFIGS[name])
    theta = scans[1].theta[:3]
    for point, found in zip(theta, surrogate.covariances(theta, np.arange(3)), strict=True):
        with jax.enable_x64(True):
            np.testing.assert_allclose(found, surrogate.covariance(point, np.arange(3)), rtol=1e-9, atol=1e-12)


def test_indices_are_spread_evenly() -> None:
    np.testing.assert_array_equal(spread_evenly(5, 10), np.arange(5))
    np.testing.assert_array_equal(spread_evenly(10, 4), [0, 3, 6, 9])
