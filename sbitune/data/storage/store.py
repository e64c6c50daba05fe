"""What sbitune keeps of its own: an .npz file of arrays with a JSON header that names its kind, its format version and
what made it.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from sbitune import __version__
from sbitune.data.errors import InputError
from sbitune.data.storage.arrays import read_arrays, reading_stored, write_arrays
from sbitune.data.text.names import list_names, shorten

_HEADER = "meta"
#: key of the header, and what it is set to: the sbitune that wrote the file; files of before do not tell
MADE_BY, THIS = "made_by", f"sbitune {__version__}"


def write_stored(
    path: str | Path, kind: str, version: int, meta: dict[str, Any], arrays: dict[str, np.ndarray]
) -> None:
    """Write arrays and JSON-like `meta` to an .npz file that names its kind, format version, maker and arrays; no
    pickles.
    """
    header = json.dumps({"format": kind, "version": version, MADE_BY: THIS, "arrays": list(arrays), **meta})
    write_arrays(path, {_HEADER: np.array(header), **arrays})


def read_stored(path: str | Path, kind: str, version: int) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Read meta and arrays from `write_stored`.

    Raises:
        InputError: for another kind or version, no such file, a damaged one, one that lost an array or has another.
    """
    with reading_stored(path, kind):
        arrays = read_arrays(path, kind)
        meta = _header(arrays)
        found, number = meta.pop("format"), meta.pop("version")
        maker = f", made by {shorten(str(meta.pop(MADE_BY)))}" if MADE_BY in meta else ""
        written = meta.pop("arrays", list(arrays))  # files of before do not tell
        if not isinstance(written, list) or not all(isinstance(name, str) for name in written):
            raise InputError("its header lists no arrays")
    if found != kind:
        raise InputError(f"{path}: expected a {kind}, this file holds a {shorten(str(found))}")
    if number != version or type(number) is not int:
        raise InputError(
            f"{path}: {kind} of format version {shorten(str(number))}{maker}, this sbitune reads {version}; "
            "update sbitune or make the file again"
        )
    if sorted(written) != sorted(arrays):
        raise InputError(
            f"{path}: not a whole {kind}: it has the arrays {list_names(arrays)}, but was written with "
            f"{list_names(dict.fromkeys(written))}; make the file again"
        )
    return meta, arrays


def is_stored(path: str | Path) -> bool:
    """Whether an .npz file has a header as `write_stored` gives it. Raises `InputError` if it is no such archive."""
    return _HEADER in read_arrays(path, "file of arrays", {_HEADER})


def kind_of(path: str | Path) -> str:
    """The kind of what `write_stored` wrote. Raises `InputError` if it is no such file."""
    with reading_stored(path, "file of sbitune"):
        return str(_header(read_arrays(path, "file of sbitune", {_HEADER}))["format"])


def _header(arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    """Take the header out of the arrays."""
    if _HEADER not in arrays:
        raise InputError(f"the array {_HEADER!r} is missing; it has {list_names(arrays)}")
    header = arrays.pop(_HEADER)
    if header.shape != () or header.dtype.kind != "U":
        raise InputError(f"the array {_HEADER!r} is no text")
    meta = json.loads(str(header))
    if not isinstance(meta, dict) or not {"format", "version"} <= set(meta):
        raise InputError(f"the array {_HEADER!r} says neither format nor version")
    return meta
