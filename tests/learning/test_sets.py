"""Networks of sets: what they must not depend on, sets in the training loop, and log ratios that are known."""

import resource
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.settoys import draw_sets

from sbitune.data.errors import InputError
from sbitune.data.events.ragged import Ragged, from_counts
from sbitune.learning.ensembles import train_ensemble
from sbitune.learning.keys import Keys
from sbitune.learning.losses import binary_cross_entropy
from sbitune.learning.networks import split_trained
from sbitune.learning.rows import Rows
from sbitune.learning.sets.attention import attend, build_set_attention
from sbitune.learning.sets.deepsets import build_deep_sets
from sbitune.learning.sets.evaluation import encode_events, evaluate
from sbitune.learning.sets.network import SetNetwork
from sbitune.learning.sets.ragged import RaggedRows, Sets, keep_largest, ragged_rows, take_events
from sbitune.learning.sets.scaling import Scale, SetEvents, SetScaling, set_scaling
from sbitune.learning.training import TrainingConfig, train
from sbitune.learning.weights import pack_weights, unpack_weights

KEY = jax.random.key(5)
SLOW = pytest.mark.slow
COUNTS = np.array([3, 0, 5, 1, 2])
SCALING = SetScaling(
    (Scale(np.array([0.5, -1, 2], np.float32), np.array([2, 1, 3], np.float32)),),
    (np.float32(2.2),),
    Scale(np.array([1, 0, 3], np.float32), np.array([1, 2, 1], np.float32)),
)


def distances(particles: jax.Array) -> jax.Array:
    """Of all pairs (n, longest, longest, 1), infinite where there are none."""
    away = jnp.square(particles[:, :, None] - particles[:, None]).sum(-1, keepdims=True)
    return jnp.log(away + 1e-3) / (away < 1e6)


BUILDERS: dict[str, Callable[..., SetNetwork]] = {
    "deep sets": partial(build_deep_sets, width=6, hidden=(8,), head=(8,)),
    "attention with pairs": partial(
        build_set_attention, width=8, heads=2, blocks=1, head=(), pairs=distances, n_pairs=1
    ),
    "attention": partial(build_set_attention, width=8, heads=2, blocks=2, head=(8,)),
}


def shaken(model: SetNetwork) -> SetNetwork:
    """The network with all trained numbers moved, so that nothing is the identity."""
    arrays, merge = split_trained(model)
    random = np.random.default_rng(11)
    return merge([a + 0.3 * random.normal(size=a.shape).astype(np.float32) for a in arrays])


class Answers(NamedTuple):
    """What a network says of events."""

    values: Any
    encoded: Any
    gradient: Any  #: of the squared values, with respect to all that is trained


@jax.jit
def answers(model: SetNetwork, events: SetEvents) -> Answers:
    """All that must not depend on padding, compiled once for a network."""
    arrays, merge = split_trained(model)

    def total(arrays: list[jax.Array]) -> tuple[jax.Array, tuple]:
        encoded = merge(arrays).encode(events)
        values = model.finish(encoded, THETA)
        return jnp.square(values).sum(), (values, encoded)

    (_, found), gradient = jax.value_and_grad(total, has_aux=True)(arrays)
    return Answers(*found, gradient)


@pytest.fixture(scope="module", params=["deep sets", "attention with pairs", pytest.param("attention", marks=SLOW)])
def model(request: pytest.FixtureRequest) -> SetNetwork:
    return shaken(BUILDERS[request.param](KEY, SCALING, 2))


call = jax.jit(SetNetwork.__call__)


def events_of(content: np.ndarray, places: int, garbage: float = 0.0) -> SetEvents:
    """Events of `COUNTS` particles, filled up with garbage."""
    particles = np.full((len(COUNTS), places, content.shape[1]), garbage, np.float32)
    mask = np.arange(places) < COUNTS[:, None]
    particles[mask] = content
    flat = np.random.default_rng(3).normal(size=(len(COUNTS), 2)).astype(np.float32)
    return SetEvents(Sets(particles, mask), flat)


