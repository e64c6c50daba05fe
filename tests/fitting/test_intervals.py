"""Intervals from a rise of 1 in a linear problem, where they are known in closed form, limits included."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.linearfits import linear_problem, solve

from sbitune.fitting.minimise.intervals import find_intervals
from sbitune.fitting.minimise.minimiser import fit


def test_inside_they_are_the_errors() -> None:
    problem = linear_problem()
    tune = fit(problem)
    found = find_intervals(problem, tune, tune.free)
    assert found.notes == ()
    for name, error in zip(tune.names, tune.errors, strict=True):
        np.testing.assert_allclose(found.found[name], [-error, error], rtol=1e-3)


def test_a_limit_ends_them_and_is_told() -> None:
    problem = linear_problem()
    tune = fit(problem)
    near = (tune.values[1] - 0.5 * tune.errors[1], 5.0)
    cut = replace(problem, limits={"String:sigma": near})
    found = find_intervals(cut, fit(cut), ["String:sigma"])
    np.testing.assert_allclose(found.found["String:sigma"], [-0.5 * tune.errors[1], tune.errors[1]], rtol=1e-2)
    assert found.notes == ("the interval of String:sigma ends at its lower limit",)


@pytest.mark.parametrize("beyond", [0.2, 2.0])
def test_at_a_limit_the_interval_goes_as_far_inside_as_the_likelihood_says(beyond: float) -> None:
    problem = linear_problem()
    best = solve(problem)
    error = np.sqrt(best.covariance[1, 1])
    limit = float(best.theta[1] - beyond * error)
    tune = fit(replace(problem, limits={"String:sigma": (-3.0, limit)}))
    assert tune.at_limit == ("String:sigma",)
    low, high = tune.minos["String:sigma"]
    # (a + d)^2 - a^2 = 1 with a the distance of the free minimum behind the limit, in errors
    assert high == pytest.approx(0, abs=1e-3 * error)
    assert -low == pytest.approx((np.sqrt(beyond**2 + 1) - beyond) * error, rel=0.02)
    assert tune.quoted_errors[1] == -low
    assert f"{low:+.4g}" in str(tune)
