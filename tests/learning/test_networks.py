import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from sbitune.learning.keys import Keys, check_key
from sbitune.learning.networks import ACTIVATIONS, Fixed, build_mlp, split_trained, wrap_module


def test_an_mlp_is_the_nested_formula() -> None:
    network = build_mlp(jax.random.key(1), 3, 2, hidden=(5,), activation="tanh")
    first, last = network.weights["layers"][0], network.weights["layers"][2]
    x = np.random.default_rng(1).normal(size=(7, 3)).astype(np.float32)
    expected = np.tanh(x @ first["kernel"] + first["bias"]) @ last["kernel"] + last["bias"]
    np.testing.assert_allclose(network(x), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_every_activation_passes_jit_grad_and_vmap(activation: str) -> None:
    network = build_mlp(jax.random.key(1), 3, 1, (4, 4), activation)
    x = jax.random.normal(jax.random.key(2), (6, 3))
    np.testing.assert_allclose(jax.jit(lambda n, x: n(x))(network, x), jax.jit(jax.vmap(network))(x), atol=1e-6)
    slope = jax.jit(jax.grad(lambda x: network(x)[0]))(x[0])
    step = 1e-2 * np.ones(3, np.float32)
    difference = (network(x[0] + step / 2) - network(x[0] - step / 2))[0]
    np.testing.assert_allclose(slope @ step, difference, rtol=0.02, atol=1e-5)


def test_weights_are_float32_of_unit_variance_over_inputs() -> None:
    network = build_mlp(jax.random.key(1), 400, 300, hidden=())
    kernel = network.weights["layers"][0]["kernel"]
    assert kernel.dtype == jnp.float32
    # the sample variance of n numbers has relative error below sqrt(2 / n) for a truncated normal
    assert float(kernel.var() * 400) == pytest.approx(1, abs=4 * np.sqrt(2 / kernel.size))


def test_a_stack_holds_the_networks_of_its_keys() -> None:
    keys = jax.random.split(jax.random.key(1), 3)
    stack = build_mlp(keys, 2, 1, (4,))
    x = jnp.ones((5, 2))
    together = jax.vmap(lambda network: network(x))(stack)
    for i in range(3):
        np.testing.assert_allclose(together[i], build_mlp(keys[i], 2, 1, (4,))(x), rtol=1e-6)


def test_initial_weights_are_those_of_flax() -> None:
    keys = jax.random.split(jax.random.key(1), 2)
    layers = build_mlp(keys, 3, 2, (5, 4)).weights["layers"]
    rngs = nnx.Rngs(params=keys[1])
    for i, sizes in zip((0, 2, 4), ((3, 5), (5, 4), (4, 2)), strict=True):
        linear = nnx.Linear(*sizes, rngs=rngs)
        np.testing.assert_allclose(layers[i]["kernel"][1], linear.kernel[...], atol=1e-6)
        np.testing.assert_array_equal(layers[i]["bias"][1], linear.bias[...])


def test_a_network_for_shapes_takes_no_memory() -> None:
    widths = (100_000, 100_000)
    stack = build_mlp(Keys.for_shapes(1000), 3, 2, widths)
    kernel = stack.weights["layers"][2]["kernel"]
    assert kernel.shape == (1000, *widths)
    assert kernel.dtype == np.float32
    assert kernel.strides == (0, 0, 0)
    small = build_mlp(jax.random.split(jax.random.key(1), 3), 3, 2, (4,))
    shapes = build_mlp(Keys.for_shapes(3), 3, 2, (4,))
    assert jax.tree.structure(small) == jax.tree.structure(shapes)
    assert jax.tree.map(np.shape, small.weights) == jax.tree.map(np.shape, shapes.weights)


def test_networks_are_not_built_inside_a_compiled_function() -> None:
    with pytest.raises(TypeError, match="give a row of keys to build a stack"):
        jax.vmap(lambda key: build_mlp(key, 2, 1))(jax.random.split(jax.random.key(1), 2))


def test_arrays_that_are_no_parameters_are_fixed() -> None:
    network = wrap_module(nnx.BatchNorm(3, use_running_average=True, rngs=nnx.Rngs(1)))
    assert set(network.weights) == {"scale", "bias"}
    assert set(network.constants.value) == {"mean", "var"}
    trained, _ = split_trained(network)
    assert len(trained) == 2


def test_only_floating_point_arrays_outside_fixed_are_trained() -> None:
    model = {"a": jnp.ones(2), "b": Fixed({"c": jnp.zeros(3)}), "d": jnp.arange(4)}
    trained, merge = split_trained(model)
    assert [array.shape for array in trained] == [(2,)]
    merged = merge([jnp.full(2, 7.0)])
    assert merged["a"].tolist() == [7, 7]
    assert merged["b"].value["c"].tolist() == [0, 0, 0]
    assert merged["d"].tolist() == [0, 1, 2, 3]


def test_old_keys_are_refused() -> None:
    with pytest.raises(TypeError, match=r"jax\.random\.key\(1\)"):
        build_mlp(jax.random.PRNGKey(1), 2, 1)
    with pytest.raises(TypeError, match="got int"):
        check_key(1)
    with pytest.raises(TypeError, match="need one key"):
        check_key(jax.random.split(jax.random.key(1), 2))
    with pytest.raises(TypeError, match="a row of keys"):
        check_key(jax.random.key(1), ndim=1)
