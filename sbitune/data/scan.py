"""`Scan`: what a generator gave at many parameter points, what everything is learnt from."""

from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from sbitune.data.bins import BINS, Bins
from sbitune.data.checks.copies import Copies, find_copies
from sbitune.data.errors import InputError
from sbitune.data.parameter import EDGE, Parameter, parameter_box, read_parameters, read_words
from sbitune.data.storage.arrays import reading_stored
from sbitune.data.storage.layout import ArraySpec, check_arrays, check_correlation
from sbitune.data.storage.store import read_stored, write_stored
from sbitune.data.text.names import is_name, repeated, shorten

FORMAT = "sbitune scan"
FORMAT_VERSION = 1
LAYOUT = {
    **BINS,
    # what is not finite or negative is named by `Scan`, with run and bin
    "theta": ArraySpec(("n_runs", "n_parameters"), finite=False),
    "values": ArraySpec(("n_runs", "n_bins"), finite=False),
    "errors": ArraySpec(("n_runs", "n_bins"), finite=False),
    "correlation": ArraySpec(("n_bins", "n_bins"), finite=False, needed=False),
    "scaling": ArraySpec(("n_bins",), low=0, needed=False),
}
#: of one block of copies, in the header
_COPIES = {
    "bins": ArraySpec(("n_copied",), np.int64, low=0),
    "depends": ArraySpec(("n_parameters",), np.bool_),
    "measurement": ArraySpec(("n_runs",), np.int64, low=0),
    "left_out": ArraySpec(("n_runs",), np.bool_),
}

#: numbers beyond this, or below its inverse, have no square in a computer
_LARGEST = 1e150


