"""A surrogate that learns components and predicts bins."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Self

import jax.numpy as jnp
import numpy as np

from sbitune.data.bins import Bins
from sbitune.data.scan import Parameter
from sbitune.fitting.protocols import Prediction
from sbitune.tuning.surrogates.components.components import Components
from sbitune.tuning.surrogates.gaussian.surrogate import GaussianSurrogate
from sbitune.tuning.surrogates.polynomial.surrogate import PolynomialSurrogate
from sbitune.tuning.surrogates.rational.surrogate import RationalSurrogate
from sbitune.tuning.surrogates.regression.covariance import correlate
from sbitune.tuning.surrogates.regression.outputs import root, slope_to_contents, to_contents

Inner = PolynomialSurrogate | GaussianSurrogate | RationalSurrogate


@dataclass(frozen=True, eq=False)
class ComponentSurrogate:
    """Functions of the components of a scan (see `components`), one kind for all. Satisfies `BinnedModel`."""

    bins: Bins  #: (n_bins,)
    components: Components
    inner: Inner  #: predicts the components
    left: Inner | None  #: predicts what is left of some bins
    left_bins: np.ndarray  #: (n,) which these are
    correlation: np.ndarray | None = None  #: (n_bins, n_bins) of Monte Carlo errors; None: independent

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """With the box in which it was trained."""
        return self.inner.parameters

    def near(self, theta: np.ndarray) -> Self:
        """The same with the error of directions that are no component as it is at `theta` (n_parameters,), in place of
        its average over the runs.
        """
        y = self.inner.predict_many(np.asarray(theta, np.float64)[None]).mean[0]
        rest = self.components.least + y**2 @ self.components.turned
        return replace(self, components=self.components._replace(rest=rest))

    def predict(self, theta: Any) -> Prediction:
        """Predict every bin at `theta` (n_parameters,): mean and error (n_bins,). Traceable by JAX."""
        theta = jnp.asarray(theta)
        left = None if self.left is None else self.left.predict(theta)
        return self._assemble(self.inner.predict(theta), left, jnp)

    def predict_many(self, theta: Any) -> Prediction:
        """Predict every bin at `theta` (n, n_parameters) with NumPy in float64: mean and error (n, n_bins)."""
        left = None if self.left is None else self.left.predict_many(theta)
        return self._assemble(self.inner.predict_many(theta), left, np)

    def covariance(self, theta: Any, indices: Any) -> Any:
        """Covariance (n, n) of the errors of the bins `indices` at `theta` (n_parameters,). Traceable by JAX."""
        theta = jnp.asarray(theta)
        left = None if self.left is None else self.left.predict(theta)
        return self._covariance(self.inner.predict(theta), left, indices, jnp)

    def covariances(self, theta: np.ndarray, indices: np.ndarray) -> Iterator[np.ndarray]:
        """Covariance (k, k) of the errors of the bins `indices` (k,) at every `theta` (n, n_parameters), in float64."""
        inner = self.inner.predict_many(theta)
        left = None if self.left is None else self.left.predict_many(theta)
        for i in range(len(theta)):
            here = None if left is None else Prediction(left.mean[i], left.error[i])
            yield self._covariance(Prediction(inner.mean[i], inner.error[i]), here, indices, np)

    def _covariance(self, inner: Prediction, left: Prediction | None, indices: Any, xp: Any) -> Any:
        mean, alone = self._scale(inner, left, xp)
        slope = slope_to_contents(mean, self.components.log, xp)[indices]
        loadings, common, noise = (
            xp.asarray(a, inner.mean.dtype)[..., indices]
            for a in (self.components.loadings, self.components.common, self.components.noise)
        )
        rest = xp.asarray(self.components.rest, inner.mean.dtype)
        spread = slope * loadings * inner.error[:, None]
        own = xp.diag(slope**2 * alone[indices])
        correlation = self._correlation_of(indices, xp)
        shared = _correlated(slope * common, correlation, xp) + rest * _correlated(slope * noise, correlation, xp)
        within = xp.where(noise > 0, slope * loadings, 0.0)
        return spread.T @ spread + own + shared - rest * within.T @ within

    def _correlation_of(self, indices: Any, xp: Any) -> Any:
        return None if self.correlation is None else xp.asarray(self.correlation)[indices][:, indices]

    def _scale(self, inner: Prediction, left: Prediction | None, xp: Any) -> tuple[Any, Any]:
        """Means (..., n_bins) on the fitted scale, and the variance that a bin does not share."""
        centre, loadings, excess = (xp.asarray(a, dtype=inner.mean.dtype) for a in self.components[:3])
        mean, alone = centre + inner.mean @ loadings, excess**2
        if left is not None:
            mean = _add_at(mean, self.left_bins, left.mean, xp)
            alone = _add_at(xp.broadcast_to(alone, mean.shape), self.left_bins, left.error**2, xp)
        return mean, alone

    def _assemble(self, inner: Prediction, left: Prediction | None, xp: Any) -> Prediction:
        mean, alone = self._scale(inner, left, xp)
        loadings, common, noise = (
            xp.asarray(a, inner.mean.dtype)
            for a in (self.components.loadings, self.components.common, self.components.noise)
        )
        others = xp.where(noise > 0, xp.maximum(noise**2 - xp.sum(loadings**2, axis=0), 0.0), 0.0)
        rest = xp.asarray(self.components.rest, inner.mean.dtype) * others
        variance = inner.error**2 @ loadings**2 + common**2 + rest + alone
        return Prediction(*to_contents(mean, root(variance, xp), self.components.log, xp))


def _correlated(error: Any, correlation: Any, xp: Any) -> Any:
    """(n, n) covariance of errors (n,)."""
    return correlate(error, correlation, xp.arange(len(error)), xp)


def _add_at(array: Any, places: np.ndarray, values: Any, xp: Any) -> Any:
    """The array (..., n_bins) with values (..., n) added at some places (n,) of its last axis."""
    if xp is np:
        added = array.copy()
        added[..., places] += values
        return added
    return array.at[..., places].add(values)
