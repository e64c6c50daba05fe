"""Scans of MCNNTunes: one YODA file a run, whose objects carry the parameters as annotations.

Every histogram of a run has `Tune_Parameter_NAME: value` for each parameter, and is a Scatter2D. MCNNTunes finds the
parameters in its first file and takes the values of the last object it reads; here every object must have all of them,
and the same values.

Source: github.com/N3PDF/mcnntunes, `src/mcnntunes/yodaio.py` (Data) and `scripts/mcnntunes_buildruns.py`;
arXiv:2010.02213.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from sbitune.data import yoda
from sbitune.data.errors import InputError, naming_file
from sbitune.data.formats.finals import read_final
from sbitune.data.formats.professor import Reading, assemble, make_row, settle_faults, tell_left
from sbitune.data.formats.professor_writer import DIGITS
from sbitune.data.formats.runrows import Row, by_name, check_like
from sbitune.data.parameter import Parameter
from sbitune.data.scan import Scan
from sbitune.data.scatters import histograms_of, scatters_of
from sbitune.data.storage.directories import check_names, whole_directory
from sbitune.data.storage.files import plain_file
from sbitune.data.text.names import shorten
from sbitune.data.text.numbers import finite

TAG = "Tune_Parameter_"
SUFFIXES = (".yoda", ".yoda.gz")


def read_scan(
    source: str | Path | Sequence[str | Path],
    parameters: Sequence[Parameter] | None = None,
    reading: Reading = Reading(),
) -> Scan:
    """Read a scan from the YODA files of a directory, or from a list of files; a run is called as its file.

    Args:
        source: a directory with one file a run, or the files.
        parameters: names and ranges; by default those of the first file and the range that the runs span.
        reading: which bins to read and what to do with faulty runs and bins; `parameter_file` has no meaning here.

    Raises:
        InputError: naming all files and objects that lack an annotation or disagree on it, runs with other bins or
            parameters, bins that are not finite; or there is no file.
    """
    rows: list[Row] = []
    faults: list[InputError] = []
    left: list[str] = []
    for file in _files(source):
        try:
            names = tuple(p.name for p in parameters) if parameters else rows[0].names if rows else ()
            if isinstance(source, str | Path):  # what lies in a directory is data; files that are named are the user's
                plain_file(file, source, "run")
            row = _read_row(file, names, replace(reading, tell=left.append))
            row = by_name(row, rows)
            check_like(file, row, rows, named=bool(parameters))
            rows.append(row)
        except InputError as error:
            faults.append(error)
    settle_faults(faults, reading)
    tell_left(left, reading.tell)
    with naming_file(source if isinstance(source, str | Path) else _files(source)[0].parent):
        return assemble(rows, parameters, reading)


def write_scan(directory: str | Path, scan: Scan, version: Literal[1, 2] = 1) -> None:
    """Write `directory/RUN.yoda` for every run, all or nothing; numbers come back exactly.

    MCNNTunes reads YODA 1. What is lost is told in `sbitune.data.formats.professor_writer.write_runs`.

    Raises `InputError` if the directory is not empty, or a run, path or bin cannot be written, with its name.
    """
    check_names(scan.runs)
    with whole_directory(directory) as temporary:
        for row, run in enumerate(scan.runs):
            theta = zip(scan.parameters, scan.theta[row].tolist(), strict=True)
            notes = {f"{TAG}{parameter.name}": value for parameter, value in theta}
            scatters = scatters_of(scan.bins, scan.values[row], scan.errors[row], notes)
            yoda.write(temporary / f"{run}.yoda", scatters, version, DIGITS)


def _files(source: str | Path | Sequence[str | Path]) -> list[Path]:
    if not isinstance(source, str | Path):
        files = [Path(file) for file in source]
        if not files:
            raise InputError("scan: no file is given")
        return files
    folder = Path(source)
    if not folder.is_dir():
        raise InputError(f"scan {folder}: no such directory")
    files = sorted(p for p in folder.iterdir() if p.name.endswith(SUFFIXES) and not p.name.startswith("."))
    if not files:
        raise InputError(f"scan {folder}: no .yoda or .yoda.gz file, one a run as MCNNTunes has them")
    return files


def _read_row(file: Path, names: tuple[str, ...], reading: Reading) -> Row:
    # objects of other dimensions have no bins, and may go without parameters
    finals = read_final(file, reading.wants, reading.weight, reading.tell)
    objects = [item for item in finals.values() if len(histograms_of([item]).bins)]
    if not objects:
        raise InputError(f"run {file}: no final histogram")
    row = make_row(file, _parameters(file, objects), histograms_of(objects), names, reading)
    return row._replace(name=_run_name(file))


def _run_name(file: Path) -> str:
    return file.name.removesuffix(".gz").removesuffix(".yoda")


def _parameters(file: Path, objects: Iterable[Any]) -> dict[str, float]:
    """The parameters that all objects of a run agree on. Raises `InputError` naming every object that does not."""
    noted = {item.path: _noted(file, item) for item in objects}
    names = list(dict.fromkeys(name for values in noted.values() for name in values))
    if not names:
        raise InputError(f"run {file}: no object has an annotation {TAG}NAME")
    faults = []
    for name in names:
        without = [path for path, values in noted.items() if name not in values]
        values = {path: values[name] for path, values in noted.items() if name in values}
        first, value = next(iter(values.items()))
        others = [path for path, other in values.items() if other != value]
        if without:
            faults.append(f"{TAG}{name} is missing in {', '.join(without)}")
        if others:
            faults.append(f"{TAG}{name} is {value!r} in {first}, another value in {', '.join(others)}")
    if faults:
        raise InputError(f"run {file}: {'; '.join(faults)}")
    return {name: next(iter(noted.values()))[name] for name in names}


def _noted(file: Path, item: Any) -> dict[str, float]:
    values: dict[str, float] = {}
    for key, text in item.annotations.items():
        if not key.startswith(TAG) or key == TAG:
            continue
        try:
            values[key.removeprefix(TAG)] = finite(str(text))
        except ValueError as error:
            raise InputError(f"run {file}: {item.path}: {shorten(key)}: {error}") from None
    return values
