"""Weight files of both Professors: which line is whose, extra errors, writing."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.faults import refused
from hypothesis import given, settings
from hypothesis import strategies as st

from sbitune.data.bins import Bins
from sbitune.data.errors import InputError
from sbitune.data.formats.selection import Rule, extra_errors_of, parse_rule, read_weights, weights_of
from sbitune.data.formats.weight_writer import write_weights

#: two histograms of 5 bins [0, 1), [1, 2), ...; the second has an option in its path, the third a longer name
BINS = Bins(
    np.repeat(["/A/d01-x01-y01", "/B:E=91.2/d01-x01-y01", "/A/d01-x01-y012"], 5),
    np.tile(np.arange(5), 3),
    np.tile(np.arange(5.0), 3),
    np.tile(np.arange(5.0) + 1, 3),
)

#: from the manual of Professor 1, with the paths of these bins
PROFESSOR_1 = """\
# all bins, then a range
/A/d01-x01-y01:2.5: 1.0   # bins with a centre of 2.5 or more
/A/d01-x01-y01::2.5 2.0# below
/B/d01-x01-y01:0:3.0 weight=2.3 extraerr=10%
/A/d01-x01-y012 extraerr=0.5
"""


def place(tmp_path, text):
    (tmp_path / "w").write_text(text)
    return tmp_path / "w"


def test_a_file_of_professor_1(tmp_path):
    rules = read_weights(place(tmp_path, PROFESSOR_1))
    assert [(rule.extra_error, rule.relative) for rule in rules] == [(0, False), (0, False), (0.1, True), (0.5, False)]
    assert weights_of(BINS, rules).tolist() == [2, 2, 1, 1, 1, 2.3, 2.3, 2.3, 0, 0, 1, 1, 1, 1, 1]
    values = np.arange(15.0) - 7
    extra = [0, 0, 0, 0, 0, 0.2, 0.1, 0, 0, 0, 0.5, 0.5, 0.5, 0.5, 0.5]
    np.testing.assert_allclose(extra_errors_of(BINS, rules, values), extra, rtol=1e-14)


def test_the_path_is_whole_in_professor_1_and_a_pattern_in_professor_2(tmp_path):
    old = weights_of(BINS, read_weights(place(tmp_path, "/A/d01-x01-y01 weight=1\n")))
    new = weights_of(BINS, read_weights(place(tmp_path, "/A/d01-x01-y01 1\n")))
    assert old.tolist() == [1] * 5 + [0] * 10
    assert new.tolist() == [1] * 5 + [0] * 5 + [1] * 5


def test_the_last_rule_decides_on_the_extra_error_too(tmp_path):
    rules = read_weights(place(tmp_path, "/A/d01-x01-y01 1 extraerr=2\n/A/d01-x01-y01:3: 1\n"))
    assert extra_errors_of(BINS, rules, np.ones(15))[:5].tolist() == [2, 2, 2, 0, 0]


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("/A/h:1.5 2", Rule("/A/h", 2, "", "centre", 1.5, None, True)),
        ("/A/h:-1:1e-1", Rule("/A/h", 1, "", "centre", -1, 0.1, True)),
        ("/A/h :0:1 2", Rule("/A/h", 2, "", "centre", 0, 1, True)),
        ("/A/h 2 extraerr=0.2x", Rule("/A/h", 2, "", "centre", None, None, True, 0.2, True)),
        ("/A/h extraerr=3", Rule("/A/h", 1, "", "centre", None, None, True, 3, False)),
        ("/A:E=7/h:0:1 2", Rule("/A:E=7/h", 2, "", "centre", 0, 1, True)),
        ("/A:E=7/h 2", Rule("/A:E=7/h", 2, "")),
        ("/A/h@-1:1 2", Rule("/A/h", 2, "", "x", -1, 1)),
        ("/A/(?:h|g)#0:3 2", Rule("/A/(?:h|g)", 2, "", "index", 0, 3)),
    ],
)
def test_every_line_tells_its_generation(tmp_path, line, rule):
    assert [replace(found, where="") for found in read_weights(place(tmp_path, line))] == [rule]


@pytest.mark.parametrize(
    ("line", "code", "part"),
    [
        (
            "/A/h#0:3 2 extraerr=1%",
            "weights-bad-line",
            "'extraerr=1%' of the latter",
        ),
        ("/A/h@1:0:3 weight=1", "weights-bad-line", "w:1: "),
        ("/A/h:0:1 1 2", "weights-bad-line", "w:1: cannot read '2'; "),
        ("/A/h:0:1 1 error=2", "weights-bad-line", "w:1: cannot read 'error=2'"),
        ("/A/h 1 weight=2", "weights-bad-line", "w:1: weight "),
        ("/A/h:1:0 1", "selector-bad-interval", "w:1: the bins '1:0' "),
        ("/A/h:1:2:3 1", "weights-bad-line", "w:1: cannot read '/A/h:1:2:3'"),
        ("/A/h:-:1 1", "selector-bad-interval", "w:1: cannot read the bins '-:1'"),
        ("/A/h:0:1 -1", "selector-bad-weight", "w:1: the weight of '/A/h' is -1.0"),
        ("/A/h extraerr=-3%", "weights-bad-error", "w:1: extraerr=-3% "),
        ("/A/h extraerr=%", "weights-bad-error", "w:1: extraerr=% "),
        ("/A/h weight=x", "selector-bad-weight", "w:1: the weight 'x' "),
    ],
)
def test_lines_of_neither_are_named(tmp_path, line, code, part):
    with refused(code, part):
        read_weights(place(tmp_path, line))


number = st.floats(-1e6, 1e6, allow_nan=False)
positive = st.floats(0, 1e6, allow_nan=False)
name = st.text("abAB019_-/", min_size=1, max_size=8).map(lambda text: "/" + text)


def ends(values):
    return st.tuples(st.none() | values, st.none() | values).filter(
        lambda pair: pair != (None, None) and (None in pair or pair[0] < pair[1])
    )


old_rules = st.one_of(
    st.builds(lambda path, w, e, x, r: Rule(path, w, "", "centre", *e, True, x, r and x > 0), name, positive,
              ends(number) | st.just((None, None)), positive, st.booleans()),
    st.builds(lambda path, w: Rule(path, w, ""), name, positive),
)  # fmt: skip
new_rules = st.one_of(
    st.builds(lambda path, w, e: Rule(path + "(x|y)*", w, "", "x", *e), name, positive, ends(number)),
    st.builds(lambda path, w, x: Rule(path, w, "", "x", x, x), name, positive, number),
    st.builds(lambda path, w, e: Rule(path, w, "", "index", *e), name, positive, ends(st.integers(0, 99))),
    st.builds(lambda path, w: Rule(path, w, ""), name, positive),
)


@pytest.mark.parametrize(("generation", "rules"), [(1, old_rules), (2, new_rules)])
def test_written_rules_come_back(tmp_path_factory, generation, rules):
    @given(st.lists(rules, min_size=1, max_size=4))
    @settings(max_examples=80, deadline=None)
    def check(ours):
        path = tmp_path_factory.mktemp("weights") / "w"
        write_weights(path, ours, generation)
        assert [replace(rule, where="") for rule in read_weights(path)] == ours

    check()


def test_what_a_generation_cannot_tell_is_refused(tmp_path):
    old = read_weights(place(tmp_path, "/A/d01-x01-y01:0:3 2\n/A/d01-x01-y01 1 extraerr=1\n/A/d01-x01-y01 weight=3\n"))
    for rule, what in zip(old, ("bins by their centres", "an extra error"), strict=False):
        with pytest.raises(
            InputError, match=f"w:[12]: Professor 2 has no rule with {what}; write it with generation=1"
        ):
            write_weights(tmp_path / "new", [rule])
    write_weights(tmp_path / "new", old[2:])
    assert (tmp_path / "new").read_text() == "/A/d01-x01-y01$ 3.0\n"
    assert weights_of(BINS, read_weights(tmp_path / "new")).tolist() == [3] * 5 + [0] * 10
    for line in ("/A/h#1 1", "/A/h@1:2 1", "/A/(h|g) 1"):
        with pytest.raises(InputError, match=r"w:1: .* cannot be told to Professor 1"):
            write_weights(tmp_path / "old", read_weights(place(tmp_path, line)), generation=1)
    with pytest.raises(InputError, match="no rule to write"):
        write_weights(tmp_path / "old", [])
    assert not (tmp_path / "old").exists()


@pytest.mark.parametrize("interval", ["@0.5:0.1", "#7:2", "@-1:-2", "@1e3:5"])
def test_an_interval_the_wrong_way_round_is_refused(tmp_path, interval):
    path = tmp_path / "weights"
    path.write_text(f"/A/d01 1\n/A/d02{interval} 1\n")
    with pytest.raises(InputError, match=rf"weights:2: the bins '{interval[1:]}' are the wrong way round; write"):
        read_weights(path)
    with pytest.raises(InputError, match=r"card.yaml:9: observables.x: the bins .* are the wrong way round"):
        parse_rule(f"/A/d02{interval}", 1.0, "card.yaml:9: observables.x")
