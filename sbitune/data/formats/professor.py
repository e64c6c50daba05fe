"""Run directories as Professor and Apprentice read them: `0000/params.dat` beside one or more YODA files."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from sbitune.data import yoda
from sbitune.data.bins import Bins
from sbitune.data.correlation import MOST_BINS, Parts, measure_errors, pool_correlation
from sbitune.data.errors import EmptySelectionError, InputError, naming_file
from sbitune.data.formats.finals import read_final
from sbitune.data.formats.parameters import read_values
from sbitune.data.formats.runfiles import PARAMETERS, PARTS, RECORD, DamagedRunError, check_run_files, read_run_record
from sbitune.data.formats.runrows import Row, by_name, check_like
from sbitune.data.formats.selection import Rule, wanted_by, weights_of
from sbitune.data.histograms import Histograms
from sbitune.data.parameter import Parameter
from sbitune.data.reporting import LeftOut
from sbitune.data.scan import Scan
from sbitune.data.scatters import NEGATIVE, histograms_of
from sbitune.data.storage.arrays import read_arrays
from sbitune.data.storage.files import plain_file
from sbitune.data.storage.layout import ArraySpec, check_arrays

#: what to do with a run that cannot be used: stop with an error that names it, or leave it out and say so
OnBad = Literal["stop", "drop"]
PARTS_LAYOUT = {
    "values": ArraySpec(("n_parts", "n_bins"), np.floating, finite=False),  # a bin of a profile may be empty in a part
    "events": ArraySpec(("n_parts",), low=1, needed=False),
    "path": ArraySpec(("n_bins",), np.str_),
    "index": ArraySpec(("n_bins",), np.int64, low=0),
}
PARAMETER_FILES = (PARAMETERS, "used_params")
#: so many faulty runs are told in full
MOST_FAULTS = 8
_LEAVE_OUT = "To leave such runs out, set `bad_runs: drop` (`--bad-runs drop`)."
#: a quoted error that is off by this factor is told
_WORTH_TELLING = 1.2


def read_run(
    directory: str | Path,
    wanted: Callable[[str], bool] = lambda path: True,
    tell: Callable[[str], None] = lambda message: None,
    weight: str = "",
) -> Histograms:
    """Read all final histograms of one run. Raises `InputError` naming the file and what is wrong with it.

    `wanted` tells which by their paths; `tell` receives a message for every faulty object of a file that is not
    selected; `weight` is the name of the weight, the nominal one if there is none.
    """
    directory = Path(directory)
    files = _files(directory)
    objects: dict[str, yoda.Object] = {}
    for file in files:
        try:
            found = read_final(file, wanted, weight, tell)
        except EmptySelectionError:
            raise
        except InputError as error:
            raise DamagedRunError(str(error)) from error
        for path, item in found.items():
            if path in objects:
                raise InputError(
                    f"run {directory}: {path} is in two of {', '.join(f.name for f in files)}; keep one file"
                )
            objects[path] = item
    try:
        histograms = histograms_of(objects.values())
    except InputError as error:
        raise InputError(f"run {directory}: {error}") from error
    if not len(histograms.bins):
        raise InputError(f"run {directory}: no final histogram in {', '.join(f.name for f in files)}")
    return histograms


def _files(directory: Path) -> list[Path]:
    """The YODA files of a run: the one that sbitune's record of the run names, else all that there are."""
    if (directory / RECORD).is_file():
        record = read_run_record(directory)
        check_run_files(directory, record)
        files = [directory / record.output]
    else:
        files = sorted(p for p in directory.iterdir() if p.name.endswith((".yoda", ".yoda.gz")) and p.name[0] != ".")
    if not files:
        raise InputError(f"run {directory}: no .yoda or .yoda.gz file")
    return [_own(directory, file.name) for file in files]


def _own(run: Path, name: str) -> Path:
    """A file of a run, which must lie in its scan. Raises `DamagedRunError` if it does not."""
    try:
        return plain_file(run / name, run.resolve().parent)
    except InputError as error:
        raise DamagedRunError(f"run {run}: {error}") from error


