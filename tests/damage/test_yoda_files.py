"""Damaged YODA files: read as a strict reader reads them, or refused in one message that names the file."""

import math
from typing import Any

import numpy as np
import pytest
from helpers.damaging import alike, damaged, each_damage, outcome, strictly
from helpers.strictyoda import strict_yoda
from hypothesis import given, settings
from hypothesis import strategies as st

from sbitune.data import yoda

FILES = {
    "histogram": b"BEGIN YODA_HISTO1D_V2 /A/h\nPath: /A/h\nScaledBy: 5.0e-01\nType: Histo1D\n---\n"
    b"Total\tTotal\t30\t30\t45\t80\t30\nUnderflow\tUnderflow\t1\t1\t0\t0\t1\nOverflow\tOverflow\t0\t0\t0\t0\t0\n"
    b"# xlow xhigh\n0\t1\t10\t10\t5\t4\t10\n1.0\t2.5e+0\t12\t12\t18\t28\t12\n3\t4\t8\t8\t20\t50\t8\n"
    b"END YODA_HISTO1D_V2\n",
    "profile": b"BEGIN YODA_PROFILE1D_V2 /A/p\nPath: /A/p\nType: Profile1D\n---\nTotal Total 3 3 1 1 6 14 3\n"
    b"Underflow Underflow 0 0 0 0 0 0 0\nOverflow Overflow 0 0 0 0 0 0 0\n0 1 3 3 1 1 6 14 3\nEND YODA_PROFILE1D_V2\n",
    "plane": b"BEGIN YODA_HISTO2D_V2 /A/q\nPath: /A/q\nType: Histo2D\n---\nTotal Total 2 2 1 1 1 1 1 2\n"
    b"0 1 0 1 1 1 0 0 0 0 0 1\n0 1 1 2 1 1 0 0 0 0 0 1\n1 2 0 2 1 1 0 0 0 0 0 1\nEND YODA_HISTO2D_V2\n",
    "scatter": b'BEGIN YODA_SCATTER2D_V2 /REF/A/d01-x01-y01\nErrorBreakdown: {0: {stat: {dn: -0.1, up: 0.1}, "sys,l": '
    b"{dn: -.5, up: 1e-1}}, 1: {stat: {dn: -0.2, up: 0.2}}}\nIsRef: 1\nPath: /REF/A/d01-x01-y01\nType: Scatter2D\n---\n"
    b"0.5 0.5 0.5 5 0.05 0.05\n1.5 0.5 0.5 6 0.05 nan\nEND YODA_SCATTER2D_V2\n",
    "old": b"# BEGIN YODA_COUNTER /c\nPath=/c\nTitle=a: b\n1 2 3\n# END YODA_COUNTER\n\nBEGIN YODA_COUNTER_V2 /d\n"
    b"Path: /d\nType: Counter\n---\n1\t2\t3\nEND YODA_COUNTER_V2\n",
    "histogram 2": b"BEGIN YODA_HISTO1D_V3 /A/h\nPath: /A/h\nType: Histo1D\n---\nEdges(A1): [0, 1.5, 2, 3]\n"
    b"MaskedBins: [2]\n# sumW sumW2 sumW(A1) sumW2(A1) numEntries\n0 0 0 0 0\n10 10 5 4 10\n0 0 0 0 0\n"
    b"12 12 18 28 12\n0 0 0 0 0\nEND YODA_HISTO1D_V3\n",
    "estimate": b'BEGIN YODA_ESTIMATE1D_V3 /A/e\nPath: /A/e\nType: Estimate1D\n---\nEdges(A1): [0, 1, 2]\n'
    b'ErrorLabels: ["stat", "lumi"]\n# value\nnan --- --- --- ---\n5 -0.1 0.1 -0.2 0.2\n6 -0.1 0.1 --- ---\n'
    b"nan --- --- --- ---\nEND YODA_ESTIMATE1D_V3\n",
    "names": b'BEGIN YODA_BINNEDESTIMATE<S>_V3 /A/s\nPath: /A/s\n---\nEdges(A1): ["a", "b, c"]\nErrorLabels: [""]\n'
    b"nan --- ---\n5 -0.1 0.1\n6 -0.1 0.2\nEND YODA_BINNEDESTIMATE<S>_V3\n",
}  # fmt: skip


