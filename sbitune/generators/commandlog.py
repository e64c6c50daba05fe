"""A command and its `command.log`: what it prints, the beginning and the end, however much it is."""

import os
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from sbitune.data.errors import ComputationError, SpaceError
from sbitune.data.storage.files import naming_full
from sbitune.data.storage.space import NO_SPACE, is_full

#: bytes that are kept of the beginning, and as many of the end
KEPT = 2 << 20
#: bytes that are read at once
_PIECE = 1 << 16
#: seconds that a command which has ended is listened to: what it left running in the background may print on for ever
_PATIENCE = 2.0


class CommandLog:
    """Writes what comes out of a stream to a file, from a thread of its own. What is in the middle of more than twice
    `KEPT` bytes is left out, and the log says so.
    """

    def __init__(self, path: Path, stream: IO[bytes]) -> None:
        self._path, self._stream = path, stream
        self._written = self._passed = self._held = 0
        self._last: deque[bytes] = deque()
        self._closing, self._closed = threading.Lock(), False
        self._fault: Exception | None = None
        with naming_full(path):
            self._file = path.open("wb", buffering=0)
        self._thread = threading.Thread(target=self._copy, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Write the end of what was printed. Raises `SpaceError` if there was no room for it."""
        self._thread.join(_PATIENCE)
        with self._closing:
            self._closed = True
            with naming_full(self._path), self._file:
                if self._fault is not None:
                    raise self._fault
                end = b"".join(self._last)
                kept = end[-KEPT:]
                if left_out := self._passed - len(kept):
                    self._write(b"\n[sbitune: %d bytes are left out here]\n" % left_out)
                self._write(kept)

    def _copy(self) -> None:
        with self._stream:
            while piece := self._stream.read1(_PIECE):  # type: ignore[attr-defined]
                with self._closing:
                    if not self._closed and self._fault is None:
                        self._take(piece)

    def _take(self, piece: bytes) -> None:
        now = piece[: max(0, KEPT - self._written)]
        try:
            self._write(now)
        except OSError as error:
            self._fault = error  # the command goes on: it must not wait for somebody to listen
        rest = piece[len(now) :]
        if rest:
            self._passed += len(rest)
            self._held += len(rest)
            self._last.append(rest)
            while self._held - len(self._last[0]) >= KEPT:
                self._held -= len(self._last.popleft())

    def _write(self, content: bytes) -> None:
        while content:
            count = self._file.write(content)
            self._written += count
            content = content[count:]


def run_shell(command: str, log: Path, environment: Mapping[str, str]) -> None:
    """Run a command by /bin/sh in the directory of its log.

    Raises `ComputationError` with the end of the log if it fails, `SpaceError` if for lack of space.
    """
    process = subprocess.Popen(
        ["/bin/sh", "-c", command],
        cwd=log.parent,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.stdout is not None
    try:
        printed = CommandLog(log, process.stdout)
        code = process.wait()
    except BaseException:
        process.kill()
        raise
    printed.close()
    if code != 0:
        fault = f"the command ended with exit code {code}; it printed: {tail_of(log)}"
        raise _no_space(log.parent, fault) if _over_its_size(code) else fault_of(log.parent, fault)


def fault_of(directory: Path, fault: str) -> ComputationError:
    """The error of a run that failed: a lack of space if its directory is full, which is no fault of the run."""
    said = fault.lower()
    full = any(os.strerror(number).lower() in said for number in NO_SPACE) or is_full(directory)
    return _no_space(directory, fault) if full else ComputationError(fault)


def _no_space(directory: Path, fault: str) -> SpaceError:
    return SpaceError(f"{directory}: no space left for the files of the run: {fault}")


def _over_its_size(code: int) -> bool:
    """Whether a process, or one that its shell ran, was killed as a file of its grew beyond the limit of file sizes."""
    return code in (-signal.SIGXFSZ, 128 + signal.SIGXFSZ)


def tail_of(log: Path) -> str:
    """The last lines of a log."""
    lines = log.read_text(errors="replace").strip().splitlines()
    return " | ".join(lines[-5:]) or "nothing"
