"""Compiling the kernels before they are needed."""

import numpy as np

from sbitune.generators.batch import EventBatch
from sbitune.generators.observables.framework import registry
from sbitune.generators.observables.framework.run import AnalysisRun
from sbitune.generators.observables.kernels.particles import hepmc_status

#: final-state particles of the event that is analysed: code, px, py, pz (GeV)
_PARTICLES = (
    (211, 1.0, 2.0, 3.0),
    (-211, -1.0, 0.5, -3.0),
    (321, 0.2, -2.0, 1.0),
    (-321, 0.3, -0.6, -1.1),
    (12, 1, 0, 0),
)


def compile_kernels() -> None:
    """Run all analyses on one made-up event, so that every kernel is compiled and in the cache on disk.

    The first time it takes some 15 seconds, later a second or two. A program that is about to start many workers
    calls it once, lest each of them compiles for itself.
    """
    for name in registry.available():
        analysis = registry.load(name)
        energy = analysis.energies[-1].nominal
        batch = _event(analysis.beams, energy)
        run = AnalysisRun([analysis])
        run.fill(batch)
    hepmc_status(batch.id, batch.status, batch.daughter1, batch.offsets)


def _event(beams: tuple[int, int], energy: float) -> EventBatch:
    half = energy / 2
    rows = [(90, 0.0, 0.0, 0.0, energy), (beams[0], 0.0, 0.0, half, half), (beams[1], 0.0, 0.0, -half, half)]
    rows += [(code, x, y, z, np.sqrt(x * x + y * y + z * z + 0.1)) for code, x, y, z in _PARTICLES]
    columns = np.array(rows).T
    n = len(rows)
    none = {name: np.zeros(n, np.int32) for name in ("mother1", "mother2", "daughter1", "daughter2")}
    return EventBatch(
        id=columns[0].astype(np.int32),
        status=np.array([11, 4, 4] + [1] * (n - 3), np.int32),
        **none,
        **dict(zip(("px", "py", "pz", "e"), columns[1:], strict=True)),
        m=np.zeros(n),
        offsets=np.array([0, n], np.int64),
        weight=np.ones(1),
    )
