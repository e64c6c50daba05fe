"""Which sets of columns there are: one module each in `sets`, and those of the user's own files."""

import pkgutil
from functools import cache
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from sbitune.data.errors import InputError
from sbitune.data.text.names import nearest
from sbitune.data.text.numbers import quoted
from sbitune.generators.columns.declaration import EventColumns
from sbitune.generators.observables.framework import registry

_PACKAGE = "sbitune.generators.columns.sets"
#: sets from files of the user, by name
_registered: dict[str, EventColumns] = {}


def available_columns() -> tuple[str, ...]:
    """Return the names of all sets, sorted. Reads the folder, imports nothing."""
    return tuple(sorted({*_own(), *_registered}))


def load_columns(name: str) -> EventColumns:
    """Return the set of that name, or raise `InputError` that names the nearest ones."""
    if name in _registered:
        return _registered[name]
    if name not in _own():
        raise InputError(
            f"there are no columns {quoted(name)}{nearest(name, available_columns())} (`sbitune ls columns`); some of "
            "your own need their file (--analysis-file, or analysis_files in a card)"
        )
    return import_module(f"{_PACKAGE}.{name.lower()}").COLUMNS


def register_file(path: str | Path) -> None:
    """Make the analysis or columns of a Python file known by name; it holds an `Analysis` as `ANALYSIS`,
    `EventColumns` as `COLUMNS`, or both.

    Raises:
        InputError: if the file cannot be imported, holds neither, or something whose name is taken by one of sbitune's.
    """
    path = Path(path)
    columns = _columns_in(path)
    if columns is None:
        registry.register(path)
        return
    if not isinstance(columns, EventColumns):
        raise InputError(f"analysis file {path}: COLUMNS must be an EventColumns(...)")
    if columns.name in _own():
        raise InputError(f"analysis file {path}: the name {columns.name} is taken; choose another")
    _registered[columns.name] = columns
    if "ANALYSIS" in path.read_text(encoding="utf-8"):
        registry.register(path)


def _columns_in(path: Path) -> object:
    """What a file calls COLUMNS; None if it says nothing of the kind, or cannot be imported, which is told later."""
    specification = spec_from_file_location(f"sbitune_columns_{path.stem}", path)
    if not path.is_file() or specification is None or specification.loader is None:
        return None
    if b"COLUMNS" not in path.read_bytes():
        return None
    module = module_from_spec(specification)
    try:
        specification.loader.exec_module(module)
    except Exception as error:  # whatever is wrong with somebody's file, its name belongs into the message
        raise InputError(f"analysis file {path}: {type(error).__name__}: {error}") from error
    return getattr(module, "COLUMNS", None)


@cache
def _own() -> tuple[str, ...]:
    folder = str(Path(__file__).parent / "sets")
    return tuple(m.name.upper() for m in pkgutil.iter_modules([folder]) if not m.ispkg)
