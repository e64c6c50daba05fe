"""Notes that sbitune writes for itself: JSON objects with a hash of their own content, so that damage is told."""

import json
from pathlib import Path
from typing import Any

from sbitune.data.errors import InputError
from sbitune.data.storage.files import hash_bytes, read_json, write_text

#: key of the hash
SEAL = "hash"


class DamagedError(InputError):
    """A file that sbitune wrote is not what it wrote: it is to be made again, whatever it belongs to."""


def write_sealed(path: str | Path, content: dict[str, Any]) -> None:
    """Write a JSON object with a hash of it, whole or not at all; a hash that it has is replaced."""
    content = {key: value for key, value in content.items() if key != SEAL}
    write_text(path, json.dumps(content | {SEAL: _seal(content)}, indent=1) + "\n")


def read_sealed(path: str | Path, what: str, since: str | None = None) -> dict[str, Any]:
    """Read what `write_sealed` wrote, without the hash.

    `since`: a key that came with hashes; a file without both, of an older sbitune, is taken as it is.

    Raises:
        DamagedError: naming `what` and the path, if it is not there, is no JSON object, or its content is not what was
            written.
    """
    try:
        content = read_json(path, what)
    except InputError as error:
        raise DamagedError(str(error)) from error
    if since is not None and not {SEAL, since} & set(content):
        return content
    sealed = SEAL in content
    if content.pop(SEAL, None) != _seal(content):
        older = "" if sealed else ": it has no hash, as those of an older one"
        raise DamagedError(f"{what} {path}: its content is not what this sbitune wrote{older}")
    return content


def _seal(content: dict[str, Any]) -> str:
    """Hash of the content as it comes back from a file: JSON knows no tuples, and no keys but text."""
    return hash_bytes(json.dumps(json.loads(json.dumps(content)), sort_keys=True).encode())
