import numpy as np
import pytest

from sbitune.generators.observables.kernels.merging import DURHAM, JADE, merging_scales


def scales_of(momenta, measure, mass=0.0):
    p = np.asarray(momenta, float)
    energy = np.sqrt((p**2).sum(axis=1) + mass**2)
    columns = [np.ascontiguousarray(p[:, k]) for k in range(3)]
    return merging_scales(*columns, energy, np.array([0, len(p)], np.int64), measure)[0]


def cluster_by_hand(momenta, measure, mass=0.0):
    """Merge pair after pair of all pairs: the definition, and much too slow."""
    jets = [np.append(p, np.sqrt(p @ p + mass**2)) for p in np.asarray(momenta, float)]
    energy, largest, scales = sum(jet[3] for jet in jets), 0.0, {}
    while len(jets) > 2:
        pairs = [(distance(a, b, measure), i, j) for i, a in enumerate(jets) for j, b in enumerate(jets) if i < j]
        d, i, j = min(pairs)
        largest = max(largest, d)
        scales[len(jets) - 1] = largest / energy**2
        jets = [jet for k, jet in enumerate(jets) if k not in (i, j)] + [jets[i] + jets[j]]
    return [scales.get(n, 0.0) for n in (2, 3, 4, 5)]


def distance(a, b, measure):
    angle = 1 - a[:3] @ b[:3] / np.linalg.norm(a[:3]) / np.linalg.norm(b[:3])
    return 2 * (min(a[3], b[3]) ** 2 if measure == DURHAM else a[3] * b[3]) * angle


def three_partons(x1, x2):
    cos = 1 - 2 * (x1 + x2 - 1) / (x1 * x2)
    p1, p2 = np.array([x1, 0, 0]), x2 * np.array([cos, np.sqrt(1 - cos**2), 0])
    return np.array([p1, p2, -p1 - p2])


@pytest.mark.parametrize(("x1", "x2"), [(0.9, 0.8), (0.99, 0.6), (0.7, 0.67)])
def test_three_massless_partons_in_closed_form(x1, x2):
    x = np.array([x1, x2, 2 - x1 - x2])
    # (p_i + p_j)^2 = s (1 - x_k) = 2 E_i E_j (1 - cos): JADE; Durham has the smaller energy twice
    jade = 1 - x
    pairs = [(1, 2), (0, 2), (0, 1)]
    durham = [(1 - x[k]) * min(x[i], x[j]) / max(x[i], x[j]) for k, (i, j) in enumerate(pairs)]
    assert scales_of(three_partons(x1, x2), JADE)[0] == pytest.approx(min(jade), rel=1e-12)
    assert scales_of(three_partons(x1, x2), DURHAM)[0] == pytest.approx(min(durham), rel=1e-12)


@pytest.mark.parametrize("measure", [DURHAM, JADE])
@pytest.mark.parametrize("n", [3, 4, 5, 6, 7, 12, 41])
def test_against_the_definition(measure, n):
    rng = np.random.default_rng(n)
    for _ in range(10):
        momenta = rng.normal(size=(n, 3)) * rng.exponential(3, size=(n, 1))
        expected = cluster_by_hand(momenta, measure, mass=0.14)
        np.testing.assert_allclose(scales_of(momenta, measure, mass=0.14), expected, rtol=1e-9)


def test_scales_fall_with_the_number_of_jets():
    momenta = np.random.default_rng(1).normal(size=(40, 3))
    for measure in (DURHAM, JADE):
        assert (np.diff(scales_of(momenta, measure)) <= 0).all()


def test_too_few_particles_have_no_scale():
    p = np.random.default_rng(2).normal(size=(5, 3))
    for n in range(5):
        scales = scales_of(p[:n].reshape(-1, 3), DURHAM)
        assert (scales[: max(n - 2, 0)] > 0).all()
        assert (scales[max(n - 2, 0) :] == 0).all()


def test_a_soft_or_collinear_particle_changes_nothing():
    momenta = np.random.default_rng(3).normal(size=(10, 3))
    soft = np.concatenate([momenta, [[1e-9, 1e-9, 0]]])
    split = np.concatenate([momenta[1:], 0.4 * momenta[:1], 0.6 * momenta[:1]])
    for more in (soft, split):
        np.testing.assert_allclose(scales_of(more, DURHAM), scales_of(momenta, DURHAM), rtol=1e-7)


def test_particles_at_rest_do_no_harm():
    momenta = np.concatenate([np.zeros((2, 3)), np.random.default_rng(4).normal(size=(4, 3))])
    assert np.isfinite(scales_of(momenta, DURHAM, mass=1.0)).all()
