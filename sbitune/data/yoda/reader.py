"""Reading YODA files of any generation into a dictionary of objects by path."""

import gzip
import zlib
from collections.abc import Callable
from pathlib import Path

from sbitune.data.errors import InputError
from sbitune.data.yoda import blocks, read_yoda1, read_yoda2
from sbitune.data.yoda.objects import Object

Select = Callable[[str], bool]


def read(path: str | Path, select: Select | None = None) -> dict[str, Object]:
    """Read a YODA file, compressed or not (its content tells).

    Args:
        path: The file.
        select: Called with the path of every object; those for which it is false are skipped unread.

    Returns:
        Objects by path, in the order of the file.

    Raises:
        InputError: The file cannot be read, is cut short, is no YODA, or holds a path twice. The message
            names file and line.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"YODA file {path}: {error.strerror or error}") from error
    return loads(_decoded(_decompressed(content, path)), select, str(path))


def loads(text: str, select: Select | None = None, name: str = "<string>") -> dict[str, Object]:
    """Read YODA text; see `read`. `name` stands for the file in messages."""
    text = text.replace("\r\n", "\n") if "\r" in text else text
    objects: dict[str, Object] = {}
    places: dict[str, int] = {}
    for block in blocks.find(text, name, select):
        if block.path in places:
            first = blocks.line_number(text, places[block.path])
            block.fail(f"the path occurs twice, first in line {first}; keep one of the two (or merge them)")
        places[block.path] = block.begin
        objects[block.path] = _object(block)
    return objects


def _object(block: blocks.Block) -> Object:
    if block.version == 3:
        return read_yoda2.read_block(block)
    reader = read_yoda1.READERS.get(block.kind)
    if reader is None:
        block.fail(f"the type {block.kind} is not known; leave it out with `select`")
    return reader(block)


def _decompressed(content: bytes, path: str | Path) -> bytes:
    if content[:2] != b"\x1f\x8b":
        return content
    try:
        return gzip.decompress(content)
    except (EOFError, OSError, zlib.error) as error:
        raise InputError(
            f"YODA file {path}: the compressed file is cut short or damaged ({error}); write it anew"
        ) from error


def _decoded(content: bytes) -> str:
    """UTF-8; a file that is not (an old title with an accent) is taken for Latin-1, which never fails."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("latin-1")