@dataclass(frozen=True, eq=False)
class Scan:
    """Values of every bin in every run. Checked on construction; the arrays cannot be written to.

    Raises `InputError` for shapes that do not fit together, runs named twice, theta, values or errors that
    are not finite, negative errors: always naming the run and the bin or parameter.
    """

    parameters: tuple[Parameter, ...]  #: in the order of the columns of theta
    theta: np.ndarray  #: (n_runs, n_parameters) in the generator's units; points outside the box are allowed
    values: np.ndarray  #: (n_runs, n_bins) bin contents
    errors: np.ndarray  #: (n_runs, n_bins) one standard deviation of the Monte Carlo statistics, 0 if empty
    bins: Bins  #: (n_bins,) which bins these are
    runs: tuple[str, ...]  #: (n_runs,) names, each once
    correlation: np.ndarray | None = None  #: (n_bins, n_bins) of the Monte Carlo errors; None: independent bins
    scaling: np.ndarray | None = None  #: (n_bins,) what the errors that runs quote were multiplied by; None: by 1
    known_copies: tuple[Copies, ...] | None = None  #: bins that runs share; None: found when `copies` is asked for

    def __post_init__(self) -> None:
        object.__setattr__(self, "parameters", tuple(self.parameters))
        object.__setattr__(self, "runs", tuple(str(run) for run in self.runs))
        for name in ("theta", "values", "errors"):
            array = np.array(getattr(self, name), dtype=np.float64)
            array.setflags(write=False)
            object.__setattr__(self, name, array)
        for name in ("correlation", "scaling"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=np.float64))
        self._check_shapes()
        self._check_names()
        self._check_numbers()
        for block in self.known_copies or ():
            block.check(self.values, self.errors, len(self.parameters))

    @cached_property
    def copies(self) -> tuple[Copies, ...]:
        """Blocks of bins that several runs have from one measurement, see `sbitune.data.checks.copies`; mostly none."""
        if self.known_copies is not None:
            return self.known_copies
        return find_copies(self.unit(), self.values, self.errors, self.bins.path)

    def unit(self) -> np.ndarray:
        """Return theta (n_runs, n_parameters) with the box mapped to [-1, 1]."""
        centre, half = parameter_box(self.parameters)
        return (self.theta - centre) / half

    @property
    def inside(self) -> np.ndarray:
        """(n_runs,) True for runs in the box, which may be narrower than what the runs span."""
        return np.asarray((np.abs(self.unit()) <= 1 + EDGE).all(axis=1))

    def take_runs(self, chosen: Any) -> "Scan":
        """Return the scan with only these runs: names, in their order, or a boolean mask (n_runs,).

        Raises `InputError` for an unknown name.
        """
        rows = self._rows(chosen)
        return replace(
            self,
            theta=self.theta[rows],
            values=self.values[rows],
            errors=self.errors[rows],
            runs=tuple(self.runs[row] for row in rows),
            known_copies=tuple(block.take_runs(rows) for block in self.copies),
        )

    def take_bins(self, chosen: Any) -> "Scan":
        """Return the scan with only these bins: a boolean mask (n_bins,) or indices."""
        indices = np.arange(len(self.bins))[np.asarray(chosen)]
        return replace(
            self,
            values=self.values[:, np.asarray(chosen)],
            errors=self.errors[:, np.asarray(chosen)],
            bins=self.bins.take(chosen),
            correlation=None if self.correlation is None else self.correlation[np.ix_(indices, indices)],
            scaling=None if self.scaling is None else self.scaling[indices],
            known_copies=tuple(
                block for block in (known.take_bins(indices) for known in self.copies) if len(block.bins)
            ),
        )

    def split(self, holdout: Iterable[str]) -> tuple["Scan", "Scan"]:
        """Return (train, holdout) by the names of the held-out runs; both keep the order of the scan.

        What a held-out run shares with others is not to be learnt from these either: their `copies` know it.

        Raises `InputError` for an unknown name, and if one of the two were empty.
        """
        held = np.zeros(len(self.runs), dtype=bool)
        held[self._rows(list(holdout))] = True
        if held.all() or not held.any():
            raise InputError(f"scan: holding out {held.sum()} of {len(held)} runs leaves one part empty")
        copies = tuple(block.hold_out(held) for block in self.copies)
        for block in copies:
            if block.left_out.all():
                n = len(np.unique(block.measurement))
                raise InputError(
                    f"scan: the {held.sum()} runs to hold out share all {n} measurements of {len(block.bins)} bins "
                    f"from {self.bins.path[block.bins[0]]} on, and none is left to learn from; hold out runs that "
                    "share measurements with each other"
                )
        return replace(self, known_copies=copies).take_runs(~held), self.take_runs(held)

    def save(self, path: str | Path) -> None:
        """Write the scan to an .npz file, whole or not at all. `load` gives back every bit."""
        # runs are no array: NumPy strings lose trailing NULs
        meta: dict[str, Any] = {"parameters": [astuple(p) for p in self.parameters], "runs": self.runs}
        if self.known_copies:
            meta["copies"] = [{name: a.tolist() for name, a in vars(block).items()} for block in self.known_copies]
        arrays = {"theta": self.theta, "values": self.values, "errors": self.errors, **self.bins.to_arrays()}
        for name in ("correlation", "scaling"):
            if getattr(self, name) is not None:
                arrays[name] = getattr(self, name)
        write_stored(path, FORMAT, FORMAT_VERSION, meta, arrays)

    @classmethod
    def load(cls, path: str | Path) -> "Scan":
        """Read what `save` wrote. Raises `InputError` if the file is absent, damaged or something else."""
        meta, stored = read_stored(path, FORMAT, FORMAT_VERSION)
        with reading_stored(path, FORMAT):
            parameters, runs = read_parameters(meta["parameters"]), read_words("runs", meta["runs"])
            sizes = {"n_runs": len(runs), "n_parameters": len(parameters)}
            arrays = check_arrays(str(path), stored, LAYOUT, sizes)
            check_correlation(str(path), arrays.get("correlation"))
            return cls(
                parameters=parameters,
                theta=arrays["theta"],
                values=arrays["values"],
                errors=arrays["errors"],
                bins=Bins.from_arrays(arrays),
                runs=runs,
                correlation=arrays.get("correlation"),
                scaling=arrays.get("scaling"),
                known_copies=_stored_copies(meta, sizes | {"n_bins": len(arrays["bin_path"])}),
            )

    def _rows(self, chosen: Any) -> np.ndarray:
        chosen = np.asarray(list(chosen))
        if chosen.dtype == bool:
            if chosen.shape != (len(self.runs),):
                raise InputError(f"scan: a mask of {len(chosen)} runs for a scan of {len(self.runs)}")
            return np.flatnonzero(chosen)
        place = {run: row for row, run in enumerate(self.runs)}
        unknown = [str(name) for name in chosen if str(name) not in place]
        if unknown:
            raise InputError(f"scan: no run {_some(unknown)}; the runs are {_some(list(self.runs))}")
        return np.array([place[str(name)] for name in chosen], dtype=np.int64)

    def _check_shapes(self) -> None:
        n_runs, n_parameters, n_bins = len(self.runs), len(self.parameters), len(self.bins)
        if not (n_runs and n_parameters and n_bins):
            raise InputError(f"scan: {n_runs} runs, {n_parameters} parameters, {n_bins} bins: none may be 0")
        expected = {
            "theta": (n_runs, n_parameters),
            "values": (n_runs, n_bins),
            "errors": (n_runs, n_bins),
        }
        for name, shape in expected.items():
            if getattr(self, name).shape != shape:
                raise InputError(f"scan: {name} has shape {getattr(self, name).shape}, expected {shape}")
        for name, shape in (("correlation", (n_bins, n_bins)), ("scaling", (n_bins,))):
            array = getattr(self, name)
            if array is not None and array.shape != shape:
                raise InputError(f"scan: {name} has shape {array.shape}, expected {shape}")

    def _check_names(self) -> None:
        odd = next((run for run in self.runs if not is_name(run)), None)
        if odd is not None:
            raise InputError(f"scan: the run {shorten(repr(odd))} has a line break or another control character")
        for what, names in (("run", self.runs), ("parameter", [p.name for p in self.parameters])):
            twice = repeated(names)
            if twice:
                raise InputError(f"scan: {what} {_some(twice)} occurs more than once")

    def _check_numbers(self) -> None:
        if not np.isfinite(self.theta).all():
            run, column = np.argwhere(~np.isfinite(self.theta))[0]
            name = self.parameters[column].name
            raise InputError(f"scan: run {self.runs[run]}: parameter {name} is {self.theta[run, column]}")
        bad = find_bad(self.values, self.errors)
        if bad.any():
            described = describe_bad(bad, self.values, self.errors, self.bins, self.runs)
            raise InputError(f"scan: {described}; drop these bins or these runs")


