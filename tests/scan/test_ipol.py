"""Professor 2's ipol.dat: read, evaluated, written."""

import numpy as np
import pytest
from helpers.scan_strategies import ranges
from hypothesis import given, settings
from hypothesis import strategies as st

from sbitune.data.bins import Bins
from sbitune.data.errors import InputError
from sbitune.data.formats.ipol import Interpolation, Polynomial, exponents, write_ipol
from sbitune.data.formats.ipol_reader import read_ipol
from sbitune.data.parameter import Parameter

#: as prof2-ipol prints it: two parameters, values of order 2, errors of order 1 and 0
SAMPLE = """\
Summary: two bins
DataDir: /scan
ProfVersion: 2.4.0
Date: 2024-03-01 12:00
DataFormat: binned 3
ParamNames: Shower:alphaS String:sigma
Dimension: 2
MinParamVals: 1.000000 -1.000000
MaxParamVals: 3.000000 1.000000
DoParamScaling: 1
NumInputs: 4
Runs: 0000 0001 0002 0003
---
/A/d01-x01-y01#0 0.00000e+00 5.00000e-01
  val: 2 2 1 2 3 4 5 6  1.00000e+00 -1.00000e+00 3.00000e+00 1.00000e+00
  err: 2 1 0.1 0.2 -0.4  1.00000e+00 -1.00000e+00 3.00000e+00 1.00000e+00
/A/d01-x01-y01#1 5.00000e-01 1.00000e+00
  val: 2 0 7.5  1.00000e+00 -1.00000e+00 3.00000e+00 1.00000e+00
  err: 2 0 0.25  1.00000e+00 -1.00000e+00 3.00000e+00 1.00000e+00
"""


def place(tmp_path, text, name="ipol.dat"):
    (tmp_path / name).write_text(text)
    return tmp_path / name


def test_a_file_of_professor_is_read_and_evaluated(tmp_path):
    found = read_ipol(place(tmp_path, SAMPLE))
    assert found.parameters == (Parameter("Shower:alphaS", 1, 3), Parameter("String:sigma", -1, 1))
    assert found.bins.labels() == ["/A/d01-x01-y01#0", "/A/d01-x01-y01#1"]
    assert found.bins.high.tolist() == [0.5, 1.0]
    assert found.orders.tolist() == [[2, 1], [0, 0]]
    assert found.runs == ("0000", "0001", "0002", "0003")
    assert found.header == {
        "Summary": "two bins", "DataDir": "/scan", "ProfVersion": "2.4.0", "Date": "2024-03-01 12:00", "NumInputs": "4"
    }  # fmt: skip
    # u = (p1 - 1) / 2, v = (p2 + 1) / 2; value 1 + 2u + 3v + 4u^2 + 5uv + 6v^2, error 0.1 + 0.2u - 0.4v, not below 0
    values, errors = found.evaluate(np.array([[1.0, -1.0], [2.0, 0.0], [3.0, 1.0], [5.0, -1.0]]))
    np.testing.assert_allclose(values, [[1, 7.5], [7.25, 7.5], [21, 7.5], [21, 7.5]], rtol=1e-14)
    np.testing.assert_allclose(errors, [[0.1, 0.25], [0, 0.25], [0, 0.25], [0.5, 0.25]], atol=1e-15)


def first_seen(n, order):
    """The order of terms as Professor builds it: multiply all terms of a degree by all parameters, keep what is new."""
    unit = [tuple(int(i == j) for j in range(n)) for i in range(n)]
    level, seen = [(0,) * n], [(0,) * n]
    for _ in range(order):
        level = [tuple(np.add(term, one)) for term in level for one in unit]
        seen += [term for term in dict.fromkeys(level) if term not in seen]
    return [list(map(int, term)) for term in seen]


@pytest.mark.parametrize(("n", "order"), [(1, 4), (2, 3), (3, 3), (4, 2), (5, 1), (2, 0)])
def test_terms_stand_in_the_order_of_professor(n, order):
    assert exponents(n, order).tolist() == first_seen(n, order)


