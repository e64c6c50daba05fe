"""Events as pyhepmc gives them, made into flat records: weight, cross-section and beams by the rules of Rivet.

Used in a process of its own (`child`), as pyhepmc dies of some files.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.text.names import list_names, shorten
from sbitune.generators.hepmc.stream import END, Beam, HepmcText

MOMENTA = ("px", "py", "pz", "e", "m")
#: names of the nominal weight, in capitals, beside the empty one; the first in the order of the file counts (Rivet
#: 3.1.7, AnalysisHandler::setWeightNames)
_NOMINAL = ("WEIGHT", "0", "DEFAULT", "NOMINAL")
_BEAM, _DOCUMENTATION = 4, 3
_READERS = {b"HepMC::Asciiv3": "ReaderAscii", b"HepMC::IO_GenEvent": "ReaderAsciiHepMC2"}


class HepmcEvent(NamedTuple):
    """One event."""

    record: dict[str, np.ndarray]  #: EventBatch's columns, (n_particles + 1,), and `weight` (1,)
    cross_section: tuple[float, float] | None  #: value and error in pb of the nominal weight, if the event has them
    other_weights: dict[str, float]  #: by name, beside the nominal one; those without names by their number
    note: str = ""  #: what a user must know of the choice of the weight


class Reading(NamedTuple):
    """How events are read."""

    path: str  #: for messages
    nominal: str | None = None  #: name of the weight to take; None: by the rule
    need_beams: bool = True  #: whether an event must have two beam particles


def read_hepmc(text: HepmcText, reading: Reading, most: float = np.inf) -> Iterator[HepmcEvent]:
    """Read events one by one, `most` of them.

    Raises:
        InputError: with file and event, for one that cannot be read, has no beams or numbers that are not finite; or,
            unless `most` events were found before its end, the file breaks off.
    """
    import pyhepmc

    pyhepmc.Setup.debug_level = 0  # else the line that cannot be read is printed on the C standard output
    name = next((name for mark, name in _READERS.items() if mark in text.head), None)
    if name is None:
        name = "ReaderLHEF" if b"<LesHouchesEvents" in text.head else "ReaderHEPEVT"
    reader = getattr(pyhepmc.io, name)(pyhepmc.io.pyiostream(text, 1 << 16))
    number = 0
    while number < most:
        try:
            event = None if _is_faulty(text, number) else reader.read()
        except Exception as error:
            raise InputError(
                f"{reading.path}: event {number} (the first is 0) cannot be read: {shorten(str(error), 200)}; "
                f"correct it, make the file again{_events_before(number)}"
            ) from error
        if event is None or _is_faulty(text, number):
            break
        yield _read(event, text, reading, number)
        number += 1
    if number < most:
        text.drain()
        # the last event of a file that breaks off is faulty, too
        if text.fault is not None and (text.fault[0] < text.begun - 1 or (text.ended and not text.broken)):
            at, line, said = text.fault
            where = f"{reading.path}: event {number} (the first is 0)"
            where += f", line {line}" if at == number else f", before line {line}"
            raise InputError(f"{where} {said}; correct it, make the file again{_events_before(number)}")
        _check_whole(text, reading.path, number)


def _is_faulty(text: HepmcText, number: int) -> bool:
    return text.fault is not None and text.fault[0] <= number


def _events_before(number: int) -> str:
    return f", or take the events before alone: --max-events {number}" if number else ""


def _check_whole(text: HepmcText, path: str, events: int) -> None:
    """Compare the events that were read with the lines of the file: pyhepmc ends in silence where it cannot go on."""
    if not text.broken and (not text.marked or (text.begun == events and text.ended)):
        return
    remedy = f"make or copy the file again{_events_before(events)}"
    if text.ended and not text.broken:
        raise InputError(
            f"{path}: event {events} (the first is 0) of {text.begun} cannot be read, or has no particle; {remedy}"
        )
    good = f"the last whole event is {events - 1} (the first is 0)" if events else "no event in it is whole"
    raise InputError(f"{path}: the file is cut short, it does not end with {END.decode()}: {good}; {remedy}")


def _read(event: Any, text: HepmcText, reading: Reading, number: int) -> HepmcEvent:
    where = f"{reading.path}: event {number} (the first is 0)"
    particles = event.numpy.particles
    raw = [np.asarray(getattr(particles, name)) for name in ("px", "py", "pz", "e", "generated_mass")]
    if not all(np.isfinite(column).all() for column in raw):
        raise InputError(f"{where} has a momentum that is not finite")
    status, codes = np.array(particles.status), np.asarray(particles.pid)
    beams = _find_beams(event, raw, codes, status, text, number)
    if len(beams) != 2 and reading.need_beams:
        raise InputError(
            f"{where} has {len(beams)} particles of status 4 (beams), expected 2; say with --beams CODE CODE ENERGY "
            "which they were, --beams 11 -11 91.2 say"
        )
    status[status == _BEAM] = _DOCUMENTATION
    status[beams] = _BEAM
    scale = 1e-3 if event.momentum_unit.name == "MEV" else 1.0
    momenta = [column * scale for column in raw]
    order, links = _links(event, len(codes))
    system = [column[beams].sum() for column in momenta]
    record = {name: np.append(s, column[order]) for name, column, s in zip(MOMENTA, momenta, system, strict=True)}
    record["id"] = np.append(90, codes[order])
    record["status"] = np.append(11, status[order])
    names = _weight_names(event, where)
    at, weight, note = _nominal_weight(event, where, names, reading.nominal)
    record |= links | {"weight": np.array([weight])}
    spelt = names or [str(i) for i in range(len(event.weights))]
    others = {name: float(event.weights[i]) for i, name in enumerate(spelt) if i != at}
    return HepmcEvent(record, _cross_section(event, where, at), others, note)


def _find_beams(
    event: Any, momenta: list[np.ndarray], codes: np.ndarray, status: np.ndarray, text: HepmcText, number: int
) -> np.ndarray:
    """Which particles are the beams: two of them, or as many as have status 4.

    In HepMC 2 those that the E line names, else, as in Rivet, the first two that no vertex makes, if their status is 4
    or 3 (documentation): generators number intermediate states from 11 on. Else those of status 4; these come first in
    HepMC 3, which defines it.
    """
    named = text.beams_of(number)
    if named is not None:
        found = [_find_particle(momenta, codes, beam) for beam in named]
        if all(at is not None for at in found) and found[0] != found[1]:
            return np.array(found)
    beams = np.flatnonzero(status == _BEAM)
    if len(beams) == 2 and not text.is_hepmc2:
        return beams
    made = {particle.id - 1 for vertex in event.vertices for particle in vertex.particles_out}
    roots = [i for i in range(len(codes)) if i not in made][:2]
    if len(roots) == 2 and all(status[i] in (_BEAM, _DOCUMENTATION) for i in roots):
        return np.array(roots)
    return beams


def _find_particle(momenta: list[np.ndarray], codes: np.ndarray, beam: Beam) -> int | None:
    same = codes == beam.pid
    for column, value in zip(momenta, beam.momentum, strict=False):
        same &= column == value
    return int(np.argmax(same)) if same.any() else None


def _links(event: Any, n: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return an order (n,) of the particles and mothers and daughters (n + 1,) in it, entry 0 being the system.

    Children of a vertex stand together, as in Pythia's record, so that first and last one tell them all.
    """
    vertices = [([p.id for p in v.particles_in], [p.id for p in v.particles_out]) for v in event.vertices]
    made = [child for _, children in vertices for child in children]
    known = set(made)
    order = [particle for particle in range(1, n + 1) if particle not in known] + made
    place = [0] * (n + 1)
    for here, particle in enumerate(order, 1):
        place[particle] = here
    mother1, mother2, daughter1, daughter2 = ([0] * (n + 1) for _ in range(4))  # lists: one number at a time is set
    for parents, children in vertices:
        first, last = (place[parents[0]], place[parents[-1]] if len(parents) > 1 else 0) if parents else (0, 0)
        for child in children:
            here = place[child]
            mother1[here], mother2[here] = first, last
        if children:
            first, last = place[children[0]], place[children[-1]]
            for parent in parents:
                here = place[parent]
                daughter1[here], daughter2[here] = first, last
    links = {"mother1": mother1, "mother2": mother2, "daughter1": daughter1, "daughter2": daughter2}
    return np.array(order) - 1, {name: np.array(numbers) for name, numbers in links.items()}


