"""Ratios of the densities of several samples, by one classifier of as many classes.

Trained on samples of equal total weight, outputs f_j(x) of a classifier that minimises the cross entropy are log p_j(x)
up to what all have in common. With the reference p_ref = sum_j c_j p_j (parts c_j that add up to 1)

    r_j(x) = p_j(x) / p_ref(x) = exp f_j / sum_k c_k exp f_k,

so that sum_j c_j r_j = 1 for every event, whatever was learnt, and no r_j is above 1 / c_j. For two samples this is the
classifier of K. Cranmer, J. Pavez, G. Louppe, "Approximating likelihood ratios with calibrated discriminative
classifiers", arXiv:1506.02169. An ensemble's ratio is the mean of its members' ratios.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from sbitune.data.reporting import Reporter
from sbitune.learning.classifiers.logistic import fit_logistic, with_ones
from sbitune.learning.classifiers.losses import class_cross_entropy
from sbitune.learning.classifiers.networks import build_classifier, evaluate_members
from sbitune.learning.ensembles import train_ensemble
from sbitune.learning.rows import Rows
from sbitune.learning.scaling import find_scaling
from sbitune.learning.training import TrainingConfig
from sbitune.ratios.card import NetworkConfig
from sbitune.ratios.mixture.learning import Learned, learned, training_config
from sbitune.ratios.samples import Simulated


class ClassRatios(NamedTuple):
    """Ratios of all samples to their mixture."""

    names: tuple[str, ...]  #: (n_samples,)
    fractions: np.ndarray  #: (n_samples,) parts of the reference
    members: Any  #: stack of classifiers; None for a single sample, whose ratio is 1
    shifts: np.ndarray  #: (n_samples,) added to the outputs of all members, so that E_ref[r] = 1

    def log_ratios(self, x: np.ndarray) -> np.ndarray:
        """(n_events, n_samples) log r of x (n_events, n_columns), float32."""
        if self.members is None:
            return np.zeros((len(x), 1), np.float32)
        ratios = self.of_logits(self.logits(x), self.shifts)
        # a ratio of 0 would be an event that the sample cannot have, which no classifier knows
        return np.log(np.maximum(ratios, np.finfo(np.float32).tiny)).astype(np.float32)

    def logits(self, x: np.ndarray) -> np.ndarray:
        """(n_members, n_events, n_samples) outputs of the classifiers."""
        return evaluate_members(self.members, x).astype(np.float64)

    def of_logits(self, logits: np.ndarray, shifts: np.ndarray) -> np.ndarray:
        """(n_events, n_samples) r of outputs with shifts (n_samples,) added."""
        logits = logits + shifts
        dense = np.exp(logits - logits.max(axis=-1, keepdims=True))
        return (dense / (dense @ self.fractions)[..., None]).mean(axis=0)


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
    none = np.zeros(len(samples))
    if len(samples) == 1:
        return ClassRatios(names, fractions, None, none), None
    used = [[sample.of(role) for sample in samples] for role in ("train", "validation")]
    x = np.concatenate([sample.x for part in used for sample in part])
    label = np.concatenate([np.full(len(s.x), i, np.int32) for part in used for i, s in enumerate(part)])
    weights = np.concatenate([_balanced(part, samples) for part in used])
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
    settings: TrainingConfig = training_config(config)
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
    return ClassRatios(names, fractions, trained.model, none), learned("ratios", trained, nothing, len(x) - n_train)


def _balanced(part: Sequence[Simulated], samples: Sequence[Simulated]) -> np.ndarray:
    """Weights with which all samples count alike, and one event once on average."""
    total = sum(len(sample.x) for sample in part)
    return np.concatenate([sample.weights * total / len(samples) / sample.weights.sum() for sample in part])
