"""Events on disk, read as batches: NumPy archives with Pythia's record, and HepMC."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.storage.arrays import read_arrays
from sbitune.data.storage.layout import ArraySpec, check_arrays
from sbitune.data.text.names import list_names, misspelt, shorten
from sbitune.generators.batch import EventBatch
from sbitune.generators.hepmc.events import MOMENTA, Reading
from sbitune.generators.hepmc.files import open_hepmc
from sbitune.generators.hepmc.statedbeams import StatedBeams

if TYPE_CHECKING:
    from sbitune.generators.observables.framework.analysis import Analysis
    from sbitune.generators.observables.framework.finalise import YodaObject

#: arrays of an archive, one entry per particle record: EventBatch's name for each
_COLUMNS = {"id": "id", "m1": "mother1", "m2": "mother2", "d1": "daughter1", "d2": "daughter2"}
_LAYOUT = {
    **{name: ArraySpec(("n_records",), np.int32) for name in _COLUMNS},
    "sthep": ArraySpec(("n_records",), np.int32, needed=False),
    "st": ArraySpec(("n_records",), np.int32, needed=False),
    "p": ArraySpec(("n_records", 5), finite=False),  # what is not finite is named with its event
    "offsets": ArraySpec(("n_offsets",), np.int64),
    "weights": ArraySpec(("n_events",), finite=False, needed=False),
    "cross_section": ArraySpec((2,), low=0, needed=False),
}
#: status of a beam particle in HepMC
_BEAM = 4
logger = logging.getLogger(__name__)


class EventFile:
    """Stored events of one run.

    `.npz` holds arrays over all particle records: `id`, `sthep` (HepMC status) or `st` (Pythia's), `m1 m2 d1 d2`
    (mothers and daughters inside the event; entry 0 is the system), `p` (n, 5) = px, py, pz, E, m in GeV, `offsets`
    (n_events + 1,), and optionally `weights` (n_events,) and `cross_section` (value and error in pb).
    Anything with `.hepmc` in its name is read by pyhepmc, as are pipes and, as `-`, standard input; see `hepmc.events`
    for weights, cross-sections and beams.

    Args:
        path: the file.
        nominal: name of the weight to take from HepMC; None: the nominal one, by Rivet's rule.
        beams: what the beams were, whatever the file says; None: as the file says.

    Raises `InputError` with file and event for what cannot be read, numbers that are not finite, and events without
    two beams.
    """

    def __init__(self, path: str | Path, nominal: str | None = None, beams: StatedBeams | None = None):
        self.path = Path(path)
        is_stream = str(path) == "-" or (self.path.exists() and not self.path.is_file() and not self.path.is_dir())
        if not is_stream and not self.path.is_file():
            raise InputError(f"{self.path}: there is no such file")
        self._is_hepmc = is_stream or ".hepmc" in self.path.name
        if not self._is_hepmc and self.path.suffix != ".npz":
            raise InputError(f"{self.path}: events are read from .npz, .hepmc and .hepmc.gz")
        if nominal is not None and not self._is_hepmc:
            raise InputError(f"{self.path}: an archive has one weight of an event; --nominal-weight is for HepMC")
        self._nominal, self._beams = nominal, beams
        #: value and error in pb if the file has them; of HepMC those of the last event read
        self.cross_section: tuple[float, float] | None = None

    def batches(self, size: int = 1000, max_events: int | None = None) -> Iterator[EventBatch]:
        """Yield all events, or the first `max_events`, in batches of `size` at most."""
        reader = self._hepmc_batches if self._is_hepmc else self._archive_batches
        for batch in reader(size, np.inf if max_events is None else max_events):
            yield batch if self._beams is None else self._beams.put_into(batch)

    def _archive_batches(self, size: int, most: float) -> Iterator[EventBatch]:
        arrays = self._load_archive()
        offsets = arrays["offsets"]
        n_events = int(min(len(offsets) - 1, most))
        for first in range(0, n_events, size):
            last = min(first + size, n_events)
            entries = slice(offsets[first], offsets[last])
            columns = {name: arrays[name][entries] for name in (*_COLUMNS.values(), "status")}
            momenta = {name: np.ascontiguousarray(arrays["p"][entries, k]) for k, name in enumerate(MOMENTA)}
            weight = arrays["weights"][first:last]
            yield EventBatch(**columns, **momenta, offsets=offsets[first : last + 1] - offsets[first], weight=weight)

    def _load_archive(self) -> dict[str, np.ndarray]:
        """Return the arrays under EventBatch's names, with `p`, `offsets` and `weights`, all checked."""
        stored = read_arrays(self.path, "file of events")
        self._check_known(stored)
        offsets = check_arrays(str(self.path), stored, {"offsets": _LAYOUT["offsets"]})["offsets"]
        self._check_offsets(offsets, np.size(stored.get("id", 0)))
        found = check_arrays(str(self.path), stored, _LAYOUT, {"n_events": len(offsets) - 1})
        arrays: dict[str, Any] = {name: found[key] for key, name in _COLUMNS.items()}
        if "sthep" not in found and "st" not in found:
            raise InputError(f"{self.path}: neither 'sthep' (HepMC status) nor 'st' (Pythia's status) is there")
        arrays["status"] = found["sthep"] if "sthep" in found else found["st"]
        arrays |= {"p": found["p"], "weights": found.get("weights", np.ones(len(offsets) - 1)), "offsets": offsets}
        self._check_values(arrays)
        if "sthep" not in found:
            arrays["status"] = _status_from_pythia(arrays)
        self._check_beams(arrays)
        if "cross_section" in found:
            value, error = map(float, found["cross_section"])
            self.cross_section = value, error
        return arrays

    def _check_known(self, stored: dict[str, np.ndarray]) -> None:
        """Say which arrays are passed over; one that is misspelt is refused."""
        others = [name for name in stored if name not in _LAYOUT]
        absent = [name for name in _LAYOUT if name not in stored]
        if found := misspelt(others, absent):
            name, meant = found
            raise InputError(f"{self.path}: the array {shorten(name)!r} is unknown; call it {meant!r} if it is that")
        if others:
            logger.warning("%s: passed over: the arrays %s", self.path, list_names(others))

    def _check_offsets(self, offsets: np.ndarray, n: int) -> None:
        if len(offsets) < 1 or offsets[0] != 0 or offsets[-1] != n or (np.diff(offsets) < 0).any():
            raise InputError(f"{self.path}: 'offsets' must rise from 0 to the number of particle records, {n}")

    def _check_values(self, arrays: dict[str, np.ndarray]) -> None:
        offsets = arrays["offsets"]
        lengths = np.repeat(np.diff(offsets), np.diff(offsets))
        for name in ("mother1", "mother2", "daughter1", "daughter2"):
            outside = (arrays[name] < 0) | (arrays[name] >= lengths)
            if outside.any():
                raise InputError(
                    f"{self.path}: event {_event_of(outside, offsets)}: {name} points outside of the event"
                )
        bad = ~np.isfinite(arrays["p"]).all(axis=1)
        if bad.any():
            raise InputError(f"{self.path}: event {_event_of(bad, offsets)} has a momentum that is not finite")
        bad = ~np.isfinite(arrays["weights"])
        if bad.any():
            raise InputError(f"{self.path}: event {int(np.argmax(bad))} has a weight that is not finite")

    def _check_beams(self, arrays: dict[str, np.ndarray]) -> None:
        if self._beams is not None:
            return
        counted = np.diff(np.concatenate([[0], np.cumsum(arrays["status"] == _BEAM)])[arrays["offsets"]])
        if (counted != 2).any():
            at = int(np.argmax(counted != 2))
            raise InputError(
                f"{self.path}: event {at} has {counted[at]} particles of status 4 (beams), expected 2; say with "
                "--beams CODE CODE ENERGY which they were, --beams 11 -11 91.2 say"
            )

    def _hepmc_batches(self, size: int, most: float) -> Iterator[EventBatch]:
        reading = Reading(str(self.path), self._nominal, need_beams=self._beams is None)
        with open_hepmc(reading, size, most) as reader:
            for batch in reader.batches():
                self.cross_section = reader.cross_section
                yield batch


def analyse(
    events_paths: str | Path | Iterable[str | Path],
    names: Sequence["str | Analysis"],
    *,
    cross_section: tuple[float, float] | None = None,
    max_events: int | None = None,
    nominal_weight: str | None = None,
    beams: StatedBeams | None = None,
    keep: Callable[[EventBatch], None] | None = None,
) -> "list[YodaObject]":
    """Return finished and raw objects of the analyses `names` of all events in one or several files.

    Args:
        events_paths: Files of events (.npz, or .hepmc and .hepmc.gz with the extra `hepmc`) of one run; `-` is standard
            input.
        names: Names of analyses, see `observables.available()`.
        cross_section: Value and error in pb; without it that of the last file that has one, or 0.
        max_events: Stop after so many events in all.
        nominal_weight: Name of the weight of HepMC to take; None: the nominal one, by Rivet's rule.
        beams: What the beams were, whatever the files say; None: as they say.
        keep: Receives every batch of events, too; `names` may then be empty.

    Raises:
        InputError: A file is not what it should be or breaks off, an analysis does not exist or does not apply to the
            events, or the cross-section is no positive number.
    """
    from sbitune.generators.observables.framework.run import AnalysisRun

    if cross_section is not None and not (0 < cross_section[0] < np.inf and 0 <= cross_section[1] < np.inf):
        raise InputError(f"cross-section {cross_section[0]:g} +- {cross_section[1]:g} pb: it must be a positive number")
    if beams is not None:
        beams.check()
    paths = [events_paths] if isinstance(events_paths, str | Path) else list(events_paths)
    run, seen, found = AnalysisRun(names) if names or keep is None else None, 0, None
    for path in paths:
        events = EventFile(path, nominal_weight, beams)
        left, before = None if max_events is None else max_events - seen, seen
        if left == 0:
            break
        for batch in events.batches(max_events=left):
            if run is not None:
                run.fill(batch)
            if keep is not None:
                keep(batch)
            seen += len(batch)
        if seen == before:
            raise InputError(f"no events in {path}")
        found = events.cross_section or found
        if cross_section is None and events.cross_section is not None and min(events.cross_section) < 0:
            value, error = events.cross_section
            raise InputError(f"{path}: its cross-section is {value:g} +- {error:g} pb; state it with --cross-section")
    if seen == 0:
        raise InputError("no events in an empty list of files")
    return [] if run is None else run.finalize(cross_section or found or (0.0, 0.0))


def _status_from_pythia(arrays: dict[str, np.ndarray]) -> np.ndarray:
    from sbitune.generators.observables.kernels.particles import hepmc_status

    return hepmc_status(arrays["id"], arrays["status"], arrays["daughter1"], arrays["offsets"])


def _event_of(entries: Any, offsets: np.ndarray) -> int:
    """Return the number of the event of the first entry (n,) that is true."""
    return int(np.searchsorted(offsets, np.argmax(entries), side="right") - 1)
