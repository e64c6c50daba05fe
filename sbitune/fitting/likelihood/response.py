"""How a model answers a minimiser: predictions, their covariance, and what a gradient needs of both.

The gradient of an objective through the model is that of 2 q.f(u) + <M, V(u)> with the lever q (n_bins,) and the matrix
M (n_bins, n_bins) held, which one backward pass gives: q = V^-1 r and M = V^-1 - q q^T for the likelihood of `problem`.
"""

import functools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from sbitune.fitting.likelihood.frame import Frame
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


class _Compiled(NamedTuple):
    """What is asked of a model, as functions of (u, low, half, indices)."""

    mean: Callable[..., Any]  #: (n_bins,)
    slopes: Callable[..., Any]  #: (n_bins, n_parameters)
    covariance: Callable[..., Any]  #: (n_bins, n_bins)
    pull: Callable[..., Any]  #: (n_parameters,), of (u, q, m, low, half, indices)


@functools.lru_cache(maxsize=8)
def _compile(model: BinnedModel) -> _Compiled:
    """Compile the predictions of a model and their derivatives once; toys then only change the numbers."""

    def mean(u: Any, low: Any, half: Any, indices: Any) -> Any:
        return model.predict(low + (u + 1) * half).mean[indices]

    def covariance(u: Any, low: Any, half: Any, indices: Any) -> Any:
        return model.covariance(low + (u + 1) * half, indices)

    def projected(u: Any, q: Any, m: Any, low: Any, half: Any, indices: Any) -> Any:
        place = low, half, indices
        return 2 * q @ mean(u, *place) + jnp.sum(m * covariance(u, *place))

    return _Compiled(*(jax.jit(f) for f in (mean, jax.jacfwd(mean), covariance, jax.grad(projected))))


class CompiledResponse:
    """By JAX, compiled once per model object; exact derivatives. Use it inside `double_precision`."""

    def __init__(self, model: BinnedModel, frame: Frame, indices: np.ndarray) -> None:
        self._compiled = _compile(model)
        self._place = jnp.asarray(frame.low), jnp.asarray(frame.half), jnp.asarray(indices)

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
        return np.asarray(self._compiled.pull(u, q, m, *self._place))


class DifferencedResponse:
    """By central differences, for models that are asked too briefly for derivatives to be worth compiling."""

    def __init__(self, model: BinnedModel, frame: Frame, indices: np.ndarray) -> None:
        chosen = jnp.asarray(indices)

        def answer(theta: Any) -> tuple[Any, Any]:
            return model.predict(theta).mean[chosen], model.covariance(theta, chosen)

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
