"""Runs that stand alone in a parameter: found at once or a few of them; no design of sound runs has any."""

import numpy as np
import pytest
from scipy.stats import qmc

from sbitune.data.bins import Bins
from sbitune.data.checks.examination import examine
from sbitune.data.checks.solitary import find_solitary
from sbitune.data.parameter import Parameter
from sbitune.data.scan import Scan


def at(points: np.ndarray) -> Scan:
    """A scan with runs at these points (n, p)."""
    n, p = points.shape
    ends = zip(points.min(axis=0).tolist(), points.max(axis=0).tolist(), strict=True)
    parameters = tuple(Parameter(f"p{i}", *pair) for i, pair in zip(range(p), ends, strict=True))
    errors = np.full((n, 4), 0.1)
    values = errors * np.random.default_rng(n).normal(10, 1, (n, 4))
    bins = Bins(np.full(4, "/x"), np.arange(4), np.arange(4.0), np.arange(4.0) + 1)
    return Scan(parameters, points, values, errors, bins, tuple(f"{i:04d}" for i in range(n)))


def alone(points: np.ndarray) -> set[tuple[int, int]]:
    return {(one.row, one.parameter) for one in find_solitary(at(points))}


@pytest.mark.parametrize("n", [12, 24, 60])
def test_a_wrong_digit_is_found_in_the_value_it_is_in(n):
    points = np.random.default_rng(n).uniform([0.112, 0.2, -1], [0.159, 2.0, 1], (n, 3))
    assert alone(points) == set()
    points[5, 0] = 1.561
    points[7, 2] = -9.0
    assert alone(points) == {(5, 0), (7, 2)}
    points[5, 0] = 0.0132
    assert alone(points) == {(5, 0), (7, 2)}
    if n >= 24:  # several of them do not make each other neighbours
        points[[3, 11], 0] = 1.3, 141.0
        points[5, 0] = 0.133
        points[9, 1] = 13.0
        assert alone(points) == {(3, 0), (11, 0), (9, 1), (7, 2)}


def test_the_finding_has_run_value_and_the_range_of_the_others():
    points = np.linspace(0.11, 0.16, 24)[:, None] + np.array([0.0, 1.0])
    points[:, 1] = np.random.default_rng(0).permutation(points[:, 1])
    points[4, 0] = 1.561
    (finding,) = (one for one in examine(at(points)) if one.kind == "runs that stand alone")
    assert finding.where == ("0004 (p0 = 1.561, all others in 0.11 .. 0.16)",)
    assert not finding.fatal


@pytest.mark.parametrize("n", [5, 12, 24, 48])
def test_designs_have_none(n):
    for seed in range(20):
        rng = np.random.default_rng(seed)
        points = [rng.uniform(0.1, 0.2, (n, 3)), 10 ** rng.uniform(-4, 1, (n, 3)), rng.normal(size=(n, 3)),
                  qmc.LatinHypercube(3, rng=rng).random(n), qmc.Sobol(3, rng=rng).random_base2(6)[:n],
                  -(10 ** rng.uniform(-1, 1, (n, 3)))]  # fmt: skip
        assert [alone(one) for one in points] == [set()] * len(points)


@pytest.mark.parametrize("ends", [(0.05, 0.15), (0.09, 0.3), (0.1, 0.3)])
@pytest.mark.parametrize("p", [1, 3, 10])
def test_one_parameter_at_a_time_has_none(p, ends):
    points = np.full((2 * p + 1, p), 0.1)
    for k in range(p):
        points[2 * k + 1 : 2 * k + 3, k] = ends
    assert alone(points) == set()
    assert alone(points[::2]) == set()


def test_grids_have_none():
    levels = np.array([0.01, 0.1, 1.0, 10.0, 1000.0])
    grid = np.stack(np.meshgrid(levels, [0.0, 1.0, 2.0], indexing="ij"), axis=-1).reshape(-1, 2)
    assert alone(grid) == set()
