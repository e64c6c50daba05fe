"""The inverse model against a posterior in closed form, with a correlated error source and a surrogate that errs."""

import jax
import msgspec
import numpy as np
import pytest
from helpers.lineartoy import exact_posterior, full_covariance, make_toy, measure, points, scan_of

from sbitune.data.errors import InputError
from sbitune.fitting.likelihood.problem import BinnedProblem
from sbitune.fitting.minimise.minimiser import fit
from sbitune.tuning.inverse.config import InverseConfig
from sbitune.tuning.inverse.storage import load_inverse, save_inverse
from sbitune.tuning.inverse.summary import compare
from sbitune.tuning.inverse.training import train_inverse

KEY = jax.random.key(2)
CONFIG = InverseConfig(steps=800, points=10000, calibration_pairs=400)
TOY = make_toy(3, 40, error=0.5, correlation=0.4)
SHIFTS = np.linspace(-0.8, 1.0, 40)[None]
MEASURED = measure(TOY, np.array([0.3, -1.0, 1.5]), 5, SHIFTS)


@pytest.fixture(scope="module")
def model():
    return train_inverse(jax.random.key(1), scan_of(TOY, 300), MEASURED, CONFIG, TOY)


@pytest.fixture(scope="module")
def small():
    """Of a few steps: for what does not depend on how well it has learnt."""
    few = msgspec.structs.replace(
        CONFIG, steps=60, members=2, points=2000, layers=1, hidden=(16,), knots=4, calibration_pairs=50
    )
    return train_inverse(jax.random.key(1), scan_of(TOY, 300), MEASURED, few, TOY)


@pytest.mark.slow
def test_means_and_widths_are_those_of_the_exact_posterior(model) -> None:
    shifts, widths = [], []
    for i, theta in enumerate(points(TOY, 20, 9)):
        measured = measure(TOY, theta, 100 + i, SHIFTS)
        exact = exact_posterior(TOY, measured, measured.values)
        draws = model.posterior(jax.random.key(i), measured.values, 4000)
        shifts.append((draws.mean(axis=0) - exact.mean) / exact.spread)
        widths.append(draws.std(axis=0) / exact.spread)
    # 4000 draws tell a mean to 1.6 % of the width and a width to 1.1 %
    assert np.sqrt(np.mean(np.square(shifts), axis=0)).max() < 0.12
    assert np.mean(widths, axis=0) == pytest.approx(np.ones(3), abs=0.06)
    assert np.mean(widths) == pytest.approx(1, abs=0.04)


@pytest.mark.slow
def test_the_density_is_that_of_the_exact_posterior(model) -> None:
    exact = exact_posterior(TOY, MEASURED, MEASURED.values)
    around = exact.mean + exact.spread * np.random.default_rng(1).normal(size=(200, 3))
    low, high = np.array([(p.low, p.high) for p in TOY.parameters]).T
    around = around[((around > low) & (around < high)).all(axis=1)]
    assert len(around) > 100
    covariance = full_covariance(TOY, MEASURED)
    r = TOY.predict_many(around).mean - MEASURED.values
    chi2 = np.sum(r * np.linalg.solve(covariance, r.T).T, axis=1)
    difference = model.log_prob(around, MEASURED.values) + chi2 / 2
    assert difference.std() < 0.12  # the norm of the exact density is not needed: log q + chi2 / 2 is a constant
    assert model.log_prob(np.array([0.0, 0.0, 99.0]), MEASURED.values) == -np.inf


@pytest.mark.slow
def test_the_density_is_normalised_in_the_units_of_theta(small) -> None:
    exact = exact_posterior(TOY, MEASURED, MEASURED.values)
    low, high = exact.mean - 6 * exact.spread, exact.mean + 6 * exact.spread
    inside = np.array([(max(a, p.low), min(b, p.high)) for a, b, p in zip(low, high, TOY.parameters, strict=True)])
    uniform = np.random.default_rng(4).uniform(*inside.T, (120000, 3))
    weight = np.exp(small.log_prob(uniform, MEASURED.values)) * np.prod(inside[:, 1] - inside[:, 0])
    assert weight.mean() == pytest.approx(1, abs=4 * weight.std() / np.sqrt(120000))
    assert weight.std() / np.sqrt(120000) < 0.02


