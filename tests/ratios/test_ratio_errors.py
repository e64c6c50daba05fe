"""The error of a learned ratio: that of the ensemble's combination against closed forms, and carried to a fit."""

import importlib.util
from pathlib import Path

import jax
import numpy as np
import pytest
from helpers.mixture import draw

from sbitune.data.errors import ComputationError
from sbitune.data.parameter import Parameter
from sbitune.fitting.likelihood.precision import double_precision
from sbitune.learning.classifiers.combination import fit_classes, fit_polynomial, plain_mean
from sbitune.learning.classifiers.networks import build_classifier
from sbitune.learning.scaling import find_scaling
from sbitune.ratios.mixture.classes import ClassRatios
from sbitune.ratios.mixture.floating import FloatingMixture
from sbitune.ratios.mixture.model import Held, Mixture, Process
from sbitune.ratios.mixture.responses import Response

N = 4000
LABEL = np.repeat([0, 1], N)


def events(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.concatenate([draw(rng, N, 0), draw(rng, 0, N)]).astype(np.float32)


def members(n_out: int = 2):
    """Two networks that say the same: nothing."""
    keys = jax.random.split(jax.random.key(1), 2)
    return build_classifier(keys, find_scaling("events", ["x", "y"], events(1)), n_out, (4,))


def test_a_combination_is_logistic_regression_with_its_covariance():
    """The members say nothing: left are intercept and slopes, whose errors are those of Fisher's information."""
    x = events(2)
    found = fit_classes(plain_mean(members(), 2, first_is_base=True), x, LABEL, np.ones(2 * N))
    at = np.array([[0.0, 0.0], [2.0, -1.0], [0.5, 0.5]], np.float32)
    outputs = found.outputs(at)
    design = np.column_stack([np.ones(2 * N), x]).astype(float)
    p = 1 / (1 + np.exp(1 - x.sum(1)))
    covariance = np.linalg.inv((design * (p * (1 - p))[:, None]).T @ design)
    there = np.column_stack([np.ones(3), at])
    errors = np.sqrt(np.einsum("ni,ij,nj->n", there, covariance, there))
    features = found.features(at)
    differences = features[:, 1] - features[:, 0]
    ours = np.sqrt(np.einsum("ni,ij,nj->n", differences, found.covariance, differences))
    np.testing.assert_allclose(ours, errors, rtol=0.1)
    pulls = (outputs[:, 1] - outputs[:, 0] - (at.sum(1) - 1)) / errors
    assert np.abs(pulls).max() < 3.5
    # with the intercept the mean of what it says is what there is
    said = 1 / (1 + np.exp(-np.diff(found.outputs(x), axis=1)[:, 0]))
    assert said.mean() == pytest.approx(0.5, abs=1e-5)


def test_weights_of_both_signs_are_in_the_error():
    x, label = events(3), LABEL
    start = plain_mean(members(), 2, first_is_base=True)
    plain = fit_classes(start, x, label, np.ones(2 * N))
    twice = fit_classes(start, x, label, np.full(2 * N, 2.0))
    np.testing.assert_allclose(twice.covariance, plain.covariance, rtol=1e-6, atol=1e-12)
    rng = np.random.default_rng(4)
    signs = np.where(rng.uniform(size=2 * N) < 0.2, -1.0, 1.0)
    signed = fit_classes(start, x, label, signs)
    # 20 % negative: (1 - 0.4)^2 of the events are left to say anything
    growth = np.diag(signed.covariance)[2:] / np.diag(plain.covariance)[2:]
    np.testing.assert_allclose(growth, 1 / 0.36, rtol=0.25)
    with pytest.raises(ComputationError, match="no minimum; give more events, or fewer negative weights"):
        fit_classes(start, x, label, np.where(x[:, 0] > 0, -1.0, 0.5))


def test_a_polynomial_response_is_found():
    """log p(x|nu)/p(x|0) = nu (y - 1) - nu^2 / 2."""
    rng = np.random.default_rng(5)
    nu = rng.choice([-1.0, 0.5, 1.0], N)
    moved = draw(rng, 0, N) + np.column_stack([np.zeros(N), nu])
    x = np.concatenate([moved, draw(rng, 0, N)]).astype(np.float32)
    start = plain_mean(members(), 2, first_is_base=False)
    found = fit_polynomial(start, x, np.tile(nu, 2), np.repeat([1.0, 0.0], N), np.ones(2 * N))
    at = np.array([[1.0, 1.0], [0.0, 2.0]], np.float32)
    errors = np.sqrt(np.einsum("nkp,pq,nkq->nk", found.features(at), found.covariance, found.features(at)))
    pulls = (found.outputs(at) - np.column_stack([at[:, 1] - 1, [-0.5, -0.5]])) / errors
    assert np.abs(pulls).max() < 3.5
    assert errors.max() < 0.1


def floating_mixture(seed=6, n=N):
    """A mixture whose ratios and response were found from events of their own, by members that say nothing."""
    x = events(seed)
    label, rng = LABEL, np.random.default_rng(seed)
    combined = fit_classes(plain_mean(members(), 2, first_is_base=True), x, label, np.ones(2 * n))
    moved = x[n:] + np.array([0, 1])
    pairs = np.concatenate([moved, x[n:][rng.permutation(n)]]).astype(np.float32)
    start = plain_mean(members(), 2, first_is_base=False)
    polynomial = fit_polynomial(start, pairs, np.ones(2 * n), np.repeat([1.0, 0.0], n), np.ones(2 * n))
    response = Response("background", "nu", "polynomial", 2, polynomial, (1.0, 1.0), (-1.0, 1.0))
    processes = (Process("signal", 50.0, "mu"), Process("background", 1000.0, None))
    ratios = ClassRatios(("signal", "background"), np.full(2, 0.5), combined)
    ranges = (Parameter("mu", 0.0, 6.0), Parameter("nu", -1.0, 1.0))
    return Mixture(("x", "y"), processes, ratios, (response,), ranges, Held(x, np.ones(2 * n), label))


def test_ratios_that_float_are_densities_wherever_they_go():
    mixture = floating_mixture()
    model = FloatingMixture(mixture)
    assert model.names == tuple(f"ratio[{i}]" for i in range(len(model.names)))
    assert 4 <= len(model.names) <= 8
    x, weights = mixture.held.x, mixture.held.of_reference(mixture.ratios.fractions)
    rng = np.random.default_rng(1)
    with double_precision():
        prepared = [np.asarray(column, float) for column in model.prepare(x)]
        still = {"mu": 1.2, "nu": 0.6} | dict.fromkeys(model.names, 0.0)
        expected = mixture.log_intensity(still, mixture.prepare(x))
        np.testing.assert_allclose(model.log_intensity(still, prepared), expected, atol=1e-5)
        for _ in range(3):
            theta = still | dict(zip(model.names, rng.normal(size=len(model.names)), strict=True))
            total = float(weights @ np.exp(np.asarray(model.log_intensity(theta | {"nu": 0.0}, prepared))))
            assert total == pytest.approx(float(model.expected(theta)), rel=2e-3)
            # and the response over nominal events
            background = mixture.held.sample == 1
            one = dict(theta) | {"mu": 0.0}
            moved, before = (np.asarray(model.log_intensity(one | {"nu": nu}, prepared)) for nu in (0.6, 0.0))
            assert np.mean(np.exp(moved - before)[background]) == pytest.approx(1, abs=5e-3)
    # along all directions together phi moves with its covariance, as far as that does anything
    part, combined = model.directions["ratios"], mixture.ratios.combined
    assert combined is not None
    features = combined.features(x)
    differences = features[:, 1] - features[:, 0]
    whole = np.einsum("ni,ij,nj->n", differences, combined.covariance, differences)
    kept = np.sum((differences @ part.steps) ** 2, axis=1)
    np.testing.assert_allclose(np.mean(kept), np.mean(whole), rtol=1e-2)


@pytest.mark.slow
def test_ratios_that_float_without_being_normalised_bias_the_fit():
    """By some three standard deviations; with it the fit is as with the propagated error."""
    bench = benchmark()
    _, _, means = bench.measure(2000, 2, floating=True)
    assert means[4] < -1.5
    assert abs(means[3]) < 1.5
    assert means[3] == pytest.approx(means[2], abs=0.3)


def benchmark():
    path = Path(__file__).parents[1] / "benchmarks" / "bench_ratio_errors.py"
    spec = importlib.util.spec_from_file_location("bench_ratio_errors", path)
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


@pytest.mark.slow
def test_intervals_hold_the_truth_with_the_error_of_the_ratio_and_not_without():
    bench = benchmark()
    n = 100
    (exact, taken_for_exact, with_error), widths, _ = bench.measure(500, n)
    error = np.sqrt(0.683 * 0.317 / n)
    assert exact == pytest.approx(0.683, abs=3 * error)
    assert with_error == pytest.approx(0.683, abs=3 * error)
    assert taken_for_exact < 0.683 - 2 * error
    assert widths[2] == pytest.approx(1, abs=3 / np.sqrt(2 * n))
    assert widths[1] > 1.25
