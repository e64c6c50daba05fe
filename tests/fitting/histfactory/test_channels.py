"""Channels with all modifiers of HistFactory against pyhf, and what is refused."""

import jax
import numpy as np
import pytest
from helpers.workspaces import BACKGROUND, COUNTS, SETTINGS, SIGNAL, model, workspace

from sbitune.data.errors import InputError
from sbitune.data.parameter import Parameter
from sbitune.fitting.checks.toys import throw
from sbitune.fitting.likelihood.histfactory.channel import Channel, Sample
from sbitune.fitting.likelihood.histfactory.model import HistFactory, Setting
from sbitune.fitting.likelihood.histfactory.modifiers import HistoSys, NormFactor, NormSys, StatError
from sbitune.fitting.likelihood.product import Product
from sbitune.fitting.likelihood.terms.constraints import Constraint, GaussianConstraints, PoissonConstraints
from sbitune.fitting.likelihood.terms.counts import CountedBins


@pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")  # as pyhf 0.7.6 uses it
@pytest.mark.parametrize(("norm", "histo"), [("code4", "code4p"), ("code1", "code0")])
def test_expected_counts_and_likelihood_are_those_of_pyhf(norm, histo):
    pyhf = pytest.importorskip("pyhf")
    pyhf.set_backend("numpy")
    opened = pyhf.Workspace(workspace())
    theirs = opened.model(modifier_settings={"normsys": {"interpcode": norm}, "histosys": {"interpcode": histo}})
    data = opened.data(theirs)
    ours = model(norm, histo)
    product = ours.product(COUNTS)
    rng = np.random.default_rng(4)
    values, logs = [], []
    with product.computing():
        objective = product.objective()
        expected = jax.jit(lambda p: [channel.expected(p) for channel in ours.channels[::-1]])
        for _ in range(4):
            point = {p.name: p.default + rng.normal(0, 0.9 if p.low < 0 else 0.05) for p in ours.parameters}
            flat = [point.get(name, 1.0) for name in theirs.config.par_names]
            found = np.concatenate(expected(point))  # by name, as pyhf has them
            np.testing.assert_allclose(found, theirs.expected_data(flat, include_auxdata=False), rtol=1e-12)
            theta = np.array([point[p.name] for p in ours.parameters])
            values.append(objective.point(objective.frame.to_unit(theta)).value)
            logs.append(-2 * float(theirs.logpdf(flat, data)[0]))
    np.testing.assert_allclose(np.diff(values), np.diff(logs), rtol=1e-9)
    assert set(theirs.config.par_names) - {p.name for p in ours.parameters} == {"uncorrelated[2]"}


@pytest.mark.slow
def test_toys_fluctuate_counts_and_both_kinds_of_constraints():
    product = model().product(COUNTS)
    theta = np.array([p.default for p in product.parameters])
    n = 1500
    toys = throw(jax.random.key(1), product, theta, n)
    counts, gaussian, poisson = (np.array([toy[i] for toy in toys]) for i in (0, 2, 3))
    expected = SIGNAL.nominal + BACKGROUND.nominal
    np.testing.assert_allclose(counts.mean(axis=0), expected, atol=4 * np.sqrt(expected.max() / n))
    np.testing.assert_allclose(counts.var(axis=0), expected, rtol=4 * np.sqrt(2.1 / n))
    term = product.terms[2]
    assert isinstance(term, GaussianConstraints)
    np.testing.assert_allclose(gaussian.std(axis=0), term.errors, rtol=4 / np.sqrt(2 * n))
    relative = np.hypot([0.5, 0.7, 0.2], [2.0, 3.0, 0.0]) / expected
    np.testing.assert_allclose([term.errors[term.constrained.index(f"mc[{i}]")] for i in range(3)], relative)
    tau = (np.array([50.0, 52.0]) / [3.0, 7.0]) ** 2
    np.testing.assert_allclose(poisson.mean(axis=0), tau, rtol=4 / np.sqrt(n * tau.min()))
    assert isinstance(product.terms[3], PoissonConstraints)
    np.testing.assert_allclose(product.terms[3].scales, tau)


