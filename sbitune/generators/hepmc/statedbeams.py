"""Beams that a user states, in place of those of the events."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from sbitune.data.errors import InputError
from sbitune.generators.batch import EventBatch

_BEAM, _DOCUMENTATION = 4, 3
#: in GeV; what is not here is light beside the energy of any beam
_MASSES = {11: 0.000511, 13: 0.10566, 2212: 0.93827, 2112: 0.93957}


class StatedBeams(NamedTuple):
    """Two beams of equal momentum along the z axis."""

    codes: tuple[int, int]  #: PDG
    energy: float  #: of both together in GeV

    def check(self) -> None:
        """Raise `InputError` unless these are two particles with energy enough for their masses."""
        masses = self._masses()
        if 0 in self.codes or not np.isfinite(self.energy) or self.energy <= masses.sum():
            raise InputError(
                f"beams {self.codes[0]} {self.codes[1]} {self.energy:g}: expected two PDG codes and the energy of both "
                f"together in GeV, more than {masses.sum():g}, as in 11 -11 91.2"
            )

    def put_into(self, batch: EventBatch) -> EventBatch:
        """The batch with these two as the beams of every event, at its end; beams that it has are so no longer."""
        n, ends = len(batch), batch.offsets[1:]
        at = np.repeat(ends, 2)
        first, second = self._masses()
        p2 = ((self.energy**2 - first**2 - second**2) ** 2 - 4 * first**2 * second**2) / (4 * self.energy**2)
        columns = {
            "id": np.tile(self.codes, n),
            "pz": np.tile([np.sqrt(p2), -np.sqrt(p2)], n),
            "e": np.tile([np.sqrt(p2 + first**2), np.sqrt(p2 + second**2)], n),
            "m": np.tile([first, second], n),
            "status": np.full(2 * n, _BEAM),
        }
        others = ("offsets", "weight", "other_weights")
        old = {name: array for name, array in vars(batch).items() if name not in others}
        old["status"] = np.where(batch.status == _BEAM, _DOCUMENTATION, batch.status).astype(batch.status.dtype)
        new = {name: np.insert(array, at, columns.get(name, 0)) for name, array in old.items()}
        offsets = batch.offsets + 2 * np.arange(n + 1)
        return replace(batch, **new, offsets=offsets).varied(batch.other_weights)

    def _masses(self) -> np.ndarray:
        return np.array([_MASSES.get(abs(code), 0.0) for code in self.codes])
