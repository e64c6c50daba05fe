import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from sbitune.generators.observables.framework.selection import Selection
from sbitune.generators.observables.kernels.tensors import linear_shapes, sphericity

MERCEDES = np.array([[1.0, 0, 0], [-0.5, np.sqrt(0.75), 0], [-0.5, -np.sqrt(0.75), 0]])
TETRAHEDRON = np.array([[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
OCTAHEDRON = np.concatenate([np.eye(3), -np.eye(3)])


def select(*events, mass=0.0):
    p = np.concatenate([np.reshape(event, (-1, 3)) for event in events]).astype(float)
    offsets = np.concatenate([[0], np.cumsum([len(event) for event in events])]).astype(np.int64)
    columns = [np.ascontiguousarray(p[:, k]) for k in range(3)]
    energy = np.sqrt((p**2).sum(axis=1) + mass**2)
    return Selection([*columns, energy], offsets, np.ones(len(events)), np.full(len(p), 3))


def test_c_and_d_in_closed_form():
    shapes = select(MERCEDES, TETRAHEDRON, OCTAHEDRON, [[0, 0, 1.0], [0, 0, -1.0]])
    np.testing.assert_allclose(shapes.c_parameter, [0.75, 1, 1, 0], atol=1e-14)
    np.testing.assert_allclose(shapes.d_parameter, [0, 1, 1, 0], atol=1e-14)


def test_c_of_three_partons():
    # R. K. Ellis, D. A. Ross and A. E. Terrano: C = 6 (1 - x1)(1 - x2)(1 - x3) / (x1 x2 x3)
    x1, x2 = 0.9, 0.75
    x3 = 2 - x1 - x2
    cos = 1 - 2 * (x1 + x2 - 1) / (x1 * x2)
    p1, p2 = np.array([x1, 0, 0]), x2 * np.array([cos, np.sqrt(1 - cos**2), 0])
    expected = 6 * (1 - x1) * (1 - x2) * (1 - x3) / (x1 * x2 * x3)
    assert select([p1, p2, -p1 - p2]).c_parameter[0] == pytest.approx(expected, rel=1e-12)


def test_sphericity_of_isotropic_and_flat_events():
    shapes = select(OCTAHEDRON, MERCEDES, [[0, 0, 1.0], [0, 0, -1.0]])
    np.testing.assert_allclose(shapes.sphericity, [1, 0.75, 0], atol=1e-14)
    np.testing.assert_allclose(shapes.aplanarity, [0.5, 0, 0], atol=1e-14)
    np.testing.assert_allclose(shapes.planarity, [0, 0.5, 0], atol=1e-14)


def test_eigensystem_against_lapack():
    rng = np.random.default_rng(3)
    events = rng.normal(size=(500, 12, 3)) * [5, 2, 1]
    s = select(*events)
    values, vectors = sphericity(s.px, s.py, s.pz, s.offsets)
    tensors = np.einsum("eia,eib->eab", events, events)
    tensors /= np.trace(tensors, axis1=1, axis2=2)[:, None, None]
    expected = np.linalg.eigvalsh(tensors)[:, ::-1]
    np.testing.assert_allclose(values, expected, atol=1e-13)
    rebuilt = np.einsum("ek,eka,ekb->eab", values, vectors, vectors)
    np.testing.assert_allclose(rebuilt, tensors, atol=1e-13)
    linear = np.einsum("eia,eib->eab", events / np.linalg.norm(events, axis=2, keepdims=True), events)
    l1, l2, l3 = np.linalg.eigvalsh(linear / np.trace(linear, axis1=1, axis2=2)[:, None, None]).T
    c_and_d = np.stack([3 * (l1 * l2 + l1 * l3 + l2 * l3), 27 * l1 * l2 * l3], axis=1)
    np.testing.assert_allclose(linear_shapes(s.px, s.py, s.pz, s.p, s.offsets), c_and_d, atol=1e-13)


def test_linear_tensor_does_not_see_collinear_splitting_but_sphericity_does():
    whole = np.array([[3.0, 1, 0], [-2, 1, 1], [-1, -2, -1]])
    split = np.concatenate([whole[1:], 0.3 * whole[:1], 0.7 * whole[:1]])
    shapes = select(whole, split)
    assert shapes.c_parameter[0] == pytest.approx(shapes.c_parameter[1], rel=1e-12)
    assert abs(shapes.sphericity[0] - shapes.sphericity[1]) > 1e-3


def test_rotations_do_not_matter():
    p = np.random.default_rng(4).normal(size=(15, 3))
    shapes = select(p, Rotation.random(random_state=5).apply(p))
    for name in ("sphericity", "aplanarity", "planarity", "c_parameter", "d_parameter"):
        first, second = getattr(shapes, name)
        assert first == pytest.approx(second, rel=1e-10)


def test_empty_events_have_no_shape():
    shapes = select(np.zeros((0, 3)), MERCEDES)
    assert shapes.sphericity[0] == 0
    assert shapes.c_parameter[0] == 0
    assert shapes.c_parameter[1] == pytest.approx(0.75)


def test_boost_along_the_axis_shifts_the_rapidity():
    p = np.random.default_rng(6).normal(loc=(0, 0, 20), size=(10, 3))
    s = select(p, mass=0.14)
    y = 0.5
    e, pz = np.cosh(y) * s.e + np.sinh(y) * s.pz, np.sinh(y) * s.e + np.cosh(y) * s.pz
    boosted = Selection([s.px, s.py, pz, e], s.offsets, s.event_weight, s.charge)
    axis = np.array([[0.0, 0, 1]])
    np.testing.assert_allclose(boosted.rapidity(axis), s.rapidity(axis) + y, rtol=1e-12)
    np.testing.assert_allclose(boosted.pt, s.pt)
