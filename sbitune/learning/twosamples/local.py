"""The local classifier two-sample test: is the posterior right for one given observation?

J. Linhart, A. Gramfort, P. Rodrigues, "L-C2ST: Local Diagnostics for Posterior Approximations in Simulation-Based
Inference", arXiv:2306.03580. A classifier d(theta, x) learns to tell pairs (theta, x) of the simulator from pairs in
which theta was drawn from the posterior given x. At an observation x0, with draws from its posterior,

    t(x0) = mean over draws of (d(theta, x0) - 1/2)^2

is 0 if the posterior is exact there. What it is by chance is learned from the same pairs with their labels permuted, as
often as asked for. All classifiers train at once.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sbitune.data.errors import InputError
from sbitune.learning.ensembles import train_ensemble
from sbitune.learning.keys import check_key
from sbitune.learning.networks import Fixed, Network, build_mlp
from sbitune.learning.rows import Rows, fold_rows
from sbitune.learning.training import TrainingConfig
from sbitune.learning.twosamples.samples import LEAST

#: part of the pairs that chooses the best epoch
_PARTS = 10


class LocalC2ST(NamedTuple):
    """Tests of the posteriors of some observations."""

    statistic: np.ndarray  #: (n_observations,) t, from 0 to 1/4
    null: np.ndarray  #: (n_permutations, n_observations) t of classifiers that have nothing to learn
    p_value: np.ndarray  #: (n_observations,) that t is so large by chance, at least 1 / (n_permutations + 1)
    probability: np.ndarray  #: (n_observations, n_draws) d of the draws: above 1/2 where the posterior has too many


def local_c2st(
    key: jax.Array,
    theta: Any,
    x: Any,
    draws: Any,
    observations: Any,
    posteriors: Any,
    *,
    n_permutations: int = 100,
    config: TrainingConfig | None = None,
) -> LocalC2ST:
    """Test posteriors of observations.

    Args:
        key: permutes labels, draws weights and batches.
        theta: (n_pairs, n_parameters) of the simulator, which the posterior was not trained on.
        x: (n_pairs, n_data) simulated with them.
        draws: (n_pairs, n_parameters) one from the posterior given each of these x.
        observations: (n_observations, n_data).
        posteriors: (n_observations, n_draws, n_parameters) draws from the posterior of each.
        n_permutations: classifiers that learn from permuted labels.
        config: of the training; None: 30 epochs.

    Raises:
        InputError: arrays that do not fit each other, too few pairs, numbers that are not finite.
    """
    theta, x, draws, observations, posteriors = _check(theta, x, draws, observations, posteriors)
    n_pairs, n_networks = len(theta), 1 + n_permutations
    label_key, fold_key, weight_key, train_key = jax.random.split(check_key(key), 4)
    pairs = np.concatenate([np.concatenate([theta, draws]), np.concatenate([x, x])], axis=1)
    centre, width = pairs.mean(axis=0), pairs.std(axis=0)
    scale = partial(_scaled, centre=centre, width=np.where(width > 0, width, 1))
    labels = _labels(label_key, n_pairs, n_permutations)
    units = 10 * pairs.shape[1]
    networks = build_mlp(jax.random.split(weight_key, n_networks), pairs.shape[1], 1, (units, units), "relu")
    models = {"network": networks, "column": Fixed(jnp.arange(n_networks, dtype=jnp.int32))}
    held = fold_rows(fold_key, 2 * n_pairs, _PARTS)
    rows = Rows(*(np.tile(part[:1], (n_networks, 1)) for part in held))
    config = config or TrainingConfig(epochs=30, batch_size=max(32, min(256, n_pairs // 16)), patience=30)
    data = {"pairs": scale(pairs), "labels": labels}
    trained = train_ensemble(jax.random.split(train_key, n_networks), models, _loss, data, config, rows=rows).model
    found = [
        np.asarray(_probabilities(trained["network"], scale(np.concatenate([d, np.tile(o, (len(d), 1))], axis=1))))
        for o, d in zip(observations, posteriors, strict=True)
    ]
    probability = np.stack(found, axis=1)  # (n_networks, n_observations, n_draws)
    statistics = np.mean((probability - 0.5) ** 2, axis=-1)
    statistic, null = statistics[0], statistics[1:]
    p_value = (1 + (null >= statistic).sum(axis=0)) / (1 + n_permutations)
    return LocalC2ST(statistic, null, p_value, probability[0])


def _scaled(pairs: np.ndarray, centre: np.ndarray, width: np.ndarray) -> np.ndarray:
    return ((pairs - centre) / width).astype(np.float32)


def _labels(key: jax.Array, n_pairs: int, n_permutations: int) -> np.ndarray:
    """(2 n_pairs, 1 + n_permutations) 0 for pairs of the simulator and 1 for draws, and these permuted.

    A permutation exchanges theta and the draw of one x, or leaves them, at random: for an exact posterior all columns
    have the same distribution then, and p-values are uniform however badly classifiers learn.
    """
    random = np.random.default_rng(np.asarray(jax.random.bits(key, (4,))).tolist())
    swapped = random.integers(2, size=(n_pairs, n_permutations))
    first = np.concatenate([np.zeros((n_pairs, 1), int), swapped], axis=1)
    return np.concatenate([first, 1 - first]).astype(np.float32)


def _loss(model: Any, batch: dict[str, jax.Array], key: jax.Array) -> jax.Array:
    """Cross entropy with the labels of the column that belongs to the model."""
    logits = model["network"](batch["pairs"])[:, 0]
    label = batch["labels"][:, model["column"].value]
    return jax.nn.softplus(jnp.where(label > 0.5, -logits, logits))


@jax.jit
def _probabilities(networks: Network, pairs: Any) -> Any:
    """(n_networks, n_draws)"""
    return jax.nn.sigmoid(jax.vmap(lambda network: network(pairs)[:, 0])(networks))


def _check(*arrays: Any) -> list[np.ndarray]:
    names = ("theta", "x", "draws", "observations", "posteriors")
    found = [np.asarray(array, np.float64) for array in arrays]
    theta, x, draws, observations, posteriors = found
    if [array.ndim for array in found] != [2, 2, 2, 2, 3] or not (
        theta.shape == draws.shape
        and len(x) == len(theta)
        and observations.shape[1] == x.shape[1]
        and (len(posteriors), posteriors.shape[2]) == (len(observations), theta.shape[1])
    ):
        shapes = ", ".join(f"{name} {array.shape}" for name, array in zip(names, found, strict=True))
        raise InputError(f"L-C2ST: the shapes do not fit each other: {shapes}", code="samples-unequal")
    if len(theta) < LEAST:
        raise InputError(f"L-C2ST: {len(theta)} pairs, at least {LEAST} are needed", code="samples-few")
    for name, array in zip(names, found, strict=True):
        if not np.isfinite(array).all():
            row = int(np.argwhere(~np.isfinite(array))[0][0])
            raise InputError(f"L-C2ST: {name} is not finite in row {row}", code="samples-not-finite")
    return found
