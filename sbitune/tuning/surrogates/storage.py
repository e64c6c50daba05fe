"""Surrogates on disk: an .npz file of arrays with a JSON header. A surrogate read back predicts the same bits."""

from collections.abc import Sequence
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

import jax
import msgspec
import numpy as np

from sbitune.data.bins import Bins
from sbitune.data.scan import Parameter, naming_file, read_stored, write_stored
from sbitune.learning.networks import Network
from sbitune.tuning.surrogates.calibration import Calibration
from sbitune.tuning.surrogates.components import Components
from sbitune.tuning.surrogates.compound import ComponentSurrogate
from sbitune.tuning.surrogates.config import NetworkConfig
from sbitune.tuning.surrogates.gaussian import GaussianSurrogate, Posterior
from sbitune.tuning.surrogates.neural import NeuralSurrogate, Scaling, build_networks, count_networks
from sbitune.tuning.surrogates.polynomial import PolynomialSurrogate
from sbitune.tuning.surrogates.rational import RationalSurrogate
from sbitune.tuning.surrogates.training import Trained

FORMAT = "sbitune surrogate"
FORMAT_VERSION = 3

POLYNOMIAL_ARRAYS = ("coefficients", "factor", "tau", "chi2", "log")
RATIONAL_ARRAYS = ("log_inputs", "numerators", "denominators", "factor", "shift", "unit", "tau", "chi2", "ndf", "log")
Stored = tuple[dict[str, Any], dict[str, np.ndarray]]


def save_surrogate(path: str | Path, surrogate: Trained, runs: Sequence[str] = ()) -> None:
    """Write a surrogate, whole or not at all, with the names of the runs that it learnt from."""
    meta, arrays = _pack(surrogate)
    write_stored(path, FORMAT, FORMAT_VERSION, meta | {"runs": list(runs)}, arrays)


def load_surrogate(path: str | Path) -> Trained:
    """Read what `save_surrogate` wrote. Raises `InputError` if the file is absent, damaged or something else."""
    return load_with_runs(path)[0]


def load_with_runs(path: str | Path) -> tuple[Trained, tuple[str, ...]]:
    """Read a surrogate and the names of its runs, none where the file does not tell. Raises as `load_surrogate`."""
    meta, arrays = read_stored(path, FORMAT, FORMAT_VERSION)
    with naming_file(path, FORMAT):
        return _unpack(meta, arrays), tuple(map(str, meta.get("runs", ())))


def _pack(surrogate: Trained) -> Stored:
    """The surrogate as JSON-like meta and arrays; parts of a compound carry their name before a slash."""
    meta: dict[str, Any]
    if isinstance(surrogate, ComponentSurrogate):
        meta, arrays = _pack_components(surrogate)
    elif isinstance(surrogate, PolynomialSurrogate):
        meta = {"kind": "polynomial", "order": surrogate.order, "ndf": surrogate.ndf}
        arrays = {name: getattr(surrogate, name) for name in POLYNOMIAL_ARRAYS}
    elif isinstance(surrogate, RationalSurrogate):
        meta = {"kind": "rational", "order": list(surrogate.order)}
        arrays = {name: getattr(surrogate, name) for name in RATIONAL_ARRAYS}
    elif isinstance(surrogate, GaussianSurrogate):
        meta, arrays = {"kind": "gaussian"}, surrogate.posterior._asdict()
        arrays |= {"inputs": surrogate.inputs, "log_inputs": surrogate.log_inputs}
    else:
        meta = {"kind": "network", "config": msgspec.to_builtins(surrogate.config)}
        weights = jax.tree.leaves(surrogate.networks)
        arrays = {f"weights_{i}": np.asarray(array) for i, array in enumerate(weights)}
        arrays |= surrogate.scaling._asdict() | surrogate.calibration._asdict()
    if surrogate.correlation is not None:
        arrays["correlation"] = surrogate.correlation
    meta["parameters"] = [astuple(parameter) for parameter in surrogate.parameters]
    return meta, arrays | surrogate.bins.to_arrays()


