"""Notes in `work/`, sealed with a hash of their own: read into typed records, as a hash can be that of anything."""

from pathlib import Path
from typing import Any, TypeVar

import msgspec

from sbitune.data.storage.sealed import DamagedError, read_sealed

T = TypeVar("T")


def read_note(path: Path, kind: type[T], what: str) -> T:
    """Read what `write_sealed` wrote into a record; keys that it does not know are passed over.

    Raises `DamagedError` naming the path, and the key for a part of another type.
    """
    return as_record(path, read_sealed(path, what), kind, what)


def as_record(path: Path, content: Any, kind: type[T], what: str, above: str = "") -> T:
    """The content of a note, or the part of it below the key `above`, as a record. Raises `DamagedError` as `read_note`
    does.
    """
    try:
        return msgspec.convert(content, kind)
    except msgspec.ValidationError as error:
        words, _, place = str(error).partition(" - at `$")
        key = ".".join(part for part in (above, place.strip(".`")) if part)
        raise DamagedError(f"{path}: {key or what}: {words}") from error
