"""Pythia's own tables: settings and parameter ranges are compared with them before the first event.

Pythia's Python interface prints its refusals on the C standard output and returns False; some nonsense it accepts in
silence.
"""

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from sbitune.data.errors import InputError
from sbitune.generators.config import Place, spell_key
from sbitune.generators.printed import caught_output, import_pythia, refusal_in

_FLAGS = {"true": True, "on": True, "yes": True, "ok": True, "1": True}
_FLAGS |= {"false": False, "off": False, "no": False, "0": False}
_ONMODES = {"on", "off", "true", "false", "0", "1", "2", "3"}
_PARTICLE = re.compile(r"^-?\d+:(?:\d+:)?(\w+)$")
#: settings that every run is given its own value of
_OF_RUNS = {"random:seed", "random:setseed"}
#: properties of particles that are lists of codes of particles
_CODES = re.compile(r"(?:on|off)(?:Pos|Neg)?If(?:Any|All|Match)", re.IGNORECASE)
#: properties of particles that are numbers
_NUMBERS = {"m0", "mwidth", "mmin", "mmax", "tau0", "bratio", "rescalebr"}
_WHOLE = {"spintype", "chargetype", "coltype", "memode"}
_SWITCHES = {"isresonance", "maydecay", "taucalc", "doexternaldecay", "varwidth", "isvisible", "doforcewidth"}
#: files that Pythia takes although they belong to other values of the parameters
_OF_ANOTHER_RUN = {"multipartoninteractions:reuseinit", "multipartoninteractions:initfile"}


class Setting(NamedTuple):
    """One line of Pythia's tables."""

    name: str
    kind: str  #: flag, mode, parm or other
    default: Any
    low: float | None  #: None: no limit
    high: float | None
    now: Any = None  #: value after the lines that were read


class Beams(NamedTuple):
    """What collides."""

    codes: tuple[int, int]  #: PDG codes
    energy: float  #: centre-of-mass energy in GeV


class Catalogue:
    """Pythia's own tables of settings, with their defaults, ranges and values after the lines that were read."""

    def __init__(self) -> None:
        self._pythia = import_pythia().Pythia("", False)
        self._settings = self._pythia.settings

    def read(self, line: str, where: str) -> None:
        """Let Pythia read a line. Raises `InputError` naming `where` with what it prints if it refuses."""
        with caught_output() as printed:
            if not self._pythia.readString(line):
                raise InputError(f"{where}: Pythia refuses {line!r}: {refusal_in(printed)}")

    def find(self, name: str, where: str) -> Setting:
        """Look a setting up by name, in any case. Raises `InputError` naming `where` and the nearest names."""
        key = name.lower()
        for kind, table in (("parm", "getParmMap"), ("mode", "getModeMap"), ("flag", "getFlagMap")):
            entry = dict(getattr(self._settings, table)(key)).get(key)
            if entry is not None:
                low = entry.valMin if getattr(entry, "hasMin", False) else None
                high = entry.valMax if getattr(entry, "hasMax", False) else None
                return Setting(entry.name, kind, entry.valDefault, low, high, entry.valNow)
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

    def beams(self) -> Beams | None:
        """What the settings collide; None where a file of events decides (`Beams:frameType` 4 and 5)."""
        frame = self._settings.mode("Beams:frameType")
        codes = (self._settings.mode("Beams:idA"), self._settings.mode("Beams:idB"))
        if frame == 1:
            return Beams(codes, self._parm("eCM"))
        if frame not in (2, 3):
            return None
        masses = np.array([self._pythia.particleData.m0(code) for code in codes])
        if frame == 2:
            energies = np.array([self._parm("eA"), self._parm("eB")])
            along = np.sqrt(np.maximum(energies**2 - masses**2, 0.0)) * [1, -1]
            momenta = np.stack([np.zeros(2), np.zeros(2), along], axis=1)
        else:
            momenta = np.array([[self._parm(f"p{axis}{beam}") for axis in "xyz"] for beam in "AB"])
            energies = np.sqrt((momenta**2).sum(axis=1) + masses**2)
        square = energies.sum() ** 2 - (momenta.sum(axis=0) ** 2).sum()
        return Beams(codes, float(np.sqrt(max(square, 0.0))))

    def _parm(self, name: str) -> float:
        return float(self._settings.parm(f"Beams:{name}"))

    def _nearest(self, key: str) -> str:
        group = key.split(":")[0]
        known = {}
        for table in ("getParmMap", "getModeMap", "getFlagMap"):
            for part in (group, group[:4]):
                known |= {k: entry.name for k, entry in dict(getattr(self._settings, table)(part)).items()}
        near = difflib.get_close_matches(key, known, n=3, cutoff=0.6)
        return f"; did you mean {', '.join(known[k] for k in near)}?" if near else ""


