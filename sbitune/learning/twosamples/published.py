"""The classifier two-sample test as it is published for posteriors of simulation-based inference.

D. Lopez-Paz, M. Oquab, "Revisiting Classifier Two-Sample Tests", arXiv:1610.06545, in the form of J.-M. Lueckmann et
al., "Benchmarking Simulation-Based Inference", arXiv:2101.04653: scaled with mean and deviation of the first sample; a
network of two hidden layers of 10 d rectified units trained with Adam, by scikit-learn; mean accuracy over 5 shuffled
folds. The value depends on the number of points (0.63 at 2,000 became 0.75 at 10,000 for two samples of one pair of
distributions): compare only values with the same one, which is 10,000 where they are published.
"""

import warnings
from typing import Any

import numpy as np

from sbitune.data.errors import InputError
from sbitune.learning.twosamples.samples import C2ST, check_samples, result


def published_c2st(x: Any, y: Any, *, seed: int = 1, n_folds: int = 5) -> C2ST:
    """Train scikit-learn's network to tell two samples apart.

    Args:
        x: (n, d) reference sample, whose mean and deviation scale both.
        y: (n, d) sample to be tested.
        seed: of the folds and of the networks; 1 where values are published.
        n_folds: parts, on each of which a network trained on the others is tested.

    Raises:
        InputError: scikit-learn is not installed (extra `trees`); samples that are not comparable, see `check_samples`.
    """
    try:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.model_selection import KFold, cross_val_score
        from sklearn.neural_network import MLPClassifier
    except ImportError as error:
        raise InputError(
            'the published C2ST needs scikit-learn: pip install "sbitune[trees]", or use `c2st`', code="trees-absent"
        ) from error
    x, y = check_samples(x, y)
    units = 10 * x.shape[1]
    network = MLPClassifier(
        hidden_layer_sizes=(units, units), activation="relu", solver="adam", max_iter=1000, random_state=seed
    )
    points, label = np.concatenate([x, y]), np.repeat([0, 1], len(x))
    folds = KFold(n_splits=n_folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # 1000 epochs are part of the recipe
        accuracies = cross_val_score(network, points, label, cv=folds, scoring="accuracy")
    return result(accuracies, len(points))
