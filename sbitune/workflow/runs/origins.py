"""The files behind a stored scan: what it was read from, and what the runs left of which it was made."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from sbitune.data.errors import InputError
from sbitune.data.formats.professor import PARAMETER_FILES
from sbitune.data.formats.recognition import YODA, layout_of
from sbitune.data.formats.runfiles import PARTS, RECORD, check_run_files, read_run_record
from sbitune.data.storage.files import hash_file, plain_file
from sbitune.workflow.cards.scancard import ScanCardFile
from sbitune.workflow.opening import open_scan_card

#: of a run directory, beside YODA files
_OF_A_RUN = (*PARAMETER_FILES, RECORD, PARTS)
#: stands for the hash of what is no plain file of the scan, which no reader opens
_NOT_PLAIN = "no plain file"


def is_inside(directory: Path, name: str) -> bool:
    """Whether a plain file, or a directory, of this name lies in a directory, or nothing does."""
    place = (directory / name).resolve()
    return directory in place.parents and (place.is_file() or place.is_dir() or not place.exists())


def hash_scan_files(loaded: ScanCardFile) -> dict[str, str] | None:
    """Hashes of the files that the scan which a card names is read from, by their names in its directory.

    None if there is nothing (any more), as where only a card and its `work/` were copied. Raises `InputError` if what
    is there is no scan.
    """
    place = loaded.directory / str(loaded.card.scan.directory)
    if not place.exists() or (place.is_dir() and not any(place.iterdir())):
        return None
    if not place.is_dir():
        return {place.name: _hash(place, place.parent.resolve())} if place.is_file() else {}
    return {path.relative_to(place).as_posix(): _hash(path, place.resolve()) for path in _files_of(place)}


def _files_of(place: Path) -> Iterator[Path]:
    """The files that `load_scan` may open in a directory, in an order of their own."""
    layout = layout_of(place)
    if isinstance(layout, Path):
        yield layout
    elif layout == "card":
        yield from _files_of_card(place)
    elif layout == "mcnntunes":
        yield from _yoda_files(place)
    else:
        for run in sorted(item for item in place.iterdir() if item.is_dir() and not item.name.startswith(".")):
            yield from _yoda_files(run)
            yield from (run / name for name in _OF_A_RUN if (run / name).exists())


def _files_of_card(place: Path) -> Iterator[Path]:
    """Those of another card: the scan that it has, or the files in its own directory of which it is read."""
    theirs = open_scan_card(place)
    yield place / theirs.path.name
    if not theirs.unread:
        yield from (path for path in (place / "work/scan.npz",) if path.exists())
        return
    for name in (theirs.card.weights, theirs.card.scan.directory):
        if name is not None and is_inside(theirs.directory, name) and (place / name).exists():
            yield from _files_of(place / name) if (place / name).is_dir() else (place / name,)


def _yoda_files(folder: Path) -> Iterator[Path]:
    yield from sorted(p for p in folder.iterdir() if p.name.endswith(YODA) and not p.name.startswith("."))


def _hash(path: Path, home: Path) -> str:
    try:
        return hash_file(plain_file(path, home))
    except InputError:
        return _NOT_PLAIN


def changed_files(loaded: ScanCardFile, known: Mapping[str, str]) -> list[str]:
    """Names of the files that are not what was `known` of them when the card's scan was read from them, of those that
    are gone and those that are new; none if nothing is there any more.
    """
    try:
        now = hash_scan_files(loaded)
    except InputError as error:
        return [str(error)]
    if now is None:
        return []
    changed = [name + ("" if name in now else " (gone)") for name, made in known.items() if now.get(name) != made]
    return changed + [f"{name} (new)" for name in now if name not in known]


def changed_runs(directory: Path, runs: Sequence[str]) -> list[str]:
    """Names of the runs of a campaign whose files are not what these left. Runs that are not there any more, to save
    space say, are not among them.
    """
    changed = []
    for name in runs:
        run = directory / name
        try:
            if run.is_dir():
                check_run_files(run, read_run_record(run))
        except InputError:
            changed.append(name)
    return changed
