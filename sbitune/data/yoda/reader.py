"""Reading YODA files of any generation into a dictionary of objects by path."""

import logging
import zlib
from collections.abc import Callable
from pathlib import Path

from sbitune.data.errors import InputError
from sbitune.data.text.names import shorten
from sbitune.data.yoda.objects import Object
from sbitune.data.yoda.text import blocks, read_yoda1, read_yoda2

logger = logging.getLogger(__name__)

Select = Callable[[str], bool]
#: a compressed file holds at most so many bytes for one of its own, beside the first: text does not come near
_MOST_RATIO, _FIRST = 100, 1 << 26


def read(
    path: str | Path,
    select: Select | None = None,
    wants: Select | None = None,
    tell: Callable[[str], None] = logger.warning,
) -> dict[str, Object]:
    """Read a YODA file, compressed or not (its content tells).

    Args:
        path: The file.
        select: Called with the path of every object; those for which it is false are skipped unread.
        wants: The objects that must be sound, by default those that `select` takes. Faulty others are left out.
        tell: Receives a message for every faulty object that is left out; by default the log.

    Returns:
        Objects by path, in the order of the file.

    Raises:
        InputError: The file cannot be read, is cut short, is no YODA, or an object that is wanted has a fault or a
            path twice. The message names file and line.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"YODA file {path}: {error.strerror or error}", code="yoda-unreadable") from error
    return loads(_decoded(_decompressed(content, path)), select, str(path), wants, tell)


def loads(
    text: str,
    select: Select | None = None,
    name: str = "<string>",
    wants: Select | None = None,
    tell: Callable[[str], None] = logger.warning,
) -> dict[str, Object]:
    """Read YODA text; see `read`. `name` stands for the file in messages."""
    text = text.replace("\r\n", "\n") if "\r" in text else text
    wants = wants or select or (lambda path: True)
    objects: dict[str, Object] = {}
    places: dict[str, int] = {}

    def fault(error: blocks.FaultyObjectError) -> None:
        if any(map(wants, error.paths)):
            raise error
        tell(f"left out, as it is not selected: {error}")

    for block in blocks.find(text, name, select, fault):
        try:
            if block.path in places:
                objects.pop(block.path, None)
                first = blocks.line_number(text, places[block.path])
                block.fail(
                    f"the path occurs twice, first in line {first}; keep one of the two (or merge them)",
                    code="yoda-repeated-path",
                )
            places[block.path] = block.begin
            objects[block.path] = _object(block)
        except blocks.FaultyObjectError as error:
            fault(error)
    return objects


def _object(block: blocks.Block) -> Object:
    if block.version == 3:
        return read_yoda2.read_block(block)
    reader = read_yoda1.READERS.get(block.kind)
    if reader is None:
        block.fail(f"the type {shorten(block.kind)} is not known; leave it out with `select`", code="yoda-unknown-type")
    return reader(block)


def _decompressed(content: bytes, path: str | Path) -> bytes:
    """The content of a file: that of all gzip members one after the other, if it is compressed."""
    if content[:2] != b"\x1f\x8b":
        return content
    most = _FIRST + _MOST_RATIO * len(content)
    parts: list[bytes] = []
    try:
        while content:
            member = zlib.decompressobj(wbits=31)
            parts.append(member.decompress(content, most + 1 - sum(map(len, parts))))
            if sum(map(len, parts)) > most:
                raise InputError(
                    f"YODA file {path}: its content is more than {most >> 20} MB; is this a YODA file?",
                    code="yoda-too-large",
                )
            if not member.eof:
                raise zlib.error("it has no end")
            content = member.unused_data.lstrip(b"\0")
    except zlib.error as error:
        raise InputError(
            f"YODA file {path}: the compressed file is cut short or damaged ({error}); write it anew",
            code="yoda-compression",
        ) from error
    return b"".join(parts)


def _decoded(content: bytes) -> str:
    """UTF-8 without its mark; what is not (an old title with an accent) is taken for Latin-1, which never fails."""
    content = content.removeprefix(b"\xef\xbb\xbf")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("latin-1")
