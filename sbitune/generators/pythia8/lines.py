"""The lines of a card that Pythia reads: each must mean to Pythia what it says, and none may undo another unseen."""

import contextlib
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from sbitune.data.errors import InputError
from sbitune.data.text.numbers import quoted
from sbitune.generators.config import Place, spell_key
from sbitune.generators.pythia8.catalogue import Catalogue, Setting, check_range
from sbitune.generators.pythia8.spelling import PROPERTIES, VALUES

_PARTICLE = re.compile(r"([0-9]+):(?:([0-9]+):)?(\w+)", re.ASCII)
#: a remark behind a value; Pythia takes the first word and leaves the rest
_REMARK = re.compile(r"\s[!#].*", re.DOTALL)
#: settings that every run is given its own value of
_OF_RUNS = {"random:seed", "random:setseed"}
#: files that Pythia takes although they belong to other values of the parameters
_OF_ANOTHER_RUN = {"multipartoninteractions:reuseinit", "multipartoninteractions:initfile"}
#: settings that stand for many others
_TUNES = {"tune:ee", "tune:pp", "vincia:tune"}


class Line(NamedTuple):
    """A line that was read."""

    where: str  #: its place in the card
    text: str
    name: str  #: of the setting, as Pythia writes it
    before: dict[str, Any]  #: all values before it was read
    after: dict[str, Any]


def check_settings(settings: Sequence[str], place: Place = spell_key) -> Catalogue:
    """Check lines such as `Beams:eCM = 91.2` against Pythia's tables; gives the tables after they were read.

    Raises:
        InputError: naming the line, for an unknown name, a value of the wrong kind, outside Pythia's range or that
            Pythia reads as another, and for the seed, of which every run has its own.
    """
    catalogue = Catalogue()
    _read(catalogue, settings, place)
    return catalogue


def find_undone(settings: Sequence[str], place: Place = spell_key) -> list[str]:
    """Lines that a later one undoes, in sentences: tunes and settings that a later tune sets anew, and settings that
    are given twice. That settings behind a tune correct it, or `Tune:ee` what `Tune:pp` has set, is no such case.

    Raises as `check_settings`.
    """
    names = [line.partition("=")[0].strip().lower() for line in settings]
    if len(set(names)) == len(names) and not _TUNES & set(names):
        return []
    catalogue, found = Catalogue(), []
    lines = _read(catalogue, settings, place, watched=True)
    for number, line in enumerate(lines):
        for later in lines[number + 1 :]:
            if not _corrects(later, line):
                changed = [key for key, value in later.after.items() if value != later.before[key]]
                undone = sorted(set(changed) & (_set_by(line) if changed else set()))
                found += [_sentence(line, later, undone, catalogue)] if undone else []
    return found


def _corrects(later: Line, line: Line) -> bool:
    """Whether a line behind a tune is meant to change it."""
    first, second = line.name.lower(), later.name.lower()
    return first in _TUNES and (second not in _TUNES or (first, second) == ("tune:pp", "tune:ee"))


def _sentence(line: Line, later: Line, undone: list[str], catalogue: Catalogue) -> str:
    first = undone[0]
    others = f" and {len(undone) - 1} others" if len(undone) > 1 else ""
    return (
        f"{line.where}: {line.text} is undone by {later.text} ({later.where}), which comes later: "
        f"{catalogue.find(first, later.where).name} = {_said(later.after[first])} in place of "
        f"{_said(later.before[first])}{others}"
    )


def _said(value: Any) -> str:
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else f"{value:g}"


def _set_by(line: Line) -> set[str]:
    """The settings that a line sets."""
    return _touched(line) if line.name.lower() in _TUNES else {line.name.lower()}


def _touched(line: Line) -> set[str]:
    """The settings that a tune sets: what it changes from either of two others, or from what was there before."""
    found = {key for key in line.after if line.after[key] != line.before[key]}
    for base in (("Tune:ee = 1", "Tune:pp = 1"), ("Tune:ee = 3", "Tune:pp = 8")):
        catalogue = Catalogue()
        for text in base:
            catalogue.read(text, line.where)
        before = catalogue.values()
        catalogue.read(line.text, line.where)
        found |= {key for key, value in catalogue.values().items() if value != before[key]}
    return found - _TUNES


