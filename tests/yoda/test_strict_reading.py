"""What the YODA libraries fill up, cut or pass over is refused here, with file and line."""

import gzip
import time

import numpy as np
import pytest

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


@pytest.mark.parametrize(
    ("text", "old", "new", "message"),
    [
        (HISTO, "12	12	18	28	12", "12", r"f:9: .*a row has 3 columns instead of 7"),
        (HISTO, "12	12	18	28	12", "12	12	18	28	12	0", r"f:9: .*a row has 8 columns"),
        (HISTO, "10\n1	2", "10	1	2", r"f:8: .*a row has 14 columns"),
        (HISTO, "END YODA_HISTO1D_V2", "END YODA_PROFILE1D_V2", r"f:11: .*ends as YODA_PROFILE1D_V2, which is no end"),
        (HISTO, "END YODA_HISTO1D_V2", "END YODA_HISTO1D_V2 x", r"f:11: .*ends as YODA_HISTO1D_V2 x"),
        (HISTO, "BEGIN YODA_HISTO1D", "BEGIN YODA_PROFILE1D", r"f:11: PROFILE1D .*ends as YODA_HISTO1D_V2"),
        (HISTO, "HISTO1D_V2", "PROFILE1D_V2", r"f:3: .*says Type: Histo1D|f:\d: .*columns"),
        (HISTO, "Overflow	Overflow	0	0	0	0	0\n", "", r"f:1: .*the row Overflow is missing"),
        (HISTO, "Overflow	Overflow", "Underflow	Underflow", r"f:6: .*the row Underflow is given twice"),
        (
            HISTO,
            "Overflow	Overflow",
            "Overflow	Underflow",
            r"f:7: .*the row Overflow is given twice, or does not",
        ),
        (HISTO, "2	3	8", "1	2	8", r"f:10: .*bin 2 .*overlaps the one before it"),
        (HISTO, "2	3	8", "1.5	3	8", r"f:10: .*bin 2 .*overlaps"),
        (HISTO, "0	1	10", "5	6	10", r"f:9: .*stands behind a later one"),
        (HISTO, "2	3	8", "2	inf	8", r"f:10: .*\[2, inf\); both must be finite"),
        (HISTO, "2	3	8", "nan	3	8", r"f:10: .*both must be finite"),
        (HISTO, "2	12	12", "2	1_2	12", r"f:9: .*'1_2' is not a number; correct the row"),
        (HISTO, "2	12	12", "2	012	12", r"f:9: .*'012' is not a number; write 12"),
        (HISTO, "2	12	12", "2	1²	12", r"f:9: .*has the character '²'"),
        (HISTO, "2	12	12", "2	1\x1f12", r"f:9: .*has the character '\\x1f'"),
        (HISTO, "2	12	12", "2	" + "9" * 400 + "	12", r"f:9: .*'9{60}'\.\.\. is too long for a number"),
        (HISTO, "2	12	12", "2	1e999	12", r"f:9: .*'1e999' is too large"),
        (HISTO, "Path: /A/h", "Path: /A/g", r"f:1: HISTO1D /A/h: the annotation says Path: /A/g"),
        (HISTO, "Path: /A/h", "Path: /A/h\nPath: /A/h", r"f:3: .*Path is given twice"),
        (HISTO, " /A/h\nPath: /A/h", "", r"f:1: this block has no path"),
        (SCATTER, "6 0.05 0.05", "6 0.05", r"f:6: .*a row has 5 columns instead of 6"),
        (SCATTER, "0.05\n1.5", "0.05 1.5", r"f:5: .*a row has 12 columns"),
        (SCATTER, "1.5 0.5 0.5 6", "0.5 0.5 0.5 5", r"f:5: .*point 1 .*is there twice"),
        (SCATTER, "1.5 0.5 0.5", "1.5 -0.5 0.5", r"f:6: .*point 1 .*an error below 0"),
        (SCATTER, "6 0.05 0.05", "6 0.05 -0.05", r"f:6: .*point 1 .*an error below 0"),
        (SCATTER, "1.5 0.5 0.5", "inf 0.5 0.5", r"f:6: .*point 1 .*no finite place"),
        (SCATTER, "---\n0.5 0.5 0.5 5 0.05 0.05", "0.5 0.5 0.5 5 0.05 0.05\n---", r"f:4: .*is no annotation"),
        (SCATTER, "1: {stat", "0: {stat", r"f:2: .*ErrorBreakdown gives point 0 twice"),
        (SCATTER, "1: {stat", "X: {stat", r"f:2: .*ErrorBreakdown is not of the form"),
        (SCATTER, "1: {stat", "\t1: {stat", r"f:2: .*ErrorBreakdown is not of the form"),
        (SCATTER, "{0: {stat", "{\x1f0: {stat", r"f:2: .*ErrorBreakdown is not of the form"),
        (SCATTER, "1: {stat", "1: {st\x1fat", r"f:2: .*ErrorBreakdown is not of the form"),
        (SCATTER, "dn: -0.1", "up: -0.1", r"f:2: .*ErrorBreakdown is not of the form"),
        (SCATTER, "dn: -0.1", "dn: -0_1", r"f:2: .*ErrorBreakdown '-0_1' is not a number"),
        (SCATTER, "{0: {stat:", "{0: {stat: {up: 1, dn: 1}, stat:", r"f:2: .*gives 'stat' of point 0 twice"),
        (HISTO2, "Edges(A1): [0, 1, 2]\n", "Edges(A1): [0, 1, 2]\nEdges(A1): [0, 10, 20]\n", r"f:6: .*given twice"),
        (HISTO2, "Edges(A1): [0, 1, 2]\n", "", r"f:1: .*4 rows and no line Edges"),
        (HISTO2, "Edges", "Egdes", r"f:5: .*the line Egdes\(A1\): \[...\] is not known here"),
        (HISTO2, "[0, 1, 2]", "[0, 1 2]", r"f:5: .*is not a list of numbers: '1 2'"),
        (HISTO2, "[0, 1, 2]", "[0, 1, inf]", r"f:5: .*'inf' is not finite"),
        (HISTO2, "[0, 1, 2]", "[0, 1,, 2]", r"f:5: .*is not a list of numbers"),
        (HISTO2, "[0, 1, 2]\n", "[0, 1, 2]\nMaskedBins: [1.9]\n", r"f:6: .*'1.9' is not a whole number"),
        (HISTO2, "[0, 1, 2]\n", "[0, 1, 2]\nMaskedBins: [7]\n", r"f:6: .*there is no such row"),
        (HISTO2, "[0, 1, 2]\n", "[0, 1, 2]\nMaskedBins: [1, 1]\n", r"f:6: .*a number is given twice"),
        (HISTO2, "---\n", "MaskedBins: [1]\n---\n", r"f:4: .*MaskedBins: \[...\] is not known here"),
        (HISTO2, "12 12 18 28 12", "12", r"f:9: .*a row has 1 columns instead of 5"),
        (ESTIMATE, '"lumi"', '"stat"', r"f:5: .*has a label twice"),
        (ESTIMATE, '"b"', '"a"', r"f:4: .*has a value twice"),
        (ESTIMATE, '"b"', "b", r"f:4: .*is not a list of strings"),
        (ESTIMATE, '"a", "b"', '"a" "b"', r"f:4: .*is not a list of strings"),
        (ESTIMATE, '["stat", "lumi"]\n--- --- --- --- ---', '["stat"]\n--- --- ---', r"f:7: .*5 columns instead of 3"),
        (PLANE, "1 2 0 2", "0.5 2 0 2", r"f:8: .*bin 2 .*overlaps another"),
        (PLANE, "0 1 1 2", "0 1 0 1", r"f:6: .*bin 1 .*overlaps another"),
        (PLANE, "Total Total 2 2 1 1 1 1 1 2\n", "", r"f:1: .*the row Total is missing"),
    ],
)
def test_damage_is_refused_with_file_and_line(text, old, new, message):
    assert old in text
    with pytest.raises(InputError, match=message):
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
        with pytest.raises(InputError, match="the annotation says Path"):
            yoda.loads(text, wants=lambda path: path == "/A/h")


