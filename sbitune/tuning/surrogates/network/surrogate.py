"""Network surrogates: an ensemble of small networks, trained together, with a calibrated error.

The runs are dealt to folds. A group of members holds out each fold: it chooses its best epoch by the chi2 of those
runs, which are never used for a step, and its predictions of them calibrate the error (see `calibration.py`). The
prediction is the mean of all members, so every run counts in most of them. One `vmap` trains all members.

The networks see theta and, for parameters whose box begins close to zero, log(theta), see `inputs`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sbitune.data.bins import Bins
from sbitune.data.correlation import MOST_BINS, shrink_correlation
from sbitune.data.errors import InputError
from sbitune.data.scan import Parameter, Scan
from sbitune.fitting.protocols import Prediction
from sbitune.learning.ensembles import bootstrap_rows, fold_rows, stack_models, train_ensemble
from sbitune.learning.keys import check_key
from sbitune.learning.losses import chi2_loss
from sbitune.learning.networks import Fixed, Network, build_mlp
from sbitune.learning.training import Progress, Rows, TrainingConfig
from sbitune.tuning.surrogates.config import NetworkConfig
from sbitune.tuning.surrogates.network.calibration import Calibration, calibrate
from sbitune.tuning.surrogates.regression.covariance import correlate
from sbitune.tuning.surrogates.regression.inputs import begin_near_zero, make_features
from sbitune.tuning.surrogates.regression.outputs import Targets, make_targets, root, to_contents

#: smallest error in the loss, as a fraction of a bin's spread over the runs: no network is more exact, and bins with
#: tiny Monte Carlo errors would drown the others
SMALLEST_ERROR = 0.02
#: points that `predict_many` evaluates at a time
POINTS_AT_ONCE = 1024


class Scaling(NamedTuple):
    """How theta becomes the networks' input, and their output a bin content."""

    log_inputs: np.ndarray  #: (n_parameters,) True for parameters of which the logarithm is shown, too
    input_shift: np.ndarray  #: (n_features,)
    input_scale: np.ndarray  #: (n_features,)
    output_shift: np.ndarray  #: (n_bins,)
    output_scale: np.ndarray  #: (n_bins,) 0 for a bin that never changes
    log_outputs: np.ndarray  #: (n_bins,) True where the logarithm of the content is learnt