def runs_in(directory: str | Path, parameter_file: str | None = None) -> list[Path]:
    """Give the run directories of a scan, in the order of their names. Raises `InputError` if there is none."""
    directory = Path(directory)
    if not directory.is_dir():
        raise InputError(f"scan {directory}: no such directory")
    names = (parameter_file,) if parameter_file else PARAMETER_FILES
    folders = sorted(p for p in directory.iterdir() if p.is_dir() and not p.name.startswith("."))
    named = [p for p in folders if any((p / name).is_file() for name in names)]
    # a run that lost its parameters is a faulty run, not one that is not there
    runs = [p for p in folders if p in named or any(p.glob("*.yoda")) or any(p.glob("*.yoda.gz"))]
    if not named:
        raise InputError(
            f"scan {directory}: no run directory with a {' or '.join(names)}; expected {directory}/0000/{names[0]}"
        )
    return runs


@dataclass(frozen=True)
class Reading:
    """How a scan is read; the defaults read all final histograms of the nominal weight and stop at the first fault."""

    rules: tuple[Rule, ...] = ()  #: the bins to keep; none: all of them
    bad_runs: OnBad = "stop"  #: a run that is truncated, or has other parameters or binning
    bad_bins: OnBad = "stop"  #: a bin that is not finite in some run: "drop" leaves it out of all runs
    parameter_file: str | None = None  #: by default `params.dat` or `used_params`
    made_here: bool = False  #: runs of sbitune's own, which makes one again that is deleted
    tell: Callable[[str], None] = lambda message: None  #: receives one message per run or bin left out
    weight: str = ""  #: name of the weight whose histograms are read; none: the nominal one

    def wants(self, path: str) -> bool:
        """Tell whether a final object is to be read, by its path without a weight."""
        return not self.rules or wanted_by(self.rules)(path)


def read_runs(
    directory: str | Path, parameters: Sequence[Parameter] | None = None, reading: Reading = Reading()
) -> Scan:
    """Read a scan from its run directories.

    Args:
        directory: the scan, with one directory per run.
        parameters: names and ranges; by default the names in the first run and the range that the runs span.
        reading: which bins to read and what to do with faulty runs and bins.

    Raises:
        InputError: naming run, path and bin, for runs that are truncated, have other parameters or other binning,
            or bins that are not finite.
    """
    with naming_file(directory):
        return collect(runs_in(directory, reading.parameter_file), parameters, reading)


