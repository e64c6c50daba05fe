"""Values derived from moments, scaling, and the plotting protocol."""

import numpy as np
import pytest

from sbitune.data import yoda
from sbitune.data.errors import InputError
from sbitune.data.yoda.grids import HISTO2D_COLUMNS


def filled_profile(x, y, w, edges):
    profile = yoda.Profile1D.zeros("/p", edges[:-1], edges[1:], {"Title": "t"})
    for index in range(len(edges) - 1):
        inside = (x >= edges[index]) & (x < edges[index + 1])
        a, b, c = x[inside], y[inside], w[inside]
        profile.sums[index] = [v.sum() for v in (c, c**2, c * a, c * a**2, c * b, c * b**2, np.ones_like(a))]
    return profile


def test_profile_error_is_the_error_of_a_weighted_mean():
    rng = np.random.default_rng(1)
    x, y, w = rng.uniform(0, 2, 500), rng.normal(3, 2, 500), np.ones(500)
    profile = filled_profile(x, y, w, np.array([0.0, 1.0, 2.0]))
    inside = y[x < 1]
    assert profile.mean()[0] == pytest.approx(inside.mean(), rel=1e-12)
    assert profile.mean_error()[0] == pytest.approx(inside.std(ddof=1) / np.sqrt(len(inside)), rel=1e-10)


def test_profile_of_one_fill_or_none_has_no_error():
    profile = filled_profile(np.array([0.5]), np.array([3.0]), np.array([2.0]), np.array([0.0, 1.0, 2.0]))
    np.testing.assert_array_equal(profile.mean(), [3, np.nan])
    assert np.isnan(profile.mean_error()).all()
    # one fill of weight 1/11, rounded to the seven digits of a file: not two entries by accident
    profile.sums[0] = [0.1818182, 0.03305785, 0.2727273, 0.4090909, 0.5454545, 1.636364, 1]
    assert np.isnan(profile.mean_error()[0])


def test_scaling_keeps_fills_and_remembers_the_factor():
    histogram = yoda.Histo1D.zeros("/h", [0, 2], [2, 3])
    histogram.sums[:] = [[1, 2, 3, 4, 5], [6, 7, 8, 9, 10]]
    histogram.total[:], histogram.overflow[:] = [7, 9, 11, 13, 15], [1, 1, 1, 1, 1]
    scaled = histogram.scaled(0.5).scaled(0.5)
    np.testing.assert_array_equal(scaled.sums, [[0.25, 0.125, 0.75, 1, 5], [1.5, 0.4375, 2, 2.25, 10]])
    np.testing.assert_array_equal(scaled.overflow, [0.25, 0.0625, 0.25, 0.25, 1])
    assert scaled.annotations == {"ScaledBy": 0.25}
    assert histogram.annotations == {}
    np.testing.assert_array_equal(scaled.height(), [0.125, 1.5])
    np.testing.assert_allclose(scaled.height_error(), np.sqrt([0.125, 0.4375]) / [2, 1])
    assert (scaled.integral(), scaled.integral(overflows=False)) == (1.75, 1.75)


def test_scaling_of_the_other_types():
    counter = yoda.Counter("/c", 4.0, 8.0, 3.0).scaled(0.5)
    assert (counter.sumw, counter.sumw2, counter.entries) == (2, 2, 3)
    columns = np.arange(1.0, HISTO2D_COLUMNS + 1)
    two = yoda.Histo2D("/h", np.zeros((1, 2)), np.full((1, 2), 2.0), columns[None], columns, columns[None]).scaled(3)
    np.testing.assert_array_equal(two.sums, [[3, 18, 9, 12, 15, 18, 21, 8]])
    assert (two.height()[0], two.outflows[0, 1], two.annotations["ScaledBy"]) == (0.75, 18, 3)
    assert two.height_error()[0] == pytest.approx(np.sqrt(18) / 4)
    general = yoda.BinnedFillable("/g", (yoda.Axis("s", ("a",)),), np.ones((2, 5))).scaled(2)
    np.testing.assert_array_equal(general.sums[0], [2, 4, 2, 2, 1])


def test_edges_must_be_of_equal_length():
    with pytest.raises(InputError, match=r"/h: low \(2,\) and high \(1,\)"):
        yoda.Histo1D.zeros("/h", [0, 1], [1])


def test_points_of_scatters_in_other_dimensions_are_refused():
    scatter = yoda.Scatter("/s", np.zeros((1, 1)), np.zeros((1, 1)), np.zeros((1, 1)))
    with pytest.raises(InputError, match="/s: a Scatter that does not have exactly one axis"):
        yoda.points(scatter)
    with pytest.raises(InputError, match="/c: a Counter"):
        yoda.points(yoda.Counter("/c", 1.0, 1.0, 1.0))


def test_plotting_protocol():
    histogram = yoda.Histo1D.zeros("/h", [0, 2], [1, 3])
    histogram.sums[:, 0], histogram.sums[:, 1] = [4, 0], [8, 0]
    (axis,) = histogram.axes
    assert [tuple(edge) for edge in axis] == [(0, 1), (2, 3)]
    assert (len(axis), axis[1], axis.traits.circular, axis.traits.discrete) == (2, (2, 3), False, False)
    assert axis == yoda.Profile1D.zeros("/p", [0, 2], [1, 3]).axes[0]
    assert axis != yoda.Profile1D.zeros("/p", [0, 2], [1, 4]).axes[0]
    assert histogram.kind == "COUNT"
    np.testing.assert_array_equal(histogram.values(), [4, 0])
    np.testing.assert_array_equal(histogram.variances(), [8, 0])
    np.testing.assert_array_equal(histogram.counts(), [2, 0])
    profile = filled_profile(np.array([0.5, 0.5, 1.5]), np.array([1.0, 3.0, 5.0]), np.ones(3), np.array([0.0, 1, 2]))
    assert profile.kind == "MEAN"
    np.testing.assert_allclose(profile.values(), [2, 5])
    np.testing.assert_allclose(profile.variances(), [1, np.nan])
    np.testing.assert_array_equal(profile.counts(), [2, 1])


def test_protocol_of_uhi_itself():
    numpy_plottable = pytest.importorskip("uhi.numpy_plottable", reason="the package uhi is not installed")
    protocol = pytest.importorskip("uhi.typing.plottable")
    histogram = yoda.Histo1D.zeros("/h", [0, 1], [1, 2])
    histogram.sums[:, 0] = [3, 4]
    assert isinstance(histogram, protocol.PlottableHistogram)
    assert numpy_plottable.ensure_plottable_histogram(histogram) is histogram
