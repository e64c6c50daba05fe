"""Pythia 8: settings checked before the first event, refusals turned into one error, events as flat arrays.

Pythia's Python interface prints its refusals on the C standard output and returns False; some nonsense it accepts in
silence. Settings are therefore compared with its own tables first (`check_settings`), and what it prints is caught.
"""

import contextlib
import difflib
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from sbitune.data.errors import ComputationError, InputError
from sbitune.generators.batch import EventBatch
from sbitune.generators.observables.kernels.particles import hepmc_status

_FLAGS = {"true": True, "on": True, "yes": True, "ok": True, "1": True}
_FLAGS |= {"false": False, "off": False, "no": False, "0": False}
_ONMODES = {"on", "off", "true", "false", "0", "1", "2", "3"}
_PARTICLE = re.compile(r"^-?\d+:(?:\d+:)?(\w+)$")
#: properties of particles that are numbers
_NUMBERS = {"m0", "mwidth", "mmin", "mmax", "tau0", "bratio"}
#: events in one call of nextBatch: short enough for Ctrl-C and the time limit to be heard, long enough to be fast
BATCH = 200


class Setting(NamedTuple):
    """One line of Pythia's tables."""

    name: str
    kind: str  #: flag, mode, parm or other
    default: Any
    low: float | None  #: None: no limit
    high: float | None


def import_pythia() -> Any:
    """Import pythia8mc. Raises `InputError` telling how to install it."""
    try:
        import pythia8mc
    except ImportError as error:
        raise InputError('Pythia 8 is not installed; run: pip install "sbitune[pythia]"') from error
    return pythia8mc


class Catalogue:
    """Pythia's own tables of settings, with their defaults and ranges."""

    def __init__(self) -> None:
        self._pythia = import_pythia().Pythia("", False)
        self._settings = self._pythia.settings

    def read(self, line: str, where: str) -> None:
        """Let Pythia read a line. Raises `InputError` naming `where` with what it prints if it refuses."""
        with _caught_output() as printed:
            if not self._pythia.readString(line):
                raise InputError(f"{where}: Pythia refuses {line!r}: {_refusal(printed)}")

    def find(self, name: str, where: str) -> Setting:
        """Look a setting up by name, in any case. Raises `InputError` naming `where` and the nearest names."""
        key = name.lower()
        for kind, table in (("parm", "getParmMap"), ("mode", "getModeMap"), ("flag", "getFlagMap")):
            entry = dict(getattr(self._settings, table)(key)).get(key)
            if entry is not None:
                low = entry.valMin if getattr(entry, "hasMin", False) else None
                high = entry.valMax if getattr(entry, "hasMax", False) else None
                return Setting(entry.name, kind, entry.valDefault, low, high)
        for kind in ("Word", "FVec", "MVec", "PVec", "WVec"):
            if getattr(self._settings, f"is{kind}")(key):
                return Setting(name, "other", None, None, None)
        raise InputError(f"{where}: Pythia has no setting {name!r}{self._nearest(key)}")

    def beginning_with(self, start: str) -> list[Setting]:
        """All flags, modes and real numbers whose name begins so, in Pythia's order."""
        found = []
        for table in ("getFlagMap", "getModeMap", "getParmMap"):
            for key in dict(getattr(self._settings, table)(start.lower())):
                if key.startswith(start.lower()):
                    found.append(self.find(key, "ls"))
        return found

    def _nearest(self, key: str) -> str:
        group = key.split(":")[0]
        known = {}
        for table in ("getParmMap", "getModeMap", "getFlagMap"):
            for part in (group, group[:4]):
                known |= {k: entry.name for k, entry in dict(getattr(self._settings, table)(part)).items()}
        near = difflib.get_close_matches(key, known, n=3, cutoff=0.6)
        return f"; did you mean {', '.join(known[k] for k in near)}?" if near else ""


def check_settings(settings: Sequence[str], where: str = "generator.settings") -> None:
    """Check lines such as `Beams:eCM = 91.2` against Pythia's tables, before any event is made.

    Raises:
        InputError: naming the line, for an unknown name, a value of the wrong kind or outside Pythia's range.
    """
    catalogue = Catalogue()
    for number, line in enumerate(settings):
        name, value = split_setting(line, f"{where}[{number}]")
        particle = _PARTICLE.match(name)
        if particle:
            if particle[1].lower() == "onmode" and value.lower() not in _ONMODES:
                raise InputError(f"{where}[{number}]: {name} must be on, off or 0 to 3, not {value!r}")
            if particle[1].lower() in _NUMBERS and not _is_number(value):
                raise InputError(f"{where}[{number}]: {name} needs a number, not {value!r}")
        else:
            _check_value(catalogue.find(name, f"{where}[{number}]"), value, f"{where}[{number}]")
        catalogue.read(line, f"{where}[{number}]")


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False


def split_setting(line: str, where: str) -> tuple[str, str]:
    """Split `NAME = VALUE`. Raises `InputError` naming `where`."""
    name, sign, value = line.partition("=")
    if not sign or not name.strip() or not value.strip():
        raise InputError(f"{where}: expected 'NAME = VALUE', found {line!r}")
    return name.strip(), value.strip()


