"""What surrogates that learnt every bin alone have in common."""

from collections.abc import Iterator
from typing import Any

import jax.numpy as jnp
import numpy as np

from sbitune.fitting.likelihood.protocols import Prediction
from sbitune.tuning.surrogates.base import BaseSurrogate
from sbitune.tuning.surrogates.regression.covariance import correlate


class BinByBin(BaseSurrogate):
    """A surrogate whose errors of different bins move together as `correlation` says, wherever it is asked."""

    correlation: np.ndarray | None  #: (n_bins, n_bins) of the errors; None: independent

    def predict(self, theta: Any) -> Prediction:
        """Predict every bin at `theta` (n_parameters,): mean and error (n_bins,). Traceable by JAX."""
        return self._evaluate(jnp.asarray(theta), jnp)

    def covariance(self, theta: Any, indices: Any) -> Any:
        """Covariance (n, n) of the errors of the bins `indices` at `theta` (n_parameters,). Traceable by JAX."""
        return correlate(self.predict(theta).error, self.correlation, indices)

    def predict_many(self, theta: Any) -> Prediction:
        """Predict every bin at `theta` (n, n_parameters) with NumPy in float64: mean and error (n, n_bins)."""
        return self._evaluate(np.asarray(theta, dtype=np.float64), np)

    def covariances(self, theta: np.ndarray, indices: np.ndarray) -> Iterator[np.ndarray]:
        """Covariance (k, k) of the errors of the bins `indices` (k,) at every `theta` (n, n_parameters), in float64."""
        for error in self.predict_many(theta).error:
            yield correlate(error, self.correlation, indices, np)

    def _evaluate(self, theta: Any, xp: Any) -> Prediction:
        """Mean and error (..., n_bins) at `theta` (..., n_parameters), in its precision; `xp` is NumPy or JAX's."""
        raise NotImplementedError
