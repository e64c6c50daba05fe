"""Exclusions and upper limits against pyhf, closed forms and exact sums."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.workspaces import uncorrelated_background
from helpers.workspaces import workspace as all_modifiers
from scipy import stats
from scipy.optimize import brentq, minimize_scalar

from sbitune.data.errors import ComputationError, InputError
from sbitune.data.parameter import Parameter
from sbitune.fitting.bridges.pyhf_import import open_workspace
from sbitune.fitting.hypotheses.exclusion import exclude
from sbitune.fitting.hypotheses.limits import upper_limit
from sbitune.fitting.likelihood.product import Product
from sbitune.fitting.likelihood.terms.constraints import Constraint
from sbitune.fitting.likelihood.terms.counts import CountedBins

SIGNAL, BACKGROUND = np.array([12.0, 11.0]), np.array([50.0, 52.0])
TAU = (BACKGROUND / [3.0, 7.0]) ** 2


@pytest.fixture(scope="module")
def workspace():
    return open_workspace(uncorrelated_background()).problem


def profiled(mu, n, aux):
    """-2 log L of the workspace with the factors where a quadratic equation has them, and these."""
    a, b, c = (BACKGROUND + TAU) * BACKGROUND, (BACKGROUND + TAU) * SIGNAL * mu - (n + aux) * BACKGROUND, -aux * SIGNAL
    gamma = (-b + np.sqrt(b**2 - 4 * a * c * mu)) / (2 * a)
    expected = SIGNAL * mu + BACKGROUND * gamma
    return 2 * np.sum(expected - n * np.log(expected) + TAU * gamma - aux * np.log(gamma)), gamma


def exact_q(mu, n, aux):
    lowest = minimize_scalar(
        lambda m: profiled(m, n, aux)[0], bounds=(0, 9), method="bounded", options={"xatol": 1e-10}
    )
    return max(profiled(mu, n, aux)[0] - min(lowest.fun, profiled(0.0, n, aux)[0]), 0.0) if lowest.x < mu else 0.0


def exact_cls(mu):
    n = np.array([51.0, 48.0])
    gamma = profiled(0.0, n, TAU)[1]
    q, of_asimov = exact_q(mu, n, TAU), exact_q(mu, BACKGROUND * gamma, TAU * gamma)
    s = np.sqrt(of_asimov)
    z = (q - of_asimov) / (2 * s) if q > of_asimov else np.sqrt(q) - s
    return stats.norm.sf(z + s) / stats.norm.sf(z), [stats.norm.cdf(k - s) / stats.norm.cdf(k) for k in range(-2, 3)]


def test_cls_is_exact_and_that_of_pyhf(workspace):
    found = exclude(workspace, "mu", 1.0)
    cls, expected = exact_cls(1.0)
    assert found.cls == pytest.approx(cls, abs=1e-8)
    np.testing.assert_allclose(found.expected, expected, rtol=1e-6)
    # published; pyhf's minimiser goes so far
    assert found.cls == pytest.approx(0.05251497, abs=1e-6)
    assert found.expected[2] == pytest.approx(0.06445319, abs=3e-6)
    assert str(found) == "mu = 1: CLs = 0.05252 (expected 0.06446)"


def test_limits_are_roots_of_the_exact_cls(workspace):
    found = upper_limit(workspace, "mu")
    assert found.observed == pytest.approx(brentq(lambda mu: exact_cls(mu)[0] - 0.05, 0.5, 2), rel=2e-5)
    for band in range(5):
        exact = brentq(lambda mu, band=band: exact_cls(mu)[1][band] - 0.05, 0.2, 4)
        assert found.expected[band] == pytest.approx(exact, rel=2e-5)
    assert found.notes == ()
    assert str(found).startswith("mu < 1.012 at 95 % (CLs); expected 1.062 (0.757 to 1.501)")


def gaussian(measured, error=1.0, low=-10.0, high=10.0):
    return Product([Constraint("mu", measured, error)], [Parameter("mu", low, high)])


@pytest.mark.slow
def test_a_gaussian_has_the_closed_form():
    """With q, and with q~ where it is positive: CLs = Phi(x - mu) / Phi(x), and p_sb = Phi(x - mu)."""
    problem = gaussian(0.3)
    for measured in (-1.5, 0.3, 2.0):
        for kind in ("q", "q_tilde"):
            limit = upper_limit(problem.with_data((np.array(measured),)), "mu", 0.9, kind)
            if kind == "q" or measured > 0:
                exact = measured - stats.norm.ppf(0.1 * stats.norm.cdf(measured))
                assert limit.observed == pytest.approx(exact, rel=1e-4)
            exact = [k - stats.norm.ppf(0.1 * stats.norm.cdf(k)) for k in range(-2, 3)]
            np.testing.assert_allclose(limit.expected, exact, rtol=1e-4)
    plain = upper_limit(problem, "mu", 0.9, "q", use_cls=False)
    assert plain.observed == pytest.approx(0.3 + stats.norm.ppf(0.9), rel=1e-4)
    np.testing.assert_allclose(plain.expected, np.maximum(np.arange(-2, 3) + stats.norm.ppf(0.9), 0), rtol=1e-4)


@pytest.mark.slow
def test_limits_beyond_the_range_are_errors():
    with pytest.raises(ComputationError, match=r"is beyond 1, where its range ends: CLs is 0\.345 there, above 0\.05"):
        upper_limit(gaussian(0.9, 0.25, 0.0, 1.0), "mu", kind="q")
    with pytest.raises(ComputationError, match="background fluctuates by 2 standard errors is beyond 3, where"):
        upper_limit(gaussian(-3.0, high=3.0), "mu", kind="q")
    with pytest.raises(ComputationError, match=r"is not above 0: p_sb is 0\.00135 there.*every value is excluded"):
        upper_limit(gaussian(-3.0), "mu", kind="q", use_cls=False)


def test_what_cannot_be_tested_is_refused():
    with pytest.raises(InputError, match="mu is looked for from 1 on") as caught:
        upper_limit(gaussian(3.0, low=1.0), "mu")
    assert caught.value.code == "test-range"
    with pytest.raises(InputError, match="a value above 0 is tested"):
        exclude(gaussian(3.0), "mu", -1.0)
    with pytest.raises(InputError, match=r"mu = 11: the fit has it between -10 and 10"):
        exclude(gaussian(3.0), "mu", 11.0)
    with pytest.raises(InputError, match="toys need a key"):
        exclude(gaussian(3.0), "mu", 1.0, toys=10)
    with pytest.raises(InputError, match="between 0 and 1, not 95"):
        upper_limit(gaussian(3.0), "mu", 95.0)


def counting(n, background, high=30.0):
    bins = CountedBins("bins", np.array([float(n)]), lambda p: jnp.stack([p["s"] + background]))
    return Product([bins], [Parameter("s", 0.0, high)])


def poisson_cls(s, n, b):
    return stats.poisson.cdf(n, s + b) / stats.poisson.cdf(n, b)


@pytest.mark.slow
def test_toys_of_few_counts_are_exact_sums_where_the_formulae_are_not():
    """Background .5, no event: the limit is -log .05 whatever the background is."""
    problem = counting(0, 0.5)
    formulae = upper_limit(problem, "s")
    assert formulae.observed == pytest.approx(2.2, abs=0.1)
    assert "use toys" in formulae.notes[0]
    limit = upper_limit(problem, "s", key=jax.random.key(1), toys=2000)
    assert limit.observed == pytest.approx(-np.log(0.05), abs=4 * limit.observed_error)
    assert limit.observed_error < 0.1
    for n, found in zip((0, 0, 0, 1, 2), limit.expected, strict=True):  # of what the background gives at -2 .. 2
        exact = brentq(lambda s, n=n: poisson_cls(s, n, 0.5) - 0.05, 1, 20)
        assert found == pytest.approx(exact, rel=0.05)
    one = exclude(problem, "s", 2.0, key=jax.random.key(2), toys=4000)
    assert one.cls == pytest.approx(np.exp(-2), abs=4 * one.cls_error)
    assert one.p_background == pytest.approx(np.exp(-0.5), abs=0.03)
    assert (one.toys, one.failed) == (4000, 0)
    assert "+-" in str(one)


@pytest.mark.slow
def test_toys_agree_with_the_formulae_where_these_hold(workspace):
    found = exclude(workspace, "mu", 1.0, key=jax.random.key(3), toys=5_000)
    exact = exclude(workspace, "mu", 1.0)
    assert found.cls == pytest.approx(exact.cls, abs=4 * found.cls_error)
    np.testing.assert_allclose(found.expected[:4], exact.expected[:4], rtol=0.15, atol=0.006)
    assert found.expected[4] == 1.0  # the best value is above 1, and q~ therefore 0: what the formula does not know


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")  # as pyhf 0.7.6 uses it
def test_all_modifiers_have_the_cls_of_pyhf():
    pyhf = pytest.importorskip("pyhf")
    pyhf.set_backend("numpy", pyhf.optimize.minuit_optimizer(tolerance=1e-3))
    content = all_modifiers()
    opened = pyhf.Workspace(content)
    model = opened.model()
    theirs, expected = pyhf.infer.hypotest(
        1.5, opened.data(model), model, test_stat="qtilde", return_expected_set=True
    )  # fmt: skip
    ours = exclude(open_workspace(content).problem, "mu", 1.5)
    assert ours.cls == pytest.approx(float(theirs), rel=0.01)
    np.testing.assert_allclose(ours.expected, [float(x) for x in expected], rtol=0.02)
