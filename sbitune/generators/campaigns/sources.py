"""What fills a run's histograms, as part of what the run is made of: sbitune's own analyses, their code and bins."""

import re
from functools import cache
from importlib import resources
from pathlib import Path

from sbitune.data.storage.files import hash_bytes

_OBSERVABLES = Path(__file__).parents[1] / "observables"
_COLUMNS = Path(__file__).parents[1] / "columns"
#: shared by all analyses
_SHARED = ("framework", "kernels")
#: an import from another module of sbitune
_IMPORT = re.compile(rb"^from sbitune[\w.]* import (?:\([^)]*\)|[^(\n]*)\n", re.MULTILINE)
#: an import from the module of another analysis
_IMPORTED = re.compile(r"^from sbitune\.generators\.observables\.\w+\.(\w+) import", re.MULTILINE)


@cache
def hash_observables(analyses: tuple[str, ...]) -> str:
    """Hash of the code that fills histograms for the named analyses: what all share, their own modules with those of
    other analyses that these import, and the embedded measurements that give them bins. Names of others count for
    nothing here: their files are the user's.

    It is computed once in a process, from the files; nothing is imported.
    """
    files = [path for folder in _SHARED for path in sorted((_OBSERVABLES / folder).glob("*.py"))]
    files += _modules(analyses)
    named = [(path.name, _code(path)) for path in files]
    for name in sorted(set(analyses)):
        table = resources.files("sbitune.data.measured") / f"{name}.yoda"
        named += [(table.name, table.read_bytes())] if table.is_file() else []
    return _hash_named(named)


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
    return _hash_named([(path.name, _code(path)) for path in files if path.is_file()])


def _hash_named(contents: list[tuple[str, bytes]]) -> str:
    return hash_bytes(*(part for name, content in contents for part in (name.encode(), content)))


def _code(path: Path) -> bytes:
    """A module but for its imports: a module of ours that is moved makes no run anew."""
    return _IMPORT.sub(b"", path.read_bytes())


def _modules(analyses: tuple[str, ...]) -> list[Path]:
    """The modules of the named analyses and, of other analyses, those from which they import."""
    found: dict[str, Path] = {}
    waiting = [name.lower() for name in analyses]
    while waiting:
        module = waiting.pop()
        path = next(_OBSERVABLES.glob(f"*/{module}.py"), None)
        if module not in found and path is not None:
            found[module] = path
            waiting += _IMPORTED.findall(path.read_text())
    return [found[module] for module in sorted(found)]
