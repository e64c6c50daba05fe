"""Apprentice's files: scans in HDF5 and measured values in JSON.

Layout of a scan: `params` (n_runs, n_parameters) with the attribute `names`, `values` and `errors`
(n_bins, n_runs), `index` (n_bins,) of `/PATH#n`, `xmin` and `xmax` (n_bins,), `runs` (n_runs,) where the
writer knew them. A file without `errors` has none, as Apprentice takes it. Other datasets and groups are passed over.

Weight files are Professor 2's (`sbitune.data.formats.selection.read_weights`), limits files Professor's.
Source: github.com/HEPonHPC/apprentice, `apprentice/io.py` (readH5, writeInputDataSetH5), `apprentice/weights.py`.
"""

import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from sbitune.data.bins import Bins
from sbitune.data.errors import InputError, naming_file
from sbitune.data.parameter import Parameter, read_words
from sbitune.data.reporting import LeftOut
from sbitune.data.scan import Scan, build_scan
from sbitune.data.storage.arrays import import_h5py, read_hdf5, reading_stored
from sbitune.data.storage.files import read_text, replacing, write_text
from sbitune.data.storage.layout import ArraySpec, check_arrays
from sbitune.data.text.names import repeated, shorten
from sbitune.data.text.numbers import finite, natural, quoted

logger = logging.getLogger(__name__)
_LAYOUT = {
    "params": ArraySpec(("n_runs", "n_parameters"), finite=False),
    "values": ArraySpec(("n_bins", "n_runs"), finite=False),
    "errors": ArraySpec(("n_bins", "n_runs"), finite=False),
    "index": ArraySpec(("n_bins",), np.str_),
    "xmin": ArraySpec(("n_bins",), finite=False),
    "xmax": ArraySpec(("n_bins",), finite=False),
    "runs": ArraySpec(("n_runs",), np.str_, needed=False),
}
#: those of params
_ATTRIBUTES = {
    "names": ArraySpec(("n_parameters",), np.str_),
    "low": ArraySpec(("n_parameters",), needed=False),
    "high": ArraySpec(("n_parameters",), needed=False),
    "default": ArraySpec(("n_parameters",), finite=False, needed=False),
    "unit": ArraySpec((), np.str_, needed=False),
}


def read_scan(
    path: str | Path,
    parameters: Sequence[Parameter] | None = None,
    drop_bad: Literal["bins", "runs"] | None = None,
    tell: Callable[[str], None] = logger.warning,
) -> Scan:
    """Read a scan from Apprentice's HDF5.

    Args:
        path: the file.
        parameters: names and box; matched to the file's columns by name. Without them the box is the one that
            `write_scan` left in the file, else the smallest one that holds all runs (the format has none).
        drop_bad: drop every bin, or every run, with a number that is not finite or a negative error.
        tell: receives what was dropped, each with its name; by default the log.

    Raises:
        InputError: the file is absent or not of this layout, a number is not finite (and `drop_bad` is not
            given), a parameter is missing, or h5py is not installed.
    """
    arrays, attributes = _read_arrays(Path(path))
    names, theta = list(map(str, attributes["names"])), arrays["params"]
    named = list(map(str, arrays["runs"])) if "runs" in arrays else [f"{i:04d}" for i in range(len(theta))]
    _check_names(path, names)
    columns = _columns(path, names, parameters)
    theta = theta[:, columns]
    with naming_file(path):
        box = tuple(parameters) if parameters else _box(path, names, theta, attributes)
    values, errors = arrays["values"].T, arrays["errors"].T
    bins = _bins(path, arrays)
    try:
        scan, dropped = build_scan(box, theta, values, errors, bins, tuple(named), drop_bad)
    except InputError as error:
        raise InputError(
            f"{path}: {error} (with drop_bad='bins' or 'runs': --bad-bins drop, --bad-runs drop)"
        ) from error
    if dropped:
        tell(LeftOut(f"{path}: {dropped}"))
    return scan


