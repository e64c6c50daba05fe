"""Errors of parameters from few runs: neither the mean over runs nor the directions of components are exact."""

import jax
import numpy as np
import pytest
from scipy import optimize
from scipy.stats import qmc

from sbitune.data.bins import Bins
from sbitune.data.parameter import Parameter
from sbitune.data.scan import Scan
from sbitune.tuning.surrogates.polynomial.config import PolynomialConfig
from sbitune.tuning.surrogates.training import train

PARAMETERS = (Parameter("p", -1.0, 1.0), Parameter("q", -1.0, 1.0))
N_BINS = 30
#: relative errors: Monte Carlo, data
NOISE, DATA = 0.1, 0.01
_random = np.random.default_rng(5)
BASE, SLOPES = _random.uniform(0.5, 2, N_BINS), _random.normal(0, 0.2, (2, N_BINS))
PLACES = np.arange(N_BINS)


def contents(theta: np.ndarray) -> np.ndarray:
    return BASE * (1 + theta @ SLOPES)


def make_scan(n_runs: int, random: np.random.Generator) -> Scan:
    theta = 2 * qmc.LatinHypercube(2, rng=random).random(n_runs) - 1
    errors = np.tile(NOISE * BASE, (n_runs, 1))
    values = contents(theta) + errors * random.normal(size=errors.shape)
    bins = Bins(np.full(N_BINS, "/A/d01-x01-y01"), PLACES, PLACES.astype(float), PLACES + 1.0)
    return Scan(PARAMETERS, theta, values, errors, bins, tuple(f"{i:04d}" for i in range(n_runs)))


def fit(surrogate, values: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, float]:
    """(fitted - true)/error of the parameters, and chi2; the likelihood of the package, by another minimiser."""

    def parts(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        v = np.diag((DATA * BASE) ** 2) + next(surrogate.covariances(theta[None], PLACES))
        return surrogate.predict_many(theta[None]).mean[0] - values, v

    def objective(theta: np.ndarray) -> float:
        r, v = parts(theta)
        return float(r @ np.linalg.solve(v, r) + np.linalg.slogdet(v)[1])

    found = optimize.minimize(objective, truth, method="L-BFGS-B", bounds=[(-1.6, 1.6)] * 2).x
    r, v = parts(found)
    steps = 1e-3 * np.eye(2)
    ends = [surrogate.predict_many(found + sign * steps).mean for sign in (1, -1)]
    slopes = (ends[0] - ends[1]).T / 2e-3
    covariance = np.linalg.inv(slopes.T @ np.linalg.solve(v, slopes))
    return (found - truth) / np.sqrt(np.diag(covariance)), float(r @ np.linalg.solve(v, r))


@pytest.mark.parametrize(
    ("n_runs", "toys"),
    [(12, 60), (16, 60), *(pytest.param(n, t, marks=pytest.mark.slow) for n, t in ((24, 120), (48, 120), (128, 120)))],
)
def test_errors_and_chi2_are_true_of_any_number_of_runs(n_runs, toys):
    pulls, chi2 = [], []
    for number in range(toys):
        random = np.random.default_rng([number, n_runs])
        scan, truth = make_scan(n_runs, random), random.uniform(-1, 1, 2)
        surrogate = train(jax.random.key(number), scan, PolynomialConfig(order=1))
        pull, value = fit(surrogate, contents(truth) * (1 + DATA * random.normal(size=N_BINS)), truth)
        pulls.append(pull)
        chi2.append(value / (N_BINS - 2))
    width = np.sqrt(np.mean(np.square(pulls)))
    # the width of 2 x toys pulls is known to 1/sqrt(4 toys); before, chi2 was 11 to 14 times its degrees of freedom at
    # 12 and 16 runs, and the width .6 at 24 and more
    assert width == pytest.approx(1.0, abs=0.1 + 2 / np.sqrt(4 * toys))
    # the error of the mean and of directions is averaged over the box: towards the corners of 12 runs it is larger
    assert 0.8 < np.mean(chi2) < 1.5


def test_too_wide_and_too_narrow_errors_are_told_apart():
    random = np.random.default_rng(3)
    scan, truth = make_scan(16, random), np.array([0.2, -0.3])
    surrogate = train(jax.random.key(0), scan, PolynomialConfig(order=1))
    parts = surrogate.components
    values = contents(truth) * (1 + DATA * random.normal(size=N_BINS))
    found = {}
    for name, rest in {"true": parts.rest, "narrow": 0.0, "wide": 16 * parts.rest}.items():
        changed = surrogate.__class__(
            surrogate.bins, parts._replace(rest=np.array(rest)), surrogate.inner, None,
            surrogate.left_bins, surrogate.correlation,
        )  # fmt: skip
        found[name] = fit(changed, values, truth)[1] / (N_BINS - 2)
    assert found["narrow"] > 3
    assert found["wide"] < 0.3
    assert 0.3 < found["true"] < 3


def test_the_mean_over_runs_has_an_error_of_its_own_everywhere():
    """Bins that nothing moves: the error of their prediction is that of the mean of n values."""
    random = np.random.default_rng(1)
    for n_runs in (14, 40):
        scan = make_scan(n_runs, random)
        values = scan.values.copy()
        values[:, 2:] = BASE[2:] + scan.errors[:, 2:] * random.normal(size=(n_runs, N_BINS - 2))
        still = Scan(scan.parameters, scan.theta, values, scan.errors, scan.bins, scan.runs)
        surrogate = train(jax.random.key(0), still, PolynomialConfig(order=1))
        error = surrogate.predict_many(np.zeros((1, 2))).error[0, 2:]
        # and what two bins that move teach of one direction, or two, scatters likewise
        assert 1.0 <= np.median(error * np.sqrt(n_runs) / (NOISE * BASE[2:])) < np.sqrt(3.3)


@pytest.mark.parametrize(("place", "wide"), [(0.0, 0.75), (0.9, 1.35)])
def test_the_error_of_other_directions_is_that_of_the_tune(place, wide):
    """In the middle it is less than its average over the box, in a corner more."""
    truth, toys = np.full(2, place), 40
    found: dict[str, list[float]] = {"near": [], "average": []}
    for number in range(toys):
        random = np.random.default_rng([number, 7])
        scan = make_scan(24, random)
        surrogate = train(jax.random.key(number), scan, PolynomialConfig(order=1))
        for name, model in {"near": surrogate.near(truth), "average": surrogate}.items():
            v = next(model.covariances(truth[None], PLACES)) + np.diag((DATA * BASE) ** 2)
            r = model.predict_many(truth[None]).mean[0] - contents(truth) * (1 + DATA * random.normal(size=N_BINS))
            found[name].append(float(r @ np.linalg.solve(v, r)) / N_BINS)
    expected = 1 + 3 * np.sqrt(2 / (N_BINS * toys))
    assert 1 / expected < np.mean(found["near"]) < expected
    assert (np.mean(found["average"]) < wide) == (place == 0.0)
    assert (np.mean(found["average"]) > wide) == (place == 0.9)
