"""Automatic weights: outer objectives in closed form, and a conflict whose best weights are known."""

from dataclasses import replace

import jax.numpy as jnp
import msgspec
import numpy as np
import pytest
from helpers.toys import Formula, linear_model, make_bins

from sbitune.data.bins import Bins
from sbitune.data.errors import InputError
from sbitune.data.parameter import Parameter
from sbitune.fitting.binned.autoweights import _search, choose_weights, find_metrics, outer_objective, with_weights
from sbitune.fitting.config import BinnedFitConfig
from sbitune.fitting.likelihood.measured import Measured
from sbitune.fitting.likelihood.problem import BinnedProblem
from sbitune.fitting.minimise.minimiser import fit


def config(objective=True, fits=40, **settings):
    return BinnedFitConfig(starts=1, minos=False, automatic_weights=objective, weight_fits=fits, **settings)


def conflict(many=20, few=2, sigma=0.5):
    """Many bins of one observable want x = 0, few bins of another want x = 1."""
    n = many + few
    path = np.array(["/TOY/many"] * many + ["/TOY/few"] * few)
    bins = Bins(path, np.arange(n), np.arange(n), np.arange(n) + 1.0)
    model = Formula((Parameter("x", -2.0, 2.0, None),), bins, lambda theta: jnp.ones(n) * theta[0])
    values = np.repeat([0.0, 1.0], [many, few])
    return BinnedProblem(model, Measured(np.arange(n), bins, values, np.full(n, sigma), np.zeros((0, n)), np.ones(n)))


def test_the_portfolio_weighs_two_observables_until_both_are_described_alike():
    chosen = choose_weights(conflict(), config("portfolio"))
    # e = x^2 / sigma^2 and (1 - x)^2 / sigma^2: mean and variance are smallest at 1/2, where few bins count tenfold
    assert chosen.given.values[0] == pytest.approx(2 / 22, abs=1e-3)
    assert chosen.fitted.values[0] == pytest.approx(0.5, abs=0.05)
    assert (chosen.weights["/TOY/few"] / chosen.weights["/TOY/many"]) ** 2 == pytest.approx(10, rel=0.3)
    assert sum(w**2 for w in chosen.weights.values()) == pytest.approx(2)
    x = chosen.fitted.values[0]
    e = np.array([x**2, (1 - x) ** 2]) / 0.25
    assert chosen.automatic_metrics.outer == pytest.approx(e.mean() + e.var(), rel=1e-6)
    assert chosen.automatic_metrics.outer < chosen.given_metrics.outer
    assert list(chosen.automatic_metrics.chi2_per_bin.values()) == pytest.approx(list(e), rel=1e-6)


def test_what_was_tried_first_are_equal_shares_and_the_best_is_kept():
    problem = conflict()
    chosen = choose_weights(problem, config("meanscore"))
    e = np.array([(2 / 22) ** 2, (20 / 22) ** 2]) / 0.25
    assert len(chosen.history) == 40
    assert chosen.history[0] == pytest.approx(e.sum() + 2 * np.log(0.25), rel=1e-4)
    assert chosen.automatic_metrics.outer == pytest.approx(chosen.history.min(), rel=1e-3)


def test_the_same_seed_gives_the_same_weights():
    one, two = (choose_weights(conflict(), config("medianscore", fits=12, seed=5)) for _ in range(2))
    assert one.weights == two.weights
    np.testing.assert_array_equal(one.history, two.history)


def test_outer_objectives_in_closed_form():
    r, data, model = np.array([1.0, 2.0, 3.0, 1.0, 5.0]), np.array([1.0, 4.0, 1.0, 4.0, 1.0]), 0.5
    places = [np.arange(3), np.arange(3, 5)]
    e = [np.mean([1 / 1.5, 4 / 4.5, 9 / 1.5]), np.mean([1 / 4.5, 25 / 1.5])]
    g = {name: outer_objective(name, r, data + model, data, places) for name in ("portfolio", "meanscore")}
    assert g["portfolio"] == pytest.approx(np.mean(e) + ((e[0] - e[1]) / 2) ** 2)
    scores = np.array([1, 1 + np.log(4), 9, 0.25 + np.log(4), 25])
    assert g["meanscore"] == pytest.approx(scores[:3].mean() + scores[3:].mean())
    median = outer_objective("medianscore", r, data + model, data, places)
    assert median == pytest.approx(1 + np.log(4) + scores[3:].mean())
    r[2] = 1e3  # a bin that cannot be described
    assert outer_objective("medianscore", r, data + model, data, places) == pytest.approx(median)


