"""Ratios of the densities of several samples, by one classifier of as many classes.

Trained on samples of equal total weight, outputs f_j(x) of a classifier that minimises the cross entropy are log p_j(x)
up to what all have in common. With the reference p_ref = sum_j c_j p_j (parts c_j that add up to 1)

    r_j(x) = p_j(x) / p_ref(x) = exp f_j / sum_k c_k exp f_k,

so that sum_j c_j r_j = 1 for every event, whatever was learnt, and no r_j is above 1 / c_j. For two samples this is the
classifier of K. Cranmer, J. Pavez, G. Louppe, "Approximating likelihood ratios with calibrated discriminative
classifiers", arXiv:1506.02169. The members of an ensemble are combined on events that none has seen, see
`learning.classifiers.combination`: that makes mean ratios 1 over these, and gives the error of the ratio.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sbitune.data.reporting import Reporter
from sbitune.fitting.likelihood.precision import double_precision
from sbitune.learning.classifiers.combination import Combined, fit_classes, plain_mean
from sbitune.learning.classifiers.logistic import fit_logistic, with_ones
from sbitune.learning.classifiers.losses import class_cross_entropy
from sbitune.learning.classifiers.networks import build_classifier
from sbitune.learning.ensembles import train_ensemble
from sbitune.learning.rows import Rows
from sbitune.learning.scaling import find_scaling
from sbitune.learning.training import TrainingConfig
from sbitune.ratios.mixture.calibrated import CalibratedClasses, calibrate_classes
from sbitune.ratios.mixture.learning import Learned, learned, training_config
from sbitune.ratios.samples import Simulated
from sbitune.ratios.sections import NetworkConfig


class ClassRatios(NamedTuple):
    """Ratios of all samples to their mixture."""

    names: tuple[str, ...]  #: (n_samples,)
    fractions: np.ndarray  #: (n_samples,) parts of the reference
    combined: Combined | None  #: classifiers; None for a single sample, whose ratio is 1
    calibrated: CalibratedClasses | None = None  #: what mends them; None: nothing does

    def log_ratios(self, x: np.ndarray) -> np.ndarray:
        """(n_events, n_samples) log r of x (n_events, n_columns), float32."""
        if self.combined is None:
            return np.zeros((len(x), 1), np.float32)
        learned = log_ratios_of(self.combined.outputs(x), self.fractions, np)
        if self.calibrated is None:
            return np.asarray(learned, np.float32)
        with double_precision():
            return np.asarray(self.calibrated(jnp.asarray(learned), self.fractions), np.float32)

    def of_outputs(self, outputs: Any) -> Any:
        """The same of what the combined classifiers say (n_events, n_samples). Can be traced by JAX."""
        learned = log_ratios_of(outputs, self.fractions, jnp)
        return learned if self.calibrated is None else self.calibrated(learned, self.fractions)


def log_ratios_of(outputs: Any, fractions: Any, xp: Any) -> Any:
    """Log r (n_events, n_samples) of outputs (n_events, n_samples); `xp` is NumPy or `jax.numpy`."""
    shifted = outputs - xp.max(outputs, axis=1, keepdims=True)
    return shifted - xp.log(xp.exp(shifted) @ fractions)[:, None]


def train_classes(
    key: jax.Array,
    samples: Sequence[Simulated],
    columns: Sequence[str],
    fractions: np.ndarray,
    config: NetworkConfig,
    reporter: Reporter,
) -> tuple[ClassRatios, Learned | None]:
    """Learn the ratios of samples, and say how that went.

    Raises:
        InputError: for a column that does not vary.
        ComputationError: if a loss is not finite.
    """
    names = tuple(sample.name for sample in samples)
    if len(samples) == 1:
        return ClassRatios(names, fractions, None), None
    used = [[sample.of(role) for sample in samples] for role in ("train", "validation")]
    x = np.concatenate([sample.x for part in used for sample in part])
    label = np.concatenate([np.full(len(s.x), i, np.int32) for part in used for i, s in enumerate(part)])
    weights = np.concatenate([_balanced(part) for part in used])
    n_train = sum(len(sample.x) for sample in used[0])
    rows = np.arange(len(x))
    shape = (config.members, 1)
    scaling = find_scaling("samples", columns, x)
    begin = slice(0, n_train)
    linear = fit_logistic(with_ones(scaling.apply(x[begin])), label[begin], len(samples), weights[begin])
    models = build_classifier(
        jax.random.split(jax.random.fold_in(key, 0), config.members),
        scaling,
        len(samples),
        config.hidden,
        linear=linear,
    )
    settings: TrainingConfig = training_config(config, n_train)
    trained = train_ensemble(
        jax.random.split(jax.random.fold_in(key, 1), config.members),
        models,
        class_cross_entropy,
        {"x": x, "label": label},
        settings,
        weights=weights,
        rows=Rows(np.tile(rows[:n_train], shape), np.tile(rows[n_train:], shape)),
        progress=lambda epoch, *_: reporter.progress("training ratios", epoch + 1, settings.epochs),
    )
    reporter.progress("training ratios", settings.epochs, settings.epochs)
    nothing = float(np.log(len(samples)))
    noted = learned("ratios", trained, nothing, len(x) - n_train)
    combined = plain_mean(trained.model, x.shape[1], first_is_base=True)
    held = [sample.of("held") for sample in samples]
    label = np.concatenate([np.full(len(s.x), i) for i, s in enumerate(held)])
    combined = fit_classes(combined, np.concatenate([s.x for s in held]), label, _balanced(held))
    return ClassRatios(names, fractions, combined), noted


def calibrated_ratios(ratios: ClassRatios, samples: Sequence[Simulated], kind: str) -> ClassRatios:
    """The ratios of samples, mended on their events that are there for it. Raises as `calibrate_classes`."""
    if ratios.combined is None:
        return ratios
    parts = [sample.of("calibration") for sample in samples]
    logs, weights = [ratios.log_ratios(part.x) for part in parts], [part.weights for part in parts]
    return ratios._replace(calibrated=calibrate_classes(kind, ratios.names, ratios.fractions, logs, weights))


def _balanced(part: Sequence[Simulated]) -> np.ndarray:
    """Weights with which all samples count alike, and one event once on average."""
    total = sum(len(sample.x) for sample in part)
    return np.concatenate([sample.weights * total / len(part) / sample.weights.sum() for sample in part])
