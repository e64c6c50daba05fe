"""Which analyses there are. Each is one module of the package `observables`; its name in capitals is the analysis'."""

import difflib
import pkgutil
from functools import cache
from importlib import import_module
from pathlib import Path

from sbitune.data.errors import InputError
from sbitune.generators.observables.framework.analysis import Analysis

_PACKAGE = "sbitune.generators.observables"


@cache
def available() -> tuple[str, ...]:
    """Return the names of all analyses, sorted. Reads the folder, imports nothing."""
    folder = str(Path(__file__).resolve().parents[1])
    return tuple(sorted(m.name.upper() for m in pkgutil.iter_modules([folder]) if not m.ispkg))


@cache
def load(name: str) -> Analysis:
    """Return the analysis of that name, or raise `InputError` that names the nearest ones."""
    if name not in available():
        close = difflib.get_close_matches(name.upper(), available(), n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise InputError(f"there is no analysis {name!r}{hint} Available: {', '.join(available())}")
    return import_module(f"{_PACKAGE}.{name.lower()}").ANALYSIS
