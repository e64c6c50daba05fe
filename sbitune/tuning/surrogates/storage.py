"""Surrogates on disk: an .npz file of arrays with a JSON header. A surrogate read back predicts the same bits."""

from dataclasses import astuple
from pathlib import Path
from typing import Any

import jax
import msgspec
import numpy as np

from sbitune.data.bins import Bins
from sbitune.data.errors import InputError
from sbitune.data.scan import Parameter, naming_file, read_stored, write_stored
from sbitune.learning.networks import Network
from sbitune.tuning.surrogates.calibration import Calibration
from sbitune.tuning.surrogates.config import NetworkConfig
from sbitune.tuning.surrogates.neural import NeuralSurrogate, Scaling, build_networks, count_networks
from sbitune.tuning.surrogates.polynomial import PolynomialSurrogate

FORMAT = "sbitune surrogate"
FORMAT_VERSION = 1

POLYNOMIAL_ARRAYS = ("coefficients", "factor", "tau", "chi2", "log")


def save_surrogate(path: str | Path, surrogate: PolynomialSurrogate | NeuralSurrogate) -> None:
    """Write a surrogate, whole or not at all."""
    if isinstance(surrogate, PolynomialSurrogate):
        meta: dict[str, Any] = {"kind": "polynomial", "order": surrogate.order, "ndf": surrogate.ndf}
        arrays = {name: getattr(surrogate, name) for name in POLYNOMIAL_ARRAYS}
    else:
        meta = {"kind": "network", "config": msgspec.to_builtins(surrogate.config)}
        weights = jax.tree.leaves(surrogate.networks)
        arrays = {f"weights_{i}": np.asarray(array) for i, array in enumerate(weights)}
        arrays |= surrogate.scaling._asdict() | surrogate.calibration._asdict()
    meta["parameters"] = [astuple(parameter) for parameter in surrogate.parameters]
    write_stored(path, FORMAT, FORMAT_VERSION, meta, arrays | surrogate.bins.to_arrays())


def load_surrogate(path: str | Path) -> PolynomialSurrogate | NeuralSurrogate:
    """Read what `save_surrogate` wrote. Raises `InputError` if the file is absent, damaged or something else."""
    meta, arrays = read_stored(path, FORMAT, FORMAT_VERSION)
    builders = {"polynomial": _load_polynomial, "network": _load_network}
    with naming_file(path, FORMAT):
        if meta["kind"] not in builders:
            raise InputError(f"{path}: unknown kind of surrogate {meta['kind']!r}; update sbitune")
        parameters = tuple(Parameter(*fields) for fields in meta["parameters"])
        return builders[meta["kind"]](parameters, Bins.from_arrays(arrays), meta, arrays)


def _load_polynomial(
    parameters: tuple[Parameter, ...], bins: Bins, meta: dict[str, Any], arrays: dict[str, np.ndarray]
) -> PolynomialSurrogate:
    chosen = {name: arrays[name] for name in POLYNOMIAL_ARRAYS}
    return PolynomialSurrogate(parameters, bins, order=meta["order"], ndf=meta["ndf"], **chosen)


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