def test_metrics_are_those_of_weighted_least_squares():
    model = replace(linear_model(n_bins=20, error=0.1), bins=make_bins(20, 10))
    rng = np.random.default_rng(9)
    values = model.offset + model.slope @ [0.8, 1.5] + rng.normal(0, 0.3, 20)
    measured = Measured(np.arange(20), model.bins, values, np.full(20, 0.3), np.zeros((0, 20)), np.ones(20))
    paths = model.bins.paths()
    problem = with_weights(BinnedProblem(model, measured), {paths[0]: 2.0, paths[1]: 0.5})
    tune = fit(problem, config())
    metrics = find_metrics(problem, tune, "portfolio")
    w2, v = np.repeat([4.0, 0.25], 10), 0.3**2 + 0.1**2
    bread = np.linalg.inv(model.slope.T @ (w2[:, None] * model.slope))
    theta = bread @ model.slope.T @ (w2 * (values - model.offset))
    covariance = v * bread @ model.slope.T @ (w2[:, None] ** 2 * model.slope) @ bread
    half = np.array([1.0, 4.0])
    scaled = covariance / np.outer(half, half)
    chi2 = (model.offset + model.slope @ theta - values) ** 2 / v
    assert metrics.a_optimality == pytest.approx(np.trace(scaled), rel=1e-5)
    assert metrics.d_optimality == pytest.approx(np.log(np.linalg.det(scaled)), rel=1e-5)
    assert metrics.chi2 == pytest.approx(chi2.sum(), rel=1e-5)
    # shares of 16/17 and 1/17, times the number of observables
    assert metrics.weighted_chi2 == pytest.approx(2 * (16 * chi2[:10].sum() + chi2[10:].sum()) / 17, rel=1e-5)
    e = [chi2[:10].mean(), chi2[10:].mean()]
    assert metrics.median == pytest.approx(np.mean(e), rel=1e-5)
    np.testing.assert_allclose(metrics.cumulative()[0], np.sort(e), rtol=1e-5)
    np.testing.assert_array_equal(metrics.cumulative()[1], [0.5, 1.0])
    # weights other than 1 can only lose information
    best = find_metrics(BinnedProblem(model, measured), fit(BinnedProblem(model, measured), config()), "portfolio")
    assert best.d_optimality < metrics.d_optimality
    assert best.a_optimality < metrics.a_optimality


def test_the_search_finds_a_valley_that_chance_does_not():
    target = np.array([0.5, 0.3, 0.1, 0.05, 0.03, 0.02])

    def valley(shares):
        return float(np.sum((shares - target) ** 2))

    found, history = _search(valley, 6, 100, np.random.default_rng(1))
    chance = min(valley(w) for w in np.random.default_rng(2).dirichlet(np.ones(6), size=1000))
    assert found.sum() == pytest.approx(1)
    assert valley(found) == pytest.approx(history.min())
    assert valley(found) < chance / 3  # with a tenth of the calls


def test_fits_that_fail_are_not_chosen():
    def broken(shares):
        return np.inf if shares[0] < 0.3 else float(-shares[1])

    found, history = _search(broken, 3, 40, np.random.default_rng(3))
    assert np.isinf(history).any()
    assert found[0] >= 0.3


def test_one_observable_and_too_few_fits_are_refused():
    n = 4
    model = linear_model(n_bins=n)
    measured = Measured(np.arange(n), model.bins, model.offset, np.ones(n), np.zeros((0, n)), np.ones(n))
    with pytest.raises(InputError, match="there is one observable"):
        choose_weights(BinnedProblem(model, measured), config())
    with pytest.raises(InputError, match="3 fits cannot choose the weights of 2 observables"):
        choose_weights(conflict(), config(fits=3))


@pytest.mark.parametrize(
    ("card", "message"),
    [
        ({"automatic_weights": "sharpe"}, "sharpe|expected"),
        ({"automatic_weights": "mean_score"}, "mean_score"),  # the published name is meanscore
        ({"theory_error": {"/A": -0.1}}, ">= 0"),
        ({"theory_error": {"/A": "guessed"}}, "guessed"),
        ({"loss": "huber"}, "huber"),
        ({"student_dof": 0}, ">= 0.1"),
        ({"weight_fits": 0}, ">= 1"),
    ],
)
def test_a_card_that_asks_for_what_there_is_not_is_refused(card, message):
    with pytest.raises(msgspec.ValidationError, match=message):
        msgspec.convert(card, BinnedFitConfig)


def test_a_card_can_ask_for_all_of_it():
    card = {"theory_error": {"/A": "fitted", "/B": 0.05}, "loss": "student", "automatic_weights": "medianscore"}
    read = msgspec.convert(card, BinnedFitConfig)
    assert read.theory_error == card["theory_error"]
    assert (read.loss, read.student_dof, read.automatic_weights) == ("student", 4.0, "medianscore")
    assert msgspec.convert({"automatic_weights": True}, BinnedFitConfig).automatic_weights is True
