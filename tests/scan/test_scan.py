from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.faults import refused
from helpers.scan_strategies import contents, sizes
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sbitune.data.bins import Bins
from sbitune.data.errors import InputError
from sbitune.data.parameter import Parameter
from sbitune.data.scan import Scan, build_scan, join_scans
from sbitune.data.text.names import is_unseen

finite = st.floats(allow_nan=False, allow_infinity=False)
# NumPy drops NUL at the end of a string; no path of a histogram has one
letters = st.characters(exclude_categories=["Cc", "Cf", "Cs", "Zl", "Zp", "Zs"]).filter(lambda c: not is_unseen(c))
names = st.text(letters, min_size=1, max_size=12)


@st.composite
def any_scan(draw: st.DrawFn) -> Scan:
    n_runs, n_parameters, n_bins = (draw(st.integers(1, 4)) for _ in range(3))
    chosen = draw(st.lists(names, min_size=n_parameters, max_size=n_parameters, unique=True))
    low = draw(arrays(np.float64, n_bins, elements=st.floats(-1e6, 1e6)))
    return Scan(
        parameters=tuple(Parameter(n, -1.5, draw(st.floats(1, 2)), draw(st.none() | finite), "GeV") for n in chosen),
        theta=draw(arrays(np.float64, (n_runs, n_parameters), elements=finite)),
        values=draw(arrays(np.float64, (n_runs, n_bins), elements=contents)),
        errors=draw(arrays(np.float64, (n_runs, n_bins), elements=sizes)),
        bins=Bins(np.array(draw(st.lists(names, min_size=n_bins, max_size=n_bins))), np.arange(n_bins), low, low + 1),
        runs=tuple(draw(st.lists(st.text(letters, max_size=8), min_size=n_runs, max_size=n_runs, unique=True))),
    )


def assert_same(one: Scan, other: Scan) -> None:
    assert one.parameters == other.parameters
    assert one.runs == other.runs
    assert one.bins.labels() == other.bins.labels()
    for name in ("theta", "values", "errors"):
        assert getattr(one, name).tobytes() == getattr(other, name).tobytes()
    assert one.bins.low.tobytes() == other.bins.low.tobytes()
    assert one.bins.high.tobytes() == other.bins.high.tobytes()


@settings(max_examples=40, deadline=None)
@given(scan=any_scan())
def test_a_saved_scan_comes_back_bit_by_bit(scan: Scan, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("scan") / "scan.npz"
    scan.save(path)
    assert_same(Scan.load(path), scan)


def test_unit_maps_the_box_to_minus_one_and_one(scan: Scan) -> None:
    corners = replace(scan, theta=[[0, -1], [2, 1], [1, 0], [4, 0.5]])  # type: ignore[arg-type]
    assert corners.unit().tolist() == [[-1, -1], [1, 1], [0, 0], [3, 0.5]]


def test_runs_are_taken_by_name_in_that_order_or_by_mask(scan: Scan) -> None:
    taken = scan.take_runs(["0003", "0001"])
    assert taken.runs == ("0003", "0001")
    assert (taken.values == scan.values[[3, 1]]).all()
    assert scan.take_runs([False, True, True, False]).runs == ("0001", "0002")


def test_bins_are_taken_by_mask(scan: Scan) -> None:
    taken = scan.take_bins([False, True, True])
    assert taken.bins.labels() == ["/x#1", "/y#0"]
    assert (taken.errors == scan.errors[:, 1:]).all()


def test_a_split_covers_all_runs_once(scan: Scan) -> None:
    train, held = scan.split(["0002", "0000"])
    assert train.runs == ("0001", "0003")
    assert held.runs == ("0000", "0002")


def test_a_split_with_wrong_names_says_which(scan: Scan) -> None:
    with pytest.raises(InputError, match="no run 0017"):
        scan.split(["0001", "0017"])
    with pytest.raises(InputError, match="leaves one part empty"):
        scan.split(scan.runs)
    with pytest.raises(InputError, match="a mask of 2 runs"):
        scan.take_runs([True, False])


@pytest.mark.parametrize(
    ("name", "place", "number", "said"),
    [
        ("values", (2, 1), np.nan, "run 0002, bin /x#1: nan"),
        ("errors", (0, 2), np.inf, "run 0000, bin /y#0: .* inf"),
        ("errors", (3, 0), -1.0, r"run 0003, bin /x#0: .* -1.0"),
        ("theta", (1, 1), np.nan, "run 0001: parameter b is nan"),
    ],
)
def test_bad_numbers_are_named(scan: Scan, name: str, place: tuple, number: float, said: str) -> None:
    array = getattr(scan, name).copy()
    array[place] = number
    with pytest.raises(InputError, match=said):
        replace(scan, **{name: array})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"runs": ("a", "b", "a", "c")}, "run a occurs more than once"),
        ({"parameters": (Parameter("a", 0, 1), Parameter("a", 0, 1))}, "parameter a occurs more than once"),
        ({"theta": np.zeros((4, 3))}, r"theta has shape \(4, 3\), expected \(4, 2\)"),
        ({"errors": np.zeros(3)}, "errors has shape"),
        ({"runs": ()}, "0 runs"),
    ],
)
def test_parts_that_do_not_fit_are_refused(scan: Scan, change: dict, said: str) -> None:
    with pytest.raises(InputError, match=said):
        replace(scan, **change)


