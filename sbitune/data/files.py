"""Files on disk: written whole or not at all, and identified by their content."""

import contextlib
import hashlib
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from sbitune.data.errors import InputError

#: control characters but tabs and ends of lines and pages, separators of Unicode, and marks of byte order in the middle
_ODD = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\u2028\u2029\ufeff]")


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; it takes `path`'s place when the block ends without an error.

    A reader sees the old file or the whole new one, never a part; after a kill a `.tmp` file may stay behind.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # the suffixes stay last, so that writers that look at the extension (.gz, .npz) do what they should
    handle, name = tempfile.mkstemp(prefix=".tmp-", suffix="-" + path.name, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        _sync(temporary)
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: str | Path, text: str) -> None:
    """Write a UTF-8 text file whole or not at all."""
    write_bytes(path, text.encode())


def read_text(path: str | Path, what: str = "file") -> str:
    """Read a UTF-8 text file, without a byte order mark. Raises `InputError` naming `what` and the path if it cannot be
    read.
    """
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"{what} {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{what} {path}: not a text file (byte {error.start})") from error


def read_lines(path: str | Path, what: str = "file") -> list[tuple[int, str]]:
    """The lines of a text file with their numbers, from 1. Raises `InputError` as `read_text` does, and with the line
    for characters that no text of numbers and names has: Python takes some of them for blanks or ends of lines.
    """
    text = read_text(path, what)
    odd = _ODD.search(text)
    if odd:
        line = text.count("\n", 0, odd.start()) + 1
        raise InputError(f"{path}:{line}: the character {odd[0]!r} does not belong into a {what}; is it damaged?")
    lines = text.split("\n")
    return list(enumerate(lines if lines[-1] else lines[:-1], start=1))


def hash_bytes(*parts: bytes) -> str:
    """SHA-256 of the parts, 16 hexadecimal digits: enough to tell inputs apart, short enough to read."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()[:16]


def _sync(path: Path) -> None:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