def test_format_2_takes_the_limits_from_the_header(tmp_path):
    new = read_ipol(place(tmp_path, SAMPLE))
    old_text = SAMPLE.replace("binned 3", "binned 2").replace("  1.00000e+00 -1.00000e+00 3.00000e+00 1.00000e+00", "")
    old = read_ipol(place(tmp_path, old_text, "old.dat"))
    theta = np.random.default_rng(1).uniform(-3, 3, (20, 2))
    for ours, theirs in zip(new.evaluate(theta), old.evaluate(theta), strict=True):
        assert np.array_equal(ours, theirs)
    plain = read_ipol(place(tmp_path, old_text.replace("Scaling: 1", "Scaling: 0"), "plain.dat"))
    assert plain.evaluate(np.array([[2.0, 1.0]]))[0].tolist() == [[1 + 4 + 3 + 16 + 10 + 6, 7.5]]


def test_errors_may_be_absent_and_names_too(tmp_path):
    text = "".join(line for line in SAMPLE.splitlines(keepends=True) if "err:" not in line)
    found = read_ipol(place(tmp_path, text.replace("Shower:alphaS String:sigma", "")))
    assert [p.name for p in found.parameters] == ["A000", "A001"]
    assert found.orders[:, 1].tolist() == [-1, -1]
    assert found.evaluate(np.zeros((3, 2)))[1].tolist() == [[0, 0]] * 3


def test_a_box_that_six_decimals_hide_comes_from_the_lines(tmp_path):
    text = SAMPLE.replace("Vals: 1.000000 ", "Vals: 0.000000 ").replace("Vals: 3.000000 ", "Vals: 0.000000 ")
    text = text.replace(" 1.00000e+00 -1", " 1.00000e-09 -1").replace(" 3.00000e+00 1", " 3.00000e-09 1")
    assert read_ipol(place(tmp_path, text)).parameters[0] == Parameter("Shower:alphaS", 1e-9, 3e-9)


numbers = st.floats(allow_nan=False, allow_infinity=False, width=64)
words = st.text("abcXYZ012_:.-", min_size=1, max_size=8)


@st.composite
def interpolations(draw):
    n = draw(st.integers(1, 3))
    names = draw(st.lists(words, min_size=n, max_size=n, unique=True))
    edges = st.tuples(numbers, numbers).filter(lambda pair: pair[0] < pair[1])

    def polynomial():
        order = draw(st.integers(0, 3))
        size = len(exponents(n, order))
        box = [draw(edges) for _ in range(n)]
        coefficients = np.array(draw(st.lists(numbers, min_size=size, max_size=size)))
        return Polynomial(order, coefficients, *(np.array(side, float) for side in zip(*box, strict=True)))

    n_bins = draw(st.integers(1, 3))
    spans = [draw(edges) for _ in range(n_bins)]
    return Interpolation(
        parameters=tuple(Parameter(name, *draw(ranges)) for name in names),
        bins=Bins(["/" + draw(words) for _ in range(n_bins)], range(n_bins), *zip(*spans, strict=True)),
        value=tuple(polynomial() for _ in range(n_bins)),
        error=tuple(polynomial() for _ in range(n_bins)) if draw(st.booleans()) else (),
        runs=tuple(draw(st.lists(words, max_size=3))),
        header={"Summary": draw(st.text("ab 0:/", max_size=9)).strip(), "NumInputs": "7"},
    )


@given(interpolations())
@settings(max_examples=60, deadline=None)
def test_every_digit_comes_back(tmp_path_factory, ours):
    path = tmp_path_factory.mktemp("ipol") / "ipol.dat"
    write_ipol(path, ours)
    back = read_ipol(path)
    assert (back.parameters, back.runs, back.header) == (ours.parameters, ours.runs, ours.header)
    assert back.bins.labels() == ours.bins.labels()
    assert np.array_equal(back.bins.low, ours.bins.low)
    assert np.array_equal(back.bins.high, ours.bins.high)
    for mine, other in zip((*ours.value, *ours.error), (*back.value, *back.error), strict=True):
        assert all(np.array_equal(one, two) for one, two in zip(mine, other, strict=True))


