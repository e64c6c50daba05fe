"""Learned ratios on disk: an .npz file of arrays with a JSON header. A ratio read back answers with the same bits."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from sbitune.data.errors import ComputationError, InputError
from sbitune.data.parameter import Parameter, read_parameters, read_words
from sbitune.data.storage.arrays import reading_stored
from sbitune.data.storage.layout import ArraySpec, check_arrays, whole_number
from sbitune.data.storage.store import read_stored, write_stored
from sbitune.data.text.names import shorten
from sbitune.learning.keys import Keys
from sbitune.learning.sets.scaling import Scale
from sbitune.learning.weights import pack_weights, unpack_weights
from sbitune.ratios.parameterised.combination.network import mean_of_templates
from sbitune.ratios.parameterised.config import RatioConfig
from sbitune.ratios.parameterised.correction import Correction
from sbitune.ratios.parameterised.inputs import SetNames
from sbitune.ratios.parameterised.judgement import Gain
from sbitune.ratios.parameterised.kinds.kind import Inputs, SetScales
from sbitune.ratios.parameterised.kinds.registry import builder_of
from sbitune.ratios.parameterised.ratio import LearnedRatio, TrainingRecord, check_columns
from sbitune.ratios.parameterised.scaling import Scaling

FORMAT = "sbitune learned ratio"
FORMAT_VERSION = 2
LAYOUT = {
    "point": ArraySpec(("n_parameters",), needed=False),
    "ranges": ArraySpec((2, "n_inputs"), np.float32),
    "loss_train": ArraySpec(("n_epochs", "n_members"), np.float32),
    "loss_validation": ArraySpec(("n_epochs", "n_members"), np.float32),
    "best_epoch": ArraySpec(("n_members",), np.int32, low=0),
    "correction_powers": ArraySpec(("n_terms", "n_parameters"), np.int64, low=0, high=20, needed=False),
    "correction_coefficients": ArraySpec(("n_terms",), needed=False),
    "correction_errors": ArraySpec(("n_terms",), low=0, needed=False),
    "correction_covariance": ArraySpec(("n_terms", "n_terms"), needed=False),
    "correction_slopes": ArraySpec(("n_terms", "n_phi"), needed=False),
    "combination": ArraySpec(("n_phi", "n_phi"), needed=False),
}

#: arrays of a correction
_OF_CORRECTION = ("powers", "coefficients", "errors", "covariance", "slopes")


def save_ratio(path: str | Path, ratio: LearnedRatio) -> None:
    """Write a ratio, whole or not at all."""
    record, correction = ratio.record, ratio.correction
    arrays: dict[str, np.ndarray] = pack_weights(ratio.networks)
    arrays |= {
        "ranges": ratio.ranges,
        "loss_train": record.train,
        "loss_validation": record.validation,
        "best_epoch": record.best_epoch.astype(np.int32),
    }
    if ratio.point is not None:
        arrays["point"] = ratio.point
    if correction is not None:
        arrays |= {f"correction_{name}": np.asarray(getattr(correction, name)) for name in _OF_CORRECTION}
    if ratio.combination is not None:
        arrays["combination"] = ratio.combination
    meta = {
        "config": msgspec.to_builtins(ratio.config),
        "columns": list(ratio.columns),
        "inputs": list(ratio.inputs),
        "sets": [list(names) for names in ratio.sets],
        "parameters": [astuple(parameter) for parameter in ratio.parameters],
        "loss": record.loss,
        "n_events": record.n_events,
        "n_reference": record.n_reference,
        "negative": record.negative,
        "negative_reference": record.negative_reference,
        "gain": list(record.gain),
        "n_kept": 0 if correction is None else correction.n_kept,
        "hash": _hash(arrays),
    }
    check_arrays(f"{path}: not written", arrays, LAYOUT, _sizes(ratio), ComputationError)
    write_stored(path, FORMAT, FORMAT_VERSION, meta, arrays)


def load_ratio(
    path: str | Path,
    columns: Sequence[str] | None = None,
    parameters: Sequence[Parameter] | None = None,
    sets: Sequence[Sequence[str]] | None = None,
) -> LearnedRatio:
    """Read what `save_ratio` wrote.

    Args:
        path: the file.
        columns: those that it is to be of, in this order.
        parameters: those that it is to be of, in this order, with these units.
        sets: columns of every kind of particles that it is to be of.

    Raises:
        InputError: the file is absent, damaged, or something else, or of other columns or parameters.
    """
    meta, stored = read_stored(path, FORMAT, FORMAT_VERSION)
    with reading_stored(path, FORMAT):
        if meta["hash"] != _hash(stored):
            raise InputError("its arrays are not those that were written")
        config = msgspec.convert(meta["config"], RatioConfig)
        known = read_parameters(meta["parameters"])
        found, inputs = read_words("columns", meta["columns"]), read_words("inputs", meta["inputs"])
        sizes = {"n_parameters": len(known), "n_inputs": len(inputs), "n_members": config.members}
        arrays = check_arrays(str(path), stored, LAYOUT, sizes)
        kinds = _read_sets(meta, inputs)
        template = _template(config, len(inputs), kinds, len(known), "point" in arrays)
        if "combination" in arrays:
            template = mean_of_templates(template)
        ratio = LearnedRatio(
            config=config,
            columns=found,
            inputs=inputs,
            parameters=known,
            point=arrays.get("point"),
            ranges=arrays["ranges"],
            networks=unpack_weights(str(path), template, stored),
            record=_record(meta, arrays),
            correction=_correction(meta, arrays),
            combination=arrays.get("combination"),
            sets=kinds,
        )
    check_columns(str(path), ratio, columns, parameters, sets)
    return ratio


def _sizes(ratio: LearnedRatio) -> dict[str, int]:
    return {"n_parameters": len(ratio.parameters), "n_inputs": len(ratio.inputs), "n_members": ratio.n_members}


def _read_sets(meta: dict[str, Any], inputs: tuple[str, ...]) -> SetNames:
    """Columns of every kind of particles, which are the last of the inputs."""
    kinds = meta.get("sets", [])
    if not isinstance(kinds, list):
        raise InputError(f"sets are {shorten(repr(kinds))}, expected lists of columns")
    sets = tuple(read_words("sets", names) for names in kinds)
    every = [name for names in sets for name in names]
    if list(inputs[len(inputs) - len(every) :]) != every or not all(sets):
        raise InputError(f"sets are {shorten(repr(kinds))}, which are not the last of its inputs")
    return sets


def _template(config: RatioConfig, n_inputs: int, sets: SetNames, n_parameters: int, has_point: bool) -> Any:
    """The networks that the config describes, with the shapes of their weights."""
    n_columns = n_inputs - sum(map(len, sets))
    x, theta, *kinds = (_plain(Scaling, n) for n in (n_columns, n_parameters, *map(len, sets)))
    point = np.zeros(n_parameters, np.float32) if has_point else None
    scales = SetScales(tuple(Scale(*kind) for kind in kinds), (np.float32(1),) * len(sets)) if sets else None
    inputs = Inputs(x, theta, point, scales)
    return builder_of(config.kind)(Keys.for_shapes(config.members), inputs, config.network)


def _plain(scaling: Any, n: int) -> Any:
    return scaling(np.zeros(n, np.float32), np.ones(n, np.float32))


def _record(meta: dict[str, Any], arrays: dict[str, np.ndarray]) -> TrainingRecord:
    return TrainingRecord(
        loss=read_words("loss", [meta["loss"]])[0],
        n_events=whole_number("n_events", meta["n_events"]),
        n_reference=whole_number("n_reference", meta["n_reference"]),
        negative=_share("negative", meta),
        negative_reference=_share("negative_reference", meta),
        gain=Gain(*_pair("gain", meta)),
        train=arrays["loss_train"],
        validation=arrays["loss_validation"],
        best_epoch=arrays["best_epoch"],
    )


def _correction(meta: dict[str, Any], arrays: dict[str, np.ndarray]) -> Correction | None:
    there = [f"correction_{name}" in arrays for name in _OF_CORRECTION]
    if any(there) and not all(there):
        raise InputError("it has a part of a correction only")
    n_kept = whole_number("n_kept", meta["n_kept"])
    parts = {name: arrays[f"correction_{name}"] for name in _OF_CORRECTION if all(there)}
    return Correction(**parts, n_kept=n_kept) if parts else None


def _share(name: str, meta: dict[str, Any]) -> float:
    number = meta[name]
    if type(number) not in (int, float) or not (math.isfinite(number) and 0 <= number <= 1):
        raise InputError(f"{name} is {shorten(repr(number))}, expected a share")
    return float(number)


def _pair(name: str, meta: dict[str, Any]) -> tuple[float, float]:
    found = meta[name]
    if not (isinstance(found, list) and len(found) == 2 and all(type(x) is float and math.isfinite(x) for x in found)):
        raise InputError(f"{name} is {shorten(repr(found))}, expected two numbers")
    return found[0], found[1]


def _hash(arrays: dict[str, np.ndarray]) -> str:
    """Of names, types, shapes and contents."""
    found = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        found.update(f"{name} {array.dtype.str} {array.shape}".encode())
        found.update(array.tobytes())
    return found.hexdigest()
