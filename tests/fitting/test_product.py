"""One likelihood behind one protocol: unbinned events times a counted control region with a constrained nuisance.

Decay times with the mean tau, of signal and background; background is counted in a control region, with an efficiency
that is known to 5 %. With n events of mean time t and c counts, the likelihood factorises:

    tau = t, -2 log L = 2 n (log tau + t / tau) up to a constant; background = c with the variance c + (0.05 c)^2;
    signal = n - c with the variance n + c + (0.05 c)^2.
"""

import re
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.compilations import compiled
from scipy import stats
from scipy.optimize import brentq, minimize_scalar

from sbitune.data.errors import ComputationError, InputError
from sbitune.data.parameter import Parameter
from sbitune.fitting.checks.coverage import collect
from sbitune.fitting.checks.goodness import find_goodness
from sbitune.fitting.checks.known_fits import fit_known
from sbitune.fitting.checks.toys import ToyConfig, fit_toys, throw
from sbitune.fitting.likelihood.product import Product
from sbitune.fitting.likelihood.terms.constraints import Constraint
from sbitune.fitting.likelihood.terms.counts import CountedBins
from sbitune.fitting.likelihood.terms.gaussian import GaussianBins
from sbitune.fitting.likelihood.terms.unbinned import Density, UnbinnedEvents
from sbitune.fitting.minimise.minimiser import fit
from sbitune.fitting.minimise.profiles import contour, profile
from sbitune.fitting.sampling.posterior import sample_posterior
from sbitune.fitting.sampling.sampling import PosteriorConfig

TIMES = np.random.default_rng(5).exponential(1.5, 150)
N, T, C, S = len(TIMES), TIMES.mean(), 60, 0.05
RANGES = [("tau", 0.5, 4.0), ("signal", 10.0, 250.0), ("background", 15.0, 150.0), ("efficiency", 0.7, 1.3)]
PARAMETERS = [Parameter(*row) for row in RANGES]


DECAYS = Density(
    lambda x, p: -x / p["tau"] - jnp.log(p["tau"]),
    number=lambda p: p["signal"] + p["background"],
    sample=lambda key, p, n: p["tau"] * jax.random.exponential(key, (n,)),
)


def decays(events=TIMES, model=DECAYS):
    return UnbinnedEvents("decays", model, events)


def control(counts=(C,)):
    return CountedBins("control", np.array(counts), lambda p: jnp.stack([p["background"] * p["efficiency"]]))


PROBLEM = Product([decays(), control(), Constraint("efficiency", 1.0, S)], PARAMETERS)


def test_the_page_about_fits_runs_and_prints_what_it_says(capsys):
    text = (Path(__file__).parents[2] / "analyses" / "fits" / "README.md").read_text()
    code, *_ = re.findall(r"```py\n(.*?)```", text, re.DOTALL)
    names = {}
    exec(code, names)
    (printed,) = re.findall(r"```\n(minimum.*?)```", text, re.DOTALL)
    assert capsys.readouterr().out == printed
    assert names["coverage"]["coverage68"] == pytest.approx(0.683, abs=4 * 0.047)
    assert names["posterior"].converged


@pytest.fixture(scope="module")
def best():
    return fit(PROBLEM)


def rise_of_tau(tau):
    return 2 * N * (np.log(tau / T) + T / tau - 1)


def rise_of_background(b):
    """Minimised over the efficiency; the signal takes what is missing of the number of events."""

    def height(e):
        return 2 * (b * e - C + C * np.log(C / (b * e))) + ((e - 1) / S) ** 2

    return minimize_scalar(height, bounds=(0.7, 1.3), method="bounded", options={"xatol": 1e-10}).fun


