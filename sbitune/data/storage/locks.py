"""Locks between processes, which end with the process that holds them, and what killed processes leave behind."""

import contextlib
import fcntl
import glob
import os
import shutil
import stat
import struct
from collections.abc import Iterator
from pathlib import Path

from sbitune.data.errors import InputError

#: struct flock of Linux: a lock to write, from the beginning of a file to its end, of no process
_WHOLE_FILE = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
#: locks that this process holds: a stage that calls another one holds it once
_held: set[str] = set()


@contextlib.contextmanager
def locked(path: str | Path, busy: str) -> Iterator[None]:
    """Hold the lock of a file, which is made if it is not there. Inside a block that holds it already nothing is done.

    Raises `InputError` with the message `busy` if another process holds it.
    """
    path = Path(path)
    key = str(path.resolve())
    if key in _held:
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(busy) from error
        _held.add(key)
        try:
            yield
        finally:
            _held.discard(key)


def try_lock(handle: int) -> bool:
    """Lock an open file or directory against other processes until it is closed; tells whether it is locked now. Some
    disks know no locks.

    A file is not locked by `flock`, which HDF5 wants for itself, but by a lock of its open description (Linux), which
    others may open and close meanwhile.
    """
    try:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        elif hasattr(fcntl, "F_OFD_SETLK"):
            fcntl.fcntl(handle, fcntl.F_OFD_SETLK, _WHOLE_FILE)
        else:
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def sweep(directory: Path, name: str) -> None:
    """Remove what is half-made of a file or directory `name` (`.tmp-*-NAME`) by processes that are no more: what nobody
    holds a lock of.
    """
    for stale in directory.glob(f".tmp-*-{glob.escape(name)}"):
        with contextlib.suppress(OSError):
            access = os.O_RDONLY if stale.is_dir() else os.O_RDWR
            handle = os.open(stale, access | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                if try_lock(handle):
                    shutil.rmtree(stale) if stale.is_dir() else stale.unlink()
            finally:
                os.close(handle)
