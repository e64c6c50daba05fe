"""All hadrons of e+e- collisions, for networks of sets: where they fly in their event, and what they are."""

from collections.abc import Mapping

import numpy as np

from sbitune.data.events.events import Column
from sbitune.data.events.ragged import Ragged, offsets_of
from sbitune.generators.columns.declaration import HADRONIC, ColumnInfo, EventColumns
from sbitune.generators.observables.framework.projections import Projections
from sbitune.generators.observables.framework.selection import Selection
from sbitune.generators.observables.kernels import particles

#: the first PDG code of a hadron
_FIRST = 101
#: a hadron without momentum has no logarithm
_SLOWEST = 1e-6


def _compute(events: Projections) -> Mapping[str, Column]:
    b = events.batch
    position, event = particles.unstable(b.id, b.status, b.daughter1, b.daughter2, b.offsets)
    hadron = np.abs(b.id[position]) >= _FIRST
    position, event = position[hadron], event[hadron]
    offsets = offsets_of(np.bincount(event, minlength=len(events)))
    momenta = (getattr(b, name)[position] for name in ("px", "py", "pz", "e"))
    hadrons = Selection(momenta, offsets, events.weight, np.zeros(len(position)))
    axes = events.charged.thrust_axes[:, 0]
    scaled = np.maximum(hadrons.p / events.beam_momentum[event], _SLOWEST)
    found = {
        "hadron_xi": -np.log(scaled),
        "hadron_rapidity": hadrons.rapidity(axes),
        "hadron_pt": np.sqrt(np.maximum(hadrons.p**2 - hadrons.along(axes) ** 2, 0.0)),
        "hadron_mass": b.m[position],
        "hadron_strange": _strange(b.id[position]),
    }
    return {name: Ragged(column.astype(np.float32), offsets) for name, column in found.items()}


def _strange(pdg: np.ndarray) -> np.ndarray:
    """Strange quarks and antiquarks (n,) in the three digits of the PDG code that name them."""
    code = np.abs(pdg)
    return np.sum([code // 10**k % 10 == 3 for k in (1, 2, 3)], axis=0)


COLUMNS = EventColumns(
    name="LEP_HADRONS",
    description="All hadrons of e+e- collisions, decayed ones too, ragged columns",
    columns={
        "hadron_xi": ColumnInfo("", "ln(1/x_p), x_p the momentum over that of a beam"),
        "hadron_rapidity": ColumnInfo("", "absolute rapidity along the thrust axis of charged particles"),
        "hadron_pt": ColumnInfo("GeV", "momentum transverse to the thrust axis"),
        "hadron_mass": ColumnInfo("GeV", "mass"),
        "hadron_strange": ColumnInfo("", "strange quarks and antiquarks in it"),
    },
    compute=_compute,
    beams=(11, -11),
    subset=HADRONIC,
)
