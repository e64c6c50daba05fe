"""Writing objects to YODA files of either generation."""

import gzip
from collections.abc import Iterable, Mapping
from pathlib import Path

from sbitune.data.errors import InputError
from sbitune.data.storage.files import write_bytes
from sbitune.data.text.numbers import quoted
from sbitune.data.yoda.objects import Object
from sbitune.data.yoda.text import write_yoda1, write_yoda2
from sbitune.data.yoda.text.tables import DIGITS, Numbers

#: digits of an object with the annotation `WriterDoublePrecision: 1`, which the YODA library knows
DOUBLE_DIGITS = 18


def write(
    path: str | Path, objects: Iterable[Object] | Mapping[str, Object], version: int = 1, digits: int = DIGITS
) -> None:
    """Write a YODA file, whole or not at all; compressed if its name ends in `.gz`, with reproducible bytes.

    Args:
        path: The file.
        objects: The objects in the order to write, or a dictionary of them.
        version: 1 for YODA 1 (Rivet 3), 2 for YODA 2 (Rivet 4). What one generation does not have is converted,
            see `sbitune.data.yoda.convert`.
        digits: Significant digits. 7 is what the YODA libraries write, 17 gives back every bit.

    Raises:
        InputError: An object cannot be converted, or a path occurs twice.
    """
    content = dumps(objects, version, digits).encode()
    if str(path).endswith(".gz"):
        content = gzip.compress(content, mtime=0)
    write_bytes(path, content)


def dumps(objects: Iterable[Object] | Mapping[str, Object], version: int = 1, digits: int = DIGITS) -> str:
    """YODA text of objects; see `write`."""
    if version not in (1, 2):
        raise InputError(f"YODA version {version} is not known; choose 1 or 2")
    listed = list(objects.values() if isinstance(objects, Mapping) else objects)
    _check_paths(listed)
    block = (write_yoda1 if version == 1 else write_yoda2).block
    texts = [block(obj, _numbers(obj, digits)) for obj in listed]
    return "\n".join(texts)


def _numbers(obj: Object, digits: int) -> Numbers:
    precise = str(obj.annotations.get("WriterDoublePrecision", "0")) not in ("0", "", "False")
    return Numbers(max(digits, DOUBLE_DIGITS) if precise else digits)


def _check_paths(objects: list[Object]) -> None:
    seen = set()
    for obj in objects:
        if obj.path in seen:
            raise InputError(f"{obj.path}: two objects have this path; give one of them another")
        if "\n" in obj.path:
            raise InputError(f"{quoted(obj.path)}: a path must not contain a line break")
        seen.add(obj.path)
