"""The rooms of the surrogates: one above the other, and no kind known outside of its own. That they are small and in
no circle `test_floors.py` says of all rooms.
"""

import ast
from pathlib import Path

import pytest

from sbitune.tuning.surrogates import registry

ROOT = Path(registry.__file__).parent
PACKAGE = registry.__name__.rpartition(".")[0]
KINDS = {*registry.BUILT_IN, "ipol"}
#: lowest first: a module imports from its own folder, and from what stands in lines before
FLOORS = (
    {"kindconfig", "wording", "protocols", "base"},
    {"regression"},
    {"forms"},
    {"heldout"},
    {"components"},
    KINDS,
    {"registry"},
    {"config"},
    {"training"},
    {"choice"},
    {"storage", "description"},
)
#: what a card may say of the choice is read with the other configs
SECTIONS = "choice.config"
MODULES = [path for path in sorted(ROOT.rglob("*.py")) if path.name != "__init__.py"]


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def imports(path: Path) -> set[str]:
    """Modules of the package that one imports: `folder.module` or `module`."""
    known, found = set(map(name_of, MODULES)), set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith(PACKAGE):
            inside = str(node.module).removeprefix(PACKAGE).removeprefix(".")
            names = {inside, *(f"{inside}.{alias.name}".lstrip(".") for alias in node.names)}
            found |= names & known
    return found


def floor(module: str) -> int:
    return next(i for i, rooms in enumerate(FLOORS) if module.partition(".")[0] in rooms)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_go_down(path: Path) -> None:
    own = name_of(path)
    for other in imports(path) - {SECTIONS}:
        same = other.partition(".")[0] == own.partition(".")[0]
        assert same or floor(other) < floor(own) or {own, other} <= FLOORS[0] or own == SECTIONS, f"{own}: {other}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_kind_is_known_in_its_own_room_only(path: Path) -> None:
    outside = {other.partition(".")[0] for other in imports(path)} & KINDS - {name_of(path).partition(".")[0]}
    assert not outside or name_of(path) == SECTIONS, f"{name_of(path)} knows of {', '.join(outside)}"
