"""The lines of a HepMC event, read strictly: pyhepmc passes over what it does not know and takes the beginning of a
word for a number, and of some damage it dies.

The formats: M. Dobbs, J. Hansen, HepMC 2 (Comput. Phys. Commun. 134 (2001) 41; IO_GenEvent of 2.06) and A. Buckley et
al., HepMC3 (Comput. Phys. Commun. 260 (2021) 107310).
"""

import re
from collections.abc import Callable

from sbitune.data.text.names import shorten

_INT = rb"-?\d++"
#: positions and polarisations may be no number
_ANY = rb"[-+]?(?:\d++(?:\.\d*+)?+(?:[eE][-+]?\d++)?+|\.\d++(?:[eE][-+]?\d++)?+|nan|inf)"
_END = rb" *+\r?+\n"


def _line(*words: bytes) -> bytes:
    return b" ++".join(words) + _END


_PARTICLE_2 = _line(rb"P", _INT, _INT, *[_ANY] * 5, _INT, _ANY, _ANY, _INT, rb"\d++(?: ++-?\d++)*+")
_VERTEX_2 = _line(rb"V", _INT, _INT, *[_ANY] * 4, rb"\d++", rb"\d++", rb"\d++(?: ++" + _ANY + rb")*+")
_EVENT_2 = _line(rb"E", _INT, _INT, *[_ANY] * 3, *[_INT] * 5, rb"\d++(?: ++" + _ANY + rb")*+")
_SECTION_2 = _line(rb"C", _ANY, _ANY + rb"(?: ++" + _ANY + rb")*+")
_UNITS = _line(rb"U", rb"[GM]EV", rb"[MC]M")
_PARTICLE_3 = _line(rb"P", rb"\d++", _INT, _INT, *[_ANY] * 5, _INT)
_VERTEX_3 = _line(rb"V", rb"-\d++", _INT, rb"\[[\d,]*+\](?: ++@(?: ++" + _ANY + rb"){4})?+")
_EVENT_3 = _line(rb"E", _INT, rb"\d++", rb"\d++(?: ++@(?: ++" + _ANY + rb"){4})?+")
_WEIGHTS_3 = rb"W(?: ++" + _ANY + rb")*+" + _END
_SECTION_3 = _line(rb"A", rb"0", rb"GenCrossSection", _ANY + rb"(?: ++" + _ANY + rb")++")
_OTHER_3 = rb"A " + _INT + rb" (?!GenCrossSection)\S++[^\n]*+\n"
#: blank lines stand between listings
_BLANK = rb"[ \t\r]*+\n"


def _lines(first: bytes, *others: bytes) -> re.Pattern[bytes]:
    return re.compile(first + rb"(?:" + rb"|".join(others) + rb")*+")


_TEXT_2 = _lines(_EVENT_2, _PARTICLE_2, _VERTEX_2, _SECTION_2, _UNITS, rb"[NHF] [^\n]*+\n", _BLANK)
_TEXT_3 = _lines(_EVENT_3, _PARTICLE_3, _VERTEX_3, _WEIGHTS_3, _SECTION_3, _OTHER_3, _UNITS, _BLANK)
_IDS_3 = re.compile(rb"\nP ++(\d++)")
_PARENTS_3 = re.compile(rb"\nP ++\d++ ++(-?\d++)")
_INCOMING_3 = re.compile(rb"\nV ++\S++ ++\S++ ++\[([\d,]*+)\]")
_ORDER = [b"%d" % i for i in range(1, 20_000)]


def fault_in(text: bytes, hepmc2: bool) -> tuple[int, str] | None:
    """What is wrong with the lines of one event, from its E line on: the place in the text and words, or None."""
    matched = (_TEXT_2 if hepmc2 else _TEXT_3).match(text)
    end = matched.end() if matched else 0
    if end < len(text):
        line = text[end : text.find(b"\n", end) % (len(text) + 1)].decode(errors="replace")
        return end, f"is no line of HepMC {2 if hepmc2 else 3} events: {shorten(line)!r}"
    said = _count_2(text) if hepmc2 else _count_3(text)
    return None if said is None else (0, said)


def _count_2(text: bytes) -> str | None:
    """Compare what the E line and the V lines announce with what there is."""
    announced, vertices = int(text.split(None, 9)[8]), text.count(b"\nV ")
    if announced != vertices:
        return f"begins an event of {announced} vertices that has {vertices}"
    pieces = text.split(b"\nV ")
    for number, piece in enumerate(pieces[1:], 1):
        words = piece.split(None, 8)
        expected, there = int(words[6]) + int(words[7]), piece.count(b"\nP ")
        if expected != there:
            return f"begins an event whose vertex {number} has {there} particles, announced are {expected}"
    return "begins an event with particles before its first vertex" if b"\nP " in pieces[0] else None


def _count_3(text: bytes) -> str | None:
    words = text.split(None, 4)
    vertices, particles = int(words[2]), int(words[3])
    ids = _IDS_3.findall(text)
    if len(ids) != particles:
        return f"begins an event of {particles} particles that has {len(ids)}"
    if ids != (_ORDER[:particles] if particles < len(_ORDER) else [b"%d" % i for i in range(1, particles + 1)]):
        return "begins an event whose particles are not numbered one by one from 1"
    if (there := text.count(b"\nV ")) > vertices:
        return f"begins an event of {vertices} vertices that has {there}"
    incoming = {int(word) for group in _INCOMING_3.findall(text) for word in group.split(b",") if word}
    parents = {int(word) for word in _PARENTS_3.findall(text)}
    outside = [i for i in incoming if not 1 <= i <= particles]
    outside += [i for i in parents if not -vertices <= i <= particles]
    return f"begins an event in which {outside[0]} is no particle and no vertex" if outside else None


class EventText:
    """Cuts a text that comes in parts into events, and holds back what follows the first fault."""

    def __init__(self, hepmc2: bool, seen: Callable[[bytes], None]) -> None:
        self._hepmc2, self._seen = hepmc2, seen
        self._text = b""
        self._searched, self._lines, self._begun = 0, 1, False
        self._ahead = 0  #: letters of the text that were given already
        #: number of the event, of the line, and what is wrong there
        self.fault: tuple[int, int, str] | None = None
        self.events = 0  #: begun so far

    def add(self, part: bytes) -> bytes:
        """Take the next part; give all events that are whole, and the letter after them, which ends the last one."""
        if self.fault is not None:
            return b""
        self._text += part
        given = []
        while (at := self._text.find(b"\nE ", self._searched)) >= 0 and self.fault is None:
            given.append(self._cut(at + 1))
        self._searched = max(len(self._text) - 2, 0)
        if given and self.fault is None:
            given.append(self._text[:1])
            self._ahead = 1
        return b"".join(given)

    def end(self) -> bytes:
        """Give the rest."""
        return b"" if self.fault is not None else self._cut(len(self._text))

    def _cut(self, at: int) -> bytes:
        mine, self._text, self._searched = self._text[:at], self._text[at:], 0
        trailer = mine.find(b"\nHepMC::") + 1 or len(mine)
        if self._begun:
            wrong = fault_in(mine[:trailer], self._hepmc2)
            if wrong is not None:
                self.fault = self.events - 1, self._lines + mine.count(b"\n", 0, wrong[0]), wrong[1]
                return b""
            self._seen(mine[:trailer])
        self._lines += mine.count(b"\n")
        if self._text:
            self._begun, self.events = True, self.events + 1
        ahead, self._ahead = self._ahead, 0
        return mine[ahead:]
