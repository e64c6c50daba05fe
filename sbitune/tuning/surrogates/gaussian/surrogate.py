r"""Gaussian processes for every bin, with exact predictive variance, at the cost of a few.

Bins are dealt to groups that respond to the parameters alike; a group shares the lengths of its kernel, every bin has
its own amplitude and noise. All are chosen by the marginal likelihood of the runs (see `marginal`). A run's Monte Carlo
errors are p_i times what is typical of each bin. With P = diag(p), P^-1 K_g P^-1 = U diag(lambda) U^T of the group,
q(theta) = U^T P^-1 k(theta), d_b = a_b lambda + nu_b and z_b = U^T P^-1 y_b,

    mean_b = a_b sum_j q_j z_bj / d_bj,    error_b^2 = a_b k(theta, theta) - a_b^2 sum_j q_j^2 / d_bj + t_b,

which is exact (Rasmussen & Williams, eqs. 2.25, 2.26) and costs a prediction n_runs^2 per group and n_runs per bin.
t_b is what the Monte Carlo errors of a bin do not explain; as with the polynomials it counts as the surrogate's error.
That errors of all bins go with one p_i is exact for components, and for runs of more or fewer events; how the error of
a single bin changes over the box beyond that is averaged over the runs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np

from sbitune.data.bins import Bins
from sbitune.data.errors import InputError
from sbitune.data.parameter import Parameter
from sbitune.data.scan import Scan
from sbitune.data.storage.layout import ArraySpec, Layout
from sbitune.fitting.likelihood.protocols import Prediction
from sbitune.tuning.surrogates.forms.independent import Outputs, every_bin
from sbitune.tuning.surrogates.forms.kernel import Form, kernel, self_kernel
from sbitune.tuning.surrogates.forms.kernelform import KernelForm, Part
from sbitune.tuning.surrogates.protocols import Meta, Packed, Unpacked
from sbitune.tuning.surrogates.regression.binbybin import BinByBin
from sbitune.tuning.surrogates.regression.inputs import make_features
from sbitune.tuning.surrogates.regression.outputs import to_contents

_NUMBER, _NOT_NEGATIVE = ArraySpec(("n_bins",)), ArraySpec(("n_bins",), low=0)
_LAYOUT = {
    "log_inputs": ArraySpec(("n_parameters",), np.bool_),
    "inputs": ArraySpec(("n_runs", "n_features")),
    "metric": ArraySpec(("n_groups", "n_features", "n_features")),
    "line": ArraySpec(("n_groups",), low=0),
    "group": ArraySpec(("n_bins",), np.int64, low=0),
    "vectors": ArraySpec(("n_groups", "n_runs", "n_vectors")),
    "weights": ArraySpec(("n_bins", "n_vectors")),
    "gain": ArraySpec(("n_bins", "n_vectors"), low=0),
    "amplitude": _NOT_NEGATIVE,
    "extra": _NOT_NEGATIVE,
    "shift": _NUMBER,
    "scale": _NOT_NEGATIVE,
    "log": ArraySpec(("n_bins",), np.bool_),
}


class Posterior(NamedTuple):
    """What prediction needs; bins in the order of the scan."""

    group: np.ndarray  #: (n_bins,) which kernel
    metric: np.ndarray  #: (n_groups, n_features, n_features) of their kernels
    line: np.ndarray  #: (n_groups,) of their kernels
    vectors: np.ndarray  #: (n_groups, n_runs, m) P^-1 U, the m leading ones
    weights: np.ndarray  #: (n_bins, m) a z / d
    gain: np.ndarray  #: (n_bins, m) a^2 / d
    amplitude: np.ndarray  #: (n_bins,) a
    extra: np.ndarray  #: (n_bins,) t
    shift: np.ndarray  #: (n_bins,) of the scaled output
    scale: np.ndarray  #: (n_bins,) 0 for a bin that never changes
    log: np.ndarray  #: (n_bins,) True where the logarithm of the content is learnt

    @property
    def forms(self) -> list[Form]:
        """(n_groups,) the kernels."""
        return [Form(metric, line) for metric, line in zip(self.metric, self.line, strict=True)]


@dataclass(frozen=True, eq=False)
class GaussianSurrogate(BinByBin):
    """Gaussian processes for all bins. Satisfies `TrainedSurrogate`."""

    tag: ClassVar[str] = "gaussian"

    parameters: tuple[Parameter, ...]  #: with the box that is scaled to [-1, 1]
    bins: Bins  #: (n_bins,)
    log_inputs: np.ndarray  #: (n_parameters,) True for parameters whose logarithm is an input, too
    inputs: np.ndarray  #: (n_runs, n_features)
    posterior: Posterior
    correlation: np.ndarray | None = None  #: (n_bins, n_bins) of the errors; None: independent

    def predict_many(self, theta: Any) -> Prediction:
        """Predict every bin at `theta` (n, n_parameters) with NumPy in float64: mean and error (n, n_bins)."""
        theta = np.asarray(theta, dtype=np.float64)
        size = max(1, 4_000_000 // self.posterior.weights.size)
        parts = [self._evaluate(theta[i : i + size], np) for i in range(0, len(theta), size)]
        return Prediction(*(np.concatenate(part) for part in zip(*parts, strict=True)))

    def _evaluate(self, theta: Any, xp: Any) -> Prediction:
        post = Posterior(*(a if a.dtype.kind in "bi" else xp.asarray(a, dtype=theta.dtype) for a in self.posterior))
        inputs = xp.asarray(self.inputs, dtype=theta.dtype)
        x = make_features(theta, self.parameters, self.log_inputs, xp)
        means, variances, order = [], [], []
        for g, form in enumerate(post.forms):
            mine = np.flatnonzero(self.posterior.group == g)
            q = kernel(x, inputs, form, xp) @ post.vectors[g]
            prior = post.amplitude[mine] * self_kernel(x, form, xp)[..., None]
            means.append(q @ post.weights[mine].T)
            # rounding can take a variance that is nearly 0 below it
            variances.append(xp.maximum(prior - q**2 @ post.gain[mine].T, 1e-10 * prior))
            order.append(mine)
        back = np.argsort(np.concatenate(order))
        mean, variance = (xp.concatenate(parts, axis=-1)[..., back] for parts in (means, variances))
        error = xp.sqrt(variance + post.extra) * post.scale
        return Prediction(*to_contents(mean * post.scale + post.shift, error, post.log, xp))

    @property
    def log(self) -> np.ndarray:
        """(n_bins,) True where the logarithm of the content is learnt."""
        return self.posterior.log

    def wider(self, factor: float) -> Self:
        """The same with all errors multiplied."""
        post, square = self.posterior, factor**2
        wider = {name: getattr(post, name) * square for name in ("gain", "amplitude", "extra")}
        return replace(self, posterior=post._replace(**wider))

    def describe(self) -> dict[str, Any]:
        """How many kernels there are."""
        return {"kind": self.tag, "groups": len(self.posterior.forms)}

    @classmethod
    def phrase(cls, about: Mapping[str, Any]) -> str:
        """What is learnt of bins or components."""
        return f"Gaussian processes with {about['groups']} sets of lengths, chosen by their marginal likelihood"

    def kernel_form(self, bins: np.ndarray) -> KernelForm:
        """The means of some bins (n_bins,) as they are."""
        post = self.posterior
        group = post.group[bins]
        alpha = np.empty((len(bins), len(self.inputs)))
        for g in np.unique(group):
            alpha[group == g] = post.weights[bins[group == g]] @ post.vectors[g].T
        part = Part(
            log_inputs=self.log_inputs,
            inputs=self.inputs,
            metric=post.metric,
            line=post.line,
            group=group,
            alpha=alpha * post.scale[bins, None],
            shift=post.shift[bins],
            loadings=None,
            places=np.arange(len(bins)),
        )
        return KernelForm(self.parameters, np.zeros(len(bins)), post.log[bins], (part,))

    def independent_outputs(self, scan: Scan) -> tuple[Outputs, ...]:
        """Every bin is one."""
        return (every_bin(self, scan),)

    @property
    def unexplained(self) -> np.ndarray:
        """(n_bins,) variance of what no run lowers, on the fitted scale."""
        return self.posterior.extra * self.posterior.scale**2

    def covariance_of_points(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """(n_bins, n_a, n_b) of what is learnt, between points (n_a, n_parameters) and (n_b, n_parameters)."""
        post = self.posterior
        x, y = (make_features(theta, self.parameters, self.log_inputs, np) for theta in (a, b))
        found = np.empty((len(post.group), len(a), len(b)))
        for g, form in enumerate(post.forms):
            mine = np.flatnonzero(post.group == g)
            q, p = (kernel(points, self.inputs, form) @ post.vectors[g] for points in (x, y))
            prior = kernel(x, y, form)
            for o in mine:
                found[o] = post.amplitude[o] * prior - (q * post.gain[o]) @ p.T
        return found * post.scale[:, None, None] ** 2

    def pack(self) -> Packed:
        """See `TrainedSurrogate`."""
        arrays = self.posterior._asdict() | {"inputs": self.inputs, "log_inputs": self.log_inputs}
        return Packed({}, arrays, self.correlation)

    @classmethod
    def layout(cls, meta: Meta) -> Layout:
        """See `TrainedSurrogate`."""
        return _LAYOUT

    @classmethod
    def unpack(cls, stored: Unpacked) -> Self:
        """See `TrainedSurrogate`."""
        arrays = stored.arrays
        if arrays["group"].max(initial=-1) >= len(arrays["metric"]):
            there = f"there are {len(arrays['metric'])} kernels"
            raise InputError(f"{stored.where}: 'group' is {arrays['group'].max()}, {there}")
        posterior = Posterior(*(arrays[name] for name in Posterior._fields))
        inputs = arrays["log_inputs"], arrays["inputs"]
        return cls(stored.parameters, stored.bins, *inputs, posterior, correlation=stored.correlation)
