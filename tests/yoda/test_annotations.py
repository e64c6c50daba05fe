"""Annotations: YAML where it is YAML, robust where it is not, and always YAML when we write."""

import re

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from sbitune.data.errors import InputError
from sbitune.data.yoda.text import annotations

texts = st.text(max_size=20) | st.sampled_from(["*star", "a: b", "x # y", "~", "[1, {a: b}]", "$\\pi$", "---", "a:"])


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("Title: plain text", "plain text"),
        ("Title:", ""),
        ("Title: ~", ""),
        ("Title: null", ""),
        ("Title: # nothing", ""),
        ('Title: "~"', "~"),
        ('Title: "a: b # c"', "a: b # c"),
        ('Title: "a \\"b\\" \\\\pi\\u00e9\\n"', 'a "b" \\pié\n'),
        ("Title: 'it''s' # comment", "it's"),
        ("Title: before # after", "before"),
        ("Title: a#b", "a#b"),
        ("Title: $\\xi_p = \\log(1/x_p)$", "$\\xi_p = \\log(1/x_p)$"),
        ("Title: a: b # c", "a: b # c"),
        ("Title: *star", "*star"),
        ("Title: @at", "@at"),
        ("Title: `tick", "`tick"),
        ("Title: 50% more", "50% more"),
        ("Title: [GeV", "[GeV"),
        ('Title: "open', '"open'),
        ('Title: "a" and "b"', '"a" and "b"'),
        ("Title: {a: 1, b: [x, y]}", "{a: 1, b: [x, y]}"),
        ("Title: one\n  two", "one two"),
    ],
)
def test_values(line, value):
    assert annotations.parse(line) == {"Title": value}


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("Title: one\ntwo", "'two' is no annotation"),
        ("Title: one\nIsRef 1", "'IsRef 1' is no annotation"),
        ("Title: one\n 1.0 0.5 0.5", "'1.0 0.5 0.5' is no annotation"),
        ("ErrorBreakdown {0: {a: 1}}", "'ErrorBreakdown {0: {a: 1}}' is no annotation"),
        ("ScaledBy: 1\nScaledBy: 1", "ScaledBy is given twice"),
    ],
)
def test_lines_out_of_their_place_are_refused(text, word):
    with pytest.raises(InputError, match=re.escape(word)):
        annotations.parse(text)


@pytest.mark.parametrize("sign", ["\x1c", "\x1d", "\x1e", "\x1f", "\x85", "\xa0"])
def test_a_key_begins_its_line(sign):
    """Python takes these for blanks, no other reader does."""
    with pytest.raises(InputError, match="is no annotation KEY: VALUE"):
        annotations.parse(f"{sign}Path: /A/h")


def test_depth_and_length_cost_nothing():
    deep = "[" * 100_000
    assert annotations.parse(annotations.dump({"K": deep})) == {"K": deep}
    nested = "[" * 30 + "]" * 30
    assert annotations.parse(annotations.dump({"K": nested})) == {"K": nested}
    with pytest.raises(InputError, match="is no annotation"):
        annotations.parse("a" + " " * 1_000_000)
    assert annotations.scalar(r'"\U99999999\ud800"') == r"\U99999999\ud800"


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("RE: P P --> Z0 < LEPTON+", "RE"),
        ("SQRT(S) [GEV]: 7", "SQRT(S) [GEV]"),
        ('"a: b": c', "a: b"),
        ("a:b: c", "a:b"),
        ("ABS(ETARAP) :  1.0", "ABS(ETARAP)"),
    ],
)
def test_keys(line, key):
    assert list(annotations.parse(line)) == [key]


def test_comments_and_blank_lines_are_skipped():
    assert annotations.parse("\n# note: this\nA: 1\n\n  # more\nB: 2\n") == {"A": "1", "B": "2"}


@settings(deadline=None)
@given(st.dictionaries(texts, texts, max_size=5))
def test_written_annotations_are_yaml_and_read_back(values):
    text = annotations.dump(values)
    assert annotations.parse(text) == dict(sorted(values.items()))
    loaded = yaml.load(text, yaml.BaseLoader) or {}
    assert list(loaded) == sorted(values)
    for key, value in values.items():
        # a list or map may stand as such; everything else must be the very text
        assert loaded[key] == (value if isinstance(loaded[key], str) else yaml.load(value, yaml.BaseLoader))
    yaml.safe_load(text)


def test_values_that_are_not_text():
    written = annotations.dump({"A": 1, "B": True, "C": 0.5, "D": [1, "x"], "E": None, "F": {"a": 2.5}, "G": 1.5})
    assert yaml.safe_load(written) == {"A": 1, "B": True, "C": 0.5, "D": [1, "x"], "E": None, "F": {"a": 2.5}, "G": 1.5}
    assert "C: 5.00000000000000000e-01\n" in written


@pytest.mark.parametrize(
    "value", ["[1, 2", "[1, 2] GeV", "{a}", "[a: b]", "{a: b: c}", "[,]", "[1,, 2]", "{}{}", "[]]", "[*a]", "{: a}"]
)
def test_broken_lists_are_quoted(value):
    text = annotations.dump({"K": value})
    assert yaml.load(text, yaml.BaseLoader) == {"K": value}
    assert annotations.parse(text) == {"K": value}