def collect(
    runs: Sequence[Path],
    parameters: Sequence[Parameter] | None = None,
    reading: Reading = Reading(),
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Scan:
    """Read the given runs as `read_runs` does; `progress` receives the number read and of all."""
    rows: list[Row] = []
    left: list[str] = []
    faults: dict[Path, InputError] = {}
    for number, run in enumerate(runs):
        progress(number, len(runs))
        try:
            names = tuple(p.name for p in parameters) if parameters else rows[0].names if rows else ()
            row = read_row(run, names, replace(reading, tell=left.append))
            row = by_name(row, rows)
            check_like(run, row, rows, named=bool(parameters))
            rows.append(row)
        except InputError as error:
            if isinstance(error, EmptySelectionError):
                raise
            faults[run] = error
    progress(len(runs), len(runs))
    damaged = [run for run, error in faults.items() if reading.made_here and isinstance(error, DamagedRunError)]
    settle_faults(list(faults.values()), reading, _remake(damaged) if len(damaged) == len(faults) else _LEAVE_OUT)
    tell_left(left, reading.tell)
    return assemble(rows, parameters, reading)


def _remake(damaged: Sequence[Path]) -> str:
    """How runs of sbitune's own that are damaged are made again."""
    if len(damaged) == 1:
        return f"Delete the directory {damaged[0]}, and the run is made again."
    names = ", ".join(run.name for run in damaged)
    return f"Delete the directories {names} in {damaged[0].parent}, and the runs are made again." if names else ""


def settle_faults(faults: Sequence[InputError], reading: Reading, remedy: str = _LEAVE_OUT) -> None:
    """Say which faulty runs are left out. Raises an error like the first that names them, if they are to stop."""
    if faults and reading.bad_runs == "stop":
        more = [f"and {len(faults) - MOST_FAULTS} more faulty runs"] if len(faults) > MOST_FAULTS else []
        raise type(faults[0])("\n".join([*map(str, faults[:MOST_FAULTS]), *more, remedy])) from faults[0]
    for fault in faults:
        reading.tell(LeftOut(str(fault)))


def tell_left(messages: Sequence[str], tell: Callable[[str], None]) -> None:
    """Say in one message which objects were left out, as runs are often damaged alike."""
    if messages:
        tell(messages[0] + (f" (and {len(messages) - 1} more such objects)" if len(messages) > 1 else ""))


def read_row(run: Path, names: tuple[str, ...], reading: Reading = Reading()) -> Row:
    """Read one run with its parameters, in the order of `names` (none: as in its parameter file)."""
    histograms = read_run(run, reading.wants, reading.tell, reading.weight)  # compares all files with what the run left
    row = make_row(run, _parameters_of(run, reading.parameter_file), histograms, names, reading)
    return row._replace(parts=_read_parts(run / PARTS, row.histograms.bins))


def make_row(
    run: Path, values: dict[str, float], histograms: Histograms, names: tuple[str, ...], reading: Reading = Reading()
) -> Row:
    """One run of its parameters and histograms: the bins that are wanted, the parameters in the order of `names`."""
    if reading.rules:
        histograms = histograms.take(np.flatnonzero(weights_of(histograms.bins, reading.rules) > 0))
    if reading.bad_bins == "stop":
        _refuse_non_finite(run, histograms)
    names = names or tuple(values)
    others = tuple(name for name in values if name not in names)
    return Row(run.name, names, _theta(run, values, names), histograms, others=others)


def _read_parts(path: Path, bins: Bins) -> Parts | None:
    """Contents of the parts of a run in the given bins; None if the run keeps none."""
    if not path.is_file():
        return None
    _own(path.parent, path.name)
    try:
        stored = check_arrays(str(path), read_arrays(path, "file of parts"), PARTS_LAYOUT)
        place = {key: i for i, key in enumerate(zip(stored["path"], stored["index"], strict=True))}
        if len(place) < len(stored["path"]):
            raise InputError(f"{path}: a bin is there twice")
        absent = [key for key in zip(bins.path, bins.index, strict=True) if key not in place]
        if absent:
            raise InputError(f"{path}: the bin {absent[0][0]}#{absent[0][1]} is not in it")
        values = stored["values"][:, [place[key] for key in zip(bins.path, bins.index, strict=True)]]
        return Parts(values, stored["events"] if "events" in stored else np.ones(len(values)))
    except InputError as error:
        raise DamagedRunError(f"run {path.parent}: {error}") from error


def assemble(rows: Sequence[Row], parameters: Sequence[Parameter] | None = None, reading: Reading = Reading()) -> Scan:
    """Make a scan of runs that have the same bins.

    Where runs keep the contents of their parts, the scatter of these gives the correlation of the Monte Carlo errors,
    and scales the quoted errors of every bin by one factor for all runs (see `correlation.measure_errors`).
    """
    if not rows:
        raise InputError("no usable run in this scan")
    theta = np.array([row.theta for row in rows])
    if parameters is None:
        theta, parameters = _observed_box(rows, theta, reading.tell)
    values = np.array([row.histograms.values for row in rows])
    errors = np.array([row.histograms.errors for row in rows])
    bins = rows[0].histograms.bins
    keep = np.isfinite(values).all(0) & np.isfinite(errors).all(0)
    for label in bins.take(np.flatnonzero(~keep)).labels():
        reading.tell(LeftOut(f"bin {label}, not finite in some run"))
    without = [row.name for row in rows if row.parts is None]
    if 0 < len(without) < len(rows):
        tell = f"{len(without)} of {len(rows)} runs keep no {PARTS}, {without[0]} first"
        reading.tell(f"Monte Carlo errors: {tell}; how they are correlated and scaled is known from the others alone")
    factor = measure_errors(((row.parts, row.histograms.errors) for row in rows if row.parts is not None), len(bins))
    _tell_scaled(bins, factor, reading.tell)
    if keep.sum() > MOST_BINS and any(row.parts is not None for row in rows):
        reading.tell(f"Monte Carlo errors of {keep.sum()} bins are taken to be independent: more than {MOST_BINS} bins")
    return Scan(
        parameters=tuple(parameters),
        theta=theta,
        values=values[:, keep],
        errors=errors[:, keep] * factor[keep],
        bins=bins.take(np.flatnonzero(keep)),
        runs=tuple(row.name for row in rows),
        correlation=None
        if keep.sum() > MOST_BINS
        else pool_correlation(row.parts.take(keep) for row in rows if row.parts is not None),
        scaling=factor[keep],
    )


def _tell_scaled(bins: Bins, factor: np.ndarray, tell: Callable[[str], None]) -> None:
    """Say in which bins the errors were scaled by more than a fifth."""
    far = np.flatnonzero(np.abs(np.log(factor)) > np.log(_WORTH_TELLING))
    if len(far):
        worst = bins.labels()[far[np.argmax(np.abs(np.log(factor[far])))]]
        tell(
            f"Monte Carlo errors: scaled to the scatter of the runs' parts; in {len(far)} of {len(bins)} bins it is "
            f"{factor[far].min():.2g} to {factor[far].max():.2g} of the quoted error, most off in {worst}"
        )


def _observed_box(
    rows: Sequence[Row], theta: np.ndarray, tell: Callable[[str], None]
) -> tuple[np.ndarray, list[Parameter]]:
    """Give the parameters that vary over the runs, with the range that they span."""
    names, low, high = rows[0].names, theta.min(0), theta.max(0)
    varied = [i for i in range(len(names)) if low[i] < high[i]]
    if not varied:
        raise InputError(f"no parameter varies over these {len(theta)} runs: nothing can be learnt from them")
    for i in set(range(len(names))) - set(varied):
        tell(LeftOut(f"parameter {names[i]}, {low[i]:g} in every run"))
    parameters = []
    for i in varied:
        first, last = (rows[int(at(theta[:, i]))].name for at in (np.argmin, np.argmax))
        with naming_file(f"runs {first} and {last}"):
            parameters.append(Parameter(names[i], float(low[i]), float(high[i]), None))
    return theta[:, varied], parameters


def _parameters_of(run: Path, parameter_file: str | None) -> dict[str, float]:
    names: Iterable[str] = (parameter_file,) if parameter_file else PARAMETER_FILES
    for name in names:
        if (run / name).is_file():
            return read_values(_own(run, name))
    raise InputError(f"run {run}: no {' or '.join(names)} beside its histograms")


def _theta(run: Path, values: dict[str, float], names: Sequence[str]) -> np.ndarray:
    missing = [name for name in names if name not in values]
    if missing:
        raise InputError(f"run {run}: parameter {missing[0]} is missing; the run has {', '.join(values)}")
    return np.array([values[name] for name in names])


def _refuse_non_finite(run: Path, histograms: Histograms) -> None:
    bad = ~(np.isfinite(histograms.values) & np.isfinite(histograms.errors))
    if bad.any():
        labels = histograms.bins.take(np.flatnonzero(bad)).labels()
        negative = histograms.errors[bad] == NEGATIVE
        what = "have a negative variance" if negative.all() else "are not finite"
        what += f" ({negative.sum()} have a negative variance)" if negative.any() and not negative.all() else ""
        raise InputError(
            f"run {run}: {bad.sum()} bins {what}, the first {labels[0]}; take them out of the selection "
            "or leave them out of all runs with `bad_bins: drop`"
        )
