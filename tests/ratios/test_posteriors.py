"""Posteriors from simulated pairs, where they are known in closed form."""

from dataclasses import replace

import jax
import numpy as np
import pytest
from scipy import stats

from sbitune.data.errors import InputError
from sbitune.ratios.posteriors.config import DensityConfig, RatioConfig
from sbitune.ratios.posteriors.inference import NLE, NPE, NRE, Inference
from sbitune.ratios.posteriors.judgement import LearningWarning
from sbitune.ratios.posteriors.methods.method import Pairs
from sbitune.ratios.posteriors.methods.ratios import RatioMethod
from sbitune.ratios.posteriors.posterior import Posterior
from sbitune.ratios.posteriors.prior import Normal, Prior, Uniform, make_prior
from sbitune.ratios.posteriors.storage import load_model, save_model

KEY = jax.random.key(7)
NOISE = 0.5
#: small: what is learnt here is a shift and a width
TINY = {"members": 1, "layers": 2, "hidden": (16,), "width": 16, "knots": 4, "epochs": 12, "batch_size": 64}
CONFIGS = {
    "npe": DensityConfig(**TINY),
    "nle": DensityConfig(**TINY),
    "nre": RatioConfig(differences=4, hidden=(16,), hidden_pair=(16, 16), choices=31, epochs=12, learning_rate=5e-3),
}
FACES = {"npe": NPE, "nle": NLE, "nre": NRE}


def gaussian(n: int, seed: int = 1, noise: float = NOISE) -> tuple[np.ndarray, np.ndarray]:
    """mu uniform in -2 to 2, x = 1000 + 10 (mu + noise), and a column that says nothing."""
    random = np.random.default_rng(seed)
    mu = random.uniform(-2, 2, (n, 1))
    x = 1000 + 10 * (mu + noise * random.normal(size=(n, 1)))
    return mu, np.concatenate([x, random.normal(size=(n, 1))], axis=1)


# flows take some seconds to compile
@pytest.fixture(
    scope="module", params=["nre", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("npe", "nle"))]
)
def trained(request: pytest.FixtureRequest) -> Inference:
    kind = request.param
    inference = FACES[kind](make_prior({"mu": (-2.0, 2.0)}), CONFIGS[kind], ["mass", "idle"])
    inference.append_simulations(*gaussian(1500)).train(KEY)
    return inference


def exact(x: float) -> stats.rv_continuous:
    """Gaussian around x of the noise's width, cut off at the ends of the prior."""
    return stats.truncnorm((-2 - x) / NOISE, (2 - x) / NOISE, loc=x, scale=NOISE)


#: middles of cells that fill the prior
THETA = (np.arange(160) + 0.5) / 40 - 2


@pytest.mark.parametrize("mu", [0.0, 1.8])
def test_posterior_of_a_mean_is_the_gaussian_cut_off_at_the_prior(trained: Inference, mu: float) -> None:
    posterior, known = trained.build_posterior(), exact(mu)
    draws = posterior.sample((4000,), x=[1000 + 10 * mu, 0.0], key=KEY)
    assert draws.shape == (4000, 1)
    assert trained.prior.contains(draws).all()
    # a network of 1500 pairs has errors of its own, of some percent of the width
    assert abs(draws.mean() - known.mean()) < 0.15 * known.std()
    assert abs(draws.std() / known.std() - 1) < 0.12
    density = np.exp(posterior.log_prob(THETA[:, None], [1000 + 10 * mu, 0.0]))
    assert density.sum() / 40 == pytest.approx(1, abs=0.01)
    assert stats.kstest(draws[:, 0], lambda at: np.interp(at, THETA + 1 / 80, np.cumsum(density) / 40)).pvalue > 1e-3
    assert posterior.log_prob([[2.01], [-3.0]], [1000.0, 0.0]).tolist() == [-np.inf, -np.inf]


def test_truths_have_uniform_ranks_and_those_of_other_noise_have_not(trained: Inference) -> None:
    """Data of the noise that was simulated, of twice, and of half of it: covered, too narrow, too wide."""
    assert trained.model is not None
    p = []
    for noise in (NOISE, 2 * NOISE, NOISE / 2):
        mu, x = gaussian(400, seed=2, noise=noise)
        density = np.exp(trained.model.log_value(np.tile(THETA[:, None], (len(x), 1, 1)), x[:, None]))
        ranks = (density * (mu > THETA)).sum(axis=1) / density.sum(axis=1)
        p.append(stats.kstest(ranks, "uniform").pvalue)
    assert p[0] > 0.01
    assert max(p[1:]) < 1e-3


def test_a_model_that_is_read_back_gives_the_same_bits(trained: Inference, tmp_path) -> None:
    assert trained.model is not None
    save_model(tmp_path / "model.npz", trained.model)
    back = load_model(tmp_path / "model.npz", ["mass", "idle"])
    theta = np.linspace(-1, 1, 7)[:, None]
    np.testing.assert_array_equal(back.log_value(theta, [1003.0, 0]), trained.model.log_value(theta, [1003.0, 0]))
    with pytest.raises(InputError, match="in another order") as caught:
        load_model(tmp_path / "model.npz", ["idle", "mass"])
    assert caught.value.code == "posterior-columns"
    with pytest.raises(InputError, match=r"model\.npz: the model reads the columns mass, idle; these are others"):
        load_model(tmp_path / "model.npz", ["mass", "other"])


def test_a_network_that_has_learnt_nothing_says_so() -> None:
    mu, x = gaussian(1500)
    inference = NRE(make_prior({"mu": (-2.0, 2.0)}), CONFIGS["nre"], ["mass", "idle"])
    inference.append_simulations(mu, x[::-1])
    with pytest.warns(LearningWarning, match="has learnt nothing: it prefers .* The posterior is the prior"):
        inference.train(KEY)


