"""Designs and bias formulas."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbitune.data.errors import InputError
from sbitune.data.text.expressions import compile_formula
from sbitune.generators.designs import run_seed, stretch, unit_points


@pytest.mark.parametrize("design", ["sobol", "uniform"])
def test_extending_a_design_keeps_its_first_points(design):
    np.testing.assert_array_equal(unit_points(design, 50, 3, 7), unit_points(design, 130, 3, 7)[:50])


@pytest.mark.parametrize("design", ["sobol", "latin", "uniform"])
def test_seeds_give_other_points_and_the_same_seed_the_same(design):
    first = unit_points(design, 20, 4, 1)
    np.testing.assert_array_equal(first, unit_points(design, 20, 4, 1))
    assert not np.allclose(first, unit_points(design, 20, 4, 2))
    assert first.min() >= 0
    assert first.max() <= 1


def test_latin_hypercube_has_one_point_in_every_slice():
    points = unit_points("latin", 40, 3, 3)
    for column in points.T:
        np.testing.assert_array_equal(np.sort(np.floor(column * 40)), np.arange(40))


def test_sobol_of_a_power_of_two_is_balanced():
    points = unit_points("sobol", 64, 5, 3)
    for column in points.T:
        np.testing.assert_array_equal(np.bincount((column * 64).astype(int), minlength=64), np.ones(64))


def test_grid_has_all_corners_and_refuses_other_numbers():
    points = unit_points("grid", 27, 3, 0)
    assert len({tuple(p) for p in points}) == 27
    assert {0.0, 0.5, 1.0} == set(points.ravel())
    with pytest.raises(InputError, match=r"30 is none, 27 is"):
        unit_points("grid", 30, 3, 0)


@given(st.floats(0, 1), st.floats(0.1, 5), st.floats(0.1, 5))
def test_stretch_stays_inside(u, low, width):
    x = stretch(np.array([u]), low, low + width, "1/x")
    assert low <= x[0] <= low + width


def test_bias_is_even_in_the_formula():
    u = np.linspace(0, 1, 11)
    np.testing.assert_allclose(np.log(stretch(u, 0.01, 1.0, "log(x)")), np.log(0.01) * (1 - u), atol=2e-3)
    np.testing.assert_allclose(1 / stretch(u, 0.5, 2.0, "1/x"), 2 - 1.5 * u, atol=1e-5)
    np.testing.assert_array_equal(stretch(u, 2.0, 3.0), 2 + u)


def test_bias_that_turns_is_refused():
    with pytest.raises(InputError, match=r"parameters.a.bias: 'x\*\*2' is not finite and monotonic"):
        stretch(np.zeros(1), -1.0, 1.0, "x**2", "parameters.a.bias")
    with pytest.raises(InputError, match="not finite"):
        stretch(np.zeros(1), -1.0, 1.0, "log(x)")


@pytest.mark.parametrize("text", ["__import__('os')", "x.real", "y", "log(x, 2)", "[x]", "x if x else 1", "'a'", "log"])
def test_formulas_are_arithmetic_only(text):
    with pytest.raises(InputError, match=r"is not understood|cannot read the formula"):
        compile_formula(text, "here")


def test_seeds_are_pythias_and_differ():
    seeds = {run_seed(1, run, stream) for run in range(500) for stream in range(2)}
    assert len(seeds) == 1000
    assert min(seeds) >= 1
    assert max(seeds) <= 900_000_000
    assert run_seed(5, 3) == run_seed(5, 3)
