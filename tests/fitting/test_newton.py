"""Many fits at once agree with fits one by one and with closed forms, at the ends of ranges, too."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.mixture import problem

from sbitune.data.errors import InputError
from sbitune.data.parameter import Parameter
from sbitune.fitting.checks.coverage import coverage_of_toys
from sbitune.fitting.checks.toys import ToyConfig, fit_toys, throw
from sbitune.fitting.likelihood.product import Product
from sbitune.fitting.likelihood.terms.constraints import Constraint
from sbitune.fitting.likelihood.terms.counts import CountedBins
from sbitune.fitting.likelihood.terms.unbinned import UnbinnedEvents
from sbitune.fitting.minimise.descent import minimise
from sbitune.fitting.minimise.minimiser import fit
from sbitune.fitting.minimise.newton import find_minima

EXACT = {1.0: (0.3554, 0.0353), 0.3: (0.3551, 0.1170)}  # errors of mu and nu of a dense Asimov data set, by shift


@pytest.fixture(scope="module")
def mixture():
    return problem(np.random.default_rng(1), 1.0)


def asimov(of, theta):
    return of.with_data((of.terms[0].asimov(theta), np.asarray(theta["nu"])))


def test_errors_of_asimov_data_are_the_exact_ones(mixture):
    found = fit(asimov(mixture, {"mu": 1.0, "nu": 0.0}))
    # the pool moves the minimum: it has 1e5 events, of which some 3e4 count as much as the others
    assert found.values == pytest.approx([1, 0], abs=0.01)
    assert found.errors == pytest.approx(EXACT[1.0], rel=0.01)
    assert found.minimum == pytest.approx(0, abs=0.1)  # counted from the truth


@pytest.mark.slow
def test_coverage_of_the_mixture_is_exact():
    for shift in EXACT:
        found = coverage_of_toys(
            jax.random.key(3), problem(np.random.default_rng(2), shift), np.array([1.0, 0.0]), 2000
        )
        figures = found.figures()
        assert figures["coverage68"] == pytest.approx(0.683, abs=3 * 0.0076)
        assert figures["coverage95"] == pytest.approx(0.950, abs=3 * 0.0037)


def test_minima_are_those_of_single_fits(mixture):
    data = throw(jax.random.key(1), mixture, np.array([1.0, 0.0]), 5)
    frame = mixture.frame()
    with mixture.computing():
        objective = mixture.objective()
        free = np.array([True, True])
        for held in (free, np.array([True, False])):
            many = find_minima(objective.over_data, frame.to_unit(np.array([1.0, 0.0])), data, frame.limits, held)
            assert many.converged.all()
            for i, one in enumerate(data):
                single = objective.refit(one)
                point = minimise(single, frame.to_unit(np.array([1.0, 0.0])), frozenset(np.flatnonzero(~held)))
                errors = np.sqrt(np.diag(np.linalg.inv(single.hessian(point) / 2)))
                assert np.all(np.abs(many.u[i] - point.u) < 2e-3 * errors)
                assert many.value[i] == pytest.approx(point.value, abs=1e-5)
                np.testing.assert_allclose(many.hessian[i], single.hessian(point), rtol=1e-2)


def counting(low: float) -> Product:
    bins = CountedBins("bins", np.array([4.0]), lambda p: jnp.stack([p["s"] * p["e"] + 6.0]))
    return Product([bins, Constraint("e", 1.0, 0.1)], [Parameter("s", low, 40.0), Parameter("e", 0.5, 1.5)])


def test_toys_at_the_end_of_a_range_stay_within_it():
    of = counting(0.0)
    toys = fit_toys(jax.random.key(2), of, np.array([0.5, 1.0]), 400, ToyConfig())
    assert not toys.failed
    counts = np.array([data[0][0] for data in throw(jax.random.key(2), of, np.array([0.5, 1.0]), 400)])
    at_zero = toys.values[:, 0] < 1e-9
    np.testing.assert_array_equal(at_zero, counts <= 6)
    # with the efficiency where its measurement has it, s is what is above the background
    measured = np.array([data[1] for data in throw(jax.random.key(2), of, np.array([0.5, 1.0]), 400)])
    np.testing.assert_allclose(toys.values[~at_zero, 0], ((counts - 6) / measured)[~at_zero], rtol=2e-3, atol=2e-3)


def test_where_the_likelihood_is_not_finite_no_fit_ends():
    """From s = -9 there are bins that expect less than nothing."""
    toys = fit_toys(jax.random.key(3), counting(-9.0), np.array([2.0, 1.0]), 200, ToyConfig())
    assert len(toys.failed) < 20
    assert np.isfinite(toys.values).all()
    found = fit(counting(-9.0))
    assert found.values[0] == pytest.approx(-2.0, abs=1e-3)


def test_toys_of_a_pool(mixture):
    term = mixture.terms[0]
    given = {"mu": 1.0, "nu": 0.0}
    expected = term.expectation(given)
    assert expected.counts.sum() == pytest.approx(1050, rel=0.01)
    drawn = term.draw(jax.random.key(1), given, 200)
    sizes = np.array([one.counts.sum() for one in drawn])
    assert sizes.mean() == pytest.approx(1050, abs=4 * np.sqrt(1050 / 200))
    assert sizes.var() == pytest.approx(1050, rel=4 * np.sqrt(2 / 200))
    y = np.concatenate([one.prepared[1][one.counts > 0] for one in drawn])
    assert y.mean() == pytest.approx(1000 / 1050, abs=4 / np.sqrt(len(y)) + 0.02)
    x = np.zeros((3, 2))
    with pytest.raises(InputError, match=r"events: 50\.0% of the pool has negative weights"):
        UnbinnedEvents("events", term.model, x, (np.zeros((2, 2)), np.array([2.0, -1.0]))).draw(
            jax.random.key(1), given, 1
        )
    with pytest.raises(InputError, match="toys need `sample`"):
        UnbinnedEvents("events", term.model, x).draw(jax.random.key(1), given, 1)
    with pytest.raises(InputError, match="weights of the pool must be finite"):
        UnbinnedEvents("events", term.model, x, (x, np.array([1.0, -1.0, 0.0])))
