"""Training of conditional flows in a box, from pairs of parameters and data."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sbitune.learning.density.config import FlowConfig
from sbitune.learning.density.members import build_members, features, jittered_loss, make_reading
from sbitune.learning.density.mixture import EDGE, Mixture, to_real
from sbitune.learning.ensembles import train_ensemble
from sbitune.learning.flows import fit_linear_gaussian
from sbitune.learning.keys import check_key
from sbitune.learning.losses import negative_log_likelihood
from sbitune.learning.rows import Rows
from sbitune.learning.training import Losses, Progress, TrainingConfig


class KnownNoise(NamedTuple):
    """Gaussian noise of the data that is drawn anew in every step, where it is known what it is."""

    factor: np.ndarray  #: (k, k) lower triangle: a factor of its covariance
    drawn: np.ndarray  #: (m, k) the first m pairs' data with noise that was drawn once; their own have none


class TrainedMixture(NamedTuple):
    """Trained flows, and how they were trained."""

    mixture: Mixture
    losses: Losses  #: (n_epochs, n_members)
    best_epoch: np.ndarray  #: (n_members,) from 0


def train_mixture(
    key: jax.Array,
    unit: np.ndarray,
    data: np.ndarray,
    config: FlowConfig,
    rows: Rows,
    *,
    noise: KnownNoise | None = None,
    weights: np.ndarray | None = None,
    edge: float = EDGE,
    progress: Progress | None = None,
) -> TrainedMixture:
    """Train an ensemble of flows q(parameters | data) in the box [-1, 1].

    Scales of the data and linear estimates are found from the pairs that train.

    Args:
        key: draws initial weights, batches and noise.
        unit: (n, n_parameters) parameters, the box being [-1, 1].
        data: (n, k) about centred.
        config: of the ensemble.
        rows: which pairs train and which validate, for every member.
        noise: of the first m pairs, which train; the others, which validate, have theirs.
        weights: (n,) of the pairs; by default 1.
        edge: how close to the edge of the box parameters are taken to be, at most, as a part of its half width.
        progress: called after every epoch, see `sbitune.learning.training.Progress`.

    Raises:
        ComputationError: a loss is not finite, or the pairs are too few for a linear model.
    """
    start_key, train_key = jax.random.split(check_key(key))
    k = data.shape[1]
    used = np.unique(rows.train) if noise is None else np.arange(len(noise.drawn))
    seen = data[used] if noise is None else noise.drawn
    z = to_real(unit, edge)
    reading = make_reading(np.zeros((k, k)) if noise is None else noise.factor, unit[used], seen)
    linear = fit_linear_gaussian(z[used], np.asarray(features(reading, jnp.asarray(seen, jnp.float32))))
    arrays: dict[str, Any] = {"x": data.astype(np.float32), "y": z}
    if noise is not None:
        arrays["fresh"] = (np.arange(len(z)) < len(used)).astype(np.float32)
    trained = train_ensemble(
        jax.random.split(train_key, config.members),
        build_members(jax.random.split(start_key, config.members), config, reading, linear),
        negative_log_likelihood if noise is None else jittered_loss,
        arrays,
        _training(config, rows),
        weights=weights,
        rows=rows,
        progress=progress,
    )
    return TrainedMixture(
        Mixture(jax.tree.map(np.asarray, trained.model), config.members), trained.losses, trained.best_epoch
    )


def _training(config: FlowConfig, rows: Rows) -> TrainingConfig:
    per_epoch = max(1, rows.train.shape[1] // config.batch_size)
    epochs = -(-config.steps // per_epoch)
    return TrainingConfig(
        epochs=epochs,
        batch_size=config.batch_size,
        learning_rate=config.learning_rate,
        patience=max(1, epochs // 3),
    )