FAULTS = {
    "no end of the header": (SAMPLE.replace("---\n", ""), r"ipol.dat:13: expected 'Key: value'"),
    "only a header": (SAMPLE[: SAMPLE.index("Runs")], "no line '---'"),
    "cut in a number": (SAMPLE[:-5], r"ipol.dat:19: the last line does not end"),
    "cut behind the header": (SAMPLE[: SAMPLE.index("/A/")], "no bin behind the header"),
    "cut behind a bin": (SAMPLE[: SAMPLE.index("  val: 2 0")], "bin /A/d01-x01-y01#1 has no `val:` line"),
    "cut before an error": (SAMPLE[: SAMPLE.index("  err: 2 0")], "bin /A/d01-x01-y01#1 has no `err:` line"),
    "unknown key": (SAMPLE.replace("err: 2 1", "cov: 2 1"), r"ipol.dat:16: expected .* found 'cov'"),
    "value twice": (SAMPLE.replace("err: 2 1", "val: 2 1"), r"ipol.dat:16: expected .* found 'val'"),
    "too few coefficients": (SAMPLE.replace("5 6  1", "5  1"), r"dat:15: 9 numbers; order 2 in 2 parameters has 6 coe"),
    "too many coefficients": (
        SAMPLE.replace("5 6  1", "5 6 7  1"),
        r"dat:15: 11 numbers; .*then 2 minima and 2 maxima",
    ),
    "no limits": (SAMPLE.replace("7.5  1.00000e+00 -1.00000e+00 3.00000e+00 1.00000e+00", "7.5"), "dat:18: no minima"),
    "no number": (SAMPLE.replace("7.5", "x"), r"dat:18: 'x' is not a number"),
    "not finite": (SAMPLE.replace("7.5", "nan"), r"dat:18: 'nan' is not finite"),
    "bin without number": (SAMPLE.replace("y01#1", "y01"), r"dat:17: expected '/PATH#n"),
    "other dimension": (SAMPLE.replace("val: 2 0", "val: 3 0"), r"dat:18: a polynomial of 3 parameters, the header na"),
    "empty range": (SAMPLE.replace("7.5  1.0", "7.5  3.0"), r"dat:18: minimum and maximum of Shower:alphaS"),
    "old format": (SAMPLE.replace("binned 3", "binned 1"), "DataFormat is 'binned 1'"),
    "misspelt": (SAMPLE.replace("DoParamScaling", "doParamScalin"), r"doParamScalin: an unknown key; call it DoParamS"),
    "names": (SAMPLE.replace("String:sigma", ""), "1 names in ParamNames, and Dimension 2"),
    "limits": (SAMPLE.replace("3.000000 1.000000", "3.000000"), "1 limits in the header for 2 parameters"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_named_with_their_place(tmp_path, fault):
    text, message = FAULTS[fault]
    assert text != SAMPLE
    with pytest.raises(InputError, match=message):
        read_ipol(place(tmp_path, text))


def test_what_cannot_be_written_is_refused(tmp_path):
    box = (Parameter("a", 0, 1),)
    line = Polynomial(1, np.array([1.0, 2.0]), np.zeros(1), np.ones(1))
    good = {"bins": Bins(["/A"], [0], [0], [1]), "value": (line,)}
    with pytest.raises(InputError, match="parameter 'a b'"):
        write_ipol(tmp_path / "i", Interpolation((Parameter("a b", 0, 1),), **good))
    with pytest.raises(InputError, match="header key 'Runs'"):
        write_ipol(tmp_path / "i", Interpolation(box, **good, header={"Runs": "1"}))
    with pytest.raises(InputError, match=r"1 polynomials .* for 2 bins"):
        Interpolation(box, Bins(["/A", "/A"], [0, 1], [0, 1], [1, 2]), (line,))
    with pytest.raises(InputError, match="/A#0, value: 2 coefficients, another number than order 2"):
        Interpolation(box, good["bins"], (line._replace(order=2),))
    with pytest.raises(InputError, match="not finite"):
        Interpolation(box, good["bins"], (line._replace(coefficients=np.array([1.0, np.nan])),))
    with pytest.raises(InputError, match=r"theta has shape \(2,\)"):
        Interpolation(box, **good).evaluate(np.zeros(2))
    assert not list(tmp_path.iterdir())
