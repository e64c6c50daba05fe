"""Significances against closed forms and exact sums; impacts against fits and the covariance."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.workspaces import COUNTS, model, uncorrelated_background
from scipy import stats

from sbitune.data.errors import InputError
from sbitune.data.parameter import Parameter
from sbitune.fitting.bridges.pyhf_import import open_workspace
from sbitune.fitting.hypotheses.asimov import asimov_data, expected_covariance
from sbitune.fitting.hypotheses.discovery import discovery
from sbitune.fitting.hypotheses.impacts import impacts
from sbitune.fitting.hypotheses.profiled import Profiled
from sbitune.fitting.likelihood.histfactory.channel import Channel, Sample
from sbitune.fitting.likelihood.histfactory.model import HistFactory
from sbitune.fitting.likelihood.histfactory.modifiers import NormFactor, NormSys
from sbitune.fitting.likelihood.product import Product
from sbitune.fitting.likelihood.terms.constraints import Constraint
from sbitune.fitting.likelihood.terms.counts import CountedBins
from sbitune.fitting.likelihood.terms.unbinned import UnbinnedEvents

BINS = CountedBins("bins", np.array([16.0]), lambda p: jnp.stack([p["s"] + 10.0]))
COUNTING = Product([BINS], [Parameter("s", 0.0, 40.0)])


def test_a_counting_experiment_has_the_closed_form():
    """q_0 = 2 (n log(n / b) - (n - b)); Asimov: G. Cowan et al., eq. 97."""
    found = discovery(COUNTING, "s", strength=5.0)
    assert found.statistic == pytest.approx(2 * (16 * np.log(1.6) - 6), abs=1e-7)
    assert found.significance == pytest.approx(np.sqrt(found.statistic))
    assert found.p_value == pytest.approx(stats.norm.sf(found.significance))
    assert found.expected == pytest.approx(np.sqrt(2 * (15 * np.log(1.5) - 5)), abs=1e-6)
    assert found.best == pytest.approx(6.0, abs=1e-5)
    less = discovery(COUNTING.with_data((np.array([8.0]),)), "s")
    assert (less.statistic, less.p_value) == (0.0, 0.5)
    assert str(found).startswith("s: p0 = 0.0406, significance 1.74, expected 1.47")


@pytest.mark.slow
def test_toys_of_a_counting_experiment_are_exact_sums():
    toys = discovery(COUNTING, "s", key=jax.random.key(1), toys=3000)
    assert toys.p_value == pytest.approx(stats.poisson.sf(15, 10.0), abs=4 * toys.p_error)


@pytest.fixture(scope="module")
def all_modifiers():
    return model().product(COUNTS)


@pytest.mark.slow
def test_impacts_are_those_of_fits(all_modifiers):
    found = impacts(all_modifiers, "mu")
    assert [abs(row.shift) for row in found.rows] == sorted((abs(row.shift) for row in found.rows), reverse=True)
    assert {row.parameter for row in found.rows} == {p.name for p in all_modifiers.parameters} - {
        "mu", "free[0]", "free[1]"
    }  # fmt: skip
    for row in found.rows:
        assert 0.1 < row.constraint < 1.05
        assert abs(row.pull) < 2
        for linear, (down, up) in ((row.shift, row.refitted), (row.held, row.reheld)):
            assert (up - down) / 2 == pytest.approx(linear, rel=0.4, abs=0.02)  # the model bends within an error
    # moved by a fiftieth of their errors
    profiled, small = Profiled(all_modifiers, "mu"), 0.02
    free = profiled.best()
    shifted = []
    for row in found.rows:
        for side in (-small, small):
            data = [np.array(one) for one in all_modifiers.data]
            term = next(t for t in (2, 3) if row.parameter in all_modifiers.terms[t].constrained)
            k = all_modifiers.terms[term].constrained.index(row.parameter)
            data[term][k] += side * (row.error if term == 2 else np.sqrt(data[term][k]))
            shifted.append(tuple(data))
    values = profiled.values(profiled.free(shifted, free.u[0])).reshape(-1, 2)
    slopes = (values[:, 1] - values[:, 0]) / (2 * small)
    np.testing.assert_allclose(slopes, [row.shift for row in found.rows], rtol=1e-3, atol=1e-3)


@pytest.mark.slow
def test_shares_of_a_small_error_are_exact():
    """For a measurement moved by a thousandth of its error the derivative is that of fits."""
    parameters = [Parameter("s", 0.0, 40.0), Parameter("e", 0.5, 1.5), Parameter("b", -1.0, 1.0)]
    bins = CountedBins("bins", np.array([16.0]), lambda p: jnp.stack([p["s"] * p["e"] + 10.0 + 2 * p["b"]]))
    problem = Product([bins, Constraint("e", 1.1, 0.001), Constraint("b", 0.0, 1e-3)], parameters)
    found = {row.parameter: row for row in impacts(problem, "s", refits=False).rows}
    # s = (n - 10 - 2 b) / e
    assert found["e"].shift == pytest.approx(-6 / 1.1**2 * 0.001, rel=1e-6)
    assert found["b"].shift == pytest.approx(-2 / 1.1 * 1e-3, rel=1e-6)
    with pytest.raises(InputError, match="s is at the end of its range"):
        impacts(problem.with_data((np.array([4.0]), *problem.data[1:])), "s", refits=False)


@pytest.mark.slow
def test_shares_of_measurements_and_of_data_add_up_to_the_variance():
    """With expected data, where the error is that of the data's own scatter: a measurement's share and what is left."""
    problem = open_workspace(uncorrelated_background()).problem
    theta = np.array([1.0, 1.0, 1.0])
    expected = problem.with_data(asimov_data(problem, theta).data)
    found = impacts(expected, "mu", refits=False)
    assert found.value == pytest.approx(1.0, abs=1e-6)
    covariance = expected_covariance(problem, theta)
    assert found.error == pytest.approx(np.sqrt(covariance[0, 0]), rel=1e-6)
    # share of a count of n events: d mu / d n sqrt(n), by fits with one more and one less
    steps = []
    for k in range(2):
        ends = []
        for side in (-1e-2, 1e-2):
            counts = np.array(expected.data[0])
            counts[k] += side
            ends.append(impacts(expected.with_data((counts, *expected.data[1:])), "mu", refits=False).value)
        steps.append((ends[1] - ends[0]) / 2e-2 * np.sqrt(expected.data[0][k]))
    assert found.statistical == pytest.approx(np.hypot(*steps), rel=1e-4)
    assert "of the data alone" in str(found)
    assert found.rows[0].refitted is None


def test_what_has_no_impacts_is_refused():
    with pytest.raises(InputError, match="no free parameter beside s has an auxiliary measurement"):
        impacts(COUNTING, "s")


class Exponential:
    """Events of which `s` are expected, or whose number says nothing; an `EventModel`."""

    parameters = ()

    def __init__(self, counted=True, factor=1.0):
        self.counted, self.factor = counted, factor

    def prepare(self, events):
        return np.asarray(events, float)

    def log_intensity(self, theta, prepared):
        number = theta["s"] if self.counted else 1.0
        return jnp.log(number * self.factor / theta["tau"]) - prepared / theta["tau"]

    def expected(self, theta):
        return theta["s"] if self.counted else None


@pytest.fixture(scope="module")
def pool():
    """Exponential of the mean 2, and weights for an integral over x."""
    x = np.random.default_rng(8).exponential(2.0, 40_000)
    return x, 2.0 * np.exp(x / 2) / len(x)


@pytest.mark.slow
def test_asimov_data_of_events_say_what_their_pool_is_worth(pool):
    """Weights are s 2 / tau exp(x / 2 - x / tau) / n: effective events n / E[w^2] with E[w^2] = 4 / 3 at tau = 1."""
    ranges, x = [Parameter("s", 1.0, 200.0), Parameter("tau", 0.5, 1.9)], np.ones(30)
    theta = np.array([50.0, 1.0])
    for intensity, number in ((Exponential(), 50.0), (Exponential(counted=False), 30.0)):
        fixed = {} if intensity.counted else {"s": 50.0}
        problem = Product([UnbinnedEvents("events", intensity, x, pool)], ranges, fixed=fixed)
        found = asimov_data(problem, theta)
        quality = found.pools["events"]
        assert quality.effective == pytest.approx(40_000 / (4 / 3), rel=0.02)
        assert quality.expected == number
        assert found.data[0].counts.sum() == pytest.approx(number, rel=0.02)
        assert found.notes == ()
        # tau / sqrt(n) of so many events
        error = np.sqrt(expected_covariance(problem, theta)[1, 1])
        assert error == pytest.approx(1 / np.sqrt(number), rel=0.03)
    assert quality.closure is None
    off = Product([UnbinnedEvents("events", Exponential(factor=1.1), x, pool)], ranges)
    found = asimov_data(off, theta)
    assert found.pools["events"].closure == pytest.approx(0.1, abs=0.01)
    assert "events: weights of the pool sum up to 1.1" in found.notes[0]


@pytest.mark.slow
def test_events_and_counts_share_parameters_and_constraints(pool):
    """Counts of a control region know the factor that events have, too: errors are those of both together."""
    channel = Channel("control", [Sample("s", np.array([40.0]), [NormFactor("s"), NormSys("scale", 1.2, 0.8)])])
    events = UnbinnedEvents("events", Exponential(), np.ones(30), pool)
    parameters = [Parameter("s", 1.0, 200.0), Parameter("tau", 0.5, 1.9)]
    problem = HistFactory([channel]).product({"control": [2000.0]}, [events], parameters)
    assert [p.name for p in problem.parameters] == ["scale", "s", "tau"]
    theta = np.array([0.0, 50.0, 1.0])
    covariance = expected_covariance(problem, theta)
    # log s is measured by events with 1 / 50, by counts with 1 / 2000 and the scale's .2 (code 4: slope 0.199)
    alone, slope = 1 / 2000, 0.2
    assert covariance[1, 1] / 2500 == pytest.approx(1 / (50 + 1 / (alone + slope**2)), rel=0.02)
