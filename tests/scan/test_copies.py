"""Bins that several runs have from one measurement are found and named; what is equal by chance is not."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.copiedscan import COPIED, PARAMETERS, copied_scan
from helpers.smoothscan import smooth_scan

from sbitune.data.bins import Bins
from sbitune.data.checks.examination import examine, settle
from sbitune.data.errors import InputError
from sbitune.data.parameter import Parameter
from sbitune.data.scan import Scan, join_scans


def copied_bins(scan: Scan) -> list[str]:
    return sorted({path for block in scan.copies for path in scan.bins.take(block.bins).paths()})


def with_values(scan: Scan, bins: np.ndarray, values: np.ndarray, errors: np.ndarray) -> Scan:
    every, all_errors = np.array(scan.values), np.array(scan.errors)
    every[:, bins], all_errors[:, bins] = values, errors
    return replace(scan, values=every, errors=all_errors)


def test_copies_are_found_and_named_with_the_parameter_that_they_do_not_depend_on():
    scan = copied_scan(40)
    (block,) = scan.copies
    assert block.bins.tolist() == list(range(20))
    assert block.depends.tolist() == [True, True, False]
    assert block.measurement.tolist() == (np.arange(343) // 7).tolist()
    (finding,) = examine(scan)
    assert finding.kind == "copied bins"
    assert finding.where == (f"{COPIED}/d00", f"{COPIED}/d01")
    assert "20 of 40 bins are equal to the last digit in runs that differ in MPI:pT0Ref alone" in str(finding)
    assert "49 measurements in 343 runs" in str(finding)
    assert settle(scan)[0] is scan


def test_runs_of_their_own_are_no_copies():
    assert copied_scan(40, copied=False).copies == ()
    assert smooth_scan(120, 200, 1).copies == ()  # many bins hold a few counts or none


def test_all_bins_may_be_copies():
    scan = copied_scan(40, share=1.0)
    assert [(len(block.bins), block.depends.tolist()) for block in scan.copies] == [(40, [True, True, False])]
    assert [finding.kind for finding in examine(scan)] == ["copied bins"]


def test_blocks_that_do_not_depend_on_other_parameters_are_told_apart():
    scan = copied_scan(60)
    group = np.arange(343) % 49  # the first parameter does nothing to the last 20 bins
    bins = np.arange(40, 60)
    first = np.arange(49)[group]
    both = with_values(scan, bins, scan.values[first][:, bins], scan.errors[first][:, bins])
    found = {tuple(block.depends.tolist()): block for block in both.copies}
    assert set(found) == {(True, True, False), (False, True, True)}
    assert found[False, True, True].bins.tolist() == list(range(40, 60))
    assert found[False, True, True].measurement.tolist() == group.tolist()
    rows = np.arange(343) // 49 * 49  # and the last 10 know the first parameter alone
    nested = with_values(both, np.arange(50, 60), scan.values[rows][:, 50:], scan.errors[rows][:, 50:])
    sizes = {tuple(block.depends.tolist()): len(np.unique(block.measurement)) for block in nested.copies}
    assert sizes == {(True, True, False): 49, (False, True, True): 49, (True, False, False): 7}


@pytest.mark.parametrize("seed", range(5))
def test_small_counts_are_equal_by_chance(seed):
    random = np.random.default_rng(seed)
    scan = copied_scan(40, share=0.0)
    u = scan.unit()
    for mean in (0.3, 3.0, 3 * np.exp(2 * u[:, :1]), 0.5 + 20 * (u[:, :1] > 0.9)):
        counts = random.poisson(np.broadcast_to(mean, (343, 1)))
        assert with_values(scan, np.array([39]), counts, np.sqrt(counts)).copies == ()
        few = replace(scan, bins=Bins(np.array([*scan.bins.path[:39], "/PDG"]), *vars_of(scan.bins)))
        assert with_values(few, np.array([39]), counts, np.sqrt(counts)).copies == ()


def vars_of(bins: Bins) -> tuple:
    return bins.index, bins.low, bins.high


def test_coarse_observables_go_with_those_that_tell():
    """Counts of one bin that are equal at other points, too, and empty ones, belong to what was copied with them."""
    scan = copied_scan(40)
    paths = np.array([*scan.bins.path[:38], "/PDG/a", "/PDG/b"])
    scan = replace(scan, bins=Bins(paths, *vars_of(scan.bins)))
    random = np.random.default_rng(1)
    counts = np.repeat(random.poisson([4.0, 0.1], (49, 2)), 7, axis=0)
    (block,) = with_values(scan, np.array([38, 39]), counts, np.sqrt(counts)).copies
    assert block.bins.tolist() == [*range(20), 38, 39]
    own = random.poisson([4.0, 0.1], (343, 2))
    assert with_values(scan, np.array([38, 39]), own, np.sqrt(own)).copies[0].bins.tolist() == list(range(20))


def test_empty_at_some_points_is_a_copy_all_the_same():
    scan = copied_scan(40)
    values, errors = np.array(scan.values), np.array(scan.errors)
    low = scan.unit()[:, 0] == -1
    values[low, :10] = errors[low, :10] = 0.0
    assert copied_bins(replace(scan, values=values, errors=errors)) == [f"{COPIED}/d00", f"{COPIED}/d01"]


def test_constant_and_empty_observables_are_no_copies():
    scan = copied_scan(40, copied=False)
    for content in (0.0, 2.5):
        same = np.full((343, 10), content)
        assert with_values(scan, np.arange(10), same, 0.1 * same).copies == ()


def test_files_at_the_wrong_place_are_no_copies():
    """Two runs with the same files differ in a parameter that matters: nothing is learnt from that."""
    scan = copied_scan(40, copied=False)
    values, errors = np.array(scan.values), np.array(scan.errors)
    values[4], errors[4] = values[3], errors[3]
    wrong = replace(scan, values=values, errors=errors)
    assert wrong.copies == ()
    assert "the same contents elsewhere" in [finding.kind for finding in examine(wrong)]


def test_a_part_that_was_run_again_counts_for_itself():
    scan, again = copied_scan(40), copied_scan(40, seed=2, copied=False)
    rows = np.arange(0, 343, 5)
    values, errors = np.array(scan.values), np.array(scan.errors)
    values[rows], errors[rows] = again.values[rows], again.errors[rows]
    (block,) = replace(scan, values=values, errors=errors).copies
    assert block.depends.tolist() == [True, True, False]
    assert len(np.unique(block.measurement)) == 49 + len(rows)


def test_runs_at_one_point_may_share_a_part():
    scan = copied_scan(40, share=0.0)
    twice = join_scans([scan, scan.take_runs(scan.runs[:5])])
    values, errors = np.array(twice.values), np.array(twice.errors)
    values[343:, 20:] += errors[343:, 20:]
    shared = replace(twice, values=values, errors=errors)
    (block,) = shared.copies
    assert block.depends.all()
    assert block.bins.tolist() == list(range(20))
    assert len(np.unique(block.measurement)) == 343
    settled = settle(twice)[0]
    assert len(settled.runs) == 343
    assert settled.copies == ()


def test_a_held_out_run_takes_its_copies_with_it(tmp_path):
    scan = copied_scan(40)
    used, held = scan.split(["0010", "0100"])
    assert (len(used.runs), len(held.runs)) == (341, 2)
    (block,) = used.copies
    kept = block.firsts()
    assert len(kept) == 47
    gone = {10 // 7, 100 // 7}
    assert {int(used.runs[row]) // 7 for row in np.flatnonzero(block.left_out)} == gone
    assert not gone & {int(used.runs[row]) // 7 for row in kept}
    used.save(tmp_path / "used.npz")
    (read,) = Scan.load(tmp_path / "used.npz").copies
    for name, array in vars(block).items():
        np.testing.assert_array_equal(getattr(read, name), array)
    assert used.take_bins(np.arange(15, 40)).copies[0].bins.tolist() == list(range(5))
    assert used.take_bins(np.arange(20, 40)).copies == ()


def test_copies_that_are_none_are_refused():
    scan = copied_scan(40)
    with pytest.raises(InputError, match="differ in them"):
        replace(scan, values=scan.values + np.random.default_rng(1).normal(size=scan.values.shape),
                known_copies=scan.copies)  # fmt: skip
    with pytest.raises(InputError, match="copies of 343 runs for a scan of 2"):
        replace(scan, theta=scan.theta[:2], values=scan.values[:2], errors=scan.errors[:2], runs=("0", "1"),
                known_copies=scan.copies)  # fmt: skip


def test_parameters_of_the_grid_are_those_of_the_scan():
    assert copied_scan(20, n=3).parameters == PARAMETERS


def test_two_measurements_at_least_are_held_out() -> None:
    """Of five, a fifth would be one: it does not tell how far others would scatter."""
    from sbitune.data.blocks import draw_held_out, linked_runs

    grid = np.array([(a, b) for a in np.linspace(-1, 1, 5) for b in np.linspace(-1, 1, 7)])
    random = np.random.default_rng(4)
    lines = np.repeat(random.normal(10, 1, (5, 6)), 7, axis=0)
    values = np.concatenate([lines, random.normal(10, 1, (35, 6))], axis=1)
    path = np.repeat(["/EE/d01", "/PP/d01"], 6)
    place = np.tile(np.arange(6), 2)
    bins = Bins(path, place, place.astype(float), place + 1.0)
    parameters = (Parameter("a", -1.0, 1.0), Parameter("b", -1.0, 1.0))
    scan = Scan(parameters, grid, values, np.full(values.shape, 0.5), bins, tuple(f"{i:04d}" for i in range(35)))
    assert scan.copies
    held = draw_held_out(scan, random.permutation(35), 0.2)
    assert len(np.unique(linked_runs(scan)[held])) == 2
