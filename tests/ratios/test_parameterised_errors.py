"""Members of a parameterised ratio, combined on events held back; the error of the ratio, carried to a fit."""

import importlib.util
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest
from helpers.ratiotoys import Shifted

from sbitune.data.parameter import Parameter
from sbitune.fitting.likelihood.product import Product
from sbitune.fitting.likelihood.terms.unbinned import Density, UnbinnedEvents
from sbitune.fitting.minimise.implicit import carried_covariance
from sbitune.fitting.minimise.minimiser import fit
from sbitune.learning.networks import Fixed
from sbitune.learning.sandwich import fit_with_sandwich
from sbitune.ratios.parameterised.combination.fitting import combine_members
from sbitune.ratios.parameterised.combination.network import mean_of_members, member
from sbitune.ratios.parameterised.config import RatioConfig, RatioTraining
from sbitune.ratios.parameterised.kinds.kind import Inputs, NetworkConfig, all_pairs, log_ratio
from sbitune.ratios.parameterised.kinds.registry import KINDS
from sbitune.ratios.parameterised.normalisation import means_of_ratio, normalise
from sbitune.ratios.parameterised.scaling import Scaling
from sbitune.ratios.parameterised.storage import load_ratio, save_ratio
from sbitune.ratios.parameterised.training import train_ratio

KEY = jax.random.key(3)
TOY = Shifted(1)
SMALL = NetworkConfig(hidden=(4,), hidden_theta=(4,), features=2)
CONFIG = RatioConfig(
    network=SMALL, members=2, training=RatioTraining(epochs=4, batch_size=128, learning_rate=2e-2, patience=4)
)


@pytest.fixture(scope="module")
def learned():
    return train_ratio(KEY, TOY.sample(1, 2000), TOY.sample(2, 2000, reference=True), CONFIG, TOY.point())


def test_a_sandwich_is_the_covariance_of_a_weighted_mean():
    """Of squares w (x - phi)^2 / 2 H is the sum of weights, and S that of the squares of w (x - phi)."""
    rng = np.random.default_rng(1)
    x, w = rng.normal(2.0, 1.0, 4000), np.where(rng.uniform(size=4000) < 0.2, -1.0, 1.0)

    def derivatives(phi):
        each = w * (x - phi[0])
        return np.array([each.sum()]), np.array([[w.sum()]]), np.array([[each @ each]])

    phi, covariance = fit_with_sandwich(np.zeros(1), derivatives, w)
    assert phi[0] == pytest.approx(np.average(x, weights=w), rel=1e-3)  # held near 0 as by one event of 2,400
    # 20 % of the weights are negative: the variance of 4,000 events over the square of what is left of them
    assert covariance[0, 0] == pytest.approx(4000 / 2400**2, rel=0.1)


def test_what_a_fit_inherits_from_numbers_that_it_took_for_known():
    """A normal distribution about theta + phi, phi known to .02: theta has that error from it, whatever the data."""
    rng = np.random.default_rng(2)
    model = Density(lambda x, given: -((x[:, 0] - given["theta"]) ** 2) / 2)
    x = rng.normal(0.3, 1, (400, 1))
    problem = Product([UnbinnedEvents("events", model, x)], [Parameter("theta", -2.0, 3.0)])
    found = carried_covariance(problem, fit(problem), [(np.full((1, 1), 2 * 400.0), np.full((1, 1), 0.02**2))])
    assert np.sqrt(found[0, 0]) == pytest.approx(0.02, rel=1e-6)


CASES = [(kind, point) for kind in KINDS for point in (True, False) if point or kind in ("factorised", "joint")]