def _weight_names(event: Any, where: str) -> tuple[str, ...]:
    """Names of the weights; none if the file has none."""
    try:
        names = tuple(event.weight_names)
    except RuntimeError:  # a file without names
        return ()
    if names and len(names) != len(event.weights):
        raise InputError(
            f"{where} has {len(event.weights)} weights and {len(names)} names of weights; correct the file"
        )
    return names


def _nominal_weight(event: Any, where: str, names: tuple[str, ...], wanted: str | None) -> tuple[int, float, str]:
    """Which weight is nominal, its value and a note; 1 for an event without weights."""
    weights = event.weights
    if wanted is None and len(weights) == 0:
        return 0, 1.0, ""
    at, note = choose_weight(names, wanted)
    if at is None:
        raise InputError(f"{where} has no weight {shorten(wanted or '')!r}; it has {list_names(names) or 'none'}")
    if not np.isfinite(weights[at]):
        raise InputError(f"{where} has a weight that is not finite: {weights[at]}")
    return at, float(weights[at]), note


@lru_cache(maxsize=16)
def choose_weight(names: tuple[str, ...], wanted: str | None) -> tuple[int | None, str]:
    """Which of the named weights is nominal: the `wanted`, else by Rivet's rule, else the first, as a note says.

    None if the wanted one is not there; 0 for weights without names.

    >>> choose_weight(("MUR0.5", "Default", "Weight"), None)[0], choose_weight(("MUR0.5", "MUR2"), "MUR2")[0]
    (1, 1)
    """
    if wanted is not None:
        return (names.index(wanted) if wanted in names else None), ""
    if not names or "" in names:
        return (names.index("") if names else 0), ""
    nominal = [i for i, name in enumerate(names) if name.upper() in _NOMINAL]
    if not nominal:
        return 0, f"no weight is nominal, of {list_names(names)}: the first is taken; choose with --nominal-weight NAME"
    several = f"of the weights {list_names(names)} the first nominal one is taken, {shorten(names[nominal[0]])}"
    return nominal[0], several if len(nominal) > 1 else ""


def _cross_section(event: Any, where: str, at: int) -> tuple[float, float] | None:
    """Value and error in pb that belong to a weight; one that stands alone is that of all."""
    section = event.cross_section
    if section is None or not section.is_valid:
        return None
    count = max(len(section.to_string().split()) // 2 - 1, 1)  # value, error, accepted and attempted events, others
    if count not in (1, max(len(event.weights), 1)):
        raise InputError(f"{where} has {count} cross-sections and {len(event.weights)} weights; correct the file")
    place = at if count > 1 else 0
    value, error = float(section.xsec(place)), float(section.xsec_err(place))
    if not (np.isfinite(value) and np.isfinite(error)):
        raise InputError(f"{where} has a cross-section that is not finite: {value} +- {error} pb")
    return value, error