def write_scan(path: str | Path, scan: Scan) -> None:
    """Write a scan in Apprentice's HDF5, whole or not at all.

    The box and the defaults, for which the format has no place, become attributes of `params` that
    `read_scan` understands and Apprentice ignores. Raises `InputError` if h5py is not installed.
    """
    h5py = import_h5py()
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

    Returns labels, values (n_bins,) and errors (n_bins,) in the order of the file. Raises `InputError`, with line and
    bin for a number that is none or not finite, or a negative error.
    """
    text = read_text(path, "data file")
    try:
        content = json.loads(
            text, object_pairs_hook=_distinct, parse_int=_Word, parse_float=_Word, parse_constant=_Word
        )
        if not isinstance(content, dict) or not content:
            raise ValueError("no bin in it")
    except (ValueError, RecursionError) as error:
        raise InputError(f"data file {path}: not Apprentice's JSON of measured values ({error})") from error
    pairs = np.array([_pair(f"data file {path}", text, label, found) for label, found in content.items()], float)
    return list(content), pairs[:, 0], pairs[:, 1]


class _Word(str):
    """A number of a JSON file as it is written."""

    __slots__ = ()


def _pair(where: str, text: str, label: str, found: Any) -> tuple[float, float]:
    """Value and error of a bin."""
    try:
        if not isinstance(found, list) or list(map(type, found)) != [_Word, _Word]:
            raise ValueError(f"expected [value, error], found {shorten(json.dumps(found))}")
        value, error = map(finite, found)
        if error < 0:
            raise ValueError(f"{value:g} +- {error:g} has an error below 0")
    except ValueError as error:
        line = text.count("\n", 0, max(text.find(json.dumps(label, ensure_ascii=False)), 0)) + 1
        told = f"bin {shorten(label)}: {error}; correct it or take it out"
        raise InputError(f"{where}:{line}: {told}") from None
    return value, error


def split_labels(where: str, labels: Sequence[str]) -> tuple[list[str], list[int]]:
    """Paths and numbers of bins of labels `/PATH#n`. Raises `InputError`, which begins with `where`, for others."""
    names, numbers = [], []
    for label in labels:
        name, _, number = label.rpartition("#")
        try:
            numbers.append(natural(number))
        except ValueError:
            name = ""
        if not name:
            raise InputError(f"{where} {quoted(label)}, expected /PATH#n")
        names.append(name)
    return names, numbers


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        twice = repeated(name for name, _ in pairs)[0]
        raise ValueError(f"bin {shorten(twice)} is given twice")
    return content


def write_data(path: str | Path, labels: Sequence[str], values: np.ndarray, errors: np.ndarray) -> None:
    """Write measured values in Apprentice's JSON, whole or not at all; `labels` are `/PATH#n` (`Bins.labels()`).

    Raises `InputError` for a label that is given twice, shapes that do not fit together, numbers that are not
    finite, negative errors.
    """
    values, errors = np.asarray(values, float), np.asarray(errors, float)
    if not (len(labels) == len(values) == len(errors)) or not len(labels):
        raise InputError(f"data file {path}: {len(labels)} labels, {len(values)} values, {len(errors)} errors")
    for label, value, error in zip(labels, values, errors, strict=True):
        if not (np.isfinite(value) and np.isfinite(error)):
            raise InputError(f"data file {path}: bin {label} is not finite: {value} +- {error}")
        if error < 0:
            raise InputError(f"data file {path}: bin {label} has a negative error: {value} +- {error}")
    table = {label: [float(v), float(e)] for label, v, e in zip(labels, values, errors, strict=True)}
    if len(table) < len(labels):
        raise InputError(f"data file {path}: {len(labels) - len(table)} bins are given twice")
    write_text(path, json.dumps(table, indent=1) + "\n")


def _read_arrays(path: Path) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Datasets and attributes of `params`, compared with their layouts; runs and parameters may hold bad numbers."""
    arrays, attributes = read_hdf5(path, "scan in Apprentice's HDF5", _LAYOUT, "params")
    where = f"scan {path}"
    if "errors" not in arrays and "values" in arrays:
        logger.warning("%s: no dataset `errors`; Monte Carlo errors are taken to be 0, as Apprentice does", path)
        arrays["errors"] = np.zeros(arrays["values"].shape)
    missing = [name for name, spec in _LAYOUT.items() if spec.needed and name not in arrays]
    if missing or "names" not in attributes:
        missing = missing or ["the attribute `names` of params"]
        raise InputError(f"{where}: not Apprentice's layout, lacks {', '.join(missing)}")
    attributes["names"] = np.atleast_1d(attributes["names"])
    known = {"n_parameters": attributes["names"].size}
    attributes = check_arrays(f"{where}: attributes of params", attributes, _ATTRIBUTES, known)
    if arrays["params"].ndim == 1 and known["n_parameters"] == 1:  # a file of one parameter may have the runs alone
        arrays["params"] = arrays["params"][:, None]
    shape = arrays["params"].shape[:1] + arrays["index"].shape
    if len(shape) == 2 and shape[0] != shape[1] and arrays["values"].shape == shape:
        turned = f"expected {shape[::-1]}: it has runs and bins the wrong way round"
        raise InputError(f"{where}: 'values' has the shape {shape}, {turned}")
    return check_arrays(where, arrays, _LAYOUT, known), attributes


def _check_names(path: Any, names: list[str]) -> None:
    twice = repeated(names)
    if twice:
        raise InputError(f"scan {path}: parameter {shorten(twice[0])} is named twice")


def _columns(path: Any, names: list[str], parameters: Sequence[Parameter] | None) -> list[int]:
    wanted = [p.name for p in parameters] if parameters else names
    if sorted(wanted) != sorted(names):
        raise InputError(f"scan {path}: has the parameters {', '.join(names)}, not {', '.join(wanted)}")
    return [names.index(name) for name in wanted]


def _box(path: Any, names: list[str], theta: np.ndarray, attributes: dict[str, Any]) -> tuple[Parameter, ...]:
    low, high = attributes.get("low", theta.min(0)), attributes.get("high", theta.max(0))
    flat = [name for name, lo, hi in zip(names, low, high, strict=True) if not lo < hi]
    if flat:
        raise InputError(f"scan {path}: parameter {flat[0]} is the same in all runs; give its range with `parameters`")
    default = attributes.get("default", np.full(len(names), np.nan))
    units = _units(path, str(attributes["unit"]), len(names)) if "unit" in attributes else [""] * len(names)
    return tuple(
        Parameter(name, float(lo), float(hi), float(at) if np.isfinite(at) else None, unit)
        for name, lo, hi, at, unit in zip(names, low, high, default, units, strict=True)
    )


def _units(path: Any, stored: str, n: int) -> list[str]:
    with reading_stored(path, "scan in Apprentice's HDF5"):
        units = read_words("the attribute `unit` of params", json.loads(stored))
    if len(units) != n:
        raise InputError(f"scan {path}: the attribute `unit` of params has {len(units)} units, expected {n}")
    return list(units)


def _bins(path: Any, arrays: dict[str, np.ndarray]) -> Bins:
    labels = list(map(str, arrays["index"]))
    names, numbers = split_labels(f"scan {path}: index holds", labels)
    if twice := repeated(labels):
        raise InputError(f"scan {path}: bin {shorten(twice[0])} is in index twice")
    try:
        return Bins(np.array(names, dtype=np.str_), np.array(numbers), arrays["xmin"], arrays["xmax"])
    except InputError as error:
        raise InputError(f"scan {path}: {error}") from error