@pytest.mark.parametrize("box", [(1.0, 1.0), (2.0, 1.0), (0.0, np.inf), (np.nan, 1.0)])
def test_a_box_that_is_none_is_refused(box: tuple[float, float]) -> None:
    with refused("parameter-empty-range", "parameter a: "):
        Parameter("a", *box)
    with refused("parameter-not-finite", "parameter a: ", "inf"):
        Parameter("a", 0.0, 1.0, np.inf)


def test_bad_bins_or_runs_are_dropped_only_on_demand_and_named(scan: Scan) -> None:
    values = scan.values.copy()
    values[2, 1] = np.nan
    parts = (scan.parameters, scan.theta, values, scan.errors, scan.bins, scan.runs)
    with pytest.raises(InputError, match="run 0002, bin /x#1"):
        build_scan(*parts)
    fewer_bins, said = build_scan(*parts, drop_bad="bins")
    assert fewer_bins.bins.labels() == ["/x#0", "/y#0"]
    assert "dropped 1 bins" in said
    assert "run 0002, bin /x#1" in said
    fewer_runs, said = build_scan(*parts, drop_bad="runs")
    assert fewer_runs.runs == ("0000", "0001", "0003")
    assert "dropped 1 runs" in said
    assert build_scan(scan.parameters, scan.theta, scan.values, *parts[3:], drop_bad="bins")[1] == ""


def test_joined_scans_get_the_smallest_box_around_all(scan: Scan) -> None:
    wider = replace(scan, parameters=(Parameter("a", 1.0, 3.0), scan.parameters[1]), runs=("4", "5", "6", "7"))
    joined = join_scans([scan, wider])
    assert (joined.parameters[0].low, joined.parameters[0].high, joined.parameters[0].default) == (0.0, 3.0, 1.0)
    assert joined.runs == (*scan.runs, "4", "5", "6", "7")
    assert (joined.values[4:] == wider.values).all()


def test_joined_runs_of_the_same_name_are_told_apart(scan: Scan) -> None:
    assert join_scans([scan, scan]).runs[:5] == ("0/0000", "0/0001", "0/0002", "0/0003", "1/0000")


def test_scans_of_other_bins_or_parameters_are_not_joined(scan: Scan) -> None:
    with pytest.raises(InputError, match="scan 1: other edges"):
        join_scans([scan, scan.take_bins([0, 2, 1])])
    with pytest.raises(InputError, match="scan 1 has 2 bins"):
        join_scans([scan, scan.take_bins([0, 1])])
    with pytest.raises(InputError, match="scan 1 has the parameters c, b"):
        join_scans([scan, replace(scan, parameters=(Parameter("c", 0, 1), scan.parameters[1]))])


def test_files_that_hold_no_scan_are_refused(scan: Scan, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        Scan.load(tmp_path / "absent.npz")
    text = tmp_path / "text.npz"
    text.write_text("hello")
    with pytest.raises(InputError, match="not a sbitune scan, or cut short"):
        Scan.load(text)
    other = tmp_path / "other.npz"
    np.savez(other, theta=scan.theta)
    with pytest.raises(InputError, match="not a whole sbitune scan"):
        Scan.load(other)


def test_files_of_another_version_or_kind_are_refused(scan: Scan, tmp_path: Path) -> None:
    path = tmp_path / "scan.npz"
    scan.save(path)
    with np.load(path) as stored:
        arrays = dict(stored)
    header = str(arrays["meta"])
    np.savez(path, **{**arrays, "meta": np.array(header.replace('"version": 1', '"version": 9'))})
    with pytest.raises(InputError, match=r"format version 9, .*this sbitune reads 1"):
        Scan.load(path)
    np.savez(path, **{**arrays, "meta": np.array(header.replace("sbitune scan", "sbitune surrogate"))})
    with pytest.raises(InputError, match="this file holds a sbitune surrogate"):
        Scan.load(path)
    del arrays["theta"]
    np.savez(path, **arrays)
    with pytest.raises(InputError, match="theta"):
        Scan.load(path)


def test_a_truncated_file_is_refused(scan: Scan, tmp_path: Path) -> None:
    path = tmp_path / "scan.npz"
    scan.save(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"scan.npz"):
        Scan.load(path)