def test_the_mean_of_a_ratio_over_independent_pairs_is_one(trained: Inference) -> None:
    model = trained.model
    assert model is not None
    if model.kind == "nre":
        mu, x = gaussian(4000, seed=5)
        ratios = np.exp(model.log_value(np.roll(mu, 1, axis=0), x))
        assert ratios.mean() == pytest.approx(1, abs=0.05)
        assert 0 < model.mean[1] < 0.02


def refused(code: str, words: str, prior: Prior, theta, x) -> None:
    with pytest.raises(InputError, match=words) as caught:
        NPE(prior, columns=["mass", "idle"]).append_simulations(theta, x).train(KEY)
    assert caught.value.code == code


def test_simulations_that_cannot_be_used_are_refused() -> None:
    prior = make_prior({"mu": (-2, 2)})
    mu, x = gaussian(400)
    lost = x.copy()
    lost[17, 0] = np.nan
    refused("posterior-not-finite", r"x, row 17, column mass: nan .* \(1 of 400 rows", prior, mu, lost)
    refused("posterior-outside-prior", r"row 3: mu = 7 is outside the prior", prior, np.where(mu == mu[3], 7, mu), x)
    refused("posterior-shape", "400 rows and x 399", prior, mu, x[1:])
    refused("posterior-shape", "theta has 2 columns, the prior 1 parameters: mu", prior, x, x)
    refused("posterior-columns", "x has 1 columns, but 2 are named", prior, mu, x[:, :1])
    refused("posterior-constant-column", "column idle is 5 in all 400", prior, mu, x * [1, 0] + [0, 5])
    refused("posterior-too-few", "20 simulations of 1 param.*: need at least 30", prior, mu[:20], x[:20])


def test_what_a_posterior_cannot_answer_is_refused(trained: Inference) -> None:
    posterior = trained.build_posterior()
    with pytest.raises(InputError, match=r"shape \(3,\); the model reads 2 columns: mass, idle") as caught:
        posterior.sample((10,), x=[1.0, 2.0, 3.0], key=KEY)
    assert caught.value.code == "posterior-columns"
    with pytest.raises(InputError, match="observation, row 0, column idle: inf"):
        posterior.log_prob([[0.0]], [1000, np.inf])
    assert trained.model is not None
    bound = Posterior(replace(trained.model, observation=np.array([1000.0, 0.0])))
    with pytest.raises(InputError, match="made in rounds for one observation") as caught:
        bound.log_prob([[0.0]], [1001.0, 0.0])
    assert caught.value.code == "posterior-other-observation"
    with pytest.raises(InputError, match="call train first") as caught:
        NPE(trained.prior).build_posterior()
    assert caught.value.code == "posterior-untrained"


def test_an_observation_outside_of_all_simulations_is_told(trained: Inference) -> None:
    words = "outside of all 1500 simulations in column mass, by .* deviations .* the network extrapolates"
    with pytest.warns(LearningWarning, match=words):
        trained.build_posterior().sample((10,), x=[1060.0, 0.0], key=KEY)


def test_priors_have_their_densities_and_coordinates() -> None:
    prior = make_prior({"a": Uniform(2, 6), "b": Normal(-1, 0.5)})
    theta = prior.draw(KEY, 4000)
    assert stats.kstest(theta[:, 0], stats.uniform(2, 4).cdf).pvalue > 1e-3
    assert stats.kstest(theta[:, 1], stats.norm(-1, 0.5).cdf).pvalue > 1e-3
    known = stats.uniform(2, 4).logpdf(theta[:, 0]) + stats.norm(-1, 0.5).logpdf(theta[:, 1])
    np.testing.assert_allclose(prior.log_prob(theta), known)
    np.testing.assert_allclose(prior.from_real(prior.to_real(theta)), theta)
    # the prior is standard normal in z: p(theta) = N(z) |dz / dtheta|
    z = prior.to_real(theta)
    np.testing.assert_allclose(stats.norm.logpdf(z).sum(axis=1) + prior.log_slope(theta), known)
    for wrong in ((1.0, 1.0), Normal(0, 0), (0, np.inf)):
        with pytest.raises(InputError, match="prior of a") as caught:
            make_prior({"a": wrong})
        assert caught.value.code == "posterior-prior"


def test_ratios_with_gaussian_priors_start_as_the_best_linear_gaussian_model() -> None:
    """x = A theta + noise: log p(x | theta) / p(x) is known but for what the linear model is off with 20,000 pairs."""
    rng, n, noise = np.random.default_rng(7), 20_000, 0.5
    prior = make_prior({"a": Normal(0.0, 1.0), "b": Normal(0.0, 1.0)})
    mixing = np.array([[1.0, 0.4], [-0.3, 1.0], [0.2, 0.2]])
    theta = rng.normal(size=(n, 2))
    x = theta @ mixing.T + noise * rng.normal(size=(n, 3))
    pairs = Pairs(theta, theta, x)
    network = RatioMethod().build(jax.random.split(KEY, 1), RatioConfig(), prior, 3, pairs)
    network = jax.tree.map(lambda leaf: np.asarray(leaf)[0], network)
    found = np.asarray(RatioMethod().log_value(network, theta, theta.astype(np.float32), x.astype(np.float32)))
    marginal = mixing @ mixing.T + noise**2 * np.eye(3)
    known = stats.multivariate_normal(cov=noise**2 * np.eye(3)).logpdf(x - theta @ mixing.T)
    known -= stats.multivariate_normal(cov=marginal).logpdf(x)
    assert np.abs(found - known).max() < 0.3  # where theta is 4 deviations away; errors of slopes are some .5 / sqrt(n)
    assert np.sqrt(np.mean((found - known) ** 2)) < 0.03
