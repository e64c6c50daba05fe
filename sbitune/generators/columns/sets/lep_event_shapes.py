"""Event shapes and multiplicities of hadronic events in e+e- collisions."""

from collections.abc import Mapping

import numpy as np

from sbitune.data.events.events import Column
from sbitune.generators.columns.declaration import HADRONIC, ColumnInfo, EventColumns
from sbitune.generators.observables.framework.projections import Projections

#: shapes of all charged particles, attributes of a `Selection`
_SHAPES = {
    "thrust": "thrust T",
    "major": "thrust major M",
    "minor": "thrust minor m",
    "sphericity": "sphericity, 3/2 (l2 + l3) of the quadratic tensor",
    "aplanarity": "aplanarity, 3/2 l3 of the quadratic tensor",
    "c_parameter": "C, 3 (l1 l2 + l1 l3 + l2 l3) of the linear tensor",
    "d_parameter": "D, 27 l1 l2 l3 of the linear tensor",
}
#: of the two hemispheres of the thrust axis
_HEMISPHERES = {
    "heavy": ("heavy_mass", "squared mass of the heavier hemisphere over the squared visible energy"),
    "light": ("light_mass", "squared mass of the lighter hemisphere over the squared visible energy"),
    "wide": ("wide_broadening", "jet broadening of the wider hemisphere"),
    "narrow": ("narrow_broadening", "jet broadening of the narrower hemisphere"),
}
#: names of yields -> species, PDG codes
_SPECIES = {"n_pion": (211,), "n_kaon": (321,), "n_proton": (2212,), "n_lambda": (3122,), "n_pi0": (111,)}
_JETS = ("y23", "y34", "y45", "y56")


def _compute(events: Projections) -> Mapping[str, Column]:
    charged, hadrons = events.charged, events.unstable
    columns: dict[str, Column] = {name: getattr(charged, name) for name in _SHAPES}
    columns |= {name: getattr(charged.hemispheres, part) for part, (name, _) in _HEMISPHERES.items()}
    columns |= {name: charged.durham[:, k] for k, name in enumerate(_JETS)}
    columns["n_charged"] = charged.count
    columns["momentum_sum"] = np.bincount(charged.event, charged.p, minlength=len(events))
    for name, species in _SPECIES.items():
        columns[name] = np.bincount(hadrons.event[hadrons.of(*species)], minlength=len(events))
    columns["flavour"] = events.initial_flavour
    return columns


COLUMNS = EventColumns(
    name="LEP_EVENT_SHAPES",
    description="Event shapes of charged particles, jet resolutions and multiplicities in e+e- collisions",
    columns={
        **{name: ColumnInfo("", text) for name, text in _SHAPES.items()},
        **{name: ColumnInfo("", text) for name, text in _HEMISPHERES.values()},
        **{name: ColumnInfo("", f"{name} of the Durham algorithm, 0 with fewer particles") for name in _JETS},
        "n_charged": ColumnInfo("", "number of charged particles"),
        "momentum_sum": ColumnInfo("GeV", "sum of the momenta of charged particles"),
        **{
            name: ColumnInfo("", f"number of PDG codes +-{code}, decayed ones too")
            for name, (code,) in _SPECIES.items()
        },
        "flavour": ColumnInfo("", "PDG code of the primary quark, 0 if none is known"),
    },
    compute=_compute,
    beams=(11, -11),
    subset=HADRONIC,
)