CONTENT = np.random.default_rng(2).normal(size=(COUNTS.sum(), 3)).astype(np.float32)
THETA = np.array([3.7], np.float32)


def test_padding_and_the_order_of_particles_change_nothing(model: SetNetwork) -> None:
    plain = answers(model, events_of(CONTENT, 8))
    assert plain.values.shape == (5, 2)
    assert bool(jnp.isfinite(plain.values).all())
    garbage = events_of(CONTENT, 8, np.nan)
    order = np.random.default_rng(4).permutation(8)  # particles come to stand behind what is filled up
    moved = SetEvents(Sets(garbage.sets.particles[:, order], garbage.sets.mask[:, order]), garbage.flat)
    for events in (garbage, events_of(CONTENT, 8, -np.inf), moved):
        found = answers(model, events)
        for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(plain), strict=True):
            np.testing.assert_allclose(one, other, rtol=0, atol=2e-5 * (1 + float(jnp.abs(other).max())))


@pytest.mark.slow
@pytest.mark.parametrize("places", [16])
def test_the_number_of_places_changes_nothing(model: SetNetwork, places: int) -> None:
    plain, other = (answers(model, events_of(CONTENT, n, 1e30)) for n in (8, places))
    np.testing.assert_allclose(other.values, plain.values, rtol=2e-5, atol=2e-5)


def test_an_event_without_particles_is_told_by_its_flat_columns_alone(model: SetNetwork) -> None:
    events = events_of(CONTENT, 8)
    empty = SetEvents(Sets(events.sets.particles, np.zeros_like(events.sets.mask)), events.flat)
    found = answers(model, empty)
    np.testing.assert_allclose(found.values[1], answers(model, events).values[1], rtol=1e-5)
    np.testing.assert_array_equal(found.encoded[:, -3], -1)  # none of 2.2
    np.testing.assert_array_equal(found.encoded[:, :-3], 0)


def test_attention_over_nothing_is_nothing() -> None:
    random = np.random.default_rng(1)
    query, key, value = (random.normal(size=(2, 3, 2, 4)).astype(np.float32) for _ in range(3))
    mask = np.array([[False] * 3, [True, False, True]])
    found = jax.jit(attend)(query, key, value, mask)
    np.testing.assert_array_equal(found[0], 0)
    chosen = key[1][[0, 2]], value[1][[0, 2]]
    products = np.einsum("qhc,lhc->hql", query[1], chosen[0]) / 2
    weights = np.exp(products) / np.exp(products).sum(-1, keepdims=True)
    np.testing.assert_allclose(found[1], np.einsum("hql,lhc->qhc", weights, chosen[1]), atol=1e-6)


def test_an_energy_flow_does_not_see_collinear_splitting_and_soft_particles() -> None:
    build = partial(build_deep_sets, width=6, hidden=(8,), head=(8,))
    for energy, same in ((0, True), (None, False)):
        network = shaken(build(KEY, SCALING, 1, energy=energy))
        event = np.abs(CONTENT[:3])
        split = np.concatenate([event, event[2:], event[:1]])
        split[2:4, 0] = event[2, 0] * np.array([0.3, 0.7])
        split[4] = [0, 5, -7]
        both = Sets(np.zeros((2, 5, 3), np.float32), np.arange(5) < [[3], [5]])
        both.particles[0, :3], both.particles[1] = event, split
        values = call(network, SetEvents(both, np.ones((2, 2), np.float32)), THETA)[:, 0]
        assert (abs(float(values[0] - values[1])) < 1e-5) == same


def ragged(counts: np.ndarray, content: np.ndarray) -> list[Ragged]:
    return [from_counts(column, counts) for column in content.T]


