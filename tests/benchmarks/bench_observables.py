"""What the observables cost an event, beside its generation. Run: python tests/benchmarks/bench_observables.py

Microseconds of CPU time per event on one core, the best of several repetitions, on events of e+e- at the Z made by
Pythia in the same run (or the stored ones without Pythia).
"""

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from sbitune.generators.batch import EventBatch
from sbitune.generators.eventfiles import EventFile
from sbitune.generators.observables import AnalysisRun, available
from sbitune.generators.observables.framework.projections import Projections

DATA = Path(__file__).resolve().parents[1] / "data"
EVENTS, BATCH = 2000, 500
#: what the real Rivet 3.1.7 takes for 6 to 12 LEP analyses of HepMC text
RIVET = "2000-3000"
SETTINGS = (
    "Beams:idA = 11",
    "Beams:idB = -11",
    "Beams:eCM = 91.2",
    "PDF:lepton = off",
    "WeakSingleBoson:ffbar2gmZ = on",
    "23:onMode = off",
    "23:onIfAny = 1 2 3 4 5",
    "Print:quiet = on",
    "Random:setSeed = on",
    "Random:seed = 7",
)
#: projection: what it builds on, and the projection itself
PROJECTIONS: dict[str, tuple[Callable, Callable]] = {
    "final and charged particles": (lambda e: e, lambda e: (e.charged.p, e.charged.weight, e.final.p)),
    "hadrons by species": (lambda e: e, lambda e: e.unstable),
    "beams, initial quarks": (lambda e: e, lambda e: (e.energy, e.initial_flavour)),
    "thrust, charged": (lambda e: e.charged.p, lambda e: e.charged.thrust),
    "thrust, all": (lambda e: e.final.p, lambda e: e.final.thrust),
    "sphericity tensor, charged": (lambda e: e.charged, lambda e: e.charged.sphericity),
    "sphericity tensor, all": (lambda e: e.final, lambda e: e.final.sphericity),
    "C and D, charged and all": (
        lambda e: (e.charged.p, e.final.p),
        lambda e: (e.charged.c_parameter, e.final.c_parameter),
    ),
    "hemispheres, charged": (lambda e: e.charged.thrust, lambda e: e.charged.hemispheres),
    "hemispheres, all": (lambda e: e.final.thrust, lambda e: e.final.hemispheres),
    "Durham y, charged": (lambda e: e.charged, lambda e: e.charged.durham),
    "JADE y, charged": (lambda e: e.charged, lambda e: e.charged.jade),
    "Durham y, all": (lambda e: e.without_prompt_neutrinos, lambda e: e.without_prompt_neutrinos.durham),
    "JADE y, all": (lambda e: e.without_prompt_neutrinos, lambda e: e.without_prompt_neutrinos.jade),
    "Durham y, visible": (lambda e: e.without_prompt_neutrinos.durham, lambda e: e.visible_durham),
    "energy correlations": (lambda e: e.charged.p, lambda e: e.charged.energy_correlations()),
}


def best_time(prepare: Callable[[], Sequence], action: Callable, repetitions: int = 5) -> float:
    """Return the shortest CPU time (s) of `action` over all that `prepare` returns."""
    times = []
    for _ in range(repetitions):
        items = prepare()
        start = time.thread_time()
        for item in items:
            action(item)
        times.append(time.thread_time() - start)
    return min(times)


def generate() -> tuple[list[EventBatch], float]:
    """Return batches made by Pythia and the CPU time (s) of its `nextBatch`; stored events and nan without Pythia."""
    try:
        import pythia8mc
    except ImportError:
        return list(EventFile(DATA / "lep91_200.npz").batches()), np.nan
    from sbitune.generators.observables import hepmc_status

    pythia = pythia8mc.Pythia("", False)
    for setting in SETTINGS:
        pythia.readString(setting)
    pythia.init()
    batches, spent = [], 0.0
    for _ in range(EVENTS // BATCH):
        start = time.thread_time()
        made = pythia.nextBatch(BATCH)
        spent += time.thread_time() - start
        batches.append(_flat(made, hepmc_status))
    return batches, spent


def _flat(made, hepmc_status: Callable) -> EventBatch:
    import awkward as ak

    particles = made["prt"]
    offsets = np.asarray(np.concatenate([[0], np.cumsum(ak.num(particles["id"]))]), np.int64)
    entries = {name: np.asarray(ak.flatten(particles[name])) for name in ("id", "status", "m")}
    links = {name: np.asarray(ak.flatten(particles[name])) for name in _links(particles)}
    momenta = {name: np.asarray(ak.flatten(particles["p"][name])) for name in ("px", "py", "pz", "e")}
    codes, first = entries["id"].astype(np.int32), links["daughter1"].astype(np.int32)
    status = hepmc_status(codes, entries["status"].astype(np.int32), first, offsets)
    columns = {**links, **momenta, "id": codes, "status": status, "m": entries["m"]}
    return EventBatch(**columns, offsets=offsets, weight=np.ones(len(offsets) - 1))


def _links(particles) -> list[str]:
    return [name for name in particles.fields if name.startswith(("mother", "daughter"))]


def main() -> int:
    """Print the table."""
    batches, spent = generate()
    names = [name for name in available() if not name.startswith("ATLAS")]
    run = AnalysisRun(names)
    for batch in batches:
        run.fill(batch)
    n = sum(map(len, batches))

    def row(name: str, seconds: float) -> None:
        print(f"{name:44}{seconds / n * 1e6:10.1f}")

    print(f"{n} events of e+e- at 91.2 GeV{'':13}us/event")
    for name, (before, projection) in PROJECTIONS.items():
        row(name, best_time(lambda before=before: _prepared(batches, before), projection))
    for name in names:
        alone = AnalysisRun([name])
        row(f"{name}, alone", best_time(lambda: batches, alone.fill))
    total = best_time(lambda: batches, run.fill)
    row("all seven analyses together", total)
    row("Pythia: nextBatch", spent)
    print(f"{'the real Rivet 3.1.7, HepMC text':44}{RIVET:>10}")
    return 0


def _prepared(batches: list[EventBatch], before: Callable) -> list[Projections]:
    events = [Projections(batch) for batch in batches]
    for views in events:
        before(views)
    return events


if __name__ == "__main__":
    sys.exit(main())
