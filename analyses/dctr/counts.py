"""Twenty numbers of an event to which a network is compared: charged particles by momentum, and hadrons by species."""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np

from sbitune.generators.columns import ColumnInfo, EventColumns
from sbitune.generators.columns.declaration import HADRONIC

#: of x_p = |p| / p_beam, charged particles
EDGES = (0.0, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 2.0)
#: name -> PDG codes, antiparticles and decayed hadrons too
SPECIES = {
    "pion": (211,),
    "kaon": (321,),
    "kaon0": (130, 310),
    "proton": (2212,),
    "lambda": (3122,),
    "xi": (3312, 3322),
    "omega": (3334,),
    "phi": (333,),
    "rho": (113, 213),
    "kstar": (313, 323),
    "eta": (221, 331),
    "omega782": (223,),
    "sigma": (3112, 3212, 3222),
}


def compute(events) -> Mapping[str, np.ndarray]:
    """Counts (n_events,) by name."""
    charged, hadrons, n = events.charged, events.unstable, len(events)
    part = np.searchsorted(EDGES, events.scaled_momentum(), side="right") - 1
    found = {f"count_x{k}": np.bincount(charged.event[part == k], minlength=n) for k in range(len(EDGES) - 1)}
    for name, codes in SPECIES.items():
        found[f"count_{name}"] = np.bincount(hadrons.event[hadrons.of(*codes)], minlength=n)
    return {name: count.astype(np.int16) for name, count in found.items()}


COLUMNS = EventColumns(
    name="DCTR_COUNTS",
    description="Charged particles in bins of momentum, and hadrons by species",
    columns={
        **{
            f"count_x{k}": ColumnInfo("", f"charged particles with {low:g} <= x_p < {high:g}")
            for k, (low, high) in enumerate(pairwise(EDGES))
        },
        **{f"count_{name}": ColumnInfo("", f"PDG codes {codes}, decayed ones too") for name, codes in SPECIES.items()},
    },
    compute=compute,
    subset=HADRONIC,
)
