"""Learned log r(x | theta): contracts of all kinds of networks and losses, closed forms, refusals."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.ratiotoys import Shifted

from sbitune.data.errors import InputError
from sbitune.data.events import Events
from sbitune.data.parameter import Parameter
from sbitune.fitting.likelihood.precision import double_precision
from sbitune.learning.networks import Fixed, split_trained
from sbitune.ratios.parameterised.config import RatioConfig, RatioTraining
from sbitune.ratios.parameterised.kinds.kind import Inputs, NetworkConfig, all_pairs, log_ratio
from sbitune.ratios.parameterised.kinds.registry import KINDS, builder_of
from sbitune.ratios.parameterised.losses.binary import Binary
from sbitune.ratios.parameterised.losses.mined import Alice
from sbitune.ratios.parameterised.losses.registry import LOSSES, loss_of
from sbitune.ratios.parameterised.samples import assemble, events_for_ratio
from sbitune.ratios.parameterised.scaling import Scaling
from sbitune.ratios.parameterised.training import train_ratio

KEY = jax.random.key(3)
TOY = Shifted(2)
SMALL = NetworkConfig(hidden=(8,), hidden_theta=(8,), features=2)
QUICK = RatioConfig(
    network=SMALL, members=2, training=RatioTraining(epochs=12, batch_size=128, learning_rate=2e-2, patience=12)
)
#: losses that are tried by default
QUICKLY = ("binary", "alice")
INPUTS = Inputs(
    Scaling(np.array([1.0, -2.0, 0.0], np.float32), np.array([2.0, 1.0, 3.0], np.float32)),
    Scaling(np.array([5.0, 0.0], np.float32), np.array([0.5, 2.0], np.float32)),
    np.array([5.1, 0.4], np.float32),
)


@partial(jax.tree_util.register_dataclass, data_fields=["inputs", "factor"], meta_fields=[])
@dataclass(frozen=True)
class Scaled:
    """The true log r of N(theta, 1), times a factor."""

    inputs: Fixed
    factor: Any

    def embed(self, theta):
        return theta

    def prepare(self, x):
        return x

    def combine(self, embedded, prepared):
        return self.factor * jnp.sum(embedded * prepared - embedded**2 / 2, axis=-1)


def member(stack, i):
    return jax.tree.map(lambda leaf: np.asarray(leaf)[i], stack)


def single(kind, inputs):
    return member(KINDS[kind](jax.random.split(KEY, 1), inputs, SMALL), 0)


def moved(networks):
    """Networks away from their start, at which some are 1 for all x and theta; but not their inputs."""
    rng = np.random.default_rng(1)
    arrays, merge = split_trained(networks)
    return merge([array + 0.3 * rng.normal(size=np.shape(array)).astype(np.float32) for array in arrays])


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_answers_alike_in_steps_for_all_pairs_and_in_double_precision(kind):
    stack = moved(KINDS[kind](jax.random.split(KEY, 2), INPUTS, SMALL))
    rng = np.random.default_rng(2)
    x = rng.normal(size=(7, 3)).astype(np.float32)
    theta = (rng.uniform(-1, 1, (7, 2)) * [0.5, 2] + [5, 0]).astype(np.float32)

    @jax.jit
    def answer(network, x, theta):
        pairs = all_pairs(network, network.embed(theta), network.prepare(x))
        slopes = jax.grad(lambda t: log_ratio(network, x, t).sum())(theta)
        return log_ratio(network, x, theta), pairs, slopes

    one, pairs, slopes = jax.tree.map(np.asarray, answer(member(stack, 0), x, theta))
    assert one.shape == (7,)
    assert one.dtype == np.float32
    assert np.std(pairs) > 0.1
    np.testing.assert_allclose(np.diag(pairs), one, rtol=2e-5, atol=1e-5)
    assert np.isfinite(slopes).all()
    assert np.abs(slopes).min() > 0
    other = answer(member(stack, 1), x, theta)[1]
    assert np.abs(pairs - other).max() > 0.1  # members begin elsewhere
    with double_precision():
        wide = jax.eval_shape(log_ratio, member(stack, 0), x.astype(float), theta.astype(float))
        assert wide.dtype == jnp.float64


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "joint"])
def test_the_ratio_is_exactly_1_at_the_point_of_the_reference(kind):
    network = moved(single(kind, INPUTS))
    x = np.random.default_rng(2).normal(size=(50, 3)).astype(np.float32)
    assert np.abs(jax.jit(log_ratio)(network, x, INPUTS.reference)).max() == 0


@pytest.mark.slow
def test_weights_of_both_signs_that_cancel_change_nothing():
    """Every event twice, with weights that sum to 1: in blocks twice as large the loss is the same."""
    data, _ = assemble(KEY, TOY.sample(1, 300), TOY.sample(2, 300, reference=True), 0.2)
    batch = {name: array[:128] for name, array in data.items()}
    plain = Scaling(np.zeros(2, np.float32), np.ones(2, np.float32))
    network = moved(single("factorised", Inputs(plain, plain, np.zeros(2, np.float32))))
    twice = {name: np.repeat(array, 2, axis=0) for name, array in batch.items()}
    for name in ("weight", "weight_ref"):
        twice[name] = 2 * twice[name] * np.tile([1.7, -0.7], 128).astype(np.float32)
    once = jax.jit(Binary(16, 4.0))(network, batch, KEY)
    both = jax.jit(Binary(32, 4.0))(network, twice, KEY)
    assert float(both.mean()) == pytest.approx(float(once.mean()), rel=1e-5)


def test_rows_keep_groups_together_and_the_sum_of_weights():
    rng = np.random.default_rng(4)
    table = TOY.draw(rng, 400)
    weight = rng.normal(1, 1, 400)
    events = Events.of(dict(table.columns), weight, groups=np.arange(400) // 4)
    sample = events_for_ratio(events, TOY.columns, TOY.parameters)
    reference = TOY.sample(2, 150, reference=True)
    data, rows = assemble(KEY, sample, reference, 0.25)
    group_of = {tuple(x): g for x, g in zip(sample.x.tolist(), sample.groups.tolist(), strict=True)}
    sides = [{group_of[tuple(x)] for x in data["x"][index[0]].tolist()} for index in rows]
    assert not sides[0] & sides[1]
    assert len(sides[0] | sides[1]) == 100
    for index in rows:
        assert data["weight"][index[0]].mean() == pytest.approx(1, abs=1e-5)
        assert data["weight_ref"][index[0]].mean() == pytest.approx(1, abs=1e-5)
    # an event of the reference stands in several rows, with a part of its weight in each
    _, first, counts = np.unique(data["x_ref"][rows.train[0]][:, 0], return_index=True, return_counts=True)
    whole = data["weight_ref"][rows.train[0]][first] * counts
    np.testing.assert_allclose(whole, whole[0], rtol=1e-5)


def test_bad_samples_are_refused():
    table = TOY.draw(np.random.default_rng(4), 40)
    columns = dict(table.columns)
    narrow = (Parameter("mean0", -0.5, 0.5), TOY.parameters[1])
    with pytest.raises(InputError, match="outside its range") as caught:
        events_for_ratio(table, TOY.columns, narrow)
    assert caught.value.code == "ratio-outside-box"
    reference = TOY.sample(2, 40, reference=True)
    with pytest.raises(InputError, match="have no columns with their parameters"):
        train_ratio(KEY, reference, reference, QUICK)
    minus = events_for_ratio(Events.of(columns, -np.ones(40)), TOY.columns, TOY.parameters)
    with pytest.raises(InputError, match="sum to") as caught:
        train_ratio(KEY, minus, reference, QUICK)
    assert caught.value.code == "ratio-no-weight"
    flat = events_for_ratio(Events.of(columns | {"flat": np.ones(40)}), ["x0", "flat"], TOY.parameters)
    with pytest.raises(InputError, match="'flat' is 1 for all events") as caught:
        train_ratio(KEY, flat, None, QUICK)
    assert caught.value.code == "ratio-constant-column"
    for name in ("kind", "loss"):
        with pytest.raises(InputError, match=f"there is no {name}"):
            (builder_of if name == "kind" else loss_of)("nonsense")


@pytest.mark.parametrize(
    "name", [name if name in QUICKLY else pytest.param(name, marks=pytest.mark.slow) for name in LOSSES]
)
def test_every_loss_is_least_at_the_truth(name):
    """Of log r = a * truth at a = 1 within 4 standard errors, with ratios and scores of the simulator that scatter."""
    toy = Shifted(1, share=0.5)
    truth = name in ("alice", "alices", "rolr", "rascal", "cascal", "sally")
    events, reference = toy.sample(1, 4096, truth=truth), toy.sample(2, 4096, reference=True, truth=truth)
    data, _ = assemble(KEY, events, reference, 0.01)
    batch = {key: array[:4096] for key, array in data.items() if len(array) >= 4096}
    plain = Scaling(np.zeros(1, np.float32), np.ones(1, np.float32))
    network = Scaled(Fixed(Inputs(plain, plain, np.zeros(1, np.float32))), jnp.ones(()))
    loss = loss_of(name)
    slope_at = jax.jit(jax.jacfwd(lambda a: loss(replace(network, factor=a), batch, KEY)))
    blocks = np.asarray(slope_at(jnp.ones(()))).reshape(-1, 64).mean(axis=1)  # rows of one block are not independent
    assert abs(blocks.mean()) < 4 * blocks.std() / np.sqrt(len(blocks)) + 1e-6
    for factor, sign in ((0.5, -1), (1.5, 1)):  # and it rises away from there
        assert sign * np.mean(slope_at(jnp.float32(factor))) > 0


def test_a_loss_that_needs_more_than_the_events_tell_is_refused():
    events, reference = TOY.sample(1, 40), TOY.sample(2, 40, reference=True)
    with pytest.raises(InputError, match="Alice needs log_ratio, log_ratio_ref") as caught:
        train_ratio(KEY, events, reference, QUICK, TOY.point(), Alice())
    assert caught.value.code == "ratio-lacks-truth"
    weighted = replace(events, weight=np.arange(40.0))
    with pytest.raises(InputError, match="must have equal weights") as caught:
        train_ratio(KEY, weighted, reference, QUICK, TOY.point(), loss_of("contrastive"))
    assert caught.value.code == "ratio-unequal-weights"
