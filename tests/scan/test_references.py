"""Measured values from Apprentice's JSON, which knows bins by their numbers, beside those of YODA files."""

import json
from pathlib import Path

import numpy as np
import pytest

from sbitune.data import yoda
from sbitune.data.bins import Bins
from sbitune.data.errors import InputError
from sbitune.data.formats.apprentice import read_scan
from sbitune.data.formats.recognition import is_data, recognise
from sbitune.data.formats.selection import rules_from_mapping
from sbitune.data.reference import Reference, read_reference
from sbitune.data.scan import Scan
from sbitune.data.scatters import scatters_of
from sbitune.tuning.stages.matching import match

#: numbers out of order, a histogram in two pieces, one with /REF and one with an analysis' option
CONTENT = {"/x#1": [11, 0.1], "/REF/y#0": [20, 0.2], "/x#0": [10, 0.3], "/A:MODE=1/d01#7": [7, 0.7]}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "data.json").write_text(json.dumps(CONTENT))
    return tmp_path / "data.json"


def test_values_are_found_by_the_numbers_of_their_bins(scan: Scan, data: Path) -> None:
    reference = read_reference(["data.json"], data.parent)
    assert reference.bins.labels() == ["/x#1", "/y#0", "/x#0", "/A/d01#7"]
    matched = match(scan, reference, rules_from_mapping({"/": 1}, "card"))
    assert matched.measured.bins.labels() == ["/x#0", "/x#1", "/y#0"]
    assert matched.measured.values.tolist() == [10, 11, 20]
    np.testing.assert_allclose(matched.measured.total_errors, [0.3, 0.1, 0.2])
    # the edges that count are those of the runs
    assert matched.measured.bins.high.tolist() == [1.0, 2.0, 5.0]


def test_a_bin_that_the_file_does_not_have_is_named(scan: Scan, tmp_path: Path) -> None:
    (tmp_path / "data.json").write_text('{"/x#0": [1, 1], "/y#1": [2, 1]}')
    with pytest.raises(InputError, match="observable /x#1: the reference has no bin"):
        match(scan, read_reference([tmp_path / "data.json"]), rules_from_mapping({"/x": 1}, "card"))
    with pytest.raises(InputError, match="observable /y#0: the reference has no bin"):
        match(scan, read_reference([tmp_path / "data.json"]), rules_from_mapping({"/y": 1}, "card"))


def test_bins_without_edges_are_found_by_number_only() -> None:
    told = Bins(["/a", "/a"], [0, 1], [0, 1], [1, 2])
    untold = Bins(["/a", "/b", "/a"], [1, 0, 4], [-np.inf] * 3, [np.inf] * 3)
    assert untold.locate(told).tolist() == [-1, 0]
    assert told.locate(untold).tolist() == [-1, -1, -1]
    # an overflow bin has one edge
    over = Bins(["/a", "/a"], [0, 1], [-np.inf, 5], [5, np.inf])
    assert over.locate(over.take([1, 0])).tolist() == [1, 0]


def test_of_several_sources_the_first_that_has_a_histogram_counts(scan: Scan, data: Path) -> None:
    x, y = scatters_of(scan.bins, np.array([1.0, 2.0, 3.0]), np.full(3, 0.5), {"Title": "mine"})
    yoda.write(data.parent / "x.yoda", [x])
    yoda.write(data.parent / "y.yoda.gz", [y])
    first = read_reference(["x.yoda", "data.json", "y.yoda.gz"], data.parent)
    assert dict(zip(first.bins.labels(), first.values, strict=True)) == {
        "/x#0": 1, "/x#1": 2, "/y#0": 20, "/A/d01#7": 7
    }  # fmt: skip
    assert first.labels["/x"] == {"Title": "mine"}
    # sources of errors of a file say nothing of the bins of another
    assert all(len(shifts) == 4 and not shifts[2:].any() for shifts in first.sources.values())
    second = read_reference(["data.json", "x.yoda"], data.parent)
    assert dict(zip(second.bins.labels(), second.values, strict=True)) == {
        "/x#1": 11, "/y#0": 20, "/x#0": 10, "/A/d01#7": 7
    }  # fmt: skip


def test_json_is_known_by_its_name_or_its_first_character(data: Path) -> None:
    other = data.rename(data.parent / "values.txt")
    other.write_text("\n  " + other.read_text())
    assert is_data(other)
    assert recognise(other) == "data"
    assert len(read_reference([other]).values) == 4
    (data.parent / "a.yoda").write_text("{")
    assert not is_data(data.parent / "a.yoda")


FAULTS = [
    ('{"/x": [1, 2]}', r"data.json: bin '/x', expected /PATH#n"),
    ('{"/x#a": [1, 2]}', r"data.json: bin '/x#a', expected /PATH#n"),
    ('{"/x#0": [1, 2], "/REF/x#0": [1, 2]}', r"data.json: a bin is given twice, with and without /REF"),
    ('{"/x#0": [1]}', r"data.json:1: bin /x#0: expected \[value, error\]"),
    ("{", r"data.json: not Apprentice's JSON of measured values"),
]