def test_a_small_file_that_swells_is_refused_in_a_moment(tmp_path):
    (tmp_path / "swells.yoda.gz").write_bytes(gzip.compress(b"#" * 80_000_000))
    start = time.process_time()
    with pytest.raises(InputError, match="its content is more than 71 MB"):
        yoda.read(tmp_path / "swells.yoda.gz")
    assert time.process_time() - start < 2


def test_letters_of_comments_cost_nothing():
    text = SCATTER.replace("---\n", "---\n# " + "é" * 300_000 + "\n" + "# é\n" * 30_000)
    start = time.process_time()
    assert len(yoda.loads(text)) == 1
    assert time.process_time() - start < 1


def test_a_file_of_two_compressed_parts(tmp_path):
    path = tmp_path / "two.yoda.gz"
    path.write_bytes(gzip.compress(HISTO.encode()) + gzip.compress(SCATTER.encode()))
    assert list(yoda.read(path)) == ["/A/h", "/REF/A/d01-x01-y01"]


def test_written_and_refused_alike():
    points = np.array([[0.5, 5.0], [0.5, 5.0]])
    with pytest.raises(InputError, match=r"/s: point 1 .* is there twice; it cannot be written"):
        yoda.dumps([yoda.Scatter("/s", points, np.ones((2, 2)), np.ones((2, 2)))])
    with pytest.raises(InputError, match=r"/s: point 0 .* an error below 0"):
        yoda.dumps([yoda.Scatter("/s", points, -np.ones((2, 2)), np.ones((2, 2)))], version=2)
