"""A fit is of measurements, not of the order, the units or the names in which they are written down."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from helpers.linearfits import linear_problem
from helpers.toys import make_bins

from sbitune.data.bins import Bins
from sbitune.fitting.binned.extra import fit_extra
from sbitune.fitting.binned.tension import find_tension
from sbitune.fitting.config import BinnedFitConfig
from sbitune.fitting.likelihood.problem import BinnedProblem

N = 20
KINDS = {
    "likelihood": BinnedFitConfig(starts=2),
    "robust": BinnedFitConfig(starts=2, loss="student"),
    "theory": BinnedFitConfig(starts=2, theory_error={"/TOY": 0.03}),
    "weighted": BinnedFitConfig(starts=2),
}


def problem_of(kind: str) -> BinnedProblem:
    """With errors of the model that are correlated, and a source that shifts all bins."""
    problem = linear_problem()
    decay = 0.6 ** np.abs(np.subtract.outer(np.arange(N), np.arange(N)))
    problem = replace(problem, model=replace(problem.model, correlation=decay))
    if kind != "weighted":
        return problem
    return replace(problem, measured=replace(problem.measured, weights=np.repeat([1.0, 2.0, 0.5, 3.0], N // 4)))


def rewritten(problem: BinnedProblem, order: np.ndarray, units: np.ndarray, bins: Bins) -> BinnedProblem:
    """The same with `bins` (n_bins,), in that order of the old ones, and contents in other units (n_bins,)."""
    m, model = problem.measured, problem.model
    model = replace(
        model,
        bins=bins,
        offset=(units * model.offset)[order],
        slope=(units[:, None] * model.slope)[order],
        error=(units * model.error)[order],
        correlation=model.correlation[np.ix_(order, order)],
    )
    measured = replace(
        m,
        bins=bins,
        values=(units * m.values)[order],
        errors=(units * m.errors)[order],
        shifts=(units * m.shifts)[:, order],
        weights=m.weights[order],
    )
    return BinnedProblem(model, measured)


SAME, ONE = np.arange(N), np.ones(N)
OBSERVABLE = np.repeat(np.arange(4), N // 4)
#: order, units and bins
CHANGES = {
    "order of observables": (np.concatenate([np.flatnonzero(k == OBSERVABLE) for k in (2, 0, 3, 1)]), ONE, None),
    "order of bins": (np.random.default_rng(3).permutation(N), ONE, None),
    "units": (SAME, np.array([1e-3, 7.0, 1e6, 0.4])[OBSERVABLE], None),
    "splitting": (SAME, ONE, make_bins(N, 4)),
}


@cache
def fit_of(kind: str):
    """As it is written down first."""
    return fit_extra(problem_of(kind), KINDS[kind])


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=() if kind == "likelihood" else pytest.mark.slow) for kind in KINDS]
)
def test_a_fit_is_that_of_the_measurements(kind: str, change: str) -> None:
    order, units, bins = CHANGES[change]
    problem = problem_of(kind)
    bins = problem.model.bins.take(order) if bins is None else bins
    other = rewritten(problem, order, units, bins)
    (one, extra), (two, again) = fit_of(kind), fit_extra(other, KINDS[kind])
    np.testing.assert_allclose(two.values, one.values, rtol=0, atol=1e-6 * one.errors.min())
    np.testing.assert_allclose(two.covariance, one.covariance, rtol=1e-6)
    for name, ends in one.minos.items():
        assert two.minos[name] == pytest.approx(ends, rel=1e-5), name
    assert (two.chi2, two.chi2_unit, two.ndf) == pytest.approx((one.chi2, one.chi2_unit, one.ndf), rel=1e-6)
    np.testing.assert_allclose(again.added, (units * extra.added)[order], rtol=1e-5, atol=1e-9)
    if kind == "likelihood":
        pulls, moved = (find_tension(p, t, jackknife=False).pulls for p, t in ((problem, one), (other, two)))
        np.testing.assert_allclose(moved, pulls[order], atol=1e-5)
