"""Inverse models on disk: an .npz file of arrays with a JSON header. A model read back draws the same bits."""

from dataclasses import astuple
from pathlib import Path

import jax
import msgspec
import numpy as np

from sbitune.data.bins import Bins
from sbitune.data.scan import Parameter, naming_file, read_stored, write_stored
from sbitune.learning.flows import LinearGaussian
from sbitune.tuning.inverse.calibration import Calibration
from sbitune.tuning.inverse.compression import Compression
from sbitune.tuning.inverse.config import InverseConfig
from sbitune.tuning.inverse.inside import Cloud, look_inside
from sbitune.tuning.inverse.members import Member, Reading, build_members
from sbitune.tuning.inverse.mixture import Mixture
from sbitune.tuning.inverse.model import InverseModel

FORMAT = "sbitune inverse model"
FORMAT_VERSION = 1
_COMPRESSION = ("centre", "whitening", "directions", "jitter")
_CALIBRATION = tuple(name for name in Calibration._fields if name not in ("names", "p_value"))


def save_inverse(path: str | Path, model: InverseModel) -> None:
    """Write an inverse model, whole or not at all."""
    meta = {
        "config": msgspec.to_builtins(model.config),
        "parameters": [astuple(parameter) for parameter in model.parameters],
        "left_out": model.compression.left_out,
        "p_value": model.calibration.p_value,
        "notes": model.notes,
    }
    arrays = {f"weights_{i}": np.asarray(array) for i, array in enumerate(jax.tree.leaves(model.mixture.members))}
    arrays |= {f"compression_{name}": getattr(model.compression, name) for name in _COMPRESSION}
    arrays |= {f"calibration_{name}": getattr(model.calibration, name) for name in _CALIBRATION}
    arrays |= {f"cloud_{name}": array for name, array in model.cloud._asdict().items()}
    arrays["products"] = np.asarray(model.mixture.members.reading.value.products[0])
    arrays |= {"values": model.values, "errors": model.errors, "reached": model.reached}
    write_stored(path, FORMAT, FORMAT_VERSION, meta, arrays | model.bins.to_arrays())


def load_inverse(path: str | Path) -> InverseModel:
    """Read what `save_inverse` wrote. Raises `InputError` if the file is absent, damaged or something else."""
    meta, arrays = read_stored(path, FORMAT, FORMAT_VERSION)
    with naming_file(path, FORMAT):
        parameters = tuple(Parameter(*fields) for fields in meta["parameters"])
        config = msgspec.convert(meta["config"], InverseConfig)
        of_compression = {name: arrays[f"compression_{name}"] for name in _COMPRESSION}
        compression = Compression(**of_compression, left_out=meta["left_out"])
        cloud = Cloud(*(arrays[f"cloud_{name}"] for name in Cloud._fields))
        calibration = Calibration(
            names=tuple(p.name for p in parameters),
            p_value=meta["p_value"],
            **{name: arrays[f"calibration_{name}"] for name in _CALIBRATION},
        )
        bins, values, errors, reached = (
            Bins.from_arrays(arrays),
            *(arrays[n] for n in ("values", "errors", "reached")),
        )
        return InverseModel(
            parameters=parameters,
            bins=bins,
            values=values,
            errors=errors,
            reached=reached,
            config=config,
            compression=compression,
            mixture=Mixture(_load_members(config, len(parameters), compression, arrays), config.members),
            cloud=cloud,
            calibration=calibration,
            inside=look_inside(cloud, compression, values, reached, errors, bins),
            notes=tuple(meta["notes"]),
        )


def _load_members(
    config: InverseConfig, n_parameters: int, compression: Compression, arrays: dict[str, np.ndarray]
) -> Member:
    """Put the stored weights into the graph that the config describes."""
    k = compression.directions.shape[1]
    n_products = len(arrays["products"][0])
    shapes = Reading((k, k), (k,), (2, n_products), (k + n_products, n_parameters), (n_parameters,))
    reading = Reading(*(np.zeros(shape, np.float32) for shape in shapes))
    linear = LinearGaussian(np.zeros((k + n_parameters, n_parameters)), np.zeros(n_parameters), np.eye(n_parameters))
    keys = jax.random.split(jax.random.key(0), config.members)  # for the shapes; no number is drawn
    template = jax.eval_shape(lambda: build_members(keys, config, reading, linear))
    expected, structure = jax.tree.flatten(template)
    weights = [arrays[f"weights_{i}"] for i in range(len(expected))]
    if any(array.shape != shape.shape for array, shape in zip(weights, expected, strict=True)):
        raise ValueError("the stored weights do not fit the stored config")
    return jax.tree.unflatten(structure, weights)