def test_bins_without_content_have_finite_derivatives():
    channel = Channel("c", [Sample("s", np.array([0.0, 4.0]), [NormFactor("mu")])])
    product = HistFactory([channel]).product({"c": [0.0, 3.0]})
    with product.computing():
        objective = product.objective()
        point = objective.point(objective.frame.to_unit(np.array([1.0])))
        assert np.isfinite(objective.gradient(point)).all()
        # -2 log L = 2 (4 mu - 3 log mu): curvature 6 / mu^2, in units of half the range, 5
        assert objective.hessian(point)[0, 0] == pytest.approx(6 * 25)


def refused(make):
    with pytest.raises(InputError) as caught:
        make()
    return caught.value


@pytest.mark.parametrize(
    ("make", "code", "says"),
    [
        (lambda: NormSys("a", 1.1, 1.1), "modifier-up-is-down", "up and down are the same, 1.1: give the sample"),
        (lambda: HistoSys("a", np.ones(2), np.ones(2)), "modifier-up-is-down", "histosys a: up and down are the same"),
        (lambda: HistoSys("a", np.ones(2), np.ones(3)), "modifier-bins", "2 bins up and 3 down"),
        (lambda: NormSys("a", 1.1, 0.0), "modifier-factor", "needs a histosys"),
        (lambda: StatError("a", np.array([1.0, -1.0])), "modifier-bins", "bin 1 has a negative error"),
        (lambda: Sample("s", np.ones(2), [StatError("a", np.ones(3))]), "modifier-bins", "a has 3 bins, the sample 2"),
        (lambda: Channel("c", []), "channel-samples", "there are no samples"),
        (lambda: Channel("c", [Sample("s", np.ones(2)), Sample("t", np.ones(3))]), "channel-samples", "t has 3 bins"),
        (lambda: Channel("c", [Sample("s", np.ones(2))], normsys="code2"), "modifier-interpolation", "code1 or code4"),  # type: ignore
        (lambda: model(settings={}), "constraint-without-measurement", "lumi: the lumi has no auxiliary measurement"),
        (lambda: model(settings=SETTINGS | {"x": Setting()}), "setting-name", "x is no parameter"),
        (lambda: model(settings=SETTINGS | {"free": Setting(start=(1.0,))}), "setting-length", "1 values for 2"),
        (lambda: model().product({"region": [1.0]}), "channel-counts", "region: 1 observed counts for 3 bins"),
        (lambda: Constraint("gain", None, 0.1), "constraint-without-measurement", "no auxiliary measurement"),  # type: ignore
        (lambda: Constraint("gain", 1.0, -0.1), "constraint-without-measurement", "1 +- -0.1 is no measurement"),
    ],
)  # fmt: skip
def test_what_is_refused(make, code, says):
    error = refused(make)
    assert error.code == code
    assert says in str(error)


def test_one_name_has_one_meaning():
    samples = [Sample("s", np.ones(2), [NormFactor("a")]), Sample("t", np.ones(2), [NormSys("a", 1.1, 0.9)])]
    assert refused(lambda: HistFactory([Channel("c", samples)])).code == "modifier-name-shared"
    shared = [Channel(c, [Sample("s", np.ones(2), [StatError("mc", np.ones(2))])]) for c in "cd"]
    assert refused(lambda: HistFactory(shared)).code == "modifier-name-shared"


def test_less_than_nothing_is_not_expected():
    bins = CountedBins("bins", np.array([0.0]), lambda p: p["x"] * np.ones(1))
    product = Product([bins], [Parameter("x", -1.0, 1.0)])
    with product.computing():
        assert np.isnan(product.objective().statistic(product.objective().point(np.array([0.5])))).sum() == 0
        assert np.isnan(np.asarray(product.compiled.each(np.array([-0.5]), product.data))).all()
