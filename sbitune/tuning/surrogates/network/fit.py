"""Training the networks of a surrogate, and the calibration of its errors; how they predict is in `surrogate`."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np

from sbitune.data.correlation import MOST_BINS, shrink_correlation
from sbitune.data.errors import InputError
from sbitune.data.scan import Scan
from sbitune.learning.ensembles import train_ensemble
from sbitune.learning.keys import check_key
from sbitune.learning.losses import chi2_loss
from sbitune.learning.networks import Fixed, Network
from sbitune.learning.padding import pad_first, pad_rows
from sbitune.learning.rows import Rows, bootstrap_rows, fold_rows
from sbitune.learning.training import Progress, TrainingConfig
from sbitune.tuning.surrogates.heldout.trials import Groups
from sbitune.tuning.surrogates.network.calibration import Calibration, calibrate
from sbitune.tuning.surrogates.network.config import NetworkConfig
from sbitune.tuning.surrogates.network.surrogate import NeuralSurrogate, Scaling, build_networks, count_networks
from sbitune.tuning.surrogates.regression.inputs import begin_near_zero, make_features
from sbitune.tuning.surrogates.regression.outputs import Targets, make_targets, to_contents

#: smallest error in the loss, as a fraction of a bin's spread over the runs: no network is more exact, and bins with
#: tiny Monte Carlo errors would drown the others
SMALLEST_ERROR = 0.02


def fit_network(
    key: jax.Array, scan: Scan, config: NetworkConfig, progress: Progress | None = None
) -> tuple[NeuralSurrogate, Groups]:
    """Train an ensemble on a scan.

    Args:
        key: deals the runs to folds, draws initial weights and batches.
        scan: the runs.
        config: see `NetworkConfig`.
        progress: called after every epoch, see `sbitune.learning.training.Progress`.

    Raises:
        InputError: fewer than two runs per fold.
        ComputationError: a loss is not finite.
    """
    if len(scan.runs) < 2 * config.folds:
        raise InputError(
            f"a network with {config.folds} folds needs at least {2 * config.folds} runs, the scan has "
            f"{len(scan.runs)}: add runs or lower folds",
            code="surrogate-too-few-runs",
        )
    check_key(key)
    fold_key, start_key, boot_key = jax.random.split(key, 3)
    targets = make_targets(scan, config.scale)
    scaling = _make_scaling(scan, targets, config)
    data = _make_data(scan, targets, scaling)
    folds = fold_rows(fold_key, len(scan.runs), config.folds)
    rows = Rows(*(np.repeat(part, config.members_per_fold, axis=0) for part in folds))
    if config.bootstrap:
        rows = bootstrap_rows(jax.random.split(boot_key, len(rows.train)), rows)
    networks = _train(start_key, data, rows, config, progress)
    untrained = Calibration(np.ones(len(scan.bins)), np.zeros(len(scan.bins)))
    surrogate = NeuralSurrogate(scan.parameters, scan.bins, config, networks, scaling, untrained)
    return _calibrated(surrogate, scan, data, targets, folds)


def _make_scaling(scan: Scan, targets: Targets, config: NetworkConfig) -> Scaling:
    log_inputs = begin_near_zero(scan.parameters) & config.log_inputs
    features = make_features(scan.theta, scan.parameters, log_inputs, np)
    spread = features.std(axis=0)
    scale = np.where(spread > 0, spread, 1.0)
    changes = np.ptp(targets.values, axis=0) > 0
    return Scaling(
        log_inputs=log_inputs,
        input_shift=features.mean(axis=0),
        input_scale=scale,
        output_shift=np.where(changes, targets.values.mean(axis=0), targets.values[0]),
        output_scale=np.where(changes, targets.values.std(axis=0), 0.0),
        log_outputs=targets.log,
    )


def _make_data(scan: Scan, targets: Targets, scaling: Scaling) -> dict[str, np.ndarray]:
    """Return scaled inputs, outputs and errors in float32, one event per run."""
    features = make_features(scan.theta, scan.parameters, scaling.log_inputs, np)
    scale = np.where(scaling.output_scale > 0, scaling.output_scale, 1.0)
    data = {
        "x": (features - scaling.input_shift) / scaling.input_scale,
        "y": (targets.values - scaling.output_shift) / scale,
        "error": np.maximum(targets.errors / scale, SMALLEST_ERROR),
    }
    return {name: array.astype(np.float32) for name, array in data.items()}


def _train(
    key: jax.Array, data: dict[str, np.ndarray], rows: Rows, config: NetworkConfig, progress: Progress | None
) -> Network:
    n_bins = data["y"].shape[1]
    keys = jax.random.split(key, count_networks(config, n_bins))
    networks = build_networks(keys, config, data["x"].shape[1], n_bins)
    training = TrainingConfig(
        epochs=config.epochs,
        batch_size=config.batch_size,
        learning_rate=config.learning_rate,
        patience=config.patience,
    )
    if config.sharing == "shared":
        trained = train_ensemble(keys, networks, chi2_loss, data, training, rows=rows, progress=progress).model
    else:
        columns = Fixed(jnp.tile(jnp.arange(n_bins), len(rows.train)))
        rows = Rows(*(np.repeat(part, n_bins, axis=0) for part in rows))
        models = (networks, columns)
        trained = train_ensemble(keys, models, _chi2_of_bin, data, training, rows=rows, progress=progress).model[0]
    return jax.tree.map(np.asarray, trained)


def _chi2_of_bin(model: tuple[Network, Fixed], batch: dict[str, jax.Array], key: jax.Array) -> jax.Array:
    """Return `chi2_loss` of a network that predicts one bin only, the column that it carries along."""
    network, column = model
    chosen = {name: batch[name][:, column.value][:, None] for name in ("y", "error")}
    return chi2_loss(network, {"x": batch["x"], **chosen}, key)


def _evaluate(networks: Network, x: np.ndarray) -> np.ndarray:
    """Return the outputs (n_events, n_networks, n_out) at x (n_events, n_features), in float64."""
    return np.asarray(_ask(networks, pad_first(x, pad_rows(len(x)))))[: len(x)].astype(np.float64)


@jax.jit
def _ask(networks: Network, x: jax.Array) -> jax.Array:
    return jax.vmap(lambda network: network(x), out_axes=1)(networks)


def _calibrated(
    surrogate: NeuralSurrogate, scan: Scan, data: dict[str, np.ndarray], targets: Targets, folds: Rows
) -> tuple[NeuralSurrogate, Groups]:
    """Return the surrogate with its error, and how errors of bins move together, from what each group says of its
    held-out runs; and that.
    """
    config, scale = surrogate.config, surrogate.scaling.output_scale
    shape = (-1, config.folds, config.members_per_fold, len(scan.bins))
    outputs = _evaluate(surrogate.networks, data["x"]).reshape(shape)
    groups = np.concatenate([outputs[runs, fold] for fold, runs in enumerate(folds.validation)])
    held = folds.validation.ravel()
    residuals = groups.mean(axis=1) - data["y"][held]
    noise = targets.errors[held] / np.where(scale > 0, scale, 1.0)
    k = config.members_per_fold
    fewer = 1 / k - 1 / (k * config.folds)
    spread = groups.std(axis=1, ddof=1)
    calibration = calibrate(residuals, noise, spread, fewer)
    known = noise > 0
    unit = np.where(known, residuals / np.where(known, noise, 1.0), 0.0)
    correlation = None if len(scan.bins) > MOST_BINS else shrink_correlation(unit, scan.correlation)
    mean, extra = to_contents(
        groups.mean(axis=1) * scale + surrogate.scaling.output_shift, np.sqrt(fewer) * spread * scale, targets.log
    )
    return replace(surrogate, calibration=calibration, correlation=correlation), Groups(held, mean, extra)
