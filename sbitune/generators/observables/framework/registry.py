"""Which analyses there are. Each is one module in a folder of the package `observables`, by machine; its name in
capitals is the analysis'.
"""

import difflib
import pkgutil
from functools import cache
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from sbitune.data.errors import InputError
from sbitune.data.text.numbers import quoted
from sbitune.generators.observables.framework.analysis import Analysis

_PACKAGE = "sbitune.generators.observables"
#: folders of what analyses share
_SHARED = ("framework", "kernels")

#: analyses from files of the user, by name
_registered: dict[str, Analysis] = {}


def available() -> tuple[str, ...]:
    """Return the names of all analyses, sorted. Reads the folder, imports nothing."""
    return tuple(sorted({*_own(), *_registered}))


@cache
def _own() -> dict[str, str]:
    """Name -> module of the analyses that come with the package."""
    package = Path(__file__).resolve().parents[1]
    folders = [folder.name for folder in pkgutil.iter_modules([str(package)]) if folder.name not in _SHARED]
    return {
        module.name.upper(): f"{_PACKAGE}.{folder}.{module.name}"
        for folder in folders
        for module in pkgutil.iter_modules([str(package / folder)])
    }


def register(path: str | Path) -> Analysis:
    """Make the analysis of a Python file known by its name; the file holds it as `ANALYSIS`.

    Raises:
        InputError: if the file cannot be imported, holds no analysis, or one whose name is taken by one of sbitune's.
    """
    path = Path(path)
    specification = spec_from_file_location(f"sbitune_analysis_{path.stem}", path)
    if not path.is_file() or specification is None or specification.loader is None:
        raise InputError(f"analysis file {path}: no such Python file", code="analysis-file")
    module = module_from_spec(specification)
    try:
        specification.loader.exec_module(module)
    except Exception as error:  # whatever is wrong with somebody's file, its name belongs into the message
        raise InputError(f"analysis file {path}: {type(error).__name__}: {error}", code="analysis-file") from error
    analysis = getattr(module, "ANALYSIS", None)
    if not isinstance(analysis, Analysis):
        raise InputError(f"analysis file {path}: it must define ANALYSIS = Analysis(...)", code="analysis-file")
    if analysis.name in _own():
        raise InputError(
            f"analysis file {path}: the name {analysis.name} is taken; choose another", code="analysis-file"
        )
    _registered[analysis.name] = analysis
    return analysis


def load(name: str) -> Analysis:
    """Return the analysis of that name, or raise `InputError` that names the nearest ones."""
    if name in _registered:
        return _registered[name]
    if name not in available():
        close = difflib.get_close_matches(name.upper(), available(), n=1)
        hint = f"did you mean {close[0]}? Available" if close else "available"
        raise InputError(
            f"there is no analysis {quoted(name)}; {hint}: {', '.join(available())}; "
            "one of your own needs its file (--analysis-file, or analysis_files in a card)",
            code="analysis-unknown",
        )
    return import_module(_own()[name]).ANALYSIS
