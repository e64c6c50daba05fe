"""What the loop compiles: once for a network and some sizes, and nothing again; and that filling up changes nothing."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers.compilations import compiled

from sbitune.learning.ensembles import train_ensemble
from sbitune.learning.keys import Keys
from sbitune.learning.loop.shuffles import permute, shuffle_epochs
from sbitune.learning.losses import chi2_loss
from sbitune.learning.networks import build_mlp
from sbitune.learning.padding import pad_first, pad_members, pad_rows, padded_size
from sbitune.learning.rows import Rows, bootstrap_rows, fold_rows
from sbitune.learning.training import TrainingConfig, train

BASE = {"n": 400, "members": 18, "seed": 0, "epochs": 2, "batch_size": 32}


def events(n: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(1)
    x = random.normal(size=(n, 3)).astype(np.float32)
    return {"x": x, "y": np.sin(x @ np.ones((3, 2), np.float32)), "error": np.ones((n, 2), np.float32)}


def fit(n: int, members: int, seed: int, folds: bool = False, bootstrap: bool = False, **config) -> np.ndarray:
    keys = jax.random.split(jax.random.key(seed), members)
    models = build_mlp(keys, 3, 2, (8,))
    rows = fold_rows(keys[0], n, members) if folds else None
    if bootstrap:
        rows = bootstrap_rows(keys, Rows(*(np.tile(np.arange(*ends), (members, 1)) for ends in ((0, 320), (320, 400)))))
    trained = train_ensemble(keys, models, chi2_loss, events(n), TrainingConfig(**config), rows=rows)
    return trained.losses.validation


def test_a_network_is_compiled_once_for_some_sizes():
    # keys are split first, which compiles for every number of them, and for tests alone
    for members in (17, 18):
        jax.random.split(jax.random.key(0), members)[0]
    with compiled() as names:
        first = fit(**BASE)
    assert names.count("jit(run_epoch)") == 1
    for change in (
        {"epochs": 5},
        {"seed": 1},
        {"learning_rate": 1e-2, "schedule": "constant", "patience": 7},
        {"batch_size": 30},
        {"n": 430},
        {"n": 470, "members": 17, "batch_size": 29, "epochs": 1},
    ):
        with compiled() as names:
            fit(**BASE | change)
        assert names == [], change
    with compiled() as names:
        fit(**BASE | {"batch_size": 33})
    assert names == ["jit(run_epoch)"]
    with compiled() as names:
        again = fit(**BASE)
    assert names == []
    np.testing.assert_array_equal(again, first)


def test_other_folds_and_bootstraps_compile_nothing():
    fit(**BASE, folds=True)
    fit(**BASE, bootstrap=True)
    for change in ({"seed": 1}, {"n": 395}):
        with compiled() as names:
            fit(**BASE | change, folds=True)
        assert names == [], change
    with compiled() as names:
        fit(**BASE | {"seed": 1, "members": 17}, bootstrap=True)
    assert names == []


@dataclass(frozen=True)
class Power:
    """A loss with a setting."""

    power: int

    def __call__(self, model: jax.Array, batch: jax.Array, key: jax.Array) -> jax.Array:
        return jnp.abs(batch - model) ** self.power


def test_a_loss_is_found_again_by_what_it_is_equal_to():
    y = np.arange(20, dtype=np.float32)
    compilations = []
    for power in (2, 2, 4):
        with compiled() as names:
            train(jax.random.key(0), jnp.zeros(()), Power(power), y, TrainingConfig(epochs=1))
        compilations.append(names.count("jit(run_epoch)"))
    assert compilations == [1, 0, 1]


def test_the_loop_does_what_a_plain_loop_would():
    """77 events, 62 of them in 4 steps of 13 and 15 to validate, are filled up to 128, to steps of 14, and to 16."""
    key, data = jax.random.key(3), jax.tree.map(jnp.asarray, events(77))
    model = build_mlp(jax.random.key(4), 3, 2, (8,))
    config = TrainingConfig(epochs=6, batch_size=13, learning_rate=1e-2, patience=9)
    split_key, loop_key, validation_key = jax.random.split(key, 3)
    order = jax.random.permutation(split_key, 77)
    held, used = order[:15], order[15:]
    optimizer = optax.adam(optax.cosine_decay_schedule(1e-2, 6 * 4))

    def value(model, rows, key):
        return noisy_loss(model, jax.tree.map(lambda array: array[rows], data), key).mean()

    @jax.jit
    def run_epoch(model, memory, epoch):
        keys = jax.random.split(jax.random.fold_in(loop_key, epoch), 6)
        batches = jax.random.permutation(keys[0], used)[: 4 * 13].reshape(4, 13)
        for rows, one in zip(batches, keys[2:], strict=True):
            updates, memory = optimizer.update(jax.grad(value)(model, rows, one), memory)
            model = optax.apply_updates(model, updates)
        return model, memory, value(model, held, jax.random.fold_in(validation_key, 0))

    plain, memory, losses = model, optimizer.init(model), []
    for epoch in range(6):
        plain, memory, loss = run_epoch(plain, memory, epoch)
        losses.append(float(loss))
    trained = train(key, model, noisy_loss, data, config)
    assert trained.losses.validation.tolist() == pytest.approx(losses, rel=1e-5)
    assert trained.best_epoch == 5
    for one, other in zip(jax.tree.leaves(trained.model), jax.tree.leaves(plain), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def noisy_loss(model: object, batch: dict[str, jax.Array], key: jax.Array) -> jax.Array:
    noise = 0.1 * jax.random.normal(key, batch["x"].shape)
    return chi2_loss(model, {**batch, "x": batch["x"] + noise}, key)


@pytest.mark.parametrize("n", [1, 2, 7, 300, 3000])
def test_orders_are_those_of_jax(n):
    keys = jax.random.split(jax.random.key(5), 3)
    given = Keys.of(keys)
    np.testing.assert_array_equal(permute(given, n), [jax.random.permutation(key, n) for key in keys])


@pytest.mark.parametrize("kind", ["threefry2x32", "rbg"])
def test_numbers_are_spread_evenly_whatever_the_kind_of_keys(kind):
    bits = Keys.of(jax.random.split(jax.random.key(5, impl=kind), 2)).bits(20000)
    counts = np.bincount((bits >> np.uint32(29)).ravel(), minlength=8)
    # each of 8 parts holds 5000 of 40,000 numbers, with standard deviation sqrt(40000 7) / 8 = 66
    assert np.abs(counts - 5000).max() < 4 * 66
    assert len(np.unique(bits)) > 39990


def test_every_epoch_has_an_order_of_its_own_whatever_their_number(monkeypatch):
    keys, rows = Keys.of(jax.random.split(jax.random.key(5), 2)), np.stack([np.arange(9), np.arange(9)[::-1]])
    many = list(shuffle_epochs(keys, rows, 50))
    monkeypatch.setattr("sbitune.learning.loop.shuffles._AT_ONCE", 1)
    one_by_one = list(shuffle_epochs(keys, rows, 50))
    np.testing.assert_array_equal(many, one_by_one)
    assert len({order.tobytes() for order in many}) == 50
    assert (np.sort(many, axis=2) == np.arange(9)).all()


def test_sizes_are_few_and_not_much_larger():
    for n in range(1, 5000):
        assert n <= pad_members(n) <= max(n, 1.125 * n)
        assert n <= padded_size(n, parts=4) <= 1.25 * n
        assert n <= pad_rows(n) < max(2 * n, 65)
    assert len({pad_rows(n) for n in range(1, 1 << 16)}) == 11
    assert pad_rows(10_000_000) < 1.125 * 10_000_000


def test_filling_up_repeats_the_last():
    assert pad_first(jnp.array([1, 2]), 4).tolist() == [1, 2, 2, 2]
    keys = jax.random.split(jax.random.key(0), 2)
    assert pad_first(keys, 3)[2] == keys[1]
