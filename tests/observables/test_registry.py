import subprocess
import sys
from pathlib import Path

from sbitune.generators import observables
from sbitune.generators.observables.framework import registry


def test_every_module_in_the_folder_of_a_machine_is_an_analysis():
    folder = Path(observables.__file__).parent
    modules = [path for machine in ("lep", "lhc") for path in (folder / machine).glob("*.py")]
    stems = sorted(path.stem.upper() for path in modules if path.stem != "__init__")
    assert list(observables.available()) == stems
    assert len(stems) == 10


def test_naming_analyses_imports_none_of_them():
    program = (
        "import sys; from sbitune.generators.observables import available; available();"
        "print([m for m in sys.modules if 'aleph' in m or 'atlas' in m or m in ('jax', 'pythia8mc', 'pyhepmc')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_compiling_beforehand_leaves_nothing_to_compile(lep_events, lhc_events):
    observables.compile_kernels()
    compiled = kernels()
    for names, batch in ((observables.available()[0:1], lep_events), (["ATLAS_2010_S8894728"], lhc_events)):
        run = observables.AnalysisRun(names)
        run.fill(batch)
    assert kernels() == compiled


def kernels() -> dict[str, int]:
    """Return how many versions of each kernel there are."""
    modules = [m for name, m in sys.modules.items() if name.startswith("sbitune.generators.observables.kernels.")]
    functions = [f for m in modules for f in vars(m).values() if hasattr(f, "nopython_signatures")]
    return {f"{f.__module__}.{f.__name__}": len(f.signatures) for f in functions}


def test_loading_twice_gives_the_same_analysis():
    assert registry.load("OPAL_1998_S3780481") is registry.load("OPAL_1998_S3780481")
