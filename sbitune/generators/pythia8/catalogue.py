"""Pythia's own tables of settings and particles, with which parameter ranges are compared before the first event.

Pythia's Python interface prints its refusals on the C standard output and returns False.
"""

import difflib
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.text.numbers import quoted
from sbitune.generators.config import Place, spell_key
from sbitune.generators.pythia8.printed import caught_output, import_pythia, refusal_in

#: kinds of settings, as Pythia's methods are called
_KINDS = {"flag": "Flag", "mode": "Mode", "parm": "Parm"}
_LISTS = {"word": "Word", "fvec": "FVec", "mvec": "MVec", "pvec": "PVec", "wvec": "WVec"}
#: properties of particles that can be asked for, in small letters -> Pythia's method
_ASKED = {
    name.lower(): name
    for name in (
        "m0", "mWidth", "mMin", "mMax", "tau0", "spinType", "chargeType", "colType", "isResonance", "mayDecay",
        "tauCalc", "doExternalDecay", "varWidth", "isVisible", "doForceWidth", "name",
    )
}  # fmt: skip


class Setting(NamedTuple):
    """One line of Pythia's tables."""

    name: str
    kind: str  #: flag, mode, parm, word, fvec, mvec, pvec or wvec
    default: Any  #: what a fresh Pythia has; its tunes, which are read first, differ from the table in a few places
    low: float | None  #: None: no limit
    high: float | None
    now: Any = None  #: value after the lines that were read


class Beams(NamedTuple):
    """What collides."""

    codes: tuple[int, int]  #: PDG codes
    energy: float  #: centre-of-mass energy in GeV


@cache
def _fresh_pythia() -> Any:
    """A Pythia that reads no line: to copy its tables takes 2 ms, to read them from Pythia's files 80."""
    return import_pythia().Pythia("", False)


class Catalogue:
    """Pythia's own tables of settings, with their defaults, ranges and values after the lines that were read."""

    def __init__(self) -> None:
        fresh = _fresh_pythia()
        self._pythia = import_pythia().Pythia(fresh.settings, fresh.particleData, False)
        self._settings = self._pythia.settings
        self._fresh = self.values()

    def read(self, line: str, where: str) -> None:
        """Let Pythia read a line. Raises `InputError` naming `where` with what it prints if it refuses, and for a brace
        that is left open: Pythia would take the next lines for what is in it.
        """
        with caught_output() as printed:
            # a value that a tune does not have is taken, and Pythia does not start
            if not self._pythia.readString(line) or self._settings.readingFailed():
                raise InputError(
                    f"{where}: Pythia refuses {quoted(line)}: {refusal_in(printed)}", code="pythia-refused-line"
                )
        if self._settings.unfinishedInput():
            raise InputError(f"{where}: {quoted(line)} leaves a brace open", code="pythia-refused-line")

    def values(self) -> dict[str, Any]:
        """All flags, modes and real numbers as they are now, by their names in small letters."""
        found = {}
        for kind in _KINDS.values():
            table = dict(getattr(self._settings, f"get{kind}Map")(""))
            found |= {key: entry.valNow for key, entry in table.items()}
        return found

    def find(self, name: str, where: str) -> Setting:
        """Look a setting up by name, in any case. Raises `InputError` naming `where` and the nearest names."""
        key = name.lower()
        for kind, method in (_KINDS | _LISTS).items():
            entry = dict(getattr(self._settings, f"get{method}Map")(key)).get(key)
            if entry is None:
                continue
            now, default = entry.valNow, self._fresh.get(key, entry.valDefault)
            if kind in _LISTS:
                now, default = (value if kind == "word" else list(value) for value in (now, default))
                return Setting(entry.name, kind, default, None, None, now)
            low = entry.valMin if getattr(entry, "hasMin", False) else None
            high = entry.valMax if getattr(entry, "hasMax", False) else None
            return Setting(entry.name, kind, default, low, high, now)
        raise InputError(
            f"{where}: Pythia has no setting {quoted(name)}{self._nearest(key)}", code="pythia-unknown-setting"
        )

    def property_of(self, code: int, channel: int | None, key: str) -> Any:
        """A property of a particle or of one of its decays, in any case; None if Pythia cannot be asked for it."""
        data = self._pythia.particleData
        if channel is None:
            method = _ASKED.get(key.lower())
            return None if method is None else getattr(data, method)(code)
        decay = data.particleDataEntryPtr(code).channel(channel)
        method = {"bratio": "bRatio", "memode": "meMode"}.get(key.lower())
        if key.lower() == "products":
            return [decay.product(k) for k in range(decay.multiplicity())]
        return None if method is None else getattr(decay, method)()

    def beginning_with(self, start: str, every: bool = False) -> list[Setting]:
        """All flags, modes and real numbers whose name begins so, in Pythia's order; with `every` words and vectors."""
        found = []
        for method in (_KINDS | (_LISTS if every else {})).values():
            for key in dict(getattr(self._settings, f"get{method}Map")(start.lower())):
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


def check_range(setting: Setting, number: float, where: str) -> None:
    """Raise `InputError` naming `where` for a number outside Pythia's range of a setting."""
    below = setting.low is not None and number < setting.low
    above = setting.high is not None and number > setting.high
    if below or above or not np.isfinite(number):
        low = "-inf" if setting.low is None else f"{setting.low:g}"
        high = "inf" if setting.high is None else f"{setting.high:g}"
        raise InputError(
            f"{where}: {setting.name} = {number:g} is outside Pythia's range [{low}, {high}]",
            code="pythia-outside-range",
        )


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
            raise InputError(
                f"{where}: {setting.name} is a {setting.kind}, not a real number; it cannot be varied",
                code="pythia-not-varied",
            )
        if setting.name in seen:
            raise InputError(
                f"{where}: the same setting as {seen[setting.name]}; keep one of them", code="pythia-repeated-setting"
            )
        seen[setting.name] = name
        check_range(setting, low, place("parameters", name, "low"))
        check_range(setting, high, place("parameters", name, "high"))
        if name in defaults:
            check_range(setting, defaults[name], place("parameters", name, "default"))
        values[name] = float(defaults.get(name, setting.now))
    return values
