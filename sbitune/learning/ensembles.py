"""Ensembles: many models trained side by side, under `vmap`, by the loop of `training.py`."""

from functools import partial
from typing import Any

import jax
import numpy as np
import optax

from sbitune.data.errors import InputError
from sbitune.learning.keys import Keys, check_key
from sbitune.learning.padding import pad_first, pad_members, pad_rows
from sbitune.learning.shuffles import permute
from sbitune.learning.training import Loss, Progress, Rows, Trained, TrainingConfig, run_epochs


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


def bootstrap_rows(keys: jax.Array, rows: Rows) -> Rows:
    """Draw every member's training events with replacement from its own; validation events stay as they are.

    The spread of members trained on these estimates the statistical error of one of them.
    """
    given = Keys.of(check_key(keys, ndim=1))
    if len(rows.train) != len(given.words):
        raise InputError(f"{len(given.words)} keys for the rows of {len(rows.train)} members")
    n_train = rows.train.shape[1]
    size = pad_rows(n_train)
    drawn = np.asarray(
        _draw(pad_first(given.words, pad_members(len(given.words))), n_train, size=size, kind=given.kind)
    )
    drawn = drawn[: len(given.words), :n_train]
    return Rows(np.take_along_axis(np.asarray(rows.train), drawn, axis=1), rows.validation)


def fold_rows(key: jax.Array, n_events: int, n_members: int) -> Rows:
    """Deal the events into `n_members` equal parts: member i validates on part i and trains on all others.

    With `n_members` parts of floor(n_events / n_members) events; the few left over train everywhere.
    """
    size = n_events // n_members
    if n_members < 2 or size == 0:
        raise InputError(f"{n_events} events cannot be dealt to {n_members} members: need 2 to {n_events} members")
    order = permute(Keys.of(check_key(key)), n_events)
    held = [np.arange(i * size, (i + 1) * size) for i in range(n_members)]
    return Rows(
        np.stack([order[np.delete(np.arange(n_events), part)] for part in held]),
        np.stack([order[part] for part in held]),
    )


def fold_groups(key: jax.Array, groups: np.ndarray, n_members: int) -> Rows:
    """The same of events (n,) of which those with the same number are not independent: they go to one part.

    Parts need not be of one size then; the shorter ones begin again until they are as long as the longest.
    """
    numbers, place = np.unique(groups, return_inverse=True)
    if not 2 <= n_members <= len(numbers):
        raise InputError(f"{len(numbers)} groups cannot be dealt to {n_members} members: need 2 to as many members")
    order = permute(Keys.of(check_key(key)), len(numbers))
    part = (order % n_members)[place.reshape(-1)]
    held = [np.flatnonzero(part == i) for i in range(n_members)]
    others = [np.flatnonzero(part != i) for i in range(n_members)]
    return Rows(*(np.stack([np.resize(rows, max(map(len, parts))) for rows in parts]) for parts in (others, held)))


@partial(jax.jit, static_argnames=("size", "kind"))
def _draw(words: Any, below: Any, *, size: int, kind: Any) -> Any:
    """Draw (n_members, size) integers below a number: `size` changes none of them."""
    keys = jax.random.wrap_key_data(words, impl=kind)
    return jax.vmap(lambda key: jax.random.randint(key, (size,), 0, below))(keys)
