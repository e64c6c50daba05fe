"""Ensembles: many models trained side by side, under `vmap`, by the loop of `training.py`."""

from typing import Any

import jax
import optax

from sbitune.learning.keys import Keys, check_key
from sbitune.learning.rows import Rows
from sbitune.learning.training import Loss, Progress, Trained, TrainingConfig, run_epochs


def train_ensemble(
    keys: jax.Array,
    models: Any,
    loss: Loss,
    data: Any,
    config: TrainingConfig,
    *,
    weights: Any = None,
    rows: Rows | None = None,
    optimizer: optax.GradientTransformation | None = None,
    progress: Progress | None = None,
) -> Trained:
    """Train a stack of models; member i becomes what `train(keys[i], models[i], ...)` would make of it.

    Args:
        keys: (n_members,) typed keys.
        models: a stack, such as `build_mlp` gives for `keys`.
        loss, data, config, weights, optimizer, progress: see `train`; all members share them.
        rows: which events train and validate each member, such as from `bootstrap_rows`; by default every member
            draws its own split with its key.

    Returns:
        `Trained` with a first axis of members in the model, losses (n_epochs, n_members), best_epoch (n_members,).
    """
    return run_epochs(Keys.of(check_key(keys, ndim=1)), models, loss, data, config, weights, rows, optimizer, progress)
