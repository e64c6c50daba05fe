"""Classifier two-sample tests: accuracies that are known, and posteriors that are exact, too narrow, too wide."""

import sys

import jax
import numpy as np
import pytest
from scipy import stats

from sbitune.data.errors import InputError
from sbitune.learning.training import TrainingConfig
from sbitune.learning.twosamples.fast import c2st
from sbitune.learning.twosamples.local import local_c2st
from sbitune.learning.twosamples.published import published_c2st

KEY = jax.random.key(3)


def gaussians(n: int, shift: float, seed: int = 1, d: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """N(0, 1), and N(shift, 1) in the first of d dimensions: the best accuracy is Phi(shift / 2). Far from 0."""
    random = np.random.default_rng(seed)
    x, y = random.normal(size=(2, n, d))
    y[:, 0] += shift
    return 1000 + 5 * x, 1000 + 5 * y


def test_accuracies_are_those_of_the_best_classifier_and_one_half_for_one_distribution() -> None:
    for shift in (0.0, 1.5):
        found = c2st(KEY, *gaussians(600, shift))
        best = stats.norm.cdf(shift / 2)
        assert found.accuracy == pytest.approx(best, abs=4 * found.error + 0.01 * (shift > 0))
        assert found.error == pytest.approx(np.sqrt(best * (1 - best) / 1200), rel=0.8)
        assert len(found.folds) == 5
        assert (found.p_value > 1e-3) == (shift == 0)


@pytest.mark.slow
def test_exact_samples_give_one_half_within_errors() -> None:
    found = [c2st(jax.random.key(i), *gaussians(250, 0.0, seed=i)) for i in range(30)]
    pulls = np.array([(f.accuracy - 0.5) / f.error for f in found])
    assert abs(pulls.mean()) < 4 / np.sqrt(30)
    assert 0.5 < pulls.std() < 1.4
    assert stats.kstest([f.p_value for f in found], "uniform").pvalue > 0.003


@pytest.mark.slow
def test_the_fast_test_is_on_the_scale_of_the_published_one() -> None:
    random = np.random.default_rng(2)
    angle = random.uniform(-np.pi / 2, np.pi / 2, (2, 1000))
    radius = random.normal([[0.1], [0.1]], [[0.01], [0.02]], (2, 1000))
    crescents = tuple(np.stack([r * np.cos(a), r * np.sin(a)], axis=1) for r, a in zip(radius, angle, strict=True))
    for samples in (gaussians(1000, 1.0), crescents):
        fast, published = c2st(KEY, *samples), published_c2st(*samples)
        assert fast.accuracy == pytest.approx(published.accuracy, abs=4 * np.hypot(fast.error, published.error))


def pairs(scale: float, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """theta ~ N(0, 1), x ~ N(theta, 1), draws of N(x / 2, scale^2 / 2), which is too narrow or wide for x > 0 only."""
    random = np.random.default_rng(4)
    theta = random.normal(size=(n, 1))
    x = theta + random.normal(size=(n, 1))

    def draw(x: np.ndarray) -> np.ndarray:
        return x / 2 + np.where(x > 0, scale, 1) / np.sqrt(2) * random.normal(size=x.shape)

    observations = np.array([[-1.0], [1.0]])
    posteriors = draw(np.repeat(observations, 500, axis=1))[..., None]
    return theta, x, draw(x), observations, posteriors


@pytest.mark.slow
def test_posteriors_are_told_exact_narrow_and_wide_where_they_are() -> None:
    config = TrainingConfig(epochs=15, batch_size=200, learning_rate=1e-2, patience=15)
    for scale, wrong in ((1.0, False), (0.5, True), (2.0, True)):
        found = local_c2st(KEY, *pairs(scale, 2000), n_permutations=40, config=config)
        assert found.null.shape == (40, 2)
        assert found.probability.shape == (2, 500)
        assert found.p_value[0] > 0.03
        assert (found.p_value[1] < 0.03) == wrong


def test_samples_that_cannot_be_compared_are_refused() -> None:
    x, y = gaussians(100, 0.0)
    bad = np.where(np.arange(100)[:, None] == 7, np.nan, y)
    faults = [
        ((x, y[:90]), "samples-unequal", r"\(100, 2\) and \(90, 2\)"),
        ((x[:40], y[:40]), "samples-few", "at least 50"),
        ((x, bad), "samples-not-finite", "second .* nan in row 7, column 0"),
        ((x * [1, 0], y), "column-constant", "column 1 of the first"),
    ]
    for given, code, words in faults:
        with pytest.raises(InputError, match=words) as caught:
            c2st(KEY, *given)
        assert caught.value.code == code
    given = pairs(1.0, 60)
    for i, wrong, code in ((2, given[2][:50], "samples-unequal"), (1, np.full((60, 1), np.inf), "samples-not-finite")):
        with pytest.raises(InputError, match="L-C2ST") as caught:
            local_c2st(KEY, *(wrong if j == i else array for j, array in enumerate(given)))
        assert caught.value.code == code


def test_without_scikit_learn_the_published_test_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    monkeypatch.setitem(sys.modules, "sklearn.exceptions", None)
    with pytest.raises(InputError, match=r"sbitune\[trees\]") as caught:
        published_c2st(*gaussians(100, 0.0))
    assert caught.value.code == "trees-absent"
