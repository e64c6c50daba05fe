"""Which of the field's files a file is: by its name where names are fixed, else by its first lines."""

import json
import zipfile
from pathlib import Path
from typing import Literal

import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.files import read_text

Kind = Literal[
    "yoda",  # YODA 1 or 2
    "scan",  # a card's directory, run directories, MCNNTunes' directory, scan.npz or Apprentice's HDF5
    "surrogate",  # surrogate.npz
    "ipol",  # Professor 2's ipol.dat
    "result",  # result.yaml
    "results",  # Professor 2's results.txt
    "parameters",  # NAME value
    "limits",  # NAME low high
    "weights",  # PATH WEIGHT, of either generation of Professor
    "data",  # Apprentice's JSON of measured values
]
YODA = (".yoda", ".yoda.gz")
HDF5 = (".h5", ".hdf5")
_STORED: dict[str, Kind] = {"sbitune scan": "scan", "sbitune surrogate": "surrogate"}


def recognise(place: str | Path) -> Kind:
    """Say what a file or directory holds; whether it is sound is its reader's affair.

    Raises `InputError` if it is not there, or is like no file that sbitune reads.
    """
    path = Path(place)
    if path.is_dir():
        return "scan"
    if not path.is_file():
        raise InputError(f"{path}: no such file or directory")
    if path.name.endswith(YODA):
        return "yoda"
    if path.suffix in HDF5:
        return "scan"
    if path.suffix == ".npz":
        return _stored(path)
    if path.suffix == ".json":
        return "data"
    if path.suffix in (".yaml", ".yml"):
        return "result"
    return _text(path)


def is_mcnntunes(place: str | Path) -> bool:
    """Tell whether a directory has YODA files and no run directory: MCNNTunes' scans are so."""
    path = Path(place)
    if not path.is_dir() or (path / "card.yaml").is_file():
        return False
    inside = [item for item in path.iterdir() if not item.name.startswith(".")]
    return any(item.name.endswith(YODA) for item in inside) and not any(item.is_dir() for item in inside)


def _stored(path: Path) -> Kind:
    try:
        with np.load(path, allow_pickle=False) as stored:
            return _STORED[json.loads(str(stored["meta"]))["format"]]
    except (OSError, ValueError, LookupError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: neither a scan nor a surrogate written by sbitune, or not whole") from error


def _text(path: Path) -> Kind:
    lines = read_text(path).splitlines()
    if any(line.strip() == "---" for line in lines) and any(line.startswith(("DataFormat", "/")) for line in lines):
        return "ipol"
    if any(line.startswith(("# Minimisation result", "# GOF")) for line in lines):
        return "results"
    rows = [words for line in lines if (words := line.split(" #")[0].split()) and not words[0].startswith("#")]
    if rows and rows[0][0][0] in "/.^(":
        return "weights"
    if rows and all(2 <= len(words) <= 3 and all(map(_is_number, words[1:])) for words in rows):
        return "limits" if any(len(words) == 3 for words in rows) else "parameters"
    raise InputError(
        f"{path}: like no file that sbitune knows: ipol.dat, results.txt, a weight file (PATH WEIGHT), limits "
        "(NAME low high), parameters (NAME value), YODA, scan, surrogate.npz, result.yaml"
    )


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