def join_scans(scans: Sequence[Scan]) -> Scan:
    """Join the runs of several scans of the same parameters and bins; the box becomes the smallest around all.

    Where two scans share a run name, every run is renamed to `number of its scan/name`. Raises `InputError` if
    parameters or bins differ.
    """
    first = scans[0]
    for number, scan in enumerate(scans):
        ours, theirs = ([p.name for p in item.parameters] for item in (first, scan))
        if ours != theirs:
            raise InputError(f"scan {number} has the parameters {_some(theirs)}, the first one {_some(ours)}")
        if len(first.bins) != len(scan.bins):
            raise InputError(f"scan {number} has {len(scan.bins)} bins, the first one {len(first.bins)}")
        if not first.bins.matches(scan.bins).all():
            other = scan.bins.take(~first.bins.matches(scan.bins)).labels()
            raise InputError(f"scan {number}: other edges or another place than in the first scan: {_some(other)}")
    names = [run for scan in scans for run in scan.runs]
    if len(set(names)) < len(names):
        names = [f"{number}/{run}" for number, scan in enumerate(scans) for run in scan.runs]
    return replace(
        first,
        parameters=tuple(
            replace(same[0], low=min(p.low for p in same), high=max(p.high for p in same))
            for same in zip(*(scan.parameters for scan in scans), strict=True)
        ),
        theta=np.concatenate([scan.theta for scan in scans]),
        values=np.concatenate([scan.values for scan in scans]),
        errors=np.concatenate([scan.errors for scan in scans]),
        runs=tuple(names),
        known_copies=None,
    )


