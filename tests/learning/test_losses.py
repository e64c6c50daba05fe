import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sbitune.learning.losses import binary_cross_entropy, chi2_loss

KEY = jax.random.key(1)


def test_chi2_is_the_squared_pull_of_every_event() -> None:
    batch = {"x": jnp.array([1.0, 2.0]), "y": jnp.array([2.0, 2.0]), "error": jnp.array([0.5, 2.0])}
    assert chi2_loss(lambda x: 0 * x + 1.0, batch, KEY).tolist() == pytest.approx([4, 0.25])


def test_chi2_of_an_event_with_several_numbers_is_their_mean() -> None:
    batch = {"x": jnp.zeros(2), "y": jnp.array([[2.0, 4.0], [1.0, 1.0]]), "error": jnp.ones((2, 2))}
    assert chi2_loss(lambda x: jnp.ones((2, 2)), batch, KEY).tolist() == pytest.approx([5, 0])


def test_cross_entropy_of_no_knowledge_is_log_two() -> None:
    batch = {"x": jnp.zeros((4, 1)), "label": jnp.array([0, 1, 1, 0])}
    assert binary_cross_entropy(lambda x: x, batch, KEY).tolist() == pytest.approx([np.log(2)] * 4)


def test_cross_entropy_is_finite_for_sure_and_wrong_answers() -> None:
    batch = {"x": jnp.array([200.0, -200.0]), "label": jnp.array([0, 1])}
    assert binary_cross_entropy(lambda x: x, batch, KEY).tolist() == pytest.approx([200, 200])


def test_the_best_constant_logit_is_the_log_of_the_weight_ratio() -> None:
    label, weight = jnp.array([0, 0, 1]), jnp.array([1.0, 2.0, 12.0])
    batch = {"x": jnp.zeros(3), "label": label}
    slope = jax.grad(lambda logit: jnp.mean(weight * binary_cross_entropy(lambda x: x + logit, batch, KEY)))
    assert float(slope(np.log(4.0))) == pytest.approx(0, abs=1e-6)
    assert float(slope(np.log(4.0) + 0.1)) > 1e-3
