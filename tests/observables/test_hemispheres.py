import numpy as np
import pytest

from sbitune.generators.observables.framework.selection import Selection


def select(momenta, energy=None, weight=1.0):
    p = np.asarray(momenta, float)
    energy = np.linalg.norm(p, axis=1) if energy is None else energy
    columns = [np.ascontiguousarray(p[:, k]) for k in range(3)]
    return Selection([*columns, energy], np.array([0, len(p)], np.int64), np.array([weight]), np.full(len(p), 3))


@pytest.fixture
def many() -> Selection:
    rng = np.random.default_rng(1)
    p = rng.normal(size=(30, 3)) * [1, 1, 4]
    return select(p, np.sqrt((p**2).sum(axis=1) + 0.0195))


def test_broadenings_sum_to_that_of_the_event(many):
    # B_+ + B_- = sum |p x n| / (2 sum |p|), each at most 1/2
    halves = many.hemispheres
    axis = many.thrust_axes[0, 0]
    p = np.stack([many.px, many.py, many.pz], axis=1)
    total = np.linalg.norm(np.cross(p, axis), axis=1).sum() / (2 * many.p.sum())
    assert halves.wide[0] + halves.narrow[0] == pytest.approx(total, rel=1e-12)
    assert 0 < halves.narrow[0] <= halves.wide[0] < 0.5


def test_masses_are_those_of_the_halves(many):
    axis = many.thrust_axes[0, 0]
    p = np.stack([many.px, many.py, many.pz, many.e], axis=1)
    ahead = p[:, :3] @ axis > 0
    sums = np.array([p[ahead].sum(axis=0), p[~ahead].sum(axis=0)])
    masses = sums[:, 3] ** 2 - (sums[:, :3] ** 2).sum(axis=1)
    halves = many.hemispheres
    assert halves.visible_energy[0] == pytest.approx(many.e.sum())
    assert halves.heavy[0] == pytest.approx(masses.max() / many.e.sum() ** 2, rel=1e-10)
    assert halves.light[0] == pytest.approx(masses.min() / many.e.sum() ** 2, rel=1e-10)


def test_mercedes_star():
    r = np.sqrt(0.75)
    halves = select([[1, 0, 0], [-0.5, r, 0], [-0.5, -r, 0]]).hemispheres
    # two jets of 120 degrees: M^2 = 2 (1 - cos) = 3, of (sum E)^2 = 9
    assert halves.heavy[0] == pytest.approx(1 / 3)
    assert halves.light[0] == pytest.approx(0, abs=1e-15)
    assert halves.wide[0] + halves.narrow[0] == pytest.approx(2 * r / 6)


def test_a_particle_across_the_axis_counts_half_on_each_side():
    event = select([[0, 0, 5.0], [0, 0, -5.0], [1.0, 0, 0]], weight=2.0)
    event.__dict__["_thrust"] = (np.zeros((1, 3)), np.array([[[0.0, 0, 1], [1, 0, 0], [0, 1, 0]]]))
    halves = event.hemispheres
    assert halves.wide[0] == pytest.approx(halves.narrow[0])
    assert halves.wide[0] == pytest.approx(0.5 / 22)


def test_energy_correlations_sum_to_the_pairs(many):
    cosine, share = many.energy_correlations()
    energy = many.e.sum()
    assert len(cosine) == 30 * 29 // 2
    assert share.sum() == pytest.approx((energy**2 - (many.e**2).sum()) / (2 * energy**2), rel=1e-12)
    assert (np.abs(cosine) <= 1 + 1e-12).all()


def test_energy_correlations_carry_the_weight():
    _, share = select([[0, 0, 1.0], [0, 0, -1.0]], weight=-3.0).energy_correlations()
    np.testing.assert_allclose(share, [-0.75])