def _read(catalogue: Catalogue, settings: Sequence[str], place: Place, watched: bool = False) -> list[Line]:
    """Check the lines and let the tables read them; gives, if `watched`, those that set a setting."""
    lines = []
    for number, text in enumerate(settings):
        where = place("generator", "settings", number)
        if text.lstrip().startswith(("!", "#")):  # a remark, to Pythia too
            continue
        name, value = _split(text, where)
        _check_name(name, text, where)
        before = catalogue.values() if watched else {}
        if (particle := _PARTICLE.fullmatch(name)) is not None:
            _read_property(catalogue, particle, value, text, where)
        else:
            known = _read_setting(catalogue, name, value, text, where)
            lines += [Line(where, text, known, before, catalogue.values())] if watched else []
    return lines


def _split(line: str, where: str) -> tuple[str, str]:
    name, sign, value = line.partition("=")
    name, value = name.strip(), _REMARK.sub("", f" {value.strip()}").strip()
    if not sign or not name or not value:
        raise InputError(f"{where}: expected 'NAME = VALUE', found {quoted(line)}", code="pythia-bad-line")
    return name, value


def _check_name(name: str, line: str, where: str) -> None:
    """Refuse lines that Pythia passes over, and those that belong to a run."""
    if not name[0].isalnum() or not name.isascii():
        plain = name.lstrip("-")
        remedy = f"; write {plain}, which is the antiparticle's, too" if _PARTICLE.fullmatch(plain) else ""
        raise InputError(
            f"{where}: Pythia takes {quoted(line)} for a remark, as it begins with no letter{remedy}",
            code="pythia-bad-line",
        )
    if name.lower() in _OF_RUNS:
        raise InputError(
            f"{where}: every run has a seed of its own, which would take the place of {quoted(line)}; take this line "
            "away, and set `scan.seed` for other random numbers",
            code="pythia-refused-line",
        )
    if name.lower() in _OF_ANOTHER_RUN:
        raise InputError(
            f"{where}: {name} takes what was initialised with other values of the parameters, without a word; take "
            "this line away",
            code="pythia-refused-line",
        )


def _read_setting(catalogue: Catalogue, name: str, value: str, line: str, where: str) -> str:
    """Read the line of a setting and compare; gives its name as Pythia writes it."""
    setting = catalogue.find(name, where)
    try:
        meant = VALUES[setting.kind](value)
    except ValueError as error:
        raise InputError(
            f"{where}: {setting.name} {error}{_part_read(catalogue, setting, line)}", code="pythia-bad-value"
        ) from error
    if setting.kind in ("mode", "parm"):
        check_range(setting, meant, where)
    catalogue.read(line, where)
    held = catalogue.find(name, where).now
    if setting.kind == "wvec":
        held = [part.strip() for part in held]
    _compare(setting.name, value, meant, held, where)
    return setting.name


def _part_read(catalogue: Catalogue, setting: Setting, line: str) -> str:
    """What Pythia takes from a line that is no plain number, as the end of a message; the tables are spoilt by it."""
    if setting.kind not in ("mode", "parm"):
        return ""
    with contextlib.suppress(InputError):
        catalogue.read(line, "")
        return f", of which Pythia reads {_said(catalogue.find(setting.name, '').now)}"
    return ""


def _read_property(catalogue: Catalogue, particle: "re.Match[str]", value: str, line: str, where: str) -> None:
    """Read the line of a particle's property and compare, where Pythia can be asked."""
    code, channel, key = int(particle[1]), particle[2], particle[3]
    reader = PROPERTIES.get(key.lower())
    try:
        meant = None if reader is None else reader(value)  # a name that Pythia does not know it refuses itself
    except ValueError as error:
        raise InputError(f"{where}: {particle[0]} {error}", code="pythia-bad-value") from error
    catalogue.read(line, where)
    held = catalogue.property_of(code, None if channel is None else int(channel), key)
    if held is not None:
        _compare(particle[0], value, meant, held, where)


def _compare(name: str, value: str, meant: Any, held: Any, where: str) -> None:
    """Refuse what Pythia has not read as it is meant."""
    if held != meant:
        raise InputError(
            f"{where}: Pythia reads {name} = {quoted(value)} as {quoted(str(held))}; write it in the plainest way",
            code="pythia-bad-value",
        )
