"""What the YODA libraries fill up, cut or pass over is refused here, with file and line."""

import gzip
import time

import numpy as np
import pytest
from helpers.faults import refused

from sbitune.data import yoda
from sbitune.data.errors import InputError

HISTO = """\
BEGIN YODA_HISTO1D_V2 /A/h
Path: /A/h
Type: Histo1D
---
Total	Total	30	30	45	80	30
Underflow	Underflow	0	0	0	0	0
Overflow	Overflow	0	0	0	0	0
0	1	10	10	5	4	10
1	2	12	12	18	28	12
2	3	8	8	20	50	8
END YODA_HISTO1D_V2
"""
SCATTER = """\
BEGIN YODA_SCATTER2D_V2 /REF/A/d01-x01-y01
ErrorBreakdown: {0: {stat: {up: 0.1, dn: -0.1}}, 1: {stat: {up: 0.2, dn: -0.2}}}
Path: /REF/A/d01-x01-y01
---
0.5 0.5 0.5 5 0.05 0.05
1.5 0.5 0.5 6 0.05 0.05
END YODA_SCATTER2D_V2
"""
HISTO2 = """\
BEGIN YODA_HISTO1D_V3 /A/h
Path: /A/h
Type: Histo1D
---
Edges(A1): [0, 1, 2]
# sumW sumW2 sumW(A1) sumW2(A1) numEntries
0 0 0 0 0
10 10 5 4 10
12 12 18 28 12
0 0 0 0 0
END YODA_HISTO1D_V3
"""
ESTIMATE = """\
BEGIN YODA_BINNEDESTIMATE<S>_V3 /A/e
Path: /A/e
---
Edges(A1): ["a", "b"]
ErrorLabels: ["stat", "lumi"]
--- --- --- --- ---
5 -0.1 0.1 -0.2 0.2
6 -0.1 0.1 -0.2 0.2
END YODA_BINNEDESTIMATE<S>_V3
"""
PLANE = """\
BEGIN YODA_HISTO2D_V2 /A/p
Path: /A/p
Type: Histo2D
---
Total Total 2 2 1 1 1 1 1 2
0 1 0 1 1 1 0 0 0 0 0 1
0 1 1 2 1 1 0 0 0 0 0 1
1 2 0 2 1 1 0 0 0 0 0 1
END YODA_HISTO2D_V2
"""


@pytest.mark.parametrize("text", [HISTO, SCATTER, HISTO2, ESTIMATE, PLANE])
def test_sound_files_are_read(text):
    assert len(yoda.loads(text)) == 1


