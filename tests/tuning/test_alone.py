"""Fits of a surrogate without a card honour all that a config can ask for."""

from dataclasses import replace

import numpy as np
import pytest
from toys import linear_model, make_bins

from sbitune.fitting.autoweights import with_weights
from sbitune.fitting.config import FitConfig
from sbitune.fitting.minimiser import fit
from sbitune.fitting.problem import Measured, Problem
from sbitune.tuning.alone import fit_surrogate
from sbitune.tuning.matching import Matched

N = 20
MODEL = replace(linear_model(n_bins=N), bins=make_bins(N, 10))
PATHS = MODEL.bins.paths()
VALUES = MODEL.offset + MODEL.slope @ [0.8, 1.5] + np.random.default_rng(2).normal(0, 0.3, N)
MEASURED = Measured(np.arange(N), MODEL.bins, VALUES, np.full(N, 0.3), np.zeros((0, N)), np.ones(N))


def fitted(**settings):
    return fit_surrogate(MODEL, Matched(MEASURED, ()), FitConfig(starts=1, minos=False, **settings))


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
    plain, robust = (
        fit_surrogate(MODEL, Matched(off, ()), FitConfig(starts=1, minos=False, loss=loss))
        for loss in ("gauss", "student")
    )
    clean = fitted()
    assert np.abs((plain.values - clean.values) / clean.errors).max() > 3
    assert np.abs((robust.values - clean.values) / clean.errors).max() < 1
    assert any("count less than half" in note for note in robust.notes)


def test_weights_that_are_chosen_are_told_and_used():
    tune = fitted(automatic_weights=True, weight_fits=12)
    (note,) = [note for note in tune.notes if note.startswith("weights chosen by portfolio: ")]
    weights = dict(part.rsplit(" ", 1) for part in note.split(": ", 1)[1].split(", "))
    assert list(weights) == PATHS
    weighted = with_weights(Problem(MODEL, MEASURED), {path: float(word) for path, word in weights.items()})
    again = fit(weighted, FitConfig(starts=1, minos=False))
    # the note gives three digits
    np.testing.assert_allclose(tune.values, again.values, atol=0.01 * tune.errors.min())
    assert sum(float(word) ** 2 for word in weights.values()) == pytest.approx(2, rel=0.01)
