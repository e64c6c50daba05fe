"""The one opener of arrays, `.npz` and `.h5`: whatever is wrong with a file is one `InputError` with its name.

Nothing is allocated because a file says so: sizes are compared with the file first. Nothing is unpickled, and no other
file is opened, wherever a link in an HDF5 file leads.
"""

import contextlib
import math
import zipfile
from collections.abc import Collection, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from sbitune.data.errors import InputError, SbituneError
from sbitune.data.storage.files import replacing
from sbitune.data.text.names import list_names, misspelt, repeated, shorten

#: a file may unfold to this many bytes, or to this many times its own size: numbers compress by two, equal ones by 1000
_MOST_BYTES, _MOST_TIMES = 64 << 20, 50
#: deflate cannot do better
_MOST_DEFLATED = 1033
#: bytes read at a time
_CHUNK = 1 << 20
_SUFFIX = ".npy"
_REMEDY = "make or copy the file again"


class Hdf5(NamedTuple):
    """What was asked for of an HDF5 file; text is decoded."""

    arrays: dict[str, np.ndarray]
    attributes: dict[str, np.ndarray]


def write_arrays(path: str | Path, arrays: dict[str, Any]) -> None:
    """Write named arrays to an .npz file, whole or not at all. Object arrays are refused (no pickles)."""
    with replacing(path) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, allow_pickle=False, **arrays)


def read_arrays(path: str | Path, kind: str, only: Collection[str] | None = None) -> dict[str, np.ndarray]:
    """Read the arrays of an .npz file, or `only` some; they are to be compared with a layout (`layout`).

    Raises:
        InputError: beginning with the path: it is not there or no `kind` (`sbitune scan`, say); the archive is damaged
            or holds a name twice or something else than arrays; or an array declares more than the file can hold.
    """
    with reading_stored(path, kind), _opened(path, kind) as archive:
        members = archive.infolist()
        names = [member.filename for member in members]
        twice = repeated(names)
        if twice:
            raise InputError(f"the array {shorten(twice[0].removesuffix(_SUFFIX))} is there twice")
        other = next((name for name in names if not name.endswith(_SUFFIX)), None)
        if other is not None:
            raise InputError(f"{shorten(other)} in it is no array")
        check_size(path, sum(member.file_size for member in members))
        wanted = {member.filename.removesuffix(_SUFFIX): member for member in members}
        return {name: _read_member(archive, wanted[name]) for name in wanted if only is None or name in only}


def read_hdf5(path: str | Path, kind: str, wanted: Collection[str], attributes_of: str) -> Hdf5:
    """Read the datasets `wanted` that an HDF5 file has, and the attributes of one of them; others are passed over.

    Raises:
        InputError: as `read_arrays`; a name is a misspelling of one that is wanted; a dataset is a link or lies in
            another file; or h5py is not installed.
    """
    with reading_stored(path, kind), open_hdf5(path) as file:
        if wrong := misspelt([name for name in file if name not in wanted], [n for n in wanted if n not in file]):
            raise InputError(f"the dataset {shorten(wrong[0])!r} is unknown; call it {wrong[1]!r} if it is that")
        datasets = {name: hdf5_array(file, name) for name in wanted if file.get(name, getlink=True) is not None}
        check_size(path, sum(item.nbytes for item in datasets.values()))
        arrays = {name: decoded(name, item[()]) for name, item in datasets.items()}
        if attributes_of not in datasets:
            return Hdf5(arrays, {})
        attributes = datasets[attributes_of].attrs
        return Hdf5(arrays, {name: decoded(name, attributes[name]) for name in attributes})


def open_hdf5(path: str | Path) -> Any:
    """Open an HDF5 file, to be used in a `with`. Raises `InputError` if it is no plain file."""
    return import_h5py().File(_plain_file(path), "r")


def hdf5_array(group: Any, name: str) -> Any:
    """The dataset of that name in a group of an HDF5 file. Raises `InputError` if it is none, a link, lies in another
    file, or holds neither numbers nor text.
    """
    h5py = import_h5py()
    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        raise InputError(f"{name} is a link to another place; write the numbers themselves")
    item = group[name]
    if not isinstance(item, h5py.Dataset) or item.shape is None:
        raise InputError(f"{name} is no array")
    if item.external or item.is_virtual:
        raise InputError(f"{name} lies in another file; write the numbers into this one")
    if item.dtype.hasobject and h5py.check_string_dtype(item.dtype) is None:
        raise InputError(f"{name} holds neither numbers nor text")
    return item


