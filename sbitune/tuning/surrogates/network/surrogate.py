"""Network surrogates: an ensemble of small networks, trained together, with a calibrated error.

The runs are dealt to folds. A group of members holds out each fold: it chooses its best epoch by the chi2 of those
runs, which are never used for a step, and its predictions of them calibrate the error (see `calibration`). The
prediction is the mean of all members, so every run counts in most of them. One `vmap` trains all members.

The networks see theta and, for parameters whose box begins close to zero, log(theta), see `regression.inputs`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, NamedTuple, Self

import jax
import jax.numpy as jnp
import msgspec
import numpy as np

from sbitune.data.bins import Bins
from sbitune.data.parameter import Parameter
from sbitune.data.storage.layout import ArraySpec, Layout
from sbitune.fitting.likelihood.precision import double_precision
from sbitune.fitting.likelihood.protocols import Prediction
from sbitune.learning.keys import Keys
from sbitune.learning.networks import Network, build_mlp
from sbitune.learning.weights import pack_weights, unpack_weights
from sbitune.tuning.surrogates.base import BaseSurrogate
from sbitune.tuning.surrogates.network.calibration import Calibration
from sbitune.tuning.surrogates.network.config import NetworkConfig
from sbitune.tuning.surrogates.protocols import Meta, Packed, Unpacked
from sbitune.tuning.surrogates.regression.covariance import correlate
from sbitune.tuning.surrogates.regression.inputs import make_features
from sbitune.tuning.surrogates.regression.outputs import root, to_contents

#: points that `predict_many` evaluates at a time
POINTS_AT_ONCE = 1024
_NUMBER, _FLAG = ArraySpec(("n_bins",)), ArraySpec(("n_bins",), np.bool_)
_NOT_NEGATIVE = ArraySpec(("n_bins",), low=0)
_LAYOUT = {
    "log_inputs": ArraySpec(("n_parameters",), np.bool_),
    "input_shift": ArraySpec(("n_features",)),
    "input_scale": ArraySpec(("n_features",), low=float(np.finfo(float).tiny)),  # divides
    "output_shift": _NUMBER,
    "output_scale": _NOT_NEGATIVE,
    "log_outputs": _FLAG,
    "spread_factor": _NOT_NEGATIVE,
    "floor": _NOT_NEGATIVE,
}


class Scaling(NamedTuple):
    """How theta becomes the networks' input, and their output a bin content."""

    log_inputs: np.ndarray  #: (n_parameters,) True for parameters of which the logarithm is shown, too
    input_shift: np.ndarray  #: (n_features,)
    input_scale: np.ndarray  #: (n_features,)
    output_shift: np.ndarray  #: (n_bins,)
    output_scale: np.ndarray  #: (n_bins,) 0 for a bin that never changes
    log_outputs: np.ndarray  #: (n_bins,) True where the logarithm of the content is learnt


