"""What is noted of a scan beside it: what made it, and what was found in it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from sbitune.data.checks.examination import Finding
from sbitune.data.errors import InputError
from sbitune.data.storage.files import hash_bytes, hash_file
from sbitune.data.storage.sealed import write_sealed
from sbitune.data.text.names import list_names
from sbitune.generators.config import PythiaConfig
from sbitune.workflow.cards.scancard import ScanCardFile
from sbitune.workflow.results.sealednotes import read_note
from sbitune.workflow.runs.origins import changed_files
from sbitune.workflow.stages import StaleError

SCAN = "scan.npz"
_NOTE = "findings.json"
_READ_FROM = "read_from"
#: rules that select bins, and rules of weight 0
_SELECTED, _LEFT = "selected", "left out"
#: what of `scan` decides about the runs, of a scan that is made and of one that exists
_MADE = ("runs", "events", "seed", "design", "bad_runs", "bad_bins", "weight")
_EXISTING = ("directory", "bad_runs", "bad_bins", "weight")


class ScanNote(NamedTuple):
    """`work/findings.json`."""

    findings: tuple[Finding, ...]  #: what was found in the scan
    made_of: dict[str, Any] | None = None  #: what the card asked for; None if an older sbitune made the scan
    scan: str | None = None  #: hash of the scan's file
    read_from: dict[str, str] | None = None  #: hashes of the files that it was read from, if runs are others'


class _Found(msgspec.Struct, frozen=True):
    """A `Finding` as it is written."""

    kind: str
    what: str
    where: tuple[str, ...]
    done: str
    fatal: bool = False


class _Note(msgspec.Struct, frozen=True):
    findings: list[_Found]
    made_of: dict[str, Any] | None = None
    scan: str | None = None
    read_from: dict[str, str] | None = None


def write_scan_note(loaded: ScanCardFile, found: Sequence[Finding], read_from: Mapping[str, str] | None = None) -> None:
    """Write down what was found in the scan that lies in `work/`, what the card asked for, and the hashes of the files
    that it was read from, see `origins.hash_scan_files`.
    """
    content = {
        "findings": [finding._asdict() for finding in found],
        "made_of": _asked(loaded),
        "scan": hash_file(loaded.work / SCAN),
    }
    content |= {} if read_from is None else {_READ_FROM: dict(read_from)}
    write_sealed(loaded.work / _NOTE, content)


def read_scan_note(loaded: ScanCardFile) -> ScanNote | None:
    """What was noted of the scan; None if nothing was. Raises `StaleError` if it cannot be read."""
    path = loaded.work / _NOTE
    if not path.exists():
        return None
    try:
        note = _older(path) or read_note(path, _Note, "findings")
        found = tuple(Finding(*msgspec.structs.astuple(row)) for row in note.findings)
        msgspec.convert((note.made_of or {}).get("observables", {}), dict[str, list[str]])
        return ScanNote(found, note.made_of, note.scan, note.read_from)
    except (InputError, msgspec.ValidationError) as error:
        raise StaleError(f"{path}: cannot be read ({error}); run `sbitune scan {loaded.path}` again") from error


def _older(path: Path) -> _Note | None:
    """What an older sbitune noted: the findings alone."""
    try:
        return _Note(msgspec.json.decode(path.read_bytes(), type=list[_Found]))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def check_scan_note(loaded: ScanCardFile) -> None:
    """Compare the scan in `work/` with what was noted of it: that it is the scan that was made, that the card asks for
    it, and that the files that it was read from are what they were. Of a scan of an older sbitune nothing is known.

    Raises `StaleError` naming what has changed.
    """
    note = read_scan_note(loaded)
    path, again = loaded.work / SCAN, f"run `sbitune scan {loaded.path}` again"
    if note is None or note.made_of is None:
        return
    if hash_file(path, "scan") != note.scan:
        raise StaleError(f"{path}: not the scan that was made; {again}")
    asked = _asked(loaded)
    rules, known = asked.pop("observables"), note.made_of.get("observables", {})
    changed = [key for key, value in asked.items() if note.made_of.get(key) != value]
    # fewer bins than were read are taken from those that are there
    if set(rules[_SELECTED]) - set(known.get(_SELECTED, [])) or set(known.get(_LEFT, [])) - set(rules[_LEFT]):
        changed.append("observables")
    if changed:
        raise StaleError(f"{path}: the card asks for another scan, {' and '.join(changed)} changed; {again}")
    changed = [] if note.read_from is None else changed_files(loaded, note.read_from)
    if changed:
        place = loaded.directory / str(loaded.card.scan.directory)
        told = f"the files of {place} have changed since they were read, {list_names(changed)}"
        raise StaleError(f"{path}: {told}; {again}")


def _asked(loaded: ScanCardFile) -> dict[str, Any]:
    """All of a card that decides about its scan, by the card's keys."""
    scan = loaded.card.scan
    existing = scan.directory is not None
    asked: dict[str, Any] = {f"scan.{key}": getattr(scan, key) for key in (_EXISTING if existing else _MADE)}
    if not existing:
        box = {name: [p.low, p.high, p.bias] for name, p in loaded.card.parameters.items()}
        extra = [] if scan.extra is None else [_content(loaded.directory / scan.extra)]
        asked |= {"parameters": box, "scan.extra": hash_bytes(*extra), "generator": _hash_generator(loaded)}
    rules = loaded.rules()
    asked["observables"] = {
        _SELECTED: [_spell(rule) for rule in rules if rule.weight > 0],
        _LEFT: [_spell(rule) for rule in rules if rule.weight == 0],
    }
    return asked


def _hash_generator(loaded: ScanCardFile) -> str:
    generator = loaded.card.generator
    files: tuple[str, ...] = ()
    if generator is not None:
        files = generator.analysis_files if isinstance(generator, PythiaConfig) else generator.templates
    return hash_bytes(msgspec.json.encode(generator), *(_content(loaded.directory / name) for name in files))


def _content(path: Path) -> bytes:
    """Content of a file of the card; what is missing has none, and whoever needs it says so."""
    return path.read_bytes() if path.is_file() else b""


def _spell(rule: Any) -> str:
    return repr((rule.path, rule.by, rule.first, rule.last, rule.exact))