def check_size(path: str | Path, declared: int, most_times: int = _MOST_TIMES) -> None:
    """Raise `InputError` if arrays would take more bytes than a file of its size unfolds to, `most_times` its own."""
    size = Path(path).stat().st_size
    if declared > max(_MOST_BYTES, most_times * size):
        raise InputError(f"its arrays would take {declared:,} bytes, the file has {size:,}")


def import_h5py() -> ModuleType:
    """Import h5py. Raises `InputError` telling how to install it."""
    try:
        import h5py
    except ImportError as error:
        raise InputError('HDF5 files need h5py: pip install "sbitune[hdf5]"') from error
    return h5py


def decoded(name: str, array: Any) -> np.ndarray:
    """Text of HDF5, of fixed or variable length, as NumPy's; other arrays as they are."""
    array = np.asarray(array)
    if array.dtype.kind == "S":
        return np.char.decode(array, "utf-8")
    if array.dtype.kind != "O":
        return array
    words = [word.decode() if isinstance(word, bytes) else word for word in array.ravel()]
    if not all(isinstance(word, str) for word in words):
        raise InputError(f"{name} holds neither numbers nor text; it is {list_names({str(type(words[0])): 0})}")
    return np.array(words, dtype=np.str_).reshape(array.shape)


@contextlib.contextmanager
def reading_stored(path: str | Path, kind: str) -> Iterator[None]:
    """Turn whatever goes wrong with a stored file inside the block into an `InputError` that begins with its path."""
    try:
        yield
    except SbituneError as error:
        said = str(error)
        if said.startswith(str(path)):
            raise
        raise InputError(f"{path}: not a whole {kind}: {said}") from error
    except OSError as error:
        if error.strerror:
            raise InputError(f"{path}: cannot be read as a {kind}: {error.strerror}") from error
        raise InputError(f"{path}: not a whole {kind} ({shorten(str(error), 200)}); {_REMEDY}") from error
    # zip, zlib, NumPy, JSON and HDF5 raise some twenty kinds on damaged files, MemoryError among them
    except Exception as error:
        reason = shorten(str(error), 200) or type(error).__name__
        raise InputError(f"{path}: not a whole {kind} ({reason}); {_REMEDY}") from error


def _plain_file(path: str | Path) -> Path:
    path = Path(path)
    if path.exists() and not path.is_file():
        raise InputError("it is no file")
    return path


def _opened(path: str | Path, kind: str) -> zipfile.ZipFile:
    place = _plain_file(path)
    if place.exists() and not zipfile.is_zipfile(place):
        raise InputError(f"{path}: not a {kind}, or cut short: it is no archive of NumPy; {_REMEDY}")
    return zipfile.ZipFile(place)


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    name = shorten(member.filename.removesuffix(_SUFFIX))
    if member.file_size > _MOST_DEFLATED * member.compress_size:
        raise InputError(f"the array {name} would take {member.file_size:,} bytes out of {member.compress_size:,}")
    with archive.open(member) as stream:
        shape, fortran, dtype = _header(stream)
        if dtype.hasobject or dtype.kind not in "biufcSUmM":
            raise InputError(f"the array {name} holds {shorten(str(dtype))}, neither numbers nor text")
        size, there = math.prod(shape) * dtype.itemsize, member.file_size - stream.tell()
        if size != there:
            raise InputError(f"the array {name} of shape {shape} takes {size:,} bytes, the file has {there:,}")
        content = _fill(stream, size)
    flat = content.view(dtype) if size else np.zeros(math.prod(shape), dtype)
    return flat.reshape(shape, order="F" if fortran else "C")


def _fill(stream: Any, size: int) -> np.ndarray:
    """Read so many bytes and the end, where the checksum is compared."""
    content, filled = np.empty(size, np.uint8), 0
    while part := stream.read(_CHUNK):
        content[filled : filled + len(part)] = np.frombuffer(part, np.uint8)
        filled += len(part)
    if filled != size:
        raise InputError(f"an array of {size:,} bytes ends after {filled:,}")
    return content


def _header(stream: Any) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = np.lib.format.read_magic(stream)
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in readers:
        raise InputError(f"it has an array of version {version[0]}.{version[1]} of NumPy's format")
    shape, fortran, dtype = readers[version](stream)
    if any(type(length) is not int or length < 0 for length in shape):
        raise InputError(f"it has an array of shape {shorten(str(shape))}")
    return shape, fortran, dtype