@dataclass(frozen=True, eq=False)
class NeuralSurrogate(BaseSurrogate):
    """An ensemble of networks for all bins. Satisfies `TrainedSurrogate`."""

    tag: ClassVar[str] = "network"

    parameters: tuple[Parameter, ...]  #: with the box that is scaled to [-1, 1]
    bins: Bins  #: (n_bins,)
    config: NetworkConfig  #: how it was built and trained
    networks: Network  #: stack of all members, fold by fold; with `per_bin` a network for each bin of each member
    scaling: Scaling
    calibration: Calibration  #: in units of the scaled output
    correlation: np.ndarray | None = None  #: (n_bins, n_bins) of the errors; None: independent

    def predict(self, theta: Any) -> Prediction:
        """Predict every bin at `theta` (n_parameters,): mean and error (n_bins,). Traceable by JAX."""
        theta = jnp.asarray(theta)
        outputs, (scaling, calibration) = self._ask(theta)
        spread2 = outputs.var(axis=1, ddof=1).mean(axis=0)
        variance = calibration.spread_factor * spread2 + calibration.floor
        mean = outputs.mean(axis=(0, 1)) * scaling.output_scale + scaling.output_shift
        return Prediction(*to_contents(mean, root(variance, jnp) * scaling.output_scale, self.scaling.log_outputs, jnp))

    def covariance(self, theta: Any, indices: Any) -> Any:
        """Covariance (n, n) of the errors of the bins `indices` at `theta` (n_parameters,). Traceable by JAX.

        Bins share the networks, whose members therefore miss them together. So few members know a matrix of all bins
        only roughly: theirs is mixed with that of the held-out residuals as the mean of an inverse Wishart distribution
        with as many degrees of freedom as there are bins would be (`self.correlation` scales the variances of both).
        """
        theta = jnp.asarray(theta)
        error = self.predict(theta).error
        prior = correlate(error, self.correlation, indices)
        if self.config.sharing == "per_bin":
            return prior
        outputs, (_, calibration) = self._ask(theta)
        away = (outputs - outputs.mean(axis=1, keepdims=True)).reshape(-1, outputs.shape[-1])[:, indices]
        freedom = self.config.folds * (self.config.members_per_fold - 1)
        spread2 = jnp.sum(away**2, axis=0) / freedom
        known = spread2 > 0
        unit = away / jnp.sqrt(jnp.where(known, spread2, 1.0) * freedom)
        of_spread = calibration.spread_factor[indices] * spread2
        total = of_spread + calibration.floor[indices]
        part = jnp.where(total > 0, of_spread / jnp.where(total > 0, total, 1.0), 0.0)
        own = error[indices] * jnp.sqrt(jnp.where(part > 0, part, 1.0)) * (part > 0)
        rest = jnp.sqrt(jnp.where(part < 1, 1 - part, 1.0)) * (part < 1)
        share = freedom / (freedom + len(self.bins))
        members = jnp.outer(own, own) * (unit.T @ unit) + jnp.outer(rest, rest) * prior
        return share * members + (1 - share) * prior

    def covariances(self, theta: np.ndarray, indices: np.ndarray) -> Iterator[np.ndarray]:
        """Covariance (k, k) of the errors of the bins `indices` (k,) at every `theta` (n, n_parameters), in float64."""
        one = jax.jit(self.covariance)
        for point in np.asarray(theta, dtype=np.float64):
            with double_precision(
                small=False
            ):  # and off again before others go on: they may never ask for the next one
                found = np.asarray(one(point, indices))
            yield found

    def _ask(self, theta: Any) -> tuple[Any, tuple[Any, Any]]:
        """Outputs (n_folds, n_members_per_fold, n_bins) at `theta`, and scaling and calibration in its precision."""
        scaling, calibration, networks = jax.tree.map(
            lambda array: jnp.asarray(array, None if array.dtype == bool else theta.dtype),
            (self.scaling, self.calibration, self.networks),
        )
        features = make_features(theta, self.parameters, self.scaling.log_inputs, jnp)
        return self.members(networks, (features - scaling.input_shift) / scaling.input_scale), (scaling, calibration)

    def predict_many(self, theta: Any) -> Prediction:
        """Predict every bin at `theta` (n, n_parameters) in float64: NumPy arrays (n, n_bins)."""
        theta = np.asarray(theta, dtype=np.float64)
        with double_precision(small=False):
            parts = [
                jax.tree.map(np.asarray, self._compiled(theta[start : start + POINTS_AT_ONCE]))
                for start in range(0, len(theta), POINTS_AT_ONCE)
            ]
        return Prediction(*(np.concatenate(part) for part in zip(*parts, strict=True)))

    @cached_property
    def _compiled(self) -> Any:
        return jax.jit(jax.vmap(self.predict))

    def members(self, networks: Network, x: jax.Array) -> jax.Array:
        """Return the outputs (n_folds, n_members_per_fold, n_bins) of all members at x (n_features,)."""
        outputs = jax.vmap(lambda network: network(x))(networks)
        return outputs.reshape(self.config.folds, self.config.members_per_fold, len(self.bins))

    @property
    def log(self) -> np.ndarray:
        """(n_bins,) True where the logarithm of the content is learnt."""
        return self.scaling.log_outputs

    def wider(self, factor: float) -> Self:
        """The same with all errors multiplied."""
        return replace(self, calibration=Calibration(*(part * factor**2 for part in self.calibration)))

    def describe(self) -> dict[str, Any]:
        """How many networks there are, and of which size."""
        config = self.config
        return {"kind": self.tag, "members": config.folds * config.members_per_fold, "hidden": list(config.hidden)}

    @classmethod
    def phrase(cls, about: Mapping[str, Any]) -> str:
        """What is learnt of bins."""
        return f"an ensemble of {about['members']} networks"

    def pack(self) -> Packed:
        """See `TrainedSurrogate`."""
        arrays = pack_weights(self.networks) | self.scaling._asdict() | self.calibration._asdict()
        return Packed({"config": msgspec.to_builtins(self.config)}, arrays, self.correlation)

    @classmethod
    def layout(cls, meta: Meta) -> Layout:
        """See `TrainedSurrogate`."""
        return _LAYOUT

    @classmethod
    def unpack(cls, stored: Unpacked) -> Self:
        """See `TrainedSurrogate`."""
        config = msgspec.convert(stored.meta["config"], NetworkConfig)
        arrays, n_bins = stored.arrays, len(stored.bins)
        scaling = Scaling(*(arrays[name] for name in Scaling._fields))
        keys = Keys.for_shapes(count_networks(config, n_bins))
        template = build_networks(keys, config, len(scaling.input_shift), n_bins)
        return cls(
            parameters=stored.parameters,
            bins=stored.bins,
            config=config,
            networks=unpack_weights(stored.where, template, arrays),
            scaling=scaling,
            calibration=Calibration(*(arrays[name] for name in Calibration._fields)),
            correlation=stored.correlation,
        )


def build_networks(keys: jax.Array | Keys, config: NetworkConfig, n_features: int, n_bins: int) -> Network:
    """Build the untrained networks: one per key, with an output per bin or, if `per_bin`, a single one."""
    n_out = n_bins if config.sharing == "shared" else 1
    return build_mlp(keys, n_features, n_out, config.hidden, config.activation)


def count_networks(config: NetworkConfig, n_bins: int) -> int:
    """Return how many networks the ensemble holds."""
    return config.folds * config.members_per_fold * (n_bins if config.sharing == "per_bin" else 1)
