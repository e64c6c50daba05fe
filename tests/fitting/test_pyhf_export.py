"""Workspaces that pyhf fits to the tune: values, errors, the likelihood away from the minimum."""

import json
from dataclasses import replace

import jax
import numpy as np
import pytest
from helpers.toys import NoisySlope, linear_model, make_bins, measure

from sbitune.data.errors import ComputationError, InputError
from sbitune.data.parameter import Parameter
from sbitune.fitting.bridges.pyhf_export import make_workspace, write_workspace
from sbitune.fitting.config import FitConfig
from sbitune.fitting.likelihood.problem import BinnedProblem
from sbitune.fitting.minimise.minimiser import fit

pyhf = pytest.importorskip("pyhf")
pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")  # as pyhf 0.7.6 uses it

TRUTH = np.array([0.8, 1.5])


@pytest.fixture(autouse=True)
def numpy_backend():
    pyhf.set_backend("numpy", pyhf.optimize.minuit_optimizer())


def correlated_problem(weights=None, **kwargs) -> BinnedProblem:
    """20 bins that two sources move together, and a model with correlated errors."""
    rng = np.random.default_rng(11)
    mixed = rng.normal(0, 1, (20, 3))
    covariance = mixed @ mixed.T + np.eye(20)
    scale = np.sqrt(np.diag(covariance))
    model = replace(linear_model(error=0.1), correlation=covariance / np.outer(scale, scale))
    shifts, errors = rng.normal(0, 0.1, (2, 20)), rng.uniform(0.1, 0.3, 20)
    with jax.enable_x64(True):
        measured = measure(model, TRUTH, errors, rng.normal(0, 2 * errors), shifts=shifts)
    return BinnedProblem(model, replace(measured, weights=measured.weights if weights is None else weights), **kwargs)


def pyhf_fit(workspace, start=None):
    """Values and errors by name, and the model with its data, from an independent fit."""
    opened = pyhf.Workspace(workspace)
    model = opened.model()
    data = opened.data(model)
    init = model.config.suggested_init()
    for name, value in (start or {}).items():
        init[model.config.par_slice(name).start] = value
    found = pyhf.infer.mle.fit(data, model, init_pars=init, return_uncertainties=True)
    return {name: tuple(found[model.config.par_slice(name).start]) for name in model.config.par_order}, model, data


def displaced(tune):
    return {name: tune.values[i] + (-1) ** i * tune.errors[i] for i, name in enumerate(tune.names) if name in tune.free}


@pytest.mark.parametrize("components", [0, 3, 19])
def test_pyhf_finds_the_tune_and_its_errors(components):
    problem = correlated_problem()
    tune = fit(problem, FitConfig(starts=2, minos=False))
    found, _, _ = pyhf_fit(make_workspace(problem, tune, components), displaced(tune))
    for name, value, error in zip(tune.names, tune.values, tune.errors, strict=True):
        assert found[name][0] == pytest.approx(value, abs=0.02 * error)
        assert found[name][1] == pytest.approx(error, rel=0.02)
    assert sum(name.startswith("correlated") for name in found) == components


def test_a_model_that_loses_accuracy_away_from_zero():
    slope = np.random.default_rng(1).normal(1, 0.2, 30)  # V depends on the parameter: least squares is not the tune
    model = NoisySlope((Parameter("x", 0.5, 3.0),), make_bins(30), slope, 0.5)
    with jax.enable_x64(True):
        errors = np.full(30, 0.2)
        measured = measure(model, np.array([1.3]), errors, np.random.default_rng(2).normal(0, 1.0, 30))
    problem = BinnedProblem(model, measured)
    tune = fit(problem, FitConfig(starts=2, minos=False))
    workspace = make_workspace(problem, tune, components=0)
    found, _, _ = pyhf_fit(workspace, displaced(tune))
    assert found["x"][0] == pytest.approx(tune.values[0], abs=0.02 * tune.errors[0])
    assert found["x"][1] == pytest.approx(tune.errors[0], rel=0.02)
    assert {c["name"] for c in workspace["channels"]} - set(problem.measured.bins.paths()) <= {"curvature"}
    least_squares = 1 / np.sqrt(np.sum(slope**2 / (errors**2 + (0.5 * tune.values[0]) ** 2)))
    assert abs(tune.errors[0] / least_squares - 1) > 0.1  # what the correction had to bridge


