"""To and from the objects of the real YODA library, where its Python module is installed.

They pass through a temporary file, which every version of the library can read and write.
"""

import importlib
import tempfile
from pathlib import Path
from typing import Any

from sbitune.data.errors import InputError
from sbitune.data.yoda.objects import Object
from sbitune.data.yoda.reader import read
from sbitune.data.yoda.writer import write


def _yoda() -> Any:
    try:
        module = importlib.import_module("yoda")
    except ImportError as error:
        raise InputError(
            "the Python module of the YODA library is not installed; it comes with Rivet, not with pip"
        ) from error
    if not hasattr(module, "Histo1D"):
        raise InputError(
            "the installed package `yoda` is not the YODA library of Rivet but something else of that name; "
            "uninstall it and install YODA (it comes with Rivet, not with pip)"
        )
    return module


def to_yoda(obj: Object) -> Any:
    """The object of the YODA library (of whichever generation is installed) for one of ours, at 17 digits.

    Raises:
        InputError: The library is not installed, or the object does not exist in its generation.
    """
    yoda = _yoda()
    version = 2 if hasattr(yoda, "Estimate1D") else 1
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "object.yoda"
        write(path, [obj], version, digits=17)
        return yoda.read(str(path))[obj.path]


def from_yoda(obj: Any) -> Object:
    """Our object for one of the YODA library, with the seven digits that the library writes.

    Raises:
        InputError: The library is not installed, or its object is of a type that is not known.
    """
    yoda = _yoda()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "object.yoda"
        yoda.write([obj], str(path))
        return next(iter(read(path).values()))
