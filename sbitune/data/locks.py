"""Locks between processes, which end with the process that holds them, and what killed processes leave behind."""

import contextlib
import fcntl
import glob
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from sbitune.data.errors import InputError

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
    """Lock an open file or directory against other processes; tells whether it is locked now. Some disks know no locks.

    A file is locked in the manner of POSIX, which does not get in the way of libraries that lock what they write
    (HDF5). Such a lock ends when the process closes the file for the first time.
    """
    lock = fcntl.flock if stat.S_ISDIR(os.fstat(handle).st_mode) else fcntl.lockf
    try:
        lock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
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
