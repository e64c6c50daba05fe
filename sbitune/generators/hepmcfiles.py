"""HepMC files, read by pyhepmc: events as flat records. A file that breaks off is not taken for a whole one."""

import bz2
import gzip
import lzma
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sbitune.data.errors import InputError
from sbitune.generators.batch import EventBatch

MOMENTA = ("px", "py", "pz", "e", "m")
_NOMINAL_WEIGHTS = ("", "weight", "0", "default", "nominal")
_OPEN = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
#: begins the first and the last line of HepMC's own formats; HEPEVT, which pyhepmc reads as well, has no such lines
_MARK, _END = b"HepMC::", b"END_EVENT_LISTING"


class HepmcEvent(NamedTuple):
    """One event."""

    record: dict[str, np.ndarray]  #: EventBatch's columns, (n_particles + 1,), and `weight` (1,)
    cross_section: tuple[float, float] | None  #: value and error in pb, if the event has them


def read_events(path: Path, most: float = np.inf) -> Iterator[HepmcEvent]:
    """Read events one by one, `most` of them.

    Raises:
        InputError: pyhepmc is not installed; an event cannot be read or has a momentum that is not finite; or, unless
            `most` events were found before its end, the file breaks off.
    """
    try:
        import pyhepmc
    except ImportError as error:
        raise InputError(f'{path}: reading HepMC needs pyhepmc: pip install "sbitune[hepmc]"') from error
    number, level = 0, pyhepmc.Setup.debug_level
    try:
        pyhepmc.Setup.debug_level = 0  # else the line that cannot be read is printed on the C standard output
        with pyhepmc.open(str(path)) as events:
            while number < most and (event := events.read()) is not None:
                yield _read(event, path, number)
                number += 1
    finally:
        pyhepmc.Setup.debug_level = level
    if number < most:
        _check_whole(path, number)


def join(records: Sequence[dict[str, np.ndarray]]) -> EventBatch:
    """Make a batch of the records of events."""
    columns = {name: np.concatenate([record[name] for record in records]) for name in records[0]}
    integers = ("id", "status", "mother1", "mother2", "daughter1", "daughter2")
    columns |= {name: columns[name].astype(np.int32) for name in integers}
    offsets = np.concatenate([[0], np.cumsum([len(record["id"]) for record in records])]).astype(np.int64)
    return EventBatch(**columns, offsets=offsets)


def _check_whole(path: Path, events: int) -> None:
    """Compare the events that were read with the lines of the file: pyhepmc ends in silence where it cannot go on."""
    begun, marked, last = 0, False, b""
    try:
        with _OPEN.get(path.suffix, open)(path, "rb") as lines:
            for line in lines:
                begun += line.startswith(b"E ")
                marked = marked or line.startswith(_MARK)
                last = line if line.strip() else last
    except (EOFError, OSError, zlib.error, lzma.LZMAError):  # compressed, and cut in the middle of a block
        marked, last = True, b""
    if not marked or (begun == events and _END in last):
        return
    remedy = "make or copy the file again"
    if events:
        remedy += f", or take the events before alone: --max-events {events}"
    if _END in last:
        raise InputError(
            f"{path}: event {events} (the first is 0) of {begun} cannot be read, or has no particle; {remedy}"
        )
    good = f"the last whole event is {events - 1} (the first is 0)" if events else "no event in it is whole"
    raise InputError(f"{path}: the file is cut short, it does not end with {_END.decode()}: {good}; {remedy}")


def _read(event: Any, path: Path, number: int) -> HepmcEvent:
    particles = event.numpy.particles
    scale = 1e-3 if event.momentum_unit.name == "MEV" else 1.0
    momenta = [getattr(particles, name) * scale for name in ("px", "py", "pz", "e", "generated_mass")]
    if not all(np.isfinite(column).all() for column in momenta):
        raise InputError(f"{path}: event {number} has a momentum that is not finite")
    order, links = _links(event, len(momenta[0]))
    beams = np.asarray(particles.status) == 4
    system = [column[beams].sum() for column in momenta]
    record = {name: np.append(s, column[order]) for name, column, s in zip(MOMENTA, momenta, system, strict=True)}
    record["id"] = np.append(90, np.asarray(particles.pid)[order])
    record["status"] = np.append(11, np.asarray(particles.status)[order])
    record |= links | {"weight": np.array([_nominal_weight(event)])}
    section = event.cross_section
    if section is None or not section.is_valid:
        return HepmcEvent(record, None)
    return HepmcEvent(record, (float(section.xsec()), float(section.xsec_err())))


def _links(event: Any, n: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return an order (n,) of the particles and mothers and daughters (n + 1,) in it, entry 0 being the system.

    Children of a vertex stand together, as in Pythia's record, so that first and last one tell them all.
    """
    vertices = [([p.id - 1 for p in v.particles_in], [p.id - 1 for p in v.particles_out]) for v in event.vertices]
    made = [child for _, children in vertices for child in children]
    without_vertex = np.setdiff1d(np.arange(n), made)
    order = np.concatenate([without_vertex, np.array(made, int)]).astype(int)
    place = np.empty(n, int)
    place[order] = np.arange(1, n + 1)
    links = {name: np.zeros(n + 1, int) for name in ("mother1", "mother2", "daughter1", "daughter2")}
    for parents, children in vertices:
        for child in children:
            links["mother1"][place[child]] = place[parents[0]] if parents else 0
            links["mother2"][place[child]] = place[parents[-1]] if len(parents) > 1 else 0
        for parent in parents if children else ():
            links["daughter1"][place[parent]] = place[children[0]]
            links["daughter2"][place[parent]] = place[children[-1]]
    return order, links


def _nominal_weight(event: Any) -> float:
    """Return the weight of the nominal name, or the first one; 1 for an event without weights."""
    if not event.weights:
        return 1.0
    try:
        names = [name.lower() for name in event.weight_names]
    except RuntimeError:  # a file without names
        names = []
    for nominal in _NOMINAL_WEIGHTS:
        if nominal in names:
            return float(event.weights[names.index(nominal)])
    return float(event.weights[0])
