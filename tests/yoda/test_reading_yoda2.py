"""Blocks of YODA 2: edges, outflow rows, discrete axes, masked bins, undefined sources."""

import numpy as np
import pytest
from helpers.faults import refused

from sbitune.data import yoda
from sbitune.data.errors import InputError

ESTIMATE = """\
BEGIN YODA_ESTIMATE1D_V3 /ANA/e
Path: /ANA/e
RE: P P --> Z0 < LEPTON+ LEPTON- >
SQRT(S) [GEV]: 7000
Type: Estimate1D
---
Edges(A1): [0.000000e+00, 1.000000e+00, 3.000000e+00, 4.000000e+00]
{masked}ErrorLabels: ["stat", "sys,lumi", "swap"]
# value\terrDn(1)\terrUp(1)\terrDn(2)\terrUp(2)\terrDn(3)\terrUp(3)
nan          \t---          \t---          \t---\t---\t---\t---\t
2.540000e+01 \t-3.000000e+00\t3.300000e+00 \t-1.2\t1.0\t---\t---\t
0.000000e+00 \t---          \t---          \t---\t---\t---\t---\t
5.000000e+00 \t-3.0         \t3.0          \t---\t---\t+4.0\t-2.0\t
1.000000e+00 \t-1.0         \t1.0          \t---\t---\t---\t---\t
END YODA_ESTIMATE1D_V3
"""


def one(text):
    (obj,) = yoda.loads(text).values()
    return obj


def test_estimate_totals_and_undefined_sources():
    estimate = one(ESTIMATE.format(masked=""))
    points = yoda.points(estimate)
    np.testing.assert_array_equal(points.low, [0, 1, 3])
    np.testing.assert_array_equal(points.high, [1, 3, 4])
    np.testing.assert_array_equal(points.value, [25.4, 0, 5])
    # swapped signs are sorted first: the third source moves the last bin by -2 and +4
    np.testing.assert_allclose(points.minus, [np.hypot(3, 1.2), 0, np.hypot(3, 2)], rtol=1e-12)
    np.testing.assert_allclose(points.plus, [np.hypot(3.3, 1), 0, np.hypot(3, 4)], rtol=1e-12)
    np.testing.assert_array_equal(points.sources["swap"], [[np.nan] * 2, [np.nan] * 2, [4, -2]])
    assert np.isnan(estimate.values[0])
    assert estimate.annotations == {"RE": "P P --> Z0 < LEPTON+ LEPTON- >", "SQRT(S) [GEV]": "7000"}


def test_total_label_goes_before_the_sum():
    text = ESTIMATE.format(masked="").replace('"sys,lumi"', '""')
    points = yoda.points(one(text))
    np.testing.assert_allclose(points.minus, [1.2, 0, np.hypot(3, 2)], rtol=1e-12)
    assert set(points.sources) == {"stat", "swap"}


def test_same_sign_source_counts_on_one_side_only():
    estimate = one(ESTIMATE.format(masked="").replace("+4.0\t-2.0", "+4.0\t+2.0"))
    np.testing.assert_allclose(estimate.total()[3], [3, 5])


def test_masked_bins_are_no_points():
    estimate = one(ESTIMATE.format(masked="MaskedBins: [2]\n"))
    assert estimate.masked == (2,)
    np.testing.assert_array_equal(yoda.points(estimate).low, [0, 3])
    assert yoda.points(estimate).sources["stat"].shape == (2, 2)


def test_histogram_with_masked_gap():
    text = """\
BEGIN YODA_HISTO1D_V3 /ANA/h
Type: Histo1D
---
Edges(A1): [0.0, 1.0, 2.0, 4.0]
MaskedBins: [2]
# sumW sumW2 sumW(A1) sumW2(A1) numEntries
1 1 -1 1 1
2 2 1 0.5 2
4 4 6 9 4
8 8 24 72 8
16 16 80 400 16
END YODA_HISTO1D_V3
"""
    histogram = one(text)
    np.testing.assert_array_equal(histogram.low, [0, 2])
    np.testing.assert_array_equal(histogram.high, [1, 4])
    np.testing.assert_array_equal(histogram.height(), [2, 4])
    assert (histogram.underflow[0], histogram.overflow[0], histogram.total[0]) == (1, 16, 31)


def test_profile_drops_the_product():
    text = """\
BEGIN YODA_PROFILE1D_V3 /ANA/p
Type: Profile1D
---
Edges(A1): [0.0, 1.0]
# sumW sumW2 sumW(A1) sumW2(A1) sumW(A2) sumW2(A2) sumW(A1,A2) numEntries
0 0 0 0 0 0 0 0
3.5 5.25 0.95 0.495 41.0 486.0 99.0 3
0 0 0 0 0 0 0 0
END YODA_PROFILE1D_V3
"""
    profile = one(text)
    np.testing.assert_array_equal(profile.sums, [[3.5, 5.25, 0.95, 0.495, 41, 486, 3]])
    assert profile.mean_error()[0] == pytest.approx(1.1065666703449764, rel=1e-12)


