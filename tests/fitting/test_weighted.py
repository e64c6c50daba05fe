"""Fits of weighted events: errors of the asymptotically correct form against closed forms, and against simulation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.faults import refused

from sbitune.data.errors import InputError
from sbitune.data.parameter import Parameter
from sbitune.fitting.checks.toys import ToyConfig, fit_data, throw
from sbitune.fitting.hypotheses.asimov import asimov_data
from sbitune.fitting.hypotheses.limits import upper_limit
from sbitune.fitting.likelihood.product import Product
from sbitune.fitting.likelihood.terms.constraints import Constraint
from sbitune.fitting.likelihood.terms.unbinned import Density, UnbinnedEvents
from sbitune.fitting.minimise.minimiser import fit
from sbitune.fitting.minimise.profiles import profile
from sbitune.fitting.sampling.posterior import sample_posterior
from sbitune.fitting.sampling.sampling import PosteriorConfig

DECAY = Density(lambda t, p: -t / p["tau"] - jnp.log(p["tau"]))
DECAYS = Density(lambda t, p: -t / p["tau"] - jnp.log(p["tau"]), number=lambda p: p["n"])
TAU, NUMBER = Parameter("tau", 0.2, 8.0), Parameter("n", 1.0, 4000.0)


def by_definition(t, w):
    """Values and covariance of (tau, n) of weighted events: tau = sum w t / sum w, n = sum w, and their linear errors;
    the variance of tau is sum w^2 (t - tau)^2 / (sum w)^2.
    """
    total = w.sum()
    tau = w @ t / total
    rows = np.stack([(t - tau) / total, np.ones(len(t))])
    return np.array([tau, total]), (rows * w**2) @ rows.T


def test_values_and_errors_are_those_of_the_closed_form():
    rng = np.random.default_rng(1)
    t, w = rng.exponential(1.5, 300), rng.uniform(-0.5, 2.0, 300)
    values, covariance = by_definition(t, w)
    found = fit(Product([UnbinnedEvents("decays", DECAYS, t, weights=w)], [TAU, NUMBER]))
    np.testing.assert_allclose(found.values, values, rtol=1e-5)
    np.testing.assert_allclose(found.covariance, covariance, rtol=1e-4)
    assert found.errors[1] == pytest.approx(np.sqrt(np.sum(w**2)), rel=1e-5)
    alone = fit(Product([UnbinnedEvents("decays", DECAY, t, weights=w)], [TAU]))
    assert alone.errors[0] == pytest.approx(np.sqrt(covariance[0, 0]), rel=1e-4)
    # the scale of the weights drops out of tau, and not of n; MINOS and profiles are stretched with the errors
    scaled = fit(Product([UnbinnedEvents("decays", DECAYS, t, weights=w / 3)], [TAU, NUMBER]))
    np.testing.assert_allclose(scaled.errors, found.errors / [1, 3], rtol=1e-5)
    low, high = scaled.minos["tau"]
    assert 0.5 * (high - low) == pytest.approx(found.errors[0], rel=0.02)
    problem = Product([UnbinnedEvents("decays", DECAYS, t, weights=w)], [TAU, NUMBER])
    low, middle, high = profile(problem, found, "n", values[1] + found.errors[1] * np.array([-1.0, 0.0, 1.0])).delta
    assert (middle, 0.5 * (low + high)) == pytest.approx((0, 1), abs=0.02)


def test_equal_weights_and_constraints():
    """Events that count c times have the errors of 1 / c of the events; a measurement adds its information."""
    t = np.random.default_rng(2).exponential(1.5, 200)
    threes = fit(Product([UnbinnedEvents("decays", DECAYS, t, weights=np.full(200, 3.0))], [TAU, NUMBER]))
    np.testing.assert_allclose(threes.errors, [t.std() / np.sqrt(200), 3 * np.sqrt(200)], rtol=1e-5)
    measured = Constraint("tau", 1.5, 0.05)
    together = fit(Product([UnbinnedEvents("decays", DECAY, t, weights=np.full(200, 3.0)), measured], [TAU]))
    # the minimum weighs events as three times as many: H = 3 h + 1 / s^2, D = 9 h + 1 / s^2
    h = 200 / together.values[0] ** 2 * (2 * t.mean() / together.values[0] - 1)
    d = np.sum((t - together.values[0]) ** 2) / together.values[0] ** 4
    expected = np.sqrt(9 * d + 1 / 0.05**2) / (3 * h + 1 / 0.05**2)
    assert together.errors[0] == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("least", [1.0, 0.2])
def test_intervals_cover_where_naive_ones_do_not(least):
    """Decays seen with the efficiency .2 + .8 exp(-t / 2), each with the weight least / efficiency: the errors of -2
    log L cover too rarely where weights are above 1, and too often where they are below.
    """
    rng, n, tau = np.random.default_rng(3), 400, 1.5
    pulls, naive = [], []
    for _ in range(n):
        t = rng.exponential(tau, 250)
        efficiency = 0.2 + 0.8 * np.exp(-t / 2)
        seen = rng.uniform(size=250) < efficiency
        t, w = t[seen], least / efficiency[seen]
        values, covariance = by_definition(t, w)
        pulls.append((values[0] - tau) / np.sqrt(covariance[0, 0]))
        naive.append((values[0] - tau) / (values[0] / np.sqrt(w.sum())))
    error = np.sqrt(0.683 * 0.317 / n)
    assert np.mean(np.abs(pulls) < 1) == pytest.approx(0.683, abs=3 * error)
    off = np.mean(np.abs(naive) < 1) - 0.683
    assert off < -4 * error if least == 1.0 else off > 3 * error


def test_fits_of_many_weighted_data_sets_cover():
    """Signal on background that a sideband subtracts, with weights of both signs; the yield and the lifetime."""
    rng, n = np.random.default_rng(4), 200
    term = UnbinnedEvents("decays", DECAYS, np.ones(2), weights=np.ones(2))
    problem, data = Product([term], [TAU, NUMBER]), []
    for _ in range(n):
        signal, under, beside = rng.poisson([200, 100, 200])
        t = np.concatenate([rng.exponential(1.5, signal), rng.exponential(0.5, under + beside)])
        w = np.concatenate([np.ones(signal + under), np.full(beside, -0.5)])
        data.append((term.with_events(t, w),))
    fits = fit_data(problem, np.array([1.5, 200.0]), data, ToyConfig())
    inside = np.mean(np.abs(fits.pulls) < 1, axis=0)
    np.testing.assert_allclose(inside, 0.683, atol=3 * np.sqrt(0.683 * 0.317 / n))
    # the error of the yield: 200 + 100 + 200 / 4; of the events that -2 log L counts, 200
    assert fits.errors is not None
    assert np.median(fits.errors[:, 1]) == pytest.approx(np.sqrt(350), rel=0.03)
    naive = np.mean(np.abs(fits.values[:, 1] - 200) < np.sqrt(fits.values[:, 1]))
    assert naive < 0.683 - 2 * np.sqrt(0.683 * 0.317 / n)


def test_what_weighted_events_cannot_have_is_refused():
    t = np.random.default_rng(5).exponential(1.5, 50)
    pool = (t, np.full(50, 1 / 50))
    problem = Product([UnbinnedEvents("decays", DECAYS, t, pool, weights=np.full(50, 2.0))], [TAU, NUMBER])
    theta = np.array([1.5, 100.0])
    with refused("events-weighted-toys", "decays", "errors of the fit"):
        throw(jax.random.key(1), problem, theta, 3)
    with refused("events-weighted-toys", "is expected"):
        asimov_data(problem, theta)
    with refused("events-weighted-toys", "no likelihood"):
        sample_posterior(jax.random.key(1), problem, PosteriorConfig())
    with pytest.raises(InputError, match="weights other than 1 have none"):
        upper_limit(problem, "n")
    for weights in (np.ones(3), np.full(50, -1.0), np.full(50, np.nan)):
        with refused("events-weights", "50 events"):
            UnbinnedEvents("decays", DECAYS, t, weights=weights)
