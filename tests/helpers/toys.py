"""Models whose fits are known in closed form."""

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from sbitune.data.bins import Bins
from sbitune.data.parameter import Parameter
from sbitune.fitting.likelihood.measured import Measured
from sbitune.fitting.likelihood.protocols import Prediction


def make_bins(n: int, per_histogram: int = 5) -> Bins:
    k = np.arange(n)
    path = np.array([f"/TOY/d{i // per_histogram + 1:02d}-x01-y01" for i in k])
    return Bins(path, k % per_histogram, (k % per_histogram).astype(float), (k % per_histogram) + 1.0)


@dataclass(frozen=True, eq=False)
class Linear:
    """f = offset + slope theta."""

    parameters: tuple[Parameter, ...]
    bins: Bins
    offset: np.ndarray
    slope: np.ndarray
    error: np.ndarray
    correlation: np.ndarray | None = None

    def predict(self, theta: Any) -> Prediction:
        theta = jnp.asarray(theta)
        return Prediction(jnp.asarray(self.offset) + jnp.asarray(self.slope) @ theta, jnp.asarray(self.error))

    def covariance(self, theta: Any, indices: Any) -> Any:
        r = jnp.eye(len(self.bins)) if self.correlation is None else jnp.asarray(self.correlation)
        return (jnp.outer(self.error, self.error) * r)[indices][:, indices]


@dataclass(frozen=True, eq=False)
class Formula:
    """Any function of theta, without an error."""

    parameters: tuple[Parameter, ...]
    bins: Bins
    function: Any

    def predict(self, theta: Any) -> Prediction:
        mean = self.function(jnp.asarray(theta))
        return Prediction(mean, jnp.zeros(len(self.bins)))

    def covariance(self, theta: Any, indices: Any) -> Any:
        return jnp.zeros((len(indices),) * 2)


@dataclass(frozen=True, eq=False)
class NoisySlope:
    """f = slope x, with slopes that are known to `noise` only, as a surrogate's are."""

    parameters: tuple[Parameter, ...]
    bins: Bins
    slope: np.ndarray
    noise: float

    def predict(self, theta: Any) -> Prediction:
        x = jnp.asarray(theta)[0]
        return Prediction(jnp.asarray(self.slope) * x, jnp.full(len(self.bins), self.noise) * x)

    def covariance(self, theta: Any, indices: Any) -> Any:
        return jnp.diag(self.predict(theta).error[indices] ** 2)


def linear_model(n_bins: int = 20, error: float = 0.0, seed: int = 1) -> Linear:
    rng = np.random.default_rng(seed)
    parameters = (Parameter("Shower:alpha", 0.0, 2.0, 1.0), Parameter("String:sigma", -3.0, 5.0, 0.0))
    return Linear(
        parameters,
        make_bins(n_bins),
        rng.normal(10, 1, n_bins),
        rng.normal(0, 1, (n_bins, 2)),
        np.full(n_bins, error),
    )


def measure(model: Any, theta: np.ndarray, errors: np.ndarray, shift: np.ndarray | float = 0.0, **kwargs) -> Measured:
    n = len(model.bins)  # `shift` is what the data fluctuated by
    values = np.asarray(model.predict(theta).mean) + shift
    settings = {"shifts": np.zeros((0, n)), "weights": np.ones(n)} | kwargs
    return Measured(np.arange(n), model.bins, values, errors, **settings)
