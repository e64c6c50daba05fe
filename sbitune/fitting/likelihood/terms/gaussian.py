"""Bins with Gaussian errors, those of a tune with their moving covariance, as a term: events and bins in one fit."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sbitune.data.errors import InputError
from sbitune.fitting.likelihood.density import Numbers, minus_two_log_likelihood
from sbitune.fitting.likelihood.gaussian import fluctuate
from sbitune.fitting.likelihood.problem import BinnedProblem, total_covariance
from sbitune.fitting.likelihood.terms.term import Named


@dataclass(frozen=True, eq=False)
class GaussianBins:
    """Bins with Gaussian errors: the likelihood of a binned problem, whose limits and fixed values do not count."""

    name: str
    problem: BinnedProblem

    def __post_init__(self) -> None:
        if not np.all(self.problem.measured.weights == 1.0):
            raise InputError(f"{self.name}: bins with weights other than 1 have no likelihood")

    @property
    def data(self) -> np.ndarray:
        """(n_bins,) measured contents."""
        return self.problem.measured.values

    def _theta(self, given: Named) -> Any:
        return jnp.stack([jnp.asarray(given[p.name]) for p in self.problem.parameters])

    def minus_two_log(self, given: Named, data: Any) -> Any:
        """r^T V^-1 r + log det V, counted from the logarithm with the errors of the data alone."""
        problem, measured = self.problem, self.problem.measured
        base = measured.covariance(problem.correlation)
        scale = np.sqrt(np.diag(base))
        numbers = Numbers(measured.indices, data, base, float(problem.model_error), scale, 2 * np.sum(np.log(scale)))
        return minus_two_log_likelihood(problem.model, self._theta(given), numbers)

    def draw(self, key: jax.Array, given: Named, n: int) -> np.ndarray:
        """(n, n_bins) contents, with the model's errors as V has them."""
        problem, theta = self.problem, np.asarray(self._theta(given))
        mean = np.asarray(problem.model.predict(theta).mean)[problem.measured.indices]
        return mean + fluctuate(key, total_covariance(problem, theta), n)

    def asimov(self, given: Named) -> np.ndarray:
        """(n_bins,) contents that the model predicts."""
        problem = self.problem
        return np.asarray(problem.model.predict(self._theta(given)).mean, float)[problem.measured.indices]
