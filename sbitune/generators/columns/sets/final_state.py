"""Particles of the final state, for methods that look at all of them."""

from collections.abc import Mapping

from sbitune.data.events.events import Column
from sbitune.data.events.ragged import Ragged
from sbitune.generators.columns.declaration import ColumnInfo, EventColumns
from sbitune.generators.observables.framework.projections import Projections


def _compute(events: Projections) -> Mapping[str, Column]:
    particles = events.final
    numbers = {"px": particles.px, "py": particles.py, "pz": particles.pz, "e": particles.e, "charge": particles.charge}
    return {name: Ragged(numbers[name], particles.offsets) for name in COLUMNS.columns}


COLUMNS = EventColumns(
    name="FINAL_STATE",
    description="Momenta and charges of all final-state particles, ragged columns",
    columns={
        "px": ColumnInfo("GeV", "momentum along x"),
        "py": ColumnInfo("GeV", "momentum along y"),
        "pz": ColumnInfo("GeV", "momentum along z"),
        "e": ColumnInfo("GeV", "energy"),
        "charge": ColumnInfo("e/3", "three times the electric charge"),
    },
    compute=_compute,
)
