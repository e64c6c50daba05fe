"""Apprentice's files: scans in HDF5 and measured values in JSON.

Layout of a scan: `params` (n_runs, n_parameters) with the attribute `names`, `values` and `errors`
(n_bins, n_runs), `index` (n_bins,) of `/PATH#n`, `xmin` and `xmax` (n_bins,), `runs` (n_runs,) where the
writer knew them.
"""

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np

from sbitune.data.bins import Bins
from sbitune.data.errors import InputError
from sbitune.data.files import read_text, replacing
from sbitune.data.scan import Parameter, Scan, build_scan

logger = logging.getLogger(__name__)


def read_scan(
    path: str | Path,
    parameters: Sequence[Parameter] | None = None,
    drop_bad: Literal["bins", "runs"] | None = None,
) -> Scan:
    """Read a scan from Apprentice's HDF5.

    Args:
        path: the file.
        parameters: names and box; matched to the file's columns by name. Without them the box is the one that
            `write_scan` left in the file, else the smallest one that holds all runs (the format has none).
        drop_bad: drop every bin, or every run, with a number that is not finite; the log names each of them.

    Raises:
        InputError: the file is absent or not of this layout, a number is not finite (and `drop_bad` is not
            given), a parameter is missing, or h5py is not installed.
    """
    arrays, attributes = _read_arrays(Path(path))
    names = [_text(name) for name in attributes["names"]]
    theta = np.atleast_2d(arrays["params"]).astype(float)
    runs = arrays.get("runs")
    named = [_text(run) for run in runs] if runs is not None else [f"{i:04d}" for i in range(len(theta))]
    columns = _columns(path, names, parameters)
    theta = theta[:, columns]
    box = tuple(parameters) if parameters else _box(names, theta, attributes)
    values, errors = arrays["values"].T.astype(float), arrays["errors"].T.astype(float)
    try:
        scan, dropped = build_scan(box, theta, values, errors, _bins(arrays), tuple(named), drop_bad)
    except InputError as error:
        raise InputError(f"{path}: {error} (with drop_bad='bins' or 'runs')") from error
    if dropped:
        logger.warning("%s: %s", path, dropped)
    return scan


def write_scan(path: str | Path, scan: Scan) -> None:
    """Write a scan in Apprentice's HDF5, whole or not at all.

    The box and the defaults, for which the format has no place, become attributes of `params` that
    `read_scan` understands and Apprentice ignores. Raises `InputError` if h5py is not installed.
    """
    h5py = _import_h5py()
    with replacing(path) as temporary, h5py.File(temporary, "w") as file:
        params = file.create_dataset("params", data=scan.theta)
        params.attrs["names"] = np.char.encode([p.name for p in scan.parameters])
        params.attrs["low"] = [p.low for p in scan.parameters]
        params.attrs["high"] = [p.high for p in scan.parameters]
        params.attrs["default"] = [np.nan if p.default is None else p.default for p in scan.parameters]
        params.attrs["unit"] = json.dumps([p.unit for p in scan.parameters])
        file.create_dataset("values", data=scan.values.T)
        file.create_dataset("errors", data=scan.errors.T)
        file.create_dataset("index", data=np.char.encode(scan.bins.labels()))
        file.create_dataset("xmin", data=scan.bins.low)
        file.create_dataset("xmax", data=scan.bins.high)
        file.create_dataset("runs", data=np.char.encode(scan.runs))


def read_data(path: str | Path) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Read measured values from Apprentice's JSON, `{"/PATH#n": [value, error], ...}`.

    Returns labels, values (n_bins,) and errors (n_bins,) in the order of the file. Raises `InputError`.
    """
    try:
        content = json.loads(read_text(path, "data file"))
        pairs = np.array([[float(number) for number in pair] for pair in content.values()])
        if pairs.ndim != 2 or pairs.shape[1] != 2 or not np.isfinite(pairs).all():
            raise ValueError("not a finite [value, error] for every bin")
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(f"data file {path}: not Apprentice's JSON of measured values ({error})") from error
    return list(content), pairs[:, 0], pairs[:, 1]


def _read_arrays(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    h5py = _import_h5py()
    try:
        with h5py.File(path, "r") as file:
            arrays = {name: item[()] for name, item in file.items() if isinstance(item, h5py.Dataset)}
            attributes = dict(file["params"].attrs)
    except (OSError, KeyError) as error:
        raise InputError(f"scan {path}: cannot be read as Apprentice's HDF5 ({error})") from error
    needed = ("params", "values", "errors", "index", "xmin", "xmax")
    missing = [name for name in needed if name not in arrays]
    if missing or "names" not in attributes:
        missing = missing or ["the attribute `names` of params"]
        raise InputError(f"scan {path}: not Apprentice's layout, lacks {', '.join(missing)}")
    return arrays, attributes


def _columns(path: Any, names: list[str], parameters: Sequence[Parameter] | None) -> list[int]:
    wanted = [p.name for p in parameters] if parameters else names
    if sorted(wanted) != sorted(names):
        raise InputError(f"scan {path}: has the parameters {', '.join(names)}, not {', '.join(wanted)}")
    return [names.index(name) for name in wanted]


def _box(names: list[str], theta: np.ndarray, attributes: dict[str, Any]) -> tuple[Parameter, ...]:
    low, high = attributes.get("low", theta.min(0)), attributes.get("high", theta.max(0))
    default = attributes.get("default", np.full(len(names), np.nan))
    units = json.loads(attributes["unit"]) if "unit" in attributes else [""] * len(names)
    return tuple(
        Parameter(name, float(lo), float(hi), float(at) if np.isfinite(at) else None, unit)
        for name, lo, hi, at, unit in zip(names, low, high, default, units, strict=True)
    )


def _bins(arrays: dict[str, np.ndarray]) -> Bins:
    labels = [_text(label) for label in arrays["index"]]
    split = [label.rpartition("#") for label in labels]
    if not all(number.isdigit() and name for name, _, number in split):
        raise InputError(f"index {labels[0]!r}, ...: expected /PATH#n")
    return Bins(
        np.array([name for name, _, _ in split], dtype=np.str_),
        np.array([int(number) for _, _, number in split]),
        arrays["xmin"],
        arrays["xmax"],
    )


def _text(raw: Any) -> str:
    return raw.decode() if isinstance(raw, bytes) else str(raw)


def _import_h5py() -> ModuleType:
    try:
        import h5py
    except ImportError as error:
        raise InputError('HDF5 files need h5py: pip install "sbitune[hdf5]"') from error
    return h5py
