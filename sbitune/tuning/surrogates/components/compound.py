"""A surrogate that learns components and predicts bins."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import jax.numpy as jnp
import numpy as np

from sbitune.data.bins import Bins
from sbitune.data.errors import InputError
from sbitune.data.parameter import Parameter
from sbitune.data.scan import Scan
from sbitune.data.storage.layout import ArraySpec, Layout
from sbitune.data.text.numbers import quoted
from sbitune.fitting.likelihood.protocols import Prediction
from sbitune.tuning.surrogates.base import BaseSurrogate
from sbitune.tuning.surrogates.components.components import Components
from sbitune.tuning.surrogates.forms import kernelform, legendre
from sbitune.tuning.surrogates.forms.independent import Explained, Outputs, outputs_of
from sbitune.tuning.surrogates.protocols import Meta, Packed, TrainedSurrogate, Unpacked
from sbitune.tuning.surrogates.regression.covariance import correlate
from sbitune.tuning.surrogates.regression.outputs import make_targets, root, slope_to_contents, to_contents
from sbitune.tuning.surrogates.wording import OF_BINS, OF_COMPONENTS

#: a factor of the learnt errors, to see what it changes
_TWICE = 2.0
_NUMBER, _NOT_NEGATIVE = ArraySpec(("n_bins",)), ArraySpec(("n_bins",), low=0)
_LAYOUT = {
    "centre": _NUMBER,
    "loadings": ArraySpec(("n_components", "n_bins")),
    "excess": _NOT_NEGATIVE,
    "common": _NOT_NEGATIVE,
    "log": ArraySpec(("n_bins",), np.bool_),
    "noise": _NOT_NEGATIVE,
    "rest": ArraySpec((), low=0),
    "least": ArraySpec((), low=0),
    "turned": ArraySpec(("n_components",), low=0),
    "left_bins": ArraySpec(("n_left",), np.int64, low=0),
}


@dataclass(frozen=True, eq=False)
class ComponentSurrogate(BaseSurrogate):
    """Functions of the components of a scan (see `components`), one kind for all. Satisfies `TrainedSurrogate`."""

    tag: ClassVar[str] = "components"
    takes_point: ClassVar[bool] = True

    bins: Bins  #: (n_bins,)
    components: Components
    inner: TrainedSurrogate  #: predicts the components
    left: TrainedSurrogate | None  #: predicts what is left of some bins
    left_bins: np.ndarray  #: (n,) which these are
    correlation: np.ndarray | None = None  #: (n_bins, n_bins) of Monte Carlo errors; None: independent

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """With the box in which it was trained."""
        return self.inner.parameters

    @property
    def log(self) -> np.ndarray:
        """(n_bins,) True where the logarithm of the content is learnt."""
        return self.components.log

    @property
    def whitened(self) -> bool:
        """Whether there is a combination for every bin, so that nothing is left over."""
        return len(self.components.loadings) == len(self.bins)

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

    def wider(self, factor: float) -> Self:
        """The same with the errors of components, and of what is learnt on top of them, multiplied."""
        left = None if self.left is None else self.left.wider(factor)
        return replace(self, inner=self.inner.wider(factor), left=left)

    def learnt_covariances(self, theta: np.ndarray, bins: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """What `wider` multiplies of the covariance (k, k) of bins (k,) at theta (n, n_parameters), and the rest."""
        both = (self.covariances(theta, bins), self.wider(_TWICE).covariances(theta, bins))
        for whole, more in zip(*both, strict=True):
            learnt = (more - whole) / (_TWICE**2 - 1)
            yield learnt, whole - learnt

    def describe(self) -> dict[str, Any]:
        """What is said of the components, and how many there are."""
        if self.whitened:
            return self.inner.describe() | {"whitened": True}
        about = {OF_COMPONENTS if key == OF_BINS else key: value for key, value in self.inner.describe().items()}
        return about | {"components": len(self.components.loadings), "bins_of_their_own": len(self.left_bins)}

    def legendre(self) -> tuple[int, np.ndarray] | None:
        """Order and coefficients (n_terms, n_bins) if components are polynomials, and bins no exponentials of them."""
        inner = None if self.log.any() else self.inner.legendre()
        left = None if self.left is None else self.left.legendre()
        if inner is None or (self.left is not None and left is None):
            return None
        parts = self.components
        return legendre.of_components(len(self.parameters), inner, parts.centre, parts.loadings, left, self.left_bins)

    def kernel_form(self, bins: np.ndarray) -> kernelform.KernelForm | None:
        """The means of some bins (n_bins,) if those of components are sums of kernels."""
        parts, left = self.components, None
        inner = self.inner.kernel_form(np.arange(len(parts.loadings)))
        if inner is None:
            return None
        if self.left is not None:
            outputs, places = kernelform.chosen_among(self.left_bins, bins)
            left = self.left.kernel_form(outputs)
            if left is None:
                return None
            left = kernelform.at_places(left, places, len(bins))
        return kernelform.of_components(inner, parts.centre[bins], parts.log[bins], parts.loadings[:, bins], left)

    def independent_outputs(self, scan: Scan) -> tuple[Outputs, ...]:
        """The components, and what is left of some bins."""
        loadings = self.components.loadings
        if not isinstance(self.inner, Explained):
            return ()
        found = (outputs_of(self.inner, loadings, np.ones(len(loadings))),)  # whitened: the noise of a component is 1
        if self.left is None:
            return found
        if not isinstance(self.left, Explained):
            return ()
        sigma2 = np.mean(make_targets(scan, "log" if self.log.any() else "linear").errors ** 2, axis=0)
        own = np.maximum(sigma2 - np.sum(loadings**2, axis=0), 0.0)[self.left_bins]
        return (*found, outputs_of(self.left, np.eye(len(self.bins))[self.left_bins], own))

    def pack(self) -> Packed:
        """See `TrainedSurrogate`."""
        arrays = self.components._asdict() | {"left_bins": self.left_bins}
        parts = {"inner": self.inner} | ({} if self.left is None else {"left": self.left})
        return Packed({}, arrays, self.correlation, parts)

    @classmethod
    def layout(cls, meta: Meta) -> Layout:
        """See `TrainedSurrogate`."""
        return _LAYOUT

    @classmethod
    def part_names(cls, meta: Meta) -> Sequence[str]:
        """See `TrainedSurrogate`."""
        return [name for name in ("inner", "left") if name in meta]

    @classmethod
    def unpack(cls, stored: Unpacked) -> Self:
        """See `TrainedSurrogate`."""
        components = Components(*(stored.arrays[name] for name in Components._fields))
        left_bins, bins = stored.arrays["left_bins"], stored.bins
        if len(np.unique(left_bins)) < len(left_bins) or left_bins.max(initial=-1) >= len(bins):
            raise InputError(f"{stored.where}: 'left_bins' are not places of {len(bins)} bins, each once")
        for name, n_bins in (("inner", len(components.loadings)), ("left", len(left_bins))):
            part = stored.parts.get(name)
            if len(part.bins if part is not None else ()) != n_bins or (part and part.parameters != stored.parameters):
                what = f"the part {quoted(name)} is not that of {n_bins} bins and of these parameters"
                raise InputError(f"{stored.where}: {what}")
        return cls(bins, components, stored.parts["inner"], stored.parts.get("left"), left_bins, stored.correlation)

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
