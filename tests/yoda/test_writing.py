"""Files we write, and conversions from one generation to the other."""

import gzip

import numpy as np
import pytest
import yaml
from helpers.faults import refused

from sbitune.data import yoda
from sbitune.data.errors import InputError


def gapped(total=31.0):
    histogram = yoda.Histo1D.zeros("/ANA/h", [0.0, 2.0, 3.0], [1.0, 3.0, 4.0], {"Title": "gap"})
    histogram.sums[:, 0], histogram.underflow[0], histogram.overflow[0], histogram.total[0] = [1, 2, 4], 8, 12, total
    return histogram


def estimate(axes, rows):
    values = np.arange(float(rows))
    sources = {"": np.tile([-3.0, 4.0], (rows, 1)), "stat": np.tile([-1.0, 2.0], (rows, 1))}
    sources["stat"][2] = np.nan
    return yoda.Estimate("/REF/ANA/e", axes, values, sources, (), {"IsRef": "1"})


def back(obj, version):
    (found,) = yoda.loads(yoda.dumps([obj], version=version)).values()
    return found


def test_text_of_a_histogram():
    assert (
        yoda.dumps([gapped()])
        == """\
BEGIN YODA_HISTO1D_V2 /ANA/h
Path: /ANA/h
Title: gap
Type: Histo1D
---
# Mean: 0.000000e+00
# Area: 3.100000e+01
# ID\t ID\t sumw\t sumw2\t sumwx\t sumwx2\t numEntries
Total   \tTotal   \t3.100000e+01\t0.000000e+00\t0.000000e+00\t0.000000e+00\t0.000000e+00
Underflow\tUnderflow\t8.000000e+00\t0.000000e+00\t0.000000e+00\t0.000000e+00\t0.000000e+00
Overflow\tOverflow\t1.200000e+01\t0.000000e+00\t0.000000e+00\t0.000000e+00\t0.000000e+00
# xlow\t xhigh\t sumw\t sumw2\t sumwx\t sumwx2\t numEntries
0.000000e+00\t1.000000e+00\t1.000000e+00\t0.000000e+00\t0.000000e+00\t0.000000e+00\t0.000000e+00
2.000000e+00\t3.000000e+00\t2.000000e+00\t0.000000e+00\t0.000000e+00\t0.000000e+00\t0.000000e+00
3.000000e+00\t4.000000e+00\t4.000000e+00\t0.000000e+00\t0.000000e+00\t0.000000e+00\t0.000000e+00
END YODA_HISTO1D_V2

"""
    )


def test_gap_becomes_a_masked_bin_with_what_the_total_has_beyond():
    text = yoda.dumps([gapped()], version=2)
    assert "Edges(A1): [0.000000e+00, 1.000000e+00, 2.000000e+00, 3.000000e+00, 4.000000e+00]\n" in text
    assert "MaskedBins: [2]\n" in text
    first_column = [line.split("\t")[0].strip() for line in text.splitlines() if line[:1].isdigit()]
    assert [float(word) for word in first_column] == [8, 1, 4, 2, 4, 12]
    found = back(gapped(), 2)
    np.testing.assert_array_equal(found.low, [0, 2, 3])
    np.testing.assert_array_equal(found.area(), [1, 2, 4])
    assert found.total[0] == 31


def test_rounding_is_no_fill_in_the_gap():
    assert back(gapped(total=27.00001), 2).total[0] == 27


def test_edges_that_nearly_touch_are_fused_and_overlaps_refused():
    near = yoda.Histo1D.zeros("/h", [0, 1.0001], [1, 2])
    assert "MaskedBins" not in yoda.dumps([near], version=2)
    for low, message in (([0, 0.5], "/h: bin 1 overlaps"), ([0, -1], "/h: bins are not sorted")):
        with pytest.raises(InputError, match=message):
            yoda.dumps([yoda.Histo1D.zeros("/h", low, [1, 2])], version=2)


def test_histograms_survive_both_generations():
    profile = yoda.Profile1D.zeros("/p", [0.0, 1.0], [1.0, 2.0])
    profile.sums[:] = np.arange(14).reshape(2, 7)
    profile.total[:] = profile.sums.sum(axis=0)
    for version in (1, 2):
        found = back(profile, version)
        np.testing.assert_array_equal(found.sums, profile.sums)
        np.testing.assert_array_equal(found.total, profile.total)


def test_histogram_without_bins():
    for version in (1, 2):
        assert back(yoda.Histo1D.zeros("/h", [], []), version).sums.shape == (0, 5)


def test_two_dimensional_histogram_with_a_hole():
    low = np.array([[0, 0], [0, 1], [1, 0]], float)
    sums = np.zeros((3, 8))
    sums[:, 0] = [1, 2, 3]
    total = np.array([10.0, 0, 0, 0, 0, 0, 0, 0])
    histogram = yoda.Histo2D("/h", low, low + 1, sums, total, np.zeros((0, 8)))
    text = yoda.dumps([histogram], version=2)
    assert "MaskedBins: [10]\n" in text  # x in its second bin, y in its second bin: 2 + 4 * 2
    found = back(histogram, 2)
    np.testing.assert_array_equal(found.low, low)
    np.testing.assert_array_equal(found.area(), [1, 2, 3])
    assert found.total[0] == 10
    np.testing.assert_array_equal(back(histogram, 1).sums, sums)


