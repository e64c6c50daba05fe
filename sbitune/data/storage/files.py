"""Files on disk: written whole or not at all, and identified by their content."""

import contextlib
import hashlib
import json
import os
import re
import stat
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from sbitune.data.errors import InputError, SpaceError
from sbitune.data.storage.locks import sweep, try_lock
from sbitune.data.storage.space import lack_of_space

#: control characters but tabs and ends of lines and pages, separators of Unicode, and marks of byte order in the middle
_ODD = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\u2028\u2029\ufeff]")

#: hexadecimal digits of a hash: enough to tell inputs apart, short enough to read
_DIGITS = 16


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; it takes `path`'s place when the block ends without an error.

    A reader sees the old file or the whole new one, never a part. What a kill left of an earlier attempt to write the
    same file is removed. Raises `SpaceError` naming the file if there is no room for it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    sweep(path.parent, path.name)
    with naming_full(path):
        # the suffixes stay last, so that writers that look at the extension (.gz, .npz) do what they should
        handle, name = tempfile.mkstemp(prefix=".tmp-", suffix="-" + path.name, dir=path.parent)
    temporary = Path(name)
    try:
        try_lock(handle)  # held while it is written, so that nobody sweeps it away
        with naming_full(path):
            yield temporary
            _sync(temporary)
            temporary.chmod(0o666 & ~_umask())
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
        os.close(handle)


@contextlib.contextmanager
def naming_full(path: str | Path) -> Iterator[None]:
    """Turn the operating system's word that there is no room for a file into a `SpaceError` that names it."""
    try:
        yield
    except OSError as error:
        lack = lack_of_space(error)
        if lack is None:
            raise
        raise SpaceError(f"{path}: cannot be written: {lack}; make space and start again") from error


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
        raise InputError(f"{what} {path}: {error.strerror or error}", code="file-unreadable") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{what} {path}: not a text file (byte {error.start})", code="file-not-text") from error


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


def read_json(path: str | Path, what: str = "file") -> dict[str, Any]:
    """Read a file that holds one JSON object. Raises `InputError` naming `what` and the path for anything else."""
    text = read_text(path, what)
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{what} {path}: no JSON, or not whole ({error})") from error
    if not isinstance(content, dict):
        raise InputError(f"{what} {path}: expected a JSON object, it holds another thing")
    return content


def plain_file(path: str | Path, home: str | Path, what: str = "file") -> Path:
    """Give the path of a file that came with data, if it is safe to open: a plain file in the directory `home`, or a
    link to one there.

    Raises:
        InputError: naming `what` and the path, if it is not there, a device, a pipe, a directory, or a link to
            somewhere else.
    """
    path, home = Path(path), Path(home).resolve()
    try:
        target = path.resolve(strict=True)
        mode = target.stat().st_mode
    except (OSError, RuntimeError, ValueError) as error:  # circles of links, before Python 3.13; no name of a file
        raise InputError(f"{what} {path}: {getattr(error, 'strerror', None) or error}") from error
    if not stat.S_ISREG(mode):
        raise InputError(f"{what} {path}: it is no plain file, and is not opened")
    if home not in target.parents:
        raise InputError(f"{what} {path}: it is a link to {target}, outside {home}; put the file itself there")
    return path


def hash_file(path: str | Path, what: str = "file") -> str:
    """Hash of a file's content, as `hash_bytes` has it. Raises `InputError` if it cannot be read."""
    try:
        with Path(path).open("rb") as stream:
            digest = hashlib.sha256(os.fstat(stream.fileno()).st_size.to_bytes(8, "little"))
            while part := stream.read(1 << 20):  # a table of events need not fit into memory
                digest.update(part)
        return digest.hexdigest()[:_DIGITS]
    except OSError as error:
        raise InputError(f"{what} {path}: {error.strerror or error}") from error


def hash_files(paths: Iterable[Path]) -> str:
    """Hash of the names and contents of files, in the order given; of code, for what it makes."""
    return hash_bytes(*(part for path in paths for part in (path.name.encode(), path.read_bytes())))


def hash_bytes(*parts: bytes) -> str:
    """SHA-256 of the parts, 16 hexadecimal digits."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()[:_DIGITS]


def _sync(path: Path) -> None:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def check_suffix(path: str | Path, suffixes: tuple[str, ...]) -> None:
    """Raise `InputError` unless the name ends in one of the suffixes: before the work, not after it."""
    if not str(path).endswith(suffixes):
        raise InputError(f"{path}: the name must end in {' or '.join(suffixes)}")
