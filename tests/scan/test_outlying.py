"""Runs that are unlike their neighbours: found however far they are off, at every place; sound scans have none."""

from dataclasses import replace

import numpy as np
import pytest

from sbitune.data.bins import Bins
from sbitune.data.checks.examination import examine
from sbitune.data.checks.outlying import compare_runs
from sbitune.data.parameter import Parameter
from sbitune.data.scan import Scan

N_BINS = 30


def closed_form(kind: str, n: int = 60, p: int = 2, relative: float = 0.01, seed: int = 0) -> Scan:
    """Runs at random points of a box of p parameters."""
    rng = np.random.default_rng(seed)
    u, a, power = rng.uniform(-1, 1, (n, p)), rng.normal(size=(p, N_BINS)), 1 + rng.uniform(size=N_BINS)
    steep = 10 * (u[:, :1] + 1.1) ** -power  # at the edge a hundred times what it is in the middle
    exact = {
        "linear": 10 + u @ a,
        "exponential": np.exp(0.8 * u @ a),
        "steep": np.exp(1.5 * u.sum(axis=1))[:, None] * (10 + u @ a),
        "power": steep,
        "one in six steep": np.where(np.arange(N_BINS) % 6 == 0, steep, 10 + 0.3 * u @ a),
        "step": 10 + np.tanh(4 * u @ a),
    }[kind]
    errors = relative * np.abs(exact)
    values = exact + errors * rng.normal(size=exact.shape)
    index = np.arange(N_BINS)
    bins = Bins(np.full(N_BINS, "/A/d01"), index, index * 1.0, index + 1.0)
    parameters = tuple(Parameter(f"p{i}", -1, 1) for i in range(p))
    return Scan(parameters, u, values, errors, bins, tuple(f"{i:04d}" for i in range(n)))


def places(scan: Scan) -> list[int]:
    """Four corners or edges, the middle, and two more."""
    away = np.argsort(np.abs(scan.unit()).sum(axis=1))
    return [*away[-4:].tolist(), int(away[0]), 7, 23]


def found(scan: Scan) -> set[int]:
    return {one.row for one in compare_runs(scan).outlying}


@pytest.mark.parametrize("kind", ["linear", "exponential", "steep"])
@pytest.mark.parametrize("factor", [1.1, 1.5, 0.5, 10, 1e3, 1e6, 0, -1])
def test_a_factor_is_found_whatever_it_is_and_nothing_else(kind, factor):
    scan = closed_form(kind)
    for row in places(scan):
        for of_errors in (1.0, factor):
            values, errors = scan.values.copy(), scan.errors.copy()
            values[row] *= factor
            errors[row] *= abs(of_errors)
            assert found(replace(scan, values=values, errors=errors)) == {row}


@pytest.mark.parametrize("kind", ["linear", "exponential", "steep"])
def test_runs_of_swapped_parameters_are_found(kind):
    scan = closed_form(kind)
    for row in places(scan):
        other = int(np.argmax(np.abs(scan.theta - scan.theta[row]).sum(axis=1)))
        theta = scan.theta.copy()
        theta[[row, other]] = theta[[other, row]]
        assert found(replace(scan, theta=theta)) == {row, other}


def test_several_wild_runs_do_not_hide_one_another():
    scan = closed_form("exponential")
    values = scan.values.copy()
    rows = places(scan)[:5]
    values[rows] *= np.array([1e6, 100, 0, -1, 1.3])[:, None]
    assert found(replace(scan, values=values)) == set(rows)


@pytest.mark.parametrize("kind", ["linear", "exponential", "steep", "power", "one in six steep", "step"])
@pytest.mark.parametrize("relative", [0.0, 1e-3, 0.02, 0.3])
def test_sound_scans_have_none(kind, relative):
    for n, p in ((24, 1), (60, 2), (80, 3), (128, 5)):
        for seed in (0, 1):
            assert found(closed_form(kind, n, p, relative, seed)) == set()


@pytest.mark.parametrize("factor", [100, 1e6, 0, -1, 3])
@pytest.mark.parametrize(("n", "p", "wild"), [(12, 2, 1), (12, 2, 2), (16, 2, 1), (16, 2, 3), (16, 5, 1), (19, 2, 1),
                                              (20, 2, 3), (24, 2, 3), (60, 2, 7), (60, 2, 18)])  # fmt: skip
def test_wild_runs_are_found_among_few_and_when_they_are_many(n, p, wild, factor):
    for seed in (0, 1):
        scan = closed_form("linear", n, p, seed=seed)
        rows = np.random.default_rng(seed).choice(n, wild, replace=False)
        values, errors = scan.values.copy(), scan.errors.copy()
        values[rows] *= factor
        errors[rows] *= abs(factor)
        assert found(replace(scan, values=values, errors=errors)) == set(rows.tolist())


@pytest.mark.parametrize("n", [12, 16, 19])
def test_chance_names_hardly_a_run_where_runs_are_few(n):
    named = [
        bool(found(closed_form(kind, n, p, relative, seed)))
        for kind in ("linear", "exponential", "steep", "power", "one in six steep", "step")
        for p, relative in ((1, 0.02), (2, 0.3), (2, 0.0), (5, 0.02))
        for seed in range(100, 105)
    ]
    assert sum(named) <= 0.01 * len(named)


def test_what_cannot_be_told_is_said():
    few = compare_runs(closed_form("linear", 7, 2))
    assert few == ((), "7 runs of 2 parameters are too few, 8 are enough")
    assert compare_runs(closed_form("linear", 8, 2)).unmade == ""
    (finding,) = (one for one in examine(closed_form("linear", 7, 2)) if "neighbours" in one.what)
    assert finding.kind == "runs not compared"
    scan = closed_form("linear")
    values = scan.values.copy()
    values[:24] *= np.random.default_rng(0).uniform(3, 100, (24, 1))
    many = compare_runs(replace(scan, values=values))
    assert many.outlying == ()
    assert "of 60 runs are off a fit to the others" in many.unmade