def check_settings(settings: Sequence[str], place: Place = spell_key) -> Catalogue:
    """Check lines such as `Beams:eCM = 91.2` against Pythia's tables; gives the tables after they were read.

    Raises:
        InputError: naming the line, for an unknown name, a value of the wrong kind or outside Pythia's range, and for
            the seed, of which every run has its own.
    """
    catalogue = Catalogue()
    for number, line in enumerate(settings):
        where = place("generator", "settings", number)
        name, value = _split_setting(line, where)
        if name.lower() in _OF_RUNS:
            raise InputError(
                f"{where}: every run has a seed of its own, which would take the place of {line!r}; take this line "
                "away, and set `scan.seed` for other random numbers"
            )
        if name.lower() in _OF_ANOTHER_RUN:
            raise InputError(
                f"{where}: {name} takes what was initialised with other values of the parameters, without a word; take "
                "this line away"
            )
        particle = _PARTICLE.match(name)
        if particle:
            _check_property(name, particle[1], value, where)
        else:
            _check_value(catalogue.find(name, where), value, where)
        catalogue.read(line, where)
    return catalogue


def _check_property(name: str, key: str, value: str, where: str) -> None:
    """Refuse values of a particle's property that Pythia takes in silence."""
    if key.lower() == "onmode" and value.lower() not in _ONMODES:
        raise InputError(f"{where}: {name} must be on, off or 0 to 3, not {value!r}")
    if key.lower() in _NUMBERS and not _is_number(value):
        raise InputError(f"{where}: {name} needs a number, not {value!r}")
    if key.lower() in _WHOLE and not re.fullmatch(r"[-+]?\d+", value):
        raise InputError(f"{where}: {name} needs a whole number, not {value!r}")
    if key.lower() in _SWITCHES and value.lower() not in _FLAGS:
        raise InputError(f"{where}: {name} is a flag; write on or off, not {value!r}")
    if _CODES.fullmatch(key) and not re.fullmatch(r"[-+]?\d+(\s+[-+]?\d+)*", value):
        raise InputError(f"{where}: {name} needs codes of particles with blanks between them, not {value!r}")


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False


def _split_setting(line: str, where: str) -> tuple[str, str]:
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


def check_ranges(
    ranges: Mapping[str, tuple[float, float]],
    catalogue: Catalogue,
    place: Place = spell_key,
    defaults: Mapping[str, float] = {},
) -> dict[str, float]:
    """Check parameter ranges against Pythia's and give each parameter's value before tuning.

    That is the one in `defaults`, which is checked, too, or its value after the settings that `catalogue` has read:
    lines such as `Tune:ee = 3` change many others.

    Raises:
        InputError: naming the card key, for an unknown parameter, one that is not a real number, or a bad range.
    """
    values: dict[str, float] = {}
    seen: dict[str, str] = {}
    for name, (low, high) in ranges.items():
        where = place("parameters", name)
        setting = catalogue.find(name, where)
        if setting.kind != "parm":
            raise InputError(f"{where}: {setting.name} is a {setting.kind}, not a real number; it cannot be varied")
        if setting.name in seen:
            raise InputError(f"{where}: the same setting as {seen[setting.name]}; keep one of them")
        seen[setting.name] = name
        _check_range(setting, low, place("parameters", name, "low"))
        _check_range(setting, high, place("parameters", name, "high"))
        if name in defaults:
            _check_range(setting, defaults[name], place("parameters", name, "default"))
        values[name] = float(defaults.get(name, setting.now))
    return values
