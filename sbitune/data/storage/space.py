"""Lack of space, told from all else that goes wrong: it says nothing about what was to be written."""

import errno
import os
import tempfile
from pathlib import Path

from sbitune.data.errors import SpaceError

#: what the operating system says when a disk is full, a quota is used up, or a file may not grow any further
NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
#: so many bytes must be free, else a directory counts as full
_PROBE = 1 << 20


def lack_of_space(error: BaseException | None) -> str | None:
    """Say in words which lack of space an error comes from, through what it was raised from; None if from none."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, SpaceError):
            return str(error)
        if isinstance(error, OSError) and error.errno in NO_SPACE:
            return os.strerror(error.errno).lower()
        error = error.__cause__ or error.__context__
    return None


def is_full(directory: Path) -> bool:
    """Tell whether a directory has no room for another megabyte, by writing it and taking it away again."""
    try:
        with tempfile.TemporaryFile(dir=directory) as stream:
            stream.write(bytes(_PROBE))
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        return error.errno in NO_SPACE
    return False
