"""An observable that is steep at one end of a range, among many that hardly move: it must not hide behind them."""

import jax
import numpy as np
import pytest
from scipy.stats import qmc

from sbitune.data.bins import Bins
from sbitune.data.parameter import Parameter
from sbitune.data.scan import Scan
from sbitune.tuning.surrogates.choice.choice import choose
from sbitune.tuning.surrogates.choice.config import AutoConfig
from sbitune.tuning.surrogates.components.components import make_components
from sbitune.tuning.surrogates.gaussian.config import GaussianConfig
from sbitune.tuning.surrogates.heldout.refits import Refits
from sbitune.tuning.surrogates.training import train

DULL, STEEP = 200, 36
N_BINS = DULL + STEEP
NOISE = 0.002
PARAMETERS = (
    Parameter("MultipartonInteractions:pT0Ref", 1.0, 3.0),
    Parameter("ColourReconnection:range", -1.0, 1.0),
    Parameter("String:a", -1.0, 1.0),
)
STEEP_PATH = "/STEEP/d99-x01-y01"
_random = np.random.default_rng(2)
BASE = _random.uniform(0.5, 2, N_BINS)
SLOPES = _random.normal(0, 0.002, (3, N_BINS))
AMPLITUDES, POWERS = _random.uniform(0.3, 1, STEEP), 7 * _random.uniform(0.7, 1.3, STEEP)


def contents(theta: np.ndarray) -> np.ndarray:
    u = theta - [2.0, 0.0, 0.0]
    values = BASE * (1 + u @ SLOPES)
    values[:, DULL:] *= 1 + AMPLITUDES * theta[:, :1] ** -POWERS * (1 + 0.3 * u[:, 1:2])
    return values


def make_scan(n_runs: int, seed: int) -> Scan:
    random = np.random.default_rng(seed)
    theta = qmc.scale(qmc.LatinHypercube(3, rng=random).random(n_runs), [1, -1, -1], [3, 1, 1])
    errors = np.tile(NOISE * BASE, (n_runs, 1))
    values = contents(theta) + errors * random.normal(size=errors.shape)
    place = np.arange(N_BINS)
    path = np.array([f"/DULL/d{1 + i // 20:02d}-x01-y01" if i < DULL else STEEP_PATH for i in place])
    bins = Bins(path, place, place.astype(float), place + 1.0)
    return Scan(PARAMETERS, theta, values, errors, bins, tuple(f"{i:04d}" for i in range(n_runs)))


def test_directions_that_no_polynomial_of_few_runs_follows_are_found() -> None:
    """50 runs allow polynomials of order 2, and single powers up to 5: what is left is learnt, no longer averaged."""
    reduced = make_components(make_scan(50, 1), "linear", None)
    signal = contents(make_scan(50, 1).theta)
    steep = signal[:, DULL:] - signal[:, DULL:].mean(axis=0)
    loadings = reduced.components.loadings[:, DULL:]
    left = steep - steep @ np.linalg.pinv(loadings) @ loadings
    of_their_own = np.isin(np.arange(DULL, N_BINS), reduced.left_bins)
    assert np.sqrt(np.mean((left / (NOISE * BASE[DULL:]))[:, ~of_their_own] ** 2)) < 1.0


def fit_held_out(surrogate, held: Scan) -> tuple[np.ndarray, np.ndarray]:
    """Distance of the fitted from the true parameters of exact runs with data errors, and how often chi2 says so."""
    places = np.arange(N_BINS)
    refits = Refits(surrogate, held.theta, places)
    data = NOISE * BASE
    v = np.array([c + np.diag(data**2) for c in surrogate.covariances(held.theta, places)])
    white = np.array([np.linalg.inv(np.linalg.cholesky(one)) for one in v])
    away = contents(held.theta) + data * np.random.default_rng(9).normal(size=held.values.shape) - refits.at_truth[0]
    falls = refits.falls(away, white)
    fisher = np.einsum("nkp,nkq->npq", white @ refits.at_truth[1], white @ refits.at_truth[1])
    return falls, np.sqrt(np.einsum("npp->np", np.linalg.inv(fisher)))


@pytest.mark.slow
def test_auto_is_as_good_as_the_better_of_components_and_bins_alone() -> None:
    scan, held = make_scan(128, 3), make_scan(40, 4)
    choice = choose(jax.random.key(1), scan, AutoConfig())
    assert choice.scores[0].observables[0].rms_pull < 1.5
    configs = {"auto": choice.config, "components": GaussianConfig(), "alone": GaussianConfig(components=False)}
    found = {}
    for name, config in configs.items():
        falls, errors = fit_held_out(train(jax.random.key(2), scan, config), held)
        # -2 log of the likelihood ratio of the truth is chi2 of 3 degrees of freedom, less at the faces
        found[name] = np.mean(falls), np.median(errors, axis=0)
        inside = np.mean(falls < 3.53)
        assert inside > 0.68 - 0.16, name  # 40 runs: two standard errors
    best = np.minimum(found["components"][1], found["alone"][1])
    assert (found["auto"][1] <= 1.1 * best).all()
    assert found["auto"][0] <= 1.1 * max(min(found["components"][0], found["alone"][0]), 3.0)


@pytest.mark.slow
def test_the_observable_that_is_described_worst_comes_first() -> None:
    """Polynomials of order 2 cannot follow the power laws; over all bins together that hardly shows."""
    from sbitune.tuning.surrogates.choice.choice import choice_of_kind
    from sbitune.tuning.surrogates.polynomial.config import PolynomialConfig

    judged = choice_of_kind(jax.random.key(1), make_scan(128, 3), PolynomialConfig(order=2)).scores[0]
    assert judged.observables[0].path == STEEP_PATH
    assert judged.observables[0].rms_pull > 3 * judged.observables[1].rms_pull