def ours(item: Any) -> list[Any]:
    """An object as the strict reader has it."""
    scaled = item.annotations.get("ScaledBy")
    kind = type(item).__name__.upper()
    if isinstance(item, yoda.Counter):
        return [kind, scaled, [item.sumw, item.sumw2, item.entries]]
    if isinstance(item, yoda.Scatter):
        table = np.stack([item.values, item.minus, item.plus], axis=2).reshape(len(item.values), -1)
        return [f"SCATTER{item.dimension}D", scaled, table.tolist(), {k: v.tolist() for k, v in item.sources.items()}]
    if isinstance(item, yoda.Estimate):
        table = np.column_stack([item.values, *item.sources.values()])
        edges = [list(axis.edges) for axis in item.axes]
        return ["ESTIMATE", scaled, edges, sorted(item.masked), table.tolist(), list(item.sources)]
    if isinstance(item, yoda.Histo2D):
        edges = np.stack([item.low, item.high], axis=2).reshape(len(item.low), 4)
        return [kind, scaled, np.column_stack([edges, item.sums]).tolist(), [item.total.tolist()]]
    assert isinstance(item, yoda.Histo1D | yoda.Profile1D)
    table = np.column_stack([item.low, item.high, item.sums]).tolist()
    return [kind, scaled, table, [row.tolist() for row in (item.total, item.underflow, item.overflow)]]


def theirs(item: list[Any]) -> list[Any]:
    """What the strict reader finds, in the form of our objects: histograms of YODA 2 as those of YODA 1."""
    kind, scaled, *parts = item
    if "ESTIMATE" in kind.upper():
        return ["ESTIMATE", scaled, *parts]
    if len(parts) != 4:
        return item
    (edges,), masked, rows, _ = parts
    inside = [i for i in range(1, len(edges)) if i not in masked]
    table = [[edges[i - 1], edges[i], *rows[i]] for i in inside]
    total = [math.fsum(column) for column in zip(*rows, strict=True)]
    empty = [0.0] * 5
    return [kind, scaled, table, [total or empty, rows[0] if rows else empty, rows[-1] if rows else empty]]


def check(content: bytes, path: Any) -> bool:
    """Whether a file is read; then it must be what the strict reader finds, else refused in a message with its name."""
    path.write_bytes(content)
    message, found = outcome(yoda.read, path)
    if message:
        assert path.name in message
        assert len(message) < 500
        return False
    wanted = strictly(strict_yoda, content)
    assert list(found) == list(wanted), content
    for key, item in found.items():
        mine, other = ours(item), theirs(wanted[key])
        assert alike(mine if other[-1] is not None else [*mine[:-1], None], other), content
    return True


@pytest.mark.parametrize("name", FILES)
def test_bytes_and_lines(tmp_path, name):
    text = FILES[name]
    assert check(text, tmp_path / "sound.yoda")
    for content in each_damage(text, b"0", max(1, len(text) // 40)):
        check(content, tmp_path / "damaged.yoda")


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_every_byte_and_line(tmp_path, name):
    for content in each_damage(FILES[name], b"0_", 2):
        check(content, tmp_path / "damaged.yoda")


def several(tmp_path_factory, data, most):
    text = b"".join(data.draw(st.lists(st.sampled_from(list(FILES.values())), min_size=1, max_size=2)))
    check(data.draw(damaged(text, most)), tmp_path_factory.getbasetemp() / "damaged.yoda")


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_several_damages(tmp_path_factory, data):
    several(tmp_path_factory, data, 3)


@pytest.mark.slow
@given(data=st.data())
@settings(max_examples=800, deadline=None)
def test_very_many_damages(tmp_path_factory, data):
    several(tmp_path_factory, data, 5)