@dataclass(frozen=True, eq=False)
class NeuralSurrogate:
    """An ensemble of networks for all bins. Satisfies `BinnedModel`."""

    parameters: tuple[Parameter, ...]  #: with the box that is scaled to [-1, 1]
    bins: Bins  #: (n_bins,)
    config: NetworkConfig  #: how it was built and trained
    networks: Network  #: stack of all members, fold by fold; with `per_bin` a network for each bin of each member
    scaling: Scaling
    calibration: Calibration  #: in units of the scaled output
    correlation: np.ndarray | None = None  #: (n_bins, n_bins) of the errors; None: independent

    def predict(self, theta: Any) -> Prediction:
        """Predict every bin at `theta` (n_parameters,): mean and error (n_bins,). Traceable by JAX."""
        theta = jnp.asarray(theta)
        outputs, (scaling, calibration) = self._ask(theta)
        spread2 = outputs.var(axis=1, ddof=1).mean(axis=0)
        variance = calibration.spread_factor * spread2 + calibration.floor
        mean = outputs.mean(axis=(0, 1)) * scaling.output_scale + scaling.output_shift
        return Prediction(*to_contents(mean, root(variance, jnp) * scaling.output_scale, self.scaling.log_outputs, jnp))

    def covariance(self, theta: Any, indices: Any) -> Any:
        """Covariance (n, n) of the errors of the bins `indices` at `theta` (n_parameters,). Traceable by JAX.

        Bins share the networks, whose members therefore miss them together. So few members know a matrix of all bins
        only roughly: theirs is mixed with that of the held-out residuals as the mean of an inverse Wishart distribution
        with as many degrees of freedom as there are bins would be (`self.correlation` scales the variances of both).
        """
        theta = jnp.asarray(theta)
        error = self.predict(theta).error
        prior = correlate(error, self.correlation, indices)
        if self.config.sharing == "per_bin":
            return prior
        outputs, (_, calibration) = self._ask(theta)
        away = (outputs - outputs.mean(axis=1, keepdims=True)).reshape(-1, outputs.shape[-1])[:, indices]
        freedom = self.config.folds * (self.config.members_per_fold - 1)
        spread2 = jnp.sum(away**2, axis=0) / freedom
        known = spread2 > 0
        unit = away / jnp.sqrt(jnp.where(known, spread2, 1.0) * freedom)
        of_spread = calibration.spread_factor[indices] * spread2
        total = of_spread + calibration.floor[indices]
        part = jnp.where(total > 0, of_spread / jnp.where(total > 0, total, 1.0), 0.0)
        own = error[indices] * jnp.sqrt(jnp.where(part > 0, part, 1.0)) * (part > 0)
        rest = jnp.sqrt(jnp.where(part < 1, 1 - part, 1.0)) * (part < 1)
        share = freedom / (freedom + len(self.bins))
        members = jnp.outer(own, own) * (unit.T @ unit) + jnp.outer(rest, rest) * prior
        return share * members + (1 - share) * prior

    def covariances(self, theta: np.ndarray, indices: np.ndarray) -> Iterator[np.ndarray]:
        """Covariance (k, k) of the errors of the bins `indices` (k,) at every `theta` (n, n_parameters), in float64."""
        one = jax.jit(self.covariance)
        for point in np.asarray(theta, dtype=np.float64):
            with jax.enable_x64(True):
                yield np.asarray(one(point, indices))

    def _ask(self, theta: Any) -> tuple[Any, tuple[Any, Any]]:
        """Outputs (n_folds, n_members_per_fold, n_bins) at `theta`, and scaling and calibration in its precision."""
        scaling, calibration, networks = jax.tree.map(
            lambda array: jnp.asarray(array, None if array.dtype == bool else theta.dtype),
            (self.scaling, self.calibration, self.networks),
        )
        features = make_features(theta, self.parameters, self.scaling.log_inputs, jnp)
        return self._members(networks, (features - scaling.input_shift) / scaling.input_scale), (scaling, calibration)

    def predict_many(self, theta: Any) -> Prediction:
        """Predict every bin at `theta` (n, n_parameters) in float64: NumPy arrays (n, n_bins)."""
        theta = np.asarray(theta, dtype=np.float64)
        with jax.enable_x64(True):
            parts = [
                jax.tree.map(np.asarray, self._compiled(theta[start : start + POINTS_AT_ONCE]))
                for start in range(0, len(theta), POINTS_AT_ONCE)
            ]
        return Prediction(*(np.concatenate(part) for part in zip(*parts, strict=True)))

    @cached_property
    def _compiled(self) -> Any:
        return jax.jit(jax.vmap(self.predict))

    def _members(self, networks: Network, x: jax.Array) -> jax.Array:
        """Return the outputs (n_folds, n_members_per_fold, n_bins) of all members at x (n_features,)."""
        outputs = jax.vmap(lambda network: network(x))(networks)
        return outputs.reshape(self.config.folds, self.config.members_per_fold, len(self.bins))


class Groups(NamedTuple):
    """What each group of members says of the runs that it held out."""

    runs: np.ndarray  #: (n,) which of the scan's
    mean: np.ndarray  #: (n, n_bins) contents
    extra: np.ndarray  #: (n, n_bins) by which their means scatter more than the mean of all members, in quadrature


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
            f"{len(scan.runs)}: add runs or lower folds"
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


def build_networks(keys: jax.Array, config: NetworkConfig, n_features: int, n_bins: int) -> Network:
    """Build the untrained networks: one per key, with an output per bin or, if `per_bin`, a single one."""
    n_out = n_bins if config.sharing == "shared" else 1
    return stack_models(keys, lambda key: build_mlp(key, n_features, n_out, config.hidden, config.activation))


def count_networks(config: NetworkConfig, n_bins: int) -> int:
    """Return how many networks the ensemble holds."""
    return config.folds * config.members_per_fold * (n_bins if config.sharing == "per_bin" else 1)


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


def _calibrated(
    surrogate: NeuralSurrogate, scan: Scan, data: dict[str, np.ndarray], targets: Targets, folds: Rows
) -> tuple[NeuralSurrogate, "Groups"]:
    """Return the surrogate with its error, and how errors of bins move together, from what each group says of its
    held-out runs; and that.
    """
    config, scale = surrogate.config, surrogate.scaling.output_scale
    evaluate = jax.jit(jax.vmap(surrogate._members, in_axes=(None, 0)))
    outputs = np.asarray(evaluate(surrogate.networks, data["x"]), dtype=np.float64)
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
