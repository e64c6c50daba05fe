"""The container and the rows, with a small text for every trap of the format."""

import gzip
import re

import numpy as np
import pytest
from helpers.faults import refused
from hypothesis import given, settings
from hypothesis import strategies as st

from sbitune.data import yoda
from sbitune.data.errors import InputError

HISTO = """\
BEGIN YODA_HISTO1D_V2 /ANA/h
Path: /ANA/h
ScaledBy: 5.00000000000000000e-01
Title: ~
Type: Histo1D
---
# Mean: 2.0
# Area: 1.1e+01
# ID\t ID\t sumw\t sumw2\t sumwx\t sumwx2\t numEntries
Total   \tTotal   \t1.1e+01\t2.5e+01\t2.59e+01\t1.2181e+02\t7.0
Underflow\tUnderflow\t1.0\t1.0\t-3.0\t9.0\t1.0
Overflow\tOverflow\t1.0\t1.0\t6.0\t36.0\t1.0
# xlow\t xhigh\t sumw\t sumw2\t sumwx\t sumwx2\t numEntries
0.0\t1.0\t1.0\t1.0\t0.5\t0.25\t1.0
1.0\t2.0\t2.0\t4.0\t3.0\t4.5\t1.0
3.0\t4.0\t1.0\t1.0\t3.5\t12.25\t1.0
END YODA_HISTO1D_V2
"""
SCATTER = """\
BEGIN YODA_SCATTER2D_V2 /REF/ANA/d01-x01-y01
{notes}Path: /REF/ANA/d01-x01-y01
Type: Scatter2D
---
# xval\t xerr-\t xerr+\t yval\t yerr-\t yerr+\t
{rows}END YODA_SCATTER2D_V2
"""


def scatter(rows, notes=""):
    (obj,) = yoda.loads(SCATTER.format(rows=rows, notes=notes)).values()
    return obj


def test_gap_underflow_and_total_are_kept():
    histogram = yoda.loads(HISTO)["/ANA/h"]
    np.testing.assert_array_equal(histogram.low, [0, 1, 3])
    np.testing.assert_array_equal(histogram.high, [1, 2, 4])
    np.testing.assert_array_equal(histogram.height(), [1, 2, 1])
    np.testing.assert_array_equal(histogram.height_error(), [1, 2, 1])
    assert histogram.total[0] == 11  # with 5 in the bins, 2 in the outflows and 4 in the gap
    assert histogram.integral(overflows=False) == 4
    np.testing.assert_array_equal(histogram.underflow, [1, 1, -3, 9, 1])
    assert histogram.annotations == {"ScaledBy": 0.5, "Title": ""}


@pytest.mark.parametrize(
    ("word", "value"),
    [("nan", np.nan), ("NaN", np.nan), ("inf", np.inf), ("-INF", -np.inf), ("+.5e+01", 5.0), ("2.", 2.0)],
)
def test_numbers_like_strtod(word, value):
    obj = scatter(f"1.0 0.5 0.5 {word} 0.1 0.2\n")
    np.testing.assert_array_equal(obj.values[0], [1.0, value])


def test_old_variations_are_ignored():
    rows = "2.0\t0.5\t0.5\t4.0\t0.1\t0.2\t0.7\t0.8\n"
    obj = scatter(rows, 'Variations: ["", "mur"]\n')
    np.testing.assert_array_equal(obj.values, [[2, 4]])
    np.testing.assert_array_equal(obj.plus, [[0.5, 0.2]])
    with refused("yoda-row-length", "8 columns instead of 6"):
        scatter(rows, 'Variations: [""]\n')


def test_no_points():
    assert scatter("").values.shape == (0, 2)