def _pack_components(surrogate: ComponentSurrogate) -> Stored:
    meta: dict[str, Any] = {"kind": "components"}
    arrays: dict[str, np.ndarray] = surrogate.components._asdict() | {"left_bins": surrogate.left_bins}
    for name, part in (("inner", surrogate.inner), ("left", surrogate.left)):
        if part is not None:
            meta[name], packed = _pack(part)
            arrays |= {f"{name}/{key}": array for key, array in packed.items()}
    return meta, arrays


def _unpack(meta: dict[str, Any], arrays: dict[str, np.ndarray]) -> Any:
    builders = {
        "polynomial": _load_polynomial,
        "gaussian": _load_gaussian,
        "rational": _load_rational,
        "network": _load_network,
        "components": _load_components,
    }
    if meta["kind"] not in builders:
        raise ValueError(f"unknown kind of surrogate {meta['kind']!r}; update sbitune")
    parameters = tuple(Parameter(*fields) for fields in meta["parameters"])
    surrogate = builders[meta["kind"]](parameters, Bins.from_arrays(arrays), meta, arrays)
    return replace(surrogate, correlation=arrays.get("correlation"))


def _load_components(
    parameters: tuple[Parameter, ...], bins: Bins, meta: dict[str, Any], arrays: dict[str, np.ndarray]
) -> ComponentSurrogate:
    def part(name: str) -> Any:
        if name not in meta:
            return None
        mine = {key.removeprefix(f"{name}/"): a for key, a in arrays.items() if key.startswith(f"{name}/")}
        return _unpack(meta[name], mine)

    components = Components(*(arrays[name] for name in Components._fields))
    return ComponentSurrogate(bins, components, part("inner"), part("left"), arrays["left_bins"])


def _load_gaussian(
    parameters: tuple[Parameter, ...], bins: Bins, meta: dict[str, Any], arrays: dict[str, np.ndarray]
) -> GaussianSurrogate:
    posterior = Posterior(*(arrays[name] for name in Posterior._fields))
    return GaussianSurrogate(parameters, bins, arrays["log_inputs"], arrays["inputs"], posterior)


def _load_polynomial(
    parameters: tuple[Parameter, ...], bins: Bins, meta: dict[str, Any], arrays: dict[str, np.ndarray]
) -> PolynomialSurrogate:
    chosen = {name: arrays[name] for name in POLYNOMIAL_ARRAYS}
    return PolynomialSurrogate(parameters, bins, order=meta["order"], ndf=meta["ndf"], **chosen)


def _load_rational(
    parameters: tuple[Parameter, ...], bins: Bins, meta: dict[str, Any], arrays: dict[str, np.ndarray]
) -> RationalSurrogate:
    above, below = meta["order"]
    chosen = {name: arrays[name] for name in RATIONAL_ARRAYS}
    return RationalSurrogate(parameters, bins, order=(above, below), **chosen)


def _load_network(
    parameters: tuple[Parameter, ...], bins: Bins, meta: dict[str, Any], arrays: dict[str, np.ndarray]
) -> NeuralSurrogate:
    config = msgspec.convert(meta["config"], NetworkConfig)
    scaling = Scaling(*(arrays[name] for name in Scaling._fields))
    return NeuralSurrogate(
        parameters=parameters,
        bins=bins,
        config=config,
        networks=_load_networks(config, len(scaling.input_shift), len(bins), arrays),
        scaling=scaling,
        calibration=Calibration(*(arrays[name] for name in Calibration._fields)),
    )


def _load_networks(config: NetworkConfig, n_features: int, n_bins: int, arrays: dict[str, np.ndarray]) -> Network:
    """Put the stored weights into the graph that the config describes."""
    keys = jax.random.split(jax.random.key(0), count_networks(config, n_bins))  # for the shapes; no number is drawn
    template = jax.eval_shape(lambda: build_networks(keys, config, n_features, n_bins))
    shapes, structure = jax.tree.flatten(template)
    weights = [arrays[f"weights_{i}"] for i in range(len(shapes))]
    if any(array.shape != shape.shape for array, shape in zip(weights, shapes, strict=True)):
        raise ValueError("the stored weights do not fit the stored config")
    return jax.tree.unflatten(structure, weights)
