"""How a model answers a minimiser: predictions, their covariance, and what a gradient needs of both.

The gradient of an objective through the model is that of 2 q.f(u) + <M, V(u)> with the lever q (n_bins,) and the matrix
M (n_bins, n_bins) held, which one backward pass gives: q = V^-1 r and M = V^-1 - q q^T for the likelihood of `problem`.
"""

import functools
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from sbitune.fitting.likelihood.frame import Frame
from sbitune.fitting.likelihood.objective import compile_model
from sbitune.fitting.likelihood.problem import Problem
from sbitune.fitting.likelihood.protocols import BinnedModel

#: for first differences, in half widths of the box
_STEP = 1e-3


class Response(Protocol):
    """A problem's model in scaled coordinates u (n_parameters,), in the measured bins."""

    def mean(self, u: np.ndarray) -> np.ndarray:
        """(n_bins,) predicted contents."""
        ...

    def slopes(self, u: np.ndarray) -> np.ndarray:
        """(n_bins, n_parameters) derivatives of the mean with respect to u."""
        ...

    def covariance(self, u: np.ndarray) -> np.ndarray:
        """(n_bins, n_bins) of the model's errors."""
        ...

    def pull(self, u: np.ndarray, q: np.ndarray, m: np.ndarray) -> np.ndarray:
        """(n_parameters,) gradient of 2 q.f + <m, covariance>."""
        ...


@functools.lru_cache(maxsize=8)
def _compile_pull(model: BinnedModel) -> Callable[..., Any]:
    def projected(u: Any, q: Any, m: Any, low: Any, half: Any, indices: Any) -> Any:
        theta = low + (u + 1) * half
        return 2 * q @ model.predict(theta).mean[indices] + jnp.sum(m * model.covariance(theta, indices))

    return jax.jit(jax.grad(projected))


class CompiledResponse:
    """By JAX, compiled once per model object; exact derivatives. Use it inside `jax.enable_x64`."""

    def __init__(self, problem: Problem, frame: Frame) -> None:
        self._compiled = compile_model(problem.model)
        self._pull = _compile_pull(problem.model)
        self._place = jnp.asarray(frame.low), jnp.asarray(frame.half), jnp.asarray(problem.measured.indices)

    def mean(self, u: np.ndarray) -> np.ndarray:
        """(n_bins,) predicted contents."""
        return np.asarray(self._compiled.mean(u, *self._place))

    def slopes(self, u: np.ndarray) -> np.ndarray:
        """(n_bins, n_parameters) derivatives of the mean."""
        return np.asarray(self._compiled.slopes(u, *self._place))

    def covariance(self, u: np.ndarray) -> np.ndarray:
        """(n_bins, n_bins) of the model's errors."""
        return np.asarray(self._compiled.covariance(u, *self._place))

    def pull(self, u: np.ndarray, q: np.ndarray, m: np.ndarray) -> np.ndarray:
        """(n_parameters,) gradient of 2 q.f + <m, covariance>."""
        return np.asarray(self._pull(u, q, m, *self._place))


class DifferencedResponse:
    """By central differences, for models that are asked too briefly for derivatives to be worth compiling."""

    def __init__(self, problem: Problem, frame: Frame) -> None:
        model, indices = problem.model, jnp.asarray(problem.measured.indices)

        def answer(theta: Any) -> tuple[Any, Any]:
            return model.predict(theta).mean[indices], model.covariance(theta, indices)

        self._answer = jax.jit(answer)
        self._frame = frame
        self._last: tuple[bytes, tuple[np.ndarray, np.ndarray]] | None = None

    def mean(self, u: np.ndarray) -> np.ndarray:
        """(n_bins,) predicted contents."""
        return self._at(u)[0]

    def slopes(self, u: np.ndarray) -> np.ndarray:
        """(n_bins, n_parameters) derivatives of the mean."""
        return np.stack([(up[0] - down[0]) / (2 * _STEP) for up, down in self._around(u)], axis=1)

    def covariance(self, u: np.ndarray) -> np.ndarray:
        """(n_bins, n_bins) of the model's errors."""
        return self._at(u)[1]

    def pull(self, u: np.ndarray, q: np.ndarray, m: np.ndarray) -> np.ndarray:
        """(n_parameters,) gradient of 2 q.f + <m, covariance>."""
        changes = [2 * q @ (up[0] - down[0]) + np.vdot(m, up[1] - down[1]) for up, down in self._around(u)]
        return np.array(changes) / (2 * _STEP)

    def _around(self, u: np.ndarray) -> Iterator[tuple[tuple[np.ndarray, np.ndarray], ...]]:
        for step in _STEP * np.eye(len(u)):
            yield self._ask(u + step), self._ask(u - step)

    def _at(self, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if self._last is None or self._last[0] != u.tobytes():
            self._last = u.tobytes(), self._ask(u)
        return self._last[1]

    def _ask(self, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        mean, covariance = self._answer(self._frame.to_theta(u))
        return np.asarray(mean), np.asarray(covariance)
