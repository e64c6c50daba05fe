"""What the analyses look at in a batch of events, computed once and shared between them."""

from functools import cached_property

import numpy as np

from sbitune.generators.batch import EventBatch
from sbitune.generators.observables.framework.selection import Selection
from sbitune.generators.observables.kernels import particles

_NEUTRINOS = (12, 14, 16)


class Unstable:
    """All hadrons and leptons of a batch, decayed or final, sorted by species."""

    def __init__(self, code, event, p, e, weight):
        order = np.argsort(code, kind="stable")
        self._code = code[order]
        self.event = event[order]  #: (n,) event number
        self.p = p[order]  #: (n,) GeV
        self.e = e[order]  #: (n,) GeV
        self.weight = weight[self.event]  #: (n,) event weight

    def of(self, *codes: int) -> np.ndarray:
        """Return the positions (k,) of the particles and antiparticles of these species."""
        ranges = []
        for code in codes:
            first, last = np.searchsorted(self._code, (code, code + 1))
            ranges.append(np.arange(first, last))
        return ranges[0] if len(ranges) == 1 else np.concatenate(ranges)


class Projections:
    """Lazy views of one batch; each is computed when the first analysis asks for it."""

    def __init__(self, batch: EventBatch):
        self.batch = _uniform(batch)
        self.weight = self.batch.weight  #: (n_events,)

    def __len__(self) -> int:
        """Return the number of events."""
        return len(self.batch)

    @cached_property
    def _final(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return particles.final_state(self.batch.id, self.batch.status, self.batch.offsets)

    @cached_property
    def final(self) -> Selection:
        """All final-state particles."""
        position, charge, offsets = self._final
        momenta = (getattr(self.batch, name)[position] for name in ("px", "py", "pz", "e"))
        return Selection(momenta, offsets, self.weight, charge)

    @cached_property
    def charged(self) -> Selection:
        """Charged final-state particles."""
        return self.final.where(self.final.charge != 0)

    @cached_property
    def visible(self) -> Selection:
        """Final-state particles other than neutrinos."""
        code = np.abs(self.batch.id[self._final[0]])
        neutrino = (code == _NEUTRINOS[0]) | (code == _NEUTRINOS[1]) | (code == _NEUTRINOS[2])
        return self.final.where(~neutrino)

    @cached_property
    def visible_durham(self) -> np.ndarray:
        """y23, y34, y45, y56 of the Durham algorithm for the visible particles (n_events, 4)."""
        # three events in four have no neutrinos: their clustering is the one with neutrinos, which others need too
        scales = self.without_prompt_neutrinos.durham.copy()
        differs = self.visible.count != self.without_prompt_neutrinos.count
        scales[differs] = self.visible.of_events(differs).durham
        return scales

    @cached_property
    def without_prompt_neutrinos(self) -> Selection:
        """Final-state particles; of the neutrinos only those from decays of hadrons, muons and taus."""
        position, _, bounds = self._final
        batch = self.batch
        prompt = particles.prompt_neutrinos(position, batch.id, batch.status, batch.mother1, batch.offsets, bounds)
        return self.final.where(~prompt) if prompt.any() else self.final

    @cached_property
    def unstable(self) -> Unstable:
        """Every hadron and lepton, final or decayed; of repeated entries the last."""
        b = self.batch
        position, event = particles.unstable(b.id, b.status, b.daughter1, b.daughter2, b.offsets)
        p = np.sqrt(b.px[position] ** 2 + b.py[position] ** 2 + b.pz[position] ** 2)
        return Unstable(np.abs(b.id[position]), event, p, b.e[position], self.weight)

    @cached_property
    def initial_flavour(self) -> np.ndarray:
        """Flavour of the quarks that e+e- made (n_events,): 1 to 5, 0 for none."""
        b = self.batch
        return particles.initial_flavour(b.id, b.mother1, b.mother2, b.offsets)

    @cached_property
    def _beams(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        b = self.batch
        return particles.beams(b.id, b.status, b.px, b.py, b.pz, b.e, b.offsets)

    @property
    def beam_codes(self) -> np.ndarray:
        """PDG codes of the two beam particles (n_events, 2), 0 where there are not two."""
        return self._beams[0]

    @cached_property
    def beam_momentum(self) -> np.ndarray:
        """Mean momentum of the two beam particles (n_events,), GeV."""
        return self._beams[1].mean(axis=1)

    @property
    def energy(self) -> np.ndarray:
        """Centre-of-mass energy of the beams (n_events,), GeV."""
        return self._beams[2]

    def scaled_momentum(self) -> np.ndarray:
        """Return x_p = |p| / p_beam of the charged particles (n,)."""
        return self.charged.p / self.beam_momentum[self.charged.event]

    @cached_property
    def hadronic(self) -> "Projections":
        """The events with at least two charged particles, which all analyses of LEP ask for."""
        keep = self.charged.count >= 2
        return self if keep.all() else Projections(select_events(self.batch, keep))


#: columns of an EventBatch and the types that kernels are compiled for; views and other types would compile anew
_TYPES = dict.fromkeys(("id", "status", "mother1", "mother2", "daughter1", "daughter2"), np.int32)
_TYPES |= dict.fromkeys(("px", "py", "pz", "e", "m", "weight"), np.float64) | {"offsets": np.int64}


def _uniform(batch: EventBatch) -> EventBatch:
    columns = {name: np.require(getattr(batch, name), type_, ["C", "W", "A"]) for name, type_ in _TYPES.items()}
    return EventBatch(**columns)


def select_events(batch: EventBatch, keep: np.ndarray) -> EventBatch:
    """Return the events for which `keep` (n_events,) is true."""
    counts = np.diff(batch.offsets)
    entries = np.repeat(keep, counts)
    columns = ("id", "status", "mother1", "mother2", "daughter1", "daughter2", "px", "py", "pz", "e", "m")
    offsets = np.concatenate(([0], np.cumsum(counts[keep]))).astype(np.int64)
    return EventBatch(
        **{name: getattr(batch, name)[entries] for name in columns},
        offsets=offsets,
        weight=batch.weight[keep],
    )
