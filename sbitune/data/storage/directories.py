"""Directories that are written whole or not at all."""

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from sbitune.data.errors import InputError
from sbitune.data.storage.files import naming_full
from sbitune.data.storage.locks import sweep, try_lock
from sbitune.data.text.numbers import quoted


@contextlib.contextmanager
def whole_directory(directory: str | Path) -> Iterator[Path]:
    """Give a temporary directory beside `directory`; it takes its place when the block ends without an error. What a
    kill left of an earlier attempt is removed.

    Raises `InputError` if `directory` is there and not empty: nothing is overwritten.
    """
    directory = Path(directory)
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise InputError(f"{directory}: is there already, and not empty; give another directory or remove it")
    directory.parent.mkdir(parents=True, exist_ok=True)
    sweep(directory.parent, directory.name)
    temporary = directory.with_name(f".tmp-{secrets.token_hex(4)}-{directory.name}")
    temporary.mkdir()  # with the user's own permissions, which tempfile would narrow
    handle = os.open(temporary, os.O_RDONLY)
    try:
        try_lock(handle)
        with naming_full(directory):
            yield temporary
        temporary.replace(directory)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        os.close(handle)


def check_names(names: Sequence[str]) -> None:
    """Refuse names of runs that cannot be names of files: Apprentice calls a run by the path of its directory."""
    for name in names:
        if not name or "/" in name or "\0" in name or name.startswith("."):
            raise InputError(
                f"run {quoted(name)}: no name for a file; name the runs by their numbers first, with `number_runs`"
            )
