"""Records of results: YAML files that end with a hash of their own lines, read back into their types."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec
import numpy as np
import yaml

from sbitune.data.errors import InputError, naming_file
from sbitune.data.storage.files import hash_bytes, read_text, write_text
from sbitune.workflow.cards.yamlfile import read_card

R = TypeVar("R", bound=msgspec.Struct)
#: begins the last line, before the hash of all lines above
_SEAL = "# hash of the lines above: "


class Format(NamedTuple):
    """How the result of a family is kept."""

    version: int  #: that is written, the record's `format`
    again: str  #: the command that makes it: `sbitune fit`
    head: str = ""  #: lines of comments at the top
    unsealed: tuple[int, ...] = ()  #: versions of an older sbitune, which have no hash of their own lines
    what: str = "result"  #: how it is called in messages
    check: Callable[[Any], None] = lambda record: None  #: raises `InputError` for parts that do not belong together


def write_record(path: Path, record: msgspec.Struct, form: Format) -> None:
    """Write a record, whole or not at all."""
    write_sealed_yaml(path, form.head, msgspec.to_builtins(record, enc_hook=_number))


def read_record(path: Path, kind: type[R], form: Format) -> R:
    """Read a record of this kind.

    Raises `InputError` if it is not there, of another format, or not what was written, and with the key for parts of
    another type, or that do not belong together.
    """
    again = f"run `{form.again} {path.parent}`"
    if not path.is_file():
        raise InputError(f"{path}: not made yet; {again} first")
    try:
        sealed = is_sealed(path, form.what)
        record = read_card(path, kind, form.what)
        with naming_file(path):
            form.check(record)
    except InputError as error:
        raise InputError(f"{error}; {again} again") from error
    version = getattr(record, "format", form.version)
    if version not in (form.version, *form.unsealed):
        raise InputError(f"{path}: format {version}; this sbitune reads format {form.version}; {again} again")
    if version == form.version and not sealed:
        raise InputError(f"{path}: the {form.what} is not whole, its last line is missing; {again} again")
    return record


def write_sealed_yaml(path: str | Path, head: str, content: Any) -> None:
    """Write a YAML file, whole or not at all: comments, content, and a hash of both, which tells of changes."""
    body = yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=110, allow_unicode=True)
    text = head + body
    write_text(path, f"{text}{_SEAL}{hash_bytes(text.encode())}\n")


def is_sealed(path: str | Path, what: str) -> bool:
    """Whether a YAML file ends with the hash of its own lines; those of an older sbitune do not.

    Raises `InputError` if the hash is that of other lines.
    """
    text, seal, said = read_text(path, what).rpartition(_SEAL)
    if seal and said.strip() != hash_bytes(text.encode()):
        raise InputError(f"{path}: the {what} is not what sbitune wrote: it was changed or damaged")
    return bool(seal)


def _number(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value)} cannot be written to a result")
