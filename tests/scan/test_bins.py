import numpy as np
import pytest

from sbitune.data.bins import Bins
from sbitune.data.errors import InputError


@pytest.fixture
def bins() -> Bins:
    return Bins(np.array(["/x", "/y", "/x"]), [0, 0, 1], [0.0, 10.0, 2.0], [2.0, 20.0, 3.0])


def test_labels_and_paths_keep_the_order(bins: Bins) -> None:
    assert bins.labels() == ["/x#0", "/y#0", "/x#1"]
    assert bins.paths() == ["/x", "/y"]
    assert bins.of("/x").tolist() == [0, 2]
    assert bins.of("/z").tolist() == []


def test_take_accepts_masks_and_indices(bins: Bins) -> None:
    assert bins.take([True, False, True]).labels() == ["/x#0", "/x#1"]
    assert bins.take([2, 0]).labels() == ["/x#1", "/x#0"]
    assert len(bins.take([])) == 0


@pytest.mark.parametrize(("shift", "same"), [(0.9e-5, True), (1.1e-5, False)])
def test_edges_agree_within_a_fraction_of_the_width(bins: Bins, shift: float, same: bool) -> None:
    moved = Bins(bins.path, bins.index, bins.low + shift * bins.widths(), bins.high)
    assert (bins.matches(moved) == same).all()


def test_a_wide_bin_forgives_more_than_a_narrow_one(bins: Bins) -> None:
    moved = Bins(bins.path, bins.index, bins.low, bins.high + 5e-5)
    assert bins.matches(moved).tolist() == [False, True, False]


def test_infinite_edges_match_only_themselves() -> None:
    overflow = Bins(["/x"], [0], [1.0], [np.inf])  # type: ignore[arg-type]
    other = Bins(["/x"], [0], [2.0], [np.inf])  # type: ignore[arg-type]
    assert overflow.matches(overflow).all()
    assert not overflow.matches(other).any()


def test_matching_another_number_of_bins_is_refused(bins: Bins) -> None:
    with pytest.raises(InputError, match="3 bins with 2"):
        bins.matches(bins.take([0, 1]))


def test_locate_finds_bins_by_path_and_edges(bins: Bins) -> None:
    other = Bins(["/x", "/z", "/x", "/y"], [7, 0, 0, 0], [2.0, 0, 2, 10], [3.0, 1, 4, 20.0001])  # type: ignore[arg-type]
    assert bins.locate(other).tolist() == [2, -1, -1, 1]


def test_of_bins_with_equal_edges_the_nearest_number_is_found() -> None:
    twins = Bins(["/x", "/x", "/x"], [0, 1, 2], [0.0, 0, 0], [1.0, 1, 1])  # type: ignore[arg-type]
    assert twins.locate(twins).tolist() == [0, 1, 2]


def test_concatenate_joins_in_order(bins: Bins) -> None:
    joined = Bins.concatenate([bins.take([2]), bins])
    assert joined.labels() == ["/x#1", *bins.labels()]
    assert len(Bins.concatenate([])) == 0


def test_faulty_bins_are_named() -> None:
    with pytest.raises(InputError, match=r"/x#4: edges 2\.0 and 1\.0"):
        Bins(["/x"], [4], [2.0], [1.0])  # type: ignore[arg-type]
    with pytest.raises(InputError, match="/x#0"):
        Bins(["/x"], [0], [np.nan], [1.0])  # type: ignore[arg-type]
    with pytest.raises(InputError, match="one and the same length"):
        Bins(["/x"], [0, 1], [0.0, 1.0], [1.0, 2.0])  # type: ignore[arg-type]


def test_the_arrays_are_copies_that_cannot_be_written(bins: Bins) -> None:
    low = np.zeros(1)
    mine = Bins(["/x"], [0], low, [1.0])  # type: ignore[arg-type]
    low[0] = 0.5
    assert mine.low[0] == 0
    with pytest.raises(ValueError, match="read-only"):
        bins.low[0] = 1
