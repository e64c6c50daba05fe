"""Surrogates on disk: an .npz file of arrays with a JSON header. A surrogate read back predicts the same bits.

The header names the `kind` of the surrogate: its tag in the `registry`, whose class knows its own arrays. Surrogates
inside another have headers under their names in its header, and arrays with their names before a slash.
"""

from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np

from sbitune.data.bins import BINS, Bins
from sbitune.data.errors import ComputationError, InputError
from sbitune.data.parameter import read_parameters, read_words
from sbitune.data.storage.arrays import reading_stored
from sbitune.data.storage.layout import ArraySpec, check_arrays, check_correlation
from sbitune.data.storage.store import read_stored, write_stored
from sbitune.data.text.names import repeated, shorten
from sbitune.data.text.numbers import quoted
from sbitune.tuning.surrogates.protocols import Arrays, Meta, TrainedSurrogate, Unpacked
from sbitune.tuning.surrogates.registry import surrogate_of

FORMAT = "sbitune surrogate"
FORMAT_VERSION = 5
#: arrays beside those of the kind
_COMMON = BINS | {"correlation": ArraySpec(("n_bins", "n_bins"), needed=False)}
#: in a header: the version of a kind's own arrays, where that is not the first
_VERSION = "kind_version"


def save_surrogate(path: str | Path, surrogate: TrainedSurrogate, runs: Sequence[str] = ()) -> None:
    """Write a surrogate, whole or not at all, with the names of the runs that it learnt from.

    Raises:
        InputError: naming a surrogate of a kind that is not in the registry: it could not be read again.
        ComputationError: if its numbers are none.
    """
    meta, arrays = _pack(surrogate, str(path))
    write_stored(path, FORMAT, FORMAT_VERSION, meta | {"runs": list(runs)}, arrays)


def load_surrogate(path: str | Path) -> TrainedSurrogate:
    """Read what `save_surrogate` wrote. Raises `InputError` if the file is absent, damaged or something else."""
    return load_with_runs(path)[0]


def load_with_runs(path: str | Path) -> tuple[TrainedSurrogate, tuple[str, ...]]:
    """Read a surrogate and the names of its runs, none where the file does not tell. Raises as `load_surrogate`."""
    meta, arrays = read_stored(path, FORMAT, FORMAT_VERSION)
    with reading_stored(path, FORMAT):
        runs = read_words("runs", meta.get("runs", []))
        if "" in runs:
            raise InputError(f"runs[{runs.index('')}] is '', expected the name of a run")
        if twice := repeated(runs):
            raise InputError(f"runs: {quoted(twice[0])} is there {runs.count(twice[0])} times, expected every run once")
        return _unpack(meta, arrays, str(path)), runs


def _pack(surrogate: TrainedSurrogate, path: str) -> tuple[Meta, Arrays]:
    """The surrogate as JSON-like meta and arrays."""
    tag = getattr(surrogate, "tag", type(surrogate).__name__)
    if not isinstance(surrogate, surrogate_of(tag)):
        raise InputError(f"{type(surrogate).__name__}: the kind of surrogate {tag!r} is another one in the registry")
    meta, arrays, correlation, parts = surrogate.pack()
    head: Meta = {"kind": tag} if surrogate.version == 1 else {"kind": tag, _VERSION: surrogate.version}
    meta = head | meta
    for name, part in parts.items():
        inside, packed = _pack(part, path)
        meta[name] = inside | meta.get(name, {})
        own = _part(name, arrays)  # what the whole says of a part stands behind the part's own
        arrays = {key: array for key, array in arrays.items() if not key.startswith(f"{name}/")}
        arrays |= {f"{name}/{key}": array for key, array in (packed | own).items()}
    if correlation is not None:
        arrays["correlation"] = correlation
    meta["parameters"] = [astuple(parameter) for parameter in surrogate.parameters]
    arrays |= surrogate.bins.to_arrays()
    layout = _COMMON | dict(surrogate.layout(meta))
    check_arrays(f"{path}: not written", arrays, layout, _sizes(type(surrogate), meta, arrays), ComputationError)
    return meta, arrays


def _unpack(meta: Meta, stored: Arrays, path: str) -> Any:
    kind = surrogate_of(meta["kind"])
    if meta.get(_VERSION, 1) != kind.version:
        found, tag = shorten(repr(meta.get(_VERSION, 1))), kind.tag
        raise InputError(f"version {found} of the kind {tag!r}, expected {kind.version}; train the surrogate again")
    arrays = check_arrays(path, stored, _COMMON | dict(kind.layout(meta)), _sizes(kind, meta, stored))
    check_correlation(path, arrays.get("correlation"))
    rest = {name: array for name, array in stored.items() if name not in arrays}
    parameters, bins = read_parameters(meta["parameters"]), Bins.from_arrays(arrays)
    for parameter, log in zip(parameters, arrays.get("log_inputs", ()), strict=False):
        if log and parameter.low < 0:
            raise InputError(f"log_inputs: {parameter.name} has no logarithm at {parameter.low:g}")
    parts = {name: _unpack(meta[name], _part(name, rest), path) for name in kind.part_names(meta)}
    return kind.unpack(Unpacked(parameters, bins, arrays.get("correlation"), meta, arrays | rest, parts, path))


def _sizes(kind: type[TrainedSurrogate], meta: Meta, arrays: Arrays) -> dict[str, int]:
    """Lengths that the header tells. Raises `InputError` for orders that are none."""
    n = len(meta["parameters"])
    sizes = {"n_parameters": n} | kind.sizes(meta, arrays)
    if "log_inputs" in arrays:
        sizes.setdefault("n_features", n + int(np.count_nonzero(arrays["log_inputs"])))
    return sizes


def _part(name: str, arrays: Arrays) -> Arrays:
    """The arrays of a part, which carry its name before a slash."""
    return {key.removeprefix(f"{name}/"): a for key, a in arrays.items() if key.startswith(f"{name}/")}