def _check_value(setting: Setting, value: str, where: str) -> None:
    if setting.kind == "flag" and value.lower() not in _FLAGS:
        raise InputError(f"{where}: {setting.name} is a flag; write on or off, not {value!r}")
    if setting.kind not in ("mode", "parm"):
        return
    try:
        number = int(value) if setting.kind == "mode" else float(value)
    except ValueError:
        kind = "a whole number" if setting.kind == "mode" else "a number"
        raise InputError(f"{where}: {setting.name} needs {kind}, not {value!r}") from None
    _check_range(setting, number, where)


def _check_range(setting: Setting, number: float, where: str) -> None:
    below = setting.low is not None and number < setting.low
    above = setting.high is not None and number > setting.high
    if below or above or not np.isfinite(number):
        low = "-inf" if setting.low is None else f"{setting.low:g}"
        high = "inf" if setting.high is None else f"{setting.high:g}"
        raise InputError(f"{where}: {setting.name} = {number:g} is outside Pythia's range [{low}, {high}]")


def check_ranges(ranges: Mapping[str, tuple[float, float]], settings: Sequence[str]) -> dict[str, float]:
    """Check parameter ranges against Pythia's and give each parameter's value before tuning.

    Raises:
        InputError: naming the card key, for an unknown parameter, one that is not a real number, or a bad range.
    """
    catalogue = Catalogue()
    given = dict(split_setting(line, "generator.settings") for line in settings)
    given = {name.lower(): value for name, value in given.items()}
    defaults = {}
    for name, (low, high) in ranges.items():
        where = f"parameters.{name}"
        setting = catalogue.find(name, where)
        if setting.kind != "parm":
            raise InputError(f"{where}: {setting.name} is a {setting.kind}, not a real number; it cannot be varied")
        _check_range(setting, low, f"{where}.low")
        _check_range(setting, high, f"{where}.high")
        if name.lower() in given:
            defaults[name] = float(given[name.lower()])
        else:
            defaults[name] = float(setting.default)
    return defaults


class PythiaRun:
    """One instance of Pythia at one point; a fresh one for every point, as settings derived in `init` stay behind."""

    def __init__(self, settings: Sequence[str], seed: int) -> None:
        lines = ["Print:quiet = on", *settings, "Random:setSeed = on", f"Random:seed = {seed}"]
        with _caught_output() as printed:
            self._pythia = import_pythia().Pythia("", False)
            for line in lines:
                if not self._pythia.readString(line):
                    raise ComputationError(f"Pythia refuses {line!r}: {_refusal(printed)}")
            if not self._pythia.init():
                raise ComputationError(f"Pythia cannot start with these settings: {_refusal(printed)}")

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

    def batches(self, events: int) -> Iterator[EventBatch]:
        """Make `events` events, a batch at a time. Raises `ComputationError` if Pythia cannot."""
        made, barren = 0, 0
        while made < events:
            with _caught_output() as printed:
                record = self._pythia.nextBatch(min(BATCH, events - made), "skip")
            batch = None if record is None else _flat(record)
            barren = 0 if batch is not None and len(batch) else barren + 1
            if barren > 10:
                raise ComputationError(f"Pythia makes no events with these settings: {_refusal(printed)}")
            if batch is not None and len(batch):
                made += len(batch)
                yield batch


def _flat(record: Any) -> EventBatch:
    """View an awkward record of `nextBatch` as flat arrays; nothing is copied but what must be contiguous."""
    particles = record.layout.content("prt")
    content = particles.content
    offsets = np.asarray(particles.offsets.data)

    def column(name: str) -> np.ndarray:
        return np.ascontiguousarray(content.content(name).data[: offsets[-1]])

    p = content.content("p")
    momentum = {name: np.ascontiguousarray(p.content(name).data[: offsets[-1]]) for name in ("px", "py", "pz", "e")}
    weights = record.layout.content("info").content("weights")
    weight = np.asarray(weights.content.data)[np.asarray(weights.starts.data)]
    id_, status, daughter1 = column("id"), column("status"), column("daughter1")
    return EventBatch(
        id=id_,
        status=hepmc_status(id_, status, daughter1, offsets),
        mother1=column("mother1"),
        mother2=column("mother2"),
        daughter1=daughter1,
        daughter2=column("daughter2"),
        m=column("m"),
        offsets=offsets.astype(np.int64),
        weight=weight.astype(float),
        **momentum,
    )


@contextlib.contextmanager
def _caught_output() -> Iterator[Any]:
    """Redirect the process's standard output, C++ included, into a file that is given."""
    sys.stdout.flush()
    with tempfile.TemporaryFile(mode="w+") as caught:
        saved = os.dup(1)
        os.dup2(caught.fileno(), 1)
        try:
            yield caught
        finally:
            sys.stdout.flush()
            os.dup2(saved, 1)
            os.close(saved)


def _refusal(printed: Any) -> str:
    printed.seek(0)
    lines = [line.strip() for line in printed.read().splitlines() if line.strip()]
    telling = [line for line in lines if re.search(r"PYTHIA (Error|Abort)|not found|not recogni|Error", line)] or lines
    text = " ".join(telling[:4])
    return re.sub(r"\s*PYTHIA (Error|Abort)[^:]*:?\s*", " ", text).strip() or "no reason was printed"