DAMAGES = [
    (HISTO, "12	12	18	28	12", "12", "yoda-row-length", "f:9: ", "3 columns instead of 7"),
    (
        HISTO,
        "12	12	18	28	12",
        "12	12	18	28	12	0",
        "yoda-row-length",
        "f:9: ",
        "8 columns instead of 7",
    ),
    (HISTO, "10\n1	2", "10	1	2", "yoda-row-length", "f:8: ", "14 columns instead of 7"),
    (HISTO, "END YODA_HISTO1D_V2", "END YODA_PROFILE1D_V2", "yoda-other-end", "f:11: ", "YODA_PROFILE1D_V2"),
    (HISTO, "END YODA_HISTO1D_V2", "END YODA_HISTO1D_V2 x", "yoda-other-end", "f:11: "),
    (HISTO, "BEGIN YODA_HISTO1D", "BEGIN YODA_PROFILE1D", "yoda-other-end", "f:11: ", "YODA_HISTO1D_V2"),
    (HISTO, "HISTO1D_V2", "PROFILE1D_V2", "yoda-row-length", "f:5: ", "5 columns instead of 7"),
    (HISTO, "Overflow	Overflow	0	0	0	0	0\n", "", "yoda-row-missing", "f:1: ", "row Overflow"),
    (HISTO, "Overflow	Overflow", "Underflow	Underflow", "yoda-repeated-row", "f:6: ", "row Underflow"),
    (HISTO, "Overflow	Overflow", "Overflow	Underflow", "yoda-repeated-row", "f:7: ", "row Overflow"),
    (HISTO, "2	3	8", "1	2	8", "yoda-overlap", "f:10: ", "bin 2", "[1, 2)"),
    (HISTO, "2	3	8", "1.5	3	8", "yoda-overlap", "f:10: ", "bin 2", "[1.5, 3)"),
    (HISTO, "0	1	10", "5	6	10", "yoda-overlap", "f:9: ", "bin 1", "[1, 2)"),
    (HISTO, "2	3	8", "2	inf	8", "yoda-bad-edges", "f:10: ", "bin 2", "[2, inf)"),
    (HISTO, "2	3	8", "nan	3	8", "yoda-bad-edges", "f:10: ", "bin 2", "[nan, 3)"),
    (HISTO, "2	12	12", "2	1_2	12", "yoda-bad-number", "f:9: ", "'1_2'"),
    (HISTO, "2	12	12", "2	012	12", "yoda-bad-number", "f:9: ", "'012'"),
    (HISTO, "2	12	12", "2	1²	12", "yoda-odd-character", "f:9: ", "'²'"),
    (HISTO, "2	12	12", "2	1\x1f12", "yoda-odd-character", "f:9: ", "'\\x1f'"),
    (HISTO, "2	12	12", "2	" + "9" * 400 + "	12", "yoda-bad-number", "f:9: ", "'" + 60 * "9" + "'"),
    (HISTO, "2	12	12", "2	1e999	12", "yoda-bad-number", "f:9: ", "'1e999'"),
    (HISTO, "Path: /A/h", "Path: /A/g", "yoda-other-path", "f:1: ", "Path: /A/g"),
    (HISTO, "Path: /A/h", "Path: /A/h\nPath: /A/h", "yoda-repeated-annotation", "f:3: "),
    (HISTO, " /A/h\nPath: /A/h", "", "yoda-bad-path", "f:1: "),
    (SCATTER, "6 0.05 0.05", "6 0.05", "yoda-row-length", "f:6: ", "5 columns instead of 6"),
    (SCATTER, "0.05\n1.5", "0.05 1.5", "yoda-row-length", "f:5: ", "12 columns instead of 6"),
    (SCATTER, "1.5 0.5 0.5 6", "0.5 0.5 0.5 5", "yoda-bad-point", "f:5: ", "point 1"),
    (SCATTER, "1.5 0.5 0.5", "1.5 -0.5 0.5", "yoda-bad-point", "f:6: ", "point 1"),
    (SCATTER, "6 0.05 0.05", "6 0.05 -0.05", "yoda-bad-point", "f:6: ", "point 1"),
    (SCATTER, "1.5 0.5 0.5", "inf 0.5 0.5", "yoda-bad-point", "f:6: ", "point 1"),
    (
        SCATTER,
        "---\n0.5 0.5 0.5 5 0.05 0.05",
        "0.5 0.5 0.5 5 0.05 0.05\n---",
        "yoda-no-annotation",
        "f:4: ",
        "'0.5 0.5 0.5 5 0.05 0.05'",
    ),
    (SCATTER, "1: {stat", "0: {stat", "yoda-bad-breakdown", "f:2: ", "point 0"),
    (SCATTER, "1: {stat", "X: {stat", "yoda-bad-breakdown", "f:2: "),
    (SCATTER, "1: {stat", "\t1: {stat", "yoda-bad-breakdown", "f:2: "),
    (SCATTER, "{0: {stat", "{\x1f0: {stat", "yoda-bad-breakdown", "f:2: "),
    (SCATTER, "1: {stat", "1: {st\x1fat", "yoda-bad-breakdown", "f:2: "),
    (SCATTER, "dn: -0.1", "up: -0.1", "yoda-bad-breakdown", "f:2: "),
    (SCATTER, "dn: -0.1", "dn: -0_1", "yoda-bad-breakdown", "f:2: ", "'-0_1'"),
    (SCATTER, "{0: {stat:", "{0: {stat: {up: 1, dn: 1}, stat:", "yoda-bad-breakdown", "f:2: ", "'stat'", "point 0"),
    (HISTO2, "Edges(A1): [0, 1, 2]\n", "Edges(A1): [0, 1, 2]\nEdges(A1): [0, 10, 20]\n", "yoda-repeated-line", "f:6: "),
    (HISTO2, "Edges(A1): [0, 1, 2]\n", "", "yoda-edges-missing", "f:1: ", "4 rows"),
    (HISTO2, "Edges", "Egdes", "yoda-unknown-line", "f:5: ", "Egdes(A1):"),
    (HISTO2, "[0, 1, 2]", "[0, 1 2]", "yoda-bad-edges", "f:5: ", "'1 2'"),
    (HISTO2, "[0, 1, 2]", "[0, 1, inf]", "yoda-bad-edges", "f:5: ", "'inf'"),
    (HISTO2, "[0, 1, 2]", "[0, 1,, 2]", "yoda-bad-edges", "f:5: ", "''"),
    (HISTO2, "[0, 1, 2]\n", "[0, 1, 2]\nMaskedBins: [1.9]\n", "yoda-bad-mask", "f:6: ", "'1.9'"),
    (HISTO2, "[0, 1, 2]\n", "[0, 1, 2]\nMaskedBins: [7]\n", "yoda-bad-mask", "f:6: "),
    (HISTO2, "[0, 1, 2]\n", "[0, 1, 2]\nMaskedBins: [1, 1]\n", "yoda-bad-mask", "f:6: "),
    (HISTO2, "---\n", "MaskedBins: [1]\n---\n", "yoda-unknown-line", "f:4: ", "MaskedBins: [...]"),
    (HISTO2, "12 12 18 28 12", "12", "yoda-row-length", "f:9: ", "1 columns instead of 5"),
    (ESTIMATE, '"lumi"', '"stat"', "yoda-repeated-label", "f:5: "),
    (ESTIMATE, '"b"', '"a"', "yoda-bad-edges", "f:4: "),
    (ESTIMATE, '"b"', "b", "yoda-bad-list", "f:4: "),
    (ESTIMATE, '"a", "b"', '"a" "b"', "yoda-bad-list", "f:4: "),
    (
        ESTIMATE,
        '["stat", "lumi"]\n--- --- --- --- ---',
        '["stat"]\n--- --- ---',
        "yoda-row-length",
        "f:7: ",
        "5 columns instead of 3",
    ),
    (PLANE, "1 2 0 2", "0.5 2 0 2", "yoda-overlap", "f:8: ", "bin 2"),
    (PLANE, "0 1 1 2", "0 1 0 1", "yoda-overlap", "f:6: ", "bin 1"),
    (PLANE, "Total Total 2 2 1 1 1 1 1 2\n", "", "yoda-row-missing", "f:1: ", "row Total"),
]