def test_breakdown_keeps_signs_and_absent_sources():
    obj = scatter(
        "1 1 1 10 2 3\n3 1 1 20 3 4\n5 1 1 30 3 4\n",
        """ErrorBreakdown: {0: {"": {up: 3, dn: 2}, stat: {dn: -0.5, up: 0.6}, 'sys,lumi:a': {up: -1.6, dn: 1.5}}, """
        '1: {}, 2: {stat: {up: nan, dn: .inf}, pileup: {dn: 1e-3, up: 2E-3}}}\nVariations: [""]\n',
    )
    assert set(obj.sources) == {"", "stat", "sys,lumi:a", "pileup"}
    np.testing.assert_array_equal(obj.sources["stat"], [[-0.5, 0.6], [np.nan, np.nan], [np.inf, np.nan]])
    np.testing.assert_array_equal(obj.sources["sys,lumi:a"][0], [1.5, -1.6])
    np.testing.assert_array_equal(obj.sources["pileup"][2], [1e-3, 2e-3])
    np.testing.assert_array_equal(obj.sources[""][0], [2, 3])
    assert obj.annotations == {"Variations": '[""]'}
    assert set(yoda.points(obj).sources) == {"stat", "sys,lumi:a", "pileup"}


def test_columns_are_the_total_even_if_the_breakdown_disagrees():
    obj = scatter("1 1 1 10 0.04 0.04\n", 'ErrorBreakdown: {0: {"": {up: 0.03, dn: 0.03}}}\n')
    assert yoda.points(obj).minus == 0.04


def test_breakdown_of_more_points_than_there_are():
    rows = "1 1 1 10 5 5\n3 1 1 20 3 3\n"
    fitting = "ErrorBreakdown: {0: {a: {dn: -3, up: 3}, b: {dn: -4, up: 4}}, 2: {a: {dn: -1, up: 1}}}\n"
    assert set(scatter(rows, fitting).sources) == {"a", "b"}
    shifted = "ErrorBreakdown: {1: {a: {dn: -3, up: 3}, b: {dn: -4, up: 4}}, 2: {a: {dn: -3, up: 3}}}\n"
    obj = scatter(rows, shifted)
    assert obj.sources == {}
    assert obj.annotations["ErrorBreakdown"] == shifted[len("ErrorBreakdown: ") : -1]


@pytest.mark.parametrize("value", ["{0: {stat: {dn: -0.5}}}", "{0: {stat: {dn: -0.5, up: }}}", "[1, 2]"])
def test_broken_breakdown(value):
    with refused("yoda-bad-breakdown", "<string>:2: ", "/d01-x01-y01: ErrorBreakdown "):
        scatter("1 1 1 10 2 3\n", f"ErrorBreakdown: {value}\n")


def test_path_annotation_goes_before_the_begin_line():
    text = HISTO.replace("BEGIN YODA_HISTO1D_V2 /ANA/h", "BEGIN YODA_HISTO1D_V2 /ANA/h[muR")
    text = text.replace("Path: /ANA/h", "Path: /ANA/h[muR = 2 muF = 1]")
    assert list(yoda.loads(text)) == ["/ANA/h[muR = 2 muF = 1]"]


def test_path_of_the_begin_line_without_annotation():
    assert list(yoda.loads(HISTO.replace("Path: /ANA/h\n", ""))) == ["/ANA/h"]


def test_old_blocks_with_equal_signs():
    text = """\
# BEGIN YODA_HISTO1D /OLD/h
Path=/OLD/h
Title=*a star
XLabel: $a=b$
## Area: 3.0
# ID ID sumw sumw2 sumwx sumwx2 numEntries
Total Total 3 5 2 2 2
Underflow Underflow 0 0 0 0 0
Overflow Overflow 0 0 0 0 0
# xlow xhigh sumw sumw2 sumwx sumwx2 numEntries
0.0 1.0 3.0 5.0 2.0 2.0 2.0
# END YODA_HISTO1D

# a comment between blocks
"""
    histogram = yoda.loads(text)["/OLD/h"]
    assert histogram.annotations == {"Title": "*a star", "XLabel": "$a=b$"}
    np.testing.assert_array_equal(histogram.sums, [[3, 5, 2, 2, 2]])
    assert yoda.loads(text, select=lambda path: path == "/OLD/h").keys() == {"/OLD/h"}


def test_windows_newlines_and_a_byte_order_mark_are_accepted(tmp_path):
    (tmp_path / "windows.yoda").write_text("\ufeff" + HISTO.replace("\n", "\r\n"), newline="")
    assert yoda.read(tmp_path / "windows.yoda")["/ANA/h"].total[0] == 11


