import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sbitune.learning.losses import binary_cross_entropy, chi2_loss

KEY = jax.random.key(1)


def test_chi2_is_the_mean_squared_pull() -> None:
    batch = {"x": jnp.array([1.0, 2.0]), "y": jnp.array([2.0, 2.0]), "error": jnp.array([0.5, 2.0])}
    assert float(chi2_loss(lambda x: 0 * x + 1.0, batch, KEY)) == pytest.approx((4 + 0.25) / 2)


def test_cross_entropy_of_no_knowledge_is_log_two() -> None:
    batch = {"x": jnp.zeros((4, 1)), "label": jnp.array([0, 1, 1, 0])}
    assert float(binary_cross_entropy(lambda x: x, batch, KEY)) == pytest.approx(np.log(2))


def test_cross_entropy_is_finite_for_sure_and_wrong_answers() -> None:
    batch = {"x": jnp.array([200.0, -200.0]), "label": jnp.array([0, 1])}
    assert float(binary_cross_entropy(lambda x: x, batch, KEY)) == pytest.approx(200)


def test_the_best_constant_logit_is_the_log_of_the_weight_ratio() -> None:
    label, weight = jnp.array([0, 0, 1]), jnp.array([1.0, 2.0, 12.0])
    batch = {"x": jnp.zeros(3), "label": label, "weight": weight}
    slope = jax.grad(lambda logit: binary_cross_entropy(lambda x: x + logit, batch, KEY))
    assert float(slope(np.log(4.0))) == pytest.approx(0, abs=1e-6)
    assert float(slope(np.log(4.0) + 0.1)) > 1e-3
