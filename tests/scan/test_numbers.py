"""One reader of numbers for all text formats: what Python takes and no writer meant is refused in each of them."""

import json
import time

import numpy as np
import pytest

from sbitune.data.errors import InputError
from sbitune.data.formats.apprentice import read_data, split_labels
from sbitune.data.formats.combinations import read_combinations
from sbitune.data.formats.ipol_reader import read_ipol
from sbitune.data.formats.parameters import read_limits, read_points, read_values
from sbitune.data.formats.professor_results import read_result
from sbitune.data.formats.selection import read_weights
from sbitune.data.text.numbers import finite, natural, number, numbers
from sbitune.data.text.patterns import compile_pattern

IPOL = """DataFormat: binned 2
ParamNames: a b
Dimension: 2
MinParamVals: 0.1 1.0
MaxParamVals: 0.2 3.0
DoParamScaling: 1
---
/A/d01-x01-y01#0 0.0 1.0
  val: 2 1 5.0 1.0 0.5
  err: 2 0 0.02
/A/d01-x01-y01#1 1.0 2.0
  val: 2 1 6.0 1.3 0.2
  err: 2 0 0.02
"""
#: a sound file of every kind with a place for a number, its reader, and the number as it is read
FILES = {
    "params.dat": ("a {}\nb 2\n", lambda path: read_values(path)["a"]),
    "limits": ("a 0 {}\n", lambda path: read_limits(path)[0]["a"][1]),
    "points": ("a b\n1 {}\n", lambda path: read_points(path).points[0, 1]),
    "weights": ("/A {}\n", lambda path: read_weights(path)[0].weight),
    "interval": ("/A@0:{} 1\n", lambda path: read_weights(path)[0].last),
    "results.txt": ("# GOF 1.5\na\t{}\n", lambda path: read_result(path).values["a"]),
    "gof": ("# GOF {}\na\t1\n", lambda path: read_result(path).gof),
    "coefficient": (IPOL.replace(" 5.0 ", " {} "), lambda path: read_ipol(path).value[0].coefficients[0]),
    "edge": (IPOL.replace("#0 0.0 1.0", "#0 0.0 {}"), lambda path: read_ipol(path).bins.high[0]),
    "box": (IPOL.replace("0.2 3.0", "{} 3.0"), lambda path: read_ipol(path).parameters[0].high),
    "data.json": ('{{"/A#0": [{}, 0.1]}}', lambda path: read_data(path)[1][0]),
}
WHOLE = {
    "bin": ("/A#{} 1\n", lambda path: read_weights(path)[0].first),
    "order": (IPOL.replace("val: 2 1 5.0", "val: 2 {} 5.0"), lambda path: read_ipol(path).value[0].order),
    "dimension": (IPOL.replace("Dimension: 2", "Dimension: {}"), lambda path: len(read_ipol(path).parameters)),
    "number": (IPOL.replace("y01#0", "y01#{}"), lambda path: read_ipol(path).bins.index[0]),
    "label": ('{{"/A#{}": [1, 0.1]}}', lambda path: split_labels("data", read_data(path)[0])[1][0]),
}
ODD = [
    "1_2",
    "012",
    "1:30",
    "²",
    "٣",
    "9" * 400,
    "1e999",
    "1e-400",
    "0x1p3",
    "1d3",
    "1,5",
    "nan",
    "inf",
    "1\x1f2",
    "--1",
]


def read(tmp_path, kind, word):
    text, reader = (FILES | WHOLE)[kind]
    (tmp_path / kind).write_text(text.format(word), encoding="utf-8")
    return reader(tmp_path / kind)


@pytest.mark.parametrize("kind", FILES)
def test_a_number_is_read_or_refused(tmp_path, kind):
    assert read(tmp_path, kind, "12.5e-1") == 1.25
    for word in ODD:
        with pytest.raises(InputError, match=kind) as refused:
            read(tmp_path, kind, word)
        assert len(str(refused.value)) < len(str(tmp_path)) + 250


@pytest.mark.parametrize("kind", WHOLE)
def test_a_whole_number_is_read_or_refused(tmp_path, kind):
    value = {"order": 1, "dimension": 2}.get(kind, 7)
    assert read(tmp_path, kind, value) == value
    for word in [*ODD, "1.0", "-1", "+1", "1e1", "3000000000"]:
        if (kind, word) != ("bin", "1:30"):
            with pytest.raises(InputError, match="data" if kind == "label" else kind):
                read(tmp_path, kind, word)


def test_a_dimension_that_no_machine_holds_costs_nothing(tmp_path):
    (tmp_path / "ipol").write_text(IPOL.replace("ParamNames: a b\nDimension: 2", "Dimension: 3000000000"))
    start = time.process_time()
    with pytest.raises(InputError, match="Dimension: '3000000000' is more than 1000"):
        read_ipol(tmp_path / "ipol")
    (tmp_path / "ipol").write_text(IPOL.replace("val: 2 1 5.0", "val: 2 1000000000 5.0"))
    with pytest.raises(InputError, match="'1000000000' is more than 1000"):
        read_ipol(tmp_path / "ipol")
    assert time.process_time() - start < 20  # what is left unguarded takes minutes


