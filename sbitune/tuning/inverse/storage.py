"""Inverse models on disk: an .npz file of arrays with a JSON header. A model read back draws the same bits."""

import math
from dataclasses import astuple
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from sbitune.data.bins import BINS, Bins
from sbitune.data.errors import ComputationError, InputError
from sbitune.data.parameter import read_parameters, read_words
from sbitune.data.storage.arrays import reading_stored
from sbitune.data.storage.layout import ArraySpec, check_arrays
from sbitune.data.storage.store import read_stored, write_stored
from sbitune.data.text.names import shorten
from sbitune.fitting.checks.calibration import Calibration
from sbitune.learning.density.members import member_shapes
from sbitune.learning.density.mixture import Mixture
from sbitune.learning.weights import pack_weights, unpack_weights
from sbitune.tuning.inverse.compression import Compression
from sbitune.tuning.inverse.config import InverseConfig
from sbitune.tuning.inverse.inside import Cloud, look_inside
from sbitune.tuning.inverse.model import InverseModel

FORMAT = "sbitune inverse model"
FORMAT_VERSION = 1
LAYOUT = {
    **BINS,
    "values": ArraySpec(("n_bins",)),
    "errors": ArraySpec(("n_bins",), low=0),
    "reached": ArraySpec((2, "n_bins")),
    "products": ArraySpec((2, "n_products"), np.int32, low=0),
    "compression_centre": ArraySpec(("n_bins",)),
    "compression_whitening": ArraySpec(("n_bins", "n_bins")),
    "compression_directions": ArraySpec(("n_bins", "n_directions")),
    "compression_jitter": ArraySpec(("n_directions", "n_directions")),
    "cloud_mean": ArraySpec(("n_directions",)),
    "cloud_inverse": ArraySpec(("n_directions", "n_directions")),
    "cloud_distances": ArraySpec(("n_measurements",), low=0),
    "cloud_remainders": ArraySpec(("n_measurements",), low=0),
    "calibration_ranks": ArraySpec(("n_pairs", "n_parameters"), low=0, high=1),
    "calibration_joint": ArraySpec(("n_pairs",), low=0, high=1),
    "calibration_coverage": ArraySpec((2, "n_parameters"), low=0, high=1),
    "calibration_coverage_error": ArraySpec((2,), low=0, high=1),
    "calibration_joint_coverage": ArraySpec((2,), low=0, high=1),
    "calibration_shift": ArraySpec(("n_parameters",)),
    "calibration_width": ArraySpec(("n_parameters",)),
}
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
    arrays = pack_weights(model.mixture.members)
    arrays |= {f"compression_{name}": getattr(model.compression, name) for name in _COMPRESSION}
    arrays |= {f"calibration_{name}": getattr(model.calibration, name) for name in _CALIBRATION}
    arrays |= {f"cloud_{name}": array for name, array in model.cloud._asdict().items()}
    arrays["products"] = np.asarray(model.mixture.members.reading.value.products[0])
    arrays |= {"values": model.values, "errors": model.errors, "reached": model.reached}
    arrays |= model.bins.to_arrays()
    check_arrays(f"{path}: not written", arrays, LAYOUT, {"n_parameters": len(model.parameters)}, ComputationError)
    write_stored(path, FORMAT, FORMAT_VERSION, meta, arrays)


def load_inverse(path: str | Path) -> InverseModel:
    """Read what `save_inverse` wrote. Raises `InputError` if the file is absent, damaged or something else."""
    meta, stored = read_stored(path, FORMAT, FORMAT_VERSION)
    with reading_stored(path, FORMAT):
        parameters = read_parameters(meta["parameters"])
        config = msgspec.convert(meta["config"], InverseConfig)
        arrays = check_arrays(str(path), stored, LAYOUT, {"n_parameters": len(parameters)})
        of_compression = {name: arrays[f"compression_{name}"] for name in _COMPRESSION}
        compression = Compression(**of_compression, left_out=_number("left_out", meta))
        if arrays["products"].max(initial=-1) >= compression.directions.shape[1]:
            raise InputError("'products' are not pairs of the directions")
        cloud = Cloud(*(arrays[f"cloud_{name}"] for name in Cloud._fields))
        calibration = Calibration(
            names=tuple(p.name for p in parameters),
            p_value=_number("p_value", meta),
            **{name: arrays[f"calibration_{name}"] for name in _CALIBRATION},
        )
        bins, values, errors, reached = (
            Bins.from_arrays(arrays),
            *(arrays[n] for n in ("values", "errors", "reached")),
        )
        sizes = len(parameters), compression.directions.shape[1], arrays["products"].shape[1]
        template = member_shapes(config, *sizes)
        return InverseModel(
            parameters=parameters,
            bins=bins,
            values=values,
            errors=errors,
            reached=reached,
            config=config,
            compression=compression,
            mixture=Mixture(unpack_weights(str(path), template, stored), config.members),
            cloud=cloud,
            calibration=calibration,
            inside=look_inside(cloud, compression, values, reached, errors, bins),
            notes=read_words("notes", meta["notes"]),
        )


def _number(name: str, meta: dict[str, Any]) -> float:
    if type(meta[name]) not in (int, float) or not math.isfinite(meta[name]):
        raise InputError(f"{name} is {shorten(repr(meta[name]))}, expected a number")
    return float(meta[name])