def _stored_copies(meta: dict[str, Any], sizes: dict[str, int]) -> tuple[Copies, ...] | None:
    """None where there were none, or the file is older than they are: they are found again."""
    if "copies" not in meta:
        return None
    layout = _COPIES | {"bins": _COPIES["bins"]._replace(high=sizes["n_bins"] - 1)}
    blocks = [{name: np.array(numbers) for name, numbers in block.items()} for block in meta["copies"]]
    return tuple(Copies(**check_arrays(f"copies {i}", block, layout, sizes)) for i, block in enumerate(blocks))


def find_bad(values: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """(n_runs, n_bins) True where a value or error is not finite or has no square, or an error is negative."""
    return ~(np.isfinite(values) & np.isfinite(errors) & (errors >= 0)) | beyond(values) | beyond(errors)


def beyond(numbers: np.ndarray) -> np.ndarray:
    """True where a number is not 0, and so small or large that a computer has no square of it: below 1e-150 or above
    1e150. In another unit it can be used.
    """
    size = np.abs(numbers)
    return (size > _LARGEST) | ((size < 1 / _LARGEST) & (size > 0))


def describe_bad(bad: np.ndarray, values: np.ndarray, errors: np.ndarray, bins: Bins, runs: tuple[str, ...]) -> str:
    """Name the run and the bin of every number that `find_bad` marked, the first few in full."""
    labels = bins.labels()
    said = [
        f"run {runs[run]}, bin {labels[bin_]}: {values[run, bin_]} +- {errors[run, bin_]}"
        for run, bin_ in np.argwhere(bad)[:5]
    ]
    more = int(bad.sum()) - len(said)
    return "bad number in " + "; ".join(said) + (f"; and {more} more" if more else "")


def build_scan(
    parameters: tuple[Parameter, ...],
    theta: np.ndarray,
    values: np.ndarray,
    errors: np.ndarray,
    bins: Bins,
    runs: tuple[str, ...],
    drop_bad: Literal["bins", "runs"] | None = None,
) -> tuple[Scan, str]:
    """Build a `Scan` from numbers that may hold bad ones; return it with a description of what was dropped.

    With `drop_bad` every bin (or every run) that holds a number that is not finite goes, and the description
    names each, so that nothing vanishes silently; it is empty if nothing was dropped. Without `drop_bad`, bad
    numbers raise `InputError`.
    """
    bad = find_bad(np.asarray(values, dtype=float), np.asarray(errors, dtype=float))
    if drop_bad is None or not bad.any():
        return Scan(parameters, theta, values, errors, bins, runs), ""
    said = f"dropped {bad.any(0 if drop_bad == 'bins' else 1).sum()} {drop_bad}: "
    said += describe_bad(bad, values, errors, bins, runs)
    good_runs = np.flatnonzero(~bad.any(axis=1) if drop_bad == "runs" else np.ones(len(bad)))
    good_bins = np.flatnonzero(~bad.any(axis=0) if drop_bad == "bins" else np.ones(bad.shape[1]))
    scan = Scan(
        parameters=parameters,
        theta=theta[good_runs],
        values=values[good_runs][:, good_bins],
        errors=errors[good_runs][:, good_bins],
        bins=bins.take(good_bins),
        runs=tuple(runs[row] for row in good_runs),
    )
    return scan, said


def _some(names: list[str], most: int = 5) -> str:
    """Join names for a message, the first few of many."""
    return ", ".join(names[:most]) + (f", ... ({len(names)} in all)" if len(names) > most else "")
