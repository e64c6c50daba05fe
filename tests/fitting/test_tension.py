"""Tension in closed form: pulls given the rest, chi2 of observables, parameters without one of them."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.toys import linear_model, make_bins
from scipy.stats import chi2, kstest

from sbitune.fitting.binned.tension import find_tension
from sbitune.fitting.config import FitConfig
from sbitune.fitting.likelihood.measured import Measured
from sbitune.fitting.likelihood.problem import BinnedProblem
from sbitune.fitting.minimise.minimiser import fit

QUICK = FitConfig(starts=1, minos=False)
TRUTH = np.array([0.8, 1.5])
N = 24
MODEL = replace(linear_model(n_bins=N), bins=make_bins(N, 8))
PATHS = MODEL.bins.paths()
ERRORS = np.linspace(0.2, 0.4, N)
SHIFTS = np.random.default_rng(6).normal(0, 0.2, (2, N))
V = np.diag(ERRORS**2) + SHIFTS.T @ SHIFTS


def toy(seed, weights=None, off=0.0):
    values = MODEL.offset + MODEL.slope @ TRUTH + np.random.default_rng(seed).multivariate_normal(np.zeros(N), V)
    values[MODEL.bins.of(PATHS[1])] += off
    weights = np.ones(N) if weights is None else weights
    return BinnedProblem(MODEL, Measured(np.arange(N), MODEL.bins, values, ERRORS, SHIFTS, weights))


def least_squares(problem, keep):
    """Parameters and lever of a weighted fit to some of the bins."""
    w = np.diag(problem.measured.weights[keep])
    slope = MODEL.slope[keep]
    pull = w @ np.linalg.inv(V[np.ix_(keep, keep)]) @ w @ slope
    lever = np.linalg.inv(slope.T @ pull) @ pull.T
    return lever @ (problem.measured.values - MODEL.offset)[keep], lever


def test_the_pull_of_a_bin_is_against_a_fit_to_all_others():
    problem = toy(1)
    tension = find_tension(problem, fit(problem, QUICK), jackknife=False)
    keep = np.arange(N) != 5
    theta, lever = least_squares(problem, keep)
    to_rest = V[5, keep] @ np.linalg.inv(V[np.ix_(keep, keep)])
    r = MODEL.offset + MODEL.slope @ theta - problem.measured.values
    # what the others say of bin 5: its prediction and the part of the error that it shares with them
    left = MODEL.slope[5] @ lever + to_rest @ (np.eye(N - 1) - MODEL.slope[keep] @ lever)
    variance = V[5, 5] + left @ V[np.ix_(keep, keep)] @ left - 2 * left @ V[keep, 5]
    assert tension.pulls[5] == pytest.approx((r[5] - to_rest @ r[keep]) / np.sqrt(variance), abs=1e-4)
    assert all(row.jackknife is None for row in tension.observables)


def test_an_observable_given_the_rest_is_what_chi2_falls_by_without_it():
    problem = toy(2)
    row = find_tension(problem, fit(problem, QUICK), jackknife=False).observables[1]
    keep = np.setdiff1d(np.arange(N), MODEL.bins.of(PATHS[1]))

    def smallest(bins):
        theta, _ = least_squares(problem, bins)
        r = (MODEL.offset + MODEL.slope @ theta - problem.measured.values)[bins]
        return r @ np.linalg.solve(V[np.ix_(bins, bins)], r)

    assert row.path == PATHS[1]
    assert row.chi2_given_rest == pytest.approx(smallest(np.arange(N)) - smallest(keep), rel=1e-6)
    assert row.ndf_given_rest == row.bins == 8
    assert row.p_given_rest == pytest.approx(chi2.sf(row.chi2_given_rest, 8))


@pytest.mark.parametrize("weighted", [False, True])
def test_the_parameters_without_an_observable_are_those_of_a_fit_to_the_others(weighted):
    problem = toy(3, np.repeat([1.0, 3.0, 0.5], 8) if weighted else None)
    tune = fit(problem, QUICK)
    keep = np.setdiff1d(np.arange(N), MODEL.bins.of(PATHS[1]))
    theta, part = least_squares(problem, keep)
    _, lever = least_squares(problem, np.arange(N))
    lever = lever.copy()
    lever[:, keep] -= part
    errors = np.sqrt(np.diag(lever @ V @ lever.T))
    moved = find_tension(problem, tune).observables[1].jackknife
    np.testing.assert_allclose(moved.shift, theta - tune.values, atol=2e-3 * tune.errors.min())
    np.testing.assert_allclose(moved.in_errors, moved.shift / tune.errors, rtol=1e-12)
    np.testing.assert_allclose(moved.significance, (theta - tune.values) / errors, atol=2e-3)
    if not weighted:  # Hausman: the covariances differ by that of the difference
        _, alone = least_squares(problem, keep)
        np.testing.assert_allclose(
            errors**2, np.diag(alone @ V[np.ix_(keep, keep)] @ alone.T) - tune.errors**2, rtol=1e-6
        )


def test_an_observable_that_is_off_is_found():
    problem = toy(4, off=2.0)
    tension = find_tension(problem, fit(problem, QUICK))
    worst = min(tension.observables, key=lambda row: row.p_given_rest)
    assert worst.path == PATHS[1]
    assert worst.p_given_rest < 1e-6
    assert worst.p < 1e-3
    assert {MODEL.bins.path[i] for i in tension.worst_bins(3)} == {PATHS[1]}
    assert np.abs(worst.jackknife.significance).max() > 3
    # each is one direction of what the observable differs by from the others
    for row in tension.observables:
        assert np.all(row.jackknife.significance**2 <= row.chi2_given_rest * (1 + 1e-6))


@pytest.mark.slow
@pytest.mark.parametrize("claimed", [1.0, 0.5, 2.0])
def test_probabilities_are_uniform_and_pulls_of_unit_width_if_errors_are_true(claimed):
    """And tell errors that are believed to be half, or twice, of what they are."""
    p, own, pulls, moves = [], [], [], []
    for seed in range(60):
        problem = toy(200 + seed)
        m = problem.measured
        problem = replace(problem, measured=replace(m, errors=claimed * m.errors, shifts=claimed * m.shifts))
        tension = find_tension(problem, fit(problem, QUICK))
        # one observable, as those of a toy share its fluctuations
        p.append(tension.observables[1].p_given_rest)
        own.append(tension.observables[1].p)
        moves += [row.jackknife.significance for row in tension.observables]
        pulls.append(tension.pulls)
    # of the 24 pulls and 6 moves of a toy at least 8 and 2 are independent
    assert np.std(pulls) == pytest.approx(1 / claimed, rel=3.5 / np.sqrt(2 * 8 * 60))
    assert np.std(moves) == pytest.approx(1 / claimed, rel=3.5 / np.sqrt(2 * 2 * 60))
    for found in (p, own):
        assert (kstest(found, "uniform").pvalue > 1e-3) == (claimed == 1)
        # uniform: 0.05 of 60, at most 9; a chi2 of 8 degrees of freedom is beyond its limit / 4 in 90 %, / 0.25 in none
        low = np.mean(np.array(found) < 0.05)
        assert low <= 9 / 60 if claimed == 1 else low > 0.8 if claimed < 1 else low == 0
    assert claimed != 2 or np.median(p) > 0.95


def test_parameters_that_only_one_observable_determines_are_said_to_be_lost():
    slope = MODEL.slope.copy()
    slope[8:, 1] = 0.0  # the second parameter moves the first observable alone
    problem = replace(toy(5), model=replace(MODEL, slope=slope))
    values = MODEL.offset + slope @ TRUTH
    problem = replace(problem, measured=replace(problem.measured, values=values))
    tension = find_tension(problem, fit(problem, QUICK))
    lost = tension.observables[0].jackknife
    np.testing.assert_array_equal(np.isnan(lost.shift), [False, True])
    assert lost.note == "String:sigma is not determined"
    assert lost.shift[0] == pytest.approx(0, abs=1e-4)
    assert tension.observables[1].jackknife.note == ""
    np.testing.assert_allclose(tension.observables[1].jackknife.shift, 0, atol=1e-5)


def test_the_only_observable_cannot_be_left_out():
    bins = make_bins(N, N)
    problem = toy(6)
    model = replace(MODEL, bins=bins)
    problem = BinnedProblem(model, replace(problem.measured, bins=bins))
    row = find_tension(problem, fit(problem, QUICK)).observables[0]
    # there is nothing that could predict it
    assert row.ndf_given_rest == 0
    assert np.isnan(row.p_given_rest)
    assert row.jackknife.note == "Shower:alpha is not determined; String:sigma is not determined"
    assert np.isnan(row.jackknife.significance).all()
    # P takes out what the two parameters absorb
    assert row.p == pytest.approx(chi2.sf(row.chi2, N - 2), rel=1e-6)