def test_the_profile_is_the_gaussians():
    problem = correlated_problem()
    tune = fit(problem, FitConfig(starts=2, minos=False))
    _, model, data = pyhf_fit(make_workspace(problem, tune, 19), displaced(tune))
    init, bounds = model.config.suggested_init(), model.config.suggested_bounds()
    place = [model.config.par_slice(name).start for name in tune.names]
    inverse = np.linalg.inv(tune.covariance)
    _, minimum = pyhf.infer.mle.fit(data, model, return_fitted_val=True)
    for steps in ([1.0, 0.0], [-1.5, 1.0], [0.5, -2.0]):
        apart = np.array(steps) * tune.errors
        fixed, point = model.config.suggested_fixed(), list(init)
        for i, value in zip(place, tune.values + apart, strict=True):
            fixed[i], point[i] = True, value
        _, there = pyhf.infer.mle.fit(data, model, point, bounds, fixed, return_fitted_val=True)
        assert float(there - minimum) == pytest.approx(apart @ inverse @ apart, rel=0.03)


def test_all_correlations_are_kept_if_asked_for():
    problem = correlated_problem()
    tune = fit(problem, FitConfig(starts=2, minos=False))
    _, model, _ = pyhf_fit(make_workspace(problem, tune, 19))
    init = np.array(model.config.suggested_init())
    base = model.expected_data(init, include_auxdata=False)
    shifts = []
    for name in model.config.par_order:
        if name.startswith("correlated"):
            moved = init.copy()
            moved[model.config.par_slice(name)] += 1.0
            shifts.append(model.expected_data(moved, include_auxdata=False) - base)
    shifts = np.array(shifts)
    # in counts per independent error every bin has the variance 1 of its own
    covariance = shifts.T @ shifts + np.diag(np.full(len(base), 1e4))
    scale = np.sqrt(np.diag(covariance))[:20]
    with jax.enable_x64(True):
        v = problem.measured.covariance() + np.asarray(problem.model.covariance(TRUTH, np.arange(20)))
    errors = np.sqrt(np.diag(v))
    np.testing.assert_allclose((covariance[:20, :20] / np.outer(scale, scale)), v / np.outer(errors, errors), atol=0.02)


def test_weights_and_a_fixed_parameter():
    weights = np.random.default_rng(5).uniform(0.5, 3, 20)
    problem = correlated_problem(weights, fixed={"String:sigma": 1.4})
    tune = fit(problem, FitConfig(starts=2, minos=False))
    found, model, _ = pyhf_fit(make_workspace(problem, tune, 5), displaced(tune))
    assert "String:sigma" not in model.config.par_order
    assert found["Shower:alpha"][0] == pytest.approx(tune.values[0], abs=0.02 * tune.errors[0])
    assert found["Shower:alpha"][1] == pytest.approx(tune.errors[0], rel=0.02)


def test_the_file_is_the_workspace(tmp_path):
    problem = correlated_problem()
    tune = fit(problem, FitConfig(starts=2, minos=False))
    write_workspace(tmp_path / "workspace.json", problem, tune, components=4)
    read = json.loads((tmp_path / "workspace.json").read_text())
    assert read == make_workspace(problem, tune, components=4)
    pyhf.schema.validate(read, "workspace.json")
    assert [c["name"] for c in read["channels"]][:4] == problem.measured.bins.paths()
    assert read["measurements"][0]["config"]["poi"] == "Shower:alpha"


def test_what_makes_no_workspace_is_refused():
    problem = correlated_problem()
    tune = fit(problem, FitConfig(starts=2, minos=False))
    with pytest.raises(InputError, match="at least 0"):
        make_workspace(problem, tune, components=-1)
    assert make_workspace(problem, tune, components=50) == make_workspace(problem, tune, components=19)
    with pytest.raises(InputError, match="different parameters"):
        make_workspace(problem, replace(tune, parameters=tune.parameters[::-1]))
    with pytest.raises(InputError, match="no free parameter"):
        make_workspace(problem, replace(tune, covariance=np.zeros((2, 2))))
    with pytest.raises(ComputationError, match="too many of their errors"):
        make_workspace(replace(problem, model=replace(problem.model, slope=100 * problem.model.slope)), tune)
