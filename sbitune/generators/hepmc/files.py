"""HepMC files, read by pyhepmc in a process of its own: it may die of a file, this one goes on with a message.

The process is `child`. It reads while events are analysed here, so that it costs no time; what it takes to hand
over a batch is a few percent of what reading it takes.
"""

import contextlib
import importlib.util
import json
import logging
import mmap
import os
import select
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.text.names import shorten
from sbitune.generators.batch import EventBatch
from sbitune.generators.children import python_module
from sbitune.generators.hepmc.child import PROGRESS
from sbitune.generators.hepmc.events import Reading

#: a file of which nothing was read for so long is given up; what comes through a pipe may wait for its generator
_PATIENCE = 120.0
#: seconds between two looks
_STEP = 5.0
#: most of one message that is read at a time
_CHUNK = 1 << 20
logger = logging.getLogger(__name__)


@contextlib.contextmanager
def open_hepmc(reading: Reading, size: int = 1000, most: float = np.inf) -> "Iterator[HepmcReader]":
    """Start to read a HepMC file, a pipe or, as `-`, standard input; the process ends with the block.

    Args:
        reading: what is read, and how.
        size: events in a batch, at most.
        most: events in all, at most.

    Raises:
        InputError: pyhepmc is not installed.
    """
    if importlib.util.find_spec("pyhepmc") is None:
        raise InputError(f'{reading.path}: reading HepMC needs pyhepmc: pip install "sbitune[hepmc]"')
    listening, alive = os.pipe()  # ends with this process, and takes the other with it
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as shared:
        shared.truncate(PROGRESS.size)
        request = {
            "reading": reading,
            "size": size,
            "most": None if most == np.inf else int(most),
            "progress": shared.fileno(),
            "parent": listening,
        }
        process = subprocess.Popen(
            [*python_module("sbitune.generators.hepmc.child"), json.dumps(request)],
            stdin=None if reading.path == "-" else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=said,
            pass_fds=(shared.fileno(), listening),
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        )
        try:
            with mmap.mmap(shared.fileno(), PROGRESS.size) as progress:
                yield HepmcReader(reading, process, progress, said)
        finally:
            process.kill()
            process.communicate()
            os.close(listening)
            os.close(alive)


class HepmcReader:
    """Events of a HepMC file, as another process reads them; made by `open_hepmc`."""

    def __init__(self, reading: Reading, process: "subprocess.Popen[bytes]", progress: mmap.mmap, said: IO[bytes]):
        self._reading, self._process, self._progress, self._said = reading, process, progress, said
        #: value and error in pb of the last event that has them
        self.cross_section: tuple[float, float] | None = None
        self._waits = not Path(reading.path).is_file()
        assert process.stdout is not None
        self._messages = process.stdout.fileno()
        self._waiting = b""

    @property
    def pid(self) -> int:
        """Number of the process that reads."""
        return self._process.pid

    @property
    def events(self) -> int:
        """How many events were read so far, given out or not."""
        return PROGRESS.unpack(self._progress[:])[0]

    def batches(self) -> Iterator[EventBatch]:
        """Yield the events.

        Raises:
            InputError: an event cannot be read, has no beams (unless they are not needed) or numbers that are not
                finite; the file breaks off; or the process that reads it dies, or stands still.
        """
        while (message := json.loads(self._line()))["kind"] != "end":
            if message["kind"] == "error":
                raise InputError(message["text"])
            if message["kind"] == "note":
                logger.warning("%s: %s", self._reading.path, message["text"])
                continue
            if message["cross_section"] is not None:
                value, error = message["cross_section"]
                self.cross_section = value, error
            columns: dict[str, Any] = {name: self._array(np.dtype(kind), n) for name, kind, n in message["columns"]}
            batch = EventBatch(**columns)
            others = {name: self._array(np.dtype(float), len(batch)) for name in message["other_weights"]}
            yield batch.varied(others)

    def _line(self) -> bytes:
        while b"\n" not in self._waiting:
            self._waiting += self._more(_CHUNK)
        line, _, self._waiting = self._waiting.partition(b"\n")
        return line

    def _array(self, kind: np.dtype, n: int) -> np.ndarray:
        array = np.empty(n * kind.itemsize, np.uint8)
        filled = 0
        while filled < len(array):
            part = self._waiting or self._more(len(array) - filled)
            part, self._waiting = part[: len(array) - filled], part[len(array) - filled :]
            array[filled : filled + len(part)] = np.frombuffer(part, np.uint8)
            filled += len(part)
        return array.view(kind)

    def _more(self, most: int) -> bytes:
        """What comes next, once it is there. Raises `InputError` if the process ended, or does not move."""
        waited, before = 0.0, self._progress[:]
        while not select.select([self._messages], [], [], _STEP)[0]:
            waited, before = (waited + _STEP, before) if self._progress[:] == before else (0.0, self._progress[:])
            if waited >= _PATIENCE and not self._waits:
                raise InputError(self._fault(f"was given up: for {_PATIENCE:.0f} seconds nothing was read"))
        part = os.read(self._messages, most)
        if not part:
            raise InputError(self._fault(f"ended: {self._end()}"))
        return part

    def _end(self) -> str:
        code = self._process.wait()
        if code < 0:
            return f"signal {signal.Signals(-code).name}"
        self._said.seek(0)
        lines = self._said.read().decode(errors="replace").strip().splitlines()
        return f"exit code {code}" + (f", {shorten(lines[-1], 200)}" if lines else "")

    def _fault(self, what: str) -> str:
        events = self.events
        before = f", or take the events before alone: --max-events {events}" if events else ""
        return (
            f"{self._reading.path}: the process in which pyhepmc reads {what}; it was at event {events} (the first is "
            f"0): the file is damaged there, or pyhepmc cannot read what the generator wrote. Make the file again, as "
            f"HepMC 3 if it is HepMC 2 or the other way round{before}"
        )
