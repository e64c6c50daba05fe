"""Damaged text files of the field: read as a strict reader reads them, or refused in one message that names them."""

from typing import Any, NamedTuple

import numpy as np
import pytest
from helpers import strictreading as strict
from helpers.damaging import alike, damaged, each_damage, outcome, strictly
from hypothesis import given, settings
from hypothesis import strategies as st

from sbitune.data.formats.apprentice import read_data
from sbitune.data.formats.combinations import read_combinations
from sbitune.data.formats.ipol_reader import read_ipol
from sbitune.data.formats.parameters import read_limits, read_points, read_values
from sbitune.data.formats.professor_results import read_result
from sbitune.data.formats.recognition import recognise
from sbitune.data.formats.selection import Rule, read_weights


class Format(NamedTuple):
    """A small sound file, its reader and the strict one, whose answers are of one form."""

    text: bytes
    read: Any
    strict: Any


def data_of(path: Any) -> dict[str, list[float]]:
    labels, values, errors = read_data(path)
    return {label: [a, b] for label, a, b in zip(labels, values.tolist(), errors.tolist(), strict=True)}


def ipol_of(path: Any) -> dict[str, Any]:
    found = read_ipol(path)
    rows: dict[str, Any] = {}
    for i, label in enumerate(found.bins.labels()):
        rows[label] = {"edges": [found.bins.low[i], found.bins.high[i]]}
        for key, polynomials in (("val", found.value), ("err", found.error)):
            if polynomials:
                one = polynomials[i]
                rows[label][key] = [one.order, *(np.asarray(part).tolist() for part in one[1:])]
    return rows


def rule_of(rule: Rule) -> tuple | None:
    if rule.exact or rule.by == "centre":
        return None
    bins = (rule.first, rule.last) if rule.by == "index" else (None, None)
    x = (rule.first, rule.last) if rule.by == "x" else (None, None)
    return (rule.path, rule.weight, *bins, *x)


def weights_of(content: bytes) -> list[tuple | None]:
    """The strict reader's rules; one number alone is a bin from it to the next, or the bin that holds it."""
    rows = [list(row) if row is not None else None for row in strict.weights(content)]
    for row in rows:
        for place, width in ((3, 1), (5, 0)):
            if row is not None and row[place] == "one":
                row[place] = None if row[place - 1] is None else row[place - 1] + width
    return [None if row is None else tuple(row) for row in rows]


def result_of(path: Any) -> dict[str, Any]:
    found = read_result(path)
    return {"values": dict(found.values), "gof": found.gof, "errors": dict(found.errors)}


FORMATS = {
    "params.dat": Format(b"# of a run\na:b 0.15\nc -2.5e-1 # here\nd 3\n", read_values, strict.parameters),
    "numbers.dat": Format(b"0.15\n2\n", read_values, strict.parameters),
    "limits.dat": Format(b"a 0.1 0.25\nb 1 3.5e0\nc 2\n", read_limits, strict.limits),
    "points.txt": Format(
        b"a b\n0.1 1\n0.2 -2e0\n",
        lambda path: (list(read_points(path).names), read_points(path).points.tolist()),
        strict.points,
    ),
    "runcombs.dat": Format(b"0000 0001 0002\n0000 0002\n", read_combinations, strict.combinations),
    "data.json": Format(b'{"/A/d01#0": [5, 0.05],\n "/A/d01#1": [6.5e0, 1]}\n', data_of, strict.data),
    "ipol.dat": Format(
        b"DataFormat: binned 3\nParamNames: a b\nDimension: 2\nMinParamVals: 0.1 1.0\nMaxParamVals: 0.2 3.0\n"
        b"DoParamScaling: 1\n---\n/A/d01#0 0.0 1.0\n  val: 2 1 5.0 1.0 0.5 0.1 1 0.2 3\n  err: 2 0 0.02 0.1 1 0.2 3\n"
        b"/A/d01#1 1.0 2.5\n  val: 2 1 6.0 1.3 0.2 0.1 1 0.2 3\n  err: 2 0 0.02 0.1 1 0.2 3\n",
        ipol_of,
        strict.ipol,
    ),
    "ipol2.dat": Format(
        b"DataFormat: binned 2\nParamNames: a\nMinParamVals: 0.1\nMaxParamVals: 0.2\nDoParamScaling: 1\n---\n"
        b"/A/d01#0 0.0 1.0\n  val: 1 2 5.0 1.0 0.5\n/A/d01#1 1.0 2.5\n  val: 1 1 6.0 1.3\n",
        ipol_of,
        strict.ipol,
    ),
    "weights.dat": Format(
        b"# all\n/A/d0[12]-x01 1\n/A/d03#2:5 0.5\n/A/d04@0.5:1e0 2  # here\n/A/d05#3 1\n/A/.*@2.5\n",
        lambda path: [rule_of(rule) for rule in read_weights(path)],
        weights_of,
    ),
    "results.txt": Format(
        b"# ProfVersion: 2\n#\n# Minimisation result:\n#\n# GOF 12.5\n# NDOF 3\na\t0.15\nb\t2.5\n#\n"
        b"# MIGRAD errors:\n#\n"
        b"# a\t0.01\n# b\t0.5\n#\n#\n# Weights used\n#\n# /A 1.0\n",
        result_of,
        strict.results,
    ),
}


def check(name: str, content: bytes, folder: Any) -> bool:
    """Whether a file is read; then it must be what the strict reader finds, else refused in a message with its name."""
    path = folder / name
    path.write_bytes(content)
    message, found = outcome(FORMATS[name].read, path)
    kind, _ = outcome(recognise, path)  # whatever it is taken for, nothing but the error on purpose
    assert not kind or path.name in kind
    if message:
        assert path.name in message or "bin " in message or "interpolation" in message
        assert len(message) < 400 + len(str(path))
        return False
    wanted = strictly(FORMATS[name].strict, content)
    if name == "weights.dat":  # but for lines of Professor 1, which the strict reader does not know
        pairs = [pair for pair in zip(found, wanted, strict=True) if None not in pair]
        found, wanted = [mine for mine, _ in pairs], [other for _, other in pairs]
    assert alike(found, wanted), content
    return True


@pytest.mark.parametrize("name", FORMATS)
def test_bytes_and_lines(tmp_path, name):
    assert check(name, FORMATS[name].text, tmp_path)
    for content in each_damage(FORMATS[name].text, b"0", max(1, len(FORMATS[name].text) // 40)):
        check(name, content, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
def test_every_byte_and_line(tmp_path, name):
    for content in each_damage(FORMATS[name].text, b"0_#:", 2):
        check(name, content, tmp_path)


@given(name=st.sampled_from(list(FORMATS)), data=st.data())
@settings(max_examples=200, deadline=None)
def test_several_damages(tmp_path_factory, name, data):
    check(name, data.draw(damaged(FORMATS[name].text)), tmp_path_factory.getbasetemp())


@pytest.mark.slow
@given(name=st.sampled_from(list(FORMATS)), data=st.data())
@settings(max_examples=1000, deadline=None)
def test_very_many_damages(tmp_path_factory, name, data):
    check(name, data.draw(damaged(FORMATS[name].text, 5)), tmp_path_factory.getbasetemp())
