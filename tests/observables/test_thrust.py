import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from sbitune.generators.observables.kernels.thrust import thrust

MERCEDES = np.array([[1.0, 0, 0], [-0.5, np.sqrt(0.75), 0], [-0.5, -np.sqrt(0.75), 0]])


def of(*events):
    """Return thrust values and axes of events given as arrays (n, 3)."""
    p = np.concatenate([np.reshape(event, (-1, 3)) for event in events]).astype(float)
    offsets = np.concatenate([[0], np.cumsum([len(event) for event in events])]).astype(np.int64)
    columns = [np.ascontiguousarray(p[:, k]) for k in range(3)]
    return thrust(*columns, np.linalg.norm(p, axis=1), offsets)


def exact(p):
    """Thrust by trying every way to split the particles: max |sum +-p| / sum |p|."""
    signs = np.array(list(itertools.product((1, -1), repeat=len(p))))
    return np.linalg.norm(signs @ p, axis=1).max() / np.linalg.norm(p, axis=1).sum()


def events_of(n, number, seed):
    return np.random.default_rng(seed).normal(size=(number, n, 3))


@pytest.mark.parametrize("direction", [[3.0, 4, -5], [0, 0, 2], [0, 0, -2], [1, 0, 0]])
def test_two_back_to_back_particles(direction):
    direction = np.array(direction)
    values, axes = of([direction, -direction])
    np.testing.assert_allclose(values, [[1, 0, 0]])
    assert abs(axes[0, 0] @ direction) == pytest.approx(np.linalg.norm(direction))
    assert axes[0, 0, 2] >= 0
    np.testing.assert_allclose(axes[0] @ axes[0].T, np.eye(3), atol=1e-14)


def test_fewer_than_two_particles_have_none():
    values, axes = of(np.zeros((0, 3)), [[1.0, 2, 3]], MERCEDES)
    np.testing.assert_array_equal(values[:2], -1)
    np.testing.assert_array_equal(axes[:2], 0)
    assert values[2, 0] == pytest.approx(2 / 3)


def test_mercedes_star():
    values, _ = of(MERCEDES)
    np.testing.assert_allclose(values[0], [2 / 3, 1 / np.sqrt(3), 0], atol=1e-14)


def test_three_massless_partons_have_the_largest_energy_fraction():
    for x1, x2 in ((0.9, 0.7), (0.95, 0.95), (0.67, 0.67)):
        x3 = 2 - x1 - x2
        cos = 1 - 2 * (x1 + x2 - 1) / (x1 * x2)
        p1, p2 = np.array([x1, 0, 0]), x2 * np.array([cos, np.sqrt(1 - cos**2), 0])
        values, _ = of([p1, p2, -p1 - p2])
        assert values[0, 0] == pytest.approx(max(x1, x2, x3), rel=1e-12)


def test_against_all_partitions():
    events = events_of(9, 300, seed=1)
    values, axes = of(*events)
    best = np.array([exact(p) for p in events])
    assert (values[:, 0] <= best * (1 + 1e-12)).all()
    # four starts, those of Rivet, find the maximum of most events even where there is no structure
    assert (values[:, 0] > best * (1 - 1e-9)).mean() > 0.85
    along = np.abs(np.einsum("eij,ej->ei", events, axes[:, 0])).sum(axis=1)
    np.testing.assert_allclose(along / np.linalg.norm(events, axis=2).sum(axis=1), values[:, 0])


def test_axes_are_orthonormal_and_values_ordered():
    values, axes = of(*(events_of(20, 200, seed=2) * [1, 2, 6]))
    np.testing.assert_allclose(
        np.einsum("eij,ekj->eik", axes, axes), np.broadcast_to(np.eye(3), (200, 3, 3)), atol=1e-12
    )
    assert (values[:, 0] > values[:, 1]).all()
    assert (values[:, 2] > 0).all()
    assert (axes[:, 0, 2] >= 0).all()
    assert (axes[:, 1, 0] >= 0).all()


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10_000), n=st.integers(3, 30))
def test_rotations_and_scale_do_not_matter(seed, n):
    p = events_of(n, 1, seed)[0]
    rotated = 7.0 * Rotation.random(random_state=seed).apply(p)
    values, _ = of(p, rotated, -p[::-1])
    np.testing.assert_allclose(values[1:], values[:1].repeat(2, axis=0), rtol=1e-9)
