"""What belongs to a run that sbitune made: `run.json` names its files with their hashes, which are checked on reading.

A scan is data, wherever it comes from: names, numbers and plain files of its own directory. Nothing else is opened.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from sbitune.data.errors import InputError
from sbitune.data.formats.parameters import read_values
from sbitune.data.storage.files import hash_file, plain_file
from sbitune.data.storage.sealed import DamagedError, read_sealed, write_sealed

#: what sbitune writes down of a run that it made
RECORD = "run.json"
#: a run's values of the parameters
PARAMETERS = "params.dat"
#: beside the YODA file of a run that sbitune made
PARTS = "parts.npz"
#: beside it, of a run that keeps columns of its events
EVENTS = "events.parquet"
#: key of the hashes; records of an older sbitune have none
_FILES = "files"
#: since this format a run of Pythia keeps its parts
_WITH_PARTS = 3
#: what a record may hold
_KINDS: dict[str, type | tuple[type, ...]] = {
    "output": str, "fingerprint": str, "parameters": dict, "format": int, _FILES: dict, "pythia": str,
    "events": (int, float), "cpu_seconds": (int, float), "seconds": dict,
}  # fmt: skip


class DamagedRunError(DamagedError):
    """A file of a run cannot be read, or is not what the run left: the run itself may be sound."""


class RunRecord(NamedTuple):
    """What `run.json` says; records of an older sbitune may say less."""

    output: str  #: name of the run's YODA file
    fingerprint: str  #: of all that determines the run
    parameters: dict[str, float]
    format: int
    content: dict[str, Any]  #: all of it

    @property
    def hashes(self) -> dict[str, str] | None:
        """Hash of every file of the run, by name; None if an older sbitune made it."""
        return self.content.get(_FILES)


def write_run_record(run: Path, content: Mapping[str, Any]) -> None:
    """Write `run.json` of a run whose files are all there, with their hashes; `content` says the rest."""
    names = [PARAMETERS, str(content["output"]), *(name for name in (PARTS, EVENTS) if (run / name).exists())]
    hashes = {name: hash_file(plain_file(run / name, run)) for name in names}
    write_sealed(run / RECORD, {**content, _FILES: hashes})


def read_run_record(run: Path) -> RunRecord:
    """Read `run.json`. Raises `DamagedRunError` naming the run if it is not what was written."""
    try:
        content = read_sealed(plain_file(run / RECORD, run.resolve().parent), "record of the run", since=_FILES)
        return _checked(content)
    except InputError as error:
        raise DamagedRunError(f"run {run}: {RECORD} cannot be read ({error})") from error


def _checked(content: dict[str, Any]) -> RunRecord:
    """The record of what `run.json` holds, if that is of the types that it should be."""
    for key, kind in _KINDS.items():
        if key in content and not isinstance(content[key], kind):
            raise InputError(f"`{key}` is of another type: {str(content[key])[:60]!r}")
    output, values, hashes = content.get("output", ""), content.get("parameters", {}), content.get(_FILES, {})
    if not output or Path(output).name != output or output in (".", ".."):
        raise InputError(f"`output` is {output[:60]!r}; expected the name of a file in the run's own directory")
    for key in ("parameters", "seconds"):
        if not all(isinstance(value, int | float) for value in content.get(key, {}).values()):
            raise InputError(f"`{key}` are not all numbers")
    if not all(isinstance(value, str) and Path(name).name == name for name, value in hashes.items()):
        raise InputError(f"`{_FILES}` are not all hashes of files in the run's own directory")
    return RunRecord(output, content.get("fingerprint", ""), values, content.get("format", 0), content)


def check_run_files(run: Path, record: RunRecord) -> None:
    """Compare the files of a run with what its record says of them. Of a run without hashes the values of its
    parameters are compared, and that its parts are there.

    Raises `DamagedRunError` naming the run and a file that is missing, another one than the run left, or no plain file.
    """
    for name, hashed in (record.hashes or {}).items():
        try:
            same = hash_file(plain_file(run / name, run.resolve().parent)) == hashed
        except InputError as error:
            raise DamagedRunError(f"run {run}: {error}") from error
        if not same:
            raise DamagedRunError(
                f"run {run}: {run / name} is not what the run left: it was damaged, changed or replaced"
            )
    if record.hashes is None:
        _check_older(run, record)


def _check_older(run: Path, record: RunRecord) -> None:
    with_parts = "pythia" in record.content and record.format >= _WITH_PARTS
    if with_parts and not (run / PARTS).is_file():
        raise DamagedRunError(f"run {run}: {PARTS} is missing, which every such run has")
    path = run / PARAMETERS
    if (
        record.parameters
        and path.is_file()
        and read_values(plain_file(path, run.resolve().parent)) != record.parameters
    ):
        raise DamagedRunError(f"run {run}: {PARAMETERS} has other values than {RECORD}; one of them is of another run")