@pytest.mark.slow
def test_no_draw_leaves_the_box(model) -> None:
    edge = TOY.predict_many(np.array([[1.0, -2.0, 5.0]])).mean[0]  # a corner of the box
    draws = model.posterior(KEY, edge, 5000)
    low, high = np.array([(p.low, p.high) for p in TOY.parameters]).T
    assert (draws >= low).all()
    assert (draws <= high).all()
    assert np.quantile(draws[:, 2], 0.9) > 4.5


@pytest.mark.slow
def test_the_calibration_is_consistent_and_the_data_are_inside(model) -> None:
    assert set(model.calibration.verdicts().values()) == {"consistent"}
    assert model.calibration.p_value > 1e-3
    assert model.inside.p_value > 0.01
    assert not model.inside.outside or model.inside.outside[0].distance < 4
    assert not [note for note in model.notes if "NOT" in note or "calibration" in note]


@pytest.mark.slow
def test_data_that_the_scan_cannot_give_are_noted_first(model) -> None:
    strange = MEASURED.values + 4.0 * np.where(np.arange(40) % 2, 1, -1)
    summary = model.summary(KEY, strange, n=400)
    assert "NOT like anything" in summary.notes[0]
    assert "NOT like anything" in str(summary).splitlines()[0]
    assert not any("NOT" in note for note in model.summary(KEY, n=400).notes)


@pytest.mark.slow
def test_the_posterior_agrees_with_the_direct_fit(model) -> None:
    tune = fit(BinnedProblem(TOY, MEASURED))
    summary = model.summary(KEY)
    compared = compare(summary, tune)
    assert compared.names == tune.names
    # the posterior's mean is pulled from the edge of the box if the fit is near to it; here all are inside
    assert np.abs(compared.difference).max() < 0.2
    assert compared.width == pytest.approx(np.ones(3), abs=0.1)
    assert compared.difference_of_width * compared.width == pytest.approx(compared.difference)
    assert compared.quantile == pytest.approx(np.full(3, 0.5), abs=0.1)
    assert "String:p2" in str(compared)


@pytest.mark.slow
def test_fixed_parameters_are_not_compared(small) -> None:
    tune = fit(BinnedProblem(TOY, MEASURED, fixed={"String:p1": -1.0}))
    compared = compare(small.summary(KEY, n=400), tune)
    assert compared.names == ("String:p0", "String:p2")
    assert compared.fixed == ("String:p1",)


@pytest.mark.slow
def test_the_same_key_gives_the_same_draws_and_a_file_keeps_them(small, tmp_path) -> None:
    save_inverse(tmp_path / "inverse.npz", small)
    again = load_inverse(tmp_path / "inverse.npz")
    draws = small.posterior(KEY, MEASURED.values, 50)
    np.testing.assert_array_equal(again.posterior(KEY, MEASURED.values, 50), draws)
    assert again.notes == small.notes
    assert again.inside == small.inside
    np.testing.assert_array_equal(again.calibration.ranks, small.calibration.ranks)
    (tmp_path / "other.npz").write_bytes(b"not a file of ours")
    with pytest.raises(InputError, match="not a sbitune inverse model"):
        load_inverse(tmp_path / "other.npz")


@pytest.mark.slow
def test_wrong_values_are_refused(small) -> None:
    with pytest.raises(InputError, match="reads 40 bins"):
        small.posterior(KEY, np.ones(39), 10)
    with pytest.raises(InputError, match=r"d01#1: its value is not finite"):
        small.log_prob(np.zeros(3), np.where(np.arange(40) == 1, np.nan, 1.0))
    with pytest.raises(TypeError, match="typed random key"):
        small.posterior(3, MEASURED.values, 10)


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="unknown field `epochs`"):
        msgspec.convert({"epochs": 3}, InverseConfig)
