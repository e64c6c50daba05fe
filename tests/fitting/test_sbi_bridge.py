"""The simulator of the sbi bridge draws from the likelihood; neural posterior estimation agrees with NUTS."""

import sys
import warnings

import jax
import numpy as np
import pytest
from helpers.toys import linear_model, measure

from sbitune.data.errors import ComputationError, InputError
from sbitune.fitting.bridges.sbi_bridge import make_draw, to_sbi
from sbitune.fitting.config import FitConfig
from sbitune.fitting.likelihood.problem import BinnedProblem
from sbitune.fitting.minimise.minimiser import fit
from sbitune.fitting.sampling.posterior import sample_posterior
from sbitune.fitting.sampling.sampling import PosteriorConfig

TRUTH = np.array([0.8, 1.5])


def make_problem(n_bins=20, size=1.0, **kwargs) -> BinnedProblem:
    model = linear_model(n_bins, error=0.3 * size)
    rng = np.random.default_rng(2)
    errors = size * rng.uniform(0.6, 1.2, n_bins)
    with jax.enable_x64(True):
        measured = measure(model, TRUTH, errors, rng.normal(0, errors), shifts=rng.normal(0, 0.3 * size, (1, n_bins)))
    return BinnedProblem(model, measured, **kwargs)


def test_draws_have_the_mean_and_covariance_of_the_likelihood():
    problem = make_problem()
    n = 4000
    normals = np.random.default_rng(7).standard_normal((n, 20))
    values = make_draw(problem)(np.tile(TRUTH, (n, 1)), normals)
    v = problem.measured.covariance() + np.diag(problem.model.error**2)
    errors = np.sqrt(np.diag(v))
    expected = problem.model.offset + problem.model.slope @ TRUTH
    assert (np.abs(values.mean(axis=0) - expected) < 4.5 * errors / np.sqrt(n)).all()
    assert (np.abs(np.cov(values, rowvar=False) - v) < 5 * np.sqrt(2 / n) * np.outer(errors, errors)).all()
    draw = make_draw(problem)  # the same rows alone, which do not fill a batch, are the same
    np.testing.assert_allclose(draw(np.tile(TRUTH, (3, 1)), normals[:3]), values[:3], rtol=1e-12)
    assert draw(np.empty((0, 2)), np.empty((0, 20))).shape == (0, 20)
    with pytest.raises(ComputationError, match="Shower:alpha = nan"):
        draw(np.array([[np.nan, 1.0]]), normals[:1])


def test_without_sbi_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sbi", None)
    monkeypatch.setitem(sys.modules, "sbi.utils", None)
    with pytest.raises(InputError, match="extra `sbi`"):
        to_sbi(1, make_problem())


@pytest.fixture
def torch():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("sbi", reason="the extra `sbi` is not installed")
        return pytest.importorskip("torch")


def test_simulator_and_prior_are_of_the_free_parameters(torch):
    problem = make_problem(fixed={"Shower:alpha": 0.8}, limits={"String:sigma": (0.0, 3.0)})
    bridge = to_sbi(3, problem)
    assert bridge.names == ("String:sigma",)
    theta = bridge.prior.sample((500,))
    assert theta.shape == (500, 1)
    assert float(theta.min()) >= 0.0
    assert float(theta.max()) <= 3.0
    assert float(theta.mean()) == pytest.approx(1.5, abs=4 * 3 / np.sqrt(12 * 500))
    x = bridge.simulator(theta)
    assert (x.shape, x.dtype) == ((500, 20), torch.float32)
    assert bridge.simulator(theta[0]).shape == (20,)
    np.testing.assert_allclose(bridge.observed, problem.measured.values, rtol=1e-6)
    again = to_sbi(3, problem).simulator(theta)
    np.testing.assert_array_equal(again, x)  # the same seed; and the next call goes on
    assert not np.allclose(bridge.simulator(theta), x)
    residual = np.asarray(x) - problem.model.offset - np.outer(theta[:, 0], problem.model.slope[:, 1])
    expected = 0.8 * problem.model.slope[:, 0]
    errors = np.hypot(problem.measured.total_errors, 0.3)
    assert (np.abs(residual.mean(axis=0) - expected) < 4.5 * errors / np.sqrt(500)).all()
    with pytest.raises(InputError, match="its columns are String:sigma"):
        bridge.simulator(torch.zeros((5, 2)))


def test_weights_are_refused(torch):
    problem = make_problem()
    measured = problem.measured
    weighted = type(measured)(
        measured.indices, measured.bins, measured.values, measured.errors, measured.shifts, np.full(20, 2.0)
    )
    with pytest.raises(InputError, match="weights other than 1"):
        to_sbi(1, BinnedProblem(problem.model, weighted))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of torch and sbi
def test_neural_posterior_estimation_agrees_with_nuts(torch, tmp_path, monkeypatch):
    from sbi.inference import NPE
    from sbi.neural_nets import posterior_nn

    monkeypatch.chdir(tmp_path)  # sbi writes its logs where it is
    problem = make_problem(8, 0.5, limits={"String:sigma": (0.0, 3.0)})
    tune = fit(problem, FitConfig(starts=2, minos=False))
    exact = sample_posterior(jax.random.key(1), problem, PosteriorConfig(samples=500), tune)
    assert exact.converged, exact.notes
    torch.manual_seed(0)
    bridge = to_sbi(0, problem)
    theta = bridge.prior.sample((10_000,))
    gaussian = posterior_nn("mdn", hidden_features=32, num_components=1)
    inference = NPE(prior=bridge.prior, density_estimator=gaussian, show_progress_bars=False)
    inference.append_simulations(theta, bridge.simulator(theta))
    inference.train(training_batch_size=200, learning_rate=1e-3, stop_after_epochs=10, max_num_epochs=60)
    found = inference.build_posterior().sample((4000,), x=bridge.observed, show_progress_bars=False).numpy()
    assert (np.abs(found.mean(axis=0) - exact.mean) < 0.2 * exact.errors).all()
    np.testing.assert_allclose(found.std(axis=0), exact.errors, rtol=0.2)
