"""From one of the field's files to another, wherever the content allows.

YODA                       YODA 1 or 2, gzip; Apprentice's JSON of measured values
Apprentice's JSON          YODA, with the bins of some file or measurement (the JSON has labels alone)
a scan, of any layout      scan.npz, Apprentice's HDF5, Professor's run directories, MCNNTunes' directory, limits
surrogate.npz, a card      Professor's ipol.dat, limits
ipol.dat                   ipol.dat of format `binned 3`, limits
result.yaml                Professor's results.txt, `NAME value`
results.txt                `NAME value`
weight file                weight file of either generation
a table of events          Parquet, npz, HDF5, CSV
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from sbitune.data import measured
from sbitune.data.errors import InputError
from sbitune.data.events import TableRequest
from sbitune.data.events.tables.converting import convert_table
from sbitune.data.formats import apprentice, mcnntunes, professor_writer
from sbitune.data.formats.ipol import write_ipol
from sbitune.data.formats.parameters import write_limits, write_values
from sbitune.data.formats.professor import Reading
from sbitune.data.formats.professor_results import ProfessorResult, read_result, write_result
from sbitune.data.formats.recognition import HDF5, YODA, Kind, recognise
from sbitune.data.formats.selection import read_weights
from sbitune.data.formats.weight_writer import write_weights
from sbitune.data.parameter import Parameter
from sbitune.data.reference import Reference, read_reference
from sbitune.data.reporting import QUIET, LeftOut, Reporter
from sbitune.data.scan import Scan
from sbitune.data.scatters import scatters_of
from sbitune.data.storage.files import check_suffix
from sbitune.data.text.names import nearest
from sbitune.data.text.numbers import quoted
from sbitune.data.text.paths import analysis_of
from sbitune.data.text.patterns import compile_pattern
from sbitune.data.yoda import Scatter
from sbitune.tuning.record.result import read_record
from sbitune.tuning.record.types import ResultRecord
from sbitune.tuning.surrogates.ipol.export import to_ipol
from sbitune.tuning.tools.models import open_model
from sbitune.workflow.opening import is_card, open_scan_card
from sbitune.workflow.runs.scanning import load_scan

Target = Literal["yoda", "data", "npz", "hdf5", "runs", "mcnntunes", "limits", "ipol", "results", "parameters",
                 "weights", "weights1", "parquet", "csv"]  # fmt: skip
#: source -> what it may become, the first where the name of the target does not tell
TARGETS: dict[Kind, tuple[Target, ...]] = {
    "yoda": ("yoda", "data"),
    "data": ("yoda",),
    "scan": ("runs", "npz", "hdf5", "mcnntunes", "limits", "ipol"),
    "surrogate": ("ipol", "limits"),
    "ipol": ("ipol", "limits"),
    "result": ("results", "parameters"),
    "results": ("parameters",),
    "weights": ("weights", "weights1"),
    "events": ("parquet", "npz", "hdf5", "csv"),
}
_SUFFIXES: dict[str, Target] = {
    ".npz": "npz",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".tsv": "csv",
    **dict.fromkeys(HDF5, "hdf5"),
    ".json": "data",
    ".txt": "results",
}
#: how names of files end that are recognised by their names
_ENDINGS: dict[Target, tuple[str, ...]] = {
    "yoda": YODA,
    "data": (".json",),
    "npz": (".npz",),
    "hdf5": HDF5,
    "parquet": (".parquet", ".pq"),
    "csv": (".csv", ".tsv", ".csv.gz", ".tsv.gz"),
}
#: how names of text files end; others need --to
_TEXTS = ("", ".txt", ".dat", ".ipol", ".weights", ".wgt")


class Conversion(NamedTuple):
    """What is asked for."""

    source: str
    target: str
    to: Target | None = None  #: by default the target's name tells
    yoda_version: Literal[1, 2] = 1  #: of files and directories of YODA
    like: str | None = None  #: YODA file, directory or measurement with the bins of an Apprentice JSON
    #: of a YODA file only objects whose path matches this regular expression; of a table of events the condition of
    #: those that are kept
    select: str = ""
    bad_runs: Literal["stop", "drop"] = "stop"
    bad_bins: Literal["stop", "drop"] = "stop"
    table: TableRequest = TableRequest()  #: of a table of events what is read


def target_of(source: Kind, target: str) -> Target:
    """What the name of a target says that it shall be, among what the source can become.

    Raises `InputError` if the source cannot become that, or the name ends as that of no file that sbitune knows.
    """
    possible = TARGETS.get(source, ())
    path = Path(target)
    if path.name.endswith(YODA):
        named: Target | None = "yoda"
    elif path.name.endswith(_ENDINGS["csv"]):
        named = "csv"
    elif path.suffix == ".txt" and "results" not in possible:
        named = None
    elif path.suffix == ".dat" and "ipol" in possible:
        named = "ipol"
    elif path.suffix == ".dat" and "parameters" in possible:
        named = "parameters"
    else:
        named = _SUFFIXES.get(path.suffix)
    if named is None and source == "scan" and path.suffix:
        raise InputError(
            f"{target}: the name must end in .yoda, .yoda.gz, .npz, .h5, or in nothing for a directory; or say with "
            "--to what it shall be"
        )
    if named is None and possible and path.suffix not in _TEXTS:
        check_suffix(target, tuple({end: 0 for what in possible for end in _ENDINGS.get(what, _TEXTS[1:])}))
    named = named or (possible[0] if possible else None)
    if named is None or named not in possible:
        raise InputError(f"{target}: a file of the kind `{source}` cannot become this; {_ways(source)}")
    return named


def convert(asked: Conversion, reporter: Reporter = QUIET) -> dict[str, Any]:
    """Convert; gives the figures of what was written.

    Raises:
        InputError: for what cannot be read, cannot become the target, or cannot be written in its format.
    """
    source = _source_of(asked)
    target = asked.to or target_of(source, asked.target)
    if target not in TARGETS.get(source, ()):
        raise InputError(f"{asked.source}: of the kind `{source}`; {_ways(source)}, not {target}")
    if target in _ENDINGS:
        check_suffix(asked.target, _ENDINGS[target])
    return _WRITERS[source](asked, target, reporter) | {"from": source, "to": target, "output": asked.target}


def _source_of(asked: Conversion) -> Kind:
    """What the source holds. Text is taken for a table of events where the target can be nothing else."""
    path = Path(asked.source)
    only = asked.to in ("parquet", "csv") or (
        asked.to is None and asked.target.endswith((*_ENDINGS["parquet"], *_ENDINGS["csv"]))
    )
    arrays = asked.to in ("npz", "hdf5") or (asked.to is None and asked.target.endswith((".npz", *HDF5)))
    if path.is_file() and path.suffix not in (".npz", *HDF5) and (only or (arrays and path.suffix in (".txt", ".dat"))):
        return "events"
    source = recognise(path)
    return "scan" if source == "result" and is_card(path) else source


def _ways(source: Kind) -> str:
    possible = TARGETS.get(source, ())
    return f"it can become {', '.join(possible)}" if possible else "it can be read only"


def _from_yoda(asked: Conversion, target: Target, reporter: Reporter) -> dict[str, Any]:
    from sbitune.data import yoda

    if target == "yoda":
        pattern, names = compile_pattern(asked.select, "--select"), []
        objects = yoda.read(asked.source, lambda path: names.append(path) or bool(pattern.search(path)))
        if asked.select and not objects:
            near = nearest(asked.select, names)
            raise InputError(f"--select {quoted(asked.select)}: no object of {asked.source} matches{near}")
        yoda.write(asked.target, objects, version=asked.yoda_version)
        return {"objects": len(objects)}
    reference = read_reference([asked.source])
    keep = np.isfinite(reference.values) & np.isfinite(reference.errors)
    if not keep.all():
        lost = reference.bins.take(np.flatnonzero(~keep)).labels()
        reporter.say(LeftOut(f"{len(lost)} bins without a value, the first {lost[0]}"))
    kept = reference.take(np.flatnonzero(keep))
    apprentice.write_data(asked.target, kept.bins.labels(), kept.values, kept.errors)
    return {"bins": len(kept.bins)}


def _from_data(asked: Conversion, target: Target, reporter: Reporter) -> dict[str, Any]:
    from sbitune.data import yoda

    labels, values, errors = apprentice.read_data(asked.source)
    reference = _bins_like(asked, labels)
    place = {label: i for i, label in enumerate(reference.bins.labels())}
    unknown = [label for label in labels if label not in place]
    if unknown:
        raise InputError(
            f"{asked.source}: {unknown[0]} is not a bin of {asked.like or 'the measurements'}; give a file with the "
            "bins of all of them as --like"
        )
    bins = reference.bins.take(np.array([place[label] for label in labels]))
    scatters = scatters_of(bins, values, errors, {"IsRef": "1"})
    objects = [Scatter(f"/REF{s.path}", s.values, s.minus, s.plus, annotations=s.annotations) for s in scatters]
    yoda.write(asked.target, objects, asked.yoda_version, professor_writer.DIGITS)
    return {"bins": len(bins), "objects": len(objects)}


def _bins_like(asked: Conversion, labels: Sequence[str]) -> Reference:
    if asked.like is not None:
        reference = read_reference([asked.like])
        if np.isinf(reference.bins.low).any():
            raise InputError(f"--like {asked.like}: it has no edges of bins either; give a YODA file or measurement")
        return reference
    known = [name for name in dict.fromkeys(analysis_of(label) for label in labels) if name in measured.names()]
    if not known:
        raise InputError(
            f"{asked.source}: the file has no edges of bins; give a YODA file or measurement with the same bins: --like"
        )
    return read_reference(known)


def _from_scan(asked: Conversion, target: Target, reporter: Reporter) -> dict[str, Any]:
    if target == "ipol":
        return _to_ipol(asked, reporter)
    scan = _read_scan(asked, reporter)
    figures = {"runs": len(scan.runs), "parameters": len(scan.parameters), "bins": len(scan.bins)}
    if target == "npz":
        scan.save(asked.target)
    elif target == "hdf5":
        apprentice.write_scan(asked.target, scan)
    elif target == "limits":
        _write_box(asked.target, scan.parameters)
    else:
        _write_directory(asked, target, scan, reporter)
    return figures


def _write_directory(asked: Conversion, target: Target, scan: Scan, reporter: Reporter) -> None:
    if scan.correlation is not None:
        reporter.say("the correlation of Monte Carlo errors between bins has no place in run directories")
    if any("/" in run for run in scan.runs):
        reporter.say(f"runs are called by numbers: {scan.runs[0]!r} is no name for a directory")
        scan = professor_writer.number_runs(scan)
    if target == "runs":
        professor_writer.write_runs(asked.target, scan, asked.yoda_version)
    else:
        mcnntunes.write_scan(asked.target, scan, asked.yoda_version)


def _read_scan(asked: Conversion, reporter: Reporter) -> Scan:
    reading = Reading((), asked.bad_runs, asked.bad_bins, tell=reporter.say)
    return load_scan(open_scan_card(asked.source).directory if is_card(asked.source) else asked.source, reading)


def _from_surrogate(asked: Conversion, target: Target, reporter: Reporter) -> dict[str, Any]:
    if target == "ipol":
        return _to_ipol(asked, reporter)
    model = open_model(asked.source, reporter).model
    _write_box(asked.target, model.parameters)
    return {"parameters": len(model.parameters)}


def _to_ipol(asked: Conversion, reporter: Reporter) -> dict[str, Any]:
    if recognise(asked.source) == "scan" and not is_card(asked.source):
        raise InputError(f"{asked.source}: a scan is not an ipol.dat yet; train it first: sbitune train ... -o s.npz")
    opened = open_model(asked.source, reporter)
    interpolation, accuracy = to_ipol(opened.model, opened.runs)
    write_ipol(asked.target, interpolation)
    reporter.say(accuracy.note)
    if opened.runs and not interpolation.runs:
        reporter.say("names of runs have blanks or `#`, which the format cannot hold: it has their number")
    figures = {"bins": len(interpolation.bins), "parameters": len(interpolation.parameters)}
    return figures | {name: value for name, value in accuracy._asdict().items() if name != "note"}


def _write_box(path: str, parameters: Sequence[Parameter]) -> None:
    write_limits(path, {p.name: (p.low, p.high) for p in parameters})


def _from_result(asked: Conversion, target: Target, reporter: Reporter) -> dict[str, Any]:
    result = professor_result(read_record(Path(asked.source)))
    if target == "results":
        write_result(asked.target, result)
    else:
        write_values(asked.target, result.values)
    return {"parameters": len(result.values)}


def professor_result(record: ResultRecord) -> ProfessorResult:
    """A `result.yaml` as Professor writes results; fixed parameters have no errors there."""
    names = list(record.parameters)
    fixed = np.array([p.status == "fixed" for p in record.parameters.values()])
    hidden = fixed[:, None] | fixed[None, :]
    return ProfessorResult(
        values={name: p.value for name, p in record.parameters.items()},
        gof=record.chi2,
        unit_gof=record.chi2_unit,
        ndof=record.ndf,
        errors={name: p.error for name, p in record.parameters.items() if p.status != "fixed"},
        minos={name: p.minos for name, p in record.parameters.items() if p.minos is not None},
        correlation=np.where(hidden, np.nan, np.array(record.correlation).reshape((len(names),) * 2)),
        covariance=np.where(hidden, np.nan, np.array(record.covariance).reshape((len(names),) * 2)),
        limits={name: (p.low, p.high) for name, p in record.parameters.items() if p.status != "fixed"},
        fixed={name: p.value for name, p in record.parameters.items() if p.status == "fixed"},
        weights=tuple(f"{row.path} {row.weight!r}" for row in record.observables),
        contributions={row.path: row.chi2 / row.bins for row in record.observables},
        header={"WrittenBy": f"sbitune {record.provenance.get('sbitune', '')}", "Title": record.title},
    )


def _from_results(asked: Conversion, target: Target, reporter: Reporter) -> dict[str, Any]:
    values = read_result(asked.source).values
    write_values(asked.target, values)
    return {"parameters": len(values)}


def _from_weights(asked: Conversion, target: Target, reporter: Reporter) -> dict[str, Any]:
    rules = read_weights(asked.source)
    write_weights(asked.target, rules, 1 if target == "weights1" else 2)
    return {"rules": len(rules)}


def _from_events(asked: Conversion, target: Target, reporter: Reporter) -> dict[str, Any]:
    written = convert_table(asked.source, asked.target, asked.table, asked.select)
    if written.events < written.read:
        reporter.say(f"kept: {written.events} of {written.read} events")
    return written._asdict()


_WRITERS = {
    "events": _from_events,
    "yoda": _from_yoda,
    "data": _from_data,
    "scan": _from_scan,
    "surrogate": _from_surrogate,
    "ipol": _from_surrogate,
    "result": _from_result,
    "results": _from_results,
    "weights": _from_weights,
}