def test_arrays_of_words_are_read_as_words_are():
    words = ["1", "-2.5e-3", ".5", "3.", "+0", "0.000000e+00", "nan", "-inf", "123456789.25"]
    np.testing.assert_array_equal(numbers(words), [number(word) for word in words])
    for word in [w for w in ODD if w not in ("nan", "inf")]:
        with pytest.raises(ValueError, match=r"number|whole"):
            numbers(["1.0", word, "2.0"])
    for wrong in ("nan", "-inf"):
        with pytest.raises(ValueError, match="not finite"):
            finite(wrong)
    assert natural("0") == 0


@pytest.mark.parametrize("mark", ["\ufeff", ""])
def test_a_byte_order_mark_is_taken_off_and_none_is_left_in_the_middle(tmp_path, mark):
    for kind, (text, reader) in FILES.items():
        (tmp_path / kind).write_text(mark + text.format("2.5"), encoding="utf-8")
        assert reader(tmp_path / kind) == 2.5
    (tmp_path / "joined").write_text("a 1\n\ufeffb 2\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"joined:2: the character '\\ufeff' does not belong into a parameter file"):
        read_values(tmp_path / "joined")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("ParamNames: a b", "ParamNames: a a", "parameter a is named twice"),
        ("Dimension: 2", "Dimension: 2\nDimension: 2", "ipol:4: Dimension is given twice"),
        ("#1 1.0 2.0", "#0 1.0 2.0", "ipol:11: bin /A/d01-x01-y01#0 is given twice"),
        ("#1 1.0 2.0", "#1 2.0 1.0", "ipol:11: the edges 2.0 and 1.0 are not in order"),
        ("#1 1.0 2.0", "#1 1.0 inf", "ipol:11: 'inf' is not finite"),
        ("Scaling: 1", "Scaling: l", "DoParamScaling is 'l', neither 0 nor 1"),
    ],
)
def test_ipol_files_that_say_two_things(tmp_path, old, new, message):
    (tmp_path / "ipol").write_text(IPOL.replace(old, new))
    with pytest.raises(InputError, match=message):
        read_ipol(tmp_path / "ipol")


@pytest.mark.parametrize(
    "content",
    ["[" * 100_000, '{"/A#0": ["5", 0.1]}', '{"/A#0": [true, 0.1]}', '{"/A#0": [5]}', "{}", '{"/A#0": [5, -0.1]}',
     '{"/A#0": [5, 0.1], "/A#0": [5, 0.1]}', '{"/A#0": {"a": 1}}', '{"/A#0": [5, NaN]}', "7"],
)  # fmt: skip
def test_measured_values_that_are_none(tmp_path, content):
    (tmp_path / "data.json").write_text(content)
    with pytest.raises(InputError, match=r"data.json(:1)?: "):
        read_data(tmp_path / "data.json")


def test_names_and_numbers_in_each_others_place(tmp_path):
    for reader, text in ((read_values, "0.1 0.2\n"), (read_limits, "0.1 0.2 0.3\n"), (read_points, "a 1.5\n1 2\n")):
        (tmp_path / "file").write_text(text)
        with pytest.raises(InputError, match="file:1: expected the name of a parameter, found the number"):
            reader(tmp_path / "file")
    (tmp_path / "file").write_text("a 1\n2\n")
    with pytest.raises(InputError, match="file:2: expected 'NAME value' in every line, found 1 words"):
        read_values(tmp_path / "file")
    (tmp_path / "file").write_text("0000 0001\n0002 0002\n")
    with pytest.raises(InputError, match="file:2: run 0002 is named twice"):
        read_combinations(tmp_path / "file")


@pytest.mark.parametrize(
    "pattern", ["(a+)+$", "(a|a)*b", ".*.*.*.*.*x", "(a?){30}b", "(x+x+)+y", "a?" * 25 + "b", "(.*/)*d01", "x" * 1500]
)
def test_patterns_that_can_take_too_long_are_refused(tmp_path, pattern):
    (tmp_path / "weights").write_text(f"/A 1\n{pattern} 1\n")
    start = time.process_time()
    with pytest.raises(InputError, match=r"weights:2: (the regular expression .* can take too long|.* more than 1000)"):
        read_weights(tmp_path / "weights")
    assert time.process_time() - start < 20  # what is left unguarded takes minutes


@pytest.mark.parametrize("pattern", ["(", "a{99999999999999}", "(?<=a*)b"])
def test_patterns_that_are_none(pattern):
    with pytest.raises(InputError, match=r"card: .* is not a regular expression"):
        compile_pattern(pattern, "card")


@pytest.mark.parametrize(
    "pattern",
    ["/.*/d.*-x.*-y.*", "/A/d0[134]-x01-y0[12]", "(?!/A/d01).*", "/(A|B|C)/d(0[1-9]|1[0-9])-.*", "/A/(d01|d02)?.+", ""],
)
def test_usual_patterns_are_taken(pattern):
    assert compile_pattern(pattern, "card").pattern == pattern


def test_numbers_of_runs_lists(tmp_path):
    from sbitune.cli.shared.scans import run_names

    (tmp_path / "runs").write_text(json.dumps({"holdout": ["0001", "0002"]}))
    assert list(run_names(str(tmp_path / "runs"))) == ["0001", "0002"]
    for content in ("[1, 2]", "[" * 100_000, '{"holdout": "0001"}', "# none\n", "0001\x000002"):
        (tmp_path / "runs").write_text(content)
        with pytest.raises(InputError, match=r"--holdout: .*runs"):
            run_names(str(tmp_path / "runs"))
