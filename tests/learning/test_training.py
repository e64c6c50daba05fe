"""The loop against closed forms, and its contract: determinism, best epoch, errors, ensemble equals single."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from sbitune.data.errors import ComputationError, InputError
from sbitune.learning.ensembles import train_ensemble
from sbitune.learning.losses import binary_cross_entropy, chi2_loss
from sbitune.learning.networks import Fixed, build_mlp
from sbitune.learning.rows import Rows, bootstrap_rows, fold_rows
from sbitune.learning.training import TrainingConfig, train

KEY = jax.random.key(7)
QUICK = TrainingConfig(epochs=20, batch_size=32, learning_rate=1e-2, patience=20)


def line(weights: dict, x: jax.Array) -> jax.Array:
    return x @ weights["slope"] + weights["shift"]


def line_loss(model: dict, batch: dict, key: jax.Array) -> jax.Array:
    return chi2_loss(lambda x: line(model, x), batch, key)


@pytest.fixture
def data() -> dict[str, np.ndarray]:
    random = np.random.default_rng(3)
    x = random.normal(size=(300, 2)).astype(np.float32)
    error = random.uniform(0.5, 2, size=300).astype(np.float32)
    y = (x @ [1.5, -0.5] + 2 + error * random.normal(size=300)).astype(np.float32)
    return {"x": x, "y": y, "error": error}


START = {"slope": jnp.zeros(2), "shift": jnp.zeros(())}


def test_a_line_reaches_the_weighted_least_squares_solution(data: dict) -> None:
    rows = Rows(np.arange(200)[None], np.arange(200)[None])  # validated on the training events: the exact minimum
    config = TrainingConfig(epochs=400, batch_size=200, learning_rate=0.05, patience=400)
    trained = train(KEY, START, line_loss, data, config, rows=rows)
    design = np.column_stack([data["x"], np.ones(300)])[:200] / data["error"][:200, None]
    exact = np.linalg.lstsq(design, data["y"][:200] / data["error"][:200], rcond=None)[0]
    np.testing.assert_allclose([*trained.model["slope"], trained.model["shift"]], exact, atol=2e-4)


def test_a_classifier_learns_the_log_ratio_of_two_gaussians() -> None:
    random = np.random.default_rng(5)
    n = 20000
    x = np.concatenate([random.normal(-0.5, 1, n), random.normal(0.5, 1, n)]).astype(np.float32)[:, None]
    label = np.repeat([0, 1], n)
    config = TrainingConfig(epochs=30, batch_size=1000, learning_rate=0.1, patience=30)
    start = {"slope": jnp.zeros(1), "shift": jnp.zeros(())}
    trained = train(
        KEY, start, lambda m, b, k: binary_cross_entropy(lambda x: line(m, x), b, k), {"x": x, "label": label}, config
    )
    # log ratio x; the error of the slope is 1 / sqrt(sum of x^2 p (1 - p)), p (1 - p) x^2 being about 0.15 here
    tolerance = 4 / np.sqrt(0.8 * 2 * n * 0.15)
    assert float(trained.model["slope"][0]) == pytest.approx(1, abs=tolerance)
    assert float(trained.model["shift"]) == pytest.approx(0, abs=tolerance)


@pytest.mark.slow
def test_a_member_of_an_ensemble_is_what_it_would_be_alone(data: dict) -> None:
    keys = jax.random.split(KEY, 3)
    config = TrainingConfig(epochs=25, batch_size=32, learning_rate=3e-2, patience=3)

    def build(key: jax.Array) -> object:
        return build_mlp(key, 2, 1, (8,))

    def loss(model: object, batch: dict, key: jax.Array) -> jax.Array:
        return chi2_loss(lambda x: model(x)[:, 0], batch, key)  # type: ignore[operator]

    together = train_ensemble(keys, build(keys), loss, data, config)
    assert len(set(together.best_epoch.tolist())) > 1  # members stop at different epochs
    for i in range(3):
        alone = train(keys[i], build(keys[i]), loss, data, config)
        n = len(alone.losses.train)
        assert alone.best_epoch == together.best_epoch[i]
        np.testing.assert_allclose(together.losses.validation[:n, i], alone.losses.validation, rtol=1e-4)
        for one, many in zip(jax.tree.leaves(alone.model), jax.tree.leaves(together.model), strict=True):
            np.testing.assert_allclose(many[i], one, rtol=1e-3, atol=1e-5)


def test_the_best_epoch_is_kept(data: dict) -> None:
    # a step size far too large makes the loss go up and down
    config = TrainingConfig(epochs=30, batch_size=32, learning_rate=1.0, schedule="constant", patience=30)
    trained = train(KEY, START, line_loss, data, config)
    validation = trained.losses.validation
    assert trained.best_epoch == int(np.argmin(validation)) < 29
    held = _validation_rows(300, config)
    again = line_loss(trained.model, {name: array[held] for name, array in data.items()}, KEY)
    assert float(again.mean()) == pytest.approx(validation.min(), rel=1e-5)


def _validation_rows(n_events: int, config: TrainingConfig) -> np.ndarray:
    """The validation events that `train` draws with `KEY`: the first of the two keys it splits off permutes."""
    order = np.asarray(jax.random.permutation(jax.random.split(KEY)[0], n_events))
    return order[: round(config.validation_fraction * n_events)]


def test_training_stops_when_patience_is_out(data: dict) -> None:
    config = TrainingConfig(epochs=500, batch_size=64, learning_rate=0.3, schedule="constant", patience=5)
    trained = train(KEY, START, line_loss, data, config)
    assert len(trained.losses.train) == trained.best_epoch + 1 + 5 < 500


def test_same_key_same_bits_other_key_other_bits(data: dict) -> None:
    one, two = (train(KEY, START, line_loss, data, QUICK) for _ in range(2))
    other = train(jax.random.key(8), START, line_loss, data, QUICK)
    assert one.model["slope"].tobytes() == two.model["slope"].tobytes()
    assert one.losses.train.tobytes() == two.losses.train.tobytes()
    assert one.model["slope"].tobytes() != other.model["slope"].tobytes()


def test_a_loss_that_is_not_finite_raises_and_names_the_epoch(data: dict) -> None:
    bad = {**data, "y": np.where(np.arange(300) == 4, np.nan, data["y"])}
    with pytest.raises(ComputationError, match="member 0 is not finite in epoch 0"):
        train(KEY, START, line_loss, bad, QUICK)


def test_a_late_divergence_names_its_epoch(data: dict) -> None:
    def loss(model: dict, batch: dict, key: jax.Array) -> jax.Array:
        return line_loss(model, batch, key) + model["count"].value * 0  # type: ignore[operator]

    def explode(count: jax.Array) -> jax.Array:
        return jnp.where(count > 3 * 7, jnp.nan, 0.0)  # 240 events make 7 steps of 32

    steps = optax.stateless_with_tree_map(lambda g, p: -0.01 * g)
    counting = optax.chain(steps, optax.scale_by_schedule(lambda count: 1.0 + explode(count)))
    model = {**START, "count": Fixed(jnp.ones(()))}
    with pytest.raises(ComputationError, match="epoch 3"):
        train(KEY, model, loss, data, QUICK, optimizer=counting)


def test_fixed_arrays_stay(data: dict) -> None:
    model = {"slope": Fixed(jnp.array([1.5, -0.5])), "shift": jnp.zeros(())}

    def loss(model: dict, batch: dict, key: jax.Array) -> jax.Array:
        return line_loss({**model, "slope": model["slope"].value}, batch, key)

    trained = train(KEY, model, loss, data, QUICK)
    assert trained.model["slope"].value.tolist() == [1.5, -0.5]
    assert float(trained.model["shift"]) > 0.5


def test_the_loss_gets_new_keys_at_every_step_and_the_same_for_every_validation(data: dict) -> None:
    def noise(model: dict, batch: dict, key: jax.Array) -> jax.Array:
        return jax.random.normal(key, batch["y"].shape) + 0 * model["shift"]

    trained = train(KEY, START, noise, data, QUICK)
    assert len(np.unique(trained.losses.train)) == 20
    assert len(np.unique(trained.losses.validation)) == 1
    assert trained.best_epoch == 0
    other = train(jax.random.key(8), START, noise, data, QUICK)
    assert other.losses.validation[0] != trained.losses.validation[0]


def test_weights_count_as_repeated_events_do(data: dict) -> None:
    repeats = np.arange(200) % 3
    repeated = np.repeat(np.arange(200), repeats)
    config = TrainingConfig(epochs=400, batch_size=300, learning_rate=0.05, patience=400)
    rows = Rows(np.arange(200)[None], np.arange(200)[None])
    weights = np.concatenate([repeats, np.full(100, np.nan)])  # those of events that are not used do not count
    weighted = train(KEY, START, line_loss, data, config, weights=weights, rows=rows)
    drawn = train(KEY, START, line_loss, data, config, rows=Rows(repeated[None], repeated[None]))
    np.testing.assert_allclose(weighted.model["slope"], drawn.model["slope"], atol=1e-3)
    np.testing.assert_allclose(weighted.model["shift"], drawn.model["shift"], atol=1e-3)
    # the mean divides by the number of events
    ratio = weighted.losses.validation.min() / drawn.losses.validation.min()
    assert ratio == pytest.approx(repeats.mean(), rel=1e-3)


def test_progress_sees_every_epoch(data: dict) -> None:
    seen: list[tuple[int, float]] = []
    trained = train(
        KEY, START, line_loss, data, QUICK, progress=lambda epoch, train, valid: seen.append((epoch, float(valid[0])))
    )
    assert [epoch for epoch, _ in seen] == list(range(20))
    assert [loss for _, loss in seen] == pytest.approx(trained.losses.validation.tolist())


def test_long_validation_is_the_mean_over_slices(monkeypatch: pytest.MonkeyPatch, data: dict) -> None:
    whole = train(KEY, START, line_loss, data, QUICK)
    monkeypatch.setattr("sbitune.learning.training.VALIDATION_SLICE", 20)
    sliced = train(KEY, START, lambda m, b, k: line_loss(m, b, k), data, QUICK)
    np.testing.assert_allclose(sliced.losses.validation, whole.losses.validation, rtol=1e-5)


def test_faulty_calls_are_refused(data: dict) -> None:
    with pytest.raises(TypeError, match="typed random key"):
        train(jax.random.PRNGKey(1), START, line_loss, data, QUICK)
    with pytest.raises(InputError, match=r"hold \[2, 300\] events"):
        train(KEY, START, line_loss, {**data, "y": np.zeros(2)}, QUICK)
    with pytest.raises(InputError, match="outside the 300 events"):
        train(KEY, START, line_loss, data, QUICK, rows=Rows(np.array([[0, 300]]), np.array([[1]])))
    with pytest.raises(InputError, match=r"weights have shape \(2,\), expected \(300,\)"):
        train(KEY, START, line_loss, data, QUICK, weights=np.ones(2))
    with pytest.raises(InputError, match=r"returns shape \(\); take no mean"):
        train(KEY, START, lambda m, b, k: line_loss(m, b, k).mean(), data, QUICK)
    with pytest.raises(InputError, match=r"shape \(2, 2\), expected \(1"):
        train(KEY, START, line_loss, data, QUICK, rows=Rows(np.zeros((2, 2), int), np.zeros((2, 1), int)))
    for wrong in ({"epochs": 0}, {"schedule": "step"}, {"validation_fraction": 1.0}, {"learning_rate": -1.0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            TrainingConfig(**wrong)  # type: ignore[arg-type]


def test_folds_hold_out_every_event_at_most_once() -> None:
    rows = fold_rows(KEY, 23, 5)
    assert rows.validation.shape == (5, 4)
    assert len(np.unique(rows.validation)) == 20
    for train_rows, held in zip(rows.train, rows.validation, strict=True):
        assert sorted([*train_rows, *held]) == list(range(23))


def test_bootstrapped_rows_come_from_the_members_own() -> None:
    rows = fold_rows(KEY, 400, 2)
    drawn = bootstrap_rows(jax.random.split(KEY, 2), rows)
    assert (drawn.validation == rows.validation).all()
    for mine, original in zip(drawn.train, rows.train, strict=True):
        assert set(mine) <= set(original)
        # of n events a bootstrap holds n (1 - 1/e) different ones, with variance n (1/e - 2/e^2)
        expected, width = 200 * (1 - np.exp(-1)), np.sqrt(200 * (np.exp(-1) - 2 * np.exp(-2)))
        assert len(set(mine)) == pytest.approx(expected, abs=4 * width)


def test_an_ensemble_of_means_spreads_as_the_bootstrap_should() -> None:
    """Members that learn a constant from bootstrapped events scatter by sigma / sqrt(n)."""
    y = np.random.default_rng(2).normal(size=200).astype(np.float32)
    n_members = 100
    keys = jax.random.split(KEY, n_members)
    every = np.tile(np.arange(200), (n_members, 1))
    drawn = bootstrap_rows(keys, Rows(every, every))
    rows = Rows(drawn.train, drawn.train)
    config = TrainingConfig(epochs=100, batch_size=200, learning_rate=0.1, patience=100)

    def loss(model: jax.Array, batch: jax.Array, key: jax.Array) -> jax.Array:
        return (batch - model) ** 2

    trained = train_ensemble(keys, jnp.zeros(n_members), loss, y, config, rows=rows)
    np.testing.assert_allclose(trained.model, y[drawn.train].mean(axis=1), atol=2e-3)
    expected = y.std() / np.sqrt(200)
    assert float(trained.model.std()) == pytest.approx(expected, rel=4 / np.sqrt(2 * n_members))


def test_importing_changes_no_global_state() -> None:
    assert not jax.config.jax_enable_x64  # type: ignore[attr-defined]
