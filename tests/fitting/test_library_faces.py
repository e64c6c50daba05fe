"""Likelihoods as other libraries take them: costs of iminuit, models of numpyro, histograms of UHI."""

import iminuit.cost
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.mixture import problem as mixture_problem
from iminuit import Minuit
from numpyro.infer import MCMC, NUTS

from sbitune.data.errors import InputError
from sbitune.data.parameter import Parameter
from sbitune.fitting.bridges.iminuit_cost import ProductCost
from sbitune.fitting.bridges.numpyro_model import numpyro_model
from sbitune.fitting.bridges.uhi_histogram import count_histogram
from sbitune.fitting.config import FitConfig
from sbitune.fitting.likelihood.precision import double_precision
from sbitune.fitting.likelihood.product import Product
from sbitune.fitting.likelihood.terms.constraints import Constraint
from sbitune.fitting.likelihood.terms.counts import CountedBins
from sbitune.fitting.minimise.minimiser import fit
from sbitune.fitting.sampling.posterior import PosteriorConfig, sample_posterior


def counting(error: float = 1.0, **options) -> Product:
    """16 events of which s and 10 + 2 nu are expected, and 30 of which 28 + nu are."""
    bins = CountedBins(
        "bins", np.array([16.0, 30.0]), lambda p: jnp.stack([p["s"] + 10 + 2 * p["nu"], 28 + p["nu"]])
    )  # fmt: skip
    parameters = [Parameter("s", 0.0, 40.0), Parameter("nu", -5.0, 5.0, 0.0)]
    return Product([bins, Constraint("nu", 0.0, error)], parameters, **options)


def minimum(cost, **start) -> Minuit:
    minuit = Minuit(cost, **start)
    minuit.strategy, minuit.tol = 2, 1e-3
    minuit.migrad()
    minuit.hesse()
    assert minuit.valid
    return minuit


def test_minuit_on_the_cost_gives_the_fit():
    problem = counting()
    cost, ours = ProductCost(problem), fit(problem, FitConfig(starts=1, minos=False))
    assert cost._parameters == {"s": (0.0, 40.0), "nu": (-5.0, 5.0)}
    assert (cost.npar, cost.ndata, cost.errordef, cost.has_grad) == (2, 3, Minuit.LEAST_SQUARES, True)
    found = minimum(cost, **cost.start)
    np.testing.assert_allclose(np.array(found.values), ours.values, atol=1e-3 * ours.errors.min())
    np.testing.assert_allclose(np.diag(found.covariance) ** 0.5, ours.errors, rtol=1e-3)
    assert found.fval == pytest.approx(ours.minimum, abs=1e-5)
    assert found.ngrad > 0
    at = np.array([7.0, 0.3])
    steps = 1e-5 * np.eye(2)
    slopes = [(cost(*(at + step)) - cost(*(at - step))) / 2e-5 for step in steps]
    np.testing.assert_allclose(cost.grad(*at), slopes, rtol=1e-6)


def test_costs_add_up_and_fixed_parameters_stay():
    """A second measurement of nu in iminuit's own words is one of both, of their weighted mean and error, in ours."""
    cost = ProductCost(counting(error=1.0))
    other = iminuit.cost.NormalConstraint("nu", 0.0, 1.0)
    both = cost + other
    assert (both.has_grad, both.ndata) == (True, 4)
    found, ours = minimum(both, **cost.start), fit(counting(error=0.5**0.5), FitConfig(starts=1, minos=False))
    np.testing.assert_allclose(np.array(found.values), ours.values, atol=1e-3 * ours.errors.min())
    np.testing.assert_allclose(np.diag(found.covariance) ** 0.5, ours.errors, rtol=1e-3)
    held = ProductCost(counting(fixed={"nu": 0.5}))
    assert list(held._parameters) == ["s"]
    assert held(6.0) == pytest.approx(cost(6.0, 0.5), abs=1e-9)


def test_events_are_infinitely_many_data():
    problem = mixture_problem(np.random.default_rng(1), 1.0, n_pool=200)
    cost = ProductCost(problem)
    assert cost.ndata == np.inf
    assert cost.start == {"mu": 2.25, "nu": 0.0}
    assert np.isfinite(cost(1.0, 0.0))


@pytest.mark.slow
def test_numpyro_samples_the_same_posterior():
    problem = counting()
    ours = sample_posterior(jax.random.key(1), problem, PosteriorConfig(warmup=200, samples=1500, chains=2))
    with double_precision():
        mcmc = MCMC(NUTS(numpyro_model(problem)), num_warmup=400, num_samples=3000, progress_bar=False)
        mcmc.run(jax.random.key(2))
        drawn = {name: np.asarray(x) for name, x in mcmc.get_samples().items()}
    assert set(drawn) == {"s", "nu"}
    for i, name in enumerate(ours.names):
        # some 1,000 effective draws each: means within 4 of their errors, widths within 4 times 2 %
        assert drawn[name].mean() == pytest.approx(ours.mean[i], abs=4 * (2 / 1000) ** 0.5 * ours.errors[i])
        assert drawn[name].std() == pytest.approx(ours.errors[i], rel=0.12)


def test_the_model_of_numpyro_has_the_density():
    import numpyro

    problem = counting(fixed={"nu": 0.5})
    with double_precision():
        model = numpyro_model(problem)
        log, trace = numpyro.infer.util.log_density(model, (), {}, {"s": 6.0})
    cost = ProductCost(problem)
    assert float(log) == pytest.approx(-0.5 * cost(6.0) - np.log(40.0), abs=1e-9)
    assert {"bins", "constraint of nu"} <= set(trace)


def test_histograms_are_those_of_uhi():
    hist, boost_histogram = pytest.importorskip("hist"), pytest.importorskip("boost_histogram")
    plottable, protocol = pytest.importorskip("uhi.numpy_plottable"), pytest.importorskip("uhi.typing.plottable")
    rng = np.random.default_rng(1)
    x, w = rng.normal(size=500), rng.uniform(0.5, 2, 500)
    edges = np.array([-2.0, -1, 0, 0.5, 3])
    ours = count_histogram(x, w, edges, "x")
    assert isinstance(ours, protocol.PlottableHistogram)
    assert plottable.ensure_plottable_histogram(ours) is ours
    inside = boost_histogram.Histogram(boost_histogram.axis.Variable(edges), storage=boost_histogram.storage.Weight())
    inside.fill(x, weight=w)
    for theirs in (inside, boost_histogram.Histogram(ours), hist.Hist(ours)):
        np.testing.assert_allclose(ours.values(), theirs.values())
        np.testing.assert_allclose(ours.variances(), theirs.variances())
        np.testing.assert_allclose(ours.axes[0].edges, theirs.axes[0].edges)
    np.testing.assert_allclose(ours.counts(), inside.values() ** 2 / inside.variances())
    assert (len(ours.axes[0]), ours.axes[0][-1]) == (4, (0.5, 3.0))
    assert len(count_histogram(x, w, 7).values()) == 7
    for values, bins in ((x, [1, 0]), (x * np.nan, edges)):
        with pytest.raises(InputError):
            count_histogram(values, w, bins)
