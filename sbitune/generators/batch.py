"""A batch of generated events as flat arrays: what the generator gives and the observables read."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np


@dataclass(frozen=True, eq=False)
class EventBatch:
    """Events of one process as flat arrays over all particle records; momenta and masses in GeV.

    Indices of mothers and daughters count inside the event, as in Pythia's record: entry 0 is the whole system.
    """

    id: np.ndarray  #: (n,) int32 PDG codes
    status: np.ndarray  #: (n,) int32 HepMC status: 1 final, 2 decayed hadron/tau/mu, 4 beam, others internal
    mother1: np.ndarray  #: (n,) int32 first mother, 0: none
    mother2: np.ndarray  #: (n,) int32 last mother, 0: none
    daughter1: np.ndarray  #: (n,) int32 first daughter, 0: none
    daughter2: np.ndarray  #: (n,) int32 last daughter, 0: none
    px: np.ndarray  #: (n,) float64 GeV
    py: np.ndarray  #: (n,) float64 GeV
    pz: np.ndarray  #: (n,) float64 GeV
    e: np.ndarray  #: (n,) float64 GeV
    m: np.ndarray  #: (n,) float64 GeV
    offsets: np.ndarray  #: (n_events + 1,) int64 where each event starts in the flat arrays
    weight: np.ndarray  #: (n_events,) float64
    #: weights of variations (n_events,) by their names, beside the nominal one; None: events have not all the same
    other_weights: Mapping[str, np.ndarray] | None = field(default_factory=dict, init=False)

    def __len__(self) -> int:
        """Return the number of events."""
        return len(self.offsets) - 1

    def varied(self, weights: Mapping[str, np.ndarray] | None) -> "EventBatch":
        """The batch with weights of variations (n_events,) by name."""
        batch = replace(self)
        object.__setattr__(batch, "other_weights", weights)
        return batch

    def content(self) -> list[bytes]:
        """The bytes of all arrays: equal for equal events only."""
        arrays = [array for array in vars(self).values() if isinstance(array, np.ndarray)]
        return [array.tobytes() for array in (*arrays, *(self.other_weights or {}).values())]
