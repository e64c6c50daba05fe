"""What a fit leaves for the stages after it: read again, and completed by what is found out later."""

from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.reference import Reference
from sbitune.data.reporting import QUIET, Reporter
from sbitune.data.scan import Scan
from sbitune.data.storage.files import hash_bytes, hash_file, write_text
from sbitune.fitting.checks.coverage import Coverage
from sbitune.fitting.likelihood.measured import Measured
from sbitune.fitting.likelihood.problem import BinnedProblem
from sbitune.tuning.card import LoadedCard
from sbitune.tuning.output.settings import command_file
from sbitune.tuning.record import result as records
from sbitune.tuning.record.types import ResultRecord
from sbitune.tuning.stages.matching import Matched, match
from sbitune.tuning.stages.products import (
    SURROGATE,
    read_fit,
)
from sbitune.tuning.stages.scans import stored_scan
from sbitune.tuning.stages.surrogate_of_card import surrogate_of
from sbitune.tuning.stages.training import surrogate_stage as surrogate_stage
from sbitune.tuning.stages.training import train_stage as train_stage
from sbitune.tuning.surrogates.protocols import TrainedSurrogate, near_point
from sbitune.tuning.surrogates.storage import load_surrogate
from sbitune.tuning.verdict import with_warnings
from sbitune.workflow.runs.checking import reference_of
from sbitune.workflow.runs.tasks import version_of_runs
from sbitune.workflow.stages import writing


@dataclass(frozen=True, eq=False)
class Fitted:
    """What the fit stage leaves for those after it."""

    loaded: LoadedCard
    scan: Scan
    reference: Reference
    surrogate: TrainedSurrogate
    matched: Matched
    record: ResultRecord

    @property
    def theta(self) -> np.ndarray:
        """(n_parameters,) the tune."""
        return np.array([p.value for p in self.record.parameters.values()])

    @property
    def default(self) -> np.ndarray | None:
        """(n_parameters,) values before tuning; None if one is not known."""
        values = [p.default for p in self.record.parameters.values()]
        return None if any(v is None for v in values) else np.array(values, float)

    @property
    def problem(self) -> BinnedProblem:
        """The fit as it was made."""
        return make_problem(self.loaded, self.surrogate, self.matched)

    @property
    def measured(self) -> Measured:
        """The measured bins in the fit."""
        return self.matched.measured


def make_problem(loaded: LoadedCard, surrogate: TrainedSurrogate, matched: Matched) -> BinnedProblem:
    """What a card asks to be fitted."""
    how = loaded.card.fit
    parts = (surrogate, matched.measured, how.limits, how.fixed, how.surrogate_error, matched.correlation)
    return BinnedProblem(*parts)


def match_data(loaded: LoadedCard, scan: Scan, reference: Reference, surrogate: TrainedSurrogate) -> Matched:
    """Measured and generated bins, with the correlation of Monte Carlo errors that the scan has, else the surrogate."""
    card = loaded.card
    matched = match(scan, reference, loaded.rules(), card.fit.correlations, strict=card.scan.bad_bins == "stop")
    if matched.correlation is None and surrogate.correlation is not None and card.fit.correlations:
        part = np.ix_(matched.measured.indices, matched.measured.indices)
        matched = matched._replace(correlation=surrogate.correlation[part])
    return matched


def bytes_of_scan(scan: Scan) -> bytes:
    """The scan's numbers, for hashes."""
    arrays = (scan.theta, scan.values, scan.errors, *scan.bins.to_arrays().values())
    return b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)


def bytes_of_reference(reference: Reference) -> bytes:
    """The reference's numbers, for hashes."""
    return np.concatenate([reference.values, reference.errors]).tobytes()


def write_result(loaded: LoadedCard, record: ResultRecord) -> None:
    """Write `result.yaml` and `tune.cmnd`."""
    records.write_record(loaded.output("result.yaml"), record)
    write_text(loaded.output("tune.cmnd"), command_file(loaded.card, record, version_of_runs(loaded)))


def rewrite_result(fitted: Fitted, **parts: Any) -> Fitted:
    """Put what was found out since the fit into `result.yaml`, and what it says of the tune.

    Raises `InputError` if that holds another fit by now.
    """
    path = fitted.loaded.output("result.yaml")
    with writing(fitted.loaded):
        now = records.read_record(path)
        if (now.parameters, now.provenance) != (fitted.record.parameters, fitted.record.provenance):
            raise InputError(f"{path}: it was fitted again meanwhile; what was found out of the fit before is not kept")
        record = with_warnings(msgspec.structs.replace(now, **parts))
        records.write_record(path, record)
    return replace(fitted, record=record)


def keep_coverage(fitted: Fitted, found: Coverage) -> Fitted:
    """Put coverage by toys at the tune into `result.yaml`, in place of that of fewer toys."""
    known = fitted.record.answer.get("coverage", {}).get("fits", 0)
    if len(found.values) < known:
        return fitted
    return rewrite_result(fitted, answer=fitted.record.answer | {"coverage": found.figures()})


def keep_closure(fitted: Fitted, found: Coverage) -> Fitted:
    """Put closure of runs that were held out into `result.yaml`, in place of that of fewer runs."""
    if len(found.values) < fitted.record.closure.get("fits", 0):
        return fitted
    return rewrite_result(fitted, closure=found.figures())


def read_fitted(loaded: LoadedCard, reporter: Reporter = QUIET) -> Fitted:
    """Read what the fit stage left; the reporter is told what `stored_scan` has to say.

    Raises `InputError` naming the command that makes what is missing, damaged, or not of this fit.
    """
    scan = stored_scan(loaded, reporter)
    record = records.read_record(loaded.output("result.yaml"))
    again = f"run `sbitune fit {loaded.path}` again"
    made = record.provenance
    reference = reference_of(loaded)
    for what, now in (
        ("card", loaded.path.read_bytes()),
        ("reference", bytes_of_reference(reference)),
        *([("scan", bytes_of_scan(scan))] if loaded.stored is None else []),
    ):
        if made.get(what) != hash_bytes(now):
            raise InputError(f"{loaded.path}: the {what} has changed since the fit; {again}")
    surrogate = _read_surrogate(loaded, made.get("surrogate"), again)
    matched = match_data(loaded, scan, reference, surrogate)
    used = read_fit(loaded, matched.measured, made.get("fit"))  # errors and weights as the fit found them
    return Fitted(loaded, scan, reference, as_fitted(surrogate, record), matched._replace(measured=used), record)


def as_fitted(surrogate: TrainedSurrogate, record: ResultRecord) -> TrainedSurrogate:
    """The surrogate with its errors where the fit took them; a fit of an older sbitune did not tell."""
    near = record.answer.get("near")
    return surrogate if near is None else near_point(surrogate, np.array([near[p.name] for p in surrogate.parameters]))


def _read_surrogate(loaded: LoadedCard, made: object, again: str) -> TrainedSurrogate:
    """The surrogate that `surrogate_stage` left or read, if it is the one of the fit; of a fit of an older sbitune that
    is not known: its hash `made` is None.
    """
    path = loaded.stored or loaded.work / SURROGATE
    if not path.is_file():
        raise InputError(f"{path}: not made yet; run `sbitune train {loaded.directory}` first")
    if made is not None and hash_file(path) != made:
        raise InputError(f"{path}: not the surrogate that the fit was made with; {again}")
    if loaded.stored is not None:
        return surrogate_of(loaded)
    try:
        return load_surrogate(path)
    except InputError as error:
        raise InputError(f"{error}; {again}") from error
