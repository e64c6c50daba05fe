"""What fills a run's histograms, as part of what the run is made of: sbitune's own analyses, their code and bins."""

import re
from functools import cache
from importlib import resources
from pathlib import Path

from sbitune.data.files import hash_bytes, hash_files

_OBSERVABLES = Path(__file__).parent / "observables"
_COLUMNS = Path(__file__).parent / "columns"
#: shared by all analyses
_SHARED = ("framework", "kernels")
#: an import from the module of another analysis
_IMPORTED = re.compile(r"^from sbitune\.generators\.observables\.(\w+) import", re.MULTILINE)


@cache
def hash_observables(analyses: tuple[str, ...]) -> str:
    """Hash of the code that fills histograms for the named analyses: what all share, their own modules with those of
    other analyses that these import, and the embedded measurements that give them bins. Names of others count for
    nothing here: their files are the user's.

    It is computed once in a process, from the files; nothing is imported.
    """
    files = [path for folder in _SHARED for path in sorted((_OBSERVABLES / folder).glob("*.py"))]
    files += _modules(analyses)
    named = [(path.name, path.read_bytes()) for path in files]
    for name in sorted(set(analyses)):
        table = resources.files("sbitune.data.measured") / f"{name}.yoda"
        named += [(table.name, table.read_bytes())] if table.is_file() else []
    return hash_bytes(*(part for name, content in named for part in (name.encode(), content)))


@cache
def hash_columns(names: tuple[str, ...]) -> str:
    """Hash of the code that computes the named sets of columns. Names of others count for nothing here: their files are
    the user's.
    """
    files = [path for folder in _SHARED for path in sorted((_OBSERVABLES / folder).glob("*.py"))]
    files += [
        *sorted(_COLUMNS.glob("*.py")),
        *(_COLUMNS / "sets" / f"{name.lower()}.py" for name in sorted(set(names))),
    ]
    return hash_files(path for path in files if path.is_file())


def _modules(analyses: tuple[str, ...]) -> list[Path]:
    """The modules of the named analyses and, of other analyses, those from which they import."""
    found: dict[str, Path] = {}
    waiting = [name.lower() for name in analyses]
    while waiting:
        module = waiting.pop()
        path = _OBSERVABLES / f"{module}.py"
        if module not in found and path.is_file():
            found[module] = path
            waiting += _IMPORTED.findall(path.read_text())
    return [found[module] for module in sorted(found)]
