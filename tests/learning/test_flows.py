"""Flows and their splines: densities that integrate to one, maps that invert, a conditional density in closed form."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sbitune.data.errors import ComputationError
from sbitune.learning.ensembles import train_ensemble
from sbitune.learning.flows import (
    Flow,
    LinearGaussian,
    _normalise,
    box_to_real,
    build_flow,
    fit_linear_gaussian,
    log_slope_of_box,
    real_to_box,
)
from sbitune.learning.losses import negative_log_likelihood
from sbitune.learning.networks import Fixed, Network, split_trained
from sbitune.learning.splines import BOUND, apply_spline, count_numbers, invert_spline
from sbitune.learning.training import TrainingConfig, train

KEY = jax.random.key(3)


def unit_linear(n_in: int, n_out: int) -> LinearGaussian:
    return LinearGaussian(np.zeros((n_in, n_out)), np.zeros(n_out), np.eye(n_out))


def make_flow(linear: LinearGaussian, **settings) -> Flow:
    return build_flow(KEY, linear, **settings)


def shaken(flow: Flow, size: float = 0.3) -> Flow:
    """The flow with all trained numbers moved, so that nothing is the identity."""
    arrays, merge = split_trained(flow)
    random = np.random.default_rng(11)
    return merge([a + size * random.normal(size=a.shape).astype(np.float32) for a in arrays])


log_prob = jax.jit(Flow.log_prob)
sample = jax.jit(Flow.sample, static_argnums=3)


def layer_of(flow: Flow, i: int) -> Network:
    return jax.tree.map(lambda array: array[i], flow.layers)


def test_a_spline_of_zeros_is_the_identity() -> None:
    x = jnp.linspace(-6, 6, 101)
    y, logs = apply_spline(x, jnp.zeros((101, count_numbers(8))))
    np.testing.assert_allclose(y, x, atol=2e-6)
    np.testing.assert_allclose(logs, 0, atol=2e-5)


@pytest.mark.parametrize("knots", [1, 2, 8])
def test_a_spline_rises_has_its_slope_and_inverts(knots: int) -> None:
    numbers = 1.5 * jax.random.normal(KEY, (count_numbers(knots),))
    x = jnp.linspace(-1.3 * BOUND, 1.3 * BOUND, 2001)
    y, logs = jax.jit(jax.vmap(lambda at: apply_spline(at, numbers)))(x)
    assert bool((jnp.diff(y) > 0).all())
    slope = jax.jit(jax.vmap(jax.grad(lambda at: apply_spline(at, numbers)[0])))(x)
    np.testing.assert_allclose(jnp.exp(logs), slope, rtol=2e-3)
    back = jax.jit(jax.vmap(lambda at: invert_spline(at, numbers)))(y)
    # the inverse magnifies rounding of y by 1 / slope
    assert float(jnp.max(jnp.abs(back - x) * jnp.minimum(slope, 1))) < 2e-5


@pytest.mark.slow
@pytest.mark.parametrize("n_out", [1, 4])
def test_the_density_is_the_change_of_variables(n_out: int) -> None:
    flow = shaken(make_flow(unit_linear(3, n_out), layers=2, hidden=(8,), width=8, knots=4), 0.15)
    x = jnp.array([0.3, -1.0, 0.5])
    z = jax.random.normal(jax.random.key(1), (20, n_out))

    def to_normal(z: jax.Array) -> jax.Array:
        context = flow.context(x)
        for i in range(2):
            z = _normalise(z, layer_of(flow, i)(z, context))[0][..., ::-1]
        return z

    jacobian = jax.jit(jax.vmap(jax.jacfwd(to_normal)))(z)
    u = jax.jit(jax.vmap(to_normal))(z)
    expected = jnp.linalg.slogdet(jacobian)[1] - 0.5 * (u**2).sum(1) - n_out * 0.5 * np.log(2 * np.pi)
    np.testing.assert_allclose(log_prob(flow, z, jnp.broadcast_to(x, (20, 3))), expected, rtol=1e-3, atol=1e-3)


def test_a_component_depends_on_those_before_it_only() -> None:
    flow = shaken(make_flow(unit_linear(2, 4), layers=1, hidden=(8,), width=9, knots=3))
    context = flow.context(jnp.ones(2))
    slopes = jax.jit(jax.jacfwd(lambda e: layer_of(flow, 0)(e, context).sum(-1)))(jnp.ones(4))
    assert np.array_equal(np.asarray(slopes) != 0, np.tril(np.ones((4, 4), bool), -1))


@pytest.mark.slow
def test_a_density_integrates_to_one_and_its_samples_follow_it() -> None:
    flow = shaken(make_flow(unit_linear(1, 2), layers=3, hidden=(8,), width=8, knots=6), 0.15)
    x = jnp.array([0.7])
    edges = np.linspace(-12, 12, 801)
    grid = np.stack(np.meshgrid(edges, edges, indexing="ij"), -1).reshape(-1, 2).astype(np.float32)
    density = np.exp(log_prob(flow, jnp.asarray(grid), jnp.full((len(grid), 1), 0.7))).astype(float)
    cell = (edges[1] - edges[0]) ** 2
    assert density.sum() * cell == pytest.approx(1, abs=0.01)
    mean = (density[:, None] * grid).sum(0) * cell
    square = (density[:, None] * grid**2).sum(0) * cell
    n = 20000
    samples = np.asarray(sample(flow, jax.random.key(5), x, n))
    spread = np.sqrt(square - mean**2)
    assert (np.abs(samples.mean(0) - mean) < 4 * spread / np.sqrt(n) + 0.01).all()
    assert np.mean(samples[:, 0] < 0) == pytest.approx(density[grid[:, 0] < 0].sum() * cell, abs=0.02)


def test_a_flow_starts_as_its_linear_model() -> None:
    linear = LinearGaussian(np.array([[1.0, 0.5]]), np.array([0.2, -1]), np.array([[0.5, 0], [0.3, 2.0]]))
    flow = make_flow(linear, hidden=(8,), width=8)
    z, x = np.array([0.7, 0.1]), np.array([2.0])
    covariance = linear.factor @ linear.factor.T
    r = z - linear.shift - x @ linear.slope
    exact = -0.5 * r @ np.linalg.solve(covariance, r) - 0.5 * np.log(np.linalg.det(2 * np.pi * covariance))
    assert float(log_prob(flow, jnp.asarray(z), jnp.asarray(x))) == pytest.approx(exact, abs=1e-4)
    samples = np.asarray(sample(flow, KEY, jnp.asarray(x), 40000))
    np.testing.assert_allclose(samples.mean(0), linear.shift + x @ linear.slope, atol=4 * 2.1 / np.sqrt(40000))
    np.testing.assert_allclose(np.cov(samples, rowvar=False), covariance, atol=0.12)


def test_least_squares_finds_the_linear_model() -> None:
    random = np.random.default_rng(1)
    x = random.normal(size=(5000, 2))
    factor = np.array([[0.5, 0.0], [-0.3, 0.4]])
    z = x @ [[1.0, 2.0], [0.0, -1.0]] + [3, 4] + random.normal(size=(5000, 2)) @ factor.T
    found = fit_linear_gaussian(z, x)
    np.testing.assert_allclose(found.slope, [[1, 2], [0, -1]], atol=0.03)
    np.testing.assert_allclose(found.shift, [3, 4], atol=0.03)
    np.testing.assert_allclose(found.factor, factor, atol=0.03)
    with pytest.raises(ComputationError, match="take more events"):
        fit_linear_gaussian(z[:2], x[:2])


def test_the_box_map_is_normal_for_a_uniform_and_inverts() -> None:
    unit = np.linspace(-0.9999, 0.9999, 401).astype(np.float32)
    z = jax.jit(box_to_real)(unit)
    np.testing.assert_allclose(real_to_box(z), unit, atol=1e-6)
    slope = jax.jit(jax.vmap(jax.grad(box_to_real)))(jnp.asarray(unit))
    np.testing.assert_allclose(log_slope_of_box(z), np.log(slope), atol=5e-3)
    uniform = jax.random.uniform(KEY, (20000,), minval=-1, maxval=1)
    assert float(jax.jit(box_to_real)(uniform).std()) == pytest.approx(1, abs=4 / np.sqrt(2 * 20000))


def bent(random: np.random.Generator, n: int) -> dict[str, np.ndarray]:
    """z1 ~ N(x, 0.5), z2 = z1^2 + (1 + x^2 / 2) 0.3 noise: curved, and wider for large x."""
    x = random.uniform(-1, 1, (n, 1))
    z1 = x + 0.5 * random.normal(size=(n, 1))
    z2 = z1**2 + 0.3 * (1 + x**2 / 2) * random.normal(size=(n, 1))
    return {"x": x.astype(np.float32), "y": np.concatenate([z1, z2], 1).astype(np.float32)}


@pytest.mark.slow
def test_training_reaches_the_entropy_of_a_curved_conditional_density() -> None:
    random = np.random.default_rng(2)
    data = bent(random, 3000)
    flow = make_flow(fit_linear_gaussian(data["y"], data["x"]), layers=2, hidden=(32,), width=24, knots=6)
    config = TrainingConfig(epochs=30, batch_size=150, learning_rate=5e-3, patience=30)
    trained = train(KEY, flow, negative_log_likelihood, data, config)
    fresh = bent(random, 8000)
    score = jax.jit(lambda flow: jnp.mean(negative_log_likelihood(flow, fresh, KEY)))
    loss = float(score(trained.model))
    x = fresh["x"][:, 0]
    entropy = np.log(0.5) + np.mean(np.log(0.3 * (1 + x**2 / 2))) + np.log(2 * np.pi) + 1
    # the sample mean of -log p scatters by sqrt(2 / 2 / n) = 0.011; the linear start is 0.3 away
    assert entropy - 0.04 < loss < entropy + 0.06
    assert float(score(flow)) > entropy + 0.2


@pytest.mark.slow
def test_a_stack_of_flows_trains_together_and_keeps_what_is_fixed() -> None:
    data = bent(np.random.default_rng(4), 400)
    linear = fit_linear_gaussian(data["y"], data["x"])
    keys = jax.random.split(KEY, 2)
    stack = build_flow(keys, linear, layers=1, hidden=(8,), width=8, knots=2)
    config = TrainingConfig(epochs=3, batch_size=100)
    trained = train_ensemble(keys, stack, negative_log_likelihood, data, config).model
    assert isinstance(trained.linear, Fixed)
    np.testing.assert_array_equal(trained.linear.value.slope, stack.linear.value.slope)
    masks = trained.layers.constants.value
    assert set(masks) == {"first_mask", "last_mask"}
    np.testing.assert_array_equal(masks["first_mask"], stack.layers.constants.value["first_mask"])
    x = jnp.array([0.1])
    draws = jax.jit(jax.vmap(lambda flow, key: flow.sample(key, x, 5)))(trained, keys)
    assert draws.shape == (2, 5, 2)
    assert bool(jnp.isfinite(draws).all())
