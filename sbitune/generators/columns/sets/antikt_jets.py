"""Jets of e+e- collisions by the generalised kT algorithm with p = -1, the anti-kT algorithm on a sphere.

M. Cacciari, G. Salam, G. Soyez, FastJet user manual, arXiv:1111.6097, section 4.5: distances are
min(E_i^-2, E_j^-2) (1 - cos theta_ij) / (1 - cos R) between particles and E_i^-2 to the beam.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.events.events import Column
from sbitune.data.events.ragged import Ragged, offsets_of
from sbitune.generators.columns.declaration import HADRONIC, ColumnInfo, EventColumns
from sbitune.generators.observables.framework.projections import Projections
from sbitune.generators.observables.framework.selection import Selection
from sbitune.generators.pythia8.printed import caught_output

#: radius R of the jets, in radians
RADIUS = 0.8
#: GeV, below which a jet is left out: half of the particles would be jets of their own otherwise
LEAST_ENERGY = 5.0


def _compute(events: Projections) -> Mapping[str, Column]:
    jets, event, constituents = _cluster(events.visible)
    energy = jets["E"]
    kept = energy >= LEAST_ENERGY
    order = np.lexsort((-energy, event))
    order = order[kept[order]]
    momentum = np.stack([jets[name][order] for name in ("px", "py", "pz")])
    p = np.sqrt((momentum**2).sum(axis=0))
    axes = events.charged.thrust_axes[:, 0][event[order]]
    found = {
        "jet_e": energy[order],
        "jet_cosine": np.abs((momentum.T * axes).sum(axis=1)) / p,
        "jet_mass": np.sqrt(np.maximum(energy[order] ** 2 - p**2, 0.0)),
        "jet_n": constituents[order],
    }
    offsets = offsets_of(np.bincount(event[order], minlength=len(events)))
    columns: dict[str, Column] = {name: Ragged(c.astype(np.float32), offsets) for name, c in found.items()}
    return {"n_jets": np.diff(offsets)} | columns


def _cluster(particles: Selection) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Four-momenta of jets by the name of the component (n_jets,), their events and numbers of particles (n_jets,)."""
    fastjet, awkward = _import_fastjet()
    components = {"px": particles.px, "py": particles.py, "pz": particles.pz, "E": particles.e}
    contents = [awkward.contents.NumpyArray(np.ascontiguousarray(part)) for part in components.values()]
    records = awkward.contents.RecordArray(contents, list(components))
    offsets = awkward.index.Index64(np.asarray(particles.offsets, np.int64))
    array = awkward.Array(awkward.contents.ListOffsetArray(offsets, records))
    definition = fastjet.JetDefinition(fastjet.ee_genkt_algorithm, RADIUS, -1.0)
    with caught_output():  # the first prints who wrote it, which has no place in what a command prints as JSON
        clusters = fastjet.ClusterSequence(array, definition)
        jets, members = clusters.inclusive_jets(min_pt=0.0), clusters.constituent_index(min_pt=0.0)
    event = np.repeat(np.arange(len(particles.count)), awkward.to_numpy(awkward.num(jets.px)))
    flat: dict[str, Any] = {name: awkward.to_numpy(awkward.flatten(jets[name])) for name in components}
    return flat, event, awkward.to_numpy(awkward.flatten(awkward.num(members, axis=2)))


def _import_fastjet() -> tuple[Any, Any]:
    try:
        import awkward
        import fastjet  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise InputError('ANTIKT_JETS needs fastjet: pip install "sbitune[jets]"', code="jets-absent") from error
    return fastjet, awkward


COLUMNS = EventColumns(
    name="ANTIKT_JETS",
    description=f"Anti-kT jets of visible particles in e+e- collisions, R = {RADIUS:g}, above {LEAST_ENERGY:g} GeV, "
    "hardest first (needs sbitune[jets])",
    columns={
        "n_jets": ColumnInfo("", "number of jets"),
        "jet_e": ColumnInfo("GeV", "energy of each jet"),
        "jet_cosine": ColumnInfo("", "absolute cosine of its angle to the thrust axis of charged particles"),
        "jet_mass": ColumnInfo("GeV", "its mass"),
        "jet_n": ColumnInfo("", "number of its particles"),
    },
    compute=_compute,
    beams=(11, -11),
    subset=HADRONIC,
)
