"""Posteriors of parameters in a box from pairs: against one that is known, kept in files, and what is refused."""

from typing import Any

import jax
import msgspec
import numpy as np
import pytest
from helpers.faults import refused
from scipy import stats

from sbitune.data.errors import InputError
from sbitune.data.parameter import Parameter
from sbitune.fitting.checks.calibration import calibrate_posterior
from sbitune.learning.density.config import FlowConfig
from sbitune.learning.density.posterior import BoxPosterior, TrainedPosterior, train_posterior
from sbitune.learning.density.storage import load_posterior, save_posterior

KEY = jax.random.key(4)
BOX = (Parameter("a", 2.0, 6.0), Parameter("b", -1.0, 0.0))
NOISE = np.array([0.4, 0.2])
QUICK = FlowConfig(layers=1, hidden=(8,), width=8, knots=4, members=2, steps=30, batch_size=64)


def pairs(n: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """x0 ~ 1000 + a, x1 ~ b with noise: the posterior is a product of normal distributions that are cut off."""
    random = np.random.default_rng(seed)
    theta = random.uniform([2.0, -1.0], [6.0, 0.0], size=(n, 2))
    return theta, theta + [1000.0, 0.0] + NOISE * random.normal(size=(n, 2))


def exact(x: np.ndarray) -> list[Any]:
    return [
        stats.truncnorm((p.low - m) / s, (p.high - m) / s, loc=m, scale=s)
        for p, m, s in zip(BOX, x - [1000.0, 0.0], NOISE, strict=True)
    ]


@pytest.fixture(scope="module")
def trained() -> TrainedPosterior:
    return train_posterior(KEY, BOX, *pairs(500), QUICK)


@pytest.fixture
def quick(trained: TrainedPosterior) -> BoxPosterior:
    return trained.posterior


def test_samples_and_densities_are_those_of_one_distribution_in_the_box(quick: BoxPosterior) -> None:
    x = np.array([1003.0, -0.9])
    draws = quick.sample(KEY, x, 4000)
    assert draws.shape == (4000, 2)
    assert (draws >= [2, -1]).all()
    assert (draws <= [6, 0]).all()
    axes = [np.linspace(p.low, p.high, 121)[1:-1] for p in BOX]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    density = np.exp(quick.log_prob(grid, x))
    cell = np.prod([axis[1] - axis[0] for axis in axes])
    assert density.sum() * cell == pytest.approx(1, abs=0.02)
    mean = (grid * density[..., None]).sum(axis=(0, 1)) / density.sum()
    np.testing.assert_allclose(draws.mean(axis=0), mean, atol=5 * draws.std(axis=0).max() / np.sqrt(4000))
    assert quick.log_prob(np.array([6.1, -0.5]), x) == -np.inf
    given = np.stack([x, x + 0.1])
    np.testing.assert_allclose(quick.log_prob(grid[3, :2], given)[0], quick.log_prob(grid[3, 0], x), rtol=1e-5)


def test_one_read_back_draws_the_same(tmp_path, quick: BoxPosterior) -> None:
    save_posterior(tmp_path / "p.npz", quick)
    again = load_posterior(tmp_path / "p.npz")
    x = np.array([1004.0, -0.2])
    np.testing.assert_array_equal(again.sample(KEY, x, 50), quick.sample(KEY, x, 50))
    assert (again.parameters, again.columns, again.config) == (quick.parameters, ("x0", "x1"), quick.config)
    np.savez(tmp_path / "q.npz", meta=np.array('{"format": "other", "version": 1}'))
    with pytest.raises(InputError, match="expected a sbitune posterior"):
        load_posterior(tmp_path / "q.npz")


def test_pairs_of_a_group_stay_together_and_the_rest_calibrates(trained: TrainedPosterior) -> None:
    theta, x = pairs(500)
    model, split, losses = trained
    assert [len(rows) for rows in split] == [400, 50, 50]
    assert losses.validation.shape[1] == 2
    held = split.calibration
    found = calibrate_posterior(KEY, model.names, model, theta[held], x[held], 20)
    assert found.ranks.shape == (50, 2)
    groups = np.arange(500) // 5
    split = train_posterior(KEY, BOX, theta, x, msgspec.structs.replace(QUICK, steps=1), groups=groups).split
    assert not set(groups[split.train]) & set(groups[split.calibration])


def test_what_pairs_cannot_be_is_refused() -> None:
    theta, x = pairs(100)
    with refused("pairs-outside-box", "a is 7 at row 3", "2 to 6"):
        train_posterior(KEY, BOX, np.where(np.arange(100)[:, None] == 3, 7.0, theta), x, QUICK)
    with refused("pairs-outside-box", "b is nan at row 0"):
        train_posterior(KEY, BOX, theta * [1, np.nan], x, QUICK)
    with refused("pairs-wrong-shape", "(99, 2)", "(100, 2)"):
        train_posterior(KEY, BOX, theta[1:], x, QUICK)
    with refused("column-constant", "'m'"):
        train_posterior(KEY, BOX, theta, x * [0, 1], QUICK, columns=("m", "n"))


def test_data_of_another_shape_or_not_finite_are_refused(quick: BoxPosterior) -> None:
    with pytest.raises(InputError, match=r"reads 2 numbers, got data of the shape \(3,\)"):
        quick.sample(KEY, np.zeros(3), 5)
    with pytest.raises(InputError, match="'x1' is not finite"):
        quick.log_prob(np.zeros(2), np.array([1.0, np.inf]))


@pytest.mark.slow
def test_it_is_the_posterior_that_is_known() -> None:
    theta, x = pairs(20000)
    config = FlowConfig(members=2, layers=2, hidden=(32,), steps=1200)
    model, split, _ = train_posterior(KEY, BOX, theta, x, config)
    held = split.calibration[:400]
    found = calibrate_posterior(KEY, model.names, model, theta[held], x[held], 100)
    assert set(found.verdicts().values()) == {"consistent"}
    for point in ([1004.0, -0.5], [1002.1, -0.02], [1006.3, -0.9]):  # in the middle and at edges of the box
        draws = model.sample(KEY, np.array(point), 2000)
        for column, known in zip(draws.T, exact(np.array(point)), strict=True):
            assert abs(column.mean() - known.mean()) < 0.15 * known.std()
            assert column.std() == pytest.approx(known.std(), rel=0.1)
