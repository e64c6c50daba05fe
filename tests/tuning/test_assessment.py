"""The answer of a fit honours all that a config can ask for, with or without a card."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.toys import linear_model, make_bins

from sbitune.data.errors import InputError
from sbitune.fitting.binned.autoweights import with_weights
from sbitune.fitting.config import BinnedFitConfig
from sbitune.fitting.likelihood.measured import Measured
from sbitune.fitting.likelihood.problem import BinnedProblem
from sbitune.fitting.minimise.minimiser import fit
from sbitune.tuning.stages.assessment import assess, describe_assessment

N = 20
MODEL = replace(linear_model(n_bins=N), bins=make_bins(N, 10))
PATHS = MODEL.bins.paths()
VALUES = MODEL.offset + MODEL.slope @ [0.8, 1.5] + np.random.default_rng(2).normal(0, 0.3, N)
MEASURED = Measured(np.arange(N), MODEL.bins, VALUES, np.full(N, 0.3), np.zeros((0, N)), np.ones(N))


def fitted(**settings):
    return answer(MEASURED, **settings).tune


def answer(measured, **settings):
    return assess(BinnedProblem(MODEL, measured), BinnedFitConfig(starts=1, minos=False, toys=0, **settings))


def test_theory_errors_enter_as_variances_of_the_prediction():
    tune = fitted(theory_error={PATHS[0]: 0.1})
    prediction = MODEL.offset + MODEL.slope @ tune.values
    variance = 0.3**2 + np.where(np.arange(N) < 10, 0.1 * prediction, 0.0) ** 2
    lever = MODEL.slope.T / variance
    covariance = np.linalg.inv(lever @ MODEL.slope)
    expected = covariance @ lever @ (VALUES - MODEL.offset)
    np.testing.assert_allclose(tune.values, expected, atol=2e-3 * tune.errors.min())
    np.testing.assert_allclose(tune.covariance, covariance, rtol=1e-3)
    assert (tune.errors > fitted().errors).all()


def test_the_robust_loss_takes_an_outlier_out():
    off = replace(MEASURED, values=VALUES + np.where(np.arange(N) == 4, 30.0, 0.0))
    plain, robust = (answer(off, loss=loss).tune for loss in ("gauss", "student"))
    clean = fitted()
    assert np.abs((plain.values - clean.values) / clean.errors).max() > 3
    assert np.abs((robust.values - clean.values) / clean.errors).max() < 1
    assert any("count less than half" in note for note in robust.notes)


def test_weights_that_are_chosen_are_told_beside_the_tune_without_them():
    found = answer(MEASURED, automatic_weights=True, weight_fits=12)
    about = describe_assessment(found)["automatic_weights"]
    assert list(about["weights"]) == PATHS
    again = fit(with_weights(BinnedProblem(MODEL, MEASURED), about["weights"]), BinnedFitConfig(starts=1, minos=False))
    np.testing.assert_allclose(found.tune.values, again.values, atol=1e-3 * again.errors.min())
    assert sum(weight**2 for weight in about["weights"].values()) == pytest.approx(2, rel=1e-6)
    plain = fitted()
    for name, value, error in zip(plain.names, plain.values, plain.errors, strict=True):
        assert about["as_given"][name] == {"value": pytest.approx(value), "error": pytest.approx(error)}


def test_toys_that_hold_what_the_data_chose_are_noted():
    problem = BinnedProblem(MODEL, MEASURED)
    config = BinnedFitConfig(starts=1, minos=False, toys=2, automatic_weights=True, weight_fits=12)
    assert any("toys hold them" in note for note in assess(problem, config).tune.notes)


def test_what_is_wrong_with_the_fit_of_a_card_is_told_by_its_key():
    with pytest.raises(InputError, match=r"^fit.weight_fits: 3 fits cannot choose the weights of 2 observables"):
        answer(MEASURED, automatic_weights=True, weight_fits=3)
