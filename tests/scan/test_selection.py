"""Weight files of both Professors, and the same grammar in cards."""

import numpy as np
import pytest
from helpers.faults import refused

from sbitune.data.bins import Bins
from sbitune.data.formats.selection import read_weights, rules_from_mapping, weights_of
from sbitune.data.text.paths import is_final, reference_key

#: two histograms of 5 bins [0, 1), [1, 2), ...; the second with an option in its path
BINS = Bins(
    np.repeat(["/A/d01-x01-y01", "/B:E=91.2/d01-x01-y01"], 5),
    np.tile(np.arange(5), 2),
    np.tile(np.arange(5.0), 2),
    np.tile(np.arange(5.0) + 1, 2),
)


def weights(mapping):
    return weights_of(BINS, rules_from_mapping(mapping, "card"))[:5].tolist()


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("/A/d01-x01-y01", [2, 2, 2, 2, 2]),
        ("/A", [2, 2, 2, 2, 2]),
        ("/A/d0[0-9]", [2, 2, 2, 2, 2]),
        ("/A/d01-x01-y01#1", [0, 2, 0, 0, 0]),
        ("/A/d01-x01-y01#1:3", [0, 2, 2, 0, 0]),  # end excluded
        ("/A/d01-x01-y01#:2", [2, 2, 0, 0, 0]),
        ("/A/d01-x01-y01#3:", [0, 0, 0, 2, 2]),
        ("/A/d01-x01-y01@1.5", [0, 2, 0, 0, 0]),
        ("/A/d01-x01-y01@1.5:3", [0, 2, 2, 2, 0]),  # xmax_bin > 1.5 and xmin_bin <= 3, as Professor 2
        ("/A/d01-x01-y01@2:", [0, 0, 2, 2, 2]),
    ],
)
def test_selectors(selector, expected):
    assert weights({selector: 2}) == expected


def test_the_last_match_wins_and_unlisted_histograms_are_left_out():
    found = weights_of(BINS, rules_from_mapping({"/A": 1, "/A/d01-x01-y01#0": 7}, "card"))
    assert found.tolist() == [7, 1, 1, 1, 1, 0, 0, 0, 0, 0]


def test_options_in_a_path_need_not_be_written():
    assert weights_of(BINS, rules_from_mapping({"/B/d01": 1}, "card"))[5:].tolist() == [1] * 5


def test_professor_2_file(tmp_path):
    path = tmp_path / "weights"
    path.write_text("# a comment\n\n/A/d01-x01-y01#0:2 3.0  # why\n/B.*@4 2\n")
    assert weights_of(BINS, read_weights(path)).tolist() == [3, 3, 0, 0, 0, 0, 0, 0, 0, 2]


def test_professor_1_file_counts_bin_centres(tmp_path):
    path = tmp_path / "weights"
    path.write_text("/A/d01-x01-y01:1.5:3.4 2\n/B:E=91.2/d01-x01-y01\n")
    assert weights_of(BINS, read_weights(path)).tolist() == [0, 2, 2, 0, 0, 1, 1, 1, 1, 1]


@pytest.mark.parametrize(
    ("line", "code", "part"),
    [
        ("/A one", "selector-bad-weight", "w:1: the weight 'one' "),
        ("/A 1 2", "weights-bad-line", "w:1: "),
        ("/A# 1", "selector-unreadable", "w:1: "),
        ("/A#1:2:3 1", "selector-bad-interval", "'1:2:3'"),
        ("/A#a 1", "selector-bad-interval", "w:1: cannot read the bins 'a'"),
        ("/A(# 1", "selector-unreadable", "'/A(#'"),
        ("/A -1", "selector-bad-weight", "-1"),
        ("/A nan", "selector-bad-weight", "'nan'"),
        ("# nothing", "weights-empty", "w: "),
    ],
)
def test_bad_lines_are_named(tmp_path, line, code, part):
    (tmp_path / "w").write_text(line + "\n")
    with refused(code, part):
        read_weights(tmp_path / "w")


def test_a_rule_that_matches_nothing_is_named():
    with refused("selector-no-bin", "card./C: ", "'/C'", " /A"):
        weights({"/C": 1})


def test_paths():
    assert reference_key("/REF/A:X=1:Y=2/d01[W]") == "/A/d01"
    assert [is_final(p) for p in ("/A/d01", "/REF/A/d01", "/A/d01[MUR]", "/A/_n", "/TMP/x", "/_XSEC")] == [True] + 5 * [
        False
    ]
