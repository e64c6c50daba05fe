"""Two samples of the same size, and what a test of them says."""

from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from sbitune.data.errors import InputError

#: points of either sample below which five folds hold too few to say anything
LEAST = 50


class C2ST(NamedTuple):
    """Accuracy of a classifier on points that it was not trained on: 0.5 for one distribution, 1 for two apart."""

    accuracy: float  #: mean over folds
    error: float  #: its standard error: binomial, as every point is tested once, or from the folds if that is larger
    folds: np.ndarray  #: (n_folds,) accuracies

    @property
    def p_value(self) -> float:
        """Probability of such an accuracy, or a better one, for samples of one distribution."""
        return float(stats.norm.sf((self.accuracy - 0.5) / self.error))


def check_samples(x: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return two samples (n, d) in float64, scaled with mean and standard deviation of the first.

    Raises:
        InputError: other shapes or sizes, too few points, numbers that are not finite, a column of the first sample
            that is constant.
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if x.ndim != 2 or x.shape != y.shape:
        raise InputError(
            f"two samples have the shapes {x.shape} and {y.shape}, expected (n, d) for both: with other numbers of "
            "points an accuracy of 0.5 is not that of one distribution; take as many of the larger as of the smaller",
            code="samples-unequal",
        )
    if len(x) < LEAST:
        raise InputError(f"two samples of {len(x)} points: at least {LEAST} of each are needed", code="samples-few")
    for name, sample in (("first", x), ("second", y)):
        bad = ~np.isfinite(sample)
        if bad.any():
            row, column = (int(i[0]) for i in np.nonzero(bad))
            raise InputError(
                f"the {name} of two samples has {sample[row, column]} in row {row}, column {column}: a sample with "
                "such points is told apart by them alone",
                code="samples-not-finite",
            )
    mean, width = x.mean(axis=0), x.std(axis=0)
    constant = width <= 1e-12 * np.abs(mean)
    if constant.any():
        raise InputError(
            f"column {int(np.argmax(constant))} of the first of two samples is {mean[np.argmax(constant)]:g} in all "
            "rows: leave it out",
            code="column-constant",
        )
    return (x - mean) / width, (y - mean) / width


def result(folds: np.ndarray, n_points: int) -> C2ST:
    """Put accuracies (n_folds,) of so many points in all together."""
    accuracy = float(np.mean(folds))
    binomial = np.sqrt(max(accuracy * (1 - accuracy), 0.25 / n_points) / n_points)
    return C2ST(accuracy, float(max(binomial, np.std(folds, ddof=1) / np.sqrt(len(folds)))), np.asarray(folds))
