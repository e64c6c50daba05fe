"""Codes of interpolation: those of pyhf, and ratios of events whose mean is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sbitune.fitting.likelihood.terms import interpolation
from sbitune.fitting.likelihood.terms.interpolation import EVENT_CODES, log_mean, normalised

ALPHAS = np.array([-3.2, -1.0, -0.9999, -0.4, 0.0, 0.3, 0.7, 1.0, 1.5, 4.0])
NOMINAL = np.array([10.0, 3.0, 250.0])
UP, DOWN = NOMINAL * [1.3, 0.8, 1.07], NOMINAL * [0.9, 0.7, 0.95]


@pytest.fixture(autouse=True)
def doubles():
    with jax.enable_x64(True):
        yield


@pytest.mark.parametrize("code", ["code0", "code1", "code4", "code4p"])
def test_codes_are_those_of_pyhf(code):
    pyhf = pytest.importorskip("pyhf")
    pyhf.set_backend("numpy")
    theirs = getattr(pyhf.interpolators, code)([[[DOWN, NOMINAL, UP]]])(ALPHAS[None])[0, 0]
    differences, logs = (UP - NOMINAL, DOWN - NOMINAL), (np.log(UP / NOMINAL), np.log(DOWN / NOMINAL))
    adds = code in ("code0", "code4p")
    found = getattr(interpolation, code)(ALPHAS[:, None], *(differences if adds else logs))
    np.testing.assert_allclose(found, theirs, rtol=1e-12, atol=1e-12)
    ratio = 1 + theirs / NOMINAL if adds else theirs
    np.testing.assert_allclose(EVENT_CODES[code](ALPHAS[:, None], *logs), np.log(ratio), rtol=1e-12, atol=1e-12)


def test_code_4_where_pyhf_others_and_roofit_differ():
    """Up 1.3, down .9 at .5: pyhf's number."""
    assert float(interpolation.code4(0.5, np.log(1.3), np.log(0.9))) == pytest.approx(1.1325, abs=1e-4)


@pytest.mark.parametrize("code", EVENT_CODES)
def test_ratios_of_events_pass_through_both_samples_and_have_derivatives_everywhere(code):
    up, down = np.array([0.2, -0.1, 0.5]), np.array([-0.3, -0.2, 0.4])
    log = EVENT_CODES[code]
    np.testing.assert_allclose(log(np.array([[1.0], [-1.0], [0.0]]), up, down), [up, down, 0 * up], atol=1e-14)
    alphas = jnp.array([*ALPHAS, 1 + 1e-9, 1 - 1e-9, -1 + 1e-9, -1 - 1e-9])
    slopes, bends = jax.jit(jax.vmap(lambda a: (jax.jacfwd(log)(a, up, down), jax.hessian(log)(a, up, down))))(alphas)
    assert np.isfinite(slopes).all()
    assert np.isfinite(bends).all()
    if code in ("code4", "code4p"):  # two derivatives are continuous
        np.testing.assert_allclose(slopes[-4::2], slopes[-3::2], atol=1e-6)
        np.testing.assert_allclose(bends[-4::2], bends[-3::2], atol=1e-6)


def test_a_gaussian_that_moves_is_log_quadratic_and_others_need_to_be_normalised():
    """x ~ N(shift nu, 1): log r = shift nu x - (shift nu)^2 / 2; weights that cancel change nothing."""
    shift, x, nu = 0.5, np.random.default_rng(3).normal(0, 1, 20_000), 0.5
    x, weights = (
        np.concatenate([x, x[:1000], x[:1000]]),
        np.concatenate([np.ones(len(x)), np.ones(1000), -np.ones(1000)]),
    )
    up, down = shift * x - shift**2 / 2, -shift * x - shift**2 / 2
    exact = shift * nu * x - (shift * nu) ** 2 / 2
    np.testing.assert_allclose(EVENT_CODES["log_quadratic"](nu, up, down), exact, atol=1e-12)
    error = np.sqrt(np.expm1((shift * nu) ** 2) / 20_000)
    assert float(log_mean(exact, weights)) == pytest.approx(0, abs=4 * error)
    plain = EVENT_CODES["code4"]
    assert float(log_mean(plain(nu, up, down), weights)) < -5 * error
    ours = normalised(plain, up, down, weights)
    assert float(jnp.sum(weights * jnp.exp(ours(nu, up, down))) / weights.sum()) == pytest.approx(1, abs=1e-12)
