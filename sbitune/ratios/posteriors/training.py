"""Training of a model on simulated pairs, and whether it has learnt anything."""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from sbitune.data.errors import InputError
from sbitune.learning.ensembles import train_ensemble
from sbitune.learning.keys import Keys, check_key
from sbitune.learning.rows import Rows, split_rows
from sbitune.learning.splits import split_events
from sbitune.learning.training import Progress, Trained
from sbitune.ratios.posteriors.judgement import judge
from sbitune.ratios.posteriors.methods.method import Pairs
from sbitune.ratios.posteriors.methods.registry import find_kind
from sbitune.ratios.posteriors.model import Model
from sbitune.ratios.posteriors.prior import Prior
from sbitune.ratios.posteriors.simulations import Simulations, make_scaling, name_columns

#: simulations per parameter and column below which nothing can be learnt
_LEAST = 10


def train_model(
    key: jax.Array,
    kind: str,
    prior: Prior,
    simulations: Simulations,
    config: Any = None,
    *,
    columns: Sequence[str] | None = None,
    observation: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    progress: Progress | None = None,
) -> Model:
    """Train a model.

    All members validate on the same simulations, so that they can be compared.

    Args:
        key: initial weights, batches, the split.
        kind: npe, nle or nre.
        prior: of theta.
        simulations: checked ones, see `check_pairs`.
        config: settings of the method; None: as they are for all.
        columns: (n_columns,) names; None: x0, x1, ...
        observation: (n_columns,) that the simulations were drawn for, if they are not for all.
        groups: (n,) simulations of one number are not independent: they train or validate together.
        progress: called after every epoch.

    Raises:
        InputError: too few simulations, a column that never varies.
        ComputationError: a loss is not finite.
    """
    method, record = find_kind(kind)
    config = record() if config is None else config
    if not isinstance(config, record):
        raise InputError(f"{kind} is set by {record.__name__}, found {type(config).__name__}")
    n, n_columns = simulations.x.shape
    least = _LEAST * (simulations.theta.shape[1] + n_columns)
    if n < least:
        raise InputError(
            f"{n} simulations of {simulations.theta.shape[1]} parameters and {n_columns} columns: need at least "
            f"{least}; simulate more",
            code="posterior-too-few",
        )
    columns = name_columns(columns, n_columns)
    scaling = make_scaling(columns, simulations.x)
    theta = simulations.theta
    pairs = Pairs(prior.to_real(theta), prior.to_unit(theta), scaling.apply(simulations.x))
    split_key, start_key, train_key = jax.random.split(check_key(key), 3)
    rows = split_simulations(split_key, n, config.members, config.validation_fraction, groups)
    trained_on = Pairs(*(part[rows.train[0]] for part in pairs))
    keys = jax.random.split(start_key, config.members)
    start = method.build(keys, config, prior, n_columns, trained_on)
    trained = train_ensemble(
        jax.random.split(train_key, config.members),
        start,
        method.loss(config),
        method.events(pairs),
        config.training(),
        rows=rows,
        progress=progress,
    )
    validation = Pairs(*(part[rows.validation[0]] for part in pairs))
    held = method.events(validation)
    networks, best_epochs = _keep_better_start(train_key, method.loss(config), start, trained, held)
    model = Model(
        kind=kind,
        prior=prior,
        columns=columns,
        scaling=scaling,
        config=config,
        networks=jax.tree.map(np.asarray, networks),
        losses=np.stack(trained.losses),
        best_epochs=best_epochs,
        mean=np.zeros(2),
        preference=np.full(2, np.nan),
        rounds=len(np.unique(simulations.rounds)),
        simulations=n,
        simulations_hash=simulations.hash,
        observation=observation,
    )
    return judge(model, validation, pairs)


def _keep_better_start(
    key: jax.Array, loss: Any, start: Any, trained: Trained, validation: dict[str, np.ndarray]
) -> tuple[Any, np.ndarray]:
    """Networks, and their best epochs, with those as they started where training did not lower the validation loss.

    Most start as the best linear model, which is exact for simulations that are linear and Gaussian: steps only add
    noise there.
    """
    first, last = (
        np.asarray(jax.vmap(lambda network: loss(network, validation, key).mean())(networks))
        for networks in (start, trained.model)
    )

    def choose(first_leaf: Any, last_leaf: Any) -> np.ndarray:
        return np.where((first <= last).reshape(-1, *[1] * (np.ndim(last_leaf) - 1)), first_leaf, last_leaf)

    best_epochs = np.where(first <= last, -1, trained.best_epoch).astype(np.int32)
    return jax.tree.map(choose, start, trained.model), best_epochs


def split_simulations(
    key: jax.Array, n: int, members: int, validation_fraction: float, groups: np.ndarray | None = None
) -> Rows:
    """The same random split for all members, which parts no group."""
    if groups is not None:
        return split_events(key, n, groups, validation=validation_fraction).rows(members)
    given = Keys.of(check_key(key))
    one = split_rows(Keys(given.words[None], given.kind), n, validation_fraction)
    return Rows(*(np.repeat(part, members, axis=0) for part in one))