@pytest.mark.parametrize(("content", "message"), FAULTS)
def test_faults_name_the_file_and_the_bin(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "data.json").write_text(content)
    with pytest.raises(InputError, match=message):
        read_reference([tmp_path / "data.json"])


def test_no_source_and_no_histogram_are_refused(tmp_path: Path) -> None:
    yoda.write(tmp_path / "empty.yoda", [yoda.Scatter("/n", np.ones((1, 1)), np.ones((1, 1)), np.ones((1, 1)))])
    for sources in ([], [tmp_path / "empty.yoda"]):
        with pytest.raises(InputError, match="no reference data given: list YODA files, Apprentice's data JSON"):
            read_reference(sources)


def test_the_real_json_and_the_real_yoda_file_are_the_same_data(flavour: Path) -> None:
    pytest.importorskip("h5py")
    train = read_scan(flavour / "train.h5")
    rules = rules_from_mapping({"/": 1}, "card")
    ours, theirs = (
        match(train, read_reference([flavour / name]), rules).measured for name in ("data.json", "ref/ref.yoda")
    )
    assert len(ours.bins) == 43
    assert ours.bins.labels() == theirs.bins.labels()
    np.testing.assert_allclose(ours.values, theirs.values, rtol=1e-12)
    np.testing.assert_allclose(ours.total_errors, theirs.total_errors, rtol=1e-12)


def test_a_side_of_a_source_that_is_not_given_is_none_as_in_the_total(tmp_path: Path) -> None:
    rows = {"sys,lumi": np.full((4, 2), np.nan), "sys,jes": np.full((4, 2), np.nan)}
    rows["sys,jes"][1:3] = [[-0.1, 0.1], [-0.3, 0.5]]
    rows["sys,lumi"][1:3] = [[np.nan, 0.2], [-0.2, np.nan]]
    values = np.array([np.nan, 10.0, 11.0, np.nan])
    path = tmp_path / "sides.yoda"

    def read() -> Reference:
        axes = (yoda.Axis("d", np.array([0.0, 1.0, 2.0])),)
        yoda.write(path, [yoda.Estimate("/REF/x", axes, values, rows)], version=2)
        return read_reference([path])

    found = read()
    np.testing.assert_allclose(found.sources["sys,lumi"], [0.1, 0.1])
    np.testing.assert_allclose(found.sources["sys,jes"], [0.1, 0.4])
    np.testing.assert_allclose(found.errors, [0.5 * (0.1 + np.hypot(0.1, 0.2)), 0.5 * (np.hypot(0.3, 0.2) + 0.5)])
    rows["sys,lumi"][1, 1] = np.inf
    with pytest.raises(InputError, match="infinite"):
        read()


def test_sources_that_move_bins_together_make_the_covariance(scan: Scan, tmp_path: Path) -> None:
    """V = diag(stat^2) + sum of s s^T over sources and histograms; without correlations diag of the total."""
    edges = np.array([0.0, 1.0, 2.0])
    stat, lumi, jes = np.array([0.3, 0.4]), np.array([0.2, -0.1]), np.array([0.05, 0.6])
    rows = {name: np.full((4, 2), np.nan) for name in ("stat", "sys,lumi", "sys,jes")}
    for name, shift in zip(rows, (stat, lumi, jes), strict=True):
        rows[name][1:3] = np.stack([-shift, shift], axis=1)
    values = np.array([np.nan, 10.0, 11.0, np.nan])
    objects = [yoda.Estimate(f"/REF/{name}", (yoda.Axis("d", edges),), values, rows) for name in "xy"]
    yoda.write(tmp_path / "sources.yoda", objects, version=2)
    reference = read_reference([tmp_path / "sources.yoda"])
    bins = Bins(
        np.array(["/x", "/x", "/y", "/y"]), np.array([0, 1, 0, 1]), np.tile(edges[:2], 2), np.tile(edges[1:], 2)
    )
    n = len(scan.runs)
    ours = Scan(scan.parameters, scan.theta, np.ones((n, 4)), np.full((n, 4), 0.1), bins, scan.runs)
    rules = rules_from_mapping({"/[xy]": 1}, "card")
    one = np.diag(stat**2) + np.outer(lumi, lumi) + np.outer(jes, jes)
    matched = match(ours, reference, rules)
    assert sorted(matched.measured.names) == [f"/{p}: sys,{s}" for p in "xy" for s in ("jes", "lumi")]
    np.testing.assert_allclose(matched.measured.covariance(), np.kron(np.eye(2), one), rtol=1e-6, atol=1e-9)
    alone = match(ours, reference, rules, correlations=False).measured.covariance()
    np.testing.assert_allclose(alone, np.diag(np.tile(np.diag(one), 2)), rtol=1e-6, atol=1e-9)
