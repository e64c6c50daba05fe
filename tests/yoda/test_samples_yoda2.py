"""Files written by the YODA 2 library: known fills, and a HEPData table with its YODA 1 twin."""

import json

import numpy as np
import pytest

from sbitune.data import yoda


def fills(first, last, weights):
    """Moments of fills at the integers, sorted into underflow, bins [0, 1) ... [9, 10) and overflow."""
    rows = np.zeros((12, 5))
    for x in range(first, last + 1):
        w = weights(x)
        rows[np.clip(x + 1, 0, 11)] += [w, w, w * x, w * x**2, w]
    return rows


def test_histo1d_with_known_fills(samples):
    (histogram,) = yoda.read(samples / "yoda2_real" / "test_histo1d_v3.yoda").values()
    expected = json.loads((samples / "yoda2_real" / "test_histo1d_v3.expected.json").read_text())
    rows = np.vstack([histogram.underflow, histogram.sums, histogram.overflow])
    np.testing.assert_array_equal(rows, expected["rows"])
    np.testing.assert_array_equal(rows, fills(-2, 11, abs))
    np.testing.assert_array_equal(histogram.low, np.arange(10))
    np.testing.assert_array_equal(histogram.high, np.arange(1, 11))
    assert histogram.integral() == 69
    assert histogram.total[2] / histogram.total[0] == pytest.approx(7.260870, rel=1e-6)


def test_histo2d_with_known_fills(samples):
    (histogram,) = yoda.read(samples / "yoda2_real" / "test_histo2d_v3.yoda").values()
    # fills at (i, j) with weights 1, 2, 3 ... in order of j within i, i and j from -2 to 11
    bins = np.zeros((10, 10, 8))
    total = np.zeros(8)
    for number, (x, y) in enumerate(((i, j) for i in range(-2, 12) for j in range(-2, 12)), 1):
        w = float(number)
        moments = np.array([w, w**2, w * x, w * x**2, w * y, w * y**2, w * x * y, 1])
        total += moments
        if 0 <= x < 10 and 0 <= y < 10:
            bins[x, y] += moments
    np.testing.assert_allclose(histogram.sums, bins.reshape(100, 8), rtol=1e-6)
    np.testing.assert_allclose(histogram.total, total, rtol=1e-5)
    np.testing.assert_array_equal(histogram.low[:11], [[0, y] for y in range(10)] + [[1, 0]])


def test_all_rows_of_histo2d(samples):
    path = samples / "yoda2_real" / "test_histo2d_v3.yoda"
    expected = json.loads((samples / "yoda2_real" / "test_histo2d_v3.expected.json").read_text())["rows"]
    written = yoda.dumps(yoda.read(path), version=2)
    rows = [line.split() for line in written.splitlines() if line[0:1] in "0123456789-" and "---" not in line]
    np.testing.assert_allclose(np.array([row for row in rows if row], float), expected, rtol=5e-7)


def test_counter(samples):
    (counter,) = yoda.read(samples / "yoda2_real" / "test_counter_v3.yoda").values()
    assert (counter.path, counter.sumw, counter.annotations) == ("/", 0.0, {"Title": "hi"})


def test_twins_of_one_table_agree(samples):
    ones = yoda.read(samples / "yoda2_real" / "hepdata_yoda1_with_overflows.yoda")
    twos = yoda.read(samples / "yoda2_real" / "hepdata_yoda2_with_overflows.yoda")
    assert list(ones) == list(twos)
    assert len(ones) == 2
    for path in ones:
        one, two = yoda.points(ones[path]), yoda.points(twos[path])
        for name in ("low", "high", "value", "minus", "plus"):
            np.testing.assert_allclose(getattr(two, name), getattr(one, name), rtol=1e-6, err_msg=name)
    assert one.value.shape == (10,)
    assert np.isnan(one.value).all()


def test_outflows_of_the_estimate_are_kept(samples):
    estimate = next(iter(yoda.read(samples / "yoda2_real" / "hepdata_yoda2_with_overflows.yoda").values()))
    assert (estimate.values[0], estimate.values[-1]) == (0.67909, 0.033519)
    np.testing.assert_array_equal(estimate.sources["statistical"][0], [-2.1168e-4, 2.1174e-4])
    assert estimate.annotations["Title"] == "Figure-aux_001"


@pytest.mark.parametrize("name", ["test_histo1d_v3", "test_histo2d_v3", "test_counter_v3"])
def test_written_file_is_the_librarys_own(samples, name):
    text = (samples / "yoda2_real" / f"{name}.yoda").read_text()
    assert yoda.dumps(yoda.loads(text), version=2).rstrip("\n") == text.rstrip("\n")