def test_migrad_minos_profile_and_contour_are_the_closed_forms(best):
    assert best.values == pytest.approx([T, N - C, C, 1.0], rel=1e-4)
    variance = C + (S * C) ** 2
    assert best.errors**2 == pytest.approx([T**2 / N, N + variance, variance, S**2], rel=1e-4)
    assert best.covariance[1, 2] == pytest.approx(-variance, rel=1e-4)
    ends = [brentq(lambda x: rise_of_tau(x) - 1, *bracket) - T for bracket in ((0.5, T), (T, 4.0))]
    assert best.minos["tau"] == pytest.approx(ends, rel=1e-3)
    ends = [brentq(lambda x: rise_of_background(x) - 1, *bracket) - C for bracket in ((20, C), (C, 140))]
    assert best.minos["background"] == pytest.approx(ends, rel=1e-3)
    taus = np.array([1.2, 1.5, 1.9])
    np.testing.assert_allclose(profile(PROBLEM, best, "tau", taus).delta, rise_of_tau(taus), atol=1e-4)
    (edge,) = contour(PROBLEM, best, ("tau", "background"), (0.68,), n=12)
    heights = [rise_of_tau(tau) + rise_of_background(b) for tau, b in edge.points]
    np.testing.assert_allclose(heights, stats.chi2.ppf(0.68, 2), rtol=1e-3)


def test_nuts_draws_the_posterior_of_the_closed_form(best):
    found = sample_posterior(jax.random.key(1), PROBLEM, PosteriorConfig(), best)
    assert found.converged, found.notes
    # with a uniform prior 1 / tau is distributed as a Gamma of n - 1
    exact = stats.invgamma(N - 1, scale=N * T)
    error = exact.std() / np.sqrt(found.diagnoses["tau"].ess_mean)
    assert found.mean[0] == pytest.approx(exact.mean(), abs=4 * error)
    assert found.intervals()[0] == pytest.approx(exact.interval(0.6827), abs=0.15 * exact.std())
    other = PROBLEM.with_data((PROBLEM.data[0], np.array([C + 20.0]), PROBLEM.data[2]))
    with compiled() as names:
        again = sample_posterior(jax.random.key(2), other, PosteriorConfig(), fit(other))
    assert "jit(chain)" not in names
    assert again.mean[2] == pytest.approx(found.mean[2] + 20, abs=2)


def test_toys_and_goodness(best):
    toys = fit_toys(jax.random.key(2), PROBLEM, best.values, 200, ToyConfig())
    assert not toys.failed
    for name, low in (("tau", 0.9), ("background", 0.9)):
        pulls = toys.pulls[:, toys.names.index(name)]
        assert low < pulls.std() < 1.13  # 2.6 standard errors: 1/sqrt(400) = 0.05
        assert abs(pulls.mean()) < 0.3  # of tau: errors grow with the value, by its third part of a percent
    assert stats.kstest(toys.rise, stats.chi2(4).cdf).pvalue > 0.01
    assert toys.parts == ("decays", "control", "constraint of efficiency")
    found = find_goodness(jax.random.key(3), PROBLEM, best, 100, ToyConfig())
    assert found.total.asymptotic is None
    assert 0.05 < found.parts["decays"].p_value < 0.99


@pytest.mark.parametrize(("claimed", "says"), [(1.0, ""), (0.4, "too small"), (2.5, "too large")])
def test_coverage_tells_true_errors_from_those_that_are_not(claimed, says):
    """Of 1200 counts 5 % of efficiency is the larger error; the fit believes that it is `claimed` times as large."""
    ranges, truth, n = [Parameter("background", 600.0, 1800.0), PARAMETERS[3]], np.array([20.0 * C, 1.0]), 150
    true, believed = (Product([control((20 * C,)), Constraint("efficiency", 1.0, x * S)], ranges) for x in (1, claimed))
    fits = fit_known(believed, truth, throw(jax.random.key(4), true, truth, n), thorough=False, spread=False)
    found = collect(believed, [str(i) for i in range(n)], np.tile(truth, (n, 1)), fits)
    if not says:
        assert found.figures()["coverage68"] == pytest.approx(0.683, abs=3 * 0.038)
        assert not found.warnings()
    else:
        assert any(says in said for said in found.warnings()), found.warnings()


@pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")
def test_the_counting_part_agrees_with_pyhf():
    pyhf = pytest.importorskip("pyhf")
    parameters = {"auxdata": [1.0], "sigmas": [S], "bounds": [[0.7, 1.3]], "inits": [1.0], "name": "lumi"}
    background = {"name": "background", "data": [1.0], "modifiers": []}
    background["modifiers"] = [
        {"name": "background", "type": "normfactor", "data": None},
        {"name": "lumi", "type": "lumi", "data": None},
    ]
    config = {
        "poi": "background",
        "parameters": [parameters, {"name": "background", "bounds": [[15.0, 150.0]], "inits": [50.0]}],
    }
    workspace = pyhf.Workspace(
        {
            "channels": [{"name": "control", "samples": [background]}],
            "observations": [{"name": "control", "data": [C]}],
            "measurements": [{"name": "m", "config": config}],
            "version": "1.0.0",
        }
    )
    model = workspace.model()
    data = workspace.data(model)
    ours = Product([control(), Constraint("efficiency", 1.0, S)], PARAMETERS[2:])
    order = [model.config.par_order.index(name) for name in ("background", "lumi")]
    with ours.computing():
        objective = ours.objective()
        values, theirs = [], []
        for theta in ([60.0, 1.0], [50.0, 0.95], [72.0, 1.08]):
            values.append(objective.point(objective.frame.to_unit(np.array(theta))).value)
            theirs.append(-2 * float(model.logpdf(np.array(theta)[order].tolist(), data)[0]))
    assert np.diff(values) == pytest.approx(np.diff(theirs), abs=1e-9)
    assert fit(ours).values[0] == pytest.approx(float(pyhf.infer.mle.fit(data, model)[order[0]]), rel=1e-3)


def test_bins_with_gaussian_errors_are_a_term_like_any_other():
    from helpers.linearfits import linear_problem

    bins = linear_problem()
    alone = fit(bins)
    names = [p.name for p in bins.parameters]
    error = alone.errors[0]
    both = fit(
        Product([GaussianBins("bins", bins), Constraint(names[0], alone.values[0] + error, error)], bins.parameters)
    )
    # as good a second measurement, one error away
    assert both.values[0] == pytest.approx(alone.values[0] + error / 2, abs=0.02 * error)
    assert both.errors[0] == pytest.approx(error / np.sqrt(2), rel=0.02)
    same = fit(Product([GaussianBins("bins", bins)], bins.parameters))
    np.testing.assert_allclose(same.values, alone.values, atol=1e-3 * alone.errors.min())
    np.testing.assert_allclose(same.covariance, alone.covariance, rtol=1e-4)


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ([control(), control()], "control is there twice"),
        ([Constraint("gain", 1.0, 0.1)], "constraint of gain: wants the parameter 'gain', which is not there"),
        ([], "there are none"),
    ],
)
def test_bad_products_are_refused(terms, message):
    with pytest.raises(InputError, match=message):
        Product(terms, PARAMETERS)


def test_bad_data_are_refused():
    for make in (
        lambda: control((-1,)),
        lambda: decays(np.array([np.nan])),
        lambda: decays(np.array([])),
        lambda: Constraint("a", 1.0, 0.0),
    ):
        with pytest.raises(InputError):
            make()
    with pytest.raises(ComputationError, match="control: the likelihood is not finite for tau"):
        fit(Product([decays(), replace(control(), expected=lambda p: jnp.array([-1.0]) * p["tau"])], PARAMETERS))
    nothing = decays(model=replace(DECAYS, sample=None))
    with pytest.raises(InputError, match="decays: toys need `sample`"):
        fit_toys(jax.random.key(1), Product([nothing], PARAMETERS[:3]), np.array([1.5, 90.0, 60.0]), 2, ToyConfig())


def test_densities_that_cannot_be_traced_are_named():
    untraceable = decays(model=replace(DECAYS, log_density=lambda x, p: -x / p["tau"] - np.log(p["tau"])))
    with pytest.raises(InputError, match="decays: JAX cannot trace it"):
        Product([untraceable], PARAMETERS)


def test_parameters_that_are_not_determined_are_named():
    with pytest.raises(ComputationError, match="the data do not determine the parameters"):
        fit(Product([decays()], PARAMETERS[:3]))  # only their sum is known
