"""Professor's results.txt: read, written, and read by the rules of Professor's own scripts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sbitune.data.errors import InputError
from sbitune.data.formats.parameters import read_values
from sbitune.data.formats.professor_results import ProfessorResult, read_result, write_result
from sbitune.data.text.numbers import is_number, reads_as_number

#: as prof2-tune writes it: three parameters, the second fixed
SAMPLE = """\
# ProfVersion: 2.4.0
# Date: 2024-03-01 12:00:00
# InterpolationFile: /tmp/ipol.dat
# DataDirectory: /tmp/ref
#
# Limits:
#\talphaS\t0.100000 0.150000
#\tsigma \t0.200000 0.400000
#
# Fixed:
#\taLund \t0.680000
#
# Minimisation result:
#
# GOF 120.500000
# UNITGOF 99.250000
# NDOF 43.000000
alphaS\t0.136500
aLund \t0.680000
sigma \t0.305000
#
# MIGRAD errors:
#
# alphaS\t1.000000e-03
# aLund \t1.000000e-02
# sigma \t2.000000e-02
#
# MINOS errors:
#
# alphaS\t-1.100000e-03\t9.000000e-04
# sigma \t-2.100000e-02\t1.900000e-02
#
# Correlation matrix:
#
# alphaS    1.000000e+00    ---   -2.500000e-01
# aLund     ---    ---    ---
# sigma    -2.500000e-01    ---    1.000000e+00
#
# Covariance matrix:
#
# alphaS    1.000000e-06    ---   -5.000000e-06
# aLund     ---    ---    ---
# sigma    -5.000000e-06    ---    4.000000e-04
#
#
# Weights used
#
# /A/d01-x01-y01#0:4 2.0
# /B/.* 1.0
#
# Mean contribution:
#
# /A/d01-x01-y01\t1.500000
# /B/d02-x01-y01\t2.250000
"""


def place(tmp_path, text):
    (tmp_path / "results.txt").write_text(text)
    return tmp_path / "results.txt"


def test_a_file_of_professor_is_read(tmp_path):
    found = read_result(place(tmp_path, SAMPLE))
    assert found.values == {"alphaS": 0.1365, "aLund": 0.68, "sigma": 0.305}
    assert (found.gof, found.unit_gof, found.ndof) == (120.5, 99.25, 43)
    assert found.errors == {"alphaS": 1e-3, "aLund": 1e-2, "sigma": 2e-2}
    assert found.minos == {"alphaS": (-1.1e-3, 9e-4), "sigma": (-2.1e-2, 1.9e-2)}
    nan = np.nan
    np.testing.assert_array_equal(found.correlation, [[1, nan, -0.25], [nan] * 3, [-0.25, nan, 1]])
    np.testing.assert_array_equal(found.covariance, [[1e-6, nan, -5e-6], [nan] * 3, [-5e-6, nan, 4e-4]])
    assert found.limits == {"alphaS": (0.1, 0.15), "sigma": (0.2, 0.4)}
    assert found.fixed == {"aLund": 0.68}
    assert found.weights == ("/A/d01-x01-y01#0:4 2.0", "/B/.* 1.0")
    assert found.contributions == {"/A/d01-x01-y01": 1.5, "/B/d02-x01-y01": 2.25}
    assert found.header["InterpolationFile"] == "/tmp/ipol.dat"


def test_a_plain_parameter_file_is_read(tmp_path):
    found = read_result(place(tmp_path, "# by hand\nalphaS 0.12 # a comment\n\nsigma 3e-1\n"))
    assert found.values == {"alphaS": 0.12, "sigma": 0.3}
    assert (found.gof, found.covariance, found.errors, found.weights) == (None, None, {}, ())


def covariance_as_professor_reads_it(text):
    """By the rules of professor2.minimize.getParamCov: two lines behind the title, columns from the third word."""
    lines = [line.strip() for line in text.splitlines() if line.startswith("#")]
    start = lines.index("# Covariance matrix:") + 2
    size = len(lines[start].split()) - 2
    table = [lines[start + i].split()[2 : 2 + size] for i in range(size)]
    free = [i for i in range(size) if set(table[i]) != {"---"}]
    return np.array([[float(table[i][j]) for j in free] for i in free])


def test_professor_finds_in_our_file_what_it_looks_for(tmp_path):
    ours = read_result(place(tmp_path, SAMPLE))
    write_result(tmp_path / "ours.txt", ours)
    text = (tmp_path / "ours.txt").read_text()
    assert covariance_as_professor_reads_it(text).tolist() == [[1e-6, -5e-6], [-5e-6, 4e-4]]
    assert "# Limits:" in text.splitlines()
    assert read_values(tmp_path / "ours.txt") == ours.values


finite = st.floats(allow_nan=False, allow_infinity=False)
word = st.text("abcXYZ:_.-0", min_size=1, max_size=7).filter(
    lambda text: text not in ("---", "GOF", "NDOF", "UNITGOF") and not is_number(text) and not reads_as_number(text)
)
positive = st.floats(0, allow_infinity=False)


@st.composite
def results(draw):
    names = draw(st.lists(word, min_size=1, max_size=4, unique=True))
    n = len(names)

    def some(values):
        return {name: draw(values) for name in names if draw(st.booleans())}

    def matrix():
        full = np.array(draw(st.lists(finite, min_size=n * n, max_size=n * n))).reshape(n, n)
        full = np.triu(full) + np.triu(full, 1).T
        fixed = slice(None, None, draw(st.integers(1, 2)) + 1)
        full[:, fixed] = full[fixed] = np.nan
        return full if draw(st.booleans()) else None

    maybe = st.none() | finite
    return ProfessorResult(
        values={name: draw(finite) for name in names},
        gof=draw(maybe), unit_gof=draw(maybe), ndof=draw(maybe),
        errors=some(positive), minos=some(st.tuples(positive.map(lambda error: -error), positive)),
        correlation=matrix(), covariance=matrix(),
        limits=some(st.tuples(finite, finite).map(sorted).map(tuple).filter(lambda ends: ends[0] < ends[1])),
        fixed=some(finite),
        weights=tuple(draw(st.lists(word.map(lambda w: f"/{w} 1.0"), max_size=3))),
        contributions=draw(st.dictionaries(word.map(lambda w: "/" + w), finite, max_size=3)),
        header=draw(st.dictionaries(st.sampled_from(["Date", "ProfVersion"]), word)),
    )  # fmt: skip


@given(results())
@settings(max_examples=80, deadline=None)
def test_a_written_result_comes_back(tmp_path_factory, ours):
    path = tmp_path_factory.mktemp("results") / "results.txt"
    write_result(path, ours)
    back = read_result(path)
    for name in vars(ours):
        np.testing.assert_equal(getattr(back, name), getattr(ours, name), err_msg=name)


FAULTS = {
    "text": (SAMPLE.replace("# GOF 120.500000", "# GOF high"), r"results.txt:15: 'high' is not a number"),
    "not finite": (SAMPLE.replace("2.000000e-02", "nan"), r"results.txt:26: 'nan' is not finite"),
    "a missing number": (SAMPLE.replace("\t9.000000e-04", ""), r"results.txt:30: expected a name and 2 numbers"),
    "a foreign name": (SAMPLE.replace("# aLund \t1.0", "# bLund \t1.0"), r"results.txt:25: bLund is given twice, or"),
    "a row too few": (SAMPLE.replace("# aLund     ---    ---    ---\n", "", 1), "rows of the correlation matrix"),
    "a column too few": (SAMPLE.replace("4.000000e-04\n", "\n"), r"results.txt:43: 2 numbers in a row of the covar"),
    "a negative error": (SAMPLE.replace("\t1.000000e-03\n", "\t-1.000000e-03\n"), "the errors of .* wrong sign"),
    "a figure twice": (SAMPLE.replace("# GOF 120.5", "# GOF 120.5\n# GOF 120.5"), "results.txt:16: GOF is given twice"),
    "a matrix askew": (SAMPLE.replace("-5.000000e-06", "-5.100000e-06", 1), "covariance matrix is not symmetric"),
    "no parameters": (SAMPLE.replace("\nalphaS\t", "\n# alphaS\t").replace("\naLund", "\n#").replace("\nsigma", "\n#"),
                      "no parameter in this file"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_named_with_their_place(tmp_path, fault):
    text, message = FAULTS[fault]
    with pytest.raises(InputError, match=message):
        read_result(place(tmp_path, text))


def test_what_cannot_be_written_is_refused(tmp_path):
    with pytest.raises(InputError, match="'a b'"):
        write_result(tmp_path / "r", ProfessorResult({"a b": 1.0}))
    with pytest.raises(InputError, match="without parameters"):
        write_result(tmp_path / "r", ProfessorResult({}))
    with pytest.raises(InputError, match=r"covariance has shape \(1, 1\), expected \(2, 2\)"):
        ProfessorResult({"a": 1.0, "b": 2.0}, covariance=np.ones((1, 1)))
    assert not list(tmp_path.iterdir())
