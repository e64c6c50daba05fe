"""The robust loss: unbiased by gross outliers, nearly nothing lost on clean data."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.toys import linear_model, make_bins

from sbitune.fitting.binned.extra import fit_extra
from sbitune.fitting.binned.refit import linearise
from sbitune.fitting.binned.robust import leave_one_out
from sbitune.fitting.config import BinnedFitConfig
from sbitune.fitting.likelihood.measured import Measured
from sbitune.fitting.likelihood.problem import BinnedProblem
from sbitune.fitting.minimise.minimiser import fit

TRUTH = np.array([0.8, 1.5])
GAUSS, STUDENT = (BinnedFitConfig(starts=1, minos=False, loss=loss) for loss in ("gauss", "student"))
N, SIGMA = 100, 0.3
MODEL = replace(linear_model(n_bins=N), bins=make_bins(N, 20))


def toy(seed, outliers=0, size=10.0, shifts=None):
    """Every outlier is off by `size` errors in the direction that pulls the first parameter up."""
    rng = np.random.default_rng(seed)
    values = MODEL.offset + MODEL.slope @ TRUTH + rng.normal(0, SIGMA, N)
    far = rng.choice(N, outliers, replace=False)
    values[far] += size * SIGMA * np.sign(MODEL.slope[far, 0])
    shifts = np.zeros((0, N)) if shifts is None else shifts
    return BinnedProblem(MODEL, Measured(np.arange(N), MODEL.bins, values, np.full(N, SIGMA), shifts, np.ones(N))), far


def pulls(outliers, config, n=20):
    found = []
    for seed in range(n):
        tune, _ = fit_extra(toy(seed, outliers)[0], config)
        found.append((tune.values - TRUTH) / tune.errors)
    return np.array(found)


@pytest.mark.slow
def test_five_percent_of_outliers_bias_the_gaussian_loss_and_not_students():
    gauss, student = pulls(5, GAUSS), pulls(5, STUDENT)
    # the mean of 20 pulls has an error of 0.22; five outliers of 10 errors pull by 50 E|x| / sqrt(100) = 4 errors
    assert gauss[:, 0].mean() > 3
    assert abs(student[:, 0].mean()) < 0.5 + 3.5 * 0.22
    assert student[:, 0].mean() < gauss[:, 0].mean() / 4
    # 40 pulls: a width has an error of 0.11
    assert np.sqrt(np.mean(np.square(student - student.mean(0)))) == pytest.approx(1.0, abs=3.5 * 0.11)


@pytest.mark.slow
def test_clean_data_give_nearly_the_same_answer():
    differences, ratios = [], []
    for seed in range(12):
        problem, _ = toy(seed)
        gauss, (student, _) = fit(problem, GAUSS), fit_extra(problem, STUDENT)
        differences.append((student.values - gauss.values) / gauss.errors)
        ratios.append(student.errors / gauss.errors)
    # E[(z^2 - 1) / 5, z^2 > 1] = 0.10 in the variance, less in its harmonic mean
    assert np.mean(ratios) == pytest.approx(1.04, abs=0.02)
    # efficiency of Student's t with 4 degrees of freedom at a Gaussian: differences of some 0.2 errors
    assert np.sqrt(np.mean(np.square(differences))) < 0.35


def test_the_outliers_are_named_with_their_weights():
    problem, far = toy(3, outliers=5)
    tune, extra = fit_extra(problem, STUDENT)
    labels = problem.measured.bins.labels()
    assert {row.label for row in extra.downweighted[:5]} == {labels[i] for i in far}
    for row in extra.downweighted:
        assert row.weight == pytest.approx(5 / (4 + row.pull**2), rel=1e-9)
        assert row.weight < 1
    assert [row.weight for row in extra.downweighted] == sorted(row.weight for row in extra.downweighted)
    assert any("count less than half" in note for note in tune.notes)
    # the weight is the part of the variance that is left: Gaussian errors with it are those of the tune
    weights = np.ones(N)
    for row in extra.downweighted:
        weights[labels.index(row.label)] = row.weight
    bread = np.linalg.inv(MODEL.slope.T @ (weights[:, None] / SIGMA**2 * MODEL.slope))
    np.testing.assert_allclose(tune.covariance, bread, rtol=0.02)


def test_fewer_degrees_of_freedom_weigh_outliers_less():
    problem, far = toy(3, outliers=5)
    label = problem.measured.bins.labels()[far[0]]
    found = {}
    for dof in (2.0, 4.0, 50.0):
        _, extra = fit_extra(problem, BinnedFitConfig(starts=1, minos=False, loss="student", student_dof=dof))
        found[dof] = next(row.weight for row in extra.downweighted if row.label == label)
    assert found[2.0] < found[4.0] < found[50.0]


def test_an_outlier_among_bins_that_move_together_is_seen():
    # a common shift hides it: 6 of its own errors are half an error of the sum
    problem, _ = toy(5, shifts=np.full((1, N), 4.0))
    problem.measured.values[7] += 2.0
    linear = linearise(problem, fit(problem, GAUSS).values)
    total = linear.residual / problem.measured.total_errors
    assert abs(total[7]) < 1
    _, extra = fit_extra(problem, STUDENT)
    assert extra.downweighted[0].label == problem.measured.bins.labels()[7]
    assert extra.downweighted[0].weight < 0.2


def test_leave_one_out_is_the_fit_of_the_others():
    problem, _ = toy(1)
    linear = linearise(problem, fit(problem, GAUSS).values)
    residual, variance = leave_one_out(linear, np.zeros(N))
    keep = np.arange(N) != 11
    slope, values = MODEL.slope[keep], (problem.measured.values - MODEL.offset)[keep]
    theta, bread = np.linalg.lstsq(slope, values, rcond=None)[0], np.linalg.inv(slope.T @ slope) * SIGMA**2
    own = MODEL.slope[11]
    assert residual[11] == pytest.approx(MODEL.offset[11] + own @ theta - problem.measured.values[11], abs=1e-5)
    assert variance[11] == pytest.approx(SIGMA**2 + own @ bread @ own, rel=1e-6)


def test_outliers_do_not_feed_the_theory_error():
    problem, _ = toy(3, outliers=5, size=30.0)
    found = {}
    for loss in ("gauss", "student"):
        config = BinnedFitConfig(starts=1, minos=False, loss=loss, theory_error={"/": "fitted"})
        found[loss] = np.mean([row.relative for row in fit_extra(problem, config)[1].theory])
    assert found["student"] < found["gauss"] / 3