def test_select_skips_without_reading_rows():
    broken = HISTO.replace("/ANA/h", "/ANA/broken").replace("12.25", "twelve")
    text = HISTO + broken + HISTO.replace("/ANA/h", "/ANA/last")
    assert list(yoda.loads(text, select=lambda path: "broken" not in path)) == ["/ANA/h", "/ANA/last"]
    with refused("yoda-bad-number", "<string>:33: HISTO1D /ANA/broken: 'twelve' "):
        yoda.loads(text)


@pytest.mark.parametrize(
    "row",
    [
        (HISTO[: HISTO.index("END")], "yoda-cut-short", "f.yoda:1: ", "/ANA/h"),
        (HISTO[:300] + "\n" + HISTO, "yoda-cut-short", "f.yoda:1: "),
        (HISTO[HISTO.index("Total") :], "yoda-begin-missing", "f.yoda:8: ", "YODA_HISTO1D_V2"),
        (HISTO + HISTO, "yoda-repeated-path", "f.yoda:18: ", "/ANA/h", "line 1;"),
        (HISTO + "1.0 2.0\n", "yoda-outside-blocks", "f.yoda:18: '1.0 2.0' "),
        ("not YODA at all", "yoda-outside-blocks", "f.yoda:1: 'not YODA at all' "),
        (HISTO.replace("---", "--"), "yoda-rule-missing", "f.yoda:1: ", "'---'"),
        (HISTO.replace("_V2", "_V7"), "yoda-unknown-version", "f.yoda:1: ", " 7 "),
        (HISTO.replace("HISTO1D", "HISTO9D"), "yoda-unknown-type", "f.yoda:1: ", "HISTO9D"),
        (HISTO.replace("Type: Histo1D", "Type: Counter"), "yoda-other-type", "f.yoda:", "Type: Counter"),
        (HISTO.replace("5.00000000000000000e-01", "half"), "yoda-bad-number", "f.yoda:3: ", "ScaledBy: 'half'"),
        (HISTO.replace("3.0\t4.0", "4.0\t4.0"), "yoda-bad-edges", "f.yoda:16: ", "bin 2 ", "[4, 4)"),
        (HISTO.replace("3.5\t12.25", "3.5\t9 9\t12.25"), "yoda-row-length", "f.yoda:16: ", "9 columns instead of 7"),
    ],
)
def test_errors_name_file_and_line(row):
    text, code, *parts = row
    with refused(code, *parts):
        yoda.loads(text, name="f.yoda")


@settings(deadline=None)
@given(
    st.integers(0, len(HISTO) - 1),
    st.integers(0, 40),
    st.text("-\n\t #0123456789.enaifBEGINDTotal[]{}:=\"'", max_size=8),
)
def test_damaged_text_is_read_or_refused(place, length, inserted):
    damaged = HISTO[:place] + inserted + HISTO[place + length :]
    try:
        objects = yoda.loads(damaged)
    except InputError as error:
        message, objects = str(error), {}
    else:
        message = "<string>:0: fine"
    assert re.match(r"<string>:\d+: ", message)
    for obj in yoda.loads(yoda.dumps(objects)).values():
        if not isinstance(obj, yoda.Counter):
            yoda.points(obj)


def test_empty_text_holds_nothing():
    assert yoda.loads("") == {}


def test_gzip_is_told_by_content(tmp_path):
    packed = gzip.compress(HISTO.encode())
    (tmp_path / "packed.yoda").write_bytes(packed)
    (tmp_path / "plain.yoda.gz").write_text(HISTO)
    for name in ("packed.yoda", "plain.yoda.gz"):
        assert yoda.read(tmp_path / name)["/ANA/h"].total[0] == 11


@pytest.mark.parametrize("keep", [15, 100, -1, -9])
def test_truncated_gzip(tmp_path, keep):
    path = tmp_path / "cut.yoda.gz"
    path.write_bytes(gzip.compress(HISTO.encode())[:keep])
    with refused("yoda-compression", "cut.yoda.gz: "):
        yoda.read(path)


def test_missing_file_and_latin1_title(tmp_path):
    with refused("yoda-unreadable", "none.yoda: "):
        yoda.read(tmp_path / "none.yoda")
    path = tmp_path / "old.yoda"
    path.write_bytes(HISTO.replace("~", "Drell-Yan à Paris").encode("latin-1"))
    assert yoda.read(path)["/ANA/h"].annotations["Title"] == "Drell-Yan à Paris"