def test_unordered_integers():
    text = """\
BEGIN YODA_BINNEDHISTO<I>_V3 /ANA/i
Type: BinnedHisto<i>
---
Edges(A1): [120, 390, -3]
# sumW sumW2 sumW(A1) sumW2(A1) numEntries
9 9 0 0 9
1 1 120 14400 1
4 8 1560 608400 2
0 0 0 0 0
END YODA_BINNEDHISTO<I>_V3
"""
    histogram = one(text)
    points = yoda.points(histogram)
    np.testing.assert_array_equal(points.low, [119.5, 389.5, -3.5])
    np.testing.assert_array_equal(points.high, [120.5, 390.5, -2.5])
    np.testing.assert_array_equal(points.value, [1, 4, 0])
    np.testing.assert_allclose(points.plus, np.sqrt([1, 8, 0]))
    assert histogram.axes[0].edges.dtype.kind == "i"


def test_names_as_edges():
    text = """\
BEGIN YODA_BINNEDESTIMATE<S>_V3 /ANA/s
Type: BinnedEstimate<s>
---
Edges(A1): ["1/0", "a, \\"b\\"", "[c]: é"]
ErrorLabels: [""]
# value totalDn totalUp
nan --- ---
1 -0.1 0.1
2 -0.2 0.3
3 --- ---
END YODA_BINNEDESTIMATE<S>_V3
"""
    estimate = one(text)
    assert estimate.axes[0].edges == ("1/0", 'a, "b"', "[c]: é")
    points = yoda.points(estimate)
    np.testing.assert_array_equal(points.low, [0.5, 1.5, 2.5])
    np.testing.assert_array_equal(points.plus, [0.1, 0.3, 0])
    assert one(text.replace('\\"b\\"', r"\pi")).axes[0].edges[1] == r"a, \pi"


def test_two_discrete_axes_and_no_axes():
    rows = "\n".join(f"{value} -1 1" for value in range(3 * 4))
    text = f"""\
BEGIN YODA_BINNEDESTIMATE<I,S>_V3 /ANA/two
Type: BinnedEstimate<i,s>
---
Edges(A1): [5, 7]
Edges(A2): ["a", "b", "c"]
ErrorLabels: ["stat"]
{rows}
END YODA_BINNEDESTIMATE<I,S>_V3
BEGIN YODA_ESTIMATE0D_V3 /RAW/_XSEC
Type: Estimate0D
---
ErrorLabels: ["stat"]
4.0503e+04 -2.0e+02 2.0e+02
END YODA_ESTIMATE0D_V3
"""
    two, zero = yoda.loads(text).values()
    np.testing.assert_array_equal(two.values[two.bins()], [4, 5, 7, 8, 10, 11])  # the first axis runs fastest
    assert zero.values.tolist() == [40503]
    for obj in (two, zero):
        with pytest.raises(InputError, match="does not have exactly one axis"):
            yoda.points(obj)


def test_objects_without_edges():
    text = """\
BEGIN YODA_ESTIMATE1D_V3 /ANA/none
Type: Estimate1D
---
# value
END YODA_ESTIMATE1D_V3
BEGIN YODA_BINNEDESTIMATE<S>_V3 /ANA/one
Type: BinnedEstimate<s>
---
# value
nan
END YODA_BINNEDESTIMATE<S>_V3
"""
    for obj in yoda.loads(text).values():
        assert yoda.points(obj).value.size == 0


def test_all_versions_in_one_file():
    old = "BEGIN YODA_COUNTER_V2 /c\nType: Counter\n---\n1\t2\t3\nEND YODA_COUNTER_V2\n"
    assert list(yoda.loads(old + ESTIMATE.format(masked=""))) == ["/c", "/ANA/e"]


@pytest.mark.parametrize(
    ("old", "new", "code", "part"),
    [
        ("1.000000e+00 \t-1.0", "# ", "yoda-row-count", "<string>:1: ESTIMATE1D /ANA/e: 4 rows "),
        ("[0.000000e+00,", "[zero,", "yoda-bad-edges", "Edges(A1) [zero, "),
        (
            "---          \t---          \t---\t---\t---\t---\t\n2.5",
            "---\t---\t---\t---\t---\t---\t---\n2.5",
            "yoda-row-length",
            "8 columns",
        ),
        ("[0.000000e+00,", "[5.0,", "yoda-bad-edges", "Edges(A1) [5.0, "),
        ("ESTIMATE1D_V3", "BINNEDESTIMATE<X>_V3", "yoda-unknown-type", "BINNEDESTIMATE<X>"),
        ("1.000000e+00 \t-1.0", "1.0 one", "yoda-bad-number", "'one'"),
        ("{masked}", "MaskedBins: [a]\n", "yoda-bad-mask", "MaskedBins [a] "),
    ],
)
def test_errors(old, new, code, part):
    with refused(code, part):
        yoda.loads(ESTIMATE.replace(old, new).replace("{masked}", ""))