def test_events_are_taken_by_rows_and_filled_up() -> None:
    rows = ragged_rows(ragged(COUNTS, CONTENT))
    assert (len(rows), rows.n_features, rows.longest) == (5, 3, 5)
    taken = jax.jit(RaggedRows.take)(rows, np.array([2, 1, 1, 4, 0]))
    expected = events_of(CONTENT, 5).sets
    np.testing.assert_array_equal(taken.particles, expected.particles[[2, 1, 1, 4, 0]])
    np.testing.assert_array_equal(taken.mask, expected.mask[[2, 1, 1, 4, 0]])
    some = take_events(rows, np.array([4, 1, 0]))
    np.testing.assert_array_equal(some.take(np.arange(3)).particles, expected.particles[[4, 1, 0]])
    assert len(some.content) == 5
    nothing = ragged_rows(ragged(np.zeros(3, int), np.zeros((0, 2)))).pad(4)
    assert not bool(nothing.take(np.arange(4)).mask.any())


def test_particles_are_left_out_in_the_order_asked_for_and_counted() -> None:
    columns = ragged(np.array([1, 4, 3]), np.arange(16.0).reshape(8, 2))
    order = np.array([0.0, 5, 7, 5, 1, 2, 9, 3])
    kept = keep_largest(columns, 2, order)
    assert (kept.left_out, kept.events) == (3, 2)
    assert kept.columns[0].content.tolist() == [0, 4, 2, 12, 14]
    assert kept.columns[1].offsets.tolist() == [0, 1, 3, 5]


def test_faulty_sets_are_refused() -> None:
    columns, bad = ragged(COUNTS, CONTENT), CONTENT.copy()
    bad[4, 1] = np.nan
    network = build_deep_sets(KEY, SCALING, width=2, hidden=(), head=())
    events = SetEvents(ragged_rows(columns), np.ones((5, 2), np.float32))
    fewer = events._replace(sets=ragged_rows(columns[:2]))
    faults: list[tuple[Callable[[], Any], str | None, str]] = [
        (lambda: ragged_rows(columns, 2), "sets-too-long", r"event 0 has 3 particles, at most 2 .* `keep_largest`"),
        (lambda: ragged_rows([columns[0], from_counts(CONTENT[:, 1], COUNTS[::-1])]), "sets-differ", "0 and 1"),
        (lambda: ragged_rows(ragged(COUNTS, bad)), "sets-not-finite", r"column 1 .* particle 1 of event 2 \(1 part"),
        (lambda: ragged_rows([]), None, "no column"),
        (lambda: keep_largest(columns, 2, np.ones(3)), None, r"the shape \(3,\), expected \(11,\)"),
        (lambda: build_set_attention(KEY, SCALING, width=6), None, "6 cannot be dealt to 4 heads"),
        (lambda: evaluate(network, events), "sets-other-inputs", "were parameters or columns left out"),
        (lambda: evaluate(network, fewer, THETA), "sets-other-inputs", "2 features, the network is of 3"),
        (lambda: evaluate(network, events._replace(flat=np.ones((4, 2))), THETA), None, r"\[5, 4\] events"),
        (lambda: set_scaling(events, np.array([[1.0], [np.inf]])), None, "theta: column 0 is inf in row 1"),
    ]
    for call, code, words in faults:
        with pytest.raises(InputError, match=words) as caught:
            call()
        assert caught.value.code == code