def test_estimate_becomes_a_scatter():
    obj = estimate((yoda.Axis("d", np.array([0.0, 1.0, 3.0])),), 4)
    scatter = back(obj, 1)
    assert isinstance(scatter, yoda.Scatter)
    np.testing.assert_array_equal(scatter.values, [[0.5, 1], [2, 2]])
    np.testing.assert_array_equal(scatter.minus, [[0.5, 3], [1, 3]])
    np.testing.assert_array_equal(scatter.plus, [[0.5, 4], [1, 4]])
    np.testing.assert_array_equal(scatter.sources["stat"], [[-1, 2], [np.nan, np.nan]])
    assert scatter.annotations == {"IsRef": "1"}
    again = yoda.points(scatter)
    for mine, other in zip(yoda.points(obj)[:5], again[:5], strict=True):
        np.testing.assert_array_equal(mine, other)


def test_estimates_of_other_dimensions_become_scatters():
    single = back(yoda.Estimate("/x", (), np.array([5.0]), {"a": np.array([[-3.0, 1.0]]), "b": np.array([[-4, 1]])}), 1)
    np.testing.assert_array_equal(single.values, [[5]])
    np.testing.assert_array_equal(single.minus, [[5]])
    axes = (yoda.Axis("d", np.array([0.0, 1.0, 3.0])), yoda.Axis("i", np.array([7])))
    grid = back(estimate(axes, 8), 1)
    np.testing.assert_array_equal(grid.values, [[0.5, 7, 5], [2, 7, 6]])
    np.testing.assert_array_equal(grid.plus, [[0.5, 0.5, 4], [1, 0.5, 4]])
    with pytest.raises(InputError, match="3 axes do not fit into a scatter; write it with version=2"):
        yoda.dumps([estimate((*axes, axes[1]), 16)])


def test_discrete_histogram_becomes_a_scatter():
    axis = yoda.Axis("s", ("a", "b"))
    sums = np.array([[9, 9, 0, 0, 9], [4, 16, 0, 0, 1], [2, 1, 0, 0, 1]], float)
    scatter = back(yoda.BinnedFillable("/s", (axis,), sums), 1)
    np.testing.assert_array_equal(scatter.values, [[1, 4], [2, 2]])
    np.testing.assert_array_equal(scatter.plus, [[0.5, 4], [0.5, 1]])
    with refused("yoda-axes", "version=2"):
        yoda.dumps([yoda.BinnedFillable("/s", (axis, axis), np.zeros((9, 8)))])


def test_seventeen_digits_give_back_every_bit():
    counter = yoda.Counter("/c", 1 / 3, np.pi, 1e-300)
    found = yoda.loads(yoda.dumps([counter], digits=17))["/c"]
    assert (found.sumw, found.sumw2, found.entries) == (1 / 3, np.pi, 1e-300)
    assert yoda.loads(yoda.dumps([counter]))["/c"].sumw == 0.3333333
    counter.annotations["WriterDoublePrecision"] = "1"
    assert yoda.loads(yoda.dumps([counter]))["/c"].sumw == 1 / 3


def test_block_heads_are_yaml_even_with_odd_names():
    names = ["stat", "sys,lumi", "it's", 'a "b"', "null", "a: {b}", "é \\pi", ""]
    sources = {name: np.array([[-1e-5, 2e-7], [np.nan, np.nan], [k, 1e22]]) for k, name in enumerate(names)}
    path = "/REF/ANA/d01-x01-y01[muR = 2: #1]"
    places = np.arange(6.0).reshape(3, 2)
    scatter = yoda.Scatter(path, places, np.ones((3, 2)), np.ones((3, 2)), sources, {"IsRef": 1, "a: b": "*x"})
    for version in (1, 2):
        head = yoda.dumps([scatter], version=version).split("\n", 1)[1].split("\n---\n")[0]
        loaded = yaml.safe_load(head)
        assert (loaded["Path"], loaded["Type"], loaded["IsRef"], loaded["a: b"]) == (path, "Scatter2D", 1, "*x")
        breakdown = loaded["ErrorBreakdown"]
        assert list(breakdown) == [0, 1, 2]
        assert list(breakdown[0]) == names
        assert breakdown[0]["it's"] == {"up": 2e-7, "dn": -1e-5}
        assert breakdown[1] == {}
        assert breakdown[2]["sys,lumi"] == {"up": 1e22, "dn": 1}


def test_compressed_files_are_reproducible(tmp_path):
    for name in ("one.yoda.gz", "two.yoda.gz"):
        yoda.write(tmp_path / name, {"ignored": gapped()})
    content = (tmp_path / "one.yoda.gz").read_bytes()
    assert content == (tmp_path / "two.yoda.gz").read_bytes()
    assert gzip.decompress(content).decode() == yoda.dumps([gapped()])
    assert list(yoda.read(tmp_path / "one.yoda.gz")) == ["/ANA/h"]


def test_failure_leaves_the_old_file(tmp_path):
    path = tmp_path / "h.yoda"
    yoda.write(path, [gapped()])
    before = path.read_bytes()
    with pytest.raises(InputError, match="/ANA/h: two objects have this path"):
        yoda.write(path, [gapped(), gapped()])
    assert path.read_bytes() == before
    assert [found.name for found in tmp_path.iterdir()] == ["h.yoda"]


def test_bad_requests():
    with pytest.raises(InputError, match="version 3 is not known; choose 1 or 2"):
        yoda.dumps([], version=3)
    with pytest.raises(InputError, match="must not contain a line break"):
        yoda.dumps([yoda.Counter("/a\n/b", 1.0, 1.0, 1.0)])