@pytest.mark.parametrize(
    ("kind", "has_point"),
    [case if case == ("factorised", True) else pytest.param(*case, marks=pytest.mark.slow) for case in CASES],
)
def test_a_combination_begins_as_the_mean_and_answers_alike_in_steps_and_for_all_pairs(kind, has_point):
    rng = np.random.default_rng(2)
    plain = [Scaling(np.zeros(n, np.float32), np.ones(n, np.float32)) for n in (3, 2)]
    inputs = Inputs(*plain, np.array([0.1, 0.4], np.float32) if has_point else None)
    stack = KINDS[kind](jax.random.split(KEY, 2), inputs, SMALL)
    combined = mean_of_members(jax.tree.map(np.asarray, stack), Fixed(inputs))
    x, theta = rng.normal(size=(700, 3)).astype(np.float32), rng.uniform(-1, 1, (700, 2)).astype(np.float32)
    mean = np.mean([np.asarray(log_ratio(member(combined.members, i), x, theta)) for i in range(2)], axis=0)
    np.testing.assert_allclose(log_ratio(combined, x, theta), mean, atol=1e-5)
    moved = replace(combined, phi=(combined.phi + rng.normal(size=len(combined.phi))).astype(np.float32))
    one = np.asarray(jax.jit(log_ratio)(moved, x, theta))
    pairs = jax.jit(lambda net, x, t: all_pairs(net, net.embed(t), net.prepare(x)))(moved, x, theta)
    np.testing.assert_allclose(np.diag(pairs), one, rtol=1e-4, atol=1e-4)
    # linear in the numbers: products of one and of two parameters, and of parameters and columns
    scaled, at = theta.astype(float), np.array([0.1, 0.4]) * has_point
    own = np.column_stack([scaled, scaled[:, :1] ** 2, scaled[:, :1] * scaled[:, 1:], scaled[:, 1:] ** 2])
    own -= [*at, at[0] ** 2, at[0] * at[1], at[1] ** 2]
    alone = [] if has_point else [np.ones((700, 1)), x]
    products = ((scaled - at)[:, :, None] * x[:, None]).reshape(700, -1)
    of_members = np.column_stack([log_ratio(member(combined.members, i), x, theta) for i in range(2)])
    design = np.column_stack([of_members, own, *alone, products])
    np.testing.assert_allclose(one, design @ moved.phi, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_combinations_of_many_samples_scatter_as_their_covariance_says(learned):
    """32 samples of 512 events each, half of which stand there twice, as a group."""
    found, errors, at = [], [], np.array([0.8])
    grid = np.array([[-1.0], [0.0], [1.5]], np.float32)
    twice = np.concatenate([np.arange(512), np.arange(256)])  # half of the events stand there twice

    def of_phi(phi, network):
        return log_ratio(replace(network, phi=phi), grid, at)

    for seed in range(32):
        events, reference = TOY.sample(100 + 2 * seed, 512), TOY.sample(101 + 2 * seed, 512, reference=True)
        x, theta, weight = (array[twice] for array in (events.x, events.theta, events.weight))
        events = replace(events, x=x, theta=theta, weight=weight, groups=twice)
        ratio = combine_members(KEY, learned, events, reference)
        network = member(ratio.networks)
        slopes = np.asarray(jax.jacfwd(of_phi)(network.phi, network))
        found.append(ratio.log_ratios(grid, at))
        errors.append(np.sqrt(np.einsum("np,pq,nq->n", slopes, ratio.combination, slopes)))
    scatter = np.std(found, axis=0) / np.sqrt(np.mean(np.square(errors), axis=0))
    # a standard deviation of 32 values is known to an eighth
    np.testing.assert_allclose(scatter, 1, atol=0.4)
    pulls = (np.array(found) - TOY.log_ratio(grid, at)) / np.array(errors)
    assert np.abs(pulls.mean(axis=0)).max() < 1  # what members do not allow is less than the error


@pytest.mark.slow
def test_a_combined_ratio_is_normalised_kept_and_combined_again(learned, tmp_path):
    more = {"truth": True}
    for loss, truth in (("binary", {}), ("alices", more), ("contrastive", {})):
        config = RatioConfig(loss=loss, network=SMALL, members=2, training=CONFIG.training)
        ratio = train_ratio(KEY, TOY.sample(1, 2000, **truth), TOY.sample(2, 2000, reference=True, **truth), config,
                            TOY.point())  # fmt: skip
        held = TOY.sample(3, 2000, **truth), TOY.sample(4, 1500, reference=True, **truth)
        combined = combine_members(KEY, ratio, *held)
        again = combine_members(KEY, combined, *held)
        np.testing.assert_allclose(again.networks.phi, combined.networks.phi)
        normal = normalise(combined, TOY.sample(5, 50_000, reference=True))
        assert normal.correction is not None
        assert normal.correction.slopes.shape == (6, len(combined.combination))
        means = means_of_ratio(normal, TOY.sample(6, 50_000, reference=True), np.array([[-0.9], [0.4]]))
        assert (np.abs(means.mean - 1) < 4.5 * means.error).all()
        save_ratio(tmp_path / "ratio.npz", normal)
        read = load_ratio(tmp_path / "ratio.npz")
        x = TOY.sample(7, 100).x
        np.testing.assert_array_equal(read.log_ratios(x, np.array([0.3])), normal.log_ratios(x, np.array([0.3])))
        np.testing.assert_array_equal(read.combination, normal.combination)


@pytest.mark.slow
def test_intervals_hold_the_truth_with_the_error_of_the_ratio_and_not_without():
    path = Path(__file__).parents[1] / "benchmarks" / "bench_parameterised_errors.py"
    spec = importlib.util.spec_from_file_location("bench_parameterised_errors", path)
    assert spec is not None
    assert spec.loader is not None
    bench = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bench)
    n = 10
    _, widths = bench.measure(500, n)
    error = 1 / np.sqrt(4 * n)  # of the width of 2 n pulls
    assert widths[0] == pytest.approx(1, abs=3 * error)
    assert widths[2] == pytest.approx(1, abs=3.5 * error)
    assert widths[1] > 1 + 4 * error