@pytest.mark.parametrize(("text", "old", "new", "code", "parts"), [(*row[:4], row[4:]) for row in DAMAGES])
def test_damage_is_refused_with_file_and_line(text, old, new, code, parts):
    assert old in text
    with refused(code, *parts):
        yoda.loads(text.replace(old, new, 1) if old != "HISTO1D_V2" else text.replace(old, new), name="f")


def test_what_is_not_selected_is_named_and_left():
    cut = SCATTER[: SCATTER.index("END")].replace("/A/", "/B/")
    twice = HISTO.replace("/A/h", "/C/h")
    other = HISTO.replace("END YODA_HISTO1D_V2", "END YODA_PROFILE1D_V2").replace("/A/h", "/D/h")
    text = cut + HISTO + twice + twice + other + SCATTER.replace("6 0.05 0.05", "6 0.05") + cut.replace("/B/", "/E/")
    told: list[str] = []
    found = yoda.loads(text, None, "f", lambda path: path == "/A/h", told.append)
    assert list(found) == ["/A/h"]
    assert len(told) == 5
    assert told[0].startswith("left out, as it is not selected: f:1: the block of YODA_SCATTER2D_V2 /REF/B/")
    for wanted in ("/REF/B/d01-x01-y01", "/C/h", "/D/h", "/REF/A/d01-x01-y01", "/REF/E/d01-x01-y01"):
        with pytest.raises(InputError, match=rf"f:\d+: .*{wanted}"):
            yoda.loads(text, None, "f", lambda path, wanted=wanted: path == wanted)
    # objects that `select` leaves unread have no rows to be faulty in
    assert list(yoda.loads(HISTO + SCATTER.replace("6 0.05 0.05", "6 0.05"), lambda path: path == "/A/h")) == ["/A/h"]


def test_an_object_that_is_annotated_as_one_that_is_wanted_is_refused():
    for text in (HISTO.replace("V2 /A/h", "V2 /A/"), HISTO.replace("Path: /A/h", "Path: /A/")):
        with refused("yoda-other-path", "/A/h", "/A/"):
            yoda.loads(text, wants=lambda path: path == "/A/h")


def test_a_small_file_that_swells_is_refused_in_a_moment(tmp_path):
    (tmp_path / "swells.yoda.gz").write_bytes(gzip.compress(b"#" * 80_000_000))
    start = time.process_time()
    with refused("yoda-too-large", "swells.yoda.gz", "71 MB"):
        yoda.read(tmp_path / "swells.yoda.gz")
    assert time.process_time() - start < 20  # what is left unguarded takes minutes


def test_letters_of_comments_cost_nothing():
    text = SCATTER.replace("---\n", "---\n# " + "é" * 300_000 + "\n" + "# é\n" * 30_000)
    start = time.process_time()
    assert len(yoda.loads(text)) == 1
    assert time.process_time() - start < 20  # what is left unguarded takes minutes


def test_a_file_of_two_compressed_parts(tmp_path):
    path = tmp_path / "two.yoda.gz"
    path.write_bytes(gzip.compress(HISTO.encode()) + gzip.compress(SCATTER.encode()))
    assert list(yoda.read(path)) == ["/A/h", "/REF/A/d01-x01-y01"]


def test_written_and_refused_alike():
    points = np.array([[0.5, 5.0], [0.5, 5.0]])
    with refused("yoda-bad-point", "/s: point 1 "):
        yoda.dumps([yoda.Scatter("/s", points, np.ones((2, 2)), np.ones((2, 2)))])
    with refused("yoda-bad-point", "/s: point 0 "):
        yoda.dumps([yoda.Scatter("/s", points, -np.ones((2, 2)), np.ones((2, 2)))], version=2)
