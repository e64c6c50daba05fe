"""The text of a HepMC file while it is read: unpacked by its content, and followed line by line.

pyhepmc ends in silence where it cannot go on, and does not tell which particles the E line of HepMC 2 names as beams:
the lines say so.
"""

import bz2
import gzip
import io
import lzma
import zlib
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from sbitune.data.errors import InputError
from sbitune.generators.hepmc.lines import EventText

#: begins the first and the last line of HepMC's own formats; HEPEVT, which pyhepmc reads as well, has no such lines
MARK, END = b"HepMC::", b"END_EVENT_LISTING"
#: what files that are packed begin with
_PACKED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
_FAULTS = (EOFError, OSError, zlib.error, lzma.LZMAError)
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
#: bytes at the beginning that tell the format, as pyhepmc looks at them; and at the end
_HEAD, _TAIL = 256, 512
#: bytes that are taken at a time
_PART = 1 << 16
#: places of the barcodes of the beams in the E line of HepMC 2
_BEAM_1, _BEAM_2 = 9, 10


class Beam(NamedTuple):
    """A particle that the E line of HepMC 2 names, as its own line has it: in the file's units."""

    pid: int
    momentum: tuple[float, float, float, float]  #: px, py, pz, E


class HepmcText:
    """A stream for pyhepmc that knows what went by.

    `moved` is called with the number of bytes of text so far.
    """

    def __init__(self, path: str, moved: Callable[[int], None] = lambda size: None):
        self._stream = _unpacked(path)
        self._moved, self._size = moved, 0
        self.head = b""
        while len(self.head) < _HEAD and (part := self._take(_HEAD)):
            self.head += part
        self.head = self.head.removeprefix(_BYTE_ORDER_MARK)
        self.begun = 0  #: E lines so far
        self.marked = False  #: whether a line of HepMC's own was seen
        self.broken = False  #: whether the file is packed, and cut or damaged
        self._last = b"\n"  #: text so far ends with this
        self.is_hepmc2 = b"HepMC::IO_GenEvent" in self.head
        self._beams: deque[tuple[Beam, Beam] | None] = deque()
        self._first = 0  #: number of the event that the first of them belongs to
        own = self.is_hepmc2 or b"HepMC::Asciiv3" in self.head
        self._events = EventText(self.is_hepmc2, self._see) if own else None
        self._ready, self._ended = b"", False
        self._accept(self.head)

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer; pyhepmc reads so. It gets whole events, up to the first that is faulty."""
        while not self._ready and not self._ended:
            self._accept(self._take(max(len(buffer), _PART)))
        part, self._ready = self._ready[: len(buffer)], self._ready[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)

    def write(self, content: bytes) -> int:
        """Pyhepmc takes streams that could also be written to."""
        raise io.UnsupportedOperation(f"{len(content)} bytes to a file that is read")

    def flush(self) -> None:
        """Nothing is written."""

    def drain(self) -> None:
        """Read to the end."""
        while part := self._take(_PART):
            self._follow(part)

    @property
    def fault(self) -> tuple[int, int, str] | None:
        """Number of the first faulty event, of its line, and what is wrong."""
        return None if self._events is None else self._events.fault

    @property
    def ended(self) -> bool:
        """Whether the last line is the one that ends a listing."""
        return END in self._last.strip().rpartition(b"\n")[2]

    def beams_of(self, number: int) -> tuple[Beam, Beam] | None:
        """The beams that the E line of an event names, asked for in the order of the events; None if it names none."""
        while self._first < number and self._beams:
            self._beams.popleft()
            self._first += 1
        return self._beams[0] if self._beams else None

    def _take(self, size: int) -> bytes:
        try:
            part = self._stream.read1(size)  # what a pipe has so far
        except _FAULTS:  # cut in the middle of a block, or damaged: what was read so far is all there is
            self.broken, part = True, b""
        self._size += len(part)
        self._moved(self._size)
        return part

    def _accept(self, part: bytes) -> None:
        self._follow(part)
        self._ended = not part
        if self._events is None:
            self._ready += part
        else:
            self._ready += self._events.add(part) if part else self._events.end()
            self._ended = self._ended or self._events.fault is not None

    def _see(self, text: bytes) -> None:
        if self.is_hepmc2:
            self._beams.append(_beams_in(b"\n" + text))

    def _follow(self, part: bytes) -> None:
        text = self._last[-len(MARK) :] + part  # a line may begin in one part and go on in the next
        known = len(text) - len(part)
        self.begun += text.count(b"\nE ") - text[:known].count(b"\nE ")
        self.marked = self.marked or b"\n" + MARK in text
        self._last = (self._last + part)[-_TAIL:]


def _beams_in(text: bytes) -> tuple[Beam, Beam] | None:
    """The beams of the text of one event, from its E line on."""
    words = text[1 : text.find(b"\n", 1)].split()
    if len(words) <= _BEAM_2 or words[_BEAM_1] == words[_BEAM_2]:
        return None
    found = []
    for code in (words[_BEAM_1], words[_BEAM_2]):
        at = text.find(b"\nP %s " % code)
        line = text[at + 1 : text.find(b"\n", at + 1)].split() if at >= 0 else []
        try:
            found.append(Beam(int(line[2]), (float(line[3]), float(line[4]), float(line[5]), float(line[6]))))
        except (ValueError, IndexError):
            return None
    return found[0], found[1]


def _unpacked(path: str) -> Any:
    """Open a file, a pipe or, of `-`, standard input; unpacked if it is packed, whatever its name."""
    stream = io.BufferedReader(io.FileIO(0 if path == "-" else path, closefd=path != "-"), 1 << 16)
    start = stream.peek(8)
    packing = next((name for mark, name in _PACKED.items() if start.startswith(mark)), None)
    if packing == "zstd":
        return _open_zstd(path, stream)
    opened: Any = {"gzip": gzip.open, "bzip2": bz2.open, "xz": lzma.open, None: lambda file: file}[packing]
    return opened(stream)


def _open_zstd(path: str, stream: Any) -> Any:
    try:
        from compression import zstd  # type: ignore[import-not-found]  # Python 3.14
    except ImportError:
        try:
            from backports import zstd  # type: ignore[import-not-found]
        except ImportError as error:
            raise InputError(f"{Path(path)}: packed by zstd; unpack it, or pip install backports.zstd") from error
    return zstd.open(stream)
