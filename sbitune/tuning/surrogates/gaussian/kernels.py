"""Learning the kernel of Gaussian processes (see `forms.kernel`): the one that makes the runs most probable."""

from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize

from sbitune.tuning.surrogates.forms.kernel import Form, kernel
from sbitune.tuning.surrogates.gaussian.marginal import Scales, best_scales, kernel_gradient

#: the lengths are sought between these, in half widths of the box; and the weight c of the straight line
SHORTEST, LONGEST = 0.15, 60.0
LEAST_LINE, MOST_LINE = 1e-3, 1e3


def round_form(n_features: int, length: float) -> Form:
    """The kernel with one length for all inputs, in half widths of the box, and a line of weight 1."""
    return Form(np.eye(n_features) / length, 1.0)


def decompose(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues (n,), none negative, and eigenvectors (n, n) of a kernel matrix."""
    eigenvalues, vectors = np.linalg.eigh(matrix)
    return np.maximum(eigenvalues, 0.0), vectors


class Runs(NamedTuple):
    """What is known of runs: y is divided by `loud`, so that its noise is alike in all of them."""

    x: np.ndarray  #: (n, n_features) inputs
    y: np.ndarray  #: (n, n_bins) values with mean 0, divided
    loud: np.ndarray  #: (n,) Monte Carlo errors in units of what is typical of their bin

    def matrix(self, form: Form) -> np.ndarray:
        """The kernel (n, n) of what was divided."""
        return kernel(self.x, self.x, form) / np.outer(self.loud, self.loud)


def fit_kernel(runs: Runs, noise: np.ndarray, start: Form, iterations: int, tilted: bool) -> Form:
    """Find the form that makes a group of bins most probable.

    Args:
        runs: of these bins.
        noise: (n_bins,) variance of a run that is as loud as is typical.
        start: where to start from.
        iterations: of L-BFGS-B, at most.
        tilted: whether the axes may differ from those of the inputs.
    """
    free = Free(start, tilted)
    found = minimize(
        lambda numbers: free.loss(runs, noise, numbers),
        free.start,
        jac=True,
        method="L-BFGS-B",
        bounds=free.bounds,
        options={"maxiter": iterations},
    )
    return free.form(found.x)


class Free:
    """The numbers that describe a form: logarithms of the diagonal of L, what is below it, and log c."""

    def __init__(self, start: Form, tilted: bool) -> None:
        self.n = len(start.metric)
        rows, columns = np.tril_indices(self.n, -1)
        self._below = (rows, columns) if tilted else (rows[:0], columns[:0])
        self._fixed = np.tril(start.metric, -1) * (not tilted)
        self.start = np.concatenate(
            [np.log(np.diag(start.metric)), start.metric[self._below], [np.log(start.line)]]
        )  #: (n_numbers,)
        self.bounds = [(-np.log(LONGEST), -np.log(SHORTEST))] * self.n
        self.bounds += [(-1 / SHORTEST, 1 / SHORTEST)] * len(self._below[0])
        self.bounds += [(np.log(LEAST_LINE), np.log(MOST_LINE))]

    def form(self, numbers: np.ndarray) -> Form:
        """The form that numbers (n_numbers,) describe."""
        metric = np.diag(np.exp(numbers[: self.n])) + self._fixed
        metric[self._below] = numbers[self.n : -1]
        return Form(metric, float(np.exp(numbers[-1])))

    def loss(self, runs: Runs, noise: np.ndarray, numbers: np.ndarray) -> tuple[float, np.ndarray]:
        """-log p per value, and its derivatives (n_numbers,); arguments as of `fit_kernel`.

        With G the derivatives with respect to the smooth part of K, times that part, those with respect to L are
        -sum_ij G_ij (x_i - x_j)(x_i - x_j)^T L.
        """
        form, x = self.form(numbers), runs.x
        louder = np.outer(runs.loud, runs.loud)
        every, line = runs.matrix(form), form.line * (1 + x @ x.T) / louder
        eigenvalues, vectors = decompose(every)
        z = vectors.T @ runs.y
        scales = best_scales(eigenvalues, z, noise, extra=False)
        slope = kernel_gradient(vectors, eigenvalues, z, scales, noise)
        smooth = slope * (every - line)
        metric = -2 * ((x.T * smooth.sum(axis=0)) @ x - x.T @ smooth @ x) @ form.metric
        logs = np.diag(metric) * np.diag(form.metric)
        gradient = np.concatenate([logs, metric[self._below], [np.sum(slope * line)]])
        return -float(scales.log_density.sum()) / runs.y.size, -gradient / runs.y.size


def score_bins(runs: Runs, noise: np.ndarray, form: Form) -> Scales:
    """Scales and log p of every bin under one kernel."""
    eigenvalues, vectors = decompose(runs.matrix(form))
    return best_scales(eigenvalues, vectors.T @ runs.y, noise)