def test_scales_are_means_and_deviations_also_of_many_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sbitune.learning.sets.scaling._BLOCK", 4)
    columns = 1e4 + CONTENT
    columns[:, 2] = 0.1
    scaling = set_scaling(SetEvents(ragged_rows(ragged(COUNTS, columns))))
    exact = columns.astype(float)
    np.testing.assert_allclose(scaling.particles[0].shift, exact.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(scaling.particles[0].size, [*exact.std(axis=0)[:2], 1], rtol=1e-6)
    assert scaling.counts[0] == pytest.approx(2.2)


TOY = draw_sets(1, 400)
QUICK = TrainingConfig(epochs=2, batch_size=32, learning_rate=3e-3)
SMALL = partial(build_deep_sets, width=4, hidden=(8,), head=(8,))


def test_losses_of_the_loop_are_those_of_events_that_are_filled_up() -> None:
    """Without a step to speak of, the network stays what it was."""
    events, held = SetEvents(TOY.rows), np.arange(17, 60)
    model = build_deep_sets(KEY, set_scaling(events), width=2, hidden=(4,), head=())
    rows, config = Rows(np.arange(16)[None], held[None]), TrainingConfig(epochs=1, learning_rate=1e-20)
    data = {"x": events, "label": TOY.label}
    trained = train(KEY, model, binary_cross_entropy, data, config, rows=rows)
    logits = evaluate(model, events)[:, 0]
    losses = np.logaddexp(0, np.where(TOY.label == 1, -logits, logits))
    assert trained.losses.train[0] == pytest.approx(losses[:16].mean(), rel=1e-5)
    assert trained.losses.validation[0] == pytest.approx(losses[held].mean(), rel=1e-5)


@pytest.mark.slow
def test_the_loop_fills_up_batches_as_if_all_events_had_been() -> None:
    events = SetEvents(TOY.rows)
    model = SMALL(KEY, set_scaling(events))
    on_the_way = train(KEY, model, binary_cross_entropy, {"x": events, "label": TOY.label}, QUICK)
    filled = SetEvents(jax.tree.map(np.asarray, TOY.rows.take(np.arange(400))))
    before = train(KEY, model, binary_cross_entropy, {"x": filled, "label": TOY.label}, QUICK)
    np.testing.assert_allclose(on_the_way.losses.validation, before.losses.validation, rtol=1e-6)
    for one, other in zip(jax.tree.leaves(on_the_way.model), jax.tree.leaves(before.model), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_a_stack_is_trained_evaluated_and_stored() -> None:
    keys = jax.random.split(KEY, 2)
    events = SetEvents(TOY.rows)
    scaling = set_scaling(events)
    data = {"x": events, "label": TOY.label}
    trained = train_ensemble(keys, SMALL(keys, scaling), binary_cross_entropy, data, QUICK).model
    values = evaluate(trained, events)
    assert values.shape == (2, 400, 1)
    alone = jax.tree.map(lambda array: array[1], trained)
    np.testing.assert_allclose(evaluate(alone, events), values[1], rtol=1e-5, atol=1e-6)
    template = SMALL(Keys.for_shapes(2), scaling)
    back = unpack_weights("file", template, pack_weights(trained))
    np.testing.assert_array_equal(evaluate(back, events), values)


@pytest.mark.slow
def test_slices_of_like_length_give_what_all_at_once_give(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = ragged(COUNTS, CONTENT)
    network = shaken(BUILDERS["deep sets"](KEY, SCALING, 2))
    many = np.tile(np.arange(5), 30)
    rows = take_events(ragged_rows(columns), many)
    events = SetEvents(rows, np.arange(300, dtype=np.float32).reshape(150, 2) / 300)
    theta = np.linspace(2, 4, 150, dtype=np.float32)[:, None]
    expected = call(network, SetEvents(rows.take(np.arange(150)), events.flat), theta)
    monkeypatch.setattr("sbitune.learning.sets.evaluation._MOST", 40)
    monkeypatch.setattr("sbitune.learning.sets.evaluation._LEAST", 2)
    np.testing.assert_allclose(evaluate(network, events, theta), expected, rtol=1e-5, atol=1e-5)
    encoded = encode_events(network, events)
    np.testing.assert_allclose(network.finish(encoded, theta), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_several_kinds_of_particles_have_encoders_of_their_own() -> None:
    two = SetEvents((TOY.rows, ragged_rows(ragged(COUNTS, CONTENT[:, :1]))))
    scaling = set_scaling(SetEvents(two.sets, np.ones((5, 1), np.float32)), np.array([[1.0], [3.0]]))
    assert [len(scale.shift) for scale in scaling.particles] == [2, 1]
    assert scaling.flat.size.tolist() == [1, 1]
    assert scaling.flat.shift.tolist() == [1, 2]
    network = SMALL(KEY, scaling)
    batch = SetEvents(tuple(rows.take(np.arange(5)) for rows in two.sets), np.ones((5, 1), np.float32))
    assert call(network, batch, np.array([2.0])).shape == (5, 1)
    with pytest.raises(InputError, match="1 kinds of particles for a network of 2"):
        network(batch._replace(sets=batch.sets[:1]), np.array([2.0]))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("build", "n_events"), [(build_deep_sets, 10000), (partial(build_set_attention, width=16, blocks=1), 3000)]
)
def test_networks_learn_the_log_ratio_of_independent_particles(build: Callable[..., SetNetwork], n_events: int) -> None:
    toy, fresh = draw_sets(3, n_events), draw_sets(4, 2000)
    events = SetEvents(toy.rows)
    config = TrainingConfig(epochs=8, batch_size=200, learning_rate=5e-3)
    model = build(KEY, set_scaling(events))
    trained = train(KEY, model, binary_cross_entropy, {"x": events, "label": toy.label}, config).model
    miss = evaluate(trained, SetEvents(fresh.rows))[:, 0] - fresh.exact
    assert np.sqrt(np.mean(miss**2)) < 0.35 * fresh.exact.std()


def parameterised_entropy(model: SetNetwork, batch: dict[str, Any], key: jax.Array) -> jax.Array:
    """Cross entropy of events with parameters of their own."""
    return binary_cross_entropy(lambda x: model(x, batch["theta"]), batch, key)


@pytest.mark.slow
def test_a_network_of_sets_and_parameters_learns_their_log_ratio() -> None:
    """Particles of N(theta, 1) and of N(0, 1): log r = sum_i theta x_i - theta^2 / 2, and the same number of both."""

    def draw(seed: int, n: int) -> tuple[SetEvents, np.ndarray, np.ndarray, np.ndarray]:
        random = np.random.default_rng(seed)
        counts, theta, label = random.poisson(8, n), random.uniform(-1, 1, n), np.arange(n) % 2
        x = random.normal(size=counts.sum()) + np.repeat(theta * label, counts)
        exact = theta * np.bincount(np.repeat(np.arange(n), counts), x, n) - counts * theta**2 / 2
        rows = ragged_rows(ragged(counts, x[:, None]))
        return SetEvents(rows), theta[:, None].astype(np.float32), label, exact

    events, theta, label, _ = draw(1, 10000)
    fresh, at, _, exact = draw(2, 4000)
    model = build_deep_sets(KEY, set_scaling(events, theta))
    config = TrainingConfig(epochs=10, batch_size=200, learning_rate=5e-3)
    data = {"x": events, "theta": theta, "label": label}
    trained = train(KEY, model, parameterised_entropy, data, config).model
    found = evaluate(trained, fresh, at)[:, 0]
    assert np.sqrt(np.mean((found - exact) ** 2)) < 0.25 * exact.std()
    # all of the events at one theta, and what does not depend on it only once
    once = trained.finish(encode_events(trained, fresh), at[0])[:, 0]
    np.testing.assert_allclose(evaluate(trained, fresh, at[0])[:, 0], once, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_a_million_particles_train_without_an_array_of_all_filled_up() -> None:
    """50,000 events of 20 particles on average and up to 200: filled up they were 83 MB a feature and 5 GB a layer."""
    random = np.random.default_rng(1)
    counts = np.minimum(random.geometric(1 / 20.0, 50000), 200)
    counts[0] = 200
    rows = ragged_rows(ragged(counts, random.normal(size=(counts.sum(), 8))))
    label = random.integers(2, size=50000)
    events = SetEvents(rows)
    model = build_deep_sets(KEY, set_scaling(events), width=16, hidden=(32,), head=(16,))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    config = TrainingConfig(epochs=1, batch_size=128)
    trained = train(KEY, model, binary_cross_entropy, {"x": events, "label": label}, config).model
    evaluate(trained, events)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    filled = 50000 * rows.longest * 8 * 4 / 2**20
    assert grown < 0.8 * filled
