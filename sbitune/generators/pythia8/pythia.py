"""Pythia 8 at one point: refusals turned into one error, events as flat arrays.

What its settings may be is checked before the first event by `sbitune.generators.pythia8.catalogue`.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from sbitune.data.errors import ComputationError
from sbitune.generators.batch import EventBatch
from sbitune.generators.observables.kernels.particles import hepmc_status
from sbitune.generators.pythia8.printed import caught_output, import_pythia, refusal_in

#: events in one call of nextBatch, at most: many hide what a call costs (a sixth of the time with 200)
BATCH = 400
#: what follows a card's settings: no tables, but errors. `Print:quiet = on` would silence these, too, and with them the
#: reasons of a refusal
_SILENT = (
    "Print:quiet = off",
    "Print:errors = on",
    "Init:showProcesses = off",
    "Init:showMultipartonInteractions = off",
    "Init:showChangedSettings = off",
    "Init:showChangedParticleData = off",
    "Next:numberCount = 0",
    *(f"Next:numberShow{x} = 0" for x in ("LHA", "Info", "Process", "Event")),
)


class PythiaRun:
    """One instance of Pythia at one point; a fresh one for every point, as settings derived in `init` stay behind."""

    def __init__(self, settings: Sequence[str], seed: int) -> None:
        """Read the settings and start. Raises `ComputationError` with Pythia's reason if it refuses."""
        lines = [*settings, *_SILENT, "Random:setSeed = on", f"Random:seed = {seed}"]
        with caught_output() as printed:
            self._pythia: Any = import_pythia().Pythia("", False)
            for line in lines:
                if not self._pythia.readString(line):
                    raise ComputationError(f"Pythia refuses {line!r}: {refusal_in(printed)}")
            if not self._pythia.init():
                raise ComputationError(f"Pythia cannot start with these settings: {refusal_in(printed)}")

    @property
    def energy(self) -> float:
        """Centre-of-mass energy in GeV."""
        return float(self._pythia.infoPython().eCM())

    @property
    def beams(self) -> tuple[int, int]:
        """PDG codes of the beams."""
        info = self._pythia.infoPython()
        return int(info.idA()), int(info.idB())

    def cross_section(self) -> tuple[float, float]:
        """Cross-section of the events so far and its error, in pb."""
        info = self._pythia.infoPython()
        return 1e9 * info.sigmaGen(), 1e9 * info.sigmaErr()

    def _weight_names(self) -> list[str]:
        """Names of the weights of every event, the nominal one first."""
        info = self._pythia.infoPython()
        return distinct([str(info.weightNameByIndex(i)) for i in range(max(1, info.numberOfWeights()))])

    def batches(self, events: int, size: int = BATCH) -> Iterator[EventBatch]:
        """Make `events` events, `size` at a time. Raises `ComputationError` if Pythia cannot."""
        made, barren, reason = 0, 0, ""
        while made < events:
            with caught_output() as printed:
                record = self._pythia.nextBatch(min(size, events - made), "skip")
                if record is None or not len(record):
                    barren += 1
                    reason = reason or refusal_in(printed)  # of the first: Pythia says a thing once
            if barren > 10:
                raise ComputationError(f"Pythia makes no events with these settings: {reason}")
            if record is not None and len(record):
                barren = 0
                batch = _flat(record, self._weight_names())
                made += len(batch)
                yield batch


def _flat(record: Any, weight_names: Sequence[str]) -> EventBatch:
    """View an awkward record of `nextBatch` as flat arrays; nothing is copied but what must be contiguous. The first
    weight is the nominal one.
    """
    particles = record.layout.content("prt")
    content = particles.content
    offsets = np.asarray(particles.offsets.data)

    def column(name: str) -> np.ndarray:
        return np.ascontiguousarray(content.content(name).data[: offsets[-1]])

    p = content.content("p")
    momentum = {name: np.ascontiguousarray(p.content(name).data[: offsets[-1]]) for name in ("px", "py", "pz", "e")}
    weights = record.layout.content("info").content("weights")
    starts, content_of_weights = np.asarray(weights.starts.data), np.asarray(weights.content.data)
    whole = (np.asarray(weights.stops.data) - starts == len(weight_names)).all()
    by_number = [content_of_weights[starts + i].astype(float) for i in range(len(weight_names) if whole else 1)]
    id_, status, daughter1 = column("id"), column("status"), column("daughter1")
    batch = EventBatch(
        id=id_,
        status=hepmc_status(id_, status, daughter1, offsets),
        mother1=column("mother1"),
        mother2=column("mother2"),
        daughter1=daughter1,
        daughter2=column("daughter2"),
        m=column("m"),
        offsets=offsets.astype(np.int64),
        weight=by_number[0],
        **momentum,
    )
    return batch.varied(dict(zip(weight_names[1:], by_number[1:], strict=True)) if whole else None)


def distinct(names: Sequence[str]) -> list[str]:
    """Names, those that are there again with a number.

    >>> distinct(["Weight", "low", "low"])
    ['Weight', 'low', 'low#2']
    """
    seen: Counter[str] = Counter()
    spelt = []
    for name in names:
        seen[name] += 1
        spelt.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return spelt
