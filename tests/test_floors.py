"""The floors of the design: a module imports only from floors below its own."""

import ast
import graphlib
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import sbitune

ROOT = Path(sbitune.__file__).parent
#: package -> packages it may import from, beside its own
ALLOWED = {
    "data": set(),
    "generators": {"data"},
    "learning": {"data"},
    "fitting": {"data"},
    "workflow": {"data", "generators", "fitting"},
    "tuning": {"data", "generators", "learning", "fitting", "workflow"},
    "ratios": {"data", "generators", "learning", "fitting", "workflow"},
    "plots": {"data"},
    "report": {"data", "generators", "fitting", "workflow", "tuning", "ratios", "plots"},
    "cli": {"data", "generators", "learning", "fitting", "workflow", "tuning", "ratios", "plots", "report"},
}
#: third-party packages that stay on their floors
ONLY_IN = {
    "jax": {"learning", "fitting", "tuning", "ratios", "cli"},
    "flax": {"learning"},
    "optax": {"learning"},
    "matplotlib": {"plots"},
    "jinja2": {"report"},
    "click": {"cli"},
    "rich": {"cli"},
    "numba": {"generators"},
    "pythia8mc": {"generators"},
    "iminuit": {"fitting"},
    "numpyro": {"fitting"},
    "torch": {"fitting"},
    "sbi": {"fitting"},
    "sklearn": {"learning"},
    "h5py": {"data"},
    "pyarrow": {"data"},
    "uproot": {"data"},
    "pyhepmc": {"generators"},
    "distributed": {"generators"},
    "fastjet": {"generators"},
    # what is written for these is JSON: nothing imports them
    "pyhf": set(),
    "arviz": set(),
}
MODULES = sorted(ROOT.rglob("*.py"))


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_go_down(path):
    floor = path.relative_to(ROOT).parts[0]
    if floor in ("__init__.py", "__main__.py"):
        return
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "sbitune" and len(parts) > 1 and parts[1] in ALLOWED:
            assert parts[1] == floor or parts[1] in ALLOWED[floor], f"{floor} imports {name}"
        if parts[0] in ONLY_IN:
            assert floor in ONLY_IN[parts[0]], f"{floor} imports {name}"


def modules_of(path: Path) -> set[str]:
    """The modules of the package that a module imports, lazily or not."""
    known = {dotted(p) for p in MODULES}
    return {name for name in imports(path) if name in known} - {dotted(path)}


def dotted(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_there_are_no_circles():
    """No module imports itself by way of others: `graphlib` refuses an order for a circle, and names it."""
    graph = {}
    for path in MODULES:
        # `from package import module` names both: what is meant is the module
        found = modules_of(path)
        graph[dotted(path)] = {m for m in found if not any(other.startswith(f"{m}.") for other in found)}
    assert len(list(graphlib.TopologicalSorter(graph).static_order())) >= len(MODULES)


def test_rooms_are_on_floors_of_their_own():
    """Folders inside a folder do not import each other in a circle; what lies beside them may use them and serve
    them.
    """
    graphs: dict[str, dict[str, set[str]]] = {}
    for path in MODULES:
        for name in modules_of(path):
            ours, theirs = dotted(path).split("."), name.split(".")
            shared = next(i for i in range(len(ours) + 1) if ours[: i + 1] != theirs[: i + 1])
            if min(len(ours), len(theirs)) > shared + 1 and shared > 1:  # packages have `ALLOWED`
                rooms = graphs.setdefault(".".join(ours[:shared]), {})
                rooms.setdefault(ours[shared], set()).add(theirs[shared])
    assert len(graphs) > 5
    for rooms in graphs.values():
        graphlib.TopologicalSorter(rooms).prepare()


def test_no_folder_is_crowded():
    counts = Counter(str(path.parent.relative_to(ROOT)) for path in MODULES if path.name != "__init__.py")
    assert max(counts.values()) <= 15, counts.most_common(3)


def test_no_module_is_long():
    for path in MODULES:
        assert len(path.read_text().splitlines()) <= 350, path


def test_every_package_has_a_floor():
    packages = {p.name for p in ROOT.iterdir() if p.is_dir() and not p.name.startswith("__")}
    assert packages == set(ALLOWED)


def test_the_top_level_is_what_was_asked_for():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT.parent, capture_output=True, text=True).stdout.split()
    tops = {name.split("/")[0] for name in tracked if not name.startswith(".")}
    if tops:  # a checkout
        known = {"pyproject.toml", "sbitune", "tunes", "analyses", "tests", "notebooks", "README.md", "LICENSE"}
        assert tops - {"findings"} == known


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize(
    "module", ["sbitune.generators.campaigns.worker", "sbitune.generators.observables", "sbitune.data.yoda"]
)
def test_workers_and_readers_start_without_jax(module):
    heavy = "{'jax', 'matplotlib', 'iminuit', 'click', 'jinja2', 'scipy.stats'}"
    assert run(f"import {module}, sys; print({heavy} & set(sys.modules))") == "set()"


def test_yoda_needs_only_numpy():
    code = (
        "import sys, sbitune.data.yoda as y; print({m.split('.')[0] for m in sys.modules} & {'scipy', 'hist', 'h5py'})"
    )
    assert run(code) == "set()"


def test_tables_of_events_need_only_numpy():
    code = (
        "import sbitune.data.events, sys; print({m.split('.')[0] for m in sys.modules} & {'pyarrow', 'uproot', 'h5py'})"
    )
    assert run(code) == "set()"


def test_importing_everything_changes_no_global_state():
    code = (
        "import warnings, jax, matplotlib; w, b = list(warnings.filters), dict(matplotlib.rcParams);"
        "import sbitune.tuning.stages.pipeline, sbitune.report.tune.write;"
        "assert dict(matplotlib.rcParams) == b; assert not jax.config.jax_enable_x64;"
        "print('same')"
    )
    assert run(code) == "same"


def test_help_is_quick_to_import():
    heavy = "{'jax', 'numpy', 'matplotlib', 'numba', 'jinja2'}"
    assert run(f"import sbitune.cli.main, sys; print({heavy} & set(sys.modules))") == "set()"
