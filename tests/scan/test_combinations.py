"""Run combinations: drawn, written, read."""

from itertools import combinations
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sbitune.data.errors import InputError
from sbitune.data.formats.combinations import read_combinations, sample, write_combinations

RUNS = [f"{i:04d}" for i in range(6)]


def test_all_runs_are_one_combination():
    assert sample(RUNS[::-1], 1) == (tuple(RUNS),)


@given(st.integers(2, 8), st.integers(0, 7), st.integers(1, 80), st.integers(0, 5))
@settings(max_examples=80, deadline=None)
def test_combinations_are_distinct_and_of_the_right_size(n_runs, leave_out, wanted, seed):
    runs = [f"r{i}" for i in range(n_runs)]
    if leave_out >= n_runs or wanted > comb(n_runs, leave_out):
        with pytest.raises(InputError, match="run combinations"):
            sample(runs, wanted, leave_out, seed)
        return
    found = sample(runs, wanted, leave_out, seed)
    assert len(set(found)) == len(found) == wanted
    assert all(list(names) == sorted(names) and len(names) == n_runs - leave_out for names in found)
    assert found == sample(runs, wanted, leave_out, seed)


@pytest.mark.parametrize("wanted", [1, 5])  # of 15: by rejection and by enumeration
def test_every_combination_is_as_likely_as_any_other(wanted):
    trials = 3000
    count = dict.fromkeys(combinations(RUNS, 4), 0)
    for seed in range(trials):
        for names in sample(RUNS, wanted, 2, seed):
            count[names] += 1
    share = wanted / 15
    spread = np.sqrt(trials * share * (1 - share))
    assert max(abs(n - trials * share) for n in count.values()) < 4 * spread


def test_many_runs_are_no_burden():
    found = sample([f"{i:04d}" for i in range(500)], 100, 50, seed=3)
    assert len(set(found)) == 100
    assert {len(names) for names in found} == {450}


names = st.text("abc019_/.-", min_size=1, max_size=6)


@given(st.lists(st.lists(names, min_size=1, max_size=4, unique=True), min_size=1, max_size=4))
@settings(deadline=None)
def test_a_written_file_comes_back(tmp_path_factory, ours):
    path = tmp_path_factory.mktemp("runs") / "runcombs.dat"
    write_combinations(path, ours)
    assert read_combinations(path) == tuple(map(tuple, ours))


def test_faults_are_named(tmp_path):
    path = tmp_path / "runcombs.dat"
    path.write_text("0000 0001\n\n0000 0002 0000\n")
    with pytest.raises(InputError, match=r"runcombs.dat:3: run 0000 is named twice"):
        read_combinations(path)
    path.write_text("0000 0001\n0000 0007\n")
    with pytest.raises(InputError, match=r"runcombs.dat:2: no run 0007 among the 6 runs"):
        read_combinations(path, RUNS)
    path.write_text("# nothing\n")
    with pytest.raises(InputError, match="no run combination"):
        read_combinations(path)
    with pytest.raises(InputError, match="'a b' cannot be written"):
        write_combinations(path, [["a b"]])
    with pytest.raises(InputError, match="empty combination"):
        write_combinations(path, [[]])
    with pytest.raises(InputError, match="needs a seed"):
        sample(RUNS, 2, 1)
    with pytest.raises(InputError, match="named twice"):
        sample(["a", "a"], 1)
