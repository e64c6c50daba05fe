"""A linear model with Gaussian noise, whose posterior is known, and a scan and a measurement of it."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from sbitune.data.bins import Bins
from sbitune.data.parameter import Parameter
from sbitune.data.scan import Scan
from sbitune.fitting.likelihood.measured import Measured
from sbitune.fitting.likelihood.protocols import Prediction


def make_bins(n: int) -> Bins:
    k = np.arange(n)
    return Bins(np.array([f"/TOY/d{i // 5 + 1:02d}" for i in k]), k % 5, k % 5.0, k % 5 + 1.0)


@dataclass(frozen=True, eq=False)
class Toy:
    """f = offset + slope u + curve u^2, u being theta with the box mapped to [-1, 1]."""

    parameters: tuple[Parameter, ...]
    bins: Bins
    offset: np.ndarray
    slope: np.ndarray
    curve: np.ndarray
    error: float = 0.0
    correlation: float = 0.0  # of the errors of any two bins

    def predict_many(self, theta: Any, xp: Any = np) -> Prediction:
        low, high = np.array([(p.low, p.high) for p in self.parameters]).T
        u = (2 * xp.asarray(theta) - low - high) / (high - low)
        mean = self.offset + u @ self.slope.T + u**2 @ self.curve.T
        return Prediction(mean, xp.full(mean.shape, self.error))

    def predict(self, theta: Any) -> Prediction:
        return self.predict_many(theta, jnp)

    def covariance(self, theta: Any, indices: Any) -> Any:
        n = len(indices)
        return self.error**2 * (self.correlation * jnp.ones((n, n)) + (1 - self.correlation) * jnp.eye(n))


def make_toy(
    n_parameters: int, n_bins: int, size: float = 1.0, curve: float = 0.0, error: float = 0.0, correlation: float = 0.0
) -> Toy:
    random = np.random.default_rng(3)
    parameters = tuple(Parameter(f"String:p{i}", -1.0 - i, 1.0 + 2 * i) for i in range(n_parameters))
    slope = size * random.normal(size=(n_bins, n_parameters))
    bent = curve * size * random.normal(size=(n_bins, n_parameters))
    return Toy(parameters, make_bins(n_bins), 10 + random.normal(size=n_bins), slope, bent, error, correlation)


def points(toy: Toy, n: int, seed: int) -> np.ndarray:
    low, high = np.array([(p.low, p.high) for p in toy.parameters]).T
    return np.random.default_rng(seed).uniform(low, high, (n, len(low)))


def scan_of(toy: Toy, n_runs: int, noise: float = 0.05) -> Scan:
    theta = points(toy, n_runs, 1)
    exact = toy.predict_many(theta).mean
    values = exact + noise * np.random.default_rng(2).normal(size=exact.shape)
    runs = tuple(f"{i:04d}" for i in range(n_runs))
    return Scan(toy.parameters, theta, values, np.full(values.shape, noise), toy.bins, runs)


def measure(toy: Toy, at: np.ndarray, seed: int, shifts: np.ndarray | None = None) -> Measured:
    """A measurement with errors of 1 and, if given, correlated shifts (n_sources, n_bins)."""
    n = len(toy.bins)
    shifts = np.zeros((0, n)) if shifts is None else shifts
    random = np.random.default_rng(seed)
    moved = random.normal(size=n) + random.normal(size=len(shifts)) @ shifts
    values = toy.predict_many(at[None]).mean[0] + moved
    return Measured(np.arange(n), toy.bins, values, np.ones(n), shifts, np.ones(n))


def full_covariance(toy: Toy, measured: Measured) -> np.ndarray:
    """Of the data and of the model's errors."""
    return measured.covariance() + np.asarray(toy.covariance(None, measured.indices), float)


class Exact(NamedTuple):
    mean: np.ndarray
    spread: np.ndarray


def exact_posterior(toy: Toy, measured: Measured, values: np.ndarray) -> Exact:
    """Gaussian, cut off at the box, by 200,000 draws."""
    low, high = np.array([(p.low, p.high) for p in toy.parameters]).T
    covariance = full_covariance(toy, measured)
    weighed = np.linalg.solve(covariance, toy.slope)
    spread = np.linalg.inv(toy.slope.T @ weighed)
    mean = spread @ weighed.T @ (values - toy.offset)
    draws = np.random.default_rng(0).multivariate_normal(mean, spread, 200_000)
    draws = draws[(np.abs(draws) <= 1).all(axis=1)] * (high - low) / 2 + (high + low) / 2
    return Exact(draws.mean(axis=0), draws.std(axis=0))
