"""Which of the field's files a file is: by its name where names are fixed, else by its first lines."""

import codecs
import contextlib
import gzip
import zlib
from pathlib import Path
from typing import Literal

from sbitune.data.errors import InputError
from sbitune.data.formats.mcnntunes import SUFFIXES, TAG
from sbitune.data.formats.professor import PARAMETER_FILES
from sbitune.data.storage.arrays import open_hdf5
from sbitune.data.storage.files import read_text
from sbitune.data.storage.store import is_stored, kind_of
from sbitune.data.text.names import shorten
from sbitune.data.text.numbers import is_number

Kind = Literal[
    "yoda",  # YODA 1 or 2
    "scan",  # scan.npz, Apprentice's HDF5, or a directory: see `layout_of`
    "surrogate",  # surrogate.npz
    "ipol",  # Professor 2's ipol.dat
    "result",  # result.yaml
    "results",  # Professor 2's results.txt
    "parameters",  # NAME value
    "limits",  # NAME low high
    "weights",  # PATH WEIGHT, of either generation of Professor
    "data",  # Apprentice's JSON of measured values
    "events",  # a table of events: CSV, Parquet, ROOT; npz and HDF5 where they are no scans
]
YODA = SUFFIXES
HDF5 = (".h5", ".hdf5")
#: tables of events by their names; of npz and HDF5 the content tells
TABLES = (".parquet", ".pq", ".root", ".csv", ".csv.gz", ".tsv", ".tsv.gz")
_STORED: dict[str, Kind] = {"sbitune scan": "scan", "sbitune surrogate": "surrogate"}


def recognise(place: str | Path) -> Kind:
    """Say what a file or directory holds; whether it is sound is its reader's affair.

    Raises `InputError` if it is not there, or is like no file that sbitune reads.
    """
    path = Path(place)
    if path.is_dir():
        return "scan"
    if not path.is_file():
        raise InputError(f"{path}: no such file or directory", code="file-absent")
    if path.name.endswith(YODA):
        return "yoda"
    if path.name.endswith(TABLES):
        return "events"
    if path.suffix in HDF5:
        return "scan" if _has_runs(path) else "events"
    if path.suffix == ".npz":
        return _stored(path) if is_stored(path) else "events"
    if is_data(path):
        return "data"
    if path.suffix in (".yaml", ".yml"):
        return "result"
    return _text(path)


def is_data(path: str | Path) -> bool:
    """Tell whether a file is JSON, by its name or its first character: of Apprentice's files measured values are."""
    path = Path(path)
    if path.suffix == ".json" or path.name.endswith(YODA):
        return path.suffix == ".json"
    with path.open("rb") as stream:
        return stream.read(80).removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"{")


def layout_of(directory: str | Path) -> Literal["card", "runs", "mcnntunes"] | Path:
    """Say how a scan lies in a directory: that of a card, run directories, MCNNTunes' files, or one file, its path.

    Raises `InputError` if there is nothing of these, or several files, each of which is a scan.
    """
    folder = Path(directory)
    if (folder / "card.yaml").is_file():
        return "card"
    inside = sorted(item for item in folder.iterdir() if not item.name.startswith("."))
    if any((item / name).is_file() for item in inside for name in PARAMETER_FILES):
        return "runs"
    if any(item.name.endswith(YODA) and _is_annotated(item) for item in inside):
        return "mcnntunes"
    scans = [item for item in inside if _is_scan(item)]
    if len(scans) > 1:
        names = ", ".join(item.name for item in scans)
        raise InputError(
            f"scan {folder}: several files are scans, {names}; name one of them, {scans[0]} say", code="scan-several"
        )
    if not scans:
        raise InputError(
            f"scan {folder}: no run directory with a {' or '.join(PARAMETER_FILES)} ({folder}/0000/params.dat), no "
            f"YODA files with annotations {TAG}NAME (MCNNTunes), no Apprentice .h5 file and no scan.npz",
            code="scan-unreadable",
        )
    return scans[0]


def _is_annotated(path: Path) -> bool:
    """Tell whether a YODA file has parameters as MCNNTunes notes them; one that is damaged has not."""
    if not path.is_file():  # a pipe or a device is not opened
        return False
    opened = gzip.open if path.suffix == ".gz" else open
    with contextlib.suppress(OSError, EOFError, zlib.error), opened(path, "rb") as stream:
        return any(line.startswith(TAG.encode()) for line in stream)
    return False


def _is_scan(path: Path) -> bool:
    if not path.is_file() or path.suffix not in (*HDF5, ".npz"):
        return False
    with contextlib.suppress(InputError):
        return recognise(path) == "scan"
    return False


def _has_runs(path: Path) -> bool:
    """Tell whether an HDF5 file has the parameters of runs; one that cannot be opened is its reader's affair."""
    try:
        with open_hdf5(path) as file:
            return "params" in file
    except (OSError, InputError):
        return True


def _stored(path: Path) -> Kind:
    kind = kind_of(path)
    if kind not in _STORED:
        raise InputError(
            f"{path}: neither a scan nor a surrogate written by sbitune, it holds a {shorten(kind)}",
            code="file-unknown-format",
        )
    return _STORED[kind]


def _text(path: Path) -> Kind:
    lines = read_text(path).split("\n")
    if any(line.strip() == "---" for line in lines) and any(line.startswith(("DataFormat", "/")) for line in lines):
        return "ipol"
    if any(line.startswith(("# Minimisation result", "# GOF")) for line in lines):
        return "results"
    rows = [words for line in lines if (words := line.split(" #")[0].split()) and not words[0].startswith("#")]
    if rows and rows[0][0][0] in "/.^(":
        return "weights"
    # a number that is none is named by the reader
    if rows and all(2 <= len(words) <= 3 for words in rows) and any(is_number(words[1]) for words in rows):
        return "limits" if any(len(words) == 3 for words in rows) else "parameters"
    raise InputError(
        f"{path}: like no file that sbitune knows: ipol.dat, results.txt, a weight file (PATH WEIGHT), limits "
        "(NAME low high), parameters (NAME value), YODA, scan, surrogate.npz, result.yaml",
        code="file-unknown-format",
    )
