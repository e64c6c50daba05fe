"""The learned likelihood of observations in the coordinates of a sampler."""

from dataclasses import dataclass

import numpy as np

from sbitune.ratios.posteriors.model import Model


@dataclass(frozen=True)
class Likelihood:
    """The log likelihood, or log ratio, of independent observations; equal ones are equal."""

    model: Model
    content: bytes
    shape: tuple[int, ...]

    @classmethod
    def of(cls, model: Model, x: np.ndarray) -> "Likelihood":
        """Of x (n_columns,) or (m, n_columns)."""
        return cls(model, x.tobytes(), x.shape)

    @property
    def x(self) -> np.ndarray:
        """(m, n_columns)."""
        return np.frombuffer(self.content, np.float64).reshape(-1, self.shape[-1])

    def at(self, theta: np.ndarray) -> np.ndarray:
        """At theta (..., n_parameters): (...,)."""
        return np.sum([self.model.log_value(theta, row) for row in self.x], axis=0)

    def at_cumulative(self, v: np.ndarray) -> np.ndarray:
        """At v (n, n_parameters) in (0, 1): (n,)."""
        return self.at(self.model.prior.from_cumulative(v))

    def at_real(self, z: np.ndarray) -> np.ndarray:
        """At z (n, n_parameters): (n,)."""
        return self.at(self.model.prior.from_real(z))
